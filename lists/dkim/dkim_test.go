package dkim

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	verifier "github.com/emersion/go-msgauth/dkim"
)

// crlf writes a field as fanout does, its value being well-formed here.
func crlf(name, value string) []byte { return []byte(name + ": " + value + "\r\n") }

var accepted = time.Unix(1_700_000_000, 0)

// testKeys are made once for all tests: an RSA key takes its time.
var testKeys = sync.OnceValue(func() []*Key {
	var keys []*Key
	for _, a := range []Algorithm{RSA, Ed25519} {
		pkcs8, err := Generate(a)
		if err != nil {
			panic(err)
		}
		k, err := ParseKey("lists.example", "test-"+string(a), pkcs8)
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	return keys
})

// records is a DNS with the records of keys.
func records(t testing.TB, keys []*Key) func(string) ([]string, error) {
	t.Helper()
	table := map[string]string{}
	for _, k := range keys {
		text, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		table[RecordName(k.selector, k.domain)] = text
	}
	return func(name string) ([]string, error) {
		if text, ok := table[name]; ok {
			return []string{text}, nil
		}
		return nil, fmt.Errorf("no record %s", name)
	}
}

// verify has go-msgauth verify our signatures of a message and returns what each covers.
func verify(t testing.TB, keys []*Key, message []byte) ([]*verifier.Verification, error) {
	t.Helper()
	found, err := verifier.VerifyWithOptions(bytes.NewReader(message), &verifier.VerifyOptions{LookupTXT: records(t, keys)})
	if err != nil {
		return nil, err
	}
	ours := 0
	for _, v := range found {
		if v.Domain != "lists.example" {
			continue
		}
		ours++
		if v.Err != nil {
			return nil, v.Err
		}
	}
	if ours != len(keys) {
		return nil, fmt.Errorf("%d signatures, want %d", ours, len(keys))
	}
	return found, nil
}

// signed is a copy of a message with its signatures.
func signed(t testing.TB, keys []*Key, m Message, own []byte) []byte {
	t.Helper()
	c, err := Prepare(keys, m, crlf)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := c.Append(nil, own)
	if err != nil {
		t.Fatal(err)
	}
	if len(copied) != c.Size() {
		t.Errorf("signatures of %d octets, announced %d", len(copied), c.Size())
	}
	return bytes.Join([][]byte{copied, m.Top, own, m.Rest}, nil)
}

const top = "Received: from a.example\r\n\tby lists.example; Mon, 1 Jan 2024 00:00:00 +0000\r\nList-Id: \"The dev\"\r\n <dev.lists.example>\r\nList-Post: <mailto:dev@lists.example>\r\n"

const rest = "From: Ann <ann@a.example>\r\nTO : dev@lists.example\r\nSubject:  a   subject\r\n\tthat goes on \r\nMessage-ID: <1@a.example>\r\nX-Strange\r\nX: \xff\xfe\r\n\r\nHello,  you.\t\r\n.dot\r\n\r\n\r\n"

func own(n int) []byte {
	return fmt.Appendf(nil, "List-Unsubscribe: <mailto:dev-leave@lists.example>,\r\n <https://lists.example/leave/%d>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", n)
}

func TestCopiesVerify(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	m := Message{Top: []byte(top), Own: own(0), Rest: []byte(rest), Time: accepted}
	for n := range 3 {
		copied := signed(t, keys, m, own(n))
		found, err := verify(t, keys, copied)
		if err != nil {
			t.Fatalf("%v\n%s", err, copied)
		}
		covered := strings.ToLower(strings.Join(found[0].HeaderKeys, " "))
		for _, name := range []string{"from from", "reply-to", "subject subject", "message-id message-id", "to to", "cc",
			"list-id list-id", "list-unsubscribe-post list-unsubscribe", "content-type"} {
			if !strings.Contains(" "+covered+" ", " "+name+" ") {
				t.Errorf("%s is not among what is covered: %s", name, covered)
			}
		}
		if !found[0].Time.Equal(accepted) {
			t.Errorf("made at %v", found[0].Time)
		}
		if again := signed(t, keys, m, own(n)); !bytes.Equal(again, copied) {
			t.Error("a copy signed again is another")
		}
		for line := range strings.SplitSeq(string(copied), "\r\n") {
			if len(line) > 78 && strings.HasPrefix(line, " ") {
				t.Errorf("a line of %d characters: %s", len(line), line)
			}
		}
		if bytes.Contains(copied, []byte("l=")) || bytes.Contains(copied, []byte(" i=")) {
			t.Errorf("a tag that should not be there: %s", copied)
		}
	}
}

// TestChangedCopiesDoNotVerify: what a signature is for. Fields added count as changed.
func TestChangedCopiesDoNotVerify(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	m := Message{Top: []byte(top), Own: own(0), Rest: []byte(rest), Time: accepted}
	good := string(signed(t, keys, m, own(7)))
	for _, change := range []struct{ old, new string }{
		{"Hello", "Hullo"},
		{"a   subject", "another   subject"},
		{"/leave/7", "/leave/8"},
		{"=One-Click", "=Two-Click"},
		{"dev.lists.example>", "sec.lists.example>"},
		{"Received: from", "From: Eve <eve@e.example>\r\nReceived: from"},
		{"Received: from", "Subject: other\r\nReceived: from"},
		{"Received: from", "Reply-To: eve@e.example\r\nReceived: from"},
		{"Received: from", "Content-Type: text/html\r\nReceived: from"},
		{"Received: from", "List-Unsubscribe: <https://e.example>\r\nReceived: from"},
		{"t=1700000000", "t=1700000001"},
	} {
		changed := strings.ReplaceAll(good, change.old, change.new)
		if changed == good {
			t.Fatalf("%q is not in the message", change.old)
		}
		if _, err := verify(t, keys, []byte(changed)); err == nil {
			t.Errorf("%q for %q still verifies", change.new, change.old)
		}
	}
	for _, harmless := range []struct{ old, new string }{
		{"X-Strange", "X-Added: y\r\nX-Strange"},
		{"Hello,  you.\t", "Hello, you."},
		{"Subject:  a", "SUBJECT: a"},
	} {
		if _, err := verify(t, keys, []byte(strings.Replace(good, harmless.old, harmless.new, 1))); err != nil {
			t.Errorf("%q for %q: %v", harmless.new, harmless.old, err)
		}
	}
}

// TestFieldsOfOneName: of several the last is signed first, wherever they stand.
func TestFieldsOfOneName(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	for _, m := range []Message{
		{Top: []byte("Subject: one\r\n"), Rest: []byte("Subject: two\r\nFrom: a@a.example\r\nsubject : three\r\n\r\nx")},
		{Own: []byte("Subject: one\r\nX: y\r\nSubject: two\r\n"), Rest: []byte("From: a@a.example\r\nSubject: three\r\n\r\nx")},
	} {
		if _, err := verify(t, keys, signed(t, keys, m, m.Own)); err != nil {
			t.Errorf("%s: %v", m.Rest, err)
		}
	}
	mixed := Message{Top: []byte("Subject: one\r\n"), Own: []byte("Subject: two\r\n"), Rest: []byte("From: a@a.example\r\n\r\n")}
	if _, err := Prepare(keys, mixed, crlf); err == nil {
		t.Error("a field both above and in a copy's own was taken")
	}
}

func TestOtherFieldsAreRefused(t *testing.T) {
	t.Parallel()
	c, err := Prepare(testKeys(), Message{Own: own(0), Rest: []byte(rest)}, crlf)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"", "List-Unsubscribe: x\r\n", string(own(1)) + "Subject: x\r\n", "Subject: x\r\nFrom: y\r\n"} {
		if _, err := c.Append(nil, []byte(other)); err == nil {
			t.Errorf("signed with %q", other)
		}
	}
}

