package systemtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// corpus reads the thread corpora, n messages of them evenly taken, or all if n is 0.
func corpus(t testing.TB, n int) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared(t, "corpus", "threads"), "*.mbox.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no thread corpora: %v", err)
	}
	var all [][]byte
	for _, f := range files {
		all = append(all, readMbox(t, f)...)
	}
	if n == 0 || n >= len(all) {
		return all
	}
	some := make([][]byte, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// tagField marks a message, so that its copies are known again whatever its Message-ID is.
const tagField = "X-Corpus-Message"

func tagged(message []byte, n int) []byte {
	return slices.Concat(fmt.Appendf(nil, "%s: %d\r\n", tagField, n), message)
}

// verdict is what became of a message at the door.
type verdict struct {
	reply string
	took  time.Duration
}

// postAll posts messages over a few connections at once and returns the replies.
func postAll(t *testing.T, addr, list string, messages [][]byte) []verdict {
	t.Helper()
	verdicts := make([]verdict, len(messages))
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			var c *smtpConn
			for i := worker; i < len(messages); i += 4 {
				if c == nil {
					c = dial(t, addr, "EHLO client.example")
				}
				start := time.Now()
				reply, err := c.post(author(messages[i]), list, tagged(messages[i], i))
				if err != nil {
					t.Errorf("message %d: connection lost after %q: %v", i, reply, err)
					c = nil
					continue
				}
				verdicts[i] = verdict{reply, time.Since(start)}
				if strings.HasPrefix(reply, "421") { // enough errors on one connection
					c = nil
				}
			}
		})
	}
	wg.Wait()
	return verdicts
}

// TestThreadCorpora sends real mail to a list of fifty. Each member must have each accepted message
// once, its body byte for byte the one sent, and what was refused must have deserved it.
func TestThreadCorpora(t *testing.T) {
	n, verp := 300, "true"
	if long() {
		n, verp = 0, "false" // or the sink would have to hold two gigabytes
	}
	messages := corpus(t, n)
	sink := newSink(t)
	s := newSite(t, sink.addr)
	node := s.start(t.TempDir())
	s.run("", "list", "create", "dev@lists.example", "--owner", "ann@a.example")
	s.run("", "list", "set", "dev@lists.example", "post_policy=anyone", "verp="+verp)
	members := s.addMembers("dev@lists.example", 50)

	verdicts := postAll(t, node.smtp, "dev@lists.example", messages)
	accepted := make([]int, 0, len(messages))
	refusals := map[string]int{}
	for i, v := range verdicts {
		switch {
		case strings.HasPrefix(v.reply, "250"):
			accepted = append(accepted, i)
		case isDuplicate(messages, i, v.reply):
			refusals["the Message-ID came before with another body"]++
		default:
			reason, ok := deserved(messages[i], v.reply)
			if !ok {
				t.Errorf("message %d was refused without reason: %s\n%s", i, v.reply, header(messages[i]))
			}
			refusals[reason]++
		}
	}
	t.Logf("%d of %d messages accepted; refused: %v", len(accepted), len(messages), refusals)
	if len(accepted) < len(messages)*9/10 {
		t.Errorf("only %d of %d messages were accepted", len(accepted), len(messages))
	}
	accepted = withoutRepeats(t, messages, verdicts, accepted)
	sink.wait(t, len(accepted)*len(members))
	for _, i := range accepted {
		checkCopies(t, sink, i, messages[i], members)
	}
	if extra := sink.total() - len(accepted)*len(members); extra != 0 {
		t.Errorf("%d copies too many", extra)
	}
}

// checkCopies demands that each member has message i once and whole.
func checkCopies(t *testing.T, sink *sink, i int, message []byte, members []string) {
	t.Helper()
	for _, member := range members {
		copies := sink.copies(i, member)
		if len(copies) != 1 {
			t.Errorf("message %d for %s: %d copies", i, member, len(copies))
			continue
		}
		if !bytes.Equal(body(copies[0]), body(message)) {
			t.Errorf("message %d for %s: the body is not the one sent", i, member)
		}
	}
}

// isDuplicate says whether a refusal is that of a Message-ID that came before.
func isDuplicate(messages [][]byte, i int, reply string) bool {
	return strings.HasPrefix(reply, "554") && strings.Contains(reply, "Message-ID") && count(messages, i) > 1
}

// withoutRepeats leaves out messages that were taken for a repetition of an earlier one, after a look
// at whether they are: the same body, by the same author.
func withoutRepeats(t *testing.T, messages [][]byte, verdicts []verdict, accepted []int) []int {
	t.Helper()
	all := slices.Clone(accepted)
	return slices.DeleteFunc(accepted, func(i int) bool {
		if !strings.Contains(verdicts[i].reply, "Accepted before") {
			return false
		}
		if !slices.ContainsFunc(all, func(j int) bool {
			return j != i && bytes.Equal(body(messages[i]), body(messages[j])) && messageID(messages[i]) == messageID(messages[j])
		}) {
			t.Errorf("message %d is no repetition, and was taken for one", i)
		}
		return true
	})
}

func count(messages [][]byte, i int) int {
	n := 0
	for _, m := range messages {
		if id := messageID(m); id != "" && id == messageID(messages[i]) {
			n++
		}
	}
	return n
}

func messageID(m []byte) string { return strings.Join(fields(m, "Message-ID"), " ") }

// TestMIMECorpus sends every file of the corpus mime, the torture among them, to a list of two.
func TestMIMECorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "corpus", "mime"), "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	sort.Strings(files)
	sink := newSink(t)
	s := newSite(t, sink.addr)
	node := s.start(t.TempDir())
	s.run("", "list", "create", "dev@lists.example", "--owner", "ann@a.example")
	s.run("", "list", "set", "dev@lists.example", "post_policy=anyone")
	members := s.addMembers("dev@lists.example", 2)
	messages := make([][]byte, len(files))
	for i, f := range files {
		if messages[i], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
		messages[i] = canonical(messages[i])
	}
	verdicts := postAll(t, node.smtp, "dev@lists.example", messages)
	var accepted []int
	for i, v := range verdicts {
		if v.took > limit(time.Second) {
			t.Errorf("%s: %v until %s", filepath.Base(files[i]), v.took, v.reply)
		}
		switch {
		case strings.HasPrefix(v.reply, "250"):
			accepted = append(accepted, i)
		case !strings.HasPrefix(v.reply, "5"):
			t.Errorf("%s: %s", filepath.Base(files[i]), v.reply)
		}
	}
	t.Logf("%d of %d files accepted", len(accepted), len(files))
	accepted = withoutRepeats(t, messages, verdicts, accepted)
	sink.wait(t, len(accepted)*len(members))
	for _, i := range accepted {
		checkCopies(t, sink, i, messages[i], members)
	}
	if strings.Contains(node.log.String(), "panic") {
		t.Errorf("something panicked:\n%s", node.log)
	}
}

// limit widens a bound for the race detector, which makes everything some ten times slower.
func limit(d time.Duration) time.Duration {
	if raceEnabled {
		return 10 * d
	}
	return d
}
