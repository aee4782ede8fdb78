package fanout

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/smtp/smtpclient"
)

// posted is a request as a receiver reads it.
type posted struct {
	Version    int               `json:"version"`
	Key        string            `json:"key"`
	From       string            `json:"from"`
	Recipients []postedRecipient `json:"recipients"`
	Message    []byte            `json:"message"` // which Go reads as base64

	header http.Header
	length int64
	remote string
}

// webSink is a receiver by HTTP that keeps what it was sent.
type webSink struct {
	*httptest.Server
	// answer makes the answer; nil, or what it returns false for, says that all is delivered.
	answer func(w http.ResponseWriter, p *posted) bool

	mu  sync.Mutex
	got []*posted
}

// newWebSink serves after start has been called.
func newWebSink(t testing.TB) *webSink {
	t.Helper()
	s := &webSink{}
	s.Server = httptest.NewUnstartedServer(s)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *webSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := &posted{header: r.Header, length: r.ContentLength, remote: r.RemoteAddr}
	if err := json.NewDecoder(r.Body).Decode(p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.got = append(s.got, p)
	s.mu.Unlock()
	if s.answer == nil || !s.answer(w, p) {
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *webSink) all() []*posted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*posted(nil), s.got...)
}

// relay leads there, with a user if one is given.
func (s *webSink) relay(t testing.TB, user string) []Relay {
	t.Helper()
	scheme, rest, _ := strings.Cut(s.URL, "://")
	r, err := ParseRelay(scheme + "://" + user + rest + "/in")
	if err != nil {
		t.Fatal(err)
	}
	return []Relay{*r}
}

// outcomes answers what becomes of each copy.
func outcomes(w http.ResponseWriter, p *posted, of func(address string) postedOutcome) bool {
	var a postedAnswer
	for _, r := range p.Recipients {
		if o := of(r.Address); o.Outcome != "" {
			o.ID = r.ID
			a.Recipients = append([]postedOutcome{o}, a.Recipients...) // in any order
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a)
	return true
}

// Each copy has the outcome that the answer gives it.
func TestPostback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	for _, local := range []string{"ann", "full", "gone", "odd", "unsaid"} {
		w.member(list, local+"@x.example")
	}
	s := newWebSink(t)
	s.answer = func(w http.ResponseWriter, p *posted) bool {
		return outcomes(w, p, func(address string) postedOutcome {
			return map[string]postedOutcome{
				"ann@x.example":  {Outcome: "delivered", Text: "as 7"},
				"full@x.example": {Outcome: "deferred", Status: "4.2.2", Text: "mailbox\nfull"},
				"gone@x.example": {Outcome: "bounced", Status: "5.1.1", Text: "no such user"},
				"odd@x.example":  {Outcome: "perhaps"},
			}[address]
		})
	}
	s.Start()
	c := w.config(nil)
	c.Relays = s.relay(t, "muster:geheim@")
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "an outcome for each", func() bool {
		return w.count(`SELECT count(*) FROM delivery`) == 4 && w.count(`SELECT coalesce(sum(sent), 0) FROM shard`) == 1
	})
	for _, tt := range []struct{ local, state, status, reply string }{
		{"full", "deferred", "4.2.2", "mailbox full"},
		{"gone", "failed", "5.1.1", "no such user"},
		{"odd", "deferred", "4.5.0", "none of delivered"},
		{"unsaid", "deferred", "4.5.0", "does not say"},
	} {
		if n := w.count(`SELECT count(*) FROM delivery d JOIN member m ON m.id = d.member
			WHERE m.address = $1 || '@x.example' AND d.state = $2 AND d.status = $3 AND d.reply LIKE '%' || $4 || '%'`, tt.local, tt.state, tt.status, tt.reply); n != 1 {
			t.Errorf("%s is not %s with %s, %q", tt.local, tt.state, tt.status, tt.reply)
		}
	}
	if n := w.count(`SELECT count(*) FROM bounce WHERE hard`); n != 1 {
		t.Errorf("%d hard bounces", n)
	}
	p := s.all()[0]
	if len(s.all()) != 1 || len(p.Recipients) != 5 || p.Version != 1 || p.From != "dev-bounces@lists.example" {
		t.Errorf("%d requests, the first to %d from %s, version %d", len(s.all()), len(p.Recipients), p.From, p.Version)
	}
	if !bytes.HasSuffix(p.Message, []byte("\r\nHello.\r\n.dot\r\nBye.\r\n")) || !bytes.Contains(p.Message, []byte("List-Id: The dev <dev.lists.example>\r\n")) {
		t.Errorf("message %q", p.Message)
	}
	if h := p.header; h.Get("Idempotency-Key") != p.Key || p.Key == "" || h.Get("Content-Type") != "application/json" || p.length <= 0 ||
		h.Get("Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("muster:geheim")) {
		t.Errorf("header %v, %d octets", h, p.length)
	}
}

