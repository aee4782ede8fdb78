package fanout

import (
	"slices"
	"strings"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// run is a claimed shard on its way: who is left to reach, and how far it has come. Places count
// from the shard's first member that was not settled when it was claimed (base).
type run struct {
	claim
	*recipients
	message *message
	lane    *lane     // whose queue it came from
	domain  string    // of all in it; "" where that is not known, or they are of many
	met     time.Time // when the DNS did not say where that leads
	expires time.Time

	next    int // first place not given to a batch
	checked int // places before it were asked for whether they left
	settled int // places before it have an outcome
	flying  int // batches taken and not settled or put back
	breaks  int // connections in a row that ended under its batches

	outcome outcome
	journal journal
	lost    error // why it is not ours any more
	short   bool  // not all of it is to be sent: the rest is given back
	yields  bool  // it is given back: others go first
	gone    bool  // it was dismissed
}

func newRun(c claim, who *recipients, m *message, l *lane) *run {
	r := &run{
		claim: c, recipients: who, message: m, lane: l,
		expires: time.Now().Add(who.left),
		checked: firstCheck(m),
		outcome: outcome{shard: c.ID, epoch: c.Epoch, done: c.Done, sent: c.Sent, dropped: c.Dropped, result: make(chan error, 1)},
	}
	r.outcome.counted.sent, r.outcome.counted.dropped = c.Sent, c.Dropped
	return r
}

// checkEvery is how many members go by before those to come are asked for whether they left.
const checkEvery = 50

// isNotice says whether it is a notice, by its turn.
func (r *run) isNotice() bool { return r.Turn == noticeTurn }

// list is whose member stands at a place.
func (r *run) list(place int) int64 {
	if r.lists == nil {
		return 0
	}
	return r.lists[place]
}

// attempt is the number of the attempt that a place is at now.
func (r *run) attempt(place int) int32 {
	if r.attempts == nil {
		return 1
	}
	return r.attempts[place] + 1
}

// drop takes out who has left, up to a place.
func (r *run) drop(to int, has func(member int64) bool) {
	for i := r.next; i < to; i++ {
		if has(r.members[i]) {
			r.addresses[i] = ""
		}
	}
	r.checked = to
}

// batch is what one transaction carries of a run: the places from up to to, of which who are the
// recipients. Batches are used again.
type batch struct {
	run      *run
	message  *message // the run's, or what a server without 8BITMIME gets in its place
	lane     *lane    // where it goes
	from, to int
	who      []int
	envelope smtpclient.Envelope
	personal smtpclient.Text // the recipient's own header fields
	original smtpclient.Text // who it was for, where it goes to somebody else
	refused  []refusal       // by recipient
	pause    time.Duration   // for which its server has said that it does not want more
	ticket   ticket          // its room in what may go out at all
	local    bool            // what was answered is our own word: no server said it
}

// refusal is why a recipient was refused before the text, or what was answered for that one's copy alone, be
// it a yes. A nil reply is none.
type refusal struct {
	stage smtpclient.Stage
	reply *smtp.Reply
}

// fill takes the next recipients of a run, at most limit and all of one domain where lanes differ
// by domain, among the places that were checked. It returns false if none of those is left who gets
// a copy.
func (b *batch) fill(r *run, limit int, laneOf func(domain string) *lane) bool {
	m := r.message
	redirected := !m.redirect.IsZero()
	if m.personal || redirected {
		limit = 1
	}
	b.run, b.from, b.to, b.lane, b.message = r, r.next, r.next, r.lane, m
	b.who, b.refused, b.ticket = b.who[:0], b.refused[:0], ticket{}
	b.pause = 0
	b.envelope = smtpclient.Envelope{To: b.envelope.To[:0], Size: m.size, EightBit: m.eightbit, UTF8: m.utf8, From: m.sender}
	domain := ""
	for end := min(r.checked, len(r.members)); b.to < end && len(b.who) < limit; {
		address := r.addresses[b.to]
		if address == "" {
			b.to++
			continue
		}
		a := splitAddress(address)
		if laneOf != nil && len(b.who) > 0 && !strings.EqualFold(a.Domain, domain) {
			break
		}
		domain = a.Domain
		b.who = append(b.who, b.to)
		b.envelope.To = append(b.envelope.To, a)
		b.to++
	}
	if len(b.who) == 0 {
		r.next = b.to
		return false
	}
	if laneOf != nil {
		b.lane = laneOf(domain)
	}
	if m.personal {
		b.personalise(m)
	}
	if redirected {
		b.redirectTo(m.redirect)
	}
	r.next = b.to
	r.flying++
	return true
}

// personalise makes what is the only recipient's own.
func (b *batch) personalise(m *message) {
	place := b.who[0]
	list, member := b.run.list(place), b.run.members[place]
	b.personal = m.appendPersonal(b.personal[:0], list, member)
	b.envelope.From = m.senderTo(list, member)
	b.envelope.Size += int64(len(b.personal))
	if m.tracked != "" {
		b.track(m.tracked)
	}
}

// track asks for reports to the envelope sender, with the post's name in them (RFC 3461 §4). Servers that do
// not offer them are asked nothing.
func (b *batch) track(id string) {
	b.envelope.Notify, b.envelope.Return = "SUCCESS,FAILURE,DELAY", "HDRS"
	b.envelope.ID, b.envelope.Original = id, true
}

// splitAddress reads a stored address, which was parsed when it came in: nearly always it can be
// cut at its only @.
func splitAddress(s string) smtp.Address {
	if i := strings.IndexByte(s, '@'); i > 0 && s[0] != '"' {
		return smtp.Address{Local: s[:i], Domain: s[i+1:]}
	}
	a, err := smtp.ParseAddress(s)
	if err != nil {
		return smtp.Address{Local: s}
	}
	return a
}

// cut leaves only the first n recipients in a batch and gives the others back to the run, from
// which nothing may have been taken since.
func (b *batch) cut(n int) {
	b.to = b.who[n]
	b.run.next = b.to
	b.refund(n)
	b.who = b.who[:n]
	b.envelope.To = b.envelope.To[:n]
	if len(b.refused) > n {
		b.refused = b.refused[:n]
	}
}

// putBack gives a batch back to its run, as if it had not been taken. Of several batches of a run
// the last is put back first.
func (b *batch) putBack() {
	b.run.next = b.from
	b.run.flying--
	b.refund(0)
}

// refund gives back what the batch took of what may go out beyond its first keep copies.
func (b *batch) refund(keep int) {
	if b.ticket.copies > keep {
		b.lane.traffic.throttle.refund(b, keep)
	}
}

// note keeps what the server said to the envelope.
func (b *batch) note(a *smtpclient.Answer) {
	b.refused, b.local = b.refused[:0], a.Local
	for i := range b.who {
		switch {
		case a.Mail != nil:
			b.refused = append(b.refused, refusal{smtpclient.StageMail, a.Mail})
		case a.Rcpt[i] != nil:
			b.refused = append(b.refused, refusal{smtpclient.StageRcpt, a.Rcpt[i]})
		case a.Data != nil:
			b.refused = append(b.refused, refusal{smtpclient.StageData, a.Data})
		default:
			b.refused = append(b.refused, refusal{})
		}
	}
}

// each notes what was said of each copy of its own, where the server tells them apart. Those in a row who
// were told the same share one reply, which makes one line of the journal.
func (b *batch) each(replies []*smtp.Reply) {
	var last *smtp.Reply
	for i, r := range replies[:min(len(replies), len(b.refused))] { // a batch may have been cut
		if r == nil {
			continue
		}
		if last != nil && last.Code == r.Code && last.Enhanced == r.Enhanced && slices.Equal(last.Lines, r.Lines) {
			r = last
		}
		b.refused[i] = refusal{smtpclient.StageCopy, r}
		last = r
	}
}

// refuseAll notes one refusal of ours for all recipients.
func (b *batch) refuseAll(stage smtpclient.Stage, reply *smtp.Reply) {
	b.refused, b.local = b.refused[:0], true
	for range b.who {
		b.refused = append(b.refused, refusal{stage, reply})
	}
}

// overfull returns how many recipients the server took before it began to say that there are too
// many, if that is all it had against the others.
func (b *batch) overfull() (n int, ok bool) {
	for n < len(b.refused) && !tooMany(b.refused[n].reply) {
		n++
	}
	if n == 0 || n == len(b.refused) {
		return 0, false
	}
	for _, r := range b.refused[n:] {
		if !tooMany(r.reply) {
			return 0, false
		}
	}
	return n, true
}

// firstCheck is the place before which the answer at the claim is good enough.
func firstCheck(m *message) int {
	if m == nil || m.personal {
		return checkEvery
	}
	return batchSize
}
