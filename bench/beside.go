package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// The small lists have a tenth of the large one's members together: a list for each thousand.
const (
	smallMembers  = 100
	membersASmall = 1_000
	besideLimit   = 100. / 3
)

// measureBeside posts to the large list and then to many small ones at once, and takes how much of
// the large one's time has gone by when the last small one is done.
func (b *bench) measureBeside(ctx context.Context) ([]row, error) {
	lists := max(b.million/membersASmall, 1)
	if err := b.haveMillion(ctx); err != nil {
		return nil, err
	}
	if err := b.muster.run(ctx, "list", "set", listAddress("million"), "verp=false"); err != nil {
		return nil, err
	}
	if err := b.store.makeSmallLists(ctx, lists); err != nil {
		return nil, err
	}
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("posts to %d lists of %d members beside one to %d, all done after %% of its time", lists, smallMembers, b.million)
	var shares []float64
	for range b.runs {
		if err := b.store.settle(ctx); err != nil {
			return nil, err
		}
		t, err := b.postBeside(ctx, lists)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		b.say("%s: %v of %v, the last accepted after %v", name, t.small.Round(time.Millisecond), t.large.Round(time.Millisecond), t.accepted.Round(time.Millisecond))
		shares = append(shares, 100*t.small.Seconds()/t.large.Seconds())
	}
	return []row{limitRow(name, median(shares), besideLimit)}, nil
}

// besideTimes are from the 250 of the large post, which comes first: to its end, to the 250 of the
// last small one, and to the end of the last small one.
type besideTimes struct{ large, accepted, small time.Duration }

func (b *bench) postBeside(ctx context.Context, lists int) (t besideTimes, err error) {
	id, err := b.store.listID(ctx, "million")
	if err != nil {
		return t, err
	}
	before, err := b.store.youngest(ctx)
	if err != nil {
		return t, err
	}
	p, err := b.newPoster(ctx, listAddress("million"), bodyText())
	if err != nil {
		return t, err
	}
	if err := p.post(1); err != nil {
		return t, err
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		sent, err := b.awaitFanout(ctx, id, before)
		t.large = time.Since(p.accepted)
		if err == nil && sent != int64(b.million) {
			err = fmt.Errorf("%d of %d copies were delivered", sent, b.million)
		}
		return err
	})
	both.Go(func() error {
		if err := b.postToSmall(ctx, lists); err != nil {
			return err
		}
		t.accepted = time.Since(p.accepted)
		err := b.awaitSmall(ctx, before, lists)
		t.small = time.Since(p.accepted)
		return err
	})
	err = both.Wait()
	return t, err
}

// postToSmall posts to each small list over a connection of its own, twenty at a time.
func (b *bench) postToSmall(ctx context.Context, lists int) error {
	body := bodyText()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(connections)
	for n := range lists {
		g.Go(func() error {
			p, err := b.newPoster(ctx, listAddress(smallName(n)), body)
			if err != nil {
				return err
			}
			return p.post(1)
		})
	}
	return g.Wait()
}

// awaitSmall waits for the ends of as many fan-outs of small lists as there are lists, younger than
// the one before.
func (b *bench) awaitSmall(ctx context.Context, before int64, lists int) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(10 * time.Minute)
	for time.Now().Before(deadline) {
		done, sent, err := b.store.smallDone(ctx, before)
		if err != nil {
			return err
		}
		if done >= lists {
			if sent != lists*smallMembers {
				err = fmt.Errorf("%d of %d copies to small lists were delivered", sent, lists*smallMembers)
			}
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("the fan-outs of the small lists did not end in ten minutes")
}

// youngest is the fan-out that began last.
func (s *store) youngest(ctx context.Context) (id int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM fanout`).Scan(&id)
	return id, err
}

func smallName(n int) string { return fmt.Sprintf("small%d", n) }

// A thousand lists by commands would take longer than what is measured with them.
const smallLists = `
WITH made AS (
    INSERT INTO list (domain, local, post_policy, verp)
    SELECT d.id, 'small' || n, 'anyone', 0 FROM domain d, generate_series(0, $1 - 1) n WHERE d.name = 'lists.example'
    RETURNING id)
INSERT INTO member (list, key, address, domain)
SELECT made.id, a.address, a.address, a.domain
FROM made, LATERAL (
    SELECT 'user' || n || '@' || d AS address, d AS domain
    FROM (SELECT n, 'd' || lpad(n::text, 2, '0') || '.example' AS d FROM generate_series(0, $2 - 1) n) numbered) a`

func (s *store) makeSmallLists(ctx context.Context, lists int) error {
	_, err := s.pool.Exec(ctx, smallLists, lists, smallMembers)
	return err
}

const smallDone = `
SELECT count(*), coalesce(sum(CASE WHEN f.finished IS NOT NULL THEN f.delivered
                                   ELSE (SELECT sum(s.sent) FROM shard s WHERE s.fanout = f.id) END), 0)
FROM fanout f JOIN list l ON l.id = f.list
WHERE f.id > $1 AND f.post IS NOT NULL AND l.local LIKE 'small%'
  AND (f.finished IS NOT NULL
       OR f.planned IS NOT NULL AND NOT EXISTS (SELECT FROM shard s WHERE s.fanout = f.id AND s.state <> 'done'))`

// smallDone is how many fan-outs of small lists younger than one have ended, and their copies.
func (s *store) smallDone(ctx context.Context, before int64) (done, sent int, err error) {
	err = s.pool.QueryRow(ctx, smallDone, before).Scan(&done, &sent)
	return done, sent, err
}
