package fanout

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

// prioritized makes a list with members at one domain, m…@local.example.
func (w *world) prioritized(local, priority string, members int) int64 {
	w.t.Helper()
	list := w.list(local, 1)
	w.exec(`UPDATE list SET priority = $2 WHERE id = $1`, list, priority)
	w.exec(`INSERT INTO member (list, key, address, domain, joined)
		SELECT $1, a, a, $2 || '.example', now() - interval '1 hour'
		FROM (SELECT format('m%s@%s.example', g, $2::text) AS a FROM generate_series(1, $3) g) x`, list, local, members)
	return list
}

// arrivals are the domains of recipients in the order in which the copies were taken.
func (s *sink) arrivals() []string {
	var domains []string
	for _, l := range s.all() {
		for _, to := range l.to {
			_, domain, _ := strings.Cut(to, "@")
			domains = append(domains, strings.TrimSuffix(strings.Trim(domain, "<>"), ".example"))
		}
	}
	return domains
}

// gated is a relay that takes some copies, and the rest once it is opened.
func gated(t *testing.T, first int64) (s *sink, open func()) {
	s = newSink(t)
	var n atomic.Int64
	gate := make(chan struct{})
	s.text = func() {
		if n.Add(1) > first {
			select {
			case <-gate:
			case <-t.Context().Done():
			}
		}
	}
	return s.serve(), func() { close(gate) }
}

// A list with a high priority that posts later than one with a low priority ends first.
func TestHighEndsBeforeLow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	low := w.prioritized("low", "low", 1500)
	normal := w.prioritized("normal", "normal", 500)
	high := w.prioritized("high", "high", 500)
	s, open := gated(t, 30)
	c := w.config(s)
	c.Connections = 1
	w.post(low, testMessage)
	w.start(c)
	eventually(t, "the low list under way", func() bool { return s.copies.Load() == 30 })
	w.post(normal, testMessage)
	eventually(t, "the normal one waits", func() bool { return w.count(`SELECT count(*) FROM shard WHERE list = $1`, normal) > 0 })
	w.post(high, testMessage)
	eventually(t, "the high one waits", func() bool { return w.count(`SELECT count(*) FROM shard WHERE list = $1`, high) > 0 })
	open()
	w.finished()
	got := s.arrivals()
	slices.Reverse(got)
	behind := func(of string) int { return slices.Index(got, of) } // copies after its last
	if !(behind("high") > behind("normal") && behind("normal") > behind("low")) || behind("high") < 1000 {
		t.Errorf("after the last of high come %d copies, of normal %d, of low %d", behind("high"), behind("normal"), behind("low"))
	}
	s.once(t, 2500)
}

// However many lists with a high priority post, one with a low priority gets on.
func TestLowIsNotStarved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const lists = 6
	low := w.prioritized("low", "low", 200)
	var high [lists]int64
	for i := range high {
		high[i] = w.prioritized(fmt.Sprintf("high%d", i), "high", minShard)
	}
	s := newSink(t).serve()
	c := w.config(s)
	c.Connections = 1
	post := w.post(low, testMessage)
	var posts []uuid.UUID
	more := func() { // each high list has two posts that wait, always
		for _, list := range high {
			for w.count(`SELECT count(*) FROM post p LEFT JOIN fanout f ON f.post = p.id WHERE p.list = $1 AND f.finished IS NULL`, list) < 2 {
				posts = append(posts, w.post(list, testMessage))
			}
		}
	}
	more()
	w.plan(true)
	w.start(c)
	eventually(t, "the low list through, while others post on and on", func() bool {
		more()
		return w.count(`SELECT count(*) FROM fanout WHERE post = $1 AND finished IS NOT NULL`, post) == 1
	})
	if len(posts) < 3*2*lists { // of the first two of each, and those after them
		t.Errorf("the others had %d posts: they did not press on", len(posts))
	}
}

// Of the posts that wait, which are begun first is said by priority and time; one list's keep their order.
func TestPriorityOfWhatIsBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	low, normal, high := w.prioritized("low", "low", 1), w.prioritized("normal", "normal", 1), w.prioritized("high", "high", 1)
	var want []uuid.UUID
	for _, one := range []struct {
		list int64
		age  time.Duration
	}{{low, 3 * time.Minute}, {high, 50 * time.Second}, {normal, 100 * time.Second}, {high, 45 * time.Second}} {
		id := w.post(one.list, testMessage)
		w.exec(`UPDATE post SET accepted = now() - $2::interval WHERE id = $1`, id, one.age)
		want = append(want, id)
	}
	w.plan(true)
	var got []uuid.UUID
	w.row(`SELECT array_agg(post ORDER BY id) FROM fanout`).into(&got)
	if !slices.Equal(got, want) {
		t.Errorf("begun in the order %v, want %v", got, want)
	}
}

// A notice is claimed before every post, whatever waits and has been claimed.
func TestNoticesGoFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(w.prioritized("high", "high", 3000), testMessage)
	w.plan(true)
	node, dest := w.node(), int64(w.count(`SELECT id FROM destination WHERE name = 'relay'`))
	claimed := func(n int) claim {
		t.Helper()
		claims, err := claimShards(t.Context(), w.pool, claimOf{node, dest, 1 << 40, n})
		if err != nil || len(claims) != n {
			t.Fatalf("%d claims, %v", len(claims), err)
		}
		return claims[0]
	}
	claimed(5)
	w.exec(`INSERT INTO notice (id, kind, address) VALUES (gen_random_uuid(), 'welcome', 'ben@b.example')`)
	w.plan(true)
	if c := claimed(1); c.Turn != noticeTurn || w.count(`SELECT count(*) FROM fanout WHERE id = $1 AND notice IS NOT NULL`, c.Fanout) != 1 {
		t.Errorf("claimed %+v", c)
	}
	if c := claimed(1); c.Turn == noticeTurn {
		t.Errorf("claimed %+v", c)
	}
}
