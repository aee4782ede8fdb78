package fanout

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muster/lists/dkim"
)

// eachInMbox calls do with the messages of a gzipped mboxrd file, with CRLF at the end of lines,
// until it returns false.
func eachInMbox(t *testing.T, file string, do func(message []byte) bool) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(z)
	var message []byte
	for {
		line, err := in.ReadBytes('\n')
		if begins := bytes.HasPrefix(line, []byte("From ")); begins || err != nil {
			if len(message) > 0 && !do(bytes.TrimSuffix(message, []byte("\r\n"))) {
				return
			}
			if err != nil {
				return
			}
			message = nil
			continue
		}
		if quoted := bytes.TrimLeft(line, ">"); len(quoted) < len(line) && bytes.HasPrefix(quoted, []byte("From ")) {
			line = line[1:]
		}
		message = append(append(message, bytes.TrimRight(line, "\r\n")...), "\r\n"...)
	}
}

// signedCorpus signs messages of the threads: some of each file, or with MUSTER_LONG=1 all.
func signedCorpus(t *testing.T, keys []*dkim.Key, most int, do func(name string, signed []byte)) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join("..", "..", "shared", "corpus", "threads", "*.mbox.gz"))
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no mail to test with: ../shared/corpus/threads")
		}
		t.Skip("no mail to test with")
	}
	for _, file := range files {
		n := 0
		eachInMbox(t, file, func(message []byte) bool {
			n++
			header := bytes.Index(message, []byte("\r\n\r\n")) + 4
			if header < 4 {
				return true
			}
			src := testSource("\r\n\r\n")
			src.raw, src.headerLen, src.verp = message, header, n%2 == 0
			m, err := compose(src, fakeSealer{}, "https://site.example")
			if err == nil {
				err = m.sign(keys, src.signedAt())
			}
			if err != nil {
				t.Fatalf("%s, message %d: %v", file, n, err)
			}
			do(fmt.Sprintf("%s, message %d", filepath.Base(file), n), []byte(copyOf(m, 1, int64(n))))
			return os.Getenv("MUSTER_LONG") == "1" || n < most
		})
	}
}

func TestSignedCorpusVerifies(t *testing.T) {
	t.Parallel()
	n := 0
	signedCorpus(t, testKeys(), 100, func(name string, signed []byte) {
		n++
		if err := verifySigned(signed, len(testKeys())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	t.Logf("%d messages", n)
}

// pythonVerifies reads names of files, and says of each signature that does not verify.
const pythonVerifies = `
import json, sys, dkim
records = json.loads(sys.argv[1])
def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    return records.get(name.rstrip('.'), '').encode()
for line in sys.stdin:
    data = open(line.strip(), 'rb').read()
    for i in range(len(records)):
        try:
            good = dkim.DKIM(data, minkey=1024).verify(idx=i, dnsfunc=txt)
        except Exception as e:
            good = repr(e)
        if good is not True:
            print(line.strip(), 'signature', i, good)
print('done')
`

// python is one with the module dkim of Debian's python3-dkim, perhaps not the first in PATH.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import dkim, nacl").Run() == nil {
			return name
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no python3 with dkim and nacl: deploy/need.sh python3-dkim")
	}
	t.Skip("no python3 with dkim and nacl: deploy/need.sh python3-dkim")
	return ""
}

// TestPythonVerifies: another implementation, which shares nothing with go-msgauth, agrees.
func TestPythonVerifies(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	records := map[string]string{}
	for _, k := range testKeys() {
		text, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		records[k.String()] = text
	}
	table, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	dir, n := t.TempDir(), 0
	var names strings.Builder
	signedCorpus(t, testKeys(), 25, func(name string, signed []byte) {
		n++
		file := filepath.Join(dir, strings.NewReplacer(" ", "_", ",", "").Replace(name))
		if err := os.WriteFile(file, signed, 0o600); err != nil {
			t.Fatal(err)
		}
		names.WriteString(file + "\n")
	})
	cmd := exec.CommandContext(context.Background(), interpreter, "-c", pythonVerifies, string(table))
	cmd.Stdin = strings.NewReader(names.String())
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "done\n" {
		t.Errorf("%v: %.3000s", err, out)
	}
	t.Logf("%d messages", n)
}
