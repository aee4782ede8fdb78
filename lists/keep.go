package lists

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists/verdict"
)

// refOctets make the name of a post in links, which cannot be guessed.
const refOctets = 10

func newRef() string {
	var b [refOctets]byte
	rand.Read(b[:]) // never fails: it ends the program rather than be predictable
	return code32.EncodeToString(b[:])
}

// keep writes what is to be kept: in one round trip where all is accepted and the message fits a
// piece, which is nearly always.
func (a *acceptance) keep(ctx context.Context) error {
	if a.over {
		return nil
	}
	return a.write(ctx, slices.DeleteFunc(slices.Clone(a.parts), func(p *part) bool { return !p.isKept() && !p.told }))
}

// isKept says whether the part makes a row.
func (p *part) isKept() bool {
	return p.isRead() && (p.outcome.Refusal == nil || p.held)
}

func (p *part) isHeld() bool { return p.held || p.decision.Action == verdict.Hold }

// waits says whether the part is kept without going anywhere yet.
func (p *part) waits() bool { return p.isHeld() || p.decision.Action == verdict.Confirm }

// write keeps parts, all or none.
func (a *acceptance) write(ctx context.Context, parts []*part) error {
	if len(parts) == 0 {
		return nil
	}
	// Always in this order, so that two messages for the same lists cannot wait for each other.
	slices.SortFunc(parts, func(x, y *part) int { return cmp.Compare(x.target.List.ID, y.target.List.ID) })
	kept, told := partition(parts)
	rows := make([]postRow, 0, len(kept))
	for _, p := range kept {
		row, err := a.row(p)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	plain := a.letter.raw != nil && len(told) == 0 && !slices.ContainsFunc(kept, (*part).waits)
	stored, err := a.insert(ctx, rows, plain, func(tx pgx.Tx, stored []storedPost) error {
		return a.tell(ctx, tx, kept, told, stored)
	})
	if err != nil {
		return fmt.Errorf("message %s: %w", a.letter.messageID, err)
	}
	for i, p := range kept {
		a.record(p, stored[i])
	}
	a.s.cfg.Wake()
	return nil
}

func partition(parts []*part) (kept, told []*part) {
	for _, p := range parts {
		if p.isKept() {
			kept = append(kept, p)
		} else {
			told = append(told, p)
		}
	}
	return kept, told
}

// insert writes rows, by themselves or, where more belongs to them, in a transaction with it.
func (a *acceptance) insert(ctx context.Context, rows []postRow, plain bool, more func(pgx.Tx, []storedPost) error) (stored []storedPost, err error) {
	if plain {
		return a.s.posts.insert(ctx, rows)
	}
	err = a.s.inTx(ctx, func(tx pgx.Tx) error {
		if stored, err = insertPosts(ctx, tx, rows); err != nil {
			return err
		}
		if a.letter.raw == nil {
			if err := a.copyRaw(ctx, tx, rows, stored); err != nil {
				return err
			}
		}
		return more(tx, stored)
	})
	return stored, err
}

// copyRaw streams a large message into the rows that were made.
func (a *acceptance) copyRaw(ctx context.Context, tx pgx.Tx, rows []postRow, stored []storedPost) error {
	for i, row := range rows {
		if !stored[i].Made {
			continue
		}
		r := a.letter.Open()
		n, err := copyPieces(ctx, tx, row.ID, r)
		r.Close()
		if err == nil && n != a.letter.Size {
			err = fmt.Errorf("%d of %d octets", n, a.letter.Size)
		}
		if err != nil {
			return fmt.Errorf("raw message: %w", err)
		}
	}
	return nil
}

// record notes what became of a part.
func (a *acceptance) record(p *part, st storedPost) {
	switch {
	case st.Made && p.waits():
		p.outcome = Outcome{Fate: FateHeld, Post: p.id}
	case st.Made && p.decision.Action == verdict.Discard:
		p.outcome = Outcome{Fate: FateDiscarded, Post: p.id}
	case st.Made:
		p.outcome = Outcome{Fate: FateAccepted, Post: p.id}
	case bytes.Equal(st.BodyHash, a.letter.bodyHash):
		p.outcome = Outcome{Fate: FateDuplicate}
	default:
		p.outcome = Outcome{Refusal: duplicate(p.target.List)}
	}
}

// settleConflicts is settle for what only the database could know: that another message has the
// same Message-ID.
func (a *acceptance) settleConflicts(ctx context.Context) error {
	if a.env.Each || a.over {
		return nil
	}
	var late []*part
	for _, p := range a.parts {
		if p.outcome.Refusal != nil && p.outcome.Refusal.Code == CodeDuplicate {
			late = append(late, p)
		}
	}
	if len(late) == 0 {
		return nil
	}
	if !slices.ContainsFunc(a.judged(), func(p *part) bool { return p.outcome.Refusal == nil }) {
		a.refuseRest(late[0].outcome.Refusal)
		return nil
	}
	for _, p := range late {
		p.decision = verdict.Decision{Action: verdict.Reject, Reason: "duplicate", Trace: p.decision.Trace}
		p.owns = false
		a.divert(p)
	}
	return a.write(ctx, late)
}

// row is a part as it is stored.
func (a *acceptance) row(p *part) (postRow, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return postRow{}, err
	}
	p.id = id
	row := postRow{
		ID: id, Ref: newRef(), Kind: p.kind(), State: PostAccepted, Ruled: string(verdict.Accept), Reason: p.decision.Code(),
		Sender: a.env.From.String(), Author: a.author().String(), Authenticated: a.authenticated(),
		MessageID: a.letter.messageID, Subject: a.letter.verdict.Subject, Size: a.letter.Size, Received: a.received(p), AuthRes: a.authres,
		EightBit: a.letter.EightBit, UTF8: a.env.UTF8 && a.letter.Message.UTF8, HeaderLen: a.letter.HeaderLen, Raw: a.letter.raw,
	}
	if row.Trace, err = traceText(p.decision.Trace); err != nil {
		return postRow{}, err
	}
	if p.target.Kind == TargetAdmins {
		row.Domain = p.target.Domain
	} else {
		row.List = p.target.List.ID
	}
	if row.List != 0 && p.owns {
		row.IDHash, row.BodyHash = a.letter.idHash(row.Kind), a.letter.bodyHash
	}
	switch {
	case p.isHeld():
		row.State, row.Ruled = PostHeld, string(verdict.Hold)
	case p.waits():
		row.State, row.Ruled = PostUnconfirmed, string(verdict.Confirm)
	case p.decision.Action == verdict.Discard:
		row.State, row.Ruled = PostDiscarded, string(verdict.Discard)
	}
	return row, nil
}

// traceText is a trace as it is stored; [] where no rule was asked.
func traceText(trace []verdict.Step) (string, error) {
	if trace == nil {
		return "[]", nil
	}
	text, err := json.Marshal(trace)
	return string(text), err
}

func (p *part) kind() string {
	switch p.target.Kind {
	case TargetOwner:
		return PostKindOwners
	case TargetAdmins:
		return PostKindAdmins
	}
	return PostKindPost
}

// received is the Received field of a part. FOR names the address as it is here, so that a message
// which comes back can be known by it (RFC 5321 §4.4).
func (a *acceptance) received(p *part) string {
	to := p.target.Address
	if p.target.List.ID != 0 {
		to = p.target.List.Address()
		if p.target.Kind == TargetOwner {
			to = p.target.List.Role("owner")
		}
	}
	return "Received: " + a.env.Received + "\r\n\tfor <" + to.Wire() + ">; " + a.at.Format(time.RFC1123Z) + "\r\n"
}
