package smtpserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// nothing is a backend that says yes and keeps nothing: what is measured is the server.
type nothing struct{}

func (nothing) NewSession(context.Context, *smtpserver.Client) (smtpserver.Session, error) {
	return nothing{}, nil
}
func (nothing) Mail(context.Context, smtp.Address, smtpserver.MailParams) error { return nil }
func (nothing) Rcpt(context.Context, smtp.Address, smtpserver.RcptParams) error { return nil }
func (nothing) Data(_ context.Context, m *smtpserver.Message) error {
	_, err := io.Copy(io.Discard, m.Open())
	return err
}
func (nothing) Reset() {}
func (nothing) Close() {}

func (nothing) Expand(_ context.Context, _ string, _ bool, line func(smtp.Mailbox) error) error {
	m := smtp.Mailbox{Name: "Fred Foo", Address: smtp.Address{Local: "fred", Domain: "doc.example"}}
	for range 10_000 {
		if err := line(m); err != nil {
			return err
		}
	}
	return nil
}

// sender is a client that pipelines a transaction: two writes and two waits a message.
type sender struct {
	conn     net.Conn
	in       *bufio.Reader
	envelope []byte
	body     []byte
	replies  int // to the envelope
}

func newSender(tb testing.TB, addr string, recipients int) *sender {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	s := &sender{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), replies: recipients + 2}
	var b strings.Builder
	b.WriteString("MAIL FROM:<list-bounces@lists.example>\r\n")
	for n := range recipients {
		fmt.Fprintf(&b, "RCPT TO:<member%d@doc.example>\r\n", n)
	}
	s.envelope = []byte(b.String() + "DATA\r\n")
	s.body = []byte("From: a@b.example\r\nSubject: hello\r\n\r\n" + strings.Repeat("One line of some text.\r\n", 20) + ".\r\n")
	s.talk(tb, nil, 1)
	s.talk(tb, []byte("HELO bench.example\r\n"), 1)
	return s
}

// talk sends and reads so many lines.
func (s *sender) talk(tb testing.TB, what []byte, replies int) {
	if _, err := s.conn.Write(what); err != nil {
		tb.Fatal(err)
	}
	for range replies {
		line, err := s.in.ReadSlice('\n')
		if err != nil || line[0] != '2' && line[0] != '3' {
			tb.Fatalf("%q, %v", line, err)
		}
	}
}

func (s *sender) send(tb testing.TB) {
	s.talk(tb, s.envelope, s.replies)
	s.talk(tb, s.body, 1)
}

func startNothing(tb testing.TB) string {
	return start(tb, &smtpserver.Server{Backend: nothing{}, Trusted: anybody})
}

func BenchmarkSession(b *testing.B) {
	for _, recipients := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%drcpt", recipients), func(b *testing.B) {
			s := newSender(b, startNothing(b), recipients)
			b.ReportAllocs()
			for b.Loop() {
				s.send(b)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkSessionParallel is the same with ten connections for each CPU.
func BenchmarkSessionParallel(b *testing.B) {
	for _, recipients := range []int{1, 100} {
		b.Run(fmt.Sprintf("%drcpt", recipients), func(b *testing.B) {
			addr := startNothing(b)
			b.ReportAllocs()
			b.SetParallelism(10)
			b.RunParallel(func(pb *testing.PB) {
				s := newSender(b, addr, recipients)
				for pb.Next() {
					s.send(b)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkConnect is a connection for each message.
func BenchmarkConnect(b *testing.B) {
	addr := startNothing(b)
	b.ReportAllocs()
	for b.Loop() {
		s := newSender(b, addr, 1)
		s.send(b)
		s.talk(b, []byte("QUIT\r\n"), 1)
		s.conn.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// BenchmarkExpn expands a list of ten thousand.
func BenchmarkExpn(b *testing.B) {
	s := newSender(b, startNothing(b), 1)
	b.ReportAllocs()
	for b.Loop() {
		s.talk(b, []byte("EXPN list\r\n"), 10_000)
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// TestAllocations holds what a message and its commands cost: a command its argument and its
// reply, a line of EXPN nothing.
func TestAllocations(t *testing.T) {
	addr := startNothing(t)
	one, many := newSender(t, addr, 1), newSender(t, addr, 101)
	one.send(t)
	many.send(t)
	small := testing.AllocsPerRun(100, func() { one.send(t) })
	large := testing.AllocsPerRun(20, func() { many.send(t) })
	if small > 20 {
		t.Errorf("a message to one: %v allocations", small)
	}
	if each := (large - small) / 100; each > 3 {
		t.Errorf("a recipient more: %v allocations", each)
	}
	if expn := testing.AllocsPerRun(5, func() { one.talk(t, []byte("EXPN list\r\n"), 10_000) }); expn > 50 {
		t.Errorf("EXPN of ten thousand: %v allocations", expn)
	}
}
