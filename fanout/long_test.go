package fanout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"muster/lists/dkim"
)

// longPost is a post whose body has at least so many octets.
func longPost(size int) string {
	const line = "The quick brown fox jumps over the lazy dog, and then it does so again.\r\n.dot\r\n"
	return strings.Replace(testMessage, "Hello.\r\n", strings.Repeat(line, size/len(line)+1), 1)
}

// manyWays has members of one destination each, all of them the sink.
func manyWays(c *Config, n int, s *sink) {
	names := fakeDNS{addrs: map[string][]netip.Addr{}}
	sinks := map[string]*sink{}
	for i := range n {
		ip := fmt.Sprintf("192.0.2.%d", i+1)
		names.addrs[fmt.Sprintf("d%d.example", i)] = addrs(ip)
		sinks[ip] = s
	}
	c.Relays, c.Resolver, c.DialContext, c.Connections = nil, names, by(sinks), n
}

// heap is what is in use in memory.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Posts that are on their way at once and get no further take next to no memory, however long they
// are, and all arrive in the end.
func TestLongPostsInFlightTakeLittleMemory(t *testing.T) {
	const posts, size, limit = 12, 4 << 20, 8 << 20
	w := newWorld(t)
	s := newSink(t)
	var stalled atomic.Int64
	release := make(chan struct{})
	s.text = func() {
		stalled.Add(1)
		<-release
	}
	c := w.config(s.serve())
	c.SpoolDir = t.TempDir()
	s.discard = true
	manyWays(&c, posts, s)
	for i := range posts {
		list := w.list(fmt.Sprintf("dev%d", i), 1)
		w.member(list, fmt.Sprintf("ben@d%d.example", i))
		w.post(list, longPost(size))
	}
	before := heap()
	e, stop := w.start(c)
	e.Wake()
	eventually(t, "all posts on their way", func() bool { return stalled.Load() == posts })
	used := heap() - before
	if used > limit {
		t.Errorf("%d posts of %d octets in flight take %d octets", posts, size, used)
	}
	t.Logf("%d posts of %d octets in flight take %d octets", posts, size, used)
	if names, err := os.ReadDir(c.SpoolDir); err != nil || len(names) > 0 {
		t.Errorf("files have names: %v, %v", names, err)
	}
	close(release)
	eventually(t, "all copies", func() bool { return s.copies.Load() == posts })
	w.finished()
	stop()
}

