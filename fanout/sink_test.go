package fanout

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// letter is a message as a sink took it.
type letter struct {
	from string
	to   []string
	said []string // MAIL and RCPT as they came
	data []byte   // dots unstuffed
}

// sink is a receiving server for the tests of this package: it answers what its hooks say and
// keeps what it took.
type sink struct {
	listener net.Listener
	greeting string
	ehlo     string // the extensions; "" for the usual ones
	// hooks answer a command; "" means yes, "drop" closes the connection.
	mail func(from string) string
	rcpt func(to string) string
	data func(from string) string
	dot  func(l *letter) string
	// text is called before a text is read.
	text func()
	// taken is called for each message after the answer was decided and before it is sent.
	taken func(l *letter)
	// discard counts without keeping.
	discard bool

	conns    sync.Map
	accepted atomic.Int64
	copies   atomic.Int64
	mu       sync.Mutex
	letters  []*letter
}

func newSink(t testing.TB) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{listener: l, greeting: "220 sink.example ESMTP"}
	t.Cleanup(func() { _ = l.Close(); s.dropAll() })
	return s
}

// serve begins to accept; hooks are set before.
func (s *sink) serve() *sink {
	go func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.conns.Store(c, true)
			go func() {
				defer s.conns.Delete(c)
				defer c.Close()
				s.session(c)
			}()
		}
	}()
	return s
}

func (s *sink) dropAll() {
	s.conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
}

func (s *sink) addr() string { return s.listener.Addr().String() }

func (s *sink) relay() []Relay { return []Relay{{Addr: s.addr()}} }

func (s *sink) session(c net.Conn) {
	r := bufio.NewReaderSize(c, 64<<10)
	w := bufio.NewWriterSize(c, 16<<10)
	say := func(line string) bool {
		w.WriteString(line)
		w.WriteString("\r\n")
		if r.Buffered() == 0 {
			return w.Flush() == nil
		}
		return true
	}
	if say(s.greeting); !strings.HasPrefix(s.greeting, "220") {
		return
	}
	cur, begun := &letter{}, false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(string(line[:min(4, len(line))]))
		answer := "250 2.0.0 ok"
		switch verb {
		case "EHLO", "LHLO":
			answer = "250-sink.example\r\n" + cmp.Or(s.ehlo, "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
		case "MAIL":
			cur = &letter{}
			if !s.discard {
				cur.from = angle(line)
				cur.said = append(cur.said, strings.TrimSpace(string(line)))
			}
			answer = hook(s.mail, cur.from, answer)
			begun = strings.HasPrefix(answer, "2")
		case "RCPT":
			if !begun {
				answer = "503 5.5.1 MAIL first"
				break
			}
			to := ""
			if !s.discard || s.rcpt != nil {
				to = angle(line)
			}
			if !s.discard {
				cur.said = append(cur.said, strings.TrimSpace(string(line)))
			}
			if answer = hook(s.rcpt, to, answer); strings.HasPrefix(answer, "2") {
				cur.to = append(cur.to, to)
			}
		case "DATA":
			if len(cur.to) == 0 {
				answer = "503 5.5.1 no recipients"
				break
			}
			if answer = hook(s.data, cur.from, "354 go"); !strings.HasPrefix(answer, "354") {
				break
			}
			if !say(answer) {
				return
			}
			if s.text != nil {
				s.text()
			}
			if !s.readText(r, cur) {
				return
			}
			answer = "250 2.0.0 queued"
			if s.dot != nil {
				if a := s.dot(cur); a != "" {
					answer = a
				}
			}
			if strings.HasPrefix(answer, "250") {
				s.take(cur)
			} else if strings.HasPrefix(answer, "taken drop") { // the answer is lost
				s.take(cur)
				return
			}
			cur = &letter{}
		case "QUIT":
			say("221 2.0.0 bye")
			return
		}
		if answer == "drop" {
			// What was answered before arrives: an end is no reset.
			_ = w.Flush()
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			_, _ = io.Copy(io.Discard, c)
			return
		}
		if !say(answer) {
			return
		}
	}
}

func hook(h func(string) string, arg, yes string) string {
	if h != nil {
		if a := h(arg); a != "" {
			return a
		}
	}
	return yes
}

func (s *sink) take(l *letter) {
	s.copies.Add(int64(len(l.to)))
	if s.taken != nil {
		s.taken(l)
	}
	if s.discard {
		return
	}
	s.mu.Lock()
	s.letters = append(s.letters, l)
	s.mu.Unlock()
}

func (s *sink) readText(r *bufio.Reader, l *letter) bool {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false
		}
		if line[0] == '.' {
			if len(line) == 3 {
				return true
			}
			line = line[1:]
		}
		if !s.discard {
			l.data = append(l.data, line...)
		}
	}
}

func angle(line []byte) string {
	i, j := bytes.IndexByte(line, '<'), bytes.IndexByte(line, '>')
	if i < 0 || j < i {
		return ""
	}
	return string(line[i+1 : j])
}

// got counts the copies each recipient got.
func (s *sink) got() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, l := range s.letters {
		for _, to := range l.to {
			n[to]++
		}
	}
	return n
}

func (s *sink) all() []*letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*letter(nil), s.letters...)
}
