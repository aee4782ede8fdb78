package command

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Verb is what a command asks for.
type Verb string

// The verbs.
const (
	Help    Verb = "help"
	Join    Verb = "join"
	Leave   Verb = "leave"
	Confirm Verb = "confirm" // with a token
	End     Verb = "end"     // the rest is not for us
	Unknown Verb = "unknown" // a line that is no command
)

// Command is one line.
type Command struct {
	Verb  Verb
	Token string // of Confirm
	Line  string // as it was written, without control characters, at most 80 octets
}

const (
	// maxCommands bounds what one mail may ask for.
	maxCommands = 20
	// maxUnknown lines in a row mean that somebody writes to people, not to us.
	maxUnknown = 3
	// maxLine is how much of a line is repeated to who wrote it.
	maxLine = 80
)

// Parse reads a mail. The subject is the first command if it is one; what else it says is nobody's
// mistake, most of all not what a mail program put there. The text is read line by line up to end,
// a signature, or the first lines that are no commands.
func Parse(subject, text string) []Command {
	var found []Command
	if c := parseLine(stripReply(subject)); c.Verb != Unknown && c.Line != "" {
		found = append(found, c)
	}
	unknown := 0
	for line := range strings.Lines(text) {
		if isEnd(found) || isSignature(line) {
			break
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '>' {
			continue
		}
		c := parseLine(line)
		if c.Verb != Unknown {
			unknown = 0
		} else if unknown++; unknown > maxUnknown {
			break
		}
		found = append(found, c)
		if len(found) == maxCommands {
			break
		}
	}
	return distinct(found)
}

func isEnd(found []Command) bool { return len(found) > 0 && found[len(found)-1].Verb == End }

// isSignature knows the line before a signature (RFC 3676 §4.3), with and without its space.
func isSignature(line string) bool {
	line = strings.TrimRight(line, "\r\n")
	return line == "-- " || line == "--"
}

// distinct drops what was asked twice, once in the subject and once in the text.
func distinct(all []Command) []Command {
	var kept []Command
	for _, c := range all {
		again := false
		for _, k := range kept {
			again = again || c.Verb != Unknown && k.Verb == c.Verb && k.Token == c.Token
		}
		if !again {
			kept = append(kept, c)
		}
	}
	return kept
}

func parseLine(line string) Command {
	c := Command{Verb: Unknown, Line: clean(line)}
	words := strings.Fields(line)
	if len(words) == 0 {
		return c
	}
	switch verb := strings.ToLower(words[0]); {
	case verb == "confirm":
		// Anything may follow the token: a mail program may have joined two lines.
		if len(words) > 1 {
			c.Verb, c.Token = Confirm, words[1]
		}
	case len(words) > 2:
		// A sentence that happens to begin with one of the words.
	case verb == "help":
		c.Verb = Help
	case verb == "join" || verb == "subscribe":
		c.Verb = Join
	case verb == "leave" || verb == "unsubscribe":
		c.Verb = Leave
	case verb == "end" || verb == "stop" || verb == "quit":
		c.Verb = End
	}
	return c
}

// stripReply takes off what mail programs put before the subject of an answer.
func stripReply(subject string) string {
	subject = strings.TrimSpace(subject)
	for {
		prefix, rest, ok := strings.Cut(subject, ":")
		if !ok || !isReplyPrefix(prefix) {
			return subject
		}
		subject = strings.TrimSpace(rest)
	}
}

func isReplyPrefix(s string) bool {
	switch strings.ToLower(s) {
	case "re", "aw", "antw", "sv", "fwd", "fw", "wg":
		return true
	}
	return false
}

// clean makes a line fit to be repeated.
func clean(line string) string {
	line = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, line)
	line = strings.TrimSpace(line)
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "…"
	}
	return line
}
