package lists

import (
	"context"
	"fmt"

	"muster/lists/dsn"
)

// track notes what a report says of a copy that asked for it, and says whether there was something to note.
// The seal names the member and the day of the post; which post it was, a server says by the envelope's id
// and a reader's program by the Message-ID. Where these do not fit together nothing is noted, and a report
// that fails to be noted is no fault of whoever sent it.
func (a *acceptance) track(ctx context.Context, l List, seal Seal, r dsn.Report) (bool, error) {
	rcpt := r.Worst()
	if rcpt.Action == "" {
		return false, nil
	}
	row := reportRow{
		List: l.ID, Member: seal.Member, Day: seal.Day, Kind: rcpt.Action,
		Host: clip(r.Host), Status: rcpt.Status.String(), Text: rcpt.Text,
	}
	var noted bool
	var err error
	switch {
	case r.Kind == dsn.Read && r.MessageID != "":
		row.IDHash = PostIDHash(PostKindPost, r.MessageID)
		noted, err = insertReadReport(ctx, a.s.pool, row)
	case r.Kind != dsn.Read && r.EnvelopeID != "":
		row.Ref = r.EnvelopeID
		noted, err = insertReport(ctx, a.s.pool, row)
	}
	if err != nil {
		return false, fmt.Errorf("report of member %d: %w", seal.Member, err)
	}
	return noted, nil
}
