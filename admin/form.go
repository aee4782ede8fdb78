package admin

import (
	"errors"
	"slices"
	"strings"

	"muster/lists"
	"muster/smtp"
)

// formErrors says of each input of a form what was wrong with it; "" stands for the form.
type formErrors map[string]string

// refused sorts an error of a service: what the person at the form can mend is returned as text
// beside the input it is about, with the status of the page that shows it; everything else as the
// error it is.
func (v *visit) refused(err error, fields ...string) (formErrors, int, error) {
	var e *lists.Error
	if !errors.As(err, &e) {
		return nil, 0, err
	}
	switch e.Kind {
	case lists.Invalid, lists.Exists, lists.Conflict, lists.Limited:
	default:
		return nil, 0, err
	}
	field := e.Field
	if !slices.Contains(fields, field) {
		field = ""
	}
	code := status(err)
	return formErrors{field: v.sentence(code, err)}, code, nil
}

// mailbox reads an address with or without a name from an input.
func mailbox(field, text string) (smtp.Mailbox, error) {
	m, err := smtp.ParseMailbox(text)
	if err != nil {
		return m, badAddress(field)
	}
	return m, nil
}

// address reads an address from an input.
func address(field, text string) (smtp.Address, error) {
	a, err := smtp.ParseAddress(strings.TrimSpace(text))
	if err != nil {
		return a, badAddress(field)
	}
	return a, nil
}

func badAddress(field string) error {
	e := lists.Errorf(lists.Invalid, "site.address", "this is no mail address; it looks like name@example.org")
	e.Field = field
	return e
}
