package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// unplannedPost is a post that waits for its fan-out.
type unplannedPost struct {
	ID       string
	List     int64 // 0: to the site
	Kind     string
	Accepted time.Time
	Author   string
	Message  string // its Message-ID
	Host     string // the list's domain
}

// waitingPage is how many posts that wait are looked at for those to begin.
const waitingPage = 100

// The first of each list among the oldest that wait, leaving out lists of which a fan-out is being
// planned, however many wait behind it. Nothing is chosen under a lock: where another node has taken the
// first of a list, or begins it in this moment, that list has its turn there. "<@" and not "= ANY", as that
// makes PostgreSQL think that a list with most of the posts leaves hardly any to sort.
const sqlUnplanned = `
		WITH page AS MATERIALIZED (
			SELECT p.id, p.list, p.accepted FROM post p
			WHERE p.state = 'accepted' AND p.planned IS NULL
				AND NOT ARRAY[p.list] <@ COALESCE((SELECT array_agg(f.list) FROM fanout f WHERE f.planned IS NULL), '{}')
			ORDER BY p.accepted, p.id LIMIT $2),
		first AS MATERIALIZED (
			SELECT DISTINCT ON (list) id FROM page ORDER BY list, accepted, id)
		SELECT p.id::text, COALESCE(p.list, 0) AS list, p.kind, COALESCE(p.accepted, p.arrived) AS accepted, p.author, p.message_id AS message,
			COALESCE((SELECT d.name FROM list l JOIN domain d ON d.id = l.domain WHERE l.id = p.list), '') AS host
		FROM post p
		WHERE p.id = ANY(ARRAY(SELECT id FROM first)) AND p.state = 'accepted' AND p.planned IS NULL
		ORDER BY p.accepted + COALESCE((SELECT CASE l.priority WHEN 'high' THEN interval '-1 minute' WHEN 'low' THEN interval '1 minute' END
			FROM list l WHERE l.id = p.list), interval '0'), p.id LIMIT $1 FOR NO KEY UPDATE OF p SKIP LOCKED`

// lockUnplanned takes the oldest posts that wait, those of a list with a high priority as if they had come
// a minute earlier, of one with a low priority a minute later. Posts of a list are begun one after the other, the
// next when all shards of the last are made, so that what is before a shard is known when it is made.
func lockUnplanned(ctx context.Context, tx pgx.Tx, limit int) ([]unplannedPost, error) {
	found, err := collect[unplannedPost](ctx, tx, sqlUnplanned, limit, waitingPage)
	if err != nil {
		return nil, fmt.Errorf("unplanned posts: %w", err)
	}
	return found, nil
}

// setAsidePost gives a post that cannot be planned a fan-out without copies that says why.
func setAsidePost(ctx context.Context, q querier, p *unplannedPost, reason string) error {
	_, err := q.Exec(ctx, `
		WITH f AS (
			INSERT INTO fanout (post, list, verp, ordered, accepted, expires, planned, error)
			VALUES (@post::uuid, (SELECT id FROM list WHERE id = @list), false, false, @accepted, now() + @keep::interval, now(), @reason))
		UPDATE post SET planned = now() WHERE id = @post::uuid`, pgx.NamedArgs{
		"post": p.ID, "list": p.List, "accepted": p.Accepted, "keep": keepTrying, "reason": reason,
	})
	if err != nil {
		return fmt.Errorf("post %s aside: %w", p.ID, err)
	}
	return nil
}

// replanForwards puts posts to owners or to the site back in the queue that were set aside, for the
// reason given, and that somebody would get now. It returns how many.
func replanForwards(ctx context.Context, q querier, reason string) (int64, error) {
	tag, err := q.Exec(ctx, `
		WITH aside AS MATERIALIZED (
			SELECT f.id, f.post FROM fanout f JOIN post p ON p.id = f.post
			WHERE f.error <> '' AND f.error = $1 AND p.kind IN ('owners', 'admins')
				AND (EXISTS (SELECT FROM role r WHERE r.list = f.list)
					OR EXISTS (SELECT FROM person h JOIN person_address a ON a.person = h.id WHERE h.admin))
			ORDER BY f.id LIMIT 500 FOR UPDATE OF f SKIP LOCKED),
		gone AS (DELETE FROM fanout USING aside WHERE fanout.id = aside.id)
		UPDATE post SET planned = NULL FROM aside WHERE post.id = aside.post`, reason)
	if err != nil {
		return 0, fmt.Errorf("posts to owners of whom there were none: %w", err)
	}
	return tag.RowsAffected(), nil
}

