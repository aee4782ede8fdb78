package systemtest

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// gate stands between a node and PostgreSQL, as the network does: it can be shut, and nobody gets
// through any more, or frozen, and what is sent arrives when it is opened again.
type gate struct {
	network, addr string // of PostgreSQL
	listener      net.Listener
	pumps         sync.WaitGroup

	mu     sync.Mutex
	moved  *sync.Cond
	frozen bool
	closed bool // to newcomers
	conns  map[net.Conn]bool
}

// newGate opens a gate to a database and returns it with the URL that leads through.
func newGate(t testing.TB, database string) (g *gate, through string) {
	t.Helper()
	config, err := pgconn.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	g = &gate{conns: map[net.Conn]bool{}}
	g.moved = sync.NewCond(&g.mu)
	g.network, g.addr = pgconn.NetworkAddress(config.Host, config.Port)
	if g.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	g.pumps.Go(g.serve)
	t.Cleanup(func() {
		g.listener.Close()
		g.shut()
		g.pumps.Wait()
	})
	u := url.URL{Scheme: "postgres", User: url.UserPassword(config.User, config.Password), Host: g.listener.Addr().String(),
		Path: "/" + config.Database, RawQuery: "sslmode=disable"}
	return g, u.String()
}

func (g *gate) serve() {
	for {
		near, err := g.listener.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), g.network, g.addr)
		if err != nil {
			near.Close()
			continue
		}
		if !g.admit(near, far) {
			near.Close()
			far.Close()
			continue
		}
		g.pumps.Go(func() { g.pump(near, far) })
		g.pumps.Go(func() { g.pump(far, near) })
	}
}

func (g *gate) admit(near, far net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.conns[near], g.conns[far] = true, true
	return true
}

// pump carries what comes from one side to the other until either ends.
func (g *gate) pump(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	io.Copy(gated{g, to}, from)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, from)
}

// gated writes to a connection when the gate is not frozen.
type gated struct {
	gate *gate
	to   io.Writer
}

func (w gated) Write(p []byte) (int, error) {
	w.gate.mu.Lock()
	for w.gate.frozen {
		w.gate.moved.Wait()
	}
	w.gate.mu.Unlock()
	return w.to.Write(p)
}

// shut ends all connections, and each new one.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.frozen = true, false
	g.moved.Broadcast()
	for c := range g.conns {
		c.Close()
	}
}

// freeze holds everything up.
func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = true
}

// open lets all through again.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.frozen = false, false
	g.moved.Broadcast()
}
