package fanout

import (
	"context"
	"io"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// mailboxes are an LMTP server, Muster's own receiving side, that answers for each recipient.
type mailboxes struct {
	addr   string // host:port, or a socket's path
	answer func(to smtp.Address) error
	mu     sync.Mutex
	got    map[string]int
	texts  map[string]string // by recipient
}

// mailboxSession is one connection to it.
type mailboxSession struct {
	*mailboxes
	to []smtp.Address
}

func newMailboxes(t *testing.T, network, addr string) *mailboxes {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	m := &mailboxes{addr: l.Addr().String(), got: map[string]int{}, texts: map[string]string{}}
	server := &smtpserver.Server{Hostname: "boxes.example", LMTP: true, Backend: m}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = server.Shutdown(now)
		<-done
	})
	return m
}

func (m *mailboxes) relay() []Relay { return []Relay{{Addr: m.addr, LMTP: true}} }

func (m *mailboxes) NewSession(context.Context, *smtpserver.Client) (smtpserver.Session, error) {
	return &mailboxSession{mailboxes: m}, nil
}

func (s *mailboxSession) Mail(context.Context, smtp.Address, smtpserver.MailParams) error { return nil }
func (s *mailboxSession) Reset()                                                          { s.to = nil }
func (s *mailboxSession) Close()                                                          {}
func (s *mailboxSession) Data(context.Context, *smtpserver.Message) error                 { panic("this is LMTP") }

func (s *mailboxSession) Rcpt(_ context.Context, to smtp.Address, _ smtpserver.RcptParams) error {
	if strings.HasPrefix(to.Local, "nobody") {
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 1}, "no such user")
	}
	s.to = append(s.to, to)
	return nil
}

func (s *mailboxSession) DataLMTP(_ context.Context, msg *smtpserver.Message) []error {
	r := msg.Open()
	defer r.Close()
	text, err := io.ReadAll(r)
	errs := make([]error, len(s.to))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, to := range s.to {
		if errs[i] = err; err == nil && s.answer != nil {
			errs[i] = s.answer(to)
		}
		if errs[i] == nil {
			s.got[to.String()]++
			s.texts[to.String()] = string(text)
		}
	}
	return errs
}

func (m *mailboxes) count() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.got)
}

// Of one transaction some are delivered, some come again, some bounce: each by what was said of that one,
// and who was told the same in a row is one line of the journal.
func TestLMTPRelay(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 0)
			for _, local := range []string{"ann", "ben", "cid", "full1", "gone", "nobody", "ooze", "pam"} {
				w.member(list, local+"@x.example")
			}
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = filepath.Join(t.TempDir(), "lmtp")
			}
			boxes := newMailboxes(t, network, addr)
			boxes.answer = func(to smtp.Address) error {
				switch {
				case strings.HasPrefix(to.Local, "full"):
					return smtp.NewReply(smtp.CodeStorage, smtp.Enhanced{4, 2, 2}, "mailbox is full")
				case to.Local == "gone":
					return smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 2, 1}, "mailbox is closed")
				case to.Local == "ooze":
					return smtp.NewReply(smtp.CodeFailed, smtp.Enhanced{5, 6, 0}, "not this message")
				}
				return nil
			}
			c := w.config(nil)
			c.Relays = boxes.relay()
			c.Encryption = Verify // which a socket has no need of
			if network == "tcp" {
				c.Encryption = Prefer
			}
			w.post(list, testMessage)
			w.start(c)
			eventually(t, "an outcome for each", func() bool {
				return len(boxes.count()) == 4 && w.count(`SELECT count(*) FROM delivery`) == 4
			})
			got := boxes.count()
			if len(got) != 4 || got["ann@x.example"] != 1 || got["pam@x.example"] != 1 {
				t.Errorf("delivered to %v", got)
			}
			if text := boxes.texts["ann@x.example"]; !strings.HasSuffix(text, "\r\nHello.\r\n.dot\r\nBye.\r\n") {
				t.Errorf("text %q", text)
			}
			for _, tt := range []struct {
				local, state, status string
				hard                 bool
			}{{"full1", "deferred", "4.2.2", false}, {"gone", "failed", "5.2.1", true}, {"nobody", "failed", "5.1.1", true}, {"ooze", "failed", "5.6.0", false}} {
				if n := w.count(`SELECT count(*) FROM delivery d JOIN member m ON m.id = d.member
					WHERE m.address = $1 AND d.state = $2 AND d.status = $3`, tt.local+"@x.example", tt.state, tt.status); n != 1 {
					t.Errorf("%s is not %s with %s", tt.local, tt.state, tt.status)
				}
				if tt.state != "failed" {
					continue
				}
				if n := w.count(`SELECT count(*) FROM bounce b JOIN member m ON m.id = b.member WHERE m.address = $1 AND b.hard = $2`,
					tt.local+"@x.example", tt.hard); n != 1 {
					t.Errorf("the bounce of %s is not hard = %v", tt.local, tt.hard)
				}
			}
		})
	}
}

// Who was told the same one after the other is one line of the journal; others are not mixed up.
func TestEachOfABatch(t *testing.T) {
	t.Parallel()
	yes := func() *smtp.Reply { return smtp.NewReply(250, smtp.Enhanced{2, 1, 5}, "delivered") }
	no := smtp.NewReply(550, smtp.Enhanced{5, 2, 1}, "closed")
	b := batch{refused: make([]refusal, 4)}
	b.each([]*smtp.Reply{yes(), yes(), no, yes(), yes()})
	if b.refused[0].reply != b.refused[1].reply || b.refused[2].reply != no || b.refused[3].reply == no {
		t.Errorf("%v", b.refused)
	}
}

// A server that is gone after the first of its answers: who had one has it, the others come again.
func TestLMTPEndsBetweenAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 3, 1)
	s := newSink(t)
	s.dot = func(*letter) string { return "250 2.0.0 the first\r\n550 5.2.1 the second\r\n421 4.3.2 gone" }
	s.serve()
	c := w.config(nil)
	c.Relays = []Relay{{Addr: s.addr(), LMTP: true}}
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "an outcome for each", func() bool {
		return w.count(`SELECT (SELECT coalesce(sum(delivered), 0) FROM fanout) + (SELECT coalesce(sum(sent), 0) FROM shard)`) > 0 && w.count(`SELECT count(*) FROM delivery WHERE state = 'failed'`) == 1 &&
			w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred'`) == 1
	})
}
