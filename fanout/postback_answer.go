package fanout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

const (
	postedOctets = 1 << 20 // of an answer
	// longestPause is how long a server can have itself left alone by Retry-After: no block is longer.
	longestPause = longestBlock
)

var errAnswer = errors.New("the answer is not the JSON that it must be")

// postedAnswer is what a server answers with 2xx.
type postedAnswer struct {
	Recipients []postedOutcome `json:"recipients"`
}

// postedOutcome is what became of a copy.
type postedOutcome struct {
	ID      string `json:"id"`
	Outcome string `json:"outcome"` // delivered, deferred or bounced
	Status  string `json:"status"`  // an enhanced status code (RFC 3463)
	Text    string `json:"text"`
}

// readAnswer makes replies of an answer: one for all, and in a those for each copy.
func readAnswer(r *http.Response, b *batch, ids []string, a *smtpclient.Answer) *smtp.Reply {
	if r.StatusCode < 200 || r.StatusCode > 299 {
		reply := refusedBy(r)
		b.pause = retryAfter(r.Header.Get("Retry-After"), time.Now())
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 4<<10)) // so that the connection can be used again
		return reply
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, postedOctets+1))
	switch {
	case err != nil:
		return unclear(r, fmt.Errorf("%w: %w", errAnswer, err))
	case len(text) > postedOctets:
		return unclear(r, fmt.Errorf("%w: more than %d octets", errAnswer, postedOctets))
	case len(text) == 0:
		return smtp.NewReply(smtp.CodeOK, smtp.StatusOK, "HTTP "+strconv.Itoa(r.StatusCode))
	}
	var said postedAnswer
	if err := json.Unmarshal(text, &said); err != nil {
		return unclear(r, errAnswer)
	}
	outcomes := make(map[string]*postedOutcome, len(said.Recipients))
	for i := range said.Recipients {
		if o := &said.Recipients[i]; outcomes[o.ID] == nil { // the first counts
			outcomes[o.ID] = o
		}
	}
	for _, id := range ids {
		a.Each = append(a.Each, outcomes[id].reply())
	}
	return smtp.NewReply(smtp.CodeOK, smtp.StatusOK, "HTTP "+strconv.Itoa(r.StatusCode))
}

// unclear is a success that does not say of what: it may be another page of the web server, or one in
// front of it. It asks for the destination to be left alone, as somebody has to mend it.
func unclear(r *http.Response, why error) *smtp.Reply {
	return smtp.NewReply(smtp.CodeUnavailable, smtp.Enhanced{4, 5, 0}, fmt.Sprintf("HTTP %d: %s", r.StatusCode, clean(why.Error())))
}

// reply is an outcome in the words of SMTP. A copy that was not mentioned, or of which something is said
// that means nothing here, comes again.
func (o *postedOutcome) reply() *smtp.Reply {
	if o == nil {
		return smtp.NewReply(smtp.CodeLocalError, smtp.Enhanced{4, 5, 0}, "the answer does not say what became of this copy")
	}
	text := clean(o.Text)
	switch o.Outcome {
	case "delivered":
		return smtp.NewReply(smtp.CodeOK, statusOf(2, o.Status), text)
	case "deferred":
		return smtp.NewReply(smtp.CodeMailboxBusy, statusOf(4, o.Status), text)
	case "bounced":
		return smtp.NewReply(smtp.CodeNoMailbox, statusOf(5, o.Status), text)
	}
	return smtp.NewReply(smtp.CodeLocalError, smtp.Enhanced{4, 5, 0}, "the answer gives this copy an outcome that is none of delivered, deferred, bounced")
}

// statusOf reads an enhanced status code of a class; one that is none is the general one of the class.
func statusOf(class int, s string) smtp.Enhanced {
	e, parts := smtp.Enhanced{class, 0, 0}, strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != strconv.Itoa(class) {
		return e
	}
	for i := 1; i < 3; i++ {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n > 999 {
			return smtp.Enhanced{class, 0, 0}
		}
		e[i] = n
	}
	return e
}

// refusedBy is a status other than 2xx in the words of SMTP. Only what is said of the message bounces: a
// wrong address, a password that has run out or a server in trouble can be mended, and must not cost
// members their membership.
func refusedBy(r *http.Response) *smtp.Reply {
	said := "HTTP " + strconv.Itoa(r.StatusCode)
	if name := http.StatusText(r.StatusCode); name != "" {
		said += " " + name
	}
	switch code := r.StatusCode; {
	case code == http.StatusRequestEntityTooLarge:
		return smtp.NewReply(smtp.CodeTooBig, smtp.StatusTooBig, said)
	case code == http.StatusBadRequest, code == http.StatusUnprocessableEntity:
		return smtp.NewReply(smtp.CodeFailed, smtp.StatusBadContent, said)
	case code >= 300 && code < 400:
		return smtp.NewReply(smtp.CodeUnavailable, smtp.Enhanced{4, 4, 4}, said+": redirects are not followed, the relay's url must be the one that is meant")
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return smtp.NewReply(smtp.CodeUnavailable, smtp.Enhanced{4, 7, 8}, said)
	case code == http.StatusInternalServerError, code == http.StatusConflict, code == http.StatusTooEarly:
		return smtp.NewReply(smtp.CodeLocalError, smtp.StatusLater, said) // this copy's trouble, it may be
	}
	return smtp.NewReply(smtp.CodeUnavailable, smtp.Enhanced{4, 3, 2}, said)
}

// retryAfter reads the field of that name (RFC 9110 §10.2.3): seconds, or a moment.
func retryAfter(s string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		wait = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestPause)
}
