package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/migrations/privatepg"
	"muster/migrations/testdb"
	"muster/smtp"
	"muster/smtp/smtpclient"
	"muster/smtp/smtptest"
)

func TestCompareTakesTurns(t *testing.T) {
	t.Parallel()
	b := &bench{config: config{runs: 3}, log: io.Discard}
	var order []string
	take := func(name string, values ...float64) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) {
			order = append(order, name)
			v := values[0]
			values = values[1:]
			return v, nil
		}
	}
	got, err := b.compare(t.Context(), comparison{"row", 0.5, take("a", 10, 90, 30), take("b", 5, 30, 60)})
	if err != nil {
		t.Fatal(err)
	}
	if want := (row{"row", 30, 30, 2, 0.5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s := strings.Join(order, ""); s != "ababab" {
		t.Errorf("taken in the order %s", s)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{1: {1}, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %v, want %v", values, got, want)
		}
	}
}

func TestLimitsAreBetterKept(t *testing.T) {
	t.Parallel()
	if r := limitRow("m", 50, 100); r.Ratio != 2 || r.Ratio < r.Aim {
		t.Errorf("%+v", r)
	}
	if r := limitRow("m", 200, 100); r.Ratio >= r.Aim {
		t.Errorf("%+v", r)
	}
}

func TestFirstCopyMayComeBeforeTheReply(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if got := firstAfter(now, now.Add(3*time.Millisecond)); milliseconds(got) != 3 {
		t.Errorf("%v", got)
	}
	if got := firstAfter(now, now.Add(-time.Second)); got <= 0 {
		t.Errorf("%v: a row has no ratio then", got)
	}
}

func TestFigureWithoutAim(t *testing.T) {
	t.Parallel()
	r := figureRow("commits", 12.34567)
	var table strings.Builder
	if err := printTable(&table, []row{r}); err != nil {
		t.Fatal(err)
	}
	if r.Ratio < r.Aim || !strings.HasSuffix(table.String(), "| commits | 12.3   |           |       |     |\n") {
		t.Errorf("%+v\n%s", r, table.String())
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	rows := []row{{"fan-out, copies/s", 123456, 61728, 2, 1}, {"memory, MB", 49.5, 99, 2, 1}}
	path := filepath.Join(t.TempDir(), "results.json")
	if err := writeResults(path, rows); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(text, &got); err != nil || len(got) != 2 || len(got[0]) != 5 {
		t.Fatalf("%v: %s", err, text)
	}
	if got[0]["row"] != "fan-out, copies/s" || got[0]["figure"] != 123456.0 || got[1]["yardstick"] != 99.0 || got[1]["ratio"] != 2.0 || got[1]["aim"] != 1.0 {
		t.Errorf("%s", text)
	}
	var table strings.Builder
	if err := printTable(&table, rows); err != nil {
		t.Fatal(err)
	}
	const want = `| row               | figure | yardstick | ratio | aim  |
|---                |---     |---        |---    |---   |
| fan-out, copies/s | 123456 | 61728     | 2.00  | 1.00 |
| memory, MB        | 49.5   | 99.0      | 2.00  | 1.00 |
`
	if table.String() != want {
		t.Errorf("%s", table.String())
	}
}

func TestParsePeak(t *testing.T) {
	t.Parallel()
	mb, err := parseMB([]byte("Name:\tmuster\nVmPeak:\t  999999 kB\nVmHWM:\t   20480 kB\nVmRSS:\t 100 kB\n"), "VmHWM:")
	if err != nil || mb != 20 {
		t.Errorf("%v, %v", mb, err)
	}
	if _, err := parseMB([]byte("Name:\tmuster\n"), "VmHWM:"); err == nil {
		t.Error("a peak where none was told")
	}
}

func TestParseTPS(t *testing.T) {
	t.Parallel()
	v, err := parseTPS([]byte("latency average = 1.7 ms\ninitial connection time = 12 ms\ntps = 11234.567 (without initial connection time)\n"))
	if err != nil || v != 11234.567 {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := parseTPS([]byte("pgbench: error")); err == nil {
		t.Error("a figure where none was told")
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"250 a\r\n": 1, "250-a\r\n250-b\r\n250 c\r\n": 3, "250-a\r\n252 no\r\n": -1, "250-a\r\n": -1, "550 x\r\n": -1} {
		n, err := reply(bufio.NewReader(strings.NewReader(in)), "250")
		if (err != nil) != (want < 0) || err == nil && n != want {
			t.Errorf("%q: %d, %v", in, n, err)
		}
	}
}

// The first line is timed from the command on, the whole to the last line.
func TestExpnTimes(t *testing.T) {
	t.Parallel()
	const before, between = 20 * time.Millisecond, 30 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(c)
			fmt.Fprint(c, "220 a.example\r\n")
			_, _ = in.ReadString('\n')
			time.Sleep(between) // counts in the whole only
			fmt.Fprint(c, "250 a.example\r\n")
			_, _ = in.ReadString('\n')
			time.Sleep(before)
			fmt.Fprint(c, "250-a@b.example\r\n")
			time.Sleep(between)
			fmt.Fprint(c, "250 c@b.example\r\n")
			c.Close()
		}
	}()
	b := &bench{muster: &muster{smtp: l.Addr().String()}}
	got, err := b.expn(t.Context(), "dev", 2)
	if err != nil || got.first < before || got.whole < got.first+2*between {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.expn(t.Context(), "dev", 3); err == nil {
		t.Error("two lines were three")
	}
}

func TestMailIsAsLongAsItSays(t *testing.T) {
	t.Parallel()
	body := bodyText()
	if len(body) != bodySize || !bytes.HasSuffix(body, []byte("\r\n")) || !bytes.Equal(smtpclient.Prepare(body), body) {
		t.Errorf("%d octets", len(body))
	}
	for line := range bytes.Lines(body) {
		if len(line) > 80 {
			t.Errorf("line of %d octets", len(line))
		}
	}
	if bytes.Equal(header("a@b.example"), header("a@b.example")) {
		t.Error("two posts with one Message-ID")
	}
}

func TestPosterPostsWhatItIsTold(t *testing.T) {
	t.Parallel()
	far := smtptest.NewServer(t)
	b, began := &bench{muster: &muster{smtp: far.Addr()}}, time.Now()
	body := bodyText()
	p, err := b.newPoster(t.Context(), "dev@lists.example", body)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.post(5); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	if p.accepted.Before(began) {
		t.Errorf("accepted at %v", p.accepted)
	}
	for _, m := range far.Wait(5, time.Second) {
		ids[m.ID] = true
		if m.From.Wire() != author || !bytes.Equal(m.Body(), body) {
			t.Errorf("from %s, %d octets", m.From, len(m.Data))
		}
	}
	if len(ids) != 5 {
		t.Errorf("%d different posts", len(ids))
	}
	far.Answer("dev@lists.example", smtptest.Reply(550, "5.7.1", "No"))
	if p, err = b.newPoster(t.Context(), "dev@lists.example", body); err == nil {
		err = p.post(1)
	}
	if err == nil || !strings.Contains(err.Error(), "550 5.7.1 No") {
		t.Errorf("a refused post: %v", err)
	}
}

// smtp-source and smtp-sink do what the table says of them.
func TestFeedAndSink(t *testing.T) {
	t.Parallel()
	source, err := find("smtp-source")
	if err != nil {
		t.Fatal(err)
	}
	far := smtptest.NewServer(t, smtptest.Discard())
	b := &bench{source: source, sink: &sink{addr: far.Addr()}}
	if rate, err := b.feed(t.Context(), 2000, 100); err != nil || rate <= 0 {
		t.Fatalf("%v, %v", rate, err)
	}
	far.Wait(2000, 10*time.Second)
	if messages, size := far.Seen(smtptest.Kept), far.Octets(); messages != 20 || size < 20*bodySize {
		t.Errorf("%d messages of %d octets in all", messages, size)
	}
	s, err := startSink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	b.sink = s
	if rate, err := b.feed(t.Context(), 2000, 1); err != nil || rate <= 0 {
		t.Errorf("%v, %v", rate, err)
	}
}

func testStore(t *testing.T) *store {
	t.Helper()
	binaries, err := privatepg.Locate(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	pool := testdb.New(t)
	return &store{server: &privatepg.Server{URL: pool.Config().ConnString()}, pool: pool, major: binaries.Major}
}

func TestYardsticks(t *testing.T) {
	t.Parallel()
	const members = 300
	ctx, s, dir := t.Context(), testStore(t), t.TempDir()
	if err := s.prepareYardsticks(ctx); err != nil {
		t.Fatal(err)
	}
	const fill = `
WITH d AS (INSERT INTO domain (name) VALUES ('lists.example') RETURNING id),
     l AS (INSERT INTO list (domain, local) SELECT id, 'bench1' FROM d RETURNING id)
INSERT INTO member (list, key, address, domain)
SELECT l.id, 'u' || n || '@x.example', 'U' || n || '@x.example', 'x.example' FROM l, generate_series(1, $1) n`
	if _, err := s.pool.Exec(ctx, fill, members); err != nil {
		t.Fatal(err)
	}
	if err := s.settle(ctx); err != nil {
		t.Fatal(err)
	}
	id, err := s.listID(ctx, "bench1")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "rows.tsv")
	if err := s.dumpMembers(ctx, id, file); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second run is as the first
		if took, err := s.bareCopy(ctx, file); err != nil || took <= 0 {
			t.Fatal(took, err)
		}
	}
	var rows, indexes, want int
	const count = `SELECT count(*), (SELECT count(*) FROM pg_index WHERE indrelid = 'bench.member'::regclass),
    (SELECT count(*) FROM pg_index WHERE indrelid = 'public.member'::regclass) FROM bench.member`
	if err := s.pool.QueryRow(ctx, count).Scan(&rows, &indexes, &want); err != nil || rows != members || indexes != want {
		t.Errorf("%d rows, %d indexes of %d, %v", rows, indexes, want, err)
	}
	if took, err := s.copyOut(ctx, id); err != nil || took <= 0 {
		t.Error(took, err)
	}
	if p, err := s.fanout(ctx, id); err != nil || p != (progress{}) {
		t.Errorf("fan-out of a list without posts: %+v, %v", p, err)
	}
}

func TestDatabaseWork(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), testStore(t)
	before, err := s.work(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		if _, err := s.pool.Exec(ctx, `INSERT INTO domain (name) VALUES (gen_random_uuid() || '.example')`); err != nil {
			t.Fatal(err)
		}
	}
	after, err := s.work(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// Other tests may use the same server.
	if n, wal := after.Transactions-before.Transactions, after.WAL-before.WAL; n < 7 || wal < 7*36 {
		t.Errorf("7 transactions were %d of %d octets", n, wal)
	}
}

func TestSmallLists(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), testStore(t)
	if _, err := s.pool.Exec(ctx, `INSERT INTO domain (name) VALUES ('lists.example')`); err != nil {
		t.Fatal(err)
	}
	if err := s.makeSmallLists(ctx, 3); err != nil {
		t.Fatal(err)
	}
	id, err := s.listID(ctx, smallName(2))
	if err != nil {
		t.Fatal(err)
	}
	var members int
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM member WHERE list = $1 AND key LIKE '%@d__.example'`, id).Scan(&members); err != nil || members != smallMembers {
		t.Errorf("%d members, %v", members, err)
	}
	const post = `
WITH l AS (SELECT id FROM list WHERE local = $1),
     p AS (INSERT INTO post (id, ref, list, kind, state, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
           SELECT gen_random_uuid(), gen_random_uuid(), l.id, 'post', 'accepted', '', '', '', '', 1, '', false, false, 1 FROM l RETURNING id, list),
     f AS (INSERT INTO fanout (post, list, verp, ordered, accepted, expires, planned, finished, delivered)
           SELECT p.id, p.list, false, false, now(), now(), now(), CASE WHEN $2 THEN now() END, 100 FROM p RETURNING id)
INSERT INTO shard (fanout, dest, turn, size, done, sent, state)
SELECT f.id, d.id, 1, 50, 50, 50, state FROM f, destination d, unnest($3::text[]) state WHERE d.name = 'relay'`
	fanouts := []struct {
		finished bool
		shards   []string
	}{{true, nil}, {true, nil}, {false, []string{"done", "done"}}, {false, []string{"done", "claimed"}}}
	var before int64
	for n, f := range fanouts {
		if _, err := s.pool.Exec(ctx, post, smallName(n%3), f.finished, f.shards); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			if before, err = s.youngest(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if done, sent, err := s.smallDone(ctx, before); err != nil || done != 2 || sent != 200 {
		t.Errorf("%d done with %d copies, %v; want the second and the third", done, sent, err)
	}
}

func TestInsertYardstick(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), testStore(t)
	if err := s.prepareYardsticks(ctx); err != nil {
		t.Fatal(err)
	}
	b := &bench{config: config{work: t.TempDir()}}
	mail := append(header("dev@lists.example"), bodyText()...)
	script, err := b.writeInsert(mail)
	if err != nil {
		t.Fatal(err)
	}
	if rate, err := s.insert(ctx, script, 100); err != nil || rate <= 0 {
		t.Fatal(rate, err)
	}
	var n int
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM bench.accept WHERE bytes = $1`, mail).Scan(&n); err != nil || n != 100 {
		t.Errorf("%d whole messages, %v", n, err)
	}
}

func TestMembersFile(t *testing.T) {
	t.Parallel()
	b := &bench{config: config{work: t.TempDir()}}
	path, err := b.writeMembers(250)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, keys := strings.Split(strings.TrimSpace(string(text)), "\n"), map[string]bool{}
	for _, line := range lines[1:] {
		a, err := smtp.ParseAddress(strings.Split(line, ",")[0])
		if err != nil {
			t.Fatal(err)
		}
		keys[a.Key()] = true
	}
	if lines[0] != "address,name" || len(keys) != 250 {
		t.Errorf("%q and %d different members", lines[0], len(keys))
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	c, err := parse([]string{"-runs", "5", "-only", "expn", "-work", "w"})
	if err != nil || c.runs != 5 || !filepath.IsAbs(c.work) || c.members != 100_000 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, args := range [][]string{{"-runs", "1"}, {"-only", "("}} {
		if _, err := parse(args); err == nil {
			t.Error(fmt.Sprint(args) + " was taken")
		}
	}
}

func TestProcessorTime(t *testing.T) {
	t.Parallel()
	got, err := parseProcessorTime("12 (a) name) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseProcessorTime("12 (name) S"); err == nil {
		t.Error("read times where there are none")
	}
}
