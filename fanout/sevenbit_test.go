package fanout

import (
	"errors"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"

	"muster/smtp"
)

const mimeHead = "From: Ann <ann@a.example>\r\nMIME-Version: 1.0\r\n"

func TestToSevenBit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		err            error
	}{
		{"nothing to do", "Subject: caf\xc3\xa9\r\n\r\nplain\r\n", "Subject: caf\xc3\xa9\r\n\r\nplain\r\n", nil},
		{"no MIME", "From: ann@a.example\r\n\r\ncaf\xe9 \r\nend\r\n",
			"MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nFrom: ann@a.example\r\n\r\ncaf=E9=20\r\nend\r\n", nil},
		{"text", mimeHead + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding:\r\n 8bit\r\nSubject: x\r\n\r\n1=1 \xc3\xa9\r\n.\r\n",
			"Content-Transfer-Encoding: quoted-printable\r\n" + mimeHead + "Content-Type: text/plain; charset=utf-8\r\nSubject: x\r\n\r\n1=3D1 =C3=A9\r\n.\r\n", nil},
		{"part by part", mimeHead + "Content-Type: multipart/mixed;\r\n\tboundary=\"a b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npre\xe9\r\n--a b\r\n\r\nascii = stays\r\n" +
			"--a bc\r\n--a b \r\nContent-Type: text/html\r\n\r\n\xe9\r\n--a b\r\nContent-Transfer-Encoding: BASE64\r\n\r\nQUJD\xff\r\n--a b--\r\npost\xe9\r\n--a b\r\n\xe9",
			mimeHead + "Content-Type: multipart/mixed;\r\n\tboundary=\"a b\"\r\n\r\npre?\r\n--a b\r\n\r\nascii = stays\r\n" +
				"--a bc\r\n--a b \r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/html\r\n\r\n=E9\r\n--a b\r\nContent-Transfer-Encoding: BASE64\r\n\r\nQUJD\r\n--a b--\r\npost?\r\n--a b\r\n?", nil},
		{"a message in it", mimeHead + "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: in\r\nContent-Type: text/plain\r\n\r\n\xe9\r\n",
			mimeHead + "Content-Type: message/rfc822\r\n\r\nContent-Transfer-Encoding: quoted-printable\r\nSubject: in\r\nContent-Type: text/plain\r\n\r\n=E9\r\n", nil},
		{"a digest", mimeHead + "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\n\xe9\r\n--b--\r\n",
			mimeHead + "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nContent-Transfer-Encoding: quoted-printable\r\nSubject: in\r\n\r\n=E9\r\n--b--\r\n", nil},
		{"half quoted", mimeHead + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9 \xc3\xa9=\r\n" + strings.Repeat("x", 73) + "\xe9\r\n",
			mimeHead + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9 =C3=A9=\r\n" + strings.Repeat("x", 73) + "=\r\n=E9\r\n", nil},
		{"signed, and the rest is not", mimeHead + "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/signed; boundary=i\r\n\r\n--i\r\n\r\nascii\r\n--i\r\n\r\nsig\r\n--i--\r\n--o\r\n\r\nf\xe9\r\n--o--\r\n",
			mimeHead + "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/signed; boundary=i\r\n\r\n--i\r\n\r\nascii\r\n--i\r\n\r\nsig\r\n--i--\r\n--o\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nf=E9\r\n--o--\r\n", nil},
		{"signed", mimeHead + "Content-Type: multipart/signed; boundary=i\r\n\r\n--i\r\n\r\n\xe9\r\n--i\r\n\r\nsig\r\n--i--\r\n", "", errSigned},
		{"DKIM of the author", mimeHead + "DKIM-Signature: v=1; a=rsa-sha256;\r\n\td = Mail.A.Example; s=x\r\n\r\n\xe9\r\n", "", errSigned},
		{"DKIM, domain above", "From: ann@sub.a.example\r\nDKIM-Signature: v=1;d=a.example\r\n\r\n\xe9\r\n", "", errSigned},
		{"DKIM, From unreadable", "From: ann at a.example\r\nDKIM-Signature: v=1;d=b.example\r\n\r\n\xe9\r\n", "", errSigned},
		{"DKIM of another", mimeHead + "DKIM-Signature: v=1; d=xa.example\r\n\r\n\xe9\r\n",
			"Content-Transfer-Encoding: quoted-printable\r\n" + mimeHead + "DKIM-Signature: v=1; d=xa.example\r\n\r\n=E9\r\n", nil},
		{"no boundary", mimeHead + "Content-Type: multipart/mixed\r\n\r\n\xe9\r\n", "", errUnconvertible},
		{"a partial message", mimeHead + "Content-Type: message/partial; id=1\r\n\r\n\xe9\r\n", "", errUnconvertible},
		{"an unknown encoding", mimeHead + "Content-Transfer-Encoding: x-uu\r\n\r\n\xe9\r\n", "", errUnconvertible},
		{"too deep", mimeHead + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", maxParts+2) + "\r\n\xe9\r\n", "", errUnconvertible},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := toSevenBit([]byte(tt.in))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want)
			}
		})
	}
}