func TestRelaxedField(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"A: X\r\n", "a:X\r\n"}, // RFC 6376 §3.4.5
		{"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
		{"Subject:\r\n", "subject:\r\n"},
		{"Subject: \t \r\n", "subject:\r\n"},
		{"Subject:a: b\r\n", "subject:a: b\r\n"},
		{"Subject: \xe4\xa0\xff\r\n", "subject:\xe4\xa0\xff\r\n"},
		{"Subject: no end", "subject:no end\r\n"},
		{"Subject: bare\n line\r end\n", "subject:bare line end\r\n"},
	}
	for _, tt := range tests {
		f, _, ok := splitField([]byte(tt.in))
		if got := string(appendRelaxed(nil, f)); !ok || got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestRelaxedBody(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\r\n", 20_000)
	tests := []struct{ in, want string }{
		{"", ""}, // RFC 6376 §3.4.4: not even CRLF
		{"\r\n\r\n", ""},
		{" \t", ""},
		{" \t\r\n", ""},
		{" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"}, // RFC 6376 §3.4.5
		{"no end", "no end\r\n"},
		{"a \r\n \r\n b", "a\r\n\r\n b\r\n"},
		{"\r\n\r\na", "\r\n\r\na\r\n"},
		{"bare\nLF\rCR\r\r\nx", "bare\r\nLF\r\nCR\r\n\r\nx\r\n"},
		{"a\x00\xff\x0b\r\n", "a\x00\xff\x0b\r\n"},
		{"a" + long, "a\r\n"},
		{"a" + long + "b", "a" + long + "b\r\n"},
		{strings.Repeat("abc  ", 9_000), strings.Repeat("abc ", 8_999) + "abc\r\n"},
	}
	for _, tt := range tests {
		want := sha256.Sum256([]byte(tt.want))
		for _, n := range []int{len(tt.in), 1, 3} { // octets a piece
			h := newBodyHash()
			for piece := range slices.Chunk([]byte(tt.in), max(n, 1)) {
				h.write(piece)
			}
			if !bytes.Equal(h.sum(), want[:]) {
				t.Errorf("%.40q, %d octets a piece, is not hashed as %.40q", tt.in, n, tt.want)
			}
		}
	}
}

func TestSplitMessage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in    string
		names string
		body  string
	}{
		{"", "", ""},
		{"\r\nbody", "", "body"},
		{"A: 1\r\nB: 2\r\n x\r\n\r\nbody\r\n", "A B", "body\r\n"},
		{"A: 1\nB: 2\n\nbody", "A B", "body"},
		{"A: 1\r\rbody", "A", "body"},
		{" going on\r\nA: 1\r\n\r\n", "A", ""},
		{"no colon\r\n goes on\r\n: no name\r\nA: 1", "A", ""},
		{"A: 1\r\n \r\nB: 2\r\n\r\nx", "A B", "x"},
	}
	for _, tt := range tests {
		fields, body := splitMessage([]byte(tt.in))
		var names []string
		for _, f := range fields {
			names = append(names, string(f.name))
		}
		if strings.Join(names, " ") != tt.names || string(body) != tt.body {
			t.Errorf("%q: %q and %q", tt.in, names, body)
		}
	}
}

