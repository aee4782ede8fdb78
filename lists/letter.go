package lists

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"muster/lists/verdict"
)

const (
	// pieceSize is how much of a raw message one row holds.
	pieceSize = 256 << 10
	// maxHeader bounds what is held in memory of a header, whatever the server in front lets in.
	maxHeader = 1 << 20
)

// letter is a message that was read: what its header says, and what its octets hash to.
type letter struct {
	Message
	verdict   verdict.Message
	header    []byte
	raw       []byte // all of it where it fits in a piece, else nil
	messageID string
	bodyHash  []byte
}

// readLetter reads a message once, whatever its size, holding no more of it than a header and a
// piece.
func (s *Service) readLetter(m Message) (*letter, error) {
	r := m.Open()
	defer r.Close()
	header := make([]byte, min(m.HeaderLen, maxHeader))
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	body := sha256.New()
	l := &letter{Message: m, header: header, verdict: verdict.Read(header)}
	if m.Size <= pieceSize {
		l.raw = make([]byte, m.Size)
		n := copy(l.raw, header)
		if _, err := io.ReadFull(r, l.raw[n:]); err != nil {
			return nil, fmt.Errorf("message: %w", err)
		}
		body.Write(l.raw[n:])
	} else if _, err := io.Copy(body, r); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	l.bodyHash = body.Sum(nil)
	l.messageID = l.verdict.MessageID
	if l.messageID == "" {
		l.messageID = l.madeID(s.cfg.Hostname, s.cfg.Now())
	}
	return l, nil
}

// madeID is the Message-ID of a message without one: the same for the same message, so that a retry
// is known for one. What carries no Date either is told apart by the day, or a weekly message of
// always the same words would be taken for a retry.
func (l *letter) madeID(host string, now time.Time) string {
	date := l.verdict.Date
	if date == "" {
		date = now.UTC().Format(time.DateOnly)
	}
	if host == "" {
		host = "localhost"
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(l.verdict.From.Address.Key()), []byte(date), []byte(l.verdict.Subject), []byte(l.verdict.BogusID), l.bodyHash} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return "<" + code32.EncodeToString(h.Sum(nil)[:secretOctets]) + "@" + host + ">"
}

// idHash is by what a message is known again among those of a kind.
func (l *letter) idHash(kind string) []byte { return PostIDHash(kind, l.messageID) }

// PostIDHash is by what the posts of a kind with a Message-ID are found in the table seen.
func PostIDHash(kind, messageID string) []byte {
	sum := sha256.Sum256([]byte(kind + " " + messageID))
	return sum[:]
}

// start is the beginning of the message, up to most octets.
func (l *letter) start(most int64) ([]byte, error) {
	if l.raw != nil {
		return l.raw[:min(int64(len(l.raw)), most)], nil
	}
	r := l.Open()
	defer r.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(r, most)); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	return b.Bytes(), nil
}

// open reads the message anew.
func (l *letter) open() (io.ReadCloser, error) {
	if l.raw != nil {
		return io.NopCloser(bytes.NewReader(l.raw)), nil
	}
	return l.Open(), nil
}
