package smtptest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/smtp"
	"muster/smtp/smtpclient"
	"muster/smtp/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t *testing.T, s *smtptest.Server) *smtpclient.Conn {
	t.Helper()
	c, err := smtpclient.Dial(context.Background(), s.Addr(), smtpclient.Options{Hello: "near.example"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	return c
}

func envelope(recipients ...string) *smtpclient.Envelope {
	e := &smtpclient.Envelope{From: smtp.Address{Local: "from", Domain: "near.example"}}
	for _, r := range recipients {
		e.To = append(e.To, smtp.Address{Local: r, Domain: "x.example"})
	}
	return e
}

const mail = "Message-ID: <1@near.example>\r\nSubject: a\r\n long one\r\nX-Many: 1\r\nx-many: 2\r\n\r\n..dots\r\n"

// send does one transaction: an error if the connection ended, else what became of each recipient.
func send(c *smtpclient.Conn, e *smtpclient.Envelope) ([]string, error) {
	if err := c.Begin(e); err != nil {
		return nil, err
	}
	a, err := c.ReadEnvelope()
	if err != nil {
		return nil, err
	}
	results := make([]string, len(e.To))
	for i := range e.To {
		if r := a.Refusal(i); r != nil {
			results[i] = r.Error()
		}
	}
	if !a.Go() {
		return results, nil
	}
	if err := c.Body(smtpclient.Text(mail)); err != nil {
		return nil, err
	}
	r, err := c.Finish(nil)
	for i := range results {
		if r != nil && results[i] == "" {
			results[i] = fmt.Sprint(r.Code)
		}
	}
	return results, err
}

func TestKeepsMessages(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t)
	c := dial(t, s)
	for range 2 {
		if got, err := send(c, envelope("a", "b")); err != nil || got[0] != "250" {
			t.Fatal(got, err)
		}
	}
	got := s.Wait(4, time.Second)
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	m := got[1]
	if m.Conn != 1 || m.Hello != "near.example" || m.From.Wire() != "from@near.example" || len(m.To) != 2 || m.ID != "<1@near.example>" {
		t.Errorf("%+v", m)
	}
	if want := strings.Replace(mail, "..", ".", 1); string(m.Data) != want || string(m.Body()) != ".dots\r\n" {
		t.Errorf("data %q", m.Data)
	}
	if m.Header("subject") != "a long one" || strings.Join(m.Headers("X-Many"), ",") != "1,2" || m.Header("None") != "" {
		t.Errorf("headers %q %q", m.Header("subject"), m.Headers("X-Many"))
	}
	if n := s.Counts()[smtptest.Copy{MessageID: "<1@near.example>", Recipient: "b@x.example"}]; n != 2 {
		t.Errorf("b has %d copies", n)
	}
	if all, open, peak := s.Connections(); all != 1 || open != 1 || peak != 1 {
		t.Errorf("connections %d, %d, %d", all, open, peak)
	}
}

func TestAnswersAndLimits(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t, smtptest.MaxRecipients(3))
	s.Answer("gone@x.example", smtptest.Reply(550, "5.1.1", "No such user"), smtptest.Reply(550, "5.1.1", "Still none"))
	s.Answer("grey@x.example", smtptest.Reply(451, "4.7.1", "Come back"), nil)
	c := dial(t, s)
	if c.Extensions().RcptMax != 3 {
		t.Errorf("%+v", c.Extensions())
	}
	for _, want := range [][]string{
		{"550 5.1.1 No such user", "451 4.7.1 Come back", "250"},
		{"550 5.1.1 Still none", "250", "250"},
		{"250", "250", "250"},
	} {
		got, err := send(c, envelope("gone", "grey", "fine"))
		if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	got, err := send(c, envelope("a", "b", "c", "d"))
	if err != nil || got[2] != "250" || !strings.HasPrefix(got[3], "452 4.5.3") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDrops(t *testing.T) {
	t.Parallel()
	stages := map[smtptest.Point]smtpclient.Stage{
		smtptest.Mail: smtpclient.StageMail, smtptest.Rcpt: smtpclient.StageMail, smtptest.Data: smtpclient.StageData,
		smtptest.Text: smtpclient.StageDot, smtptest.Dot: smtpclient.StageDot, smtptest.Kept: smtpclient.StageDot,
	}
	for point, stage := range stages {
		t.Run(fmt.Sprint(point), func(t *testing.T) {
			t.Parallel()
			s := smtptest.NewServer(t)
			s.Script(point, func(e smtptest.Event) smtptest.Action { return smtptest.Action{Drop: e.N == 1} })
			_, err := send(dial(t, s), envelope("a"))
			var failed *smtpclient.Error
			if !errors.As(err, &failed) || failed.Stage != stage || failed.InDoubt != (stage == smtpclient.StageDot) {
				t.Fatalf("%v", err)
			}
			kept := 0
			if point == smtptest.Kept {
				kept = 1
			}
			if s.Copies() != kept {
				t.Errorf("%d copies, want %d", s.Copies(), kept)
			}
			if got, err := send(dial(t, s), envelope("a")); err != nil || got[0] != "250" {
				t.Errorf("second connection: %q, %v", got, err)
			}
		})
	}
}

func TestConnectScript(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t)
	s.Script(smtptest.Connect, func(e smtptest.Event) smtptest.Action {
		switch e.Conn {
		case 1:
			return smtptest.Refuse(smtptest.Reply(421, "4.3.2", "Busy"))
		case 2:
			return smtptest.Action{Drop: true}
		}
		return smtptest.Action{}
	})
	_, err := smtpclient.Dial(context.Background(), s.Addr(), smtpclient.Options{})
	var reply *smtp.Reply
	if !errors.As(err, &reply) || reply.Code != 421 {
		t.Errorf("first: %v", err)
	}
	if _, err = smtpclient.Dial(context.Background(), s.Addr(), smtpclient.Options{}); err == nil || errors.As(err, &reply) && reply.Code != 421 {
		t.Errorf("second: %v", err)
	}
	dial(t, s)
}

