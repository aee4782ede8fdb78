package smtptest

import (
	"bytes"
	"net/textproto"
	"strings"
	"time"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// Message is one transaction that was answered 250, or would have been.
type Message struct {
	Conn   int // the how many-th connection brought it, from 1
	Hello  string
	TLS    bool
	User   string // who signed in, "" for nobody
	From   smtp.Address
	To     []smtp.Address // in the order given
	Params smtpserver.MailParams
	// Data is the text as it was meant: dots unstuffed, without the final one. A server with
	// Discard leaves it empty, and ID too.
	Data []byte
	ID   string // of the Message-ID field, with its angle brackets
	At   time.Time
}

// Header is the value of the first field of that name, unfolded, or "".
func (m *Message) Header(name string) string {
	if values := m.Headers(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Headers are the values of all fields of that name, unfolded, from the top.
func (m *Message) Headers(name string) []string {
	var values []string
	name = textproto.CanonicalMIMEHeaderKey(name)
	for _, field := range fields(m.Data) {
		key, value, ok := strings.Cut(field, ":")
		if ok && textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(key)) == name {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

// Body is what comes after the header.
func (m *Message) Body() []byte {
	if bytes.HasPrefix(m.Data, []byte("\r\n")) {
		return m.Data[2:]
	}
	_, body, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
	return body
}

// fields are the header fields of a message, each unfolded to a line.
func fields(mail []byte) []string {
	head, _, _ := bytes.Cut(mail, []byte("\r\n\r\n"))
	var all []string
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if n := len(all); n > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			all[n-1] += line
		} else {
			all = append(all, line)
		}
	}
	return all
}
