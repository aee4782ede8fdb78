package fanout

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"
)

// plan plans all that waits and returns the members of each destination's shards.
func (w *world) plan(relay bool) map[string][]string {
	w.t.Helper()
	if relay {
		return w.planFor(Relay{})
	}
	return w.planFor()
}

func (w *world) planFor(relays ...Relay) map[string][]string {
	w.t.Helper()
	p := &planner{pool: w.pool, log: slog.New(slog.NewTextHandler(testWriter{w.t}, nil)), relays: newRelayGroups(relays), made: func() {}}
	for p.round(context.Background()) {
	}
	rows, err := w.pool.Query(context.Background(), `
		SELECT x.name, COALESCE(m.address, f.addresses[-u.id]) FROM shard s
		JOIN destination x ON x.id = s.dest JOIN fanout f ON f.id = s.fanout
		JOIN shard_members sm ON sm.shard = s.id CROSS JOIN LATERAL unnest(sm.members) WITH ORDINALITY AS u(id, n)
		LEFT JOIN member m ON m.id = u.id ORDER BY s.id, u.n`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	found := map[string][]string{}
	for rows.Next() {
		var dest, address string
		if err := rows.Scan(&dest, &address); err != nil {
			w.t.Fatal(err)
		}
		found[dest] = append(found[dest], address)
	}
	if rows.Err() != nil {
		w.t.Fatal(rows.Err())
	}
	return found
}

func TestPlanWhoGetsACopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "stays@x.example")
	w.member(list, "ann@a.example") // the author
	later := w.member(list, "later@x.example")
	left := w.member(list, "left@x.example")
	w.exec(`UPDATE member SET left_at = now() - interval '1 minute' WHERE id = $1`, left)
	none := w.member(list, "none@x.example")
	w.exec(`UPDATE member SET mode = 'none' WHERE id = $1`, none)
	stopped := w.member(list, "stopped@x.example")
	w.exec(`UPDATE member SET state = 'bounce' WHERE id = $1`, stopped)
	w.post(list, testMessage)
	w.exec(`UPDATE member SET joined = now() + interval '1 minute' WHERE id = $1`, later)
	got := w.plan(true)["relay"]
	slices.Sort(got)
	if want := []string{"ann@a.example", "stays@x.example"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := w.count(`SELECT copies FROM fanout WHERE planned IS NOT NULL`); n != 2 {
		t.Errorf("%d copies", n)
	}
}

func TestPlanNotTheAuthorWhoWantsNoCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.exec(`UPDATE member SET own_posts = false WHERE id = $1`, w.member(list, "Ann@a.example"))
	w.exec(`UPDATE member SET own_posts = false WHERE id = $1`, w.member(list, "ben@b.example"))
	w.post(list, testMessage)
	if got := w.plan(true)["relay"]; !slices.Equal(got, []string{"ben@b.example"}) {
		t.Errorf("%v", got)
	}
}

// Two lists that are members of each other, and a third below: everybody once (L05).
func TestPlanNestedListsOneCopyEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := w.list("a", 1), w.list("b", 1), w.list("c", 1)
	nest := func(outer, inner int64, address string) {
		w.exec(`UPDATE member SET nested = $2 WHERE id = $1`, w.member(outer, address), inner)
	}
	nest(a, b, "b@lists.example")
	nest(b, a, "a@lists.example")
	nest(b, c, "c@lists.example")
	nest(a, c, "c@lists.example")
	for _, in := range []int64{a, b, c} {
		w.member(in, "everywhere@x.example")
		w.member(in, fmt.Sprintf("only%d@x.example", in))
	}
	// Who wants nothing of the outer list gets nothing through an inner one.
	w.exec(`UPDATE member SET mode = 'none' WHERE id = $1`, w.member(a, "quiet@x.example"))
	w.member(b, "quiet@x.example")
	// Who left the outer list after the post was accepted keeps to what they would have got.
	gone := w.member(a, "gone@x.example")
	w.member(c, "gone@x.example")
	w.post(a, testMessage)
	w.exec(`UPDATE member SET left_at = now() + interval '1 second' WHERE id = $1`, gone)
	got := w.plan(true)["relay"]
	slices.Sort(got)
	want := []string{"everywhere@x.example", fmt.Sprintf("only%d@x.example", a), fmt.Sprintf("only%d@x.example", b), fmt.Sprintf("only%d@x.example", c)}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPlanByDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for i := range 3 * ownShards {
		w.member(list, fmt.Sprintf("m%d@big.example", i))
		if i%3 == 0 {
			w.member(list, fmt.Sprintf("m%d@small%d.example", i, i))
		}
	}
	w.post(list, testMessage)
	got := w.plan(false)
	if len(got["mx:big.example"]) != 3*ownShards || len(got["mixed"]) != ownShards || len(got) != 2 {
		t.Errorf("%d to the big domain, %d mixed, %d destinations", len(got["mx:big.example"]), len(got["mixed"]), len(got))
	}
}

func TestPlanInSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	const n = 3*firstStep + 17
	w.members(list, n, 31)
	w.post(list, testMessage)
	p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
	if n, err := p.begin(context.Background(), beginBatch); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := w.count(`SELECT count(*) FROM shard`); got != stepParts {
		t.Errorf("the first step made %d shards", got)
	}
	// Who joins between the steps is no recipient; who was there when it was accepted is, once.
	w.exec(`INSERT INTO member (list, key, address, domain, joined) VALUES ($1, 'zz', 'zz@zz.example', 'zz.example', now())`, list)
	got := w.plan(true)["relay"]
	slices.Sort(got)
	if len(got) != n || len(slices.Compact(got)) != n {
		t.Errorf("%d copies planned", len(got))
	}
	if bad := w.count(`SELECT count(*) FROM shard WHERE size > $1 OR size < 1`, maxShard); bad != 0 {
		t.Errorf("%d shards of a wrong size", bad)
	}
}

// A list that posts while another's backlog waits is put level with it, not behind it.
func TestPlanTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	big, small := w.list("big", 1), w.list("small", 1)
	w.members(big, 10_000, 10)
	w.members(small, 100, 10)
	w.post(big, testMessage)
	w.plan(true)
	node := w.node()
	dest := int64(w.count(`SELECT id FROM destination WHERE name = 'relay'`))
	for range 3 {
		if _, err := claimShards(context.Background(), w.pool, claimOf{node, dest, 1 << 40, 5}); err != nil {
			t.Fatal(err)
		}
	}
	w.post(small, testMessage)
	w.plan(true)
	claims, err := claimShards(context.Background(), w.pool, claimOf{node, dest, 1 << 40, 4})
	if err != nil {
		t.Fatal(err)
	}
	lists := map[int]int{}
	for _, c := range claims {
		lists[w.count(`SELECT list FROM fanout WHERE id = $1`, c.Fanout)]++
	}
	if lists[int(small)] != 2 || lists[int(big)] != 2 {
		t.Errorf("of the next four shards %d are the small list's and %d the big one's", lists[int(small)], lists[int(big)])
	}
}

func TestPlanVerpEveryNth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 3)
	w.member(list, "x@x.example")
	for range 6 {
		w.post(list, testMessage)
	}
	w.plan(true)
	if got := w.count(`SELECT count(*) FROM fanout WHERE verp`); got != 2 {
		t.Errorf("%d of 6 posts with VERP", got)
	}
}

func TestPlanOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.exec(`INSERT INTO role (list, key, address, role) VALUES
		($1, 'own@x.example', 'Own@x.example', 'owner'), ($1, 'own@x.example', 'Own@x.example', 'moderator'), ($1, 'mod@x.example', 'mod@x.example', 'moderator')`, list)
	post := w.post(list, testMessage)
	w.exec(`UPDATE post SET kind = 'owners' WHERE id = $1`, post)
	if got := w.plan(true)["relay"]; !slices.Equal(got, []string{"mod@x.example", "Own@x.example"}) {
		t.Errorf("%v", got)
	}
}

func TestPlanOwnersOfAListWithoutAny(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.exec(`WITH p AS (INSERT INTO person (admin) VALUES (true) RETURNING id) INSERT INTO person_address (key, person, address) SELECT 'root@x.example', id, 'root@x.example' FROM p`)
	post := w.post(list, testMessage)
	w.exec(`UPDATE post SET kind = 'owners' WHERE id = $1`, post)
	if got := w.plan(true)["relay"]; !slices.Equal(got, []string{"root@x.example"}) {
		t.Errorf("%v", got)
	}
}

// TestPlanAdmins is mail to postmaster, which is of no list, with a list's post waiting behind it.
func TestPlanAdmins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "stays@x.example")
	w.exec(`WITH p AS (INSERT INTO person (admin) VALUES (true) RETURNING id) INSERT INTO person_address (key, person, address) SELECT 'root@x.example', id, 'root@x.example' FROM p`)
	post := w.post(list, testMessage)
	w.exec(`UPDATE post SET kind = 'admins', list = NULL WHERE id = $1`, post)
	w.post(list, testMessage)
	got := w.plan(true)["relay"]
	slices.Sort(got)
	if !slices.Equal(got, []string{"root@x.example", "stays@x.example"}) {
		t.Errorf("%v", got)
	}
}

