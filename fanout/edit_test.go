package fanout

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"muster/lists/edit"
)

// attached is a post with an attachment of at least so many octets.
func attached(size int) string {
	return "From: Ann <ann@a.example>\r\nTo: dev@lists.example\r\nSubject: hello\r\n there\r\nMessage-ID: <1@a.example>\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello.\r\n--b\r\nContent-Type: application/x-evil; name=evil\r\n\r\n" +
		strings.Repeat("evil line\r\n", size/11+1) + "\r\n--b\r\nContent-Disposition: attachment\r\n\r\nstays\r\n--b--\r\n"
}

// A post that was edited goes out as edited, whether it is in memory or in a file; its octets stay.
func TestEditedPost(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"short": 100, "long": longAt} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := newWorld(t), newSink(t)
			list := w.list("dev", 1)
			w.member(list, "ben@b.example")
			raw := attached(size)
			parts, err := edit.Parts(strings.NewReader(raw))
			if err != nil || len(parts) != 2 {
				t.Fatalf("%v, %v", parts, err)
			}
			id := w.postIn(list, raw, 1000)
			edits := edit.Edits{{Op: edit.OpDrop, From: parts[0].From, To: parts[0].To}, {Op: edit.OpSubject, Subject: "Grüße"}}
			w.exec(`UPDATE post SET edits = $2 WHERE id = $1`, id, edits)
			c := w.config(s.serve())
			c.SpoolDir = t.TempDir()
			e, stop := w.start(c)
			e.Wake()
			w.finished()
			stop()
			got := string(s.letters[0].data)
			if strings.Contains(got, "evil") || !strings.Contains(got, "\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID:") || strings.Contains(got, "there") {
				t.Errorf("sent\n%s", got[:min(len(got), 2000)])
			}
			body := raw[strings.Index(raw, "\r\n\r\n"):parts[0].From] + "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + raw[parts[0].To:]
			if !strings.HasSuffix(got, body) {
				t.Errorf("sent\n%s\nwant\n%s", got, body)
			}
			var kept bytes.Buffer
			if err := eachPiece(context.Background(), w.pool, id.String(), func(piece []byte) error { kept.Write(piece); return nil }); err != nil || kept.String() != raw {
				t.Errorf("the message itself was changed: %v", err)
			}
		})
	}
}

// A post that is forwarded is a part of the mail, octet by octet.
func TestForwardedPost(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSink(t)
	list := w.list("dev", 1)
	raw := attached(3 << 20)
	id := w.post(list, "Approved: secret\r\n"+raw)
	w.exec(`UPDATE post SET state = 'held', accepted = NULL WHERE id = $1`, id)
	w.exec(`INSERT INTO notice (id, list, kind, address, params) VALUES (gen_random_uuid(), $1, 'post-forwarded', 'expert@x.example', $2)`,
		list, map[string]string{"Post": id.String(), "Author": "ann@a.example"})
	c := w.config(s.serve())
	c.SpoolDir = t.TempDir()
	e, stop := w.start(c)
	e.Wake()
	eventually(t, "the mail", func() bool { return s.copies.Load() == 1 })
	stop()
	l := s.letters[0]
	if l.from != "" || len(l.to) != 1 || l.to[0] != "expert@x.example" {
		t.Errorf("from <%s> to %v", l.from, l.to)
	}
	got := string(l.data)
	head, rest, _ := strings.Cut(got, "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n")
	if !strings.HasPrefix(rest, raw+"\r\n--=_") || !strings.HasSuffix(rest, "--\r\n") {
		t.Errorf("the message within is another: %s … %s", rest[:min(len(rest), 200)], rest[max(0, len(rest)-200):])
	}
	if !strings.Contains(head, "Subject: Notice post-forwarded\r\n") || !strings.Contains(head, "Auto-Submitted: auto-generated\r\n") || !strings.Contains(head, "To you in en") {
		t.Errorf("the mail begins\n%s", head)
	}
}
