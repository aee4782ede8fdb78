package main

import (
	"context"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How many members the slow peers are given. It is their rate that is compared, and these are
// enough for seconds.
const (
	postfixSingles = 10_000
	postfixQueued  = 10_000
	mlmmjBatches   = 10_000
	mlmmjSingles   = 200
	mailmanSingles = 1_000
)

// farDomains is how many mail servers the members' domains have where a peer may send to each by
// itself.
const farDomains = 100

// peerPatience is for one post.
const peerPatience = 5 * time.Minute

// measurePeers posts once to a list of Muster and once to a list of a peer, in turns, to the same
// counting receiver.
func (b *bench) measurePeers(ctx context.Context) ([]row, error) {
	hosts := []string{"127.0.0.1"}
	for n := range farDomains {
		hosts = append(hosts, fmt.Sprintf("127.0.1.%d", n+1))
	}
	far, err := startCounter(hosts...)
	if err != nil {
		return nil, err
	}
	defer far.close()
	defer b.sendTo(far)()
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	for list, verp := range map[string]string{"bench1": "false", "bench2": "true"} {
		if err := b.muster.run(ctx, "list", "set", listAddress(list), "verp="+verp); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, measure := range []func(context.Context, *counter) ([]row, error){b.againstPostfix, b.againstMlmmj, b.againstMailman} {
		more, err := measure(ctx, far)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// peer is a list of another program: n members, and how to post to it.
type peer struct {
	name string
	list string // the list of Muster that it is held against
	aim  float64
	n    int
	post func(context.Context) error // returns when the post was accepted
}

// against compares a peer's copies a second with Muster's.
func (b *bench) against(ctx context.Context, far *counter, p peer) (row, error) {
	return b.compare(ctx, comparison{
		name:   fmt.Sprintf("fan-out to %d members against %s, %d members, copies/s", b.members, p.name, p.n),
		aim:    p.aim,
		ours:   func(ctx context.Context) (float64, error) { return b.fanOut(ctx, p.list) },
		theirs: func(ctx context.Context) (float64, error) { return far.rate(ctx, p) },
	})
}

// rate posts once and returns the copies a second from when it was accepted.
func (c *counter) rate(ctx context.Context, p peer) (float64, error) {
	c.expect(p.n)
	if err := p.post(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	start := time.Now()
	last, err := c.await(ctx, peerPatience)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	// Before the answer was read the last copy may have been out.
	return float64(p.n) / max(last.Sub(start), time.Millisecond).Seconds(), nil
}

// postTo hands a message for a list to a server, greeting it with EHLO or, for LMTP, LHLO.
func postTo(ctx context.Context, addr, greeting, list string) error {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	conn := textproto.NewConn(raw)
	defer conn.Close()
	if _, _, err := conn.ReadResponse(2); err != nil {
		return err
	}
	for _, line := range []string{greeting + " author.example", "MAIL FROM:<" + author + ">", "RCPT TO:<" + list + ">", "DATA"} {
		if err := conn.PrintfLine("%s", line); err != nil {
			return err
		}
		want := 2
		if line == "DATA" {
			want = 3
		}
		if _, _, err := conn.ReadResponse(want); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	w := conn.DotWriter()
	if _, err := w.Write(append(header(list), bodyText()...)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, _, err = conn.ReadResponse(2)
	return err
}

// writeAddresses makes a file of n addresses over farDomains domains, one a line, that any user may
// read.
func writeAddresses(path string, n int) error {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "user%07d@d%02d.example\n", i, i%farDomains)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(all.String()), 0o644)
}
