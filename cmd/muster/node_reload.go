package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// reloadOnHangup reads the certificate again at each SIGHUP, until the returned function is called.
// Without a certificate SIGHUP does nothing, rather than end the process as it would by default.
func (n *node) reloadOnHangup(ctx context.Context) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				n.reload()
			}
		}
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-done
	}
}

func (n *node) reload() {
	if n.certificate == nil {
		n.log.Info("SIGHUP: there is no certificate to read again")
		return
	}
	if err := n.certificate.reload(); err != nil {
		n.log.Error("SIGHUP: the certificate is no good, the one before stays", "err", err)
		return
	}
	n.log.Info("SIGHUP: read the certificate again", "file", n.certificate.cert)
}
