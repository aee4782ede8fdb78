package lists

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxQuestions bounds a batch of recipients.
	maxQuestions = 64
	// askPatience is for one statement, whoever waits for it: who asks may be gone.
	askPatience = 20 * time.Second
)

// targetReader asks for the recipients of sessions that come at the same time in one statement. Each
// is asked after it was named, and answered as the store is then: nothing is remembered.
type targetReader struct {
	batcher[*targetQuestion]
	pool *pgxpool.Pool
}

func newTargetReader(pool *pgxpool.Pool) *targetReader {
	r := &targetReader{pool: pool}
	r.open, r.do = openQuestions, r.read
	return r
}

// targetQuestion is one recipient, and what is found of it.
type targetQuestion struct {
	domain, local, sender string // keys
	found                 targetRow
	err                   error
}

var errUnasked = errors.New("its batch ended before it")

// row is what a recipient is; its DomainID is 0 where the domain is not served.
func (r *targetReader) row(ctx context.Context, domain, local, sender string) (targetRow, error) {
	q := &targetQuestion{domain: domain, local: local, sender: sender, err: errUnasked}
	if err := r.run(ctx, q); err != nil {
		return targetRow{}, err
	}
	return q.found, q.err
}

func openQuestions() func(*targetQuestion) bool {
	n := 0
	return func(*targetQuestion) bool {
		n++
		return n <= maxQuestions
	}
}

// read answers a batch. Where the database refuses something in it, each is asked by itself.
func (r *targetReader) read(ctx context.Context, batch []*targetQuestion) {
	err := r.ask(ctx, batch)
	if err != nil && len(batch) > 1 && sqlState(err) != "" {
		for _, q := range batch {
			q.err = r.ask(ctx, []*targetQuestion{q})
		}
		return
	}
	for _, q := range batch {
		q.err = err
	}
}

func (r *targetReader) ask(ctx context.Context, batch []*targetQuestion) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	return selectTargets(ctx, r.pool, batch)
}
