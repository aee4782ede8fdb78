package smtpserver

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10)
	for _, tt := range []struct {
		text  string
		fault fault
	}{
		{"", faultNone},
		{"\r\n", faultNone},
		{"a\r\n\r\nb", faultNone},
		{"\n", faultBareLF},
		{"a\r\nb\nc\r\n", faultBareLF},
		{"a\r\n\nb", faultBareLF},
		{"\r", faultBareCR},
		{"a\rb\r\n", faultBareCR},
		{"a\r\r\n", faultBareCR},
		{"a\n\r", faultBareLF},
		{long + "\r\n" + long, faultNone},
		{long + "x\r\n", faultLongLine},
		{"a\r\n" + long + "x", faultLongLine},
	} {
		for range 20 {
			if got := scanPieces(tt.text); got != tt.fault {
				t.Errorf("%q: got %d, want %d", tt.text, got, tt.fault)
			}
		}
	}
}

// scanPieces scans text in pieces cut at random.
func scanPieces(s string) fault {
	seen := text{limit: 10}
	for len(s) > 0 {
		n := 1 + rand.IntN(len(s))
		if f := seen.scan([]byte(s[:n])); f != faultNone {
			return f
		}
		s = s[n:]
	}
	return seen.end()
}

func TestTextEightBit(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		s := []byte(strings.Repeat("x", 20))
		if hasEightBit(s) {
			t.Fatal("ASCII is 7 bit")
		}
		s[i] = 0x80
		if !hasEightBit(s) {
			t.Fatalf("octet %d not seen", i)
		}
	}
}
