package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener takes one connection that never leaves the process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error {
	close(l.done)
	return nil
}

func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestSiteEndsRequestWithoutItsBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pipeListener{make(chan net.Conn, 1), make(chan struct{})}
		server := newHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), slog.New(slog.DiscardHandler))
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		ours, theirs := net.Pipe()
		l.conns <- theirs
		began := time.Now()
		go io.WriteString(ours, "GET / HTTP/1.1\r\nHost: lists.example\r\nContent-Length: 100\r\n\r\n")
		ours.SetReadDeadline(began.Add(time.Hour))
		if _, err := io.Copy(io.Discard, ours); err != nil {
			t.Errorf("the connection was kept: %v", err)
		}
		if took := time.Since(began); took > readTimeout+idleTimeout {
			t.Errorf("it took %v", took)
		}
		ours.Close()
		server.Close()
		<-served
	})
}
