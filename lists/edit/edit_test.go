package edit_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"muster/lists/edit"
)

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

const mixed = `From: ann@a.example
Subject: =?utf-8?q?Tulips?=
 and more
Content-Type: multipart/mixed; boundary="b 1"

preamble
--b 1
Content-Type: multipart/alternative; boundary=in

--in

Text.
--in
Content-Type: text/html

<p>Text.
--in--
--b 1
Content-Type: application/x-msdownload; name="=?utf-8?q?t=C3=BCr.exe?="
Content-Transfer-Encoding: base64

TVqQAAMAAAAEAAAA
--not a boundary
--b 1
Content-Type: message/rfc822

Subject: within
Content-Type: multipart/mixed; boundary=deep

--deep
Content-Disposition: attachment; filename=deep.txt

deep
--deep--
--b 1
Content-Type: text/plain
Content-Disposition: attachment; filename="notes.txt"

notes
--b 1--
epilogue
`

func apply(t *testing.T, message string, edits edit.Edits, piece int) string {
	t.Helper()
	at := strings.Index(message, "\r\n\r\n") + 4
	var out bytes.Buffer
	out.Write(edits.Header([]byte(message[:at])))
	c := edits.Cutter(int64(at))
	for rest := []byte(message[at:]); len(rest) > 0; {
		n := min(piece, len(rest))
		if err := c.Cut(rest[:n], func(b []byte) error { out.Write(b); return nil }); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	return out.String()
}

func TestParts(t *testing.T) {
	t.Parallel()
	message := crlf(mixed)
	found, err := edit.Parts(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		got = append(got, fmt.Sprintf("%s %s %q", p.Type, p.Name, message[p.From:p.To][:13]))
	}
	want := `application/x-msdownload tür.exe "Content-Type:", message/rfc822  "Content-Type:", text/plain notes.txt "Content-Type:"`
	if strings.Join(got, ", ") != want {
		t.Errorf("parts %s", strings.Join(got, ", "))
	}
	for _, p := range found {
		if rest := message[p.To:]; !strings.HasPrefix(rest, "\r\n--b 1") {
			t.Errorf("%s ends before %q", p.Type, rest[:20])
		}
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	message := crlf(mixed)
	found, err := edit.Parts(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	var edits edit.Edits
	for _, p := range found[:2] {
		edits = append(edits, edit.Edit{Op: edit.OpDrop, From: p.From, To: p.To})
	}
	edits[0], edits[1] = edits[1], edits[0]
	want := message[:found[0].From] + "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + message[found[0].To:found[1].From] +
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + message[found[1].To:]
	for _, piece := range []int{1, 7, 100, 10000} {
		if got := apply(t, message, edits, piece); got != want {
			t.Fatalf("in pieces of %d:\n%s", piece, got)
		}
	}
	if !edits.Dropped(found[0]) || edits.Dropped(found[2]) {
		t.Error("what is dropped is not known")
	}
	if got := apply(t, message, nil, 9); got != message {
		t.Error("changed without a change")
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ header, subject, want string }{
		{"A: 1\nSubject: x\n y\nsubject: z\nB: 2\n\n", "New", "A: 1\nSubject: New\nB: 2\n\n"},
		{"A: 1\n\n", "Grün", "A: 1\nSubject: =?utf-8?q?Gr=C3=BCn?=\n\n"},
		{"A: 1\n", "x", "A: 1\nSubject: x\n"},
		{"Subject: x\n\n", strings.Repeat("word ", 20), "Subject:" + strings.Repeat(" word", 10) + "\n" + strings.Repeat(" word", 10) + "\n\n"},
		{"Subject: x\n\n", "a\r\nBcc: evil@x.example", "Subject: =?utf-8?q?a=0D=0ABcc:_evil@x.example?=\n\n"},
	} {
		edits := edit.Edits{{Op: edit.OpSubject, Subject: "before"}, {Op: edit.OpSubject, Subject: tt.subject}}
		if got := string(edits.Header([]byte(crlf(tt.header)))); got != crlf(tt.want) {
			t.Errorf("%q with %q is %q", tt.header, tt.subject, got)
		}
	}
}

// What is signed or encrypted as a whole is left whole, and what has too many parts too.
func TestPartsThatStay(t *testing.T) {
	t.Parallel()
	attached := "--%[1]s\nContent-Disposition: attachment; filename=x\n\nx\n--%[1]s--\n"
	for name, message := range map[string]string{
		"signed":    "Content-Type: multipart/signed; boundary=b\n\n" + fmt.Sprintf(attached, "b"),
		"encrypted": "Content-Type: multipart/encrypted; boundary=b\n\n" + fmt.Sprintf(attached, "b"),
		"within": "Content-Type: multipart/signed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n" +
			fmt.Sprintf(attached, "c") + "--b--\n",
		"no multipart": "Content-Disposition: attachment; filename=x\n\nx\n",
		"many":         "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: a/b\n\n", 1001) + "--b--\n",
		"deep":         deep(101),
		"a long line":  "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("x", 4<<10) + "--b\nContent-Type: a/b\n\nx\n",
	} {
		found, err := edit.Parts(strings.NewReader(crlf(message)))
		if err != nil || len(found) != 0 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	if found, _ := edit.Parts(strings.NewReader(crlf(deep(50)))); len(found) != 1 {
		t.Errorf("at depth 50: %v", found)
	}
}

func deep(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%dz\n\n--b%dz\n", i, i)
	}
	b.WriteString("Content-Type: a/b\n\nx\n")
	return b.String()
}

// FuzzParts: whatever a stranger sent, parts lie within the message, one after the other, and leaving them
// out never takes anything else away.
func FuzzParts(f *testing.F) {
	f.Add(crlf(mixed))
	f.Add(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b\n--b\n\n--b--"))
	f.Fuzz(func(t *testing.T, message string) {
		found, err := edit.Parts(strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		at := int64(0)
		kept := ""
		var edits edit.Edits
		for _, p := range found {
			if p.From < at || p.To < p.From || p.To > int64(len(message)) {
				t.Fatalf("%v of %d octets", found, len(message))
			}
			kept += message[at:p.From]
			at = p.To
			edits = append(edits, edit.Edit{Op: edit.OpDrop, From: p.From, To: p.To})
		}
		kept += message[at:]
		var out strings.Builder
		c := edits.Cutter(0)
		if err := c.Cut([]byte(message), func(b []byte) error {
			if string(b) != "Content-Type: text/plain; charset=us-ascii\r\n\r\n" {
				out.Write(b)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(kept, "charset=us-ascii") && out.String() != kept {
			t.Fatalf("kept %q, want %q", out.String(), kept)
		}
	})
}
