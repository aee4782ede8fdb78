package lists_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
	"muster/migrations/testdb"
	"muster/smtp"
)

// benchSite is a site whose pool is as large as a server's.
func benchSite(b *testing.B, connections int32) *site {
	b.Helper()
	config, err := pgxpool.ParseConfig(testdb.URL(b))
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	s := &site{t: b, pool: pool}
	s.Service = lists.New(pool, lists.Config{Hostname: "mx.lists.example"})
	return s
}

// BenchmarkAccept takes messages of 4 KiB in by 20 clients, from the recipient to the commit. Where
// TEST_DATABASE_URL names a server that writes through to its disk, that is in it.
func BenchmarkAccept(b *testing.B) {
	const clients = 20
	s := benchSite(b, clients)
	l := s.list("dev@lists.example", nil, "owner@a.example")
	s.add(l, "ann@a.example")
	body := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 54)
	to, from := addr(b, "dev@lists.example"), addr(b, "ann@a.example")
	var n atomic.Int64
	var failed atomic.Value
	b.SetParallelism(clients / 2) // times the processors
	b.SetBytes(4 << 10)
	b.ReportAllocs()
	began := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := n.Add(1)
			raw := fmt.Appendf(nil, "From: Ann <ann@a.example>\r\nTo: dev@lists.example\r\nSubject: Bench %d\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"+
				"Message-ID: <%d@a.example>\r\nMIME-Version: 1.0\r\n\r\n%s", id, id, body)
			if err := s.take(b, from, to, raw); err != nil {
				failed.Store(err)
				return
			}
		}
	})
	b.ReportMetric(float64(n.Load())/time.Since(began).Seconds(), "posts/s")
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
}

// take is what a session does with a message.
func (s *site) take(b *testing.B, from, to smtp.Address, raw []byte) error {
	target, err := s.ResolveFor(b.Context(), to, from)
	if err != nil {
		return err
	}
	m := mail{raw: raw}.message()
	m.HeaderLen = int64(bytes.Index(raw, []byte("\r\n\r\n")) + 4)
	out, err := s.Accept(b.Context(), lists.Envelope{
		From: from, To: []lists.Target{target}, Received: "from a.example ([192.0.2.7])\r\n\tby mx.lists.example (Muster) with ESMTP id x1",
	}, m)
	if err == nil && out[0].Fate != lists.FateAccepted {
		err = fmt.Errorf("%s", fates(out))
	}
	return err
}
