package fanout

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strconv"
	"sync"
)

// What is posted: one JSON object, with the message at its end in base64. A message is octets, of any
// charset or none, which a JSON string cannot hold as they are; and every language that has JSON has base64.
// Parts of a form would be shorter, but are read by libraries that change line ends or go by a charset.

// postedHead is the object without the message.
type postedHead struct {
	Version    int               `json:"version"`
	Key        string            `json:"key"`
	From       string            `json:"from"`
	Recipients []postedRecipient `json:"recipients"`
}

// postedRecipient is a copy. Its id is the same with each attempt at it.
type postedRecipient struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

// posted is the beginning of a batch's object, the ids of its copies, and the key of the transaction. All that
// differs between two attempts is in the key, so that one and the same is one attempt.
func (b *batch) posted() (head *bytes.Reader, ids []string, key string) {
	h := postedHead{Version: 1, From: b.envelope.From.Wire(), Recipients: make([]postedRecipient, len(b.who))}
	ids = make([]string, len(b.who))
	whole := sha256.New()
	_, _ = io.WriteString(whole, b.message.id+"\n"+h.From) // a hash takes everything
	for i, place := range b.who {
		address := b.envelope.To[i].Wire()
		member := strconv.FormatInt(b.run.members[place], 10)
		sum := sha256.Sum256([]byte(b.message.id + "\n" + member + "\n" + address))
		ids[i] = hex.EncodeToString(sum[:16])
		h.Recipients[i] = postedRecipient{ids[i], address}
		_, _ = io.WriteString(whole, "\n"+ids[i]+" "+strconv.Itoa(int(b.run.attempt(place))))
	}
	key = hex.EncodeToString(whole.Sum(nil)[:16])
	h.Key = key
	text, err := json.Marshal(h)
	if err != nil { // there is nothing in it that could not be
		panic(err)
	}
	text = append(bytes.TrimSuffix(text, []byte("}")), `,"message":"`...)
	return bytes.NewReader(text), ids, key
}

// plain reads the text of a batch's copies as it is without SMTP: no dot is doubled.
func (b *batch) plain() io.Reader {
	m := b.message
	parts := []io.Reader{bytes.NewReader(b.original), bytes.NewReader(m.before)}
	if m.personal {
		parts = append(parts, bytes.NewReader(b.personal))
	}
	parts = append(parts, bytes.NewReader(m.after))
	if m.long != nil {
		parts = append(parts, m.long.open())
	}
	return &undotted{text: io.MultiReader(parts...)}
}

// plainSize is the length of that: web servers want to know it, many take nothing without. It is counted and not
// kept, for nobody else asks.
func (b *batch) plainSize() (int64, error) { return io.Copy(io.Discard, b.plain()) }

// undotted takes the doubled dots out of Text (RFC 5321 §4.5.2).
type undotted struct {
	text   io.Reader
	inLine bool
}

// Read reads what is left of a piece.
func (u *undotted) Read(p []byte) (int, error) {
	n, err := u.text.Read(p)
	return u.strip(p[:n]), err
}

func (u *undotted) strip(p []byte) int {
	kept := p[:0]
	for len(p) > 0 {
		if !u.inLine && p[0] == '.' {
			u.inLine = true
			p = p[1:]
			continue
		}
		end := bytes.Index(p, []byte("\n."))
		if end < 0 {
			u.inLine = p[len(p)-1] != '\n'
			kept = append(kept, p...)
			break
		}
		kept = append(kept, p[:end+1]...)
		u.inLine = false
		p = p[end+1:]
	}
	return len(kept)
}

// encoder reads what another reader has, in base64. Its memory is that of one connection.
type encoder struct {
	plain io.Reader
	raw   [24 << 10]byte // a multiple of three
	out   [32 << 10]byte
	rest  []byte
	err   error
}

// of begins anew.
func (e *encoder) of(plain io.Reader) io.Reader {
	e.plain, e.rest, e.err = plain, nil, nil
	return e
}

// Read encodes the next piece.
func (e *encoder) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		var n int
		if n, e.err = io.ReadFull(e.plain, e.raw[:]); e.err == io.ErrUnexpectedEOF {
			e.err = io.EOF
		}
		base64.StdEncoding.Encode(e.out[:], e.raw[:n])
		e.rest = e.out[:base64.StdEncoding.EncodedLen(n)]
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// meteredBody remembers why it could not be read, which the transport does not say of itself, and tells
// when it gets on.
type meteredBody struct {
	io.Reader
	moved  func()
	closed chan struct{} // when nobody reads it any more
	close  func()

	mu  sync.Mutex
	err error
}

func newMeteredBody(r io.Reader) *meteredBody {
	m := &meteredBody{Reader: r, closed: make(chan struct{})}
	m.close = sync.OnceFunc(func() { close(m.closed) })
	return m
}

// Close is the transport's word that it reads no more.
func (m *meteredBody) Close() error {
	m.close()
	return nil
}

// Read notes an error.
func (m *meteredBody) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.moved()
	if err != nil && err != io.EOF {
		m.mu.Lock()
		m.err = err
		m.mu.Unlock()
	}
	return n, err
}

func (m *meteredBody) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}