func markPlanned(ctx context.Context, tx pgx.Tx, posts []unplannedPost) error {
	ids := make([]string, len(posts))
	for i := range posts {
		ids[i] = posts[i].ID
	}
	if _, err := tx.Exec(ctx, `UPDATE post SET planned = now() WHERE id = ANY($1::uuid[])`, ids); err != nil {
		return fmt.Errorf("posts planned: %w", err)
	}
	return nil
}

// insertPostFanouts begins the fan-outs of posts to lists, no two of them to the same, and returns them in the
// order of the posts. A list counts its fan-outs, for verp every n-th time. A copy that is tracked has its
// own envelope sender always.
func insertPostFanouts(ctx context.Context, tx pgx.Tx, posts []*unplannedPost) ([]*planRow, error) {
	if len(posts) == 0 {
		return nil, nil
	}
	type row struct {
		N         int
		ID        int64
		Verp      bool
		Lists     []int64
		Siblings  bool
		Addressed bool // there is who wants no copy where they are addressed
	}
	ids, lists, accepted := make([]string, len(posts)), make([]int64, len(posts)), make([]time.Time, len(posts))
	for i, p := range posts {
		ids[i], lists[i], accepted[i] = p.ID, p.List, p.Accepted
	}
	made, err := collect[row](ctx, tx, sqlReach+`,
		counted AS (
			UPDATE list SET posts = posts + 1 FROM root r WHERE id = r.list
			RETURNING r.n, tracking <> 'off' OR CASE verp WHEN 0 THEN false ELSE posts % verp = 0 END AS verp, tracking),
		made AS (
			INSERT INTO fanout (post, list, verp, ordered, accepted, expires, tracking, lists)
			SELECT (@posts::uuid[])[c.n], r.list, c.verp, true, r.accepted, now() + @keep::interval, c.tracking,
				ARRAY(SELECT list FROM reached x WHERE x.n = c.n ORDER BY x.depth, x.list)
			FROM counted c JOIN root r ON r.n = c.n ORDER BY c.n
			RETURNING id, list, verp, lists)
		SELECT r.n, m.id, m.verp, m.lists, `+sqlUnaddressed+` AS addressed,
			EXISTS (SELECT FROM sibling s WHERE s.list = m.list)
			OR EXISTS (SELECT FROM sibling s WHERE s.sibling = m.list) AS siblings
		FROM made m JOIN root r ON r.list = m.list ORDER BY r.n`, pgx.NamedArgs{"posts": ids, "lists": lists, "accepted": accepted, "keep": keepTrying})
	if err != nil {
		return nil, fmt.Errorf("fan-outs of %d posts: %w", len(posts), err)
	}
	if len(made) < len(posts) {
		return nil, errNoList
	}
	plans := make([]*planRow, len(made))
	for i, m := range made {
		p := posts[m.N-1]
		plans[i] = &planRow{ID: m.ID, List: p.List, Verp: m.Verp, Accepted: p.Accepted, Lists: m.Lists, PlanList: 1, Author: p.Author, Host: p.Host}
		if m.Siblings {
			plans[i].Beside, err = saveBeside(ctx, tx, m.ID, p)
		}
		if err == nil && (m.Addressed || len(plans[i].Beside) > 0) {
			plans[i].Addressed, err = saveAddressed(ctx, tx, m.ID, p)
		}
		if err != nil {
			return nil, fmt.Errorf("fan-out of post %s: %w", p.ID, err)
		}
	}
	return plans, nil
}

// insertOwnersFanout makes the fan-out of mail to a list's owners and moderators, or to the site. It
// returns how many they are; the site's admins stand in for a list that has none.
func insertOwnersFanout(ctx context.Context, tx pgx.Tx, p *unplannedPost) (id int64, copies int, err error) {
	err = tx.QueryRow(ctx, `
		WITH owners AS (
			SELECT DISTINCT ON (key) key, address FROM role WHERE list = @list ORDER BY key),
		admins AS (
			SELECT a.key, a.address FROM person p JOIN person_address a ON a.person = p.id
			WHERE p.admin AND NOT EXISTS (SELECT FROM owners)),
		who AS (SELECT * FROM owners UNION ALL SELECT * FROM admins)
		INSERT INTO fanout (post, list, verp, ordered, accepted, expires, lists, addresses, planned, copies)
		SELECT @post::uuid, NULLIF(@list, 0::bigint), false, false, @accepted, now() + @keep::interval,
			CASE WHEN @list = 0 THEN '{}' ELSE ARRAY[@list::bigint] END,
			COALESCE((SELECT array_agg(address ORDER BY key) FROM who), '{}'), now(), (SELECT count(*) FROM who)
		RETURNING id, copies`, pgx.NamedArgs{
		"post": p.ID, "list": p.List, "accepted": p.Accepted, "keep": keepTrying,
	}).Scan(&id, &copies)
	if err != nil {
		return 0, 0, fmt.Errorf("fan-out of post %s to owners: %w", p.ID, err)
	}
	return id, copies, nil
}

