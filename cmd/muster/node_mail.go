package main

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"

	"muster/cmd/muster/config"
	"muster/lists/inbound"
	"muster/smtp/smtpserver"
)

// mailServer is a part in front: SMTP or LMTP on its listeners.
type mailServer struct {
	*smtpserver.Server
	listeners []net.Listener
}

// Serve is server.
func (s mailServer) Serve() error {
	var serving errgroup.Group
	for _, l := range s.listeners {
		serving.Go(func() error {
			if err := s.Server.Serve(l); !errors.Is(err, smtpserver.ErrServerClosed) {
				return fmt.Errorf("%s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	return serving.Wait()
}

// wireMail makes a server for SMTP and one for LMTP.
func (n *node) wireMail() {
	backend := inbound.New(n.lists, inbound.Config{Hostname: n.cfg.Hostname, Log: n.log})
	n.counts = backend.Counts()
	n.serveMail(n.mailServer(backend, false), n.smtp)
	n.serveMail(n.mailServer(backend, true), n.lmtp)
}

// serveMail lets a server listen, if there is anything to listen on.
func (n *node) serveMail(s *smtpserver.Server, listeners []net.Listener) {
	if len(listeners) > 0 {
		n.mail = append(n.mail, s)
		n.front = append(n.front, mailServer{s, listeners})
	}
}

func (n *node) mailServer(backend smtpserver.Backend, lmtp bool) *smtpserver.Server {
	return &smtpserver.Server{
		Hostname: n.cfg.Hostname, Backend: backend, Limits: serverLimits(n.cfg.Limits), TLS: n.certificate.config(), LMTP: lmtp,
		Trusted: n.cfg.Trusted(), AllowPlainAuth: n.cfg.AuthWithoutTLS, SpoolDir: n.cfg.DataDir, Log: n.log,
	}
}

// serverLimits are the configured limits as the server wants them.
func serverLimits(l config.Limits) smtpserver.Limits {
	return smtpserver.Limits{
		Sessions: l.Sessions, SessionsPerClient: l.SessionsPerClient, CommandLine: l.CommandLine, AuthLine: l.AuthLine,
		Errors: l.Errors, Idle: l.IdleCommands, Questions: l.Questions, Strangers: l.UnknownRecipients, AuthErrors: l.AuthErrors,
		Message: int64(l.Message), Header: int(l.Header), HeaderFields: l.HeaderFields, Hops: l.Hops, TextLine: l.TextLine,
		Recipients: l.Recipients, Memory: int(l.Memory), Command: l.CommandTimeout, CommandBusy: l.BusyTimeout,
		DataPause: l.DataPause, DataRate: l.DataRate, Data: l.DataTimeout,
	}
}
