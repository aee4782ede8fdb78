package fanout

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// claimOne claims one shard of the relay.
func (w *world) claimOne(node int64) claim {
	w.t.Helper()
	claims := w.claims(node, 1)
	if len(claims) != 1 {
		w.t.Fatalf("%d claims", len(claims))
	}
	return claims[0]
}

func (w *world) claims(node int64, n int) []claim {
	w.t.Helper()
	dest := int64(w.count(`SELECT id FROM destination WHERE name = 'relay'`))
	claims, err := claimShards(context.Background(), w.pool, claimOf{node, dest, 1 << 40, n})
	if err != nil {
		w.t.Fatal(err)
	}
	return claims
}

// tell saves one outcome as a node's committer would.
func (w *world) tell(node int64, o *outcome) error {
	w.t.Helper()
	o.result = make(chan error, 1)
	c := newCommitter(w.pool, node, slog.New(slog.DiscardHandler), new(copyCounts))
	defer c.session.close()
	c.batch = []*outcome{o}
	c.commit(context.Background())
	return <-o.result
}

func TestDeadNodeClaimsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 10, 1)
	w.post(list, testMessage)
	w.plan(true)
	node := w.node()
	w.exec(`UPDATE node SET dead = now()`)
	if got := w.claims(node, 5); len(got) != 0 {
		t.Errorf("a dead node claimed %d shards", len(got))
	}
	if got := w.claims(w.node(), 5); len(got) != 1 {
		t.Errorf("a living node claimed %d shards", len(got))
	}
}

// What a node that was stopped says about a shard that others have taken over writes nothing.
func TestFencedOutcomeWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 10, 1)
	w.post(list, testMessage)
	w.plan(true)
	stopped, other := w.node(), w.node()
	c := w.claimOne(stopped)
	w.exec(`UPDATE node SET dead = now() WHERE id = $1`, stopped)
	if n, err := freeShards(context.Background(), w.pool); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	c2 := w.claimOne(other)
	if c2.ID != c.ID || c2.Epoch != c.Epoch+2 {
		t.Fatalf("claimed %d with epoch %d after %d with epoch %d", c2.ID, c2.Epoch, c.ID, c.Epoch)
	}
	var member int64
	w.row(`SELECT members[1] FROM shard_members WHERE shard = $1`, c.ID).into(&member)
	late := &outcome{
		shard: c.ID, epoch: c.Epoch, done: 10, sent: 9, state: shardDone, journal: []byte("x"),
		exceptions: []exception{{member: member, state: copyFailed, source: "smtp", hard: true}},
	}
	if err := w.tell(stopped, late); !errors.Is(err, errLost) {
		t.Errorf("the stopped node was told %v", err)
	}
	for _, table := range []string{"delivery", "bounce", "journal"} {
		if n := w.count(`SELECT count(*) FROM ` + table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if n := w.count(`SELECT done FROM shard WHERE id = $1 AND node = $2 AND state = 'claimed'`, c.ID, other); n != 0 {
		t.Errorf("done is %d", n)
	}
}

// An outcome whose commit was not answered is saved again, and counts once.
func TestOutcomeSavedTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 10, 1)
	w.post(list, testMessage)
	w.plan(true)
	node := w.node()
	c := w.claimOne(node)
	var member int64
	w.row(`SELECT members[1] FROM shard_members WHERE shard = $1`, c.ID).into(&member)
	for _, state := range []string{shardClaimed, shardDone} {
		for range 2 {
			o := &outcome{shard: c.ID, epoch: c.Epoch, done: 5, sent: 4, state: state}
			if state == shardClaimed {
				o.exceptions = []exception{{member: member, state: copyFailed, attempts: 1, status: "5.1.1", reply: "550 5.1.1 no", hard: true, source: "smtp"}}
			} else {
				o.done, o.sent, o.journal = 10, 9, []byte("x")
			}
			if err := w.tell(node, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, table := range []string{"delivery", "bounce", "journal"} {
		if n := w.count(`SELECT count(*) FROM ` + table); n != 1 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	var source, status string
	var hard bool
	w.row(`SELECT source, status, hard FROM bounce WHERE member = $1`, member).into(&source, &status, &hard)
	if source != "smtp" || status != "5.1.1" || !hard {
		t.Errorf("bounce %s %s %t", source, status, hard)
	}
}

// While a step of a fan-out is planned, or its books are looked at, what became of its copies is saved.
func TestOutcomeDoesNotWaitForThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 2*firstStep, 1)
	w.post(list, testMessage)
	p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
	if n, err := p.begin(t.Context(), 1); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	node := w.node()
	c := w.claimOne(node)
	step, err := w.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer step.Rollback(context.Background())
	if plan, err := lockPlan(t.Context(), step); plan == nil || err != nil {
		t.Fatal(plan, err)
	}
	saved := make(chan error, 1)
	go func() {
		saved <- w.tell(node, &outcome{shard: c.ID, epoch: c.Epoch, done: c.Size, sent: c.Size, state: shardDone, journal: []byte("x")})
	}()
	select {
	case err := <-saved:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits until the step is over")
		step.Rollback(context.Background())
		<-saved
	}
}

// An outcome that the database will never take does not stop the others.
func TestFaultyOutcomeIsSetAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 300, 1)
	w.post(list, testMessage)
	w.plan(true)
	node := w.node()
	claims := w.claims(node, 3)
	c := newCommitter(w.pool, node, slog.New(slog.DiscardHandler), new(copyCounts))
	defer c.session.close()
	for i, k := range claims {
		o := &outcome{shard: k.ID, epoch: k.Epoch, done: 1, sent: 1, state: shardClaimed, result: make(chan error, 1)}
		if i == 1 {
			o.exceptions = []exception{{member: 1, state: copyDeferred, reply: "no\x00good"}}
		}
		c.batch = append(c.batch, o)
	}
	c.commit(context.Background())
	for i, o := range c.batch {
		err := <-o.result
		if want := i == 1; errors.Is(err, errAside) != want || !want && err != nil {
			t.Errorf("outcome %d: %v", i, err)
		}
	}
	if n := w.count(`SELECT count(*) FROM shard WHERE state = 'claimed' AND done = 1`); n != 2 {
		t.Errorf("%d others saved", n)
	}
	if n := w.count(`SELECT count(*) FROM shard WHERE state = 'aside' AND done = 0 AND id = $1`, claims[1].ID); n != 1 {
		t.Error("the faulty one is not set aside")
	}
}

