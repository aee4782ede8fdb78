package smtpclient

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"
)

func read(s string) replyReader {
	return replyReader{bufio.NewReaderSize(strings.NewReader(s), readBuffer)}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "250 Ok\r\n", "250 Ok"},
		{"code alone", "250\r\n", "250 "},
		{"no text", "250 \r\n", "250 "},
		{"bare LF", "250 Ok\n", "250 Ok"},
		{"enhanced", "550 5.1.1 No such user\r\n", "550 5.1.1 No such user"},
		{"enhanced alone", "250 2.0.0\r\n", "250 2.0.0 "},
		{"enhanced of another class", "550 4.1.1 odd\r\n", "550 4.1.1 odd"},
		{"not quite enhanced", "550 5.1 odd\r\n", "550 5.1 odd"},
		{"too long a number", "550 5.1.1234 odd\r\n", "550 5.1.1234 odd"},
		{"lines", "550-5.7.1 Not\r\n550-5.7.1 for\r\n550 5.7.1 you\r\n", "550 5.7.1 Not for you"},
		{"second lines without code", "550-5.7.1 Not\r\n550 you\r\n", "550 5.7.1 Not you"},
		{"controls", "550 a\x00b\tc\x1b[31md\x7f\r\n", "550 ab c[31md"},
		{"CR inside", "550 a\rb\r\n", "550 ab"},
		{"not UTF-8", "550 caf\xe9\r\n", "550 caf\uFFFD"},
		{"UTF-8", "550 café\r\n", "550 café"},
	}
	for _, tt := range tests {
		r, err := read(tt.in).reply()
		if err != nil || r.Error() != tt.want {
			t.Errorf("%s: %v, %v, want %q", tt.name, r, err, tt.want)
		}
	}
	r, err := read("550 4.1.1 odd\r\n").reply()
	if err != nil || r.Enhanced != [3]int{} {
		t.Errorf("a code of another class was taken: %v %v", r.Enhanced, err)
	}
}

func TestMalformedReplies(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty line":      "\r\n",
		"no code":         "hello\r\n",
		"short":           "25\r\n",
		"class 1":         "150 a\r\n",
		"class 6":         "650 a\r\n",
		"four digits":     "2500 a\r\n",
		"no space":        "250Ok\r\n",
		"codes differ":    "250-a\r\n550 b\r\n",
		"endless line":    "250 " + strings.Repeat("x", maxLine) + "\r\n",
		"no end at all":   "250 " + strings.Repeat("x", 10*maxLine),
		"endless reply":   strings.Repeat("250-x\r\n", maxLines+1) + "250 x\r\n",
		"endless refusal": strings.Repeat("550-x\r\n", maxLines+1),
	} {
		if r, err := read(in).reply(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		if code, _, err := read(in).code(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: code %d, %v", name, code, err)
		}
	}
	for name, in := range map[string]string{"nothing": "", "cut line": "250 O", "cut reply": "250-Ok\r\n"} {
		if _, err := read(in).reply(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReplyTextIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 900)
	r, err := read("550-5.7.1 " + long[:1000] + "\r\n550-" + long[:1000] + "\r\n550 end\r\n").reply()
	if err != nil {
		t.Fatal(err)
	}
	if text := r.Text(); len(text) > maxText || len(text) < maxText-4 || !utf8.ValidString(text) {
		t.Errorf("%d octets kept", len(text))
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 Ok\r\n", "550-5.1.1 a\r\n550 5.1.1 b\r\n", "354\n", "250 \xff\x00\r\n", "421"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := read(in).reply()
		code, _, err2 := read(in).code()
		// However the octets arrive, the reply is the same.
		slow := replyReader{bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(in)), readBuffer)}
		r3, err3 := slow.reply()
		if (err == nil) != (err2 == nil) || (err == nil) != (err3 == nil) {
			t.Fatalf("%v, %v, %v", err, err2, err3)
		}
		if err != nil {
			return
		}
		text := r.Text()
		if r.Code != code || r.Code != r3.Code || text != r3.Text() || len(text) > maxText || !utf8.ValidString(text) {
			t.Errorf("%d %q, %d", r.Code, text, code)
		}
		for _, c := range text {
			if unicode.IsControl(c) {
				t.Errorf("control character in %q", text)
			}
		}
	})
}