// sqlReach begins a statement with what lists reach, of whose n-th a post was accepted then: itself, the
// lists that it holds as members, and those that they hold, each once and at its least depth.
const sqlReach = `
		WITH RECURSIVE root AS (
			SELECT * FROM unnest(@lists::bigint[], @accepted::timestamptz[]) WITH ORDINALITY AS q(list, accepted, n)),
		reach(n, accepted, list, depth) AS (
			SELECT n, accepted, list, 0 FROM root
			UNION
			SELECT r.n, r.accepted, m.nested, r.depth + 1 FROM reach r
			JOIN member m ON m.list = r.list AND m.nested IS NOT NULL AND m.left_at IS NULL
				AND m.state = 'active' AND m.mode = 'each' AND m.joined <= r.accepted
				AND (m.away_from IS NULL OR (r.accepted AT TIME ZONE 'UTC')::date NOT BETWEEN m.away_from AND m.away_until)
			JOIN list l ON l.id = m.nested AND l.deleted IS NULL
			WHERE r.depth < 16),
		reached AS (
			SELECT n, list, min(depth) AS depth FROM reach GROUP BY n, list)`

// selectNested finds what a list reaches, nearest first.
func selectNested(ctx context.Context, q querier, list int64, accepted time.Time) ([]int64, error) {
	lists, err := collectIDs(ctx, q, sqlReach+` SELECT list FROM reached ORDER BY depth, list`,
		pgx.NamedArgs{"lists": []int64{list}, "accepted": []time.Time{accepted}})
	if err != nil {
		return nil, fmt.Errorf("lists nested in list %d: %w", list, err)
	}
	return lists, nil
}

// planRow is a fan-out that is being planned, and how far it has come.
type planRow struct {
	ID         int64
	List       int64
	Verp       bool
	Accepted   time.Time
	Lists      []int64
	PlanList   int    `db:"plan_list"` // from 1, into Lists
	PlanDomain string `db:"plan_domain"`
	PlanMember int64  `db:"plan_member"`
	Copies     int64
	Beside     []uuid.UUID // earlier posts of the same message to siblings
	Addressed  []string    // keys in To and Cc, where that matters to somebody
	Author     string
	Host       string // the list's domain
}

