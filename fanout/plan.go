package fanout

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/smtp"
)

// The sizes of a plan. The first step of a fan-out is small, so that its first copy goes out at
// once; each later one is as large as what was planned before, up to the full step.
const (
	maxShard  = 400 // members of a shard
	minShard  = 25
	batchSize = 100 // recipients of a transaction, and so the least of a shard without VERP
	stepParts = 20  // the shards a step is cut into where it is small: one a connection
	stepShard = 50  // shards of a full step
	firstStep = 1600
	fullStep  = stepShard * maxShard
	// ownShards is how many members of one domain a step must hold for shards of their own.
	ownShards = 25
	// noticeStep is how many notices are planned at once.
	noticeStep = 50
	// beginBatch is how many posts are begun in one transaction, and beginTime how long more are while some
	// wait: a fan-out that is begun, which has shards to send by then, has its step after it.
	beginBatch = 20
	beginTime  = time.Second
)

// noticeTurn is the turn of notices: before all posts.
const noticeTurn = 0

// The destinations that are always there.
const (
	destMixed = "mixed"
	destRelay = "relay"
)

// destDomain names the destination of a domain.
func destDomain(domain string) string { return "mx:" + domain }

// planner makes shards of posts and notices.
type planner struct {
	pool    *pgxpool.Pool
	log     *slog.Logger
	relays  relayGroups
	made    func() // told after each commit that made shards
	fresh   *freshShards
	closing *closing // told of plans that are made to their end

	known map[string]int64 // destinations of relays, and destMixed
	alone int              // how many posts are begun one by one yet: one of them cannot be
}

