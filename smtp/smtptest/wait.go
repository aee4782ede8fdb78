package smtptest

import (
	"maps"
	"slices"
	"time"
)

// Wait waits until n copies have arrived in all, a message with three recipients being three, and
// returns the messages. It fails the test where they do not come in time.
func (s *Server) Wait(n int, timeout time.Duration) []*Message {
	s.t.Helper()
	if !s.WaitUntil(timeout, func() bool { return s.Copies() >= n }) {
		s.t.Fatalf("smtptest: %d of %d copies arrived in %v", s.Copies(), n, timeout)
	}
	return s.Messages()
}

// WaitUntil waits until a condition holds, asking again whenever copies arrived, and says whether
// it did in time.
func (s *Server) WaitUntil(timeout time.Duration, holds func() bool) bool {
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	s.waiters[wake] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiters, wake)
	}()
	late := time.NewTimer(timeout)
	defer late.Stop()
	for !holds() {
		select {
		case <-wake:
		case <-late.C:
			return holds()
		}
	}
	return true
}

// Messages are those that were kept, in the order of their arrival. It costs nothing, however many
// they are: what is returned is shared, and only ever appended to.
func (s *Server) Messages() []*Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.messages)
}

// Counts says how often each copy arrived.
func (s *Server) Counts() map[Copy]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.byKey)
}

// Copies counts the copies that arrived.
func (s *Server) Copies() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies
}

// Octets counts the octets of text that arrived.
func (s *Server) Octets() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.octets
}

// Connections counts the connections: all there were, those open now, the most at a time.
func (s *Server) Connections() (all, open, peak int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, s.open, s.peak
}

// Seen counts the events of a point; those of Data and Text only while one of them has a script.
func (s *Server) Seen(p Point) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[p]
}

// Forget makes the server as if nothing had arrived; answers and scripts stay.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages, s.copies, s.octets = nil, 0, 0
	s.seen = [points]int{}
	clear(s.byKey)
	clear(s.tries)
}
