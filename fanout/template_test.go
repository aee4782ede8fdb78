package fanout

import (
	"bytes"
	"testing"

	"muster/templates"
)

// TestNoticesInTheListsWords: the closest text counts, in the language of who reads it, and one that
// cannot be mailed any more gives way to ours.
func TestNoticesInTheListsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dev, ops := w.list("dev", 1), w.list("ops", 1)
	put := func(place, kind, language, source string, list int64) {
		t.Helper()
		w.exec(`INSERT INTO template (list, domain, kind, language, source)
			SELECT CASE $1 WHEN 'list' THEN l.id END, CASE $1 WHEN 'domain' THEN l.domain END, $2, $3, $4 FROM list l WHERE l.id = $5`,
			place, kind, language, source, list)
	}
	put("site", "welcome", "en", "Subject: Site\n\nsite {{.Address}}\n", dev)
	put("domain", "welcome", "en", "Subject: Domain\n\ndomain {{.ListAddress}}\n", dev)
	put("list", "welcome", "en", "Subject: List\n\nlist {{.ListTitle}}\n", dev)
	put("list", "goodbye", "en", "Subject: Broken\n\n{{.Nonsense}}\n", dev)
	put("site", "signin", "en", "Subject: Site\n\nsign in {{.URL}}\n", dev)
	s := newSink(t)
	c := w.config(s.serve())
	c.Mail = templates.MailFrom
	for _, n := range []struct {
		list           int64
		kind, language string
		address        string
	}{
		{dev, "welcome", "en", "a1@b.example"},
		{dev, "welcome", "en-GB", "a2@b.example"},
		{dev, "welcome", "de", "a3@b.example"}, // nobody wrote one in German
		{ops, "welcome", "en", "a4@b.example"},
		{dev, "goodbye", "en", "a5@b.example"},
		{0, "signin", "en", "a6@b.example"},
	} {
		w.exec(`INSERT INTO notice (id, list, kind, address, language, params)
			VALUES (gen_random_uuid(), nullif($1::bigint, 0), $2, $3, $4, '{"URL": "/x", "LeaveURL": "", "Minutes": 15}')`, n.list, n.kind, n.address, n.language)
	}
	e, _ := w.start(c)
	e.Wake()
	w.finished()
	got := map[string][]byte{}
	for _, m := range s.all() {
		got[m.to[0]] = m.data
	}
	for to, want := range map[string]string{
		"a1@b.example": "\nlist ", "a2@b.example": "\nlist ", "a3@b.example": "Guten Tag", "a4@b.example": "\ndomain ops@",
		"a5@b.example": "Hello", "a6@b.example": "\nsign in https://",
	} {
		if !bytes.Contains(got[to], []byte(want)) {
			t.Errorf("%s got\n%s\nwithout %q", to, got[to], want)
		}
	}
}
