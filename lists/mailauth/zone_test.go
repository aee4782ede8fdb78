package mailauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"muster/lists/mailauth"
	"muster/smtp"
)

// zone is a table of records: "TXT name", "MX name", "A name" or "PTR address" to what is there.
// A record "fails" is no answer, one "hangs" none until nobody waits any more.
type zone struct {
	records map[string][]string

	mu    sync.Mutex
	asked []string
}

var errNoAnswer = errors.New("SERVFAIL")

func (z *zone) ask(ctx context.Context, kind, name string) ([]string, error) {
	question := kind + " " + strings.ToLower(strings.TrimSuffix(name, "."))
	z.mu.Lock()
	z.asked = append(z.asked, question)
	z.mu.Unlock()
	found := z.records[question]
	switch {
	case len(found) == 1 && found[0] == "fails":
		return nil, errNoAnswer
	case len(found) == 1 && found[0] == "hangs":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return found, ctx.Err()
}

func (z *zone) TXT(ctx context.Context, name string) ([]string, error) {
	return z.ask(ctx, "TXT", name)
}

func (z *zone) MX(ctx context.Context, name string) ([]string, error) {
	return z.ask(ctx, "MX", name)
}

func (z *zone) Names(ctx context.Context, ip netip.Addr) ([]string, error) {
	return z.ask(ctx, "PTR", ip.String())
}

func (z *zone) Addrs(ctx context.Context, name string) ([]netip.Addr, error) {
	texts, err := z.ask(ctx, "A", name)
	var found []netip.Addr
	for _, text := range texts {
		found = append(found, netip.MustParseAddr(text))
	}
	return found, err
}

// questions are those that were asked of a kind, in order.
func (z *zone) questions(kind string) []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	var of []string
	for _, q := range z.asked {
		if rest, ok := strings.CutPrefix(q, kind+" "); ok {
			of = append(of, rest)
		}
	}
	return of
}

// mail is a message with these lines, from 192.0.2.1.
func mail(from, author string, lines ...string) *mailauth.Mail {
	m := &mailauth.Mail{Client: netip.MustParseAddr("192.0.2.1"), Hello: "mx.client.example", From: address(from), Author: address(author)}
	return withText(m, strings.Join(lines, "\r\n"))
}

func address(s string) smtp.Address {
	if s == "" {
		return smtp.Address{}
	}
	a, err := smtp.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

// withText gives a message its text.
func withText(m *mailauth.Mail, text string) *mailauth.Mail {
	header, body := text, ""
	if i := strings.Index(text, "\r\n\r\n"); i >= 0 {
		header, body = text[:i+4], text[i+4:]
	}
	m.Header = []byte(header)
	m.Body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(body))), nil }
	return m
}

func check(t *testing.T, z *zone, m *mailauth.Mail) mailauth.Finding {
	t.Helper()
	return (&mailauth.Checker{DNS: z}).Check(t.Context(), m)
}