// Of transactions that follow one another on a connection each has its own outcomes.
func TestPostbackOutcomesInARow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	const members = 20
	for i := range members {
		w.member(list, fmt.Sprintf("%s%02d@x.example", []string{"gone", "here", "full"}[i%3], i))
	}
	s := newWebSink(t)
	s.answer = func(w http.ResponseWriter, p *posted) bool {
		return outcomes(w, p, func(address string) postedOutcome {
			switch address[:4] {
			case "gone":
				return postedOutcome{Outcome: "bounced", Status: "5.1.1", Text: "no such user"}
			case "full":
				return postedOutcome{Outcome: "deferred", Status: "4.2.2", Text: "mailbox full"}
			}
			return postedOutcome{Outcome: "delivered"}
		})
	}
	s.Start()
	c := w.config(nil)
	c.Relays = s.relay(t, "")
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "an outcome for each", func() bool {
		return w.count(`SELECT coalesce(sum(done), 0) FROM shard`) == members
	})
	for state, want := range map[string]int{"failed": 7, "deferred": 6} {
		if n := w.count(`SELECT count(*) FROM delivery WHERE state = $1`, state); n != want {
			t.Errorf("%d are %s, want %d", n, state, want)
		}
	}
	if n := w.count(`SELECT sum(sent) FROM shard`); n != 7 {
		t.Errorf("%d were delivered", n)
	}
}

// What is not a clear answer bounces nobody, and what means all of the mail leaves the receiver alone.
func TestPostbackAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		answer        http.HandlerFunc
		state, status string
		alone         bool
	}{
		{"an empty 200", func(http.ResponseWriter, *http.Request) {}, "", "", false},
		{"201 with more than is asked for", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"recipients":[],"more":{"x":1}}`)
		}, "deferred", "4.5.0", false},
		{"another page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>Welcome") }, "deferred", "4.5.0", true},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"recipients":[`)
		}, "deferred", "4.5.0", true},
		{"an endless answer", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 32<<10)); err != nil {
					return
				}
			}
		}, "deferred", "4.5.0", true},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
		}, "deferred", "4.4.4", true},
		{"400", says(http.StatusBadRequest), "failed", "5.6.0", false},
		{"401", says(http.StatusUnauthorized), "deferred", "4.7.8", true},
		{"404", says(http.StatusNotFound), "deferred", "4.3.2", true},
		{"413", says(http.StatusRequestEntityTooLarge), "failed", "5.3.4", false},
		{"422", says(http.StatusUnprocessableEntity), "failed", "5.6.0", false},
		{"429", says(http.StatusTooManyRequests), "deferred", "4.3.2", true},
		{"500", says(http.StatusInternalServerError), "deferred", "4.3.0", false},
		{"503", says(http.StatusServiceUnavailable), "deferred", "4.3.2", true},
		{"a header without end", func(w http.ResponseWriter, _ *http.Request) {
			raw(w, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*postFields))
		}, "deferred", "4.4.2", false},
		{"another protocol", func(w http.ResponseWriter, _ *http.Request) { raw(w, "250 2.0.0 queued\r\n") }, "deferred", "4.4.2", false},
		{"hanging up instead", func(w http.ResponseWriter, _ *http.Request) { raw(w, "") }, "deferred", "4.4.2", false},
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deferred", "4.4.2", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 0)
			w.members(list, 3, 1)
			s := newWebSink(t)
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/in" {
					t.Errorf("%s was followed", r.URL)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				tt.answer(w, r)
			})
			s.Start()
			c := w.config(nil)
			c.Relays = s.relay(t, "")
			c.Timeouts.Dot = 30 * time.Second
			if tt.name == "silence" {
				c.Timeouts.Dot = 100 * time.Millisecond
			}
			w.post(list, testMessage)
			w.start(c)
			if tt.state == "" {
				eventually(t, "three copies", func() bool { return w.count(`SELECT coalesce(sum(sent), 0) FROM shard`) == 3 })
				return
			}
			eventually(t, tt.state, func() bool {
				return w.count(`SELECT count(*) FROM delivery WHERE state = $1 AND status = $2`, tt.state, tt.status) == 3
			})
			if tt.alone {
				eventually(t, "the receiver is left alone", func() bool {
					return w.count(`SELECT count(*) FROM destination WHERE name = 'relay' AND blocked > now()`) == 1
				})
			} else if n := w.count(`SELECT count(*) FROM destination WHERE blocked IS NOT NULL`); n != 0 {
				t.Error("the receiver is left alone")
			}
		})
	}
}

