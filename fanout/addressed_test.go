package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Who is named in To or Cc and wants no copy then gets none, and everybody else does; the steps after the
// first know it too.
func TestPlanLeavesOutWhoIsAddressed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for _, address := range []string{"ben@b.example", "Cy@c.example", "dan@d.example"} {
		w.exec(`UPDATE member SET addressed_posts = false WHERE id = $1`, w.member(list, address))
	}
	w.member(list, "eve@e.example")
	w.members(list, firstStep, 3)
	last := w.member(list, "zoe@z.example")
	w.exec(`UPDATE member SET addressed_posts = false WHERE id = $1`, last)
	w.post(list, strings.Replace(testMessage, "To: dev@lists.example", "To: dev@lists.example,\r\n \"Ben, B\" <BEN@b.example>, eve@e.example\r\nCC: cy@C.example, zoe@z.example", 1))
	got := w.plan(true)["relay"]
	for address, want := range map[string]bool{"ben@b.example": false, "Cy@c.example": false, "dan@d.example": true, "eve@e.example": true, "zoe@z.example": false} {
		if slices.Contains(got, address) != want {
			t.Errorf("%s gets a copy: %v, want %v", address, !want, want)
		}
	}
	if len(got) != firstStep+2 {
		t.Errorf("%d copies", len(got))
	}
}

// A header is read only where somebody wants it.
func TestPlanReadsNoHeaderWithoutNeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	w.post(list, strings.Replace(testMessage, "To: dev@lists.example", "To: ben@b.example", 1))
	w.exec(`DELETE FROM post_raw`) // would fail where it is read
	if got := w.plan(true)["relay"]; !slices.Equal(got, []string{"ben@b.example"}) {
		t.Errorf("%v", got)
	}
	if n := w.count(`SELECT count(*) FROM fanout WHERE error <> '' OR addressed <> '{}'`); n != 0 {
		t.Errorf("%d fan-outs have read a header", n)
	}
}

// Whether there is need is asked of an index that holds nobody else, however many members there are.
func TestUnaddressedAreFoundByTheirIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 20_000, 50)
	const ask = `SELECT ` + sqlUnaddressed + ` FROM (SELECT ARRAY[$1::bigint] AS lists) m`
	if _, plan := w.pages(ask, list); !strings.Contains(plan, "using member_unaddressed") {
		t.Error(plan)
	}
}

func TestAddressedKeys(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 3 * maxAddressed {
		fmt.Fprintf(&many, "a%d@b.c,\r\n ", i)
	}
	for _, tt := range []struct{ header, want string }{
		{"", ""},
		{"To: ann@a.example\r\nto : ben@b.example\r\nCc: Group: cy@c.example, dan@d.example;\r\n\r\n", "ann@a.example ben@b.example cy@c.example dan@d.example"},
		{"Bcc: ann@a.example\r\nX-To: ben@b.example\r\nReply-To: cy@c.example\r\n", ""},
		{"To: broken <\r\nCc: ann@a.example\r\n", "ann@a.example"},
		{"Subject: x\r\n To: ben@b.example\r\n", ""},
		{"To: ann@a.example" + strings.Repeat("\r\n ", maxAddressField) + "\r\n", ""},
	} {
		if got := strings.Join(addressedKeys([]byte(tt.header)), " "); got != tt.want {
			t.Errorf("%.80q: %q, want %q", tt.header, got, tt.want)
		}
	}
	if n := len(addressedKeys([]byte("To: " + many.String() + "z@b.c\r\n"))); n != maxAddressed {
		t.Errorf("%d keys of many", n)
	}
}

// A sibling that leaves somebody out because they were addressed leaves them to the list that sends all the
// same.
func TestSiblingsAndTheAddressed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.siblings(map[string][]string{"a": {"both@x.example"}, "b": {"both@x.example"}}, "a", "b")
	w.exec(`UPDATE member SET addressed_posts = false WHERE list = (SELECT id FROM list WHERE local = 'a')`)
	message := strings.Replace(testMessage, "To: dev@lists.example", "To: a@lists.example, b@lists.example, both@x.example", 1)
	w.accept(s, message, "a")
	w.accept(s, message, "b")
	w.plan(true)
	for local, want := range map[string]int{"a": 0, "b": 1} {
		if n := w.count(`SELECT copies FROM fanout f JOIN list l ON l.id = f.list WHERE l.local = $1`, local); n != want {
			t.Errorf("%d copies from %s, want %d", n, local, want)
		}
	}
}
