package smtpclient

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"muster/smtp"
)

const (
	// maxLine bounds a reply line with its CRLF. RFC 5321 §4.5.3.1.5 allows 512; servers that
	// explain themselves go beyond.
	maxLine = 2048
	// maxLines bounds a reply.
	maxLines = 256
	// maxText bounds what is kept of a reply's text, over all its lines.
	maxText = 512
)

// replyLine is one line of a reply. Its text points into the reader's buffer.
type replyLine struct {
	code int
	more bool // not the last line
	text []byte
}

// replyReader takes replies off a connection.
type replyReader struct {
	*bufio.Reader
}

// line reads one line of a reply (RFC 5321 §4.2). A bare LF ends a line too: nothing can be
// hidden in a reply that way, and there are servers that send it.
func (r replyReader) line() (replyLine, error) {
	b, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull || len(b) > maxLine:
		return replyLine{}, fmt.Errorf("line of more than %d octets: %w", maxLine, ErrProtocol)
	case err != nil:
		return replyLine{}, err
	}
	b = bytes.TrimSuffix(b[:len(b)-1], []byte{'\r'})
	return parseLine(b)
}

func parseLine(b []byte) (replyLine, error) {
	if len(b) < 3 || b[0] < '2' || b[0] > '5' || !isDigit(b[1]) || !isDigit(b[2]) {
		return replyLine{}, fmt.Errorf("%q: %w", clean(b, 40), ErrProtocol)
	}
	l := replyLine{code: int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0')}
	if len(b) == 3 {
		return l, nil
	}
	switch b[3] {
	case '-':
		l.more = true
	case ' ':
	default:
		return replyLine{}, fmt.Errorf("%q: %w", clean(b, 40), ErrProtocol)
	}
	l.text = b[4:]
	return l, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// code reads a reply of which only the code matters while it is positive: that costs no
// allocation. A refusal comes with its reply.
func (r replyReader) code() (int, *smtp.Reply, error) {
	l, err := r.line()
	if err != nil {
		return 0, nil, err
	}
	if l.code < 400 && !l.more {
		return l.code, nil, nil
	}
	reply, err := r.rest(l)
	if err != nil || l.code < 400 {
		return l.code, nil, err
	}
	return l.code, reply, nil
}

// reply reads a reply with its text.
func (r replyReader) reply() (*smtp.Reply, error) {
	l, err := r.line()
	if err != nil {
		return nil, err
	}
	return r.rest(l)
}

// rest makes a reply of its first line and the lines that follow.
func (r replyReader) rest(first replyLine) (*smtp.Reply, error) {
	// One allocation for the reply and its usual single line.
	kept := &struct {
		smtp.Reply
		line [1]string
	}{}
	k := &kept.Reply
	k.Code, k.Lines = first.code, kept.line[:0]
	room := addLine(k, first.text, maxText)
	if !first.more {
		return k, nil
	}
	for n := 1; n < maxLines; n++ {
		l, err := r.line()
		if err != nil {
			return nil, err
		}
		if l.code != first.code {
			return nil, fmt.Errorf("code %d within a reply %d: %w", l.code, first.code, ErrProtocol)
		}
		room = addLine(k, l.text, room)
		if !l.more {
			return k, nil
		}
	}
	return nil, fmt.Errorf("reply of more than %d lines: %w", maxLines, ErrProtocol)
}

// addLine keeps a line's text within room and returns the room left. The enhanced code, which RFC
// 2034 §4 repeats on each line, goes into its field.
func addLine(k *smtp.Reply, text []byte, room int) int {
	if e, after, ok := cutEnhanced(text, k.Code); ok {
		text = after
		if len(k.Lines) == 0 {
			k.Enhanced = e
		}
	}
	if room <= 0 {
		return 0
	}
	line := clean(text, room)
	k.Lines = append(k.Lines, line)
	return room - len(line) - 1 // Reply.Text joins the lines with a space
}

// cutEnhanced takes "2.1.5 " off the front of text, where its class is that of the code (RFC
// 2034 §4).
func cutEnhanced(text []byte, code int) (e smtp.Enhanced, after []byte, ok bool) {
	rest := text
	for i := range e {
		n, digits := 0, 0
		for digits < len(rest) && digits < 4 && isDigit(rest[digits]) {
			n = n*10 + int(rest[digits]-'0')
			digits++
		}
		if digits == 0 || digits > 3 {
			return smtp.Enhanced{}, nil, false
		}
		e[i], rest = n, rest[digits:]
		if i < 2 {
			if len(rest) == 0 || rest[0] != '.' {
				return smtp.Enhanced{}, nil, false
			}
			rest = rest[1:]
		}
	}
	if e[0] != code/100 || len(rest) > 0 && rest[0] != ' ' {
		return smtp.Enhanced{}, nil, false
	}
	return e, bytes.TrimPrefix(rest, []byte{' '}), true
}

// clean makes text from outside fit for a database and a page: valid UTF-8, no control
// characters, at most limit octets.
func clean(text []byte, limit int) string {
	if isPrintable(text) {
		return string(text[:min(len(text), limit)])
	}
	s := strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(text), "\uFFFD"))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

func isPrintable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
