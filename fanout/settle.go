package fanout

import (
	"errors"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// settle turns what became of a batch into the run's next outcome. The answer is the one to the
// text, or what stands for it where none came; who was refused before is judged by that refusal.
func (r *run) settle(b *batch, host string, answer refusal) {
	now := time.Now()
	first := 0 // of the recipients in a row that were answered the same
	var all, refused int64
	var last *smtp.Reply // of the refusals
	for i, place := range b.who {
		said := b.said(i, answer)
		if v := judge(said.stage, said.reply); v == delivered {
			r.succeed(place)
			all++
		} else {
			if v == bounce {
				all, refused, last = all+1, refused+1, said.reply
			}
			r.fail(place, v, said, host)
		}
		if i+1 == len(b.who) || b.who[i+1] != place+1 || b.said(i+1, answer).reply != said.reply {
			r.journal.add(now, r.Done+int32(b.who[first]), r.Done+int32(place), host, said.reply)
			first = i + 1
		}
	}
	r.flying--
	r.breaks = 0
	r.pass(b.to)
	r.heed(all, refused, host, last)
}

// said is what recipient i was answered: a refusal, or what came to the text.
func (b *batch) said(i int, answer refusal) refusal {
	if i < len(b.refused) && b.refused[i].reply != nil {
		return b.refused[i]
	}
	return answer
}

// postpone makes deferrals of a batch that nobody was asked about: its destination has no room, or must
// not have it. The latter is for the journal too: somebody may ask why a copy was held back.
func (r *run) postpone(b *batch, reply *smtp.Reply, wait time.Duration) {
	now := time.Now()
	first := 0
	for i, place := range b.who {
		if reply.Enhanced[1] == 7 && (i+1 == len(b.who) || b.who[i+1] != place+1) {
			r.journal.add(now, r.Done+int32(b.who[first]), r.Done+int32(place), b.lane.name, reply)
			first = i + 1
		}
		r.outcome.exceptions = append(r.outcome.exceptions, exception{
			member: r.members[place], state: copyDeferred, attempts: r.attempt(place) - 1,
			wait: r.within(wait), host: b.lane.name, status: status(reply), reply: clean(reply.Error()),
		})
	}
	r.flying--
	r.pass(b.to)
}

func (r *run) succeed(place int) {
	r.outcome.sent++
	if r.Retry {
		r.outcome.exceptions = append(r.outcome.exceptions, exception{member: r.members[place], state: copyGone})
	}
}

func (r *run) fail(place int, v verdict, said refusal, host string) {
	x := exception{
		member:   r.members[place],
		state:    copyDeferred,
		attempts: r.attempt(place),
		status:   status(said.reply),
		host:     host,
		reply:    clean(said.reply.Error()),
	}
	switch {
	case v == bounce:
		x.state, x.source, x.hard = copyFailed, "smtp", isHard(said.stage, said.reply)
	case !time.Now().Before(r.expires):
		x.state, x.source = copyFailed, "expired"
	default:
		x.wait = r.within(r.lane.traffic.pace.retry(int(x.attempts)))
	}
	r.outcome.exceptions = append(r.outcome.exceptions, x)
}

// within cuts a wait off where the time of the fan-out ends.
func (r *run) within(wait time.Duration) time.Duration {
	return max(min(wait, time.Until(r.expires)), 0)
}

// pass moves the run's outcome on to a place, and over those after it who have left.
func (r *run) pass(to int) {
	for r.settled < to || r.settled < len(r.members) && r.addresses[r.settled] == "" {
		if r.addresses[r.settled] == "" {
			r.outcome.dropped++
			if r.Retry {
				r.outcome.exceptions = append(r.outcome.exceptions, exception{member: r.members[r.settled], state: copyGone})
			}
		}
		r.settled++
	}
	r.next = max(r.next, r.settled)
	r.outcome.done = r.Done + int32(r.settled)
}

// stopped says whether nothing more of the run is to be begun: somebody holds it, or dropped it, or
// its post is being stopped, or it gives way.
func (r *run) stopped() bool {
	return r.yields || r.stop != nil && r.stop.Load() || r.message != nil && r.message.verdicts.stop.Load()
}

// shorten leaves the places that were not given to a batch to whoever claims the shard next.
func (r *run) shorten() {
	if r.next < len(r.members) {
		r.members, r.short = r.members[:r.next], true
	}
}

// complete says whether everybody in the run has an outcome.
func (r *run) complete() bool { return r.settled == len(r.members) }

// status is the enhanced status code of a reply, made from its code where it has none.
func status(r *smtp.Reply) string {
	if s := r.Enhanced.String(); s != "" {
		return s
	}
	return smtp.Enhanced{r.Code / 100, 0, 0}.String()
}

// unanswered stands for the reply of a server that gave none (RFC 3463 §3.5, §3.8).
func unanswered(err error) *smtp.Reply {
	why := smtp.Enhanced{4, 4, 2}
	var failed *smtpclient.Error
	switch {
	case errors.Is(err, smtpclient.ErrNoTLS):
		why = smtp.Enhanced{4, 7, 4}
	case errors.Is(err, errTLSA), errors.Is(err, errPolicy), errors.As(err, &failed) && failed.Stage == smtpclient.StageTLS:
		why = smtp.Enhanced{4, 7, 5}
	}
	return smtp.NewReply(smtp.CodeLocalError, why, clean(err.Error()))
}

// noAnswer is unanswered, for the text.
func noAnswer(err error) refusal { return refusal{smtpclient.StageDot, unanswered(err)} }
