package command

import (
	"strings"
)

// Answer is what a reply to a question of ours says.
type Answer string

// The answers.
const (
	AnswerNone    Answer = ""        // nothing that we asked
	AnswerYes     Answer = "yes"     // only of a question that has no other answer
	AnswerAccept  Answer = "accept"  //
	AnswerTrust   Answer = "trust"   // accept, and later ones of the same sender
	AnswerReject  Answer = "reject"  // with a reason
	AnswerDiscard Answer = "discard" //
	AnswerClaim   Answer = "claim"   // I look at it
)

// Reply is an answer with the words that were given for it.
type Reply struct {
	Answer Answer
	Reason string // of AnswerReject
}

// ReadReply reads the first line that whoever answers wrote themselves. It has to be the answer and nothing
// else, but for a reason to reject: "Accept my apologies, I am away" accepts nothing. The subject is not
// looked at, because it is quoted by programs that answer for people who are away.
func ReadReply(text string) Reply {
	own := ownLines(text)
	if len(own) == 0 {
		return Reply{}
	}
	switch answer := wordsOf(own[0]); answer {
	case "yes", "ja", "confirm", "ok":
		return Reply{Answer: AnswerYes}
	case "accept", "approve", "release", "annehmen", "freigeben":
		return Reply{Answer: AnswerAccept}
	case "trust", "accept and trust", "accept trust", "annehmen und vertrauen", "vertrauen":
		return Reply{Answer: AnswerTrust}
	case "discard", "verwerfen":
		return Reply{Answer: AnswerDiscard}
	case "claim", "übernehmen":
		return Reply{Answer: AnswerClaim}
	}
	word, rest, _ := strings.Cut(own[0], " ")
	word, colon := strings.CutSuffix(strings.ToLower(word), ":")
	if word != "reject" && word != "ablehnen" || colon && rest == "" && len(own) == 1 {
		return Reply{}
	}
	own[0] = strings.TrimSpace(rest)
	return Reply{Answer: AnswerReject, Reason: strings.TrimSpace(strings.Join(own, "\n"))}
}

// wordsOf is a line in lower case, with single spaces, without marks around its words.
func wordsOf(line string) string {
	words := strings.Fields(strings.ToLower(line))
	kept := words[:0]
	for _, w := range words {
		if w = strings.Trim(w, ".,!;:*_\"'„“”"); w != "" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// maxReply is how many lines of an answer are kept.
const maxReply = 100

// ownLines are the lines of an answer without what they answer: without lines that are quoted or that say
// who wrote what follows, up to a signature, or to where a mail program put the mail that is answered.
// Empty lines before the first are left out.
func ownLines(text string) []string {
	var own []string
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if isSignature(lines[i]) || isMachine(line) || startsOriginal(lines[i:]) || len(own) == maxReply {
			break
		}
		if line == "" && len(own) == 0 || strings.HasPrefix(line, ">") || introduces(lines[i:]) {
			continue
		}
		own = append(own, line)
	}
	return own
}

// isMachine knows what telephones and mail programs write below a mail.
func isMachine(line string) bool {
	line = strings.ToLower(strings.TrimRight(line, ". "))
	for _, begin := range []string{"sent from my ", "sent from mail for ", "get outlook for ", "gesendet von meinem ", "gesendet von mail für ", "gesendet mit der "} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return strings.HasPrefix(line, "von meinem ") && strings.HasSuffix(line, " gesendet")
}

// startsOriginal knows the lines below which mail programs put the mail that is answered, and its header: one
// field alone is the writer's own.
func startsOriginal(lines []string) bool {
	line := strings.TrimSpace(lines[0])
	if len(line) > 3 && strings.HasPrefix(line, "---") && strings.HasSuffix(line, "---") || len(line) > 10 && strings.Trim(line, "_") == "" {
		return true
	}
	return isField(line) && len(lines) > 1 && isField(strings.TrimSpace(lines[1]))
}

// isField knows the fields that mail programs put there.
func isField(line string) bool {
	name, _, ok := strings.Cut(line, ":")
	if !ok {
		return false
	}
	switch strings.ToLower(strings.Trim(name, "* ")) {
	case "from", "von", "de", "to", "an", "cc", "date", "datum", "subject", "betreff", "sent", "gesendet":
		return true
	}
	return false
}

// introduces knows the line, broken in two or three where it is long, that says who wrote what follows:
// "On Monday Ann wrote:".
func introduces(lines []string) bool {
	for i, line := range lines[:min(3, len(lines))] {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, ">") || i == 0 && isShort(line) {
			return false
		}
		if strings.HasSuffix(line, ":") {
			return quoteFollows(lines[i+1:])
		}
	}
	return false
}

// isShort knows a line that may be an answer: an introduction that is broken begins with more than that.
func isShort(line string) bool {
	words := strings.Fields(strings.ToLower(line))
	return !strings.HasSuffix(line, ":") && (len(words) < 4 || strings.HasPrefix(words[0], "reject") || strings.HasPrefix(words[0], "ablehnen"))
}

func quoteFollows(lines []string) bool {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			return strings.HasPrefix(line, ">")
		}
	}
	return false
}