func TestComposeForAdmins(t *testing.T) {
	t.Parallel()
	raw := []byte("From: a@a.example\r\n\r\nx\r\n")
	m, err := compose(&source{kind: "admins", raw: raw, headerLen: 21, received: "Received: x"}, fakeSealer{}, "https://site.example")
	if err != nil || !m.sender.IsZero() || m.personal {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestPlanNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for i := range 2*noticeStep + 1 {
		w.notice(&list, fmt.Sprintf("n%d@x.example", i))
	}
	w.notice(nil, "site@x.example")
	got := w.plan(false)["mixed"]
	slices.Sort(got)
	if len(slices.Compact(got)) != 2*noticeStep+2 {
		t.Errorf("%d notices planned", len(got))
	}
	if n := w.count(`SELECT count(*) FROM notice WHERE planned IS NULL`); n != 0 {
		t.Errorf("%d notices left", n)
	}
}

func (w *world) notice(list *int64, address string) {
	w.t.Helper()
	w.exec(`INSERT INTO notice (id, list, kind, address) VALUES (gen_random_uuid(), $1, 'welcome', $2)`, list, address)
}

func (w *world) node() (id int64) {
	w.t.Helper()
	id, err := insertNode(context.Background(), w.pool, "", "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func TestPlanPostsOfAListInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 2*firstStep, 3)
	first := w.post(list, testMessage)
	time.Sleep(time.Millisecond)
	w.post(list, testMessage)
	p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
	for i, want := range []int{1, 0} { // the second waits until the first is planned to its end
		if n, err := p.begin(context.Background(), beginBatch); n != want || err != nil {
			t.Fatal(i, n, err)
		}
	}
	var post string
	w.row(`SELECT post::text FROM fanout`).into(&post)
	if post != first.String() {
		t.Errorf("%s is planned before %s", post, first)
	}
	for p.round(context.Background()) {
	}
	if n := w.count(`SELECT count(*) FROM fanout WHERE planned IS NOT NULL`); n != 2 {
		t.Errorf("%d fan-outs planned", n)
	}
}

// A post that the planner chokes on is set aside and holds nobody up.
func TestPlanPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, bad, good := w.list("before", 1), w.list("bad", 1), w.list("good", 1)
	w.member(before, "b@x.example")
	w.member(bad, "x@x.example")
	w.member(good, "y@x.example")
	w.exec(`ALTER TABLE fanout ADD CHECK (verp OR error <> '')`)
	w.exec(`UPDATE list SET verp = 0 WHERE id = $1`, bad)
	for _, list := range []int64{before, bad, good} {
		w.post(list, testMessage)
	}
	if got := w.plan(true)["relay"]; !slices.Equal(got, []string{"b@x.example", "y@x.example"}) {
		t.Errorf("%v", got)
	}
	if n := w.count(`SELECT count(*) FROM fanout WHERE error <> '' AND planned IS NOT NULL AND list = $1`, bad); n != 1 {
		t.Errorf("%d fan-outs set aside", n)
	}
}

// A post whose list somebody deleted by hand is not taken for one without members: it is set aside too.
func TestPlanPostOfNoList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone, good := w.list("gone", 1), w.list("good", 1)
	w.member(good, "y@x.example")
	lost := w.post(gone, testMessage)
	w.post(good, testMessage)
	w.exec(`DELETE FROM list WHERE id = $1`, gone)
	if got := w.plan(true)["relay"]; !slices.Equal(got, []string{"y@x.example"}) {
		t.Errorf("%v", got)
	}
	if n := w.count(`SELECT count(*) FROM fanout WHERE error <> '' AND post = $1`, lost); n != 1 {
		t.Errorf("%d fan-outs set aside", n)
	}
}

// A post for owners was answered 250: where nobody can get it, somebody is to look.
func TestPlanOwnersOfWhomThereAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := w.post(w.list("dev", 1), testMessage)
	w.exec(`UPDATE post SET kind = 'owners' WHERE id = $1`, post)
	if got := w.plan(true); len(got) != 0 {
		t.Errorf("planned %v", got)
	}
	if n := w.count(`SELECT count(*) FROM fanout WHERE post = $1 AND error <> '' AND finished IS NULL`, post); n != 1 {
		t.Errorf("%d fan-outs are set aside", n)
	}
	planned := 0
	s := &sweeper{pool: w.pool, log: slog.New(slog.DiscardHandler), plan: func() { planned++ }}
	if _, err := s.replan(t.Context()); err != nil || planned != 0 {
		t.Errorf("planned again for nobody: %v", err)
	}
	w.exec(`WITH p AS (INSERT INTO person (admin) VALUES (true) RETURNING id)
		INSERT INTO person_address (person, key, address) SELECT id, 'eve@a.example', 'eve@a.example' FROM p`)
	if _, err := s.replan(t.Context()); err != nil || planned != 1 {
		t.Errorf("told %d times, %v", planned, err)
	}
	w.plan(true)
	if n := w.count(`SELECT count(*) FROM fanout WHERE post = $1 AND error = '' AND copies = 1`, post); n != 1 {
		t.Errorf("%d fan-outs go to the administrator", n)
	}
}

// Posts to small lists are begun beside the steps of a large fan-out, not one with each of them.
func TestSmallPostsDoNotWaitForTheStepsOfALargeOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const small = 10
	large := w.list("large", 1)
	w.members(large, 4*firstStep, 1)
	w.post(large, testMessage)
	p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
	p.round(t.Context())
	for i := range small {
		list := w.list(fmt.Sprintf("small%d", i), 1)
		w.members(list, 3, 1)
		w.post(list, testMessage)
	}
	if w.count(`SELECT count(*) FROM fanout WHERE planned IS NULL`) != 1 {
		t.Fatal("the large one was planned in one round")
	}
	p.round(t.Context())
	if n := w.count(`SELECT count(*) FROM post WHERE planned IS NOT NULL`); n != small+1 {
		t.Errorf("%d posts begun after the second round", n)
	}
}