// run plans whenever it is woken, until ctx ends.
func (p *planner) run(ctx context.Context, wake <-chan struct{}, poll time.Duration) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		for p.round(ctx) {
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

// round plans the notices that wait, begins some posts, and takes the step of one fan-out that is
// begun: a post to a million holds nobody up, and many small ones do not hold up its end. It reports
// whether there may be more to do.
func (p *planner) round(ctx context.Context) bool {
	more := false
	for _, part := range []func(context.Context) (bool, error){p.notices, p.beginSome, p.resume} {
		did, err := part(ctx)
		if err != nil {
			if ctx.Err() == nil {
				p.log.Error("planning", "error", err)
			}
			continue
		}
		if did {
			more = true
			p.made()
		}
	}
	return more && ctx.Err() == nil
}

// elsewhere is where mail goes that has no destination of its own.
func (p *planner) elsewhere() string {
	if g := p.relays.all(); g != nil {
		return g.name
	}
	return destMixed
}

// dest is the row of destMixed or of relays.
func (p *planner) dest(ctx context.Context, name string) (int64, error) {
	if p.known == nil {
		names := []string{destMixed}
		for _, g := range p.relays {
			names = append(names, g.name)
		}
		ids, err := destinationIDs(ctx, p.pool, names)
		if err != nil {
			return 0, err
		}
		p.known = ids
	}
	return p.known[name], nil
}

func (p *planner) notices(ctx context.Context) (bool, error) {
	dest, err := p.dest(ctx, p.elsewhere())
	if err != nil {
		return false, err
	}
	var n int64
	err = again(func() error { // one statement: a transaction around it would be two round trips more in each round
		n, err = planNotices(ctx, p.pool, dest, noticeStep)
		return err
	})
	return n > 0, err
}

// beginSome begins posts until none waits or it has taken long enough.
func (p *planner) beginSome(ctx context.Context) (began bool, err error) {
	for start := time.Now(); time.Since(start) < beginTime; {
		n, err := p.begin(ctx, beginBatch)
		if err != nil || n == 0 {
			return began, err
		}
		began = true
		p.made() // these may be sent while the next are planned
	}
	return began, nil
}

// begin starts the fan-outs of the posts that waited longest, each with its first step, and returns how
// many. One that cannot be begun is set aside.
func (p *planner) begin(ctx context.Context, limit int) (int, error) {
	dest, err := p.dest(ctx, p.elsewhere())
	if err != nil {
		return 0, err
	}
	if p.alone > 0 {
		p.alone--
		limit = 1
	}
	var made []*newShards
	var posts []unplannedPost
	err = inTx(ctx, p.pool, func(tx pgx.Tx) (err error) {
		made = nil
		posts, err = lockUnplanned(ctx, tx, limit)
		if err != nil || len(posts) == 0 {
			return err
		}
		if made, err = p.beginAll(ctx, tx, posts, dest); err != nil {
			return err
		}
		return markPlanned(ctx, tx, posts)
	})
	switch {
	case err == nil:
		return len(posts), p.use(ctx, made...)
	case !isRefused(err) && !errors.Is(err, errNobody) && !errors.Is(err, errNoList) || len(posts) == 0:
		return 0, err
	case len(posts) > 1: // each by itself, until the faulty one is
		p.alone = len(posts)
		return p.begin(ctx, 1)
	}
	// No second try can mend that, and others wait behind it.
	p.log.Error("post cannot be planned, it is set aside", "post", posts[0].ID, "error", err)
	return 1, setAsidePost(ctx, p.pool, &posts[0], clean(err.Error()))
}

// beginAll begins posts to lists together, so that many small ones cost few round trips, and mail to owners
// one by one.
func (p *planner) beginAll(ctx context.Context, tx pgx.Tx, posts []unplannedPost, dest int64) ([]*newShards, error) {
	var toLists []*unplannedPost
	for i := range posts {
		if posts[i].Kind == "post" {
			toLists = append(toLists, &posts[i])
		} else if err := p.beginOwners(ctx, tx, &posts[i], dest); err != nil {
			return nil, err
		}
	}
	plans, err := insertPostFanouts(ctx, tx, toLists)
	if err != nil {
		return nil, err
	}
	return p.steps(ctx, tx, plans...)
}

// errNobody is a post for owners where there is no owner, and no administrator in their place.
var errNobody = errors.New("the list has no owner, and there is no administrator in their place")

func (p *planner) beginOwners(ctx context.Context, tx pgx.Tx, post *unplannedPost, dest int64) error {
	id, copies, err := insertOwnersFanout(ctx, tx, post)
	if err != nil {
		return err
	}
	if copies == 0 {
		return errNobody
	}
	n := newShards{fanout: id, dests: []int64{dest}, sizes: []int32{int32(copies)}}
	for i := range copies {
		n.members = append(n.members, int64(-i-1))
	}
	return insertShards(ctx, tx, &n)
}

// resume takes the next step of the fan-out whose last was longest ago.
func (p *planner) resume(ctx context.Context) (did bool, err error) {
	var made []*newShards
	var plan *planRow
	err = inTx(ctx, p.pool, func(tx pgx.Tx) (err error) {
		made = nil
		plan, err = lockPlan(ctx, tx)
		did = plan != nil
		if err != nil || plan == nil {
			return err
		}
		made, err = p.steps(ctx, tx, plan)
		return err
	})
	switch {
	case err == nil:
		return did, p.use(ctx, made...)
	case isRefused(err) && plan != nil:
		p.log.Error("fan-out cannot be planned further, it is set aside", "fanout", plan.ID, "error", err)
		return true, setAsideFanout(ctx, p.pool, plan.ID, clean(err.Error()))
	}
	return did, err
}

// use sees to shards that were made, once they are committed. What is before those that are queued may
// have ended meanwhile, when nobody could see that they were there.
func (p *planner) use(ctx context.Context, made ...*newShards) error {
	var queued []line
	for _, n := range made {
		switch {
		case n == nil:
		case len(n.queued) == 0:
			p.fresh.put(n)
		default: // what was kept of them would only grow old
			queued = append(queued, n.queued...)
		}
	}
	_, err := advance(ctx, p.pool, queued)
	return err
}

// steps reads the next members of fan-outs, makes shards of them, and stores the places: for all at once,
// each question to the database on the way.
func (p *planner) steps(ctx context.Context, tx pgx.Tx, plans ...*planRow) ([]*newShards, error) {
	pages, read := make([]memberPage, len(plans)), make([]*domainRuns, len(plans))
	for i, plan := range plans {
		beside, err := selectReaches(ctx, tx, plan.Beside)
		if err != nil {
			return nil, err
		}
		read[i] = &domainRuns{single: p.relays.whole(plan.Host) != nil}
		pages[i] = memberPage{
			plan: plan, beside: beside, author: authorKey(plan.Author),
			limit: int(min(max(plan.Copies, firstStep), fullStep)), add: read[i].add,
		}
	}
	if err := selectRecipients(ctx, tx, pages); err != nil {
		return nil, err
	}
	for i, plan := range plans {
		n := len(read[i].members)
		if n == pages[i].limit {
			plan.PlanDomain, plan.PlanMember = read[i].last()
		} else {
			plan.PlanList, plan.PlanDomain, plan.PlanMember = plan.PlanList+1, "", 0
		}
		plan.Copies += int64(n)
	}
	made, err := p.shards(ctx, tx, plans, read)
	if err != nil {
		return nil, err
	}
	if err := insertShards(ctx, tx, made...); err != nil {
		return nil, err
	}
	for _, plan := range plans {
		if plan.PlanList > len(plan.Lists) {
			p.closing.add(plan.ID)
		}
	}
	return made, savePlans(ctx, tx, plans)
}

func authorKey(author string) string {
	a, err := smtp.ParseAddress(author)
	if err != nil { // no member has such an address
		return ""
	}
	return a.Key()
}

// shards cuts what steps have read: each domain with many members into shards of its own, the others
// together into mixed ones.
func (p *planner) shards(ctx context.Context, tx pgx.Tx, plans []*planRow, read []*domainRuns) ([]*newShards, error) {
	made, own := make([]*newShards, len(plans)), make([][]domainRun, len(plans))
	var names []string
	for i, plan := range plans {
		var err error
		if made[i], own[i], err = p.shared(ctx, plan, read[i]); err != nil {
			return nil, err
		}
		for _, r := range own[i] {
			names = append(names, destDomain(r.domain))
		}
	}
	if len(names) == 0 {
		return made, nil
	}
	// All in one statement, which takes them in one order: two nodes may make the same at the same time.
	ids, err := destinationIDs(ctx, tx, names)
	if err != nil {
		return nil, err
	}
	for i, plan := range plans {
		for _, r := range own[i] {
			made[i].cut(ids[destDomain(r.domain)], read[i].members[r.from:r.to], plan.Verp)
		}
	}
	return made, nil
}

// shared cuts what goes to relays, and the mixed shards, and returns the domains that get their own.
func (p *planner) shared(ctx context.Context, plan *planRow, runs *domainRuns) (n *newShards, own []domainRun, err error) {
	n = &newShards{fanout: plan.ID, list: &plan.List}
	if g := p.relays.whole(plan.Host); g != nil {
		dest, err := p.dest(ctx, g.name)
		n.cut(dest, runs.members, plan.Verp)
		if len(plan.Lists) == 1 {
			n.fresh = runs.addresses()
		}
		return n, nil, err
	}
	relayed := runs.relayed(func(domain string) *relayGroup { return p.relays.of(plan.Host, domain) })
	for _, g := range p.relays {
		dest, err := p.dest(ctx, g.name)
		if err != nil {
			return nil, nil, err
		}
		n.cut(dest, relayed[g], plan.Verp)
	}
	own, mixed := runs.split()
	dest, err := p.dest(ctx, destMixed)
	n.cut(dest, mixed, plan.Verp)
	return n, own, err
}
