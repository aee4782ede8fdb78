package admin

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"

	"muster/lists"
)

// letter is a message as it can be shown without harm: text only, nothing fetched, nothing run.
type letter struct {
	From        string
	To          string
	Date        string
	Text        string
	Attachments []attachment
	Cut         bool // only its beginning is here
	Raw         bool // it was not taken apart
}

// attachment is named, never opened.
type attachment struct {
	Name string
	Type string
	Size int64
}

// Bounds of what is read and shown of a message. One with more parts, or deeper, is made to cost
// whoever takes it apart, and is shown as it came.
const (
	maxRead  = 8 << 20
	maxShown = 200 << 10
	maxRaw   = 32 << 10
	maxParts = 1000
	maxDepth = 100
)

// readLetter reads the beginning of a post and takes it apart.
func (s *Site) readLetter(v *visit, p lists.Post) (letter, error) {
	var head beginning
	err := s.lists.WriteRaw(v.Request().Context(), v.actor, p, &head)
	if err != nil && !errors.Is(err, errEnough) {
		return letter{}, fmt.Errorf("post %s: %w", p.Ref, err)
	}
	l := takeApart(head.Bytes())
	l.Cut = l.Cut || err != nil
	return l, nil
}

// beginning takes what fits and then asks for no more.
type beginning struct{ bytes.Buffer }

var errEnough = errors.New("enough was read")

// Write keeps what fits.
func (b *beginning) Write(p []byte) (int, error) {
	room := maxRead - b.Len()
	if len(p) <= room {
		return b.Buffer.Write(p)
	}
	n, err := b.Buffer.Write(p[:room])
	return n, errors.Join(errEnough, err)
}

// takeApart shows a message by its text. A parser that gives up, or panics, over something that a
// stranger sent leaves the message as it came.
func takeApart(raw []byte) (l letter) {
	defer func() {
		if recover() != nil {
			l = rawLetter(raw)
		}
	}()
	if tooDeep(raw) {
		return rawLetter(raw)
	}
	e, err := enmime.NewParser(enmime.SkipMalformedParts(true), enmime.MaxStoredPartErrors(10)).ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return rawLetter(raw)
	}
	l = letter{From: line(e.GetHeader("From")), To: line(e.GetHeader("To")), Date: line(e.GetHeader("Date"))}
	l.Text, l.Cut = shown(e.Text, maxShown)
	for _, parts := range [][]*enmime.Part{e.Attachments, e.Inlines, e.OtherParts} {
		for _, p := range parts {
			l.Attachments = append(l.Attachments, attachment{Name: line(p.FileName), Type: line(p.ContentType), Size: int64(len(p.Content))})
		}
	}
	return l
}

// tooDeep counts what could open a part, without taking anything apart.
func tooDeep(raw []byte) bool {
	return bytes.Count(raw, []byte("\n--")) > 2*maxParts || bytes.Count(bytes.ToLower(raw), []byte("multipart/")) > maxDepth
}

func rawLetter(raw []byte) letter {
	text, cut := shown(string(raw[:min(len(raw), maxRaw)]), maxRaw)
	return letter{Text: text, Raw: true, Cut: cut || len(raw) > maxRaw}
}

// shown makes text safe to look at: no control characters, and none that turn the reading
// direction around and make a page say what it does not.
func shown(text string, most int) (string, bool) {
	cut := len(text) > most
	if cut {
		text = text[:most]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
	return strings.Trim(text, "\n"), cut
}

// line is shown for what stands in one line.
func line(text string) string {
	text, _ = shown(text, 1000)
	return strings.Join(strings.Fields(text), " ")
}
