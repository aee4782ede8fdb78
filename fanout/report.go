package fanout

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Report is what a later server, or the reader's program, said of one copy of a post that asked for it.
type Report struct {
	At     time.Time
	Kind   string // an Action of package dsn: "delivered", "displayed"
	Host   string // who says so
	Status string
	Text   string // in the server's words
}

// ReportCount is of how many copies one thing was reported.
type ReportCount struct {
	Kind   string
	Copies int64
	More   bool // there are more: not all were counted
}

// Reports tells what was reported of the copy of one member of a post, in order.
func (e *Engine) Reports(ctx context.Context, post uuid.UUID, memberKey string) ([]Report, error) {
	return selectReports(ctx, e.pool, post, memberKey)
}
