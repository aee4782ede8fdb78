package fanout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// refuse is a sink's hook at a stage of the dialogue.
func (s *sink) refuse(stage string, say func() string) {
	hook := func(string) string { return say() }
	switch stage {
	case "MAIL":
		s.mail = hook
	case "RCPT":
		s.rcpt = hook
	case "DATA":
		s.data = hook
	case "dot":
		s.dot = func(*letter) string { return say() }
	}
}

// A refusal at each stage, of one member a transaction and of many: a temporary one is tried again
// until it is lifted, and a permanent one is a bounce for each. Nobody gets a copy twice.
func TestRefusalAtEachStage(t *testing.T) {
	t.Parallel()
	const members, times = 40, 5
	for _, stage := range []string{"MAIL", "RCPT", "DATA", "dot"} {
		for _, verp := range []int{0, 1} {
			for _, final := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s verp=%d final=%v", stage, verp, final), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					list := w.list("dev", verp)
					w.members(list, members, 2)
					s := newSink(t)
					var said atomic.Int64
					s.refuse(stage, func() string {
						switch n := said.Add(1); {
						case final:
							return "550 5.7.1 never"
						case n <= times:
							return "450 4.2.0 later"
						}
						return ""
					})
					c := w.config(s.serve())
					quick(&c)
					e, _ := w.start(c)
					post := w.post(list, testMessage)
					e.Wake()
					w.finished()
					delivered, bounced := members, 0
					if final {
						delivered, bounced = 0, members
					}
					s.once(t, delivered)
					if n := w.count(`SELECT count(DISTINCT member) FROM bounce WHERE source = 'smtp'`); n != bounced {
						t.Errorf("%d members bounced, want %d", n, bounced)
					}
					p, err := e.Progress(context.Background(), post)
					if err != nil || p.Delivered != int64(delivered) || p.Bounced != int64(bounced) {
						t.Errorf("%+v, %v", p, err)
					}
					if said.Load() == 0 {
						t.Error("nothing was refused")
					}
				})
			}
		}
	}
}

// moodyDNS fails or turns in circles a few times; then it says what is true.
type moodyDNS struct {
	fakeDNS
	mu    sync.Mutex
	asked map[string]int
	fails map[string]error // what it says at first, of a domain
}

const moodyTimes = 3

func (d *moodyDNS) atFirst(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[name]++
	return d.asked[name] <= moodyTimes
}

func (d *moodyDNS) MX(ctx context.Context, domain string) ([]MX, error) {
	if err := d.fails[domain]; err != nil && d.atFirst(domain) {
		return nil, err
	}
	return d.fakeDNS.MX(ctx, domain)
}

// changingDNS says one thing until it is told another.
type changingDNS struct {
	mu  sync.Mutex
	now fakeDNS
}

func (d *changingDNS) set(now fakeDNS) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

func (d *changingDNS) get() fakeDNS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *changingDNS) MX(ctx context.Context, domain string) ([]MX, error) {
	return d.get().MX(ctx, domain)
}

func (d *changingDNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	return d.get().Addrs(ctx, host)
}

// Domains move to other servers, and their old ones take nothing more: one is still in the DNS, one
// has gone from it, and one has got another address. Their members get the next post from the new.
func TestDNSThatChanges(t *testing.T) {
	t.Parallel()
	const members = 20
	w := newWorld(t)
	list := w.list("dev", 1)
	before := newRude(t, 0, func(c net.Conn, _ *bufio.Reader) { io.WriteString(c, "421 4.3.2 we have moved\r\n") })
	after := newSink(t).serve()
	domains := []string{"moved.example", "gone.example", "renumbered.example"}
	for _, domain := range domains {
		for i := range members {
			w.member(list, fmt.Sprintf("m%d@%s", i, domain))
		}
	}
	old, new := addrs("192.0.2.1"), addrs("192.0.2.2")
	names := &changingDNS{now: fakeDNS{
		mx:    map[string][]MX{"moved.example": {{10, "old.example"}}, "gone.example": {{10, "mx.gone.example"}}},
		addrs: map[string][]netip.Addr{"old.example": old, "mx.gone.example": old, "renumbered.example": old},
	}}
	c := w.config(nil)
	quick(&c)
	c.pace.route = 300 * time.Millisecond
	c.pace.slot = 300 * time.Millisecond
	c.Resolver, c.DialContext = names, by(map[string]*sink{"192.0.2.1": before.sink, "192.0.2.2": after})
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	before.once(t, members*len(domains))
	names.set(fakeDNS{
		mx:    map[string][]MX{"moved.example": {{10, "new.example"}}, "gone.example": {{10, "new.example"}}},
		addrs: map[string][]netip.Addr{"old.example": old, "new.example": new, "renumbered.example": new},
	})
	before.left.Store(1 << 30)
	before.dropAll()
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	before.once(t, members*len(domains))
	after.once(t, members*len(domains))
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
}

