package fanout

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// openFiles are the files in a directory that this process has open, with a name or without.
func openFiles(t *testing.T, dir string) (found []string) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil && strings.HasPrefix(name, dir+"/") {
			found = append(found, fd)
		}
	}
	return found
}

// A file that cannot be read to its end is no message: nothing of it is taken for one, it is written
// anew, and everybody gets the whole. In the end no file is open.
func TestLongFileFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("long", 1)
	w.members(list, 12, 2)
	s := newSink(t)
	c := w.config(nil)
	c.SpoolDir = t.TempDir()
	quick(&c)
	var cut atomic.Int64
	s.data = func(string) string {
		if n := cut.Add(1); n == 1 || n == 9 {
			for _, f := range openFiles(t, c.SpoolDir) {
				if err := os.Truncate(f, 300_000); err != nil {
					t.Error(err)
				}
			}
		}
		return ""
	}
	c.Relays = s.serve().relay()
	e, stop := w.start(c)
	text := longPost(2 << 20)
	w.post(list, text)
	e.Wake()
	eventually(t, "all copies", func() bool { return s.copies.Load() == 12 })
	w.finished()
	s.once(t, 12)
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	for _, l := range s.all() {
		if !bytes.HasSuffix(l.data, []byte("\r\n\r\n"+body)) {
			t.Errorf("a copy of %d octets is not the one posted", len(l.data))
		}
	}
	if cut.Load() < 12+2 {
		t.Errorf("only %d texts were begun: none was cut off", cut.Load())
	}
	if n := w.count(`SELECT count(*) FROM delivery`); n > 0 {
		t.Errorf("%d copies were deferred or failed for what is no fault of theirs", n)
	}
	if len(openFiles(t, c.SpoolDir)) == 0 {
		t.Error("the file is not kept for who may send it next")
	}
	stop()
	if files := openFiles(t, c.SpoolDir); len(files) > 0 {
		t.Errorf("still open: %v", files)
	}
}
