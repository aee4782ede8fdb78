package fanout

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSetName(t *testing.T) {
	t.Parallel()
	one := setName([]MX{{10, "B.example"}, {10, "a.example"}, {20, "c.example"}})
	if want := "mxset:a.example=b.example>c.example"; one != want {
		t.Errorf("%s, want %s", one, want)
	}
	if other := setName([]MX{{5, "a.example"}, {7, "c.example"}, {5, "b.example"}}); other != one {
		t.Errorf("the same servers in the same order are %s and %s", one, other)
	}
	if other := setName([]MX{{10, "a.example"}, {20, "b.example"}, {20, "c.example"}}); other == one {
		t.Error("another order is another set")
	}
	long := MX{10, strings.Repeat("a", 200)}
	if a, b := setName([]MX{long, {10, "b"}}), setName([]MX{long, {10, "c"}}); a == b || len(a) > maxName {
		t.Errorf("%s and %s", a, b)
	}
}

// many is a provider that hosts so many domains, each with members.
func many(w *world, list int64, domains, members int) fakeDNS {
	names := fakeDNS{mx: map[string][]MX{}, addrs: map[string][]netip.Addr{"mx.example": addrs("192.0.2.1")}}
	for d := range domains {
		domain := fmt.Sprintf("d%02d.example", d)
		names.mx[domain] = []MX{{10, "mx.example"}}
		n := members
		if d%2 == 1 { // too few for shards of their own
			n = 1
		}
		for i := range n {
			w.member(list, fmt.Sprintf("m%d@%s", i, domain))
		}
	}
	return names
}

// Many domains at one provider share its limit of connections, and the connections.
func TestDomainsOfOneProviderShareALane(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	provider := newSink(t)
	var most atomic.Int64
	provider.mail = func(string) string {
		open := int64(0)
		provider.conns.Range(func(any, any) bool { open++; return true })
		for m := most.Load(); open > m && !most.CompareAndSwap(m, open); m = most.Load() {
		}
		return ""
	}
	provider.serve()
	c := w.config(nil)
	c.Resolver, c.DialContext, c.Connections = many(w, list, 24, 30), by(map[string]*sink{"192.0.2.1": provider}), 2
	c.pace.idle = 10 * time.Second // a slow machine ends none
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	provider.once(t, 12*30+12)
	// One may be seen that has said goodbye and is not gone yet.
	if n := most.Load(); n > 3 {
		t.Errorf("%d connections at a time where 2 are the limit", n)
	}
	if n := provider.accepted.Load(); n > 8 {
		t.Errorf("%d connections were made for 24 domains of one provider", n)
	}
}

// A domain that has moved takes its row along: trouble of the lane it left is not its own any more, and
// what is saved of its new one stays.
func TestMovedDomainLeavesItsLane(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	names := many(w, list, 2, 1)
	tr := w.traffic(names)
	rows := w.rows("d00.example", "d01.example")
	lead := func(domain string) *lane {
		tr.find(t.Context(), domain)
		return tr.lane(destDomain(domain), rows[domain])
	}
	blocked := func(domain string) bool {
		return w.count(`SELECT count(*) FROM destination WHERE id = $1 AND blocked > now()`, rows[domain]) == 1
	}
	before := lead("d00.example")
	if lead("d01.example") != before {
		t.Fatal("two lanes of one provider")
	}
	names.mx["d01.example"] = []MX{{10, "new.example"}}
	after := lead("d01.example")
	before.trouble(errors.New("down"))
	if !blocked("d00.example") || blocked("d01.example") {
		t.Errorf("trouble of the old servers: blocked is d00 %v, d01 %v", blocked("d00.example"), blocked("d01.example"))
	}
	after.trouble(errors.New("down too"))
	before.succeeded()
	if blocked("d00.example") || !blocked("d01.example") {
		t.Errorf("success of the old servers: blocked is d00 %v, d01 %v", blocked("d00.example"), blocked("d01.example"))
	}
	after.until = time.Time{}
	names.mx["d00.example"] = names.mx["d01.example"]
	tr.find(t.Context(), "d00.example")
	if !after.admit(rows["d00.example"]) {
		t.Fatal("no room")
	}
	after.trouble(errors.New("down again"))
	before.failures = 1
	before.succeeded()
	if !blocked("d00.example") {
		t.Error("success of the servers it left ended the block of a domain that was steered elsewhere")
	}
}

