package verdict

import (
	"net/mail"
	"regexp"
	"strconv"
	"strings"

	"muster/smtp"
)

// What askSize finds.
const (
	SizeTooBig = "too-big" // for the server
	SizeOver   = "over"    // larger than the list's max_size
)

func sizeAnswers() []string { return []string{SizeTooBig, SizeOver} }

func askSize(f *Facts) finding {
	most := f.Options.MaxSize
	switch {
	case f.MaxSize > 0 && f.Size > f.MaxSize:
		return act(Reject, SizeTooBig)
	case most > 0 && isOn(f.Options.TooBig) && f.Size > most:
		found := act(f.Options.TooBig, SizeOver)
		found.params = map[string]string{"size": strconv.FormatInt(f.Size, 10), "most": strconv.FormatInt(most, 10)}
		return found
	}
	return passed()
}

// What askHeader finds.
const (
	HeaderSite = "site"
	HeaderList = "list"
)

func headerAnswers() []string { return []string{HeaderSite, HeaderList} }

func hasHeaderRules(f *Facts) bool { return len(f.SiteRules)+len(f.Options.HeaderRules) > 0 }

func askHeader(f *Facts) finding {
	for i := range f.SiteRules {
		if r := &f.SiteRules[i]; r.matches(f.Header) {
			return r.finding(HeaderSite)
		}
	}
	for i := range f.Options.HeaderRules {
		if r := &f.Options.HeaderRules[i]; r.matches(f.Header) {
			return r.finding(HeaderList)
		}
	}
	return passed()
}

func (r *HeaderRule) finding(answer string) finding {
	return finding{action: r.Action, answer: answer, params: map[string]string{"field": r.Field, "pattern": strings.TrimPrefix(r.re.String(), "(?i)")}}
}

// SpamOver is what askSpam finds.
const SpamOver = "over"

func spamAnswers() []string { return []string{SpamOver} }

func asksSpam(f *Facts) bool {
	return f.Options.SpamHeader != "" && f.Options.SpamLimit > 0 && isOn(f.Options.SpamAction)
}

func askSpam(f *Facts) finding {
	highest, known := 0.0, false
	for name, value := range fields(f.Header) {
		if !strings.EqualFold(name, f.Options.SpamHeader) {
			continue
		}
		if score, ok := spamScore(value); ok && (!known || score > highest) {
			highest, known = score, true
		}
	}
	found := passed()
	if known && highest >= f.Options.SpamLimit {
		found = act(f.Options.SpamAction, SpamOver)
	}
	if known {
		found.params = map[string]string{"score": strconv.FormatFloat(highest, 'g', -1, 64), "limit": strconv.FormatFloat(f.Options.SpamLimit, 'g', -1, 64)}
	}
	return found
}

// scored is how filters write a score: SpamAssassin's score=, Rspamd's [score / limit], or a number first.
var scored = regexp.MustCompile(`(?i)(?:\b(?:score|hits)=|\[|^)\s*([+-]?\d{1,6}(?:\.\d{1,6})?)`)

// spamScore reads a score, a row of stars among them (X-Spam-Level).
func spamScore(value string) (float64, bool) {
	if stars := strings.Trim(value, "*"); stars == "" {
		return float64(len(value)), true
	}
	m := scored.FindStringSubmatch(value[:min(len(value), maxValue)])
	if m == nil {
		return 0, false
	}
	score, err := strconv.ParseFloat(m[1], 64)
	return score, err == nil
}

// RecipientsOver is what askRecipients finds.
const RecipientsOver = "over"

func recipientsAnswers() []string { return []string{RecipientsOver} }

func asksRecipients(f *Facts) bool { return f.Options.MaxRecipients > 0 && isOn(f.Options.TooMany) }

func askRecipients(f *Facts) finding {
	n := 0
	for range recipients(f.Header) {
		n++
	}
	found := passed()
	if n >= f.Options.MaxRecipients {
		found = act(f.Options.TooMany, RecipientsOver)
	}
	found.params = map[string]string{"recipients": strconv.Itoa(n), "most": strconv.Itoa(f.Options.MaxRecipients)}
	return found
}

// recipients are the addresses in To and Cc, those of a message that was sent again among them.
func recipients(header []byte) []smtp.Address {
	var all []smtp.Address
	for name, value := range fields(header) {
		switch strings.ToLower(name) {
		case "to", "cc", "resent-to", "resent-cc":
			all = append(all, addresses(value)...)
		}
	}
	return all
}

// addresses reads a field of addresses. From one that is malformed it takes what looks like them.
func addresses(value string) []smtp.Address {
	var all []smtp.Address
	found, err := (&mail.AddressParser{WordDecoder: wordDecoder()}).ParseList(value)
	if err == nil {
		for _, m := range found {
			if a, err := smtp.AddressOf(m); err == nil {
				all = append(all, a)
			}
		}
		return all
	}
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,;<>()\"", r) }) {
		if a, err := smtp.ParseAddress(word); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// SubjectNone is what askSubject finds.
const SubjectNone = "none"

func subjectAnswers() []string { return []string{SubjectNone} }

func asksSubject(f *Facts) bool { return isOn(f.Options.NoSubject) }

func askSubject(f *Facts) finding {
	if strings.TrimSpace(stripReply(f.Message.Subject)) == "" {
		return act(f.Options.NoSubject, SubjectNone)
	}
	return passed()
}

// stripReply takes off what mail programs put before the subject of what they answer.
func stripReply(subject string) string {
	for {
		word, rest, ok := strings.Cut(strings.TrimSpace(subject), ":")
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "re", "aw", "fwd", "fw", "wg":
			if ok {
				subject = rest
				continue
			}
		}
		return strings.TrimSpace(subject)
	}
}

// AddressedNot is what askAddressed finds.
const AddressedNot = "not"

func addressedAnswers() []string { return []string{AddressedNot} }

func asksAddressed(f *Facts) bool { return isOn(f.Options.NotAddressed) }

func askAddressed(f *Facts) finding {
	for _, a := range recipients(f.Header) {
		plain := a
		plain.Local, _, _ = strings.Cut(a.Local, "+") // a tag behind a plus is still the list (RFC 5233)
		if plain.Key() == f.ListKey || match(f.Options.Aliases, a) != "" {
			return passed()
		}
	}
	return act(f.Options.NotAddressed, AddressedNot)
}

// Approval is the password in a header: the first field that is there to hold one.
func Approval(header []byte) (string, bool) {
	for name, value := range fields(header) {
		if IsApproval(strings.ToLower(name)) {
			return value, true
		}
	}
	return "", false
}

// IsApproval knows the fields that hold a moderator's password, by their names in lower case. They are in no
// copy of any post.
func IsApproval(name string) bool {
	switch name {
	case "approved", "approve", "x-approved", "x-approve":
		return true
	}
	return false
}

// beginsWithApproval finds the password where other list managers take it too: in the first line of the text.
func beginsWithApproval(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			name, _, ok := strings.Cut(line, ":")
			return ok && IsApproval(strings.ToLower(strings.TrimSpace(name)))
		}
	}
	return false
}