func TestRoundTripTime(t *testing.T) {
	t.Parallel()
	const rtt = 30 * time.Millisecond
	s := smtptest.NewServer(t, smtptest.RTT(rtt))
	c := dial(t, s)
	start := time.Now()
	if got, err := send(c, envelope("a", "b", "c")); err != nil || got[0] != "250" {
		t.Fatal(got, err)
	}
	// The envelope goes in one, the text in another.
	if took := time.Since(start); took < 2*rtt || took > 4*rtt {
		t.Errorf("a pipelined transaction took %v at a round trip of %v", took, rtt)
	}
	c.Quit()
}

func TestHide(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t, smtptest.Hide("PIPELINING"), smtptest.Hide("8BITMIME"))
	c := dial(t, s)
	if x := c.Extensions(); x.Pipelining || x.EightBit || !x.UTF8 {
		t.Errorf("%+v", x)
	}
	if got, err := send(c, envelope("a", "b")); err != nil || got[1] != "250" {
		t.Error(got, err)
	}
}

func TestStartTLSAndUsers(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t, smtptest.StartTLS(), smtptest.User("ann", "secret"))
	for _, host := range []string{"127.0.0.1", "localhost"} {
		o := smtpclient.Options{TLS: smtpclient.TLSRequired, ServerName: host, TLSConfig: s.ClientTLS(), Auth: &smtpclient.Auth{User: "ann", Password: "secret"}}
		c, err := smtpclient.Dial(context.Background(), s.Addr(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := send(c, envelope("a")); err != nil || got[0] != "250" {
			t.Error(got, err)
		}
		c.Quit()
	}
	for _, m := range s.Wait(2, time.Second) {
		if !m.TLS || m.User != "ann" {
			t.Errorf("TLS %v, user %q", m.TLS, m.User)
		}
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t)
	c := dial(t, s)
	s.Stop()
	if _, err := send(c, envelope("a")); err == nil {
		t.Error("a stopped server took a message")
	}
	if _, err := smtpclient.Dial(context.Background(), s.Addr(), smtpclient.Options{}); err == nil {
		t.Error("a stopped server listens")
	}
	s.Start()
	if got, err := send(dial(t, s), envelope("a")); err != nil || got[0] != "250" {
		t.Error(got, err)
	}
}

func TestDiscardCounts(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t, smtptest.Discard())
	var wg sync.WaitGroup
	for range 4 {
		c := dial(t, s)
		wg.Go(func() {
			for range 50 {
				if _, err := send(c, envelope("a", "b")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if got := s.Wait(400, 10*time.Second); len(got) != 0 {
		t.Errorf("%d messages kept", len(got))
	}
	wg.Wait()
	if want := int64(200 * (len(mail) - 1)); s.Octets() != want {
		t.Errorf("%d octets, want %d", s.Octets(), want)
	}
}

func TestWaitUntilGivesUp(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(t)
	if s.WaitUntil(10*time.Millisecond, func() bool { return s.Copies() > 0 }) {
		t.Error("waited for nothing, and found it")
	}
}
