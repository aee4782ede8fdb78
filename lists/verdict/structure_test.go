package verdict_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/lists/verdict"
)

func structure(t testing.TB, text string) verdict.Structure {
	t.Helper()
	s, err := verdict.ReadStructure(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStructure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text   string
		types, names []string
		odd          bool
	}{
		{"nothing said", "From: a@b\n\nText", []string{"text/plain"}, nil, false},
		{"nothing but a header", "From: a@b\nContent-Type: TEXT/HTML; charset=utf-8\n", []string{"text/html"}, nil, false},
		{"two parts", "Content-Type: multipart/mixed; boundary=\"x y\"\n\nPreamble\n--x y\n\nText\n--x y\nContent-Type: application/zip\nContent-Disposition: attachment; filename=\"A.ZIP\"\n\nPK\n--x y--\nafter\n",
			[]string{"multipart/mixed", "text/plain", "application/zip"}, []string{"a.zip"}, false},
		{"no last boundary", "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: image/png\n\nPNG\n", []string{"multipart/mixed", "image/png"}, nil, false},
		{"a message in it", "Content-Type: multipart/digest; boundary=x\n\n--x\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: image/gif; name=\"=?utf-8?q?=C3=A9.gif?=\"\n\nGIF\n--x--\n",
			[]string{"multipart/digest", "message/rfc822", "image/gif"}, []string{"é.gif"}, false},
		{"two names", "Content-Type: x/y; name=a.txt\nContent-Disposition: attachment; filename=b.exe\n\nMZ", []string{"x/y"}, []string{"a.txt", "b.exe"}, false},
		{"a malformed name", "Content-Type: x/y; name=é b.EXE; z\n\nMZ", []string{"x/y"}, []string{"é b.exe"}, false},
		{"a bad parameter", "Content-Type: text/html; charset\n\nx", []string{"text/html"}, nil, false},
		{"no type", "Content-Type: ;;;\n\nx", []string{"application/octet-stream"}, nil, false},
		{"no boundary", "Content-Type: multipart/mixed\n\nx", []string{"multipart/mixed"}, nil, true},
		{"no part", "Content-Type: multipart/mixed; boundary=x\n\nx", []string{"multipart/mixed"}, nil, true},
		{"no header", "this is no field\n\nx", []string{"text/plain"}, nil, false},
		{"a bad line in the header", "From: a@b\nnonsense\nContent-Type: text/html\n\nx", []string{"text/html"}, nil, false},
		{"a long line before the type", "X: " + strings.Repeat("x", 4093) + "\nContent-Type: text/html\n\nx", []string{"text/html"}, nil, false},
	} {
		s := structure(t, tt.text)
		if !slices.Equal(s.Types, tt.types) || !slices.Equal(s.Names, tt.names) || s.Odd != tt.odd || s.Bomb {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

// TestBombs: what is made to cost whoever reads it costs next to nothing.
func TestBombs(t *testing.T) {
	t.Parallel()
	const deep = "Content-Type: message/rfc822\n\n"
	var nested strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	for name, bomb := range map[string]string{
		"10,000 messages in each other":   strings.Repeat(deep, 10_000),
		"10,000 multiparts in each other": nested.String(),
		"10,000 parts":                    "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\n\n\n", 10_000),
		"a header without an end":         deep + "X: " + strings.Repeat("QUJD", 1<<20),
	} {
		began := time.Now()
		if s := structure(t, bomb); !s.Bomb {
			t.Errorf("%s: %+v", name, s)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// TestStructureOfWhatCannotBeRead: a fault of the disk is not one of the message.
func TestStructureOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	fault := errors.New("the disk is gone")
	_, err := verdict.ReadStructure(io.MultiReader(strings.NewReader("Subject: x\r\n"), faulty{fault}))
	if !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}
}

type faulty struct{ err error }

func (f faulty) Read([]byte) (int, error) { return 0, f.err }

func FuzzStructure(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n--x--"))
	f.Add([]byte("Content-Type: multipart/x; boundary=\"\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if s, err := verdict.ReadStructure(strings.NewReader(string(raw))); err != nil || len(s.Types) > 200 || len(s.Names) > 200 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add([]byte("From: a@b.example\r\nTo: x@y, <\r\nX-Spam: score=[\r\nApproved: \r\n\r\n"), "> today's topics\nunsubscribe")
	chosen := options(f, "approve_password=hash", "header_rules=hold Subject x+\nhold !X .", "spam_header=X-Spam", "spam_limit=1", "max_recipients=2",
		"no_subject=hold", "not_addressed=hold", "misplaced_command=hold", "digest_quote=hold", "allowed_posters=@*.example ^a")
	f.Fuzz(func(t *testing.T, header []byte, text string) {
		d := verdict.Judge(&verdict.Facts{Message: verdict.Read(header), Header: header, Text: text, Options: chosen, Have: everything, Policy: "anyone"})
		if d.Action == "" || d.Reason == "" || len(d.Trace) == 0 {
			t.Errorf("%+v", d)
		}
	})
}