func says(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
}

// raw answers with octets of its own, and hangs up.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, text)
	_ = conn.Close()
}

// Retry-After is heeded, within bounds.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		field string
		want  time.Duration
	}{
		{"", 0}, {"soon", 0}, {"-1", 0}, {"120", 2 * time.Minute}, {"999999999", longestPause}, {"99999999999999999999", 0},
		{"Fri, 02 Jan 2026 03:05:05 GMT", time.Minute}, {"Fri, 02 Jan 2026 03:00:00 GMT", 0},
	} {
		if got := retryAfter(tt.field, now); got != tt.want {
			t.Errorf("%q is %s", tt.field, got)
		}
	}
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 1, 1)
	s := newWebSink(t)
	s.answer = func(w http.ResponseWriter, _ *posted) bool {
		w.Header().Set("Retry-After", "500")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	s.Start()
	c := w.config(nil)
	c.Relays = s.relay(t, "")
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "a pause as long as was asked for", func() bool {
		return w.count(`SELECT count(*) FROM destination WHERE name = 'relay' AND blocked > now() + interval '480 seconds'`) == 1
	})
}

// A server that ends connections which nobody uses, as all do, costs no copy an attempt; and one that is not
// there costs none either.
func TestPostbackOverConnectionsThatEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 40, 1)
	s := newWebSink(t)
	var n int
	var mu sync.Mutex
	s.answer = func(w http.ResponseWriter, _ *posted) bool {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%3 == 0 {
			w.Header().Set("Connection", "close")
		}
		return false
	}
	s.Start()
	c := w.config(nil)
	c.Relays = s.relay(t, "")
	c.Connections = 2
	var refused int
	c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if refused++; refused%4 == 2 {
			return nil, io.ErrUnexpectedEOF
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	c.pace.block = func(int) time.Duration { return time.Millisecond }
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "all copies", func() bool { return w.count(`SELECT coalesce(sum(sent), 0) FROM shard`) == 40 })
	seen, remotes := map[string]int{}, map[string]int{}
	for _, p := range s.all() {
		seen[p.Recipients[0].ID]++
		seen[p.Key]++
		remotes[p.remote]++
		if len(p.Recipients) != 1 || !strings.HasPrefix(p.From, "dev-bounces+b") {
			t.Errorf("to %d from %s", len(p.Recipients), p.From)
		}
	}
	if len(seen) != 80 || len(s.all()) != 40 || len(remotes) > 30 {
		t.Errorf("%d ids and keys in %d requests over %d connections", len(seen), len(s.all()), len(remotes))
	}
}

// What repeats itself has the same key, and a copy the same id with each attempt.
func TestPostedKeys(t *testing.T) {
	t.Parallel()
	m, err := compose(testSource(testMessage), fixedSealer{}, "")
	if err != nil {
		t.Fatal(err)
	}
	m.id = "0198c0de"
	key := func(attempts []int32, members ...int64) (string, []string) {
		who := &recipients{members: members, attempts: attempts, left: time.Hour}
		for i := range members {
			who.addresses = append(who.addresses, fmt.Sprintf("m%d@x.example", members[i]))
		}
		r := newRun(claim{}, who, m, &lane{traffic: &traffic{}})
		var b batch
		if !b.fill(r, batchSize, nil) {
			t.Fatal("no batch")
		}
		_, ids, key := b.posted()
		return key, ids
	}
	first, ids := key(nil, 7, 8)
	again, _ := key(nil, 7, 8)
	later, laterIDs := key([]int32{1, 1}, 7, 8)
	other, otherIDs := key(nil, 8)
	if first != again || first == later || first == other || later == other {
		t.Errorf("keys %s, again %s, later %s, of another %s", first, again, later, other)
	}
	if ids[0] == ids[1] || ids[0] != laterIDs[0] || ids[1] != otherIDs[0] {
		t.Errorf("ids %v, later %v, of another %v", ids, laterIDs, otherIDs)
	}
	m.id = "0198c0df"
	if k, more := key(nil, 7, 8); k == first || more[0] == ids[0] {
		t.Error("two posts have the same")
	}
}

// Whatever the pieces, what is read is the mail without SMTP's dots, and its base64.
func TestPlainText(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		mail := make([]byte, r.IntN(200))
		for i := range mail {
			mail[i] = ".\n\rab"[r.IntN(5)]
		}
		text := smtpclient.Prepare(bytes.ReplaceAll(bytes.ReplaceAll(mail, []byte("\r"), nil), []byte("\n"), []byte("\r\n")))
		want := unstuffed(text)
		got, err := io.ReadAll(&undotted{text: pieces{bytes.NewReader(text), r}})
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %q became %q, %v", seed, text, got, err)
		}
		var e encoder
		coded, err := io.ReadAll(e.of(pieces{bytes.NewReader(want), r}))
		if err != nil || string(coded) != base64.StdEncoding.EncodeToString(want) {
			t.Fatalf("seed %d: %q became %q, %v", seed, want, coded, err)
		}
	}
}

// pieces reads a few octets at a time.
type pieces struct {
	io.Reader
	r *rand.Rand
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), 1+p.r.IntN(7))]) }

// A long message is read from its file, and comes over the wire with its length before it.
func TestPostbackOfALongMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 3, 1)
	s := newWebSink(t)
	s.Start()
	c := w.config(nil)
	c.Relays = s.relay(t, "")
	long := testMessage + strings.Repeat("..a line of some length that begins with dots\r\n.\r\n", 40_000)
	w.post(list, long)
	w.start(c)
	eventually(t, "three copies", func() bool { return w.count(`SELECT coalesce(sum(sent), 0) FROM shard`) == 3 })
	_, body, _ := strings.Cut(long, "\r\n\r\n")
	for _, p := range s.all() {
		if _, got, _ := strings.Cut(string(p.Message), "\r\n\r\n"); got != body || p.length < int64(len(long)) {
			t.Errorf("a body of %d octets in a request of %d", len(got), p.length)
		}
	}
}

// Over TLS nobody is sent mail whose certificate is not that of the relay, and where all is to be encrypted
// nobody who has none.
func TestPostbackOverTLS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		trust  bool
		plain  bool
		status string
	}{{"known", true, false, ""}, {"unknown", false, false, "x509"}, {"in clear", false, true, "https"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 0)
			w.members(list, 2, 1)
			s := newWebSink(t)
			if tt.plain {
				s.Start()
			} else {
				s.StartTLS()
			}
			c := w.config(nil)
			c.Relays = s.relay(t, "")
			c.Relays[0].Token = "geheim"
			c.Encryption = Require
			if tt.trust {
				c.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
			}
			w.post(list, testMessage)
			w.start(c)
			if tt.status == "" {
				eventually(t, "both copies", func() bool { return w.count(`SELECT coalesce(sum(sent), 0) FROM shard`) == 2 })
				if a := s.all()[0].header.Get("Authorization"); a != "Bearer geheim" {
					t.Errorf("Authorization: %s", a)
				}
				return
			}
			eventually(t, "it is left alone", func() bool {
				return w.count(`SELECT count(*) FROM destination WHERE name = 'relay' AND blocked > now() AND reply LIKE '%' || $1 || '%'`, tt.status) == 1
			})
			if len(s.all()) > 0 {
				t.Error("it was sent mail")
			}
		})
	}
}

// At the end what is under way has its answer, and what hangs is cut off.
func TestPostbackAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 100, 1)
	s := newWebSink(t)
	came, let := make(chan bool, 1), make(chan bool)
	s.answer = func(http.ResponseWriter, *posted) bool {
		came <- true
		<-let
		return false
	}
	s.Start()
	c := w.config(nil)
	c.Relays = s.relay(t, "")
	w.post(list, testMessage)
	e := New(w.pool, c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	<-came
	cancel()
	close(let)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := w.count(`SELECT sum(sent) FROM shard`); n != 100 {
		t.Errorf("%d copies are known to be sent", n)
	}
}
