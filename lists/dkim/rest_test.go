package dkim

import (
	"bytes"
	"testing"
)

// TestRestInPieces: a message is signed the same wherever it was cut in two, and octet by octet, also
// where a line end, the empty line or a field is what was cut.
func TestRestInPieces(t *testing.T) {
	t.Parallel()
	keys := testKeys()[1:]
	for _, whole := range []string{
		rest, "From: a@a.example\r\nSubject: x\r\n y\r\n\r\n \r\n..a  b\t\r\n\r\n\r\nc\r\r\nd\n\n", "From: a\r\n", "From: a\r\r\n\nx", "\r\nbody\r\n", "\n\r\nx", "",
	} {
		want := signedRest(t, keys, Message{Rest: []byte(whole)})
		for i := range len(whole) + 1 {
			r := NewRest()
			_, _ = r.Write([]byte(whole[:i]))
			_, _ = r.Write([]byte(whole[i:]))
			if got := signedRest(t, keys, Message{Long: r}); !bytes.Equal(got, want) {
				t.Errorf("%q, cut at %d:\n%s\nwant\n%s", whole, i, got, want)
			}
		}
		r := NewRest()
		for i := range len(whole) {
			_, _ = r.Write([]byte{whole[i]})
		}
		if got := signedRest(t, keys, Message{Long: r}); !bytes.Equal(got, want) {
			t.Errorf("%q, octet by octet:\n%s\nwant\n%s", whole, got, want)
		}
	}
}

func signedRest(t *testing.T, keys []*Key, m Message) []byte {
	t.Helper()
	m.Time = accepted
	c, err := Prepare(keys, m, crlf)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Append(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
