package verdict

import (
	"regexp"
	"strings"
	"unicode"
)

// CommandLeave and the like are what askCommand finds: what the sender seems to want.
const (
	CommandLeave = "leave"
	CommandJoin  = "join"
	CommandOther = "other"
)

func commandAnswers() []string { return []string{CommandLeave, CommandJoin, CommandOther} }

func asksCommand(f *Facts) bool { return isOn(f.Options.Command) }

func needText(*Facts) Need { return NeedText }

func askCommand(f *Facts) finding {
	if answer := misplaced(f.Message.Subject, f.Text); answer != "" {
		return act(f.Options.Command, answer)
	}
	return passed()
}

const (
	// maxCommandLines is how many lines a mail has, without quotes and signature, that may be a command.
	// Who writes more writes to people.
	maxCommandLines = 4
	// maxCommandWords is how many words a command has: "please unsubscribe me from this list".
	maxCommandWords = 8
)

// misplaced is what a mail asks a program for that went to people, "" for nothing. It is one where the
// subject is a command and there is next to no text, or where the text is next to nothing but a command.
func misplaced(subject, text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "-- " || line == "--" {
			break
		}
		if line = strings.TrimSpace(line); line == "" || line[0] == '>' {
			continue
		}
		if lines = append(lines, line); len(lines) > maxCommandLines {
			return ""
		}
	}
	if answer := command(stripReply(subject), 3); answer != "" {
		return answer
	}
	for _, line := range lines {
		if answer := command(line, maxCommandWords); answer != "" {
			return answer
		}
	}
	return ""
}

// command is what a line of at most so many words asks for. A word of command stands first, after what
// politeness puts before it; in German, last too.
func command(line string, most int) string {
	words := strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '@' && r != '.' })
	if len(words) == 0 || len(words) > most {
		return ""
	}
	for len(words) > 1 && isPolite(words[0]) {
		words = words[1:]
	}
	for i, word := range words {
		word = strings.Trim(word, ".")
		switch word {
		case "unsubscribe", "signoff", "abmelden", "abbestellen", "austragen":
			return CommandLeave
		case "subscribe":
			if i == 0 && (len(words) == 1 || isMe(words[1]) || words[len(words)-1] == "list") {
				return CommandJoin
			}
		case "anmelden", "eintragen", "abonnieren":
			if len(words) <= 2 {
				return CommandJoin
			}
		case "remove", "leave":
			if i == 0 && (len(words) == 1 || isMe(words[1]) || words[1] == "list") {
				return CommandLeave
			}
		case "join":
			if len(words) == 1 {
				return CommandJoin
			}
		case "help", "info", "who", "lists", "which", "end", "stop", "hilfe":
			if len(words) == 1 {
				return CommandOther
			}
		}
	}
	return ""
}

// isMe knows how people name themselves to a program.
func isMe(word string) bool {
	return word == "me" || word == "my" || word == "us" || strings.Contains(word, "@")
}

func isPolite(word string) bool {
	switch word {
	case "please", "pls", "kindly", "hello", "hi", "hallo", "bitte", "could", "can", "you", "i", "want", "to", "would", "like", "ich", "möchte", "mich":
		return true
	}
	return false
}

// What askDigest finds.
const (
	DigestSubject = "subject"
	DigestQuote   = "quote"
)

func digestAnswers() []string { return []string{DigestSubject, DigestQuote} }

func asksDigest(f *Facts) bool { return isOn(f.Options.DigestQuote) }

// digested is the subject of a digest: "Dev Digest, Vol 3, Issue 2", "dev digest 17", "Digest of dev".
var digested = regexp.MustCompile(`(?i)\bdigest\b[ ,:#-]*(?:(?:vol|issue|no|nr|v)\b\.?|#|\d)|\bdigest of\b`)

// masthead is how digests begin, in those of Mailman and of most that came after it.
var masthead = regexp.MustCompile(`(?im)^[>| \t]+(?:today'?s topics|send \S.{0,80} mailing list submissions to|message: 1$|when replying, please edit your subject line so it is more specific)`)

func askDigest(f *Facts) finding {
	subject := stripReply(f.Message.Subject)
	switch {
	case subject != f.Message.Subject && digested.MatchString(subject):
		return act(f.Options.DigestQuote, DigestSubject)
	case masthead.MatchString(f.Text):
		return act(f.Options.DigestQuote, DigestQuote)
	}
	return passed()
}
