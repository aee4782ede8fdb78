package smtpserver

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"muster/smtp"
)

// maxCommandAllocations is what reading a command, obeying it and writing the reply may allocate: its argument,
// and the reply with its lines.
const maxCommandAllocations = 3

// One command after the other, over a connection that has each at hand. Reading and writing cost nothing by
// themselves, however long the line.
func TestAllocationsOfACommand(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		most       float64
	}{
		{"NOOP", "NOOP\r\n", 2}, // the reply
		{"RSET", "RSET\r\n", 2},
		{"MAIL", "MAIL FROM:<list-bounces@lists.example> SIZE=1000 BODY=8BITMIME\r\n", maxCommandAllocations + 2}, // its parameters
		{"RCPT", "RCPT TO:<a-name-of-some-length@a-domain-of-some-length.example>\r\n", maxCommandAllocations},
		{"VRFY", "VRFY somebody\r\n", maxCommandAllocations},
		{"unknown", "XYZZY and what comes after it\r\n", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := &lineConn{}
			s := newLineSession(conn)
			say := func(line string, want int) {
				conn.left = line
				reply, err := s.next(context.Background())
				if err != nil || want != 0 && reply.Code != want {
					t.Fatalf("%q: %v, %v", line, reply, err)
				}
				if err := s.write(reply); err != nil {
					t.Fatal(err)
				}
			}
			once := func() {
				s.tx = transaction{open: tt.name == "RCPT"}
				say(tt.line, 0)
			}
			say("HELO client.example\r\n", smtp.CodeOK)
			once()
			got := testing.AllocsPerRun(500, once)
			if got > tt.most {
				t.Errorf("%v allocations, at most %v are allowed", got, tt.most)
			}
			t.Logf("%v allocations", got)
			if conn.written == 0 {
				t.Error("nothing was written")
			}
		})
	}
}

func newLineSession(conn *lineConn) *session {
	server := &Server{Backend: quiet{}, Trusted: func(netip.Addr) bool { return true }}
	server.once.Do(server.prepare)
	s := newSession(server, conn)
	s.log = slog.New(slog.DiscardHandler)
	s.backend = quiet{}
	s.wire.in = server.buffers.Get().(*bufio.Reader)
	s.wire.in.Reset(&s.wire)
	s.wire.out = bufio.NewWriterSize(&s.wire, outBuffer)
	return s
}

// quiet is a backend that says yes, and allocates nothing.
type quiet struct{}

func (quiet) NewSession(context.Context, *Client) (Session, error) { return quiet{}, nil }
func (quiet) Mail(context.Context, smtp.Address, MailParams) error { return nil }
func (quiet) Rcpt(context.Context, smtp.Address, RcptParams) error { return nil }
func (quiet) Data(context.Context, *Message) error                 { return nil }
func (quiet) Reset()                                               {}
func (quiet) Close()                                               {}

// lineConn is a client without a network: it has one line at a time to say.
type lineConn struct {
	left    string
	written int
}

func (c *lineConn) Read(p []byte) (int, error) {
	if c.left == "" {
		return 0, io.EOF
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *lineConn) Write(p []byte) (int, error) {
	c.written += len(p)
	return len(p), nil
}

func (c *lineConn) Close() error                     { return nil }
func (c *lineConn) SetDeadline(time.Time) error      { return nil }
func (c *lineConn) SetReadDeadline(time.Time) error  { return nil }
func (c *lineConn) SetWriteDeadline(time.Time) error { return nil }
func (c *lineConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000} }
func (c *lineConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }
