package systemtest

import (
	"strconv"
	"testing"
	"time"

	"muster/smtp/smtptest"
)

// arrival is how long the tests wait for what must arrive: far more than it takes.
const arrival = 5 * time.Minute

// sink is the far end: it stands for all servers outside, and knows who got which message.
type sink struct {
	*smtptest.Server
	addr    string
	indexed int // of the messages, those in index
	index   map[copyKey][][]byte
}

// copyKey names a copy: the number of its message (see tagged) and whom it is for.
type copyKey struct {
	message int
	member  string
}

func newSink(t testing.TB) *sink {
	s := smtptest.NewServer(t)
	return &sink{Server: s, addr: s.Addr(), index: map[copyKey][][]byte{}}
}

// slow makes each final dot take some time, so that there is something to interrupt.
func (s *sink) slow(d time.Duration) {
	s.Script(smtptest.Dot, func(smtptest.Event) smtptest.Action { return smtptest.Action{Delay: d} })
}

// wait waits until n copies have arrived in all.
func (s *sink) wait(t testing.TB, n int) {
	t.Helper()
	if !s.WaitUntil(arrival, func() bool { return s.Server.Copies() >= n }) {
		t.Fatalf("%d of %d copies arrived", s.Server.Copies(), n)
	}
}

// waitDistinct waits until n different copies have arrived, however often each.
func (s *sink) waitDistinct(t testing.TB, n int) {
	t.Helper()
	if !s.WaitUntil(arrival, func() bool { s.update(); return len(s.index) >= n }) {
		t.Fatalf("%d of %d copies arrived", len(s.index), n)
	}
}

// copies are the copies of a message that a member got.
func (s *sink) copies(message int, member string) [][]byte {
	s.update()
	return s.index[copyKey{message, member}]
}

// total counts the copies that arrived.
func (s *sink) total() int { return s.Server.Copies() }

// update puts into the index what has arrived since. Mail that is no copy of a tagged message, such
// as a notice, has the number -1.
func (s *sink) update() {
	messages := s.Messages()
	for _, m := range messages[s.indexed:] {
		n, err := strconv.Atoi(m.Header(tagField))
		if err != nil {
			n = -1
		}
		for _, to := range m.To {
			key := copyKey{n, to.Key()}
			s.index[key] = append(s.index[key], m.Data)
		}
	}
	s.indexed = len(messages)
}
