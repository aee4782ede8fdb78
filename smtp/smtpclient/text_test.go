package smtpclient_test

import (
	"bytes"
	"strings"
	"testing"

	"muster/smtp/smtpclient"
)

func TestPrepare(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"as it is", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
		{"dot inside a line", "a.\r\nb", "a.\r\nb"},
		{"lone dot", ".\r\n", "..\r\n"},
		{"dots", "..a\r\n.\r\n", "...a\r\n..\r\n"},
		{"bare LF", "a\nb\n.\n", "a\r\nb\r\n..\r\n"},
		{"LF first", "\n.", "\r\n.."},
		{"bare CR", "a\rb\r.\r", "a\r\nb\r\n..\r\n"},
		{"CR CR LF", "a\r\r\n.", "a\r\n\r\n.."},
		{"false end, LF", "a\n.\r\nMAIL", "a\r\n..\r\nMAIL"},
		{"false end, CR", "a\r\n.\rMAIL", "a\r\n..\r\nMAIL"},
	}
	for _, tt := range tests {
		if got := smtpclient.Prepare([]byte(tt.in)); string(got) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPrepareDoesNotCopyWhatIsPrepared(t *testing.T) {
	t.Parallel()
	mail := []byte("Subject: x\r\n\r\ntext\r\n")
	if got := smtpclient.Prepare(mail); &got[0] != &mail[0] {
		t.Error("prepared text was copied")
	}
}

// checkText holds text against the promise of type Text.
func checkText(t *testing.T, text []byte) {
	t.Helper()
	if i := bytes.IndexByte(bytes.ReplaceAll(text, []byte("\r\n"), nil), '\n'); i >= 0 {
		t.Errorf("bare LF in %q", text)
	}
	if i := bytes.IndexByte(bytes.ReplaceAll(text, []byte("\r\n"), nil), '\r'); i >= 0 {
		t.Errorf("bare CR in %q", text)
	}
	for line := range strings.SplitSeq(string(text), "\r\n") {
		if strings.HasPrefix(line, ".") && !strings.HasPrefix(line, "..") {
			t.Errorf("line with a single dot in %q", text)
		}
	}
}

func FuzzPrepare(f *testing.F) {
	for _, s := range []string{"", ".", "\r", "\n.\n", "a\r\n.\r\n", "\r\r\n..", "x\n\r.\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, mail []byte) {
		text := smtpclient.Prepare(bytes.Clone(mail))
		checkText(t, text)
		for i := range len(mail) + 1 {
			var s smtpclient.Stuffer
			if got := s.Append(s.Append(nil, mail[:i]), mail[i:]); !bytes.Equal(got, text) {
				t.Fatalf("%q, cut at %d, became %q, not %q", mail, i, got, text)
			}
		}
		// What a receiver unstuffs is the mail again, but for the line ends.
		var got []string
		for line := range strings.SplitSeq(string(text), "\r\n") {
			got = append(got, strings.TrimPrefix(line, "."))
		}
		ends := strings.NewReplacer("\r\n", "\n", "\r", "\n")
		if want := ends.Replace(string(mail)); strings.Join(got, "\n") != want {
			t.Errorf("%q became %q", mail, text)
		}
	})
}
