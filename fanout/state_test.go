package fanout

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What nodes tell of their lanes is put together, and stands beside the queue's rows.
func TestStatusTellsOfLanes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for _, d := range []string{"a.example", "b.example"} {
		for i := range 30 {
			w.member(list, string(rune('a'+i%26))+string(rune('a'+i/26))+"@"+d)
		}
	}
	w.member(list, "one@c.example")
	good, bad := newSink(t), newSink(t)
	bad.greeting = "421 4.3.2 not now"
	good.rcpt = func(to string) string {
		if strings.HasPrefix(to, "b") {
			return "450 4.2.1 come \x01 later"
		}
		return ""
	}
	c := w.config(nil)
	c.pace.tell = 20 * time.Millisecond
	c.pace.idle = time.Hour // connections stay, to be seen
	c.Rules = []Rule{{Match: []string{"*.b.example", "b.example"}}}
	c.Resolver = fakeDNS{
		mx:    map[string][]MX{"a.example": {{10, "mx.example"}}, "c.example": {{10, "mx.example"}}},
		addrs: map[string][]netip.Addr{"mx.example": addrs("192.0.2.1"), "b.example": addrs("192.0.2.2")},
	}
	c.DialContext = by(map[string]*sink{"192.0.2.1": good.serve(), "192.0.2.2": bad.serve()})
	post := w.post(list, testMessage)
	e, _ := w.start(c)
	found := map[string]Destination{}
	eventually(t, "both told of", func() bool {
		s, err := e.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		clear(found)
		for _, d := range s.Destinations {
			found[d.Name] = d
		}
		return good.copies.Load() == 29 && found["mx:a.example"].Deferred == 2 && !found["mx:a.example"].Said.IsZero() && !found["mx:b.example"].Blocked.IsZero()
	})
	a, b := found["mx:a.example"], found["mx:b.example"]
	if a.Lane != "mxset:mx.example" || a.Group != OtherGroup || a.Connections < 1 || a.Limit < a.Connections || a.Host != "mx.example" || a.Words == "" {
		t.Errorf("%+v", a)
	}
	accepted := w.acceptedAt(post.String())
	if b.Group != "*.b.example,b.example" || b.Waiting != 30 || !strings.Contains(b.Words, "421 4.3.2") || !b.Oldest.Equal(accepted) {
		t.Errorf("%+v", b)
	}
	replies := e.Replies()
	if r := replies[OtherGroup]; r[2] != 29 || r[4] != 2 || r[5] != 0 || len(replies) != 1 {
		t.Errorf("replies %v", replies)
	}
}

// What is counted and shown as answers came from a server: not what stands in the place of one.
func TestAnswersOfOursAreNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for _, a := range []string{"one@good.example", "two@gone.example", "dr\u00fc@plain.example", "four@rude.example"} {
		w.member(list, a)
	}
	good, plain, rude := newSink(t), newSink(t), newSink(t)
	plain.ehlo = "250 8BITMIME"
	var recipients, texts atomic.Int64
	rude.rcpt = func(string) string {
		if recipients.Add(1) <= maxBreaks {
			return "drop"
		}
		return ""
	}
	rude.dot = func(*letter) string {
		if texts.Add(1) == 1 {
			return "drop"
		}
		return ""
	}
	c := w.config(nil)
	quick(&c)
	c.pace.tell = 20 * time.Millisecond
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"good.example": addrs("192.0.2.1"), "plain.example": addrs("192.0.2.2"), "rude.example": addrs("192.0.2.3")}}
	c.DialContext = by(map[string]*sink{"192.0.2.1": good.serve(), "192.0.2.2": plain.serve(), "192.0.2.3": rude.serve()})
	w.post(list, testMessage)
	e, _ := w.start(c)
	w.finished()
	if good.copies.Load() != 1 || plain.copies.Load() != 0 || rude.copies.Load() != 1 || texts.Load() != 2 || w.count(`SELECT count(*) FROM bounce`) != 2 {
		t.Error("not what was to be counted")
	}
	if r := e.Replies()[OtherGroup]; r[2] != 2 || r[4] != 0 || r[5] != 0 {
		t.Errorf("replies %v", r)
	}
	told := map[string]string{}
	eventually(t, "two told of", func() bool {
		s, err := e.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range s.Destinations {
			if !d.Said.IsZero() {
				told[d.Name] = d.Words
			}
		}
		return told["mxset:good.example"] != "" && told["mxset:rude.example"] != ""
	})
	if told["mxset:rude.example"] != "250 2.0.0 queued" || told["mxset:plain.example"] != "" || told["mx:gone.example"] != "" {
		t.Errorf("%v", told)
	}
}

func (w *world) acceptedAt(post string) (at time.Time) {
	w.row(`SELECT accepted FROM fanout WHERE post = $1`, post).into(&at)
	return at
}

// However many lanes there are, a bounded number is told of, and idle ones are not.
func TestToldLanesAreBounded(t *testing.T) {
	t.Parallel()
	tr := &traffic{lanes: map[string]*lane{}, connections: 20, living: new(atomic.Int64)}
	for i := range 3 * maxTold {
		name := "mxset:" + strings.Repeat("x", i)
		l := &lane{traffic: tr, name: name, rule: &Rule{Connections: 1}}
		l.last = lastWord{text: strings.Repeat("é", 5*maxWords), at: time.Now()}
		if i%3 == 0 {
			l.last.at = time.Now().Add(-time.Hour)
		}
		tr.lanes[name] = l
	}
	told := tr.states()
	if len(told) != maxTold {
		t.Errorf("%d lanes told of", len(told))
	}
	for _, s := range told {
		if len(s.Words) > maxWords || (len(s.Name)-len("mxset:"))%3 == 0 {
			t.Errorf("%d octets of words, %s", len(s.Words), s.Name)
		}
	}
}
