package lists

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPlainText: whatever is sent, there is text or none, and no more than was sent allows.
func FuzzPlainText(f *testing.F) {
	f.Add([]byte("From: a@a.example\r\n\r\njoin\r\n"))
	f.Add([]byte("Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>he=\r\nlp</p>\r\n--b--\r\n"))
	f.Add([]byte("Content-Type: message/rfc822\r\n\r\nContent-Type: text/plain; charset=utf-7\r\nContent-Transfer-Encoding: base64\r\n\r\naGVscA\r\n"))
	f.Add([]byte("Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n\x1b$B\xff\x00\r\n"))
	f.Add([]byte(strings.Repeat("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n", 200)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > maxCommandMail {
			return
		}
		text := plainText(raw)
		if !utf8.ValidString(text) || len(text) > 16*len(raw)+1024 {
			t.Errorf("%d octets of text from %d, valid: %v", len(text), len(raw), utf8.ValidString(text))
		}
	})
}
