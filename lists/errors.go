package lists

import (
	"errors"
	"fmt"
)

// Kind is what sort of failure an Error is: a closed set, so that each edge maps it in one table.
type Kind int

// The kinds. Anything that is no *Error is internal: the database away, a bug.
const (
	Invalid    Kind = iota + 1 // the input is wrong; Field says which
	NotFound                   // no such thing, or none that this actor may know of
	Denied                     // the actor may not
	Exists                     // it is already there
	Conflict                   // somebody else was first: already released, already used
	Expired                    // a token or a link that was good once
	Limited                    // too often; try later
	Overloaded                 // the system has no room now; try later
)

// Error is a failure that a person can do something about. Msg is one plain English sentence that
// says what, of what, and what to do; it holds no internals and may be shown. Code is stable, with
// Params for the translated pages.
type Error struct {
	Kind   Kind
	Field  string         // the input at fault, for forms; may be empty
	Code   string         // message id for the catalogues: "list.name.taken"
	Params map[string]any // what the message names
	Msg    string
}

// Error is Msg.
func (e *Error) Error() string { return e.Msg }

// Errorf makes an Error whose sentence is formatted.
func Errorf(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of err, or 0 if it is internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}