// What is converted has no octet above 127 in its body, no long line, and says what it said.
func FuzzToSevenBit(f *testing.F) {
	f.Add([]byte("\xe9\r\nabc \r\n"))
	f.Add([]byte("--b\r\n\r\n\xe9\r\n--b--\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		text := strings.NewReplacer("\r\n", "\r\n", "\r", "", "\n", "\r\n").Replace(string(body))
		got, err := toSevenBit([]byte(mimeHead + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + text))
		if _, after := cutHeader(got); err == nil && hasHigh(withoutHeads(after)) {
			t.Errorf("left: %q of %q", got, body)
		}
		got, err = toSevenBit([]byte(mimeHead + "\r\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		_, after := cutHeader(got)
		if hasHigh([]byte(text)) {
			read, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(string(after))))
			if err != nil || string(read) != text {
				t.Errorf("%q came back as %q, %v", text, read, err)
			}
		}
	})
}

// withoutHeads leaves out what may be the header of a part: it is not converted.
func withoutHeads(body []byte) []byte {
	var rest []byte
	head := false
	for line := range strings.SplitAfterSeq(string(body), "\r\n") {
		switch {
		case strings.HasPrefix(line, "--b"):
			head = true
		case line == "\r\n":
			head = false
		case !head:
			rest = append(rest, line...)
		}
	}
	return rest
}

const eightBitMessage = "From: Ann <ann@a.example>\r\nTo: dev@lists.example\r\nSubject: hello\r\nMessage-ID: <1@a.example>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nCaf\u00e9.\r\n.dot\r\n"

func (w *world) eightBitPost(list int64, raw string) (id string) {
	w.t.Helper()
	// Stored as it is not yet to be sent: the flag comes with the row.
	id = w.post(list, raw).String()
	w.exec(`UPDATE post SET eightbit = true WHERE id = $1`, id)
	return id
}

// Who has 8BITMIME gets the message as it came, who has not gets it converted, alone or with others
// in a transaction.
func TestEightBitIsConvertedForWhoNeedsIt(t *testing.T) {
	t.Parallel()
	for _, verp := range []int{0, 1} {
		for _, ehlo := range []string{"", "250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"} {
			w := newWorld(t)
			list := w.list("dev", verp)
			w.members(list, 40, 2)
			s := newSink(t)
			s.ehlo = ehlo
			w.eightBitPost(list, eightBitMessage)
			w.start(w.config(s.serve()))
			w.finished()
			s.once(t, 40)
			want := "Content-Transfer-Encoding: quoted-printable\r\n"
			body := "\r\n\r\nCaf=C3=A9.\r\n.dot\r\n"
			if ehlo == "" {
				want, body = "Content-Transfer-Encoding: 8bit\r\n", "\r\n\r\nCaf\u00e9.\r\n.dot\r\n"
			}
			for _, l := range s.all() {
				if text := string(l.data); !strings.HasSuffix(text, body) || strings.Count(text, want) != 1 || strings.Count(text, "Transfer-Encoding") != 1 {
					t.Fatalf("verp %d, EHLO %q: got\n%s", verp, ehlo, text)
				}
			}
		}
	}
}

// A message that its author signed bounces from there, and says why; where 8BITMIME is offered it
// goes out.
func TestSignedEightBitBounces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 40, 2)
	s := newSink(t)
	s.ehlo = "250 PIPELINING"
	w.eightBitPost(list, "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=x; bh=x; b=x\r\n"+eightBitMessage)
	w.post(list, testMessage)
	w.start(w.config(s.serve()))
	w.finished()
	s.once(t, 40)
	if all := s.all(); len(all) == 0 || strings.Contains(string(all[0].data), "DKIM") {
		t.Error("the other message did not come, or not alone")
	}
	if n := w.count(`SELECT count(*) FROM bounce WHERE source = 'smtp' AND NOT hard AND status = '5.6.2' AND text LIKE '%8BITMIME%signature%'`); n != 40 {
		t.Errorf("%d bounces", n)
	}
}

// What is converted is signed by us as it goes out.
func TestConvertedCopiesAreSigned(t *testing.T) {
	t.Parallel()
	for _, verp := range []bool{true, false} {
		src := testSource(eightBitMessage)
		src.verp, src.eightbit = verp, true
		m, err := compose(src, fakeSealer{}, "https://site.example")
		if err != nil {
			t.Fatal(err)
		}
		m.mayNarrow(testKeys(), src.signedAt(), t.TempDir())
		if err := m.sign(testKeys(), src.signedAt()); err != nil {
			t.Fatal(err)
		}
		made, err := m.narrow.made()
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range []*message{m, made} {
			text := copyOf(one, 1, 42)
			if strings.Contains(text, "=C3=A9") != (one == made) {
				t.Errorf("verp %v: %s", verp, text)
			}
			if err := verifySigned([]byte(text), 2); err != nil {
				t.Errorf("verp %v: %v", verp, err)
			}
		}
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	if r := notForIt(errUnconvertible); r.Enhanced != (smtp.Enhanced{5, 6, 3}) || r.Code != 554 {
		t.Errorf("%v", r)
	}
	if r := notForIt(errSigned); r.Enhanced != (smtp.Enhanced{5, 6, 2}) {
		t.Errorf("%v", r)
	}
}
