package fanout

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"muster/lists"
	"muster/lists/edit"
	"muster/smtp"
	"muster/smtp/smtpclient"
)

// Sealer makes the seals of bounce and unsubscribe addresses: *lists.Sealer. It is called for every
// copy.
type Sealer interface {
	Bounce(list, member int64, day int) string
	Leave(list, member int64) string
}

// source is what a message is made of: a post or a notice, as stored.
type source struct {
	kind      string // 'post', 'owners', 'admins' or 'notice'
	ref       string
	tracking  string // of the list, when it was planned
	verp      bool
	accepted  time.Time
	post      string // its id
	size      int64
	raw       []byte // of a post that is composed in memory
	headerLen int
	received  string // our Received field
	authres   string // our Authentication-Results field; "" where nobody looked
	authserv  string // by whose name nobody else may write one; "" for that of authres
	messageID string
	null      bool // the sender was the null reverse-path
	eightbit  bool
	utf8      bool
	lists     []listName // the list and those nested in it; none for a notice of the site
	notice    notice
	edits     edit.Edits // what a moderator changed of the post
}

// listName is what a message says of a list.
type listName struct {
	id    int64
	local string
	host  string // the domain
	name  string
}

func (l listName) address() smtp.Address { return smtp.Address{Local: l.local, Domain: l.host} }

func (l listName) role(suffix string) smtp.Address {
	return smtp.Address{Local: l.local + "-" + suffix, Domain: l.host}
}

// message is a composed message, made once for all its copies and shared by all connections. What
// differs from member to member stands between before and after, which of a long message is in a file.
type message struct {
	id            string // no other message has it
	before, after smtpclient.Text
	long          *longText // in place of after
	size          int64     // octets of a copy, about: without what is personal
	eightbit      bool
	utf8          bool
	sender        smtp.Address // envelope sender of copies that are not personal
	redirect      smtp.Address // gets all copies, if there is one
	verdicts      verdicts
	host          string // the list's domain; of what no list sends, the site's name
	personal      bool
	seals         Sealer
	day           int    // of the acceptance, so that a later attempt has the same seal
	tracked       string // ENVID of copies that ask for reports, "" where none does
	receipt       bool   // they ask the reader's program for one too
	voices        []voice
	leavers       leavers
	signs         *signature // nil: unsigned, or signed once for all copies
	narrow        *narrow    // nil: every server can have it as it is
}

// voice is how one list speaks to a member of it: of a nested list its own, because that is what
// the member can leave, and whose bounces count.
type voice struct {
	list   int64
	bounce string // local part up to the seal
	host   string
	leave  string // List-Unsubscribe up to the seal
	end    string // after it; empty where there is no site, and so no seal
}

// sealDay is the day of a seal, as lists.SealDay counts it.
func sealDay(t time.Time) int { return int(t.Unix() / (24 * 60 * 60)) }

var errNoList = errors.New("post without a list")

// compose makes the message of a post that is in memory.
func compose(src *source, seals Sealer, base string) (*message, error) {
	m, after, err := composeHeader(src, src.raw, seals, base)
	if err != nil {
		return nil, err
	}
	body := src.raw[src.headerLen:]
	after.Grow(len(body))
	if len(src.edits) == 0 {
		after.Write(body)
	} else if err := src.edits.Cutter(int64(src.headerLen)).Cut(body, after.add); err != nil {
		return nil, err
	}
	m.after = smtpclient.Prepare(after.Bytes())
	m.size += int64(len(body))
	return m, nil
}

// composeHeader makes the message of a post whose header is whole in raw, up to after, of which it
// makes the header.
func composeHeader(src *source, raw []byte, seals Sealer, base string) (m *message, after *header, err error) {
	if len(src.lists) == 0 && src.kind != "admins" {
		return nil, nil, errNoList
	}
	if src.headerLen < 0 || src.headerLen > len(raw) {
		return nil, nil, fmt.Errorf("header of %d octets in a message of %d", src.headerLen, len(raw))
	}
	m = &message{
		id:       src.post,
		eightbit: src.eightbit,
		utf8:     src.utf8,
		seals:    seals,
		day:      sealDay(src.accepted),
	}
	if !src.null && len(src.lists) > 0 { // mail to the site's admins has nobody who would read of its bounces
		m.sender = src.lists[0].role("bounces")
	}
	var before header
	after = &header{}
	raw = src.edits.Header(raw[:src.headerLen])
	if src.authres != "" { // on top: what stands below may be anybody's (RFC 8601 §4.1)
		before.WriteString(storedField(authResults, src.authres))
	}
	raw = withoutClaims(raw, src.claimant())
	before.WriteString(storedField("Received", src.received))
	drop := isForNobody
	if src.kind == "post" {
		drop = isReplaced
		if m.receipt = src.verp && src.tracking == lists.TrackMDN; m.receipt || src.verp && src.tracking == lists.TrackDSN {
			m.tracked = src.ref
		}
		if m.receipt { // there may be one such field only (RFC 8098 §2.1)
			drop = func(name string) bool { return name == "disposition-notification-to" || isReplaced(name) }
		}
		writeListFields(&before, src.lists[0], base)
		m.personal = src.verp
		if m.personal {
			m.voices = voicesOf(src.lists, base)
		} else {
			l := src.lists[0]
			before.field("List-Unsubscribe", mailto(l.role("leave"), "")+orPage(base, l))
		}
	}
	if src.messageID != "" && !has(raw, "message-id") {
		after.field("Message-ID", src.messageID)
	}
	after.Write(without(raw, drop))
	m.before = smtpclient.Prepare(before.Bytes())
	m.size = int64(before.Len() + after.Len())
	return m, after, nil
}

