package command

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Verb is what a command asks for.
type Verb string

// The verbs.
const (
	Help    Verb = "help"
	Info    Verb = "info"
	Who     Verb = "who"
	Which   Verb = "which"
	Echo    Verb = "echo"
	Join    Verb = "join"  // with options
	Leave   Verb = "leave" // of all who may be meant, the author
	Set     Verb = "set"   // with options; without, it shows what is set
	Confirm Verb = "confirm"
	Add     Verb = "add" // with an address
	Del     Verb = "del" // with an address
	Stats   Verb = "stats"
	Pending Verb = "pending"
	End     Verb = "end"     // the rest is not for us
	Rest    Verb = "rest"    // there were too many: the rest was not read
	Unknown Verb = "unknown" // a line that is no command
)

// Command is one line.
type Command struct {
	Verb    Verb
	Token   string   `json:",omitempty"` // of Confirm
	Arg     string   `json:",omitempty"` // of Add and Del: an address, which may have a name
	Options []Option `json:",omitempty"` // of Join and Set
	Fault   string   `json:",omitempty"` // the word of a Join or Set that is no option, cleaned as Line is
	Line    string   // as it was written, without control characters, at most 80 octets
}

// Mail is what commands are read from.
type Mail struct {
	Subject string
	Text    string
	Names   []string // of the list, as people write it behind a verb: dev, dev@lists.example
}

const (
	// maxCommands bounds what one mail may ask for.
	maxCommands = 20
	// maxUnknown lines in a row mean that somebody writes to people, not to us.
	maxUnknown = 3
	// maxLine is how much of a line is repeated to who wrote it.
	maxLine = 80
	// maxArg is how long an address with a name may be.
	maxArg = 500
)

// Parse reads a mail. The subject is the first command if it is one; what else it says is nobody's
// mistake, most of all not what a mail program put there. The text is read line by line up to end,
// a signature, or the first lines that are no commands.
func Parse(m Mail) []Command {
	var found []Command
	if c := m.parseLine(stripReply(m.Subject)); c.Verb != Unknown && c.Line != "" {
		found = append(found, c)
	}
	unknown := 0
	for line := range strings.Lines(m.Text) {
		if isEnd(found) || isSignature(line) {
			break
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '>' {
			continue
		}
		c := m.parseLine(line)
		if c.Verb != Unknown {
			unknown = 0
		} else if unknown++; unknown > maxUnknown {
			break
		}
		if len(found) == maxCommands {
			found = append(found, Command{Verb: Rest})
			break
		}
		found = append(found, c)
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
		again := c.Verb != Unknown && slices.ContainsFunc(kept, c.isSame)
		if !again {
			kept = append(kept, c)
		}
	}
	return kept
}

func (c Command) isSame(o Command) bool {
	return o.Verb == c.Verb && o.Token == c.Token && o.Arg == c.Arg && o.Fault == c.Fault && slices.Equal(o.Options, c.Options) &&
		(c.Verb != Echo || o.Line == c.Line)
}

// parseLine reads a line, or says that it is none of ours: a sentence may begin with any of the words.
func (m Mail) parseLine(line string) Command {
	c := Command{Verb: Unknown, Line: clean(line, maxLine)}
	words := strings.Fields(line)
	if len(words) == 0 {
		return c
	}
	verb, rest := verbOf(words[0]), words[1:]
	switch verb {
	case Confirm:
		// Anything may follow the token: a mail program may have joined two lines.
		if len(rest) > 0 {
			c.Verb, c.Token = Confirm, clean(rest[0], maxLine)
		}
	case Echo:
		c.Verb = Echo
	case Add, Del:
		if strings.Contains(line, "@") {
			c.Verb, c.Arg = verb, clean(strings.Join(rest, " "), maxArg)
		}
	case Join, Set:
		m.readOptions(&c, verb, rest)
	default:
		if len(m.unnamed(rest)) == 0 {
			c.Verb = verb
		}
	}
	return c
}

// verbOf knows the verbs, and what other list managers call them.
func verbOf(word string) Verb {
	switch strings.ToLower(word) {
	case "help":
		return Help
	case "info":
		return Info
	case "who", "review":
		return Who
	case "which":
		return Which
	case "echo":
		return Echo
	case "join", "subscribe":
		return Join
	case "leave", "unsubscribe", "signoff":
		return Leave
	case "set":
		return Set
	case "confirm":
		return Confirm
	case "add":
		return Add
	case "del", "delete":
		return Del
	case "stats":
		return Stats
	case "pending":
		return Pending
	case "end", "stop", "quit", "exit":
		return End
	}
	return Unknown
}

// unnamed is what stands behind a verb without the name of the list, which other list managers want
// there.
func (m Mail) unnamed(words []string) []string {
	if len(words) > 0 && slices.ContainsFunc(m.Names, func(name string) bool { return strings.EqualFold(name, words[0]) }) {
		return words[1:]
	}
	return words
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
func clean(line string, most int) string {
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
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// Said is the command as it was understood, in our own words: what of it was written by its sender
// is no more than an address, or names of settings and values that whoever carries it out knows.
func (c Command) Said() string {
	switch c.Verb {
	case Unknown:
		return ""
	case Add, Del:
		return string(c.Verb) + " " + c.Arg
	}
	said := string(c.Verb)
	if c.Fault == "" {
		for _, o := range c.Options {
			said += " " + o.Key + "=" + o.Value
		}
	}
	return said
}
