package smtp

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxReplyLine is the longest line of a reply, in octets with its CR LF (RFC 5321 §4.5.3.1.5).
const MaxReplyLine = 512

// Enhanced is an enhanced status code (RFC 3463): class, subject, detail. The zero value means
// that a reply has none.
type Enhanced [3]int

// String is "2.1.5", or "" for the zero value.
func (e Enhanced) String() string {
	if e == (Enhanced{}) {
		return ""
	}
	return string(e.append(nil))
}

func (e Enhanced) append(b []byte) []byte {
	b = strconv.AppendInt(b, int64(e[0]), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(e[1]), 10)
	b = append(b, '.')
	return strconv.AppendInt(b, int64(e[2]), 10)
}

// Reply is what a server answers: a code, an enhanced code and one or more lines of text without
// codes or line ends. A *Reply is an error, so that what decides on a message can return one.
type Reply struct {
	Code     int
	Enhanced Enhanced
	Lines    []string
}

// NewReply makes a reply of one line.
func NewReply(code int, e Enhanced, text string) *Reply {
	return &Reply{Code: code, Enhanced: e, Lines: []string{text}}
}

// Positive says whether the command was carried out or may go on (2yz, 3yz).
func (r *Reply) Positive() bool { return r.Code >= 200 && r.Code < 400 }

// Temporary says whether the same command may succeed later (4yz, RFC 5321 §4.2.1).
func (r *Reply) Temporary() bool { return r.Code >= 400 && r.Code < 500 }

// Text is all lines in one, for logs.
func (r *Reply) Text() string { return strings.Join(r.Lines, " ") }

// Error is the reply in one line: "550 5.1.1 No such list".
func (r *Reply) Error() string {
	if e := r.Enhanced.String(); e != "" {
		return fmt.Sprintf("%d %s %s", r.Code, e, r.Text())
	}
	return fmt.Sprintf("%d %s", r.Code, r.Text())
}

// Append writes the reply as it goes over the wire: every line with the code, with the enhanced
// code too if the client takes them (RFC 2034 §4), no line longer than MaxReplyLine, no control
// character in any of them. A reply without an enhanced code gets the general one of its class.
func (r *Reply) Append(b []byte, enhanced bool) []byte {
	if len(r.Lines) == 0 {
		return r.AppendLine(b, "", enhanced, true)
	}
	for i, text := range r.Lines {
		b = r.AppendLine(b, text, enhanced, i == len(r.Lines)-1)
	}
	return b
}

// AppendLine writes one line of the reply, the last one or one before it, with text instead of
// the reply's own.
func (r *Reply) AppendLine(b []byte, text string, enhanced, last bool) []byte {
	start := len(b)
	b = r.AppendCodes(b, enhanced, last)
	b = appendClean(b, text, start+MaxReplyLine-2)
	return append(b, '\r', '\n')
}

// AppendCodes writes what comes before the text of a line: "250-2.1.5 " or "250 ".
func (r *Reply) AppendCodes(b []byte, enhanced, last bool) []byte {
	b = strconv.AppendInt(b, int64(r.Code), 10)
	if last {
		b = append(b, ' ')
	} else {
		b = append(b, '-')
	}
	class := r.Code / 100
	if !enhanced || class == 3 { // RFC 3463 §3.1 has no class 3
		return b
	}
	e := r.Enhanced
	if e == (Enhanced{}) {
		e[0] = class
	}
	return append(e.append(b), ' ')
}

// appendClean appends text up to where b has end octets, without control characters and without
// cutting a character in two.
func appendClean(b []byte, text string, end int) []byte {
	for _, r := range text {
		if unicode.IsControl(r) {
			r = ' '
		}
		if len(b)+utf8.RuneLen(r) > end {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}
