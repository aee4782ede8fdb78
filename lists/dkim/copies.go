package dkim

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FieldFunc writes a header field, with its CRLF, from a value that is folded already.
type FieldFunc func(name, value string) []byte

// Message is what is signed: Top, what is a copy's own, and Rest make the message, in this order.
type Message struct {
	Top  []byte    // fields
	Own  []byte    // an example of a copy's own fields: in all copies the same fields, with other values
	Rest []byte    // fields, an empty line, the body
	Long *Rest     // where it is not nil, stands for Rest
	Time time.Time // that the signature says it was made
}

// Copies signs the copies of one message. It is safe for concurrent use.
type Copies struct {
	keys  []*Key
	heads []head     // of the signatures, by key
	own   []ownField // from the last to the first
	state []byte     // of the hash, after what all copies share
	size  int
	spare sync.Pool // of *work
}

// ownField is a field of a copy's own.
type ownField struct {
	name   string
	signed bool
}

// head is the field of a signature up to the signature.
type head struct {
	text    []byte // as it is sent
	relaxed []byte // as it is hashed
}

// work is what signing one copy needs for a moment.
type work struct {
	hash   hash.Hash
	fields []field
	own    []byte // relaxed
	sum    []byte
}

var errMixed = errors.New("a field of a copy's own also stands above it")

var errOwn = errors.New("a copy's own fields are not those it was prepared for")

// Prepare makes ready to sign the copies of a message with each of some keys. Field writes the
// field of a signature.
func Prepare(keys []*Key, m Message, write FieldFunc) (*Copies, error) {
	c := &Copies{keys: keys}
	c.spare.New = func() any { return &work{hash: sha256.New()} }
	rest := m.Long
	if rest == nil {
		rest = NewRest()
		_, _ = rest.Write(m.Rest)
	}
	h := sha256.New()
	names, err := c.cover(h, &m, rest.fields())
	if err != nil {
		return nil, err
	}
	if c.state, err = h.(encoding.BinaryAppender).AppendBinary(nil); err != nil {
		return nil, err
	}
	bodyHash := rest.body.sum()
	for _, k := range keys {
		value := headValue(k, names, bodyHash, m.Time)
		text := bytes.TrimRight(write("DKIM-Signature", value), "\r\n")
		f, _, _ := splitField(text)
		c.heads = append(c.heads, head{text, bytes.TrimRight(appendRelaxed(nil, f), "\r\n")})
		c.size += len(text) + foldedSize(k.size())
	}
	// A key that cannot sign is found now, and not at a copy.
	if _, err := c.Append(nil, m.Own); err != nil {
		return nil, err
	}
	return c, nil
}

// cover hashes what all copies share and returns the names of all fields signed, in the order of
// signing. Of fields of the same name the last is signed first (RFC 6376 §5.4.2).
func (c *Copies) cover(h hash.Hash, m *Message, rest []field) (names []string, err error) {
	top, _ := splitMessage(m.Top)
	own, _ := splitMessage(m.Own)
	var buf []byte
	var personal []cover
	for _, cover := range covers() {
		shared := called(rest, cover.name)
		above := called(top, cover.name)
		if len(called(own, cover.name)) > 0 {
			if len(above) > 0 {
				return nil, fmt.Errorf("%s: %w", cover.name, errMixed)
			}
			personal = append(personal, cover)
		} else {
			shared = append(above, shared...)
		}
		for _, f := range slices.Backward(shared) {
			buf = appendRelaxed(buf[:0], f)
			h.Write(buf)
			names = append(names, cover.name)
		}
		if !cover.open && (len(shared) > 0 || cover.absent) && len(called(own, cover.name)) == 0 {
			names = append(names, cover.name)
		}
	}
	for _, f := range slices.Backward(own) {
		i := slices.IndexFunc(personal, func(p cover) bool { return strings.EqualFold(p.name, string(f.name)) })
		if i >= 0 {
			names = append(names, personal[i].name)
		}
		c.own = append(c.own, ownField{string(f.name), i >= 0})
	}
	for _, p := range personal {
		names = append(names, p.name)
	}
	return names, nil
}

// headValue is the value of a signature's field (RFC 6376 §3.5), up to the signature.
func headValue(k *Key, names []string, bodyHash []byte, at time.Time) string {
	var b strings.Builder
	b.WriteString("v=1; a=" + string(k.algorithm) + "-sha256; c=relaxed/relaxed;\r\n d=" + k.domain +
		";\r\n s=" + k.selector + "; t=" + strconv.FormatInt(at.Unix(), 10) + ";\r\n h=")
	const width = 76
	column := len(" h=")
	for i, name := range names {
		if i > 0 {
			b.WriteByte(':')
			column++
			if column+len(name) >= width {
				b.WriteString("\r\n ")
				column = 1
			}
		}
		b.WriteString(name)
		column += len(name)
	}
	b.WriteString(";\r\n bh=" + base64.StdEncoding.EncodeToString(bodyHash) + ";\r\n b=")
	return b.String()
}

// Size is the octets that the signatures of a copy take.
func (c *Copies) Size() int { return c.size }

// Append appends the signatures of the copy that has these fields of its own: DKIM-Signature
// fields, to stand above everything else, Size octets in all.
func (c *Copies) Append(dst, own []byte) ([]byte, error) {
	w := c.spare.Get().(*work)
	defer c.spare.Put(w)
	if err := w.relax(own, c.own); err != nil {
		return dst, err
	}
	for i, k := range c.keys {
		if err := w.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(c.state); err != nil {
			return dst, err
		}
		w.hash.Write(w.own)
		w.hash.Write(c.heads[i].relaxed)
		w.sum = w.hash.Sum(w.sum[:0])
		signature, err := k.sign(w.sum)
		if err != nil {
			return dst, fmt.Errorf("signing with %s: %w", k, err)
		}
		dst = append(dst, c.heads[i].text...)
		dst = appendFolded(dst, signature)
	}
	return dst, nil
}

// relax makes what is hashed of a copy's own fields, which must be those that were prepared for.
func (w *work) relax(own []byte, want []ownField) error {
	w.fields, w.own = w.fields[:0], w.own[:0]
	for {
		f, rest, ok := splitField(own)
		if !ok {
			break
		}
		own = rest
		if len(f.name) > 0 {
			w.fields = append(w.fields, f)
		}
	}
	if len(w.fields) != len(want) {
		return errOwn
	}
	for i, o := range want {
		f := w.fields[len(want)-1-i]
		if string(f.name) != o.name {
			return errOwn
		}
		if o.signed {
			w.own = appendRelaxed(w.own, f)
		}
	}
	return nil
}

// foldAt is how many characters of a signature stand on a line: 54 octets.
const foldAt = 72

// foldedSize is the length of what appendFolded appends for n octets.
func foldedSize(n int) int {
	chars := base64.StdEncoding.EncodedLen(n)
	return chars + len("\r\n ")*((chars-1)/foldAt) + len("\r\n")
}

// appendFolded appends a signature in base64, folded, and ends its field.
func appendFolded(dst, signature []byte) []byte {
	const octets = foldAt / 4 * 3
	for len(signature) > octets {
		dst = base64.StdEncoding.AppendEncode(dst, signature[:octets])
		dst = append(dst, "\r\n "...)
		signature = signature[octets:]
	}
	dst = base64.StdEncoding.AppendEncode(dst, signature)
	return append(dst, "\r\n"...)
}
