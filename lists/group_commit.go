package lists

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxBatchPosts and maxBatchOctets bound a batch. A post larger than that is a batch of its own.
	maxBatchPosts  = 64
	maxBatchOctets = 1 << 20
	// writePatience is for one statement, whoever waits for it: the caller who writes it may be gone.
	writePatience = time.Minute
)

// groupCommit writes the posts of sessions that come at the same time in one statement and one
// commit.
type groupCommit struct {
	batcher[*pending]
	pool *pgxpool.Pool
}

func newGroupCommit(pool *pgxpool.Pool) *groupCommit {
	g := &groupCommit{pool: pool}
	g.open, g.do = openPostBatch, g.write
	return g
}

// pending is what one message is to be stored as. Rows that are new are kept all at once; with an error some
// may be, and are found when the message comes again.
type pending struct {
	rows   []postRow
	stored []storedPost
	err    error
}

// errUnwritten is what a message finds whose batch ended before it was written.
var errUnwritten = errors.New("its batch ended before it")

// insert stores rows and answers for each, after their commit. With an error nothing is known of
// them.
func (g *groupCommit) insert(ctx context.Context, rows []postRow) ([]storedPost, error) {
	p := &pending{rows: rows, err: errUnwritten}
	if err := g.run(ctx, p); err != nil {
		return nil, err
	}
	return p.stored, p.err
}

// write stores a batch: at first as if nothing of it had been seen, and then, message by message, what
// had. Where the database refuses something in it, each message is tried by itself, so that none suffers
// for another.
func (g *groupCommit) write(ctx context.Context, batch []*pending) {
	together := g.writeFresh(ctx, batch)
	for _, p := range batch {
		err := together
		if len(batch) > 1 && sqlState(err) != "" {
			err = g.writeFresh(ctx, []*pending{p})
		}
		if err == nil {
			err = g.writeSeen(ctx, p)
		}
		p.err = err
	}
}

// writeFresh stores the rows of messages that nobody has seen, in one statement, and notes which.
func (g *groupCommit) writeFresh(ctx context.Context, batch []*pending) error {
	var rows []postRow
	for _, p := range batch {
		rows = append(rows, p.rows...)
	}
	if len(rows) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	var made map[uuid.UUID]bool
	err := again(func() (err error) {
		made, err = insertFresh(ctx, g.pool, rows)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range batch {
		p.stored = make([]storedPost, len(p.rows))
		for i := range p.rows {
			if made[p.rows[i].ID] {
				p.stored[i] = storedPost{Made: true, BodyHash: p.rows[i].BodyHash}
			}
		}
	}
	return nil
}

// writeSeen asks for those rows of a message that were not made what was there before, or makes them if it
// is there no longer.
func (g *groupCommit) writeSeen(ctx context.Context, p *pending) error {
	var seen []postRow
	for i := range p.rows {
		if !p.stored[i].Made {
			seen = append(seen, p.rows[i])
		}
	}
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	var stored []storedPost
	err := again(func() (err error) {
		stored, err = insertPosts(ctx, g.pool, seen)
		return err
	})
	if err != nil {
		return err
	}
	for i := range p.stored {
		if !p.stored[i].Made {
			p.stored[i], stored = stored[0], stored[1:]
		}
	}
	return nil
}

// postBatch is messages that can be stored by one statement: no two of it have the same Message-ID in
// a list, as it could not tell one from the other. The second waits for the next batch.
type postBatch struct {
	known  map[messageKey]struct{}
	rows   int
	octets int
}

// messageKey is by what a message is known again in a list.
type messageKey struct {
	list int64
	hash string
}

func openPostBatch() func(*pending) bool {
	return (&postBatch{known: map[messageKey]struct{}{}}).add
}

// add takes a message in, if it fits. The first always does.
func (b *postBatch) add(p *pending) bool {
	octets := 0
	for i := range p.rows {
		octets += len(p.rows[i].Raw)
	}
	if b.rows > 0 && (b.rows+len(p.rows) > maxBatchPosts || b.octets+octets > maxBatchOctets || b.knows(p.rows)) {
		return false
	}
	for i := range p.rows {
		if key, ok := p.rows[i].key(); ok {
			b.known[key] = struct{}{}
		}
	}
	b.rows += len(p.rows)
	b.octets += octets
	return true
}

func (b *postBatch) knows(rows []postRow) bool {
	for i := range rows {
		if key, ok := rows[i].key(); ok {
			if _, known := b.known[key]; known {
				return true
			}
		}
	}
	return false
}

func (r *postRow) key() (messageKey, bool) {
	return messageKey{r.List, string(r.IDHash)}, r.IDHash != nil
}