// A domain moves while its copies go out, and its old server is still there for others and says that it
// knows nobody of it: what was not begun goes to the new one, and nobody bounces.
func TestDomainThatMovesMeanwhile(t *testing.T) {
	t.Parallel()
	const members = 60
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, members, 1)
	names := &changingDNS{now: fakeDNS{
		mx:    map[string][]MX{"d0.example": {{10, "old.example"}}},
		addrs: map[string][]netip.Addr{"old.example": addrs("192.0.2.1"), "new.example": addrs("192.0.2.2")},
	}}
	c := w.config(nil)
	c.Connections = 1
	c.pace.route = 50 * time.Millisecond
	old, after := newSink(t), newSink(t).serve()
	old.taken = func(*letter) {
		names.set(fakeDNS{mx: map[string][]MX{"d0.example": {{10, "new.example"}}}, addrs: names.get().addrs})
		time.Sleep(2 * c.pace.route) // the pace of the other side: the answer has aged
	}
	old.rcpt = func(string) string {
		if old.copies.Load() > 1 { // the second went out with the end of the first
			return "550 5.1.1 nobody here by that name"
		}
		return ""
	}
	c.Resolver, c.DialContext = names, by(map[string]*sink{"192.0.2.1": old.serve(), "192.0.2.2": after})
	w.start(c)
	w.post(list, testMessage)
	w.finished()
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
	if n := old.copies.Load() + after.copies.Load(); n != members || after.copies.Load() < members-2 {
		t.Errorf("%d copies at the old server, %d at the new", old.copies.Load(), after.copies.Load())
	}
}

// The name of a server is gone when it is looked up: who has moved to another is sent there, and who has
// not bounces for what is wrong with their own domain.
func TestServerThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	large, small := ownShards, 2
	for domain, n := range map[string]int{"moved.example": large, "also.example": small, "lost.example": large, "also-lost.example": small} {
		for i := range n {
			w.member(list, fmt.Sprintf("m%d@%s", i, domain))
		}
	}
	mx := map[string][]MX{}
	for _, d := range []string{"moved.example", "also.example", "lost.example", "also-lost.example"} {
		mx[d] = []MX{{10, "old.example"}}
	}
	names := &movingDNS{
		changingDNS: changingDNS{now: fakeDNS{mx: mx}},
		moved: fakeDNS{
			mx: map[string][]MX{
				"moved.example": {{10, "new.example"}}, "also.example": {{10, "new.example"}},
				"lost.example": mx["lost.example"], "also-lost.example": mx["also-lost.example"],
			},
			addrs: map[string][]netip.Addr{"new.example": addrs("192.0.2.2")},
		},
	}
	after := newSink(t).serve()
	c := w.config(nil)
	quick(&c)
	c.Resolver, c.DialContext = names, by(map[string]*sink{"192.0.2.2": after})
	w.start(c)
	w.post(list, testMessage)
	w.finished()
	after.once(t, large+small)
	if n := w.count(`SELECT count(*) FROM bounce`); n != large+small {
		t.Errorf("%d bounces", n)
	}
	if n := w.count(`SELECT count(*) FROM bounce b JOIN member m ON m.id = b.member WHERE b.text LIKE '%domain ' || m.domain || ' %'`); n != large+small {
		t.Errorf("%d bounces name the domain that they are for", n)
	}
}

// movingDNS shows that domains have moved from when an address of their old server was asked for.
type movingDNS struct {
	changingDNS
	moved fakeDNS
}

func (d *movingDNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	if host == "old.example" {
		d.set(d.moved)
	}
	return d.changingDNS.Addrs(ctx, host)
}

// A DNS that says SERVFAIL, does not answer or leads in a circle: no member bounces for it, and when
// it tells the truth they get their copies.
func TestMoodyDNS(t *testing.T) {
	t.Parallel()
	const members = 20
	w := newWorld(t)
	list := w.list("dev", 1)
	s := newSink(t).serve()
	here := addrs("192.0.2.1")
	names := &moodyDNS{
		fakeDNS: fakeDNS{addrs: map[string][]netip.Addr{}},
		asked:   map[string]int{},
		fails: map[string]error{
			"broken.example": errors.New("SERVFAIL"),
			"silent.example": context.DeadlineExceeded,
			"circle.example": errAliases,
		},
	}
	domains := []string{"broken.example", "silent.example", "circle.example", "good.example"}
	for _, domain := range domains {
		names.addrs[domain] = here
		for i := range members {
			w.member(list, fmt.Sprintf("m%d@%s", i, domain))
		}
	}
	c := w.config(nil)
	quick(&c)
	c.pace.slot = 300 * time.Millisecond
	c.Timeouts = hasty()
	c.Resolver, c.DialContext = names, by(map[string]*sink{"192.0.2.1": s})
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	s.once(t, members*len(domains))
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
	names.mu.Lock()
	defer names.mu.Unlock()
	for _, domain := range domains[:3] {
		if names.asked[domain] <= moodyTimes {
			t.Errorf("%s was asked for %d times: it never told the truth", domain, names.asked[domain])
		}
	}
}