// send adds the text of a copy to what goes out over a connection, below a field of its own that is
// not signed, if it has one.
func (m *message) send(conn *smtpclient.Conn, top, personal smtpclient.Text) error {
	var err error
	if m.personal {
		err = conn.Body(top, m.before, personal, m.after)
	} else {
		err = conn.Body(top, m.before, m.after)
	}
	if err != nil || m.long == nil {
		return err
	}
	return conn.TextFrom(m.long.open())
}

// memory is the octets that a message takes in memory, about.
func (m *message) memory() int64 {
	n := cap(m.before) + cap(m.after)
	if m.signs != nil {
		n += cap(m.signs.top)
	}
	return int64(n)
}

// close removes the files of a long message.
func (m *message) close() {
	if m.long != nil {
		m.long.close()
	}
	m.narrow.close()
}

// storedField makes sure that a stored field has its name and an end.
func storedField(name, s string) string {
	var h header
	if rest, ok := strings.CutPrefix(s, name+":"); ok {
		s = strings.TrimLeft(rest, " ")
	}
	h.field(name, strings.TrimRight(s, "\r\n"))
	return h.String()
}

// isForNobody marks the fields that no copy of anything has.
func isForNobody(name string) bool { return name == "return-path" || lists.IsApproval(name) }

// isReplaced marks the fields of a post that the list's own take the place of. The envelope sender
// becomes Return-Path at the far end (RFC 5321 §4.4).
func isReplaced(name string) bool {
	switch name {
	case "precedence", "list-id", "list-post", "list-help", "list-subscribe",
		"list-unsubscribe", "list-unsubscribe-post", "list-owner", "list-archive":
		return true
	}
	return isForNobody(name)
}

// writeListFields writes what all copies of a post share (RFC 2919, RFC 2369).
func writeListFields(h *header, l listName, base string) {
	id := "<" + l.local + "." + l.host + ">"
	if l.name != "" {
		id = beside("List-Id", phrase(l.name), id)
	}
	h.field("List-Id", id)
	h.field("List-Post", mailto(l.address(), ""))
	h.field("List-Help", mailto(l.role("request"), "help"))
	h.field("List-Subscribe", mailto(l.role("join"), "")+orPage(base, l))
	h.field("List-Owner", mailto(l.role("owner"), ""))
	h.field("Precedence", "list")
}

func listURL(base string, l listName) string {
	return base + "/lists/" + percent(l.local) + "@" + percent(l.host)
}

// orPage adds the list's page to a field, where there is a site.
func orPage(base string, l listName) string {
	if base == "" {
		return ""
	}
	return ",\r\n <" + listURL(base, l) + ">"
}

// oneClick goes with a List-Unsubscribe that holds a seal, over https only (RFC 8058 §3.1).
const oneClick = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"

func voicesOf(names []listName, base string) []voice {
	end := ">\r\n"
	if strings.HasPrefix(base, "https://") {
		end += oneClick
	}
	voices := make([]voice, len(names))
	for i, l := range names {
		voices[i] = voice{list: l.id, bounce: l.local + "-bounces+", host: l.host, leave: "List-Unsubscribe: " + mailto(l.role("leave"), "")}
		if base == "" {
			voices[i].leave += "\r\n"
			continue
		}
		voices[i].leave += ",\r\n <" + base + "/leave/"
		voices[i].end = end
	}
	return voices
}

// voice finds how to speak to a member of list, which for a fan-out without nested lists is the
// one there is.
func (m *message) voice(list int64) *voice {
	for i := range m.voices {
		if m.voices[i].list == list {
			return &m.voices[i]
		}
	}
	return &m.voices[0]
}

// appendPersonal appends what is one member's own in the header, and where copies are signed one by
// one the signature, with what stands between.
func (m *message) appendPersonal(dst []byte, list, member int64) smtpclient.Text {
	if m.signs != nil {
		return m.signs.append(dst, func(dst []byte) []byte { return m.appendOwn(dst, list, member) })
	}
	return m.appendOwn(dst, list, member)
}

// appendOwn appends the fields that are one member's own.
func (m *message) appendOwn(dst []byte, list, member int64) smtpclient.Text {
	v := m.voice(list)
	if m.receipt {
		dst = m.appendReceipt(dst, v, member)
	}
	dst = append(dst, v.leave...)
	if v.end == "" {
		return dst
	}
	dst = append(dst, m.seals.Leave(v.list, member)...)
	return append(dst, v.end...)
}

// appendReceipt asks for a receipt (RFC 8098 §2.1), to the envelope sender of the copy: to another address
// programs send none without asking.
func (m *message) appendReceipt(dst []byte, v *voice, member int64) []byte {
	dst = append(dst, "Disposition-Notification-To: <"...)
	dst = append(dst, v.bounce...)
	dst = append(dst, m.seals.Bounce(v.list, member, m.day)...)
	dst = append(dst, '@')
	dst = append(dst, v.host...)
	return append(dst, ">\r\n"...)
}

// senderTo is the envelope sender of a personal copy.
func (m *message) senderTo(list, member int64) smtp.Address {
	v := m.voice(list)
	return smtp.Address{Local: v.bounce + m.seals.Bounce(v.list, member, m.day), Domain: v.host}
}
