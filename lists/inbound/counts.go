package inbound

import (
	"errors"
	"iter"
	"maps"
	"sync/atomic"

	"muster/lists"
	"muster/smtp"
	"muster/smtp/smtpserver"
)

// Question is a kind of question as it is counted: nothing of it was chosen by a client, so there
// are as many as there are, however much is asked.
type Question struct {
	Verb   string // EXPN or VRFY
	By     string // who asked: trusted, authenticated or stranger
	Answer string // listed, cannot_tell, refused, ambiguous or failed
}

// The answers that are told apart, by the code that the client sees; but what went wrong here is
// failed, whatever is said of it.
const (
	answerListed     = "listed"      // 250
	answerCannotTell = "cannot_tell" // 252
	answerRefused    = "refused"     // 550
	answerAmbiguous  = "ambiguous"   // 553
	answerFailed     = "failed"
)

// What became of a message for a recipient, beside the fates of package lists.
const (
	outcomeRefused = "refused"
	outcomeFailed  = "failed"
)

// Counts is what the sessions of a Backend were asked and brought since it was made. New makes it.
type Counts struct {
	open      atomic.Int64
	questions map[Question]*atomic.Int64 // all there are; the map itself never changes
	messages  map[string]*atomic.Int64   // by outcome, as above
}

func newCounts() *Counts {
	c := &Counts{questions: make(map[Question]*atomic.Int64), messages: make(map[string]*atomic.Int64)}
	for _, verb := range []string{"EXPN", "VRFY"} {
		for _, by := range []string{"trusted", "authenticated", "stranger"} {
			for _, answer := range []string{answerListed, answerCannotTell, answerRefused, answerAmbiguous, answerFailed} {
				c.questions[Question{verb, by, answer}] = new(atomic.Int64)
			}
		}
	}
	for _, outcome := range []string{
		string(lists.FateAccepted), string(lists.FateHeld), string(lists.FateDiscarded), string(lists.FateDuplicate), string(lists.FateDone), outcomeRefused, outcomeFailed,
	} {
		c.messages[outcome] = new(atomic.Int64)
	}
	return c
}

// Sessions is how many are open now.
func (c *Counts) Sessions() int64 { return c.open.Load() }

// Questions are all kinds of questions, also those that nobody asked, with how often they were asked.
func (c *Counts) Questions() iter.Seq2[Question, int64] { return loaded(c.questions) }

// Messages are all outcomes, with how many messages had them, each counted once for each recipient.
func (c *Counts) Messages() iter.Seq2[string, int64] { return loaded(c.messages) }

func loaded[K comparable](counts map[K]*atomic.Int64) iter.Seq2[K, int64] {
	return func(yield func(K, int64) bool) {
		for what, n := range maps.All(counts) {
			if !yield(what, n.Load()) {
				return
			}
		}
	}
}

func (c *Counts) question(verb string, by *smtpserver.Client, answer string) {
	q := Question{Verb: verb, By: "stranger", Answer: answer}
	switch {
	case by.Trusted:
		q.By = "trusted"
	case by.User != "":
		q.By = "authenticated"
	}
	c.questions[q].Add(1)
}

// message counts a message for n recipients.
func (c *Counts) message(outcome string, n int) {
	if count := c.messages[outcome]; count != nil {
		count.Add(int64(n))
	}
}

// answerOf is how a question was answered that ended in err; nil is for one that was answered.
func answerOf(err error) string {
	var why lists.Unanswered
	switch {
	case err == nil:
		return answerListed
	case !errors.As(err, &why), why == lists.Unknowable:
		return answerFailed
	case unanswered(why).Code == smtp.CodeCannotVerify:
		return answerCannotTell
	}
	return answerRefused
}