// Short ones are in memory while there is room, and their memory is bounded too.
func TestManyPostsTakeBoundedMemory(t *testing.T) {
	const posts, size = 60, 900 << 10
	w := newWorld(t)
	for i := range posts {
		list := w.list(fmt.Sprintf("dev%d", i), 1)
		w.member(list, "ben@b.example")
		w.post(list, longPost(size))
	}
	c := w.config(nil)
	c.SpoolDir = t.TempDir()
	l := newLibrary(w.pool, &c)
	defer l.close()
	fanouts := w.planned()
	before := heap()
	files := 0
	for _, f := range fanouts {
		m, err := l.borrow(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if m.long != nil {
			files++
		}
	}
	if used := heap() - before; used > maxInMemory+2<<20 {
		t.Errorf("%d posts of %d octets take %d octets", posts, size, used)
	}
	if in := posts - files; in < maxInMemory/size/2 {
		t.Errorf("only %d of %d are in memory", in, posts)
	}
	for _, f := range fanouts {
		l.giveBack(f)
	}
	var kept int64
	for _, v := range l.shelf {
		kept += v.memory
	}
	if kept > maxInMemory || len(l.shelf) > maxVolumes || len(l.shelf) < posts/2 {
		t.Errorf("%d messages are kept, %d octets", len(l.shelf), kept)
	}
}

// planned plans what was posted and returns the fan-outs in order.
func (w *world) planned() (ids []int64) {
	w.t.Helper()
	p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
	for p.round(context.Background()) {
	}
	w.row(`SELECT array_agg(id ORDER BY id) FROM fanout`).into(&ids)
	return ids
}

// TestLongIsTheSame: what leaves of a message from a file is what leaves of it from memory, octet for
// octet, wherever its pieces end, and its signatures hold.
func TestLongIsTheSame(t *testing.T) {
	t.Parallel()
	bare := strings.Repeat("one\n.two\r.three\r\r\n\n\r..four\r\n.\r\n", 30) // as none is accepted, and none may leave
	posts := []string{
		testMessage, postedTwice, testMessage + bare, "From: a@a.example\r\n\r\n", "From: a@a.example\r\n", "\r\n.body", "From: a@a.example\r\n\r\n.",
		testMessage + strings.Repeat(".\r\n", 40_000) + "no end", eightBitMessage, testMessage + "Gr\xc3\xbc\xc3\x9fe\r\n.\r\n",
	}
	w := newWorld(t)
	list := w.list("dev", 1)
	for _, raw := range posts {
		for _, piece := range []int{1, 2, 3, 7, 64, 256 << 10} {
			if len(raw)/piece > 2000 {
				continue
			}
			post := w.postIn(list, raw, piece)
			for _, verp := range []bool{false, true} {
				for _, keys := range [][]*dkim.Key{nil, testKeys()} {
					src := testSource(raw)
					src.verp, src.post = verp, post.String()
					if !strings.Contains(raw, "\r\n\r\n") {
						src.headerLen = min(2, len(raw))
					}
					what := fmt.Sprintf("%.60q in pieces of %d, verp %v, %d keys", raw, piece, verp, len(keys))
					sameCopies(t, what, src, w, keys)
				}
			}
		}
	}
}

func sameCopies(t *testing.T, what string, src *source, w *world, keys []*dkim.Key) {
	t.Helper()
	const base = "https://site.example"
	src.eightbit = hasHigh(src.raw)
	short, err := compose(src, fakeSealer{}, base)
	if err == nil {
		short.mayNarrow(keys, src.signedAt(), "")
		err = short.sign(keys, src.signedAt())
	}
	if err != nil {
		t.Fatal(what, err)
	}
	long, err := composeLong(context.Background(), w.pool, &scribe{src: src, seals: fakeSealer{}, base: base, keys: keys, dir: t.TempDir()})
	if err != nil {
		t.Fatal(what, err)
	}
	defer long.close()
	if short.size != long.size {
		t.Errorf("%s: size %d, want %d", what, long.size, short.size)
	}
	want, got := wire(t, short), wire(t, long)
	if !bytes.Equal(want, got) {
		t.Fatalf("%s:\n%.2000q\nwant\n%.2000q", what, got, want)
	}
	if src.eightbit {
		sameNarrow(t, what, short.narrow, long.narrow)
	}
	if bytes.Contains(src.raw[:src.headerLen], []byte("From")) {
		if err := verifySigned(unstuff(got), len(keys)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// sameNarrow compares what servers without 8BITMIME get.
func sameNarrow(t *testing.T, what string, short, long *narrow) {
	t.Helper()
	inMemory, shortErr := short.made()
	inFile, longErr := long.made()
	if (shortErr == nil) != (longErr == nil) {
		t.Fatalf("%s: %v and %v", what, shortErr, longErr)
	}
	if shortErr != nil {
		return
	}
	if inFile.long == nil || inFile.size != inMemory.size || !bytes.Equal(wire(t, inMemory), wire(t, inFile)) {
		t.Errorf("%s, converted:\n%.2000q\nwant\n%.2000q", what, wire(t, inFile), wire(t, inMemory))
	}
	if long.size() != 0 {
		t.Errorf("%s: %d octets in memory", what, long.size())
	}
}

// wire is a copy as it leaves.
func wire(t *testing.T, m *message) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Write(m.before)
	if m.personal {
		b.Write(m.appendPersonal(nil, 1, 7))
	}
	b.Write(m.after)
	if m.long != nil {
		if _, err := io.Copy(&b, m.long.open()); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// heard counts what was logged with some words.
type heard struct {
	words string
	times atomic.Int64
}

func (h *heard) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(h.words)) {
		h.times.Add(1)
	}
	return len(p), nil
}

// Copies of a long message wait for a disk that has no room, and nobody waits with them.
func TestLongWaitsForDisk(t *testing.T) {
	t.Parallel()
	for _, verp := range []int{0, 1} {
		t.Run(fmt.Sprintf("verp=%d", verp), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			long, short := w.list("long", verp), w.list("short", verp)
			w.members(long, 20, 2)
			w.members(short, 30, 2)
			s := newSink(t).serve()
			c := w.config(s)
			c.SpoolDir = filepath.Join(t.TempDir(), "later")
			c.Keys = keysOfTest
			quick(&c)
			failed := &heard{words: "the file of a long message failed"}
			c.Log = slog.New(slog.NewTextHandler(failed, nil))
			e, stop := w.start(c)
			text := longPost(2 << 20)
			w.post(long, text)
			w.post(short, testMessage)
			e.Wake()
			eventually(t, "the short ones", func() bool { return s.copies.Load() == 30 && failed.times.Load() > 2 })
			if err := os.Mkdir(c.SpoolDir, 0o700); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the long ones", func() bool { return s.copies.Load() == 50 })
			w.finished()
			stop()
			_, body, _ := strings.Cut(text, "\r\n\r\n")
			for _, l := range s.all() {
				if len(l.data) > 1<<20 && !bytes.HasSuffix(l.data, []byte("\r\n\r\n"+body)) {
					t.Errorf("a long copy of %d octets is not the one posted", len(l.data))
				}
				if err := verifySigned(l.data, 2); err != nil {
					t.Errorf("a copy of %d octets: %v", len(l.data), err)
				}
			}
			if n := w.count(`SELECT count(*) FROM delivery`); n > 0 {
				t.Errorf("%d copies were deferred or failed for what is no fault of theirs", n)
			}
		})
	}
}

// A poison is one in a file too, and leaves no file.
func TestLongPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	post := w.post(list, longPost(2<<20))
	w.exec(`UPDATE post SET header_len = size + 1 WHERE id = $1`, post)
	c := w.config(nil)
	c.SpoolDir = t.TempDir()
	l := newLibrary(w.pool, &c)
	defer l.close()
	_, err := l.borrow(context.Background(), w.planned()[0])
	if !isPoison(err) || !strings.Contains(err.Error(), "header of") || len(l.shelf) > 0 {
		t.Errorf("%v, %d on the shelf", err, len(l.shelf))
	}
	l.keys = func(context.Context, string) ([]*dkim.Key, error) { return nil, errors.New("away") }
	if _, err := l.borrow(context.Background(), w.planned()[0]); err == nil || isPoison(err) || isDisk(err) {
		t.Errorf("%v", err)
	}
}
