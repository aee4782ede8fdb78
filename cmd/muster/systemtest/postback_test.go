package systemtest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// receiver takes copies by HTTP as docs/transports.md has it: it keeps each by its id, once.
type receiver struct {
	t        *testing.T
	mu       sync.Mutex
	requests int
	again    int // copies that it had already
	got      map[string]string
	texts    map[string]string // by address
	all      chan bool         // closed when it has want copies
	want     int
	cut      chan bool // has one when the first answer is about to be lost
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var post struct {
		Recipients []struct{ ID, Address string }
		Message    []byte
	}
	if err := json.NewDecoder(q.Body).Decode(&post); err != nil || q.Header.Get("Authorization") != "Bearer geheim" {
		if !errors.Is(err, io.ErrUnexpectedEOF) { // the kill may come in the middle of it
			r.t.Errorf("a request that is none: %v, %v", err, q.Header)
		}
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	type outcome struct {
		ID      string `json:"id"`
		Outcome string `json:"outcome"`
		Status  string `json:"status,omitempty"`
		Text    string `json:"text,omitempty"`
	}
	var answer struct {
		Recipients []outcome `json:"recipients"`
	}
	r.mu.Lock()
	r.requests++
	first := r.requests == 1
	for _, c := range post.Recipients {
		if strings.HasPrefix(c.Address, "gone@") {
			answer.Recipients = append(answer.Recipients, outcome{c.ID, "bounced", "5.1.1", "nobody of that name"})
			continue
		}
		if _, known := r.got[c.ID]; known {
			r.again++
		}
		r.got[c.ID], r.texts[c.Address] = c.Address, string(post.Message)
		answer.Recipients = append(answer.Recipients, outcome{ID: c.ID, Outcome: "delivered"})
	}
	if len(r.got) == r.want {
		r.want = 0
		close(r.all)
	}
	r.mu.Unlock()
	if first { // its answer never comes: Muster is killed meanwhile
		r.cut <- true
		<-q.Context().Done()
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// A relay by HTTP gets all copies, through a kill of Muster while a request is out, and can drop by its id
// what comes a second time. Nobody is shown the token.
func TestPostback(t *testing.T) {
	t.Parallel()
	s := newSite(t, "") // the relay is in the file
	members := append(s.killList("false", 250), "gone@x.example")
	s.run("", "member", "add", "dev@lists.example", "gone@x.example")
	r := &receiver{t: t, got: map[string]string{}, texts: map[string]string{}, all: make(chan bool), want: len(members) - 1, cut: make(chan bool, 1)}
	web := httptest.NewServer(r)
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	dir := t.TempDir()
	file := filepath.Join(dir, "muster.toml")
	if err := os.WriteFile(file, []byte("[[relay]]\nurl = \""+web.URL+"/in\"\ntoken = \"geheim\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := s.start(dir, "--config", file)
	if !newPoster(t, n.smtp, 1).insist(0) {
		t.FailNow()
	}
	<-r.cut
	n.kill()
	n = s.start(dir, "--config", file)
	<-r.all
	metrics := scrape(t, n)
	if status := n.stop(); status != 0 {
		t.Errorf("it ends with status %d", status)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.texts) != len(members)-1 || len(r.got) != len(r.texts) {
		t.Errorf("%d members have a copy, under %d ids, %d came again", len(r.texts), len(r.got), r.again)
	}
	for _, m := range members[:3] {
		if text := r.texts[m]; !strings.Contains(text, "\r\nList-Id: ") {
			t.Errorf("%s got %q", m, text)
		}
	}
	if shown := n.log.String() + metrics + s.run("", "queue", "status"); strings.Contains(shown, "geheim") {
		t.Errorf("the token is shown:\n%s", shown)
	}
}

// scrape is what a node tells Prometheus.
func scrape(t *testing.T, n *node) string {
	t.Helper()
	resp, err := http.Get("http://" + n.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), "muster_") {
		t.Fatalf("/metrics: %v, %.80q", err, text)
	}
	return string(text)
}
