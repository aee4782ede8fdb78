package lists

import (
	"context"
	"fmt"
	"strings"
	"time"

	"muster/lists/dsn"
)

const (
	// sealAge is how long after it was made the seal of a bounce address counts: longer than any
	// server keeps trying, shorter than what an old copy is worth to who wants somebody off a list.
	sealAge = 30
	// maxBounce is how much of a bounce is read: what it says comes before what it returns.
	maxBounce = 1 << 20
)

// Sources of a bounce.
const (
	BounceSMTP    = "smtp"    // the next server refused
	BounceMail    = "mail"    // a later server sent a notification
	BounceExpired = "expired" // nobody took it in time
)

// bounce notes a bounce against the member whose seal it came back to. Without a seal nobody is
// blamed: anybody can write such a mail.
func (a *acceptance) bounce(ctx context.Context, t Target) error {
	log := a.s.log.With("list", t.List.Address().String(), "client", a.env.Client, "from", a.env.From.String())
	if t.Detail == "" {
		log.InfoContext(ctx, "bounce without a seal")
		return nil
	}
	sealer, err := a.s.Sealer(ctx)
	if err != nil {
		return err
	}
	seal, ok := sealer.VerifyBounce(t.List.ID, t.Detail)
	if age := SealDay(a.at) - seal.Day; !ok || age > sealAge || age < -1 {
		log.WarnContext(ctx, "bounce with a forged, foreign or old seal", "seal", clip(t.Detail), "age", age, "ours", ok)
		return nil
	}
	start, err := a.letter.start(maxBounce)
	if err != nil {
		return err
	}
	report := dsn.Parse(start)
	tracked, err := a.track(ctx, t.List, seal, report)
	if err != nil {
		return err
	}
	row, ok := a.readBounce(report)
	if !ok && tracked {
		return nil
	}
	if !ok {
		log.InfoContext(ctx, "mail to a bounce address that says of no failure", "member", seal.Member)
		return nil
	}
	row.List, row.Member = t.List.ID, seal.Member
	if err := insertBounce(ctx, a.s.pool, row, a.at.UTC().Truncate(24*time.Hour)); err != nil {
		return fmt.Errorf("bounce of member %d: %w", seal.Member, err)
	}
	return nil
}

// readBounce says what a report says has failed; false where nothing did, as when somebody is away or the server is
// still trying.
func (a *acceptance) readBounce(r dsn.Report) (bounceRow, bool) {
	row := bounceRow{Source: BounceMail}
	switch r.Kind {
	case dsn.Failed:
		worst := r.Worst()
		row.Hard, row.Status, row.Text = worst.Permanent(), worst.Status.String(), worst.Text
		return row, true
	case dsn.Unknown:
		// Servers that say it in a form of their own count as a passing failure: what they
		// returned did come back. People and their vacations write under their own names.
		return row, a.env.From.IsZero() && a.isDaemon()
	}
	return row, false
}

// isDaemon says whether a mail server wrote the message, as far as From can tell.
func (a *acceptance) isDaemon() bool {
	local := strings.ToLower(a.author().Local)
	return local == "mailer-daemon" || local == "postmaster" || local == "mdaemon"
}
