package admin

import (
	"strings"
	"testing"
)

func TestTakeApart(t *testing.T) {
	t.Parallel()
	crlf := func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }
	for _, tt := range []struct {
		name string
		raw  []byte
		text string
		is   func(letter) bool
	}{
		{"plain", crlf("From: A <a@b.example>\nSubject: x\n\nHello\n"), "Hello", func(l letter) bool { return !l.Raw && l.From == "A <a@b.example>" }},
		{"html alone", crlf("From: a@b.example\nContent-Type: text/html\n\n<p>Hello <script>alert(1)</script><b>you</b></p>"), "Hello", func(l letter) bool { return !strings.Contains(l.Text, "alert") }},
		{"controls", crlf("From: a@b.example\nContent-Type: text/plain; charset=utf-8\n\na\x00b\x1b[31mc\u202edcba\u2066\n"), "ab[31mcdcba", nil},
		{"too deep", crlf("From: a@b.example\n\n" + strings.Repeat("Content-Type: multipart/mixed; boundary=x\n", 101)), "multipart/mixed", func(l letter) bool { return l.Raw }},
		{"too many parts", crlf("From: a@b.example\n\n" + strings.Repeat("--x\n", 2001)), "--x", func(l letter) bool { return l.Raw }},
		{"nothing", nil, "", nil},
		{"long", crlf("From: a@b.example\n\n" + strings.Repeat("long line of text\n", 20000)), "long line", func(l letter) bool { return l.Cut && len(l.Text) <= maxShown }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := takeApart(tt.raw)
			if !strings.Contains(l.Text, tt.text) || tt.is != nil && !tt.is(l) {
				t.Errorf("%+.300v", l)
			}
		})
	}
}

func TestBeginning(t *testing.T) {
	t.Parallel()
	var b beginning
	piece := make([]byte, maxRead/2)
	for i, want := range []error{nil, nil, errEnough} {
		if _, err := b.Write(piece); (err == nil) != (want == nil) {
			t.Errorf("piece %d: %v, want %v", i, err, want)
		}
	}
	if b.Len() != maxRead {
		t.Errorf("%d octets kept, want %d", b.Len(), maxRead)
	}
}

func FuzzTakeApart(f *testing.F) {
	f.Add([]byte("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"))
	f.Add([]byte("Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := takeApart(raw)
		if strings.ContainsAny(l.Text+l.From, "\x00\x1b\u202e") {
			t.Errorf("%+v", l)
		}
	})
}
