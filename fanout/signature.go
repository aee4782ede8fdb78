package fanout

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"muster/lists/dkim"
	"muster/smtp/smtpclient"
)

// KeysFunc gives the keys that sign for a domain, none where nothing is signed:
// (*lists.Service).SigningKeys. It is called once a message.
type KeysFunc func(ctx context.Context, domain string) ([]*dkim.Key, error)

// signature signs the copies of a message one by one. It stands above all else, so that what is
// above a copy's own fields is kept here, and goes out with them.
type signature struct {
	copies *dkim.Copies
	top    []byte
}

// signers are the keys that a message is signed with: for a post and a notice of a list those of
// its domain, for a notice of the site those of its name. What is only passed on to owners and
// admins is not ours to answer for.
func (l *library) signers(ctx context.Context, src *source) ([]*dkim.Key, error) {
	if l.keys == nil {
		return nil, nil
	}
	if src.kind != "post" && src.kind != "notice" {
		return nil, nil
	}
	return l.keys(ctx, l.hostOf(src))
}

// hostOf is the domain that a message comes from: its list's, or the site's name.
func (l *library) hostOf(src *source) string {
	if len(src.lists) > 0 {
		return src.lists[0].host
	}
	return l.site.hostname
}

// signedAt is the time in signatures. It stays the same, so that a copy sent a second time does.
func (s *source) signedAt() time.Time {
	if s.kind == "notice" {
		return s.notice.made
	}
	return s.accepted
}

// sign signs a composed message with each of some keys: now, where all copies are the same, else
// each copy when it is made.
func (m *message) sign(keys []*dkim.Key, at time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	rest := dkim.NewRest()
	_, _ = rest.Write(unstuffed(m.after)) // which does not fail
	return m.signRest(keys, rest, at)
}

// signRest signs a message whose after is in rest.
func (m *message) signRest(keys []*dkim.Key, rest *dkim.Rest, at time.Time) error {
	var own []byte
	if m.personal {
		own = m.appendOwn(nil, m.voices[0].list, 0)
	}
	copies, err := dkim.Prepare(keys, dkim.Message{Top: unstuffed(m.before), Own: own, Long: rest, Time: at}, signatureField)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	if m.personal {
		m.signs = &signature{copies, m.before}
		m.size -= int64(len(m.before)) // which counts as the copy's own now
		m.before = nil
		return nil
	}
	signed, err := copies.Append(nil, nil)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	m.before = append(signed, m.before...)
	m.size += int64(copies.Size())
	return nil
}

// signatureField writes the field of a signature.
func signatureField(name, value string) []byte {
	var h header
	h.field(name, value)
	return h.Bytes()
}

// append appends the signatures of a copy, what is above its own fields, and those.
func (s *signature) append(dst []byte, own func(dst []byte) []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, s.copies.Size())[:start+s.copies.Size()]
	dst = append(dst, s.top...)
	mine := len(dst)
	dst = own(dst)
	if _, err := s.copies.Append(dst[start:start:mine], dst[mine:]); err != nil {
		// The keys have signed this message before. A machine that now computes otherwise ends the
		// worker, and what it had in hand is sent by another.
		panic(err)
	}
	return dst
}

// unstuffed is mail as the reader gets it: without the second dot of lines that begin with two
// (RFC 5321 §4.5.2).
func unstuffed(text smtpclient.Text) []byte {
	if !bytes.HasPrefix(text, []byte(".")) && !bytes.Contains(text, []byte("\n.")) {
		return text
	}
	plain := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		plain = append(plain, bytes.TrimPrefix(line, []byte("."))...)
	}
	return plain
}
