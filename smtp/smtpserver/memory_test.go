package smtpserver_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// memory is a small backend: the lists of lists.example, their members, and what was accepted.
type memory struct {
	lists map[string][]smtp.Mailbox

	mu       sync.Mutex
	messages []received
	clients  []*smtpserver.Client
	entered  chan struct{} // closed when a message of "slow" has come to be decided on
	release  chan struct{} // lets it go on
}

// received is one message with its envelope.
type received struct {
	from   string
	to     []string
	params smtpserver.MailParams
	facts  smtpserver.Message
	text   string
}

func newMemory() *memory {
	return &memory{
		lists: map[string][]smtp.Mailbox{
			"c-help": {box("Jon Postel", "Postel@isi.edu"), box("Fred Fonebone", "Fonebone@physics.foo-u.edu"), box("Sam Q. Smith", "SQSmith@specific.generic.com")},
			"one":    {box("", "only@one.example")},
			"odd":    {box("Evil <x@y>\r\n250 Bad", "a@b.example"), box("J\u00fcrgen", "j@b.example"), box(strings.Repeat("long ", 200), "c@b.example")},
			"utf8":   {box("A", "a@b.example"), box("J", "j\u00fcrgen@b.example")},
			"breaks": {box("A", "a@b.example"), box("B", "b@b.example")},
			"empty":  {},
		},
		entered: make(chan struct{}), release: make(chan struct{}),
	}
}

func box(name, address string) smtp.Mailbox {
	a, err := smtp.ParseAddress(address)
	if err != nil {
		panic(err)
	}
	return smtp.Mailbox{Name: name, Address: a}
}

func (m *memory) NewSession(_ context.Context, c *smtpserver.Client) (smtpserver.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clients = append(m.clients, c)
	return &memorySession{m: m, client: c}, nil
}

func (m *memory) all() []received {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]received(nil), m.messages...)
}

type memorySession struct {
	m      *memory
	client *smtpserver.Client
	now    received
}

var errAway = errors.New("the database at 10.1.2.3 is away")

func (s *memorySession) Mail(_ context.Context, from smtp.Address, p smtpserver.MailParams) error {
	switch from.Local {
	case "banned":
		return smtp.NewReply(550, smtp.StatusDenied, "Not from you")
	case "trouble":
		return errAway
	}
	s.now = received{from: from.Wire(), params: p}
	return nil
}

func (s *memorySession) Rcpt(_ context.Context, to smtp.Address, _ smtpserver.RcptParams) error {
	local := strings.ToLower(to.Local)
	_, isList := s.m.lists[local]
	switch {
	case to.Domain != "" && to.DomainKey() != "lists.example":
		return smtp.NewReply(550, smtp.StatusDenied, "No relay here")
	case local == "trouble":
		return errAway
	case !isList && local != "postmaster" && local != "slow" && !strings.HasPrefix(local, "b\u00fc"):
		return smtp.NewReply(550, smtp.StatusNoMailbox, "No such list")
	}
	s.now.to = append(s.now.to, to.Wire())
	return nil
}

func (s *memorySession) Data(_ context.Context, m *smtpserver.Message) error {
	if len(s.now.to) > 0 && strings.HasPrefix(s.now.to[0], "slow@") {
		close(s.m.entered)
		<-s.m.release
	}
	text, err := readTwice(m)
	switch {
	case err != nil:
		return err
	case strings.Contains(text, "Subject: refuse me"):
		return smtp.NewReply(550, smtp.StatusDenied, "Members only")
	case strings.Contains(text, "Subject: database away"):
		return errAway
	case strings.Contains(text, "Subject: panic"):
		panic("a bug")
	}
	s.now.text, s.now.facts = text, smtpserver.Message{Size: m.Size, HeaderLen: m.HeaderLen, EightBit: m.EightBit, UTF8: m.UTF8}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.messages = append(s.m.messages, s.now)
	return nil
}

// readTwice reads a message through two readers at once, as the backends may.
func readTwice(m *smtpserver.Message) (string, error) {
	first, second := m.Open(), m.Open()
	defer first.Close()
	defer second.Close()
	a, err := io.ReadAll(first)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(second)
	if err == nil && string(a) != string(b) {
		err = errors.New("two readers, two messages")
	}
	return string(a), err
}

func (s *memorySession) DataLMTP(ctx context.Context, m *smtpserver.Message) []error {
	errs := make([]error, len(s.now.to))
	err := s.Data(ctx, m)
	for i, to := range s.now.to {
		if errs[i] = err; to == "one@lists.example" {
			errs[i] = smtp.NewReply(550, smtp.StatusDenied, "Members only")
		}
	}
	return errs
}

func (s *memorySession) Reset() { s.now = received{} }
func (s *memorySession) Close() {}

func (s *memorySession) mayAsk() bool { return s.client.Trusted || s.client.User != "" }

func (s *memorySession) MayExpand(c *smtpserver.Client) bool { return c.Trusted || c.User != "" }

func (s *memorySession) Expand(_ context.Context, arg string, utf8 bool, line func(smtp.Mailbox) error) error {
	if !s.mayAsk() {
		return smtp.NewReply(252, smtp.StatusCannotVRFY, "Cannot expand; send mail and it will be tried")
	}
	name, _, _ := strings.Cut(strings.ToLower(arg), "@")
	members, ok := s.m.lists[name]
	switch {
	case name == "away":
		return errAway
	case !ok:
		return smtp.NewReply(550, smtp.StatusNoMailbox, "No such list")
	case len(members) == 0:
		return smtp.NewReply(550, smtp.StatusNoMailbox, "That list has no members")
	}
	for _, m := range members {
		if err := line(m); err != nil {
			return err
		}
	}
	if name == "breaks" {
		return errAway
	}
	return nil
}

func (s *memorySession) Verify(_ context.Context, arg string, utf8 bool) *smtp.Reply {
	if !s.mayAsk() {
		return nil
	}
	switch strings.ToLower(arg) {
	case "postmaster":
		return smtp.NewReply(250, smtp.StatusAddressOK, box("Postmaster", "postmaster@lists.example").ReplyText(utf8))
	case "j\u00fcrgen@lists.example":
		return smtp.NewReply(250, smtp.StatusAddressOK, box("J\u00fcrgen", "j\u00fcrgen@lists.example").ReplyText(utf8))
	case "staff":
		return &smtp.Reply{Code: 553, Enhanced: smtp.Enhanced{5, 1, 4}, Lines: []string{"Ambiguous; Possibilities are", "Staff <staff@a.example>", "Staff <staff@b.example>"}}
	}
	return smtp.NewReply(550, smtp.StatusNoMailbox, "Nobody here by that name")
}

func (s *memorySession) Authenticate(_ context.Context, user, password string) error {
	if user == "away" {
		return errAway
	}
	if user != "ann@a.example" || password != "s3cret" {
		return smtp.NewReply(535, smtp.Enhanced{5, 7, 8}, "no")
	}
	return nil
}
