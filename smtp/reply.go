package smtp

import (
	"fmt"
	"strings"
)

// Enhanced is an enhanced status code (RFC 3463): class, subject, detail. The zero value means
// that a reply has none.
type Enhanced [3]int

// String is "2.1.5", or "" for the zero value.
func (e Enhanced) String() string {
	if e == (Enhanced{}) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
}

// Reply is what a server answers: a code, an enhanced code and one or more lines of text without
// codes or line ends. A *Reply is an error, so that what decides on a message can return one; a
// positive reply is never returned as an error.
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