// lockPlan takes the fan-out whose last step was longest ago; nil if there is none or other nodes have
// them all. The lock leaves the key alone: outcomes of shards that are being sent refer to it, and a
// step takes as long as many of them.
func lockPlan(ctx context.Context, tx pgx.Tx) (*planRow, error) {
	found, err := collect[planRow](ctx, tx, `
		SELECT f.id, f.list, f.verp, f.accepted, f.lists, f.plan_list, f.plan_domain, f.plan_member, f.copies, f.beside, f.addressed, p.author, d.name AS host
		FROM fanout f JOIN post p ON p.id = f.post JOIN list l ON l.id = f.list JOIN domain d ON d.id = l.domain
		WHERE f.planned IS NULL AND f.error = ''
		ORDER BY f.stepped LIMIT 1 FOR NO KEY UPDATE OF f SKIP LOCKED`)
	if err != nil {
		return nil, fmt.Errorf("unplanned fan-outs: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

// memberPage asks for members to plan.
type memberPage struct {
	plan   *planRow
	beside []reach
	author string // key
	limit  int
	// add is called for each, with octets that are only good until it returns.
	add func(id int64, domain, address []byte)
}

// selectRecipients reads the next members of the lists that plans are at, by domain: who had joined
// when the post was accepted, receives, was not on vacation then, is not the author if the author wants no copy, is in
// no nearer list, and gets no copy from a sibling.
func selectRecipients(ctx context.Context, tx pgx.Tx, pages []memberPage) error {
	batch := &pgx.Batch{}
	for i := range pages {
		text, args := pages[i].query()
		batch.Queue(text, args).Query(pages[i].read)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("recipients: %w", err)
	}
	return nil
}

func (page *memberPage) query() (string, pgx.NamedArgs) {
	const one = `
		SELECT m.id, m.domain, m.address FROM member m
		WHERE m.list = @list AND m.left_at IS NULL AND m.state = 'active' AND m.mode = 'each'
			AND (m.domain, m.id) > (@domain, @member) AND m.joined <= @accepted AND m.nested IS NULL
			AND (m.own_posts OR m.key <> @author)
			AND (m.away_from IS NULL OR @day::date NOT BETWEEN m.away_from AND m.away_until)`
	// Who was in a nearer list is left to it, even with delivery stopped there: what somebody said
	// nearer to the list counts. Asked as of the acceptance, so that no step answers differently.
	const nested = `
			AND NOT EXISTS (SELECT FROM member o WHERE o.key = m.key AND o.list = ANY(@nearer)
				AND o.left_at IS NULL AND o.joined <= @accepted)
			AND NOT EXISTS (SELECT FROM member o WHERE o.key = m.key AND o.list = ANY(@nearer)
				AND o.left_at > @accepted AND o.joined <= @accepted)`
	const order = `
		ORDER BY m.domain, m.id LIMIT @limit`
	p := page.plan
	args := pgx.NamedArgs{
		"list": p.Lists[p.PlanList-1], "domain": p.PlanDomain, "member": p.PlanMember,
		"accepted": p.Accepted, "author": page.author, "limit": page.limit,
		"day": p.Accepted.UTC(),
	}
	text := one
	if p.PlanList > 1 {
		text += nested
		args["nearer"] = p.Lists[:p.PlanList-1]
	}
	if len(p.Addressed) > 0 {
		text += sqlNotAddressed
		args["addressed"] = p.Addressed
	}
	if len(page.beside) > 0 {
		args["addressed"] = p.Addressed
		text += sqlNotBeside
		addReaches(args, page.beside)
	}
	return text + order, args
}

func (page *memberPage) read(rows pgx.Rows) error {
	var id int64
	var domain, address pgtype.DriverBytes
	for rows.Next() {
		if err := rows.Scan(&id, &domain, &address); err != nil {
			return err
		}
		page.add(id, domain, address)
	}
	return rows.Err()
}

// savePlans stores how far plans have come.
func savePlans(ctx context.Context, tx pgx.Tx, plans []*planRow) error {
	if len(plans) == 0 {
		return nil
	}
	var ids, members, copies []int64
	var lists []int
	var domains []string
	var complete []bool
	for _, p := range plans {
		ids, members, copies = append(ids, p.ID), append(members, p.PlanMember), append(copies, p.Copies)
		lists, domains, complete = append(lists, p.PlanList), append(domains, p.PlanDomain), append(complete, p.PlanList > len(p.Lists))
	}
	_, err := tx.Exec(ctx, `
		UPDATE fanout f SET plan_list = p.list, plan_domain = p.domain, plan_member = p.member,
			copies = p.copies, stepped = clock_timestamp(), planned = CASE WHEN p.complete THEN now() END
		FROM unnest($1::bigint[], $2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::bool[]) AS p(id, list, domain, member, copies, complete)
		WHERE f.id = p.id`, ids, lists, domains, members, copies, complete)
	if err != nil {
		return fmt.Errorf("how far plans have come: %w", err)
	}
	return nil
}

// planNotices makes a fan-out of one for notices that wait, up to limit, and returns how many. They
// go before all posts.
func planNotices(ctx context.Context, q querier, dest int64, limit int) (int64, error) {
	var n int64
	err := q.QueryRow(ctx, `
		WITH waiting AS (
			SELECT id, list, address, made FROM notice WHERE planned IS NULL
			ORDER BY made, id LIMIT @limit FOR UPDATE SKIP LOCKED),
		f AS (
			INSERT INTO fanout (notice, list, verp, ordered, accepted, expires, lists, addresses, planned, copies)
			SELECT id, list, false, false, made, now() + @keep::interval,
				CASE WHEN list IS NULL THEN '{}' ELSE ARRAY[list] END, ARRAY[address], now(), 1
			FROM waiting RETURNING id),
		s AS (
			INSERT INTO shard (fanout, dest, turn, size) SELECT f.id, @dest, @turn, 1 FROM f RETURNING id),
		m AS (
			INSERT INTO shard_members (shard, members) SELECT id, '{-1}' FROM s),
		marked AS (
			UPDATE notice n SET planned = now() FROM waiting w WHERE n.id = w.id)
		SELECT count(*) FROM waiting`, pgx.NamedArgs{"dest": dest, "turn": noticeTurn, "limit": limit, "keep": keepTrying}).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("notices: %w", err)
	}
	return n, nil
}
