package fanout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// MailFunc renders a notice from a source, or with "" from our own: templates.MailFrom.
type MailFunc func(source, kind, lang string, data any) (subject, text string, err error)

// notice is a typed mail of the lists to one person, as stored.
type notice struct {
	id       string
	kind     string
	address  string
	language string
	params   []byte // JSON object
	source   string // that takes the place of our text; "" for none
	made     time.Time
}

// site is what every mail may say of the site.
type site struct {
	hostname string
	base     string // URL without a slash at its end
	authserv string // by whose name only we say who vouches for a message
}

// composeNotice renders a notice into a message. Its sender is null, so that nobody answers it
// and no bounce of it can loop (RFC 3834 §3.3), and its Date and Message-ID are those of the
// notice, so that a second attempt is the same message.
func composeNotice(src *source, render MailFunc, s site) (*message, error) {
	h, to, text, err := noticeHead(src, render, s)
	if err != nil {
		return nil, err
	}
	writeTextHead(h)
	writeQuoted(&h.Buffer, text)
	return &message{
		id:    src.notice.id,
		after: smtpclient.Prepare(h.Bytes()),
		size:  int64(h.Len()),
		utf8:  !to.ASCII(),
	}, nil
}

// noticeHead is the header of a notice up to what its body is, whom it goes to, and its text.
func noticeHead(src *source, render MailFunc, s site) (h *header, to smtp.Address, text string, err error) {
	n := &src.notice
	if to, err = smtp.ParseAddress(n.address); err != nil {
		return nil, to, "", fmt.Errorf("address %q: %w", n.address, err)
	}
	data, err := noticeData(src, s)
	if err != nil {
		return nil, to, "", err
	}
	subject, text, err := render(n.source, n.kind, n.language, data)
	if err != nil {
		return nil, to, "", fmt.Errorf("notice %q in %q: %w", n.kind, n.language, err)
	}
	h = &header{}
	h.field("From", noticeFrom(src, s))
	h.field("To", "<"+to.Wire()+">")
	if reply, err := smtp.ParseAddress(param(data, "Reply")); err == nil {
		h.field("Reply-To", "<"+reply.Wire()+">")
	}
	submitted := "auto-generated"
	if about := param(data, "MessageID"); strings.HasPrefix(about, "<") {
		submitted = "auto-replied" // RFC 3834 §3.1.7
		h.field("In-Reply-To", about)
		h.field("References", about)
	}
	h.field("Subject", mime.QEncoding.Encode("utf-8", smtp.CleanName(subject)))
	h.field("Date", n.made.UTC().Format(time.RFC1123Z))
	h.field("Message-ID", "<"+n.id+"@"+s.hostname+">")
	h.field("Auto-Submitted", submitted)
	h.field("Precedence", "bulk")
	h.field("MIME-Version", "1.0")
	return h, to, text, nil
}

// writeTextHead writes what says that a text in quoted-printable follows.
func writeTextHead(h *header) {
	h.field("Content-Type", "text/plain; charset=utf-8")
	h.field("Content-Transfer-Encoding", "quoted-printable")
	h.WriteString("\r\n")
}

// param is a parameter that is a string, "" if it is not there.
func param(data map[string]any, name string) string {
	s, _ := data[name].(string)
	return s
}

// noticeFrom is who a notice comes from: the list's owners, who read what is answered to it, or
// the postmaster.
func noticeFrom(src *source, s site) string {
	if len(src.lists) == 0 {
		return "<" + smtp.Address{Local: "postmaster", Domain: s.hostname}.Wire() + ">"
	}
	l := src.lists[0]
	if l.name == "" {
		return "<" + l.role("owner").Wire() + ">"
	}
	return phrase(l.name) + " <" + l.role("owner").Wire() + ">"
}

// noticeData is what a template gets: the notice's own parameters and what is known of the list
// and the site.
func noticeData(src *source, s site) (map[string]any, error) {
	data := map[string]any{
		"Hostname": s.hostname,
		"BaseURL":  s.base,
		"Address":  src.notice.address,
	}
	if len(src.lists) > 0 {
		l := src.lists[0]
		title := l.name
		if title == "" {
			title = l.address().String()
		}
		data["ListTitle"] = title
		data["ListAddress"] = l.address().String()
		data["ListURL"] = listURL(s.base, l)
		data["OwnerAddress"] = l.role("owner").String()
		data["RequestAddress"] = l.role("request").String()
		data["LeaveAddress"] = l.role("leave").String()
		data["PostmasterAddress"] = smtp.Address{Local: "postmaster", Domain: l.host}.String()
	}
	params := map[string]any{}
	if err := json.Unmarshal(src.notice.params, &params); err != nil {
		return nil, fmt.Errorf("parameters of notice %q: %w", src.notice.kind, err)
	}
	completeURLs(params, s.base)
	maps.Copy(data, params)
	return data, nil
}

// completeURLs puts the site before the paths on it, wherever in params they are. Without a site there
// is no link.
func completeURLs(params map[string]any, base string) {
	for name, value := range params {
		if rows, ok := value.([]any); ok {
			for _, row := range rows {
				if row, ok := row.(map[string]any); ok {
					completeURLs(row, base)
				}
			}
		}
		path, _ := value.(string)
		if !strings.HasSuffix(name, "URL") || !strings.HasPrefix(path, "/") {
			continue
		}
		if base == "" {
			params[name] = ""
		} else {
			params[name] = base + path
		}
	}
}

// writeQuoted writes text as quoted-printable with CRLF line ends.
func writeQuoted(w *bytes.Buffer, text string) {
	q := quotedprintable.NewWriter(w)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	// Writing to memory does not fail.
	_, _ = q.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	_ = q.Close()
}