// The failures of a row narrow a lane that does not know better. One that has delivered since the last of
// them goes on as it is, and the row is put right.
func TestOldFailuresDoNotNarrow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	tr := w.traffic(many(w, list, 2, 1))
	rows := w.rows("d00.example", "d01.example")
	tr.find(t.Context(), "d00.example")
	tr.find(t.Context(), "d01.example")
	claim := func(domain string) *lane {
		l := tr.lane(destDomain(domain), rows[domain])
		w.exec(`UPDATE shard SET state = 'ready'`)
		ready, err := selectReady(t.Context(), w.pool, rows[domain]-1, 1)
		if err != nil || len(ready) != 1 || ready[0].ID != rows[domain] {
			t.Fatalf("%+v, %v", ready, err)
		}
		w.exec(`UPDATE shard SET state = 'done'`)
		if err := tr.claim(l, ready[0]); err != nil {
			t.Fatal(err)
		}
		return l
	}
	failed := func(domain, ago string) {
		w.exec(`UPDATE destination SET failures = 5, blocked = now() - $2::interval WHERE id = $1`, rows[domain], ago)
	}
	var fanout int64
	w.row(`INSERT INTO fanout (post, list, verp, ordered, accepted, expires, lists, planned)
		VALUES ($1, $2, true, true, now(), now() + interval '5 days', ARRAY[$2::bigint], now()) RETURNING id`,
		w.post(list, testMessage), list).into(&fanout)
	for _, id := range rows {
		w.exec(`INSERT INTO shard (fanout, dest, turn, size, state) VALUES ($1, $2, 1, 1, 'ready')`, fanout, id)
	}
	failed("d00.example", "1 second")
	l := claim("d00.example")
	if l.failures != 5 || l.window != 1 {
		t.Errorf("a lane that knows nothing has %d failures and %d connections", l.failures, l.window)
	}
	for range 3 {
		l.succeeded()
	}
	failed("d01.example", "1 hour")
	l.well = time.Now().Add(-time.Minute)
	if claim("d01.example") != l || l.failures != 0 || l.window < 4 {
		t.Errorf("a lane that has delivered has %d failures and %d connections", l.failures, l.window)
	}
	if n := w.count(`SELECT count(*) FROM destination WHERE failures > 0`); n != 0 {
		t.Errorf("%d rows still have failures", n)
	}
	failed("d01.example", "1 second") // by another node, a moment ago
	if claim("d01.example"); l.failures != 5 || l.window != 1 {
		t.Errorf("after trouble elsewhere it has %d failures and %d connections", l.failures, l.window)
	}
}

// traffic is that of a node without workers.
func (w *world) traffic(names Resolver) *traffic {
	tr := &traffic{
		pool: w.pool, node: w.node(), connections: 4, living: new(atomic.Int64), lanes: map[string]*lane{}, aliases: map[string]alias{},
		rows: map[int64]*lane{}, wake: newBell(), held: map[int64]*atomic.Bool{},
		meeting: map[string]chan struct{}{}, router: &router{resolver: names}, soft: w.t.Context(), hard: w.t.Context(),
	}
	tr.log, tr.pace = w.config(nil).Log, pace{}.withDefaults()
	return tr
}

// rows are those of the queue for domains.
func (w *world) rows(domains ...string) map[string]int64 {
	w.t.Helper()
	var names []string
	for _, d := range domains {
		names = append(names, destDomain(d))
	}
	ids, err := destinationIDs(w.t.Context(), w.pool, names)
	if err != nil {
		w.t.Fatal(err)
	}
	of := map[string]int64{}
	for _, d := range domains {
		of[d] = ids[destDomain(d)]
	}
	return of
}

// Trouble with a provider is saved to all rows that lead there, for other nodes, and ends for all.
func TestTroubleOfAProviderIsThatOfItsDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	tr := w.traffic(many(w, list, 2, 1))
	rows := w.rows("d00.example", "d01.example", "alone.example")
	var lanes []*lane
	for _, name := range []string{"d00.example", "d01.example", "alone.example"} {
		tr.meet(t.Context(), "", name)
		lanes = append(lanes, tr.lane(destDomain(name), rows[name]))
	}
	if lanes[0] != lanes[1] || lanes[0] == lanes[2] {
		t.Fatalf("lanes %s, %s, %s", lanes[0].name, lanes[1].name, lanes[2].name)
	}
	blocked := func() int {
		return w.count(`SELECT count(*) FROM destination WHERE blocked > now() AND reply = 'down'`)
	}
	lanes[0].trouble(errors.New("down"))
	if n := blocked(); n != 2 {
		t.Errorf("%d rows are blocked", n)
	}
	if lanes[1].admit(1) || lanes[1].room() != 0 {
		t.Error("a lane left alone has room")
	}
	lanes[1].succeeded()
	if n := blocked(); n != 0 {
		t.Errorf("%d rows are still blocked", n)
	}
}
