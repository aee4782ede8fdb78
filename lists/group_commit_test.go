package lists

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/migrations/testdb"
)

// posting is a groupCommit and a list to post to.
type posting struct {
	*groupCommit
	list int64
}

func newPosting(t *testing.T) *posting {
	t.Helper()
	p := &posting{groupCommit: newGroupCommit(testdb.New(t))}
	err := p.pool.QueryRow(t.Context(), `WITH d AS (INSERT INTO domain (name) VALUES ('lists.example') RETURNING id)
		INSERT INTO list (domain, local, name) SELECT id, 'dev', 'Dev' FROM d RETURNING id`).Scan(&p.list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rows is a message as one row.
func (p *posting) rows(messageID, body string) []postRow {
	return []postRow{{
		ID: uuid.Must(uuid.NewV7()), Ref: newRef(), List: p.list, Kind: PostKindPost, State: PostAccepted, Ruled: "accept", Trace: "[]",
		MessageID: messageID, IDHash: PostIDHash(PostKindPost, messageID), BodyHash: []byte(body), Raw: []byte(body), Size: int64(len(body)),
	}}
}

func (p *posting) pending(messageID, body string) *pending {
	return &pending{rows: p.rows(messageID, body)}
}

// kept says whether a post is there with all that belongs to it.
func (p *posting) kept(t *testing.T, id uuid.UUID) bool {
	t.Helper()
	var posts, raws int
	err := p.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM post WHERE id = $1),
		(SELECT count(*) FROM post_raw WHERE post = $1)`, id).Scan(&posts, &raws)
	if err != nil {
		t.Fatal(err)
	}
	if posts != raws {
		t.Errorf("%d posts, %d raws", posts, raws)
	}
	return posts == 1
}

func TestGroupCommitTellsTheFirstFromTheSecond(t *testing.T) {
	t.Parallel()
	p := newPosting(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for i := range 60 {
		id, body := fmt.Sprintf("<%d@a.example>", i%10), fmt.Sprintf("body %d", i%20)
		all.Go(func() {
			rows := p.rows(id, body)
			stored, err := p.insert(t.Context(), rows)
			if err != nil || len(stored) != 1 {
				t.Errorf("%v, %v", stored, err)
				return
			}
			if stored[0].Made && !bytes.Equal(stored[0].BodyHash, []byte(body)) {
				t.Errorf("made with the body %q instead of %q", stored[0].BodyHash, body)
			}
			if stored[0].Made {
				mu.Lock()
				made[id]++
				mu.Unlock()
			}
			if p.kept(t, rows[0].ID) != stored[0].Made {
				t.Error("what is stored is not what was answered")
			}
		})
	}
	all.Wait()
	for id, n := range made {
		if n != 1 {
			t.Errorf("%d posts of %s", n, id)
		}
	}
	if len(made) != 10 || p.running != 0 || len(p.waiting) != 0 {
		t.Errorf("%d of 10 made; %d running, %d waiting", len(made), p.running, len(p.waiting))
	}
}

// What was seen keeps nothing else out of its batch, nor out of its message.
func TestGroupCommitWithSomeSeen(t *testing.T) {
	t.Parallel()
	p := newPosting(t)
	p.write(t.Context(), []*pending{p.pending("<1@a.example>", "one"), p.pending("<0@a.example>", "none")})
	same, other, fresh, bare := p.pending("<1@a.example>", "one"), p.pending("<0@a.example>", "two"), p.pending("<2@a.example>", "two"), p.pending("", "three")
	bare.rows[0].IDHash, bare.rows[0].BodyHash = nil, nil
	other.rows = append(other.rows, p.rows("<3@a.example>", "two")...)
	batch := []*pending{fresh, other, same, bare}
	p.write(t.Context(), batch)
	for i, want := range []string{"true:two", "false:none true:two", "false:one", "true:"} {
		var got []string
		for j, st := range batch[i].stored {
			got = append(got, fmt.Sprintf("%v:%s", st.Made, st.BodyHash))
			if p.kept(t, batch[i].rows[j].ID) != st.Made {
				t.Errorf("%d: what is stored is not what was answered", i)
			}
		}
		if strings.Join(got, " ") != want || batch[i].err != nil {
			t.Errorf("%d: %s, %v; want %s", i, got, batch[i].err, want)
		}
	}
}

func TestGroupCommitSparesTheNeighbours(t *testing.T) {
	t.Parallel()
	p := newPosting(t)
	faulty := p.pending("<faulty@a.example>", "x")
	faulty.rows[0].Trace = "no JSON"
	good := []*pending{p.pending("<1@a.example>", "one"), p.pending("<2@a.example>", "two")}
	p.write(t.Context(), []*pending{good[0], faulty, good[1]})
	if faulty.err == nil {
		t.Error("stored with a trace that is none")
	}
	for _, g := range good {
		if g.err != nil || len(g.stored) != 1 || !g.stored[0].Made || !p.kept(t, g.rows[0].ID) {
			t.Errorf("%+v, %v", g.stored, g.err)
		}
	}
}

// A statement that somebody has cleared off a connection is made anew.
func TestGroupCommitOnAClearedSession(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(testdb.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	p := &posting{groupCommit: newGroupCommit(pool), list: 1}
	for _, body := range []string{"one", "two"} {
		rows := p.rows("<"+body+"@a.example>", body)
		if stored, err := p.insert(t.Context(), rows); err != nil || !stored[0].Made {
			t.Fatalf("%s: %v, %v", body, stored, err)
		}
		if _, err := pool.Exec(t.Context(), `DEALLOCATE ALL`, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBatchIsBounded(t *testing.T) {
	t.Parallel()
	p := &posting{list: 1}
	b := &postBatch{known: map[messageKey]struct{}{}}
	if !b.add(p.pending("<1@a.example>", string(make([]byte, 2*maxBatchOctets)))) {
		t.Error("a large post goes nowhere")
	}
	if b.add(p.pending("<2@a.example>", "x")) {
		t.Error("more octets than the bound")
	}
	b = &postBatch{known: map[messageKey]struct{}{}}
	for i := range maxBatchPosts {
		if !b.add(p.pending(fmt.Sprintf("<%d@a.example>", i), "x")) {
			t.Fatalf("only %d posts", i)
		}
	}
	if b.add(p.pending("<more@a.example>", "x")) {
		t.Error("more posts than the bound")
	}
	b = &postBatch{known: map[messageKey]struct{}{}}
	b.add(p.pending("<1@a.example>", "x"))
	if b.add(p.pending("<1@a.example>", "y")) {
		t.Error("one Message-ID twice")
	}
}