// TestAppendixA is the example of RFC 8463: its Ed25519 key, its message, its time give its
// signature, since with Ed25519 there is only one. What that signature covers is put together here
// as there: these names in this order, and tags as written there.
func TestAppendixA(t *testing.T) {
	t.Parallel()
	seed, err := base64.StdEncoding.DecodeString("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey("football.example.com", "brisbane", pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := k.Record(); err != nil || text != "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" {
		t.Errorf("record %q, %v", text, err)
	}
	const header = "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n" +
		"Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
	const body = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
	fields, rest := splitMessage([]byte(header + body))
	bodyHash := newBodyHash()
	bodyHash.write(rest)
	if got := base64.StdEncoding.EncodeToString(bodyHash.sum()); got != "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=" {
		t.Errorf("body hash %s", got)
	}
	var text []byte
	for _, name := range strings.Fields("from to subject date message-id from subject date") {
		for _, f := range called(fields, name) {
			text = appendRelaxed(text, f)
		}
		fields = without(fields, name)
	}
	text = append(text, "dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com; i=@football.example.com; "+
		"q=dns/txt; s=brisbane; t=1528637909; h=from : to : subject : date : message-id : from : subject : date; "+
		"bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b="...)
	sum := sha256.Sum256(text)
	signature, err := k.sign(sum[:])
	if err != nil {
		t.Fatal(err)
	}
	const want = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
	if got := base64.StdEncoding.EncodeToString(signature); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func without(fields []field, name string) []field {
	var kept []field
	for _, f := range fields {
		if !strings.EqualFold(string(f.name), name) {
			kept = append(kept, f)
		}
	}
	return kept
}

// TestKeysAreNotPrinted: not in a log, not in an error, whatever the verb.
func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	for _, k := range testKeys() {
		name := "test-" + string(k.algorithm) + "._domainkey.lists.example"
		for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
			if got := fmt.Sprintf(verb, k); got != name {
				t.Errorf("%s prints %.60s", verb, got)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k)
		if !strings.Contains(log.String(), `"key":"`+name+`"`) {
			t.Errorf("logged as %.200s", log.String())
		}
	}
	for _, bad := range [][]byte{nil, []byte("secret"), {0x30, 0}} {
		_, err := ParseKey("lists.example", "s", bad)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
	if _, err := Generate("dsa"); err == nil {
		t.Error("made a key of another algorithm")
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	for _, k := range testKeys() {
		text, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range Strings(text) {
			if len(s) > 255 {
				t.Errorf("a string of %d octets", len(s))
			}
		}
		if strings.Join(Strings(text), "") != text {
			t.Error("the strings are not the text")
		}
		p := text[strings.Index(text, "p=")+2:]
		for _, same := range []string{text, "p=" + p + "; k=" + string(k.algorithm), "v=DKIM1;k=" + string(k.algorithm) + ";t=y;p=" + p[:20] + " " + p[20:]} {
			if !SameKey(same, text) {
				t.Errorf("%q is another key", same)
			}
		}
		for _, other := range []string{"", "v=DKIM1; p=", "v=DKIM2; k=" + string(k.algorithm) + "; p=" + p, "k=dsa; p=" + p, "v=DKIM1; k=rsa; p=AAAA", "v=spf1 -all"} {
			if SameKey(other, text) {
				t.Errorf("%q is the same key", other)
			}
		}
	}
	if got := ZoneLine("s._domainkey.a.example", strings.Repeat("x", 256)); got != `s._domainkey.a.example. IN TXT ( "`+strings.Repeat("x", 255)+`" "x" )` {
		t.Errorf("zone line %s", got)
	}
}

// maxAllocations is what signing a copy may allocate beside what the library allocates: nothing,
// but under the race detector a sync.Pool loses things at random, and new ones are made.
const maxAllocations = 4

func TestAllocationsOfASignature(t *testing.T) {
	for _, k := range testKeys() {
		c, err := Prepare([]*Key{k}, Message{Top: []byte(top), Own: own(0), Rest: []byte(rest)}, crlf)
		if err != nil {
			t.Fatal(err)
		}
		mine, sum, buf := own(1), make([]byte, sha256.Size), make([]byte, 0, 4096)
		bare := testing.AllocsPerRun(50, func() { _, _ = k.private.Sign(nil, sum, hashOf(k)) })
		got := testing.AllocsPerRun(50, func() {
			if _, err := c.Append(buf, mine); err != nil {
				t.Fatal(err)
			}
		})
		if got > bare+maxAllocations {
			t.Errorf("%s: %v allocations a copy, the signature alone %v", k.algorithm, got, bare)
		}
	}
}

func hashOf(k *Key) crypto.Hash {
	if k.algorithm == Ed25519 {
		return 0
	}
	return crypto.SHA256
}

// BenchmarkSign compares a whole copy with the library's signature alone, in processor time too,
// which what else runs on the machine does not stretch as much.
func BenchmarkSign(b *testing.B) {
	for _, k := range testKeys() {
		c, err := Prepare([]*Key{k}, Message{Top: []byte(top), Own: own(0), Rest: []byte(rest)}, crlf)
		if err != nil {
			b.Fatal(err)
		}
		mine, sum, buf := own(1), make([]byte, sha256.Size), make([]byte, 0, 4096)
		for _, part := range []struct {
			name string
			do   func() error
		}{
			{"copy", func() error { _, err := c.Append(buf, mine); return err }},
			{"alone", func() error { _, err := k.private.Sign(nil, sum, hashOf(k)); return err }},
		} {
			b.Run(string(k.algorithm)+"/"+part.name, func(b *testing.B) {
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					if err := part.do(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// FuzzVerify signs whatever header and body and has go-msgauth verify it. What it takes for a field
// and RFC 5322 does not is left out: a line without a colon, a name with other white space, and a
// CR or LF alone, which never leaves (smtpclient.Prepare).
func FuzzVerify(f *testing.F) {
	for _, s := range []string{rest, "From: a\r\n\r\n", "From : a\r\nfrom: b\r\nSubject: \r\n \t\r\n x\r\n\r\n \r\n\r\n", "Cc:\r\n\r\nx", "To: \xff\r\nTo:\r\n\r\n\t"} {
		header, body, _ := strings.Cut(s, "\r\n\r\n")
		f.Add(header, body)
	}
	f.Fuzz(func(t *testing.T, header, body string) {
		_, _ = splitMessage([]byte(header)) // whatever it is, it does not crash
		ends := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n")
		var kept []string
		for text := range strings.SplitSeq(ends.Replace(header), "\r\n") {
			name, _, ok := strings.Cut(text, ":")
			plain := ok && strings.IndexFunc(strings.TrimRight(name, " \t"), func(r rune) bool { return r <= ' ' || r > '~' }) < 0
			if text != "" && (plain || text[0] == ' ' || text[0] == '\t') && !strings.EqualFold(strings.TrimRight(name, " \t"), "dkim-signature") {
				kept = append(kept, text)
			}
		}
		m := Message{Own: own(1), Rest: []byte("From: a@a.example\r\n" + strings.Join(append(kept, "", ends.Replace(body)), "\r\n"))}
		keys := testKeys()[1:] // the quick one
		copied := signed(t, keys, m, m.Own)
		if _, err := verify(t, keys, copied); err != nil {
			t.Errorf("%v\n%q", err, copied)
		}
	})
}
