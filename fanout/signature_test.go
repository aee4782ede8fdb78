package fanout

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	verifier "github.com/emersion/go-msgauth/dkim"

	"muster/lists/dkim"
)

// testKeys are those of lists.example.
var testKeys = sync.OnceValue(func() []*dkim.Key {
	var keys []*dkim.Key
	for _, a := range []dkim.Algorithm{dkim.RSA, dkim.Ed25519} {
		pkcs8, err := dkim.Generate(a)
		if err != nil {
			panic(err)
		}
		k, err := dkim.ParseKey("lists.example", "test-"+string(a), pkcs8)
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	return keys
})

func keysOfTest(_ context.Context, domain string) ([]*dkim.Key, error) {
	if domain != "lists.example" {
		return nil, nil
	}
	return testKeys(), nil
}

// lookupTXT is a DNS that has the records of the test's keys.
func lookupTXT(name string) ([]string, error) {
	for _, k := range testKeys() {
		if k.String() == name {
			text, err := k.Record()
			return []string{text}, err
		}
	}
	return nil, fmt.Errorf("no record %s", name)
}

// verifySigned has go-msgauth verify what lists.example signed of a message: with want keys.
func verifySigned(message []byte, want int) error {
	found, err := verifier.VerifyWithOptions(bytes.NewReader(message), &verifier.VerifyOptions{LookupTXT: lookupTXT})
	if err != nil {
		return err
	}
	ours := 0
	for _, v := range found {
		if v.Domain == "lists.example" {
			ours++
			if v.Err != nil {
				return v.Err
			}
		}
	}
	if ours != want {
		return fmt.Errorf("%d signatures, want %d", ours, want)
	}
	return nil
}

// signedMessage composes and signs a post.
func signedMessage(t testing.TB, src *source, base string) *message {
	t.Helper()
	m, err := compose(src, fakeSealer{}, base)
	if err == nil {
		err = m.sign(testKeys(), src.signedAt())
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSignedCopiesVerify(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{testMessage, postedTwice, "From: a@a.example\r\n\r\n", "From: a@a.example\r\n\r\n.\r\n..\r\nx", "From: a@a.example\r\nSubject: bare\n.LF\r\n\r\n.a\n.b\r.c"} {
		for _, base := range []string{"", "https://site.example", "http://127.0.0.1:8080"} {
			for _, verp := range []bool{false, true} {
				src := testSource(raw)
				src.verp = verp
				m := signedMessage(t, src, base)
				for member := range int64(3) {
					text := copyOf(m, 1+member%2, member)
					if err := verifySigned([]byte(text), 2); err != nil {
						t.Errorf("%q, base %q, verp %v: %v\n%s", raw, base, verp, err, text)
					}
					if !strings.HasPrefix(text, "DKIM-Signature: ") {
						t.Errorf("something stands above the signature: %.60q", text)
					}
					if again := copyOf(m, 1+member%2, member); again != text {
						t.Error("the second copy is not the first")
					}
				}
			}
		}
	}
}

// TestSizeOfSignedCopies: what MAIL says of the size counts signatures too.
func TestSizeOfSignedCopies(t *testing.T) {
	t.Parallel()
	for _, verp := range []bool{false, true} {
		src := testSource("From: a@a.example\r\n\r\nText.\r\n")
		src.verp = verp
		m := signedMessage(t, src, "https://site.example")
		var b batch
		r := newRun(claim{Size: 1}, &recipients{members: []int64{7}, addresses: []string{"ben@b.example"}, left: time.Hour}, m, &lane{traffic: &traffic{}})
		r.checked = 1
		if !b.fill(r, batchSize, nil) {
			t.Fatal("no batch")
		}
		if got, want := int(b.envelope.Size), len(copyOf(m, 1, 7)); got != want {
			t.Errorf("verp %v: size %d, want %d", verp, got, want)
		}
	}
}

// TestSignedOnTheWire: posts and notices leave signed, what is passed on to owners does not, nor
// does anything of a domain without a key.
func TestSignedOnTheWire(t *testing.T) {
	w := newWorld(t)
	s := newSink(t).serve()
	each, all := w.list("each", 1), w.list("all", 0)
	w.members(each, 30, 3)
	w.members(all, 30, 3)
	w.row(`INSERT INTO domain (name) VALUES ('plain.example') RETURNING id`).into(&w.dom)
	plain := w.list("plain", 1)
	w.members(plain, 5, 1)
	w.exec(`INSERT INTO notice (id, kind, list, address, language, params) VALUES (gen_random_uuid(), 'join.confirm', $1, 'new@n.example', 'en', '{}')`, each)
	for _, l := range []int64{each, all, plain} {
		w.post(l, testMessage)
	}
	c := w.config(s)
	c.Keys = keysOfTest
	e, _ := w.start(c)
	e.Wake()
	eventually(t, "all copies", func() bool { return s.copies.Load() >= 66 })
	kinds := map[string]int{}
	for _, l := range s.all() {
		want, kind := 2, "post"
		switch text := string(l.data); {
		case strings.Contains(text, "plain.plain.example"):
			want, kind = 0, "plain"
		case strings.Contains(text, "auto-generated"):
			kind = "notice"
		}
		kinds[kind] += len(l.to)
		if err := verifySigned(l.data, want); err != nil {
			t.Errorf("%s to %v: %v\n%s", kind, l.to, err, l.data)
		}
	}
	if kinds["post"] != 60 || kinds["plain"] != 5 || kinds["notice"] != 1 {
		t.Errorf("got %v", kinds)
	}
}

func TestWhoSignsWhat(t *testing.T) {
	t.Parallel()
	l := &library{keys: keysOfTest, site: site{hostname: "lists.example"}}
	here, there := []listName{{host: "lists.example"}}, []listName{{host: "b.example"}}
	for _, tt := range []struct {
		src  source
		want int
	}{
		{source{kind: "post", lists: here}, 2},
		{source{kind: "notice", lists: here}, 2},
		{source{kind: "notice"}, 2},
		{source{kind: "post", lists: there}, 0},
		{source{kind: "owners", lists: here}, 0},
		{source{kind: "admins"}, 0},
	} {
		keys, err := l.signers(context.Background(), &tt.src)
		if err != nil || len(keys) != tt.want {
			t.Errorf("%+v: %d keys, %v", tt.src, len(keys), err)
		}
	}
}

// TestAllocationsOfASignedCopy: beside the seal's, what the libraries need to sign, and no more for
// a longer message.
func TestAllocationsOfASignedCopy(t *testing.T) {
	src := testSource("From: a@a.example\r\n\r\n" + strings.Repeat("Text.\r\n", 1000))
	src.verp = true
	m, err := compose(src, fixedSealer{}, "https://site.example")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 8192)
	bare := testing.AllocsPerRun(50, func() { m.appendPersonal(buf, 1, 7) })
	if err := m.sign(testKeys(), src.accepted); err != nil {
		t.Fatal(err)
	}
	const most = 10 // two signatures; under the race detector, a hash made anew
	if got := testing.AllocsPerRun(50, func() { m.appendPersonal(buf, 1, 7) }); got > bare+most {
		t.Errorf("%v allocations a signed copy, %v an unsigned one", got, bare)
	} else {
		t.Logf("%v allocations a signed copy, %v an unsigned one", got, bare)
	}
}
