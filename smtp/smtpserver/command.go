package smtpserver

import (
	"bytes"
	"context"
	"strings"

	"muster/smtp"
)

// maxVerb is longer than any command's name.
const maxVerb = 10

// command is what stands behind a name.
type command struct {
	run   func(s *session, ctx context.Context, arg string) (*smtp.Reply, error)
	idle  bool // brings no message nearer: counts against Limits.Idle
	plain bool // its replies never have an enhanced code (RFC 2034 §4)
}

// commands is the dispatch table.
func commands(lmtp bool) map[string]command {
	table := map[string]command{
		"MAIL":     {run: (*session).mail, idle: true},
		"RCPT":     {run: (*session).rcpt},
		"DATA":     {run: (*session).data},
		"BDAT":     {run: (*session).bdat},
		"RSET":     {run: (*session).rset, idle: true},
		"NOOP":     {run: (*session).noop, idle: true},
		"HELP":     {run: (*session).help, idle: true},
		"VRFY":     {run: (*session).vrfy, idle: true},
		"EXPN":     {run: (*session).expn, idle: true},
		"AUTH":     {run: (*session).auth, idle: true},
		"STARTTLS": {run: (*session).startTLS, idle: true},
		"QUIT":     {run: (*session).quit},
	}
	if lmtp { // RFC 2033 §4.1: LHLO instead of the other two
		table["LHLO"] = command{run: (*session).ehlo, idle: true, plain: true}
		table["HELO"] = command{run: (*session).wrongHello, plain: true}
		table["EHLO"] = table["HELO"]
	} else {
		table["HELO"] = command{run: (*session).helo, idle: true, plain: true}
		table["EHLO"] = command{run: (*session).ehlo, idle: true, plain: true}
	}
	// What a browser says when a page makes it talk to this port. Its request would go on with
	// lines that the page has written: nothing of it may be obeyed.
	for _, verb := range []string{"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"} {
		table[verb] = command{run: (*session).web}
	}
	return table
}

// cutVerb takes a line apart into the command's name, made upper case in place, and what follows
// it, without the space around it: RFC 5321 §4.1.1 asks to tolerate it at the end.
func cutVerb(line []byte) (verb, arg []byte) {
	verb, arg, _ = bytes.Cut(line, []byte(" "))
	if len(verb) > maxVerb {
		return nil, nil
	}
	for i, c := range verb {
		if c >= 'a' && c <= 'z' {
			verb[i] = c - ('a' - 'A')
		}
	}
	return verb, bytes.Trim(arg, " \t")
}

// isAuth says whether a line is an AUTH command, which may be longer than others.
func isAuth(line []byte) bool {
	return len(line) > 5 && bytes.EqualFold(line[:5], []byte("AUTH "))
}

// hasControl finds control characters, but for the tab that some write as a space.
func hasControl(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// cutKeyword takes "FROM:" or "TO:" off an argument, in any case, with the spaces that people type
// after it although RFC 5321 §3.3 forbids them.
func cutKeyword(arg, keyword string) (string, bool) {
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return "", false
	}
	return strings.TrimLeft(arg[len(keyword):], " \t"), true
}

// cutUTF8 takes the parameter SMTPUTF8 off the end of the argument of VRFY and EXPN (RFC 6531
// §3.7.4.2).
func cutUTF8(arg string) (rest string, utf8 bool) {
	i := strings.LastIndexByte(arg, ' ')
	if i < 0 || !strings.EqualFold(arg[i+1:], "SMTPUTF8") {
		return arg, false
	}
	return strings.TrimRight(arg[:i], " \t"), true
}

// syntax is the reply to a command that is not written as it should be.
func syntax(text string) *smtp.Reply {
	return smtp.NewReply(smtp.CodeSyntax, smtp.Enhanced{5, 5, 4}, "Syntax: "+text)
}

// sequence is the reply to a command that comes at the wrong time.
func sequence(text string) *smtp.Reply {
	return smtp.NewReply(smtp.CodeSequence, smtp.StatusBadSequence, text)
}

// web hangs up on a browser.
func (s *session) web(context.Context, string) (*smtp.Reply, error) {
	return s.goodbyeFor(smtp.Enhanced{4, 7, 0}, "This is mail, not the web"), nil
}

// equalFold compares with a keyword in ASCII, without the foldings of Unicode.
func equalFold(s, keyword string) bool {
	return len(s) == len(keyword) && strings.EqualFold(s, keyword)
}
