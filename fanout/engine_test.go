package fanout

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestEveryMemberGetsOneCopy(t *testing.T) {
	t.Parallel()
	for _, verp := range []int{0, 1} {
		t.Run(fmt.Sprintf("verp=%d", verp), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", verp)
			w.members(list, 1234, 7)
			s := newSink(t).serve()
			e, _ := w.start(w.config(s))
			post := w.post(list, testMessage)
			e.Wake()
			eventually(t, "all copies", func() bool { return s.copies.Load() >= 1234 })
			eventually(t, "finished", func() bool {
				p, err := e.Progress(context.Background(), post)
				return err == nil && p.Finished && p.Delivered == 1234 && p.Waiting == 0
			})
			got := s.got()
			if len(got) != 1234 {
				t.Fatalf("%d members got a copy", len(got))
			}
			for to, n := range got {
				if n != 1 {
					t.Errorf("%s got %d copies", to, n)
				}
			}
			for _, l := range s.all() {
				if !bytes.HasSuffix(l.data, []byte("\r\n\r\nHello.\r\n.dot\r\nBye.\r\n")) {
					t.Fatalf("body changed: %q", l.data)
				}
				if verp == 1 && (len(l.to) != 1 || !strings.HasPrefix(l.from, "dev-bounces+b")) {
					t.Fatalf("from %s to %d", l.from, len(l.to))
				}
				if verp == 0 && l.from != "dev-bounces@lists.example" {
					t.Fatalf("from %s", l.from)
				}
			}
		})
	}
}