// Posts of a list reach a destination in their order; deferred copies hold nobody up.
func TestOrderOfPosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, other := w.list("dev", 1), w.list("other", 1)
	for _, l := range []int64{list, other} {
		w.members(l, 100, 1)
	}
	w.post(list, testMessage)
	w.plan(true)
	w.post(list, testMessage)
	w.post(other, testMessage)
	w.plan(true)
	node := w.node()
	first := w.claims(node, 10)
	fanouts := map[int64]int{}
	for _, c := range first {
		fanouts[c.Fanout]++
	}
	if len(first) != 2*100/minShard || len(fanouts) != 2 {
		t.Fatalf("%d shards of %d fan-outs claimed: the younger post must wait", len(first), len(fanouts))
	}
	if more := w.claims(node, 10); len(more) != 0 {
		t.Fatal("the younger post overtakes")
	}
	older := int64(w.count(`SELECT min(id) FROM fanout WHERE list = $1`, list))
	for _, c := range first {
		if c.Fanout != older {
			continue
		}
		var member int64
		w.row(`SELECT members[1] FROM shard_members WHERE shard = $1`, c.ID).into(&member)
		err := w.tell(node, &outcome{
			shard: c.ID, epoch: c.Epoch, done: c.Size, sent: c.Size - 1, state: shardDone,
			exceptions: []exception{{member: member, state: copyDeferred, attempts: 1, wait: time.Hour}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if next := w.claims(node, 10); len(next) != 0 {
		t.Errorf("%d shards of the younger post are ready before anybody looked", len(next))
	}
	w.advance(line{first[0].List, first[0].Dest}, line{first[len(first)-1].List, first[0].Dest})
	if next := w.claims(node, 10); len(next) != 100/minShard {
		t.Errorf("%d shards of the younger post can be claimed", len(next))
	}
}

func TestClaimedMembersWhoLeftAreDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 5, 1)
	w.post(list, testMessage)
	w.plan(true)
	node := w.node()
	c := w.claimOne(node)
	var third int64
	w.row(`SELECT members[3] FROM shard_members WHERE shard = $1`, c.ID).into(&third)
	w.exec(`UPDATE member SET left_at = now() WHERE id = $1`, third)
	c.Done = 1
	r, err := selectClaimed(context.Background(), w.pool, &c)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.members) != 4 || len(r.addresses) != 4 || r.addresses[1] != "" || r.addresses[0] == "" || r.members[1] != third {
		t.Errorf("%v %q", r.members, r.addresses)
	}
	if r.left < 4*24*time.Hour {
		t.Errorf("%v left", r.left)
	}
	var l leavers
	l.ask(context.Background(), w.pool, c.Fanout, slog.New(slog.DiscardHandler))
	for _, m := range r.members {
		if l.has(m) != (m == third) {
			t.Errorf("member %d gone: %t", m, l.has(m))
		}
	}
}
