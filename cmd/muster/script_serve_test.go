package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPatience bounds every wait of a script.
const scriptPatience = 30 * time.Second

// served is a muster serve that a script started.
type served struct {
	cmd  *exec.Cmd
	log  *output
	done chan struct{}
}

// output is what a process wrote, which may be read while it still writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

type servedKey struct{}

// scriptServe starts muster serve on free ports, as "serve [flag…]", waits until it answers, and
// sets SMTP and HTTP to where. The mail goes to the far end of the script.
func scriptServe(ts *testscript.TestScript, negated bool, args []string) {
	if negated {
		ts.Fatalf("usage: serve [flag…]")
	}
	smtp, http := freeAddress(ts), freeAddress(ts)
	ts.Setenv("SMTP", smtp)
	ts.Setenv("HTTP", http)
	args = append([]string{"serve", "--hostname", "lists.example", "--data-dir", ts.MkAbs("data"),
		"--smtp-listen", smtp, "--http-listen", http, "--relay", scriptFarEnd(ts).URL()}, args...)
	path := filepath.Join(strings.Split(ts.Getenv("PATH"), ":")[0], "muster")
	s := &served{cmd: exec.Command(path, args...), log: new(output), done: make(chan struct{})}
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "MUSTER_DATABASE_URL", "MUSTER_CONFIG"} {
		s.cmd.Env = append(s.cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(s.cmd.Start())
	go func() {
		s.cmd.Wait() // the status is asked of ProcessState
		close(s.done)
	}()
	ts.Defer(func() {
		s.cmd.Process.Kill()
		<-s.done
		ts.Logf("muster serve said:\n%s", s.log)
	})
	scriptValues(ts)[servedKey{}] = s
	s.wait(ts, http)
}

func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

func (s *served) wait(ts *testscript.TestScript, address string) {
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.done:
			ts.Fatalf("muster serve ended: %v\n%s", s.cmd.ProcessState, s.log)
		default:
		}
		resp, err := http.Get("http://" + address + "/healthz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("muster serve does not answer\n%s", s.log)
}

// scriptHalt ends muster serve as an operator would, "halt", or as a power cut would, "halt -9".
func scriptHalt(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) > 1 {
		ts.Fatalf("usage: halt [-9]")
	}
	s, want := theServed(ts), 0
	if len(args) == 1 {
		ts.Check(s.cmd.Process.Kill())
		want = -1
	} else {
		ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	}
	s.end(ts, scriptPatience)
	if got := s.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("muster serve ended with %d\n%s", got, s.log)
	}
}

func theServed(ts *testscript.TestScript) *served {
	s, ok := scriptValues(ts)[servedKey{}].(*served)
	if !ok {
		ts.Fatalf("nothing is served yet")
	}
	return s
}

// end waits for the process to be gone.
func (s *served) end(ts *testscript.TestScript, patience time.Duration) {
	select {
	case <-s.done:
	case <-time.After(patience):
		ts.Fatalf("muster serve does not stop\n%s", s.log)
	}
}

// scriptSignal sends muster serve a signal and waits until it logs a line: "signal HUP PATTERN".
func scriptSignal(ts *testscript.TestScript, negated bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	if negated || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal HUP|TERM|INT PATTERN")
	}
	s, pattern := theServed(ts), regexp.MustCompile(args[1])
	ts.Check(s.cmd.Process.Signal(signals[args[0]]))
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if pattern.MatchString(s.log.String()) {
			return
		}
	}
	ts.Fatalf("muster serve did not log %s\n%s", args[1], s.log)
}

// scriptAbort sends a second signal to a muster serve that is stopping: it must be gone at once.
func scriptAbort(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 0 {
		ts.Fatalf("usage: abort")
	}
	s := theServed(ts)
	select {
	case <-s.done:
		ts.Fatalf("muster serve was gone before the second signal\n%s", s.log)
	default:
	}
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	s.end(ts, 2*time.Second)
}

// scriptCertificate writes cert.pem and key.pem: "certificate NAME".
func scriptCertificate(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: certificate NAME")
	}
	_, err := writeCertificate(ts.MkAbs("."), args[0])
	ts.Check(err)
}

// scriptStartTLS wants the SMTP listener to show a certificate: "starttls NAME".
func scriptStartTLS(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: starttls NAME")
	}
	t, err := dialTalk(context.Background(), ts.Getenv("SMTP"), io.Discard)
	ts.Check(err)
	defer t.conn.Close()
	ts.Check(t.expect("250", "EHLO a.example"))
	ts.Check(t.expect("220", "STARTTLS"))
	conn := tls.Client(t.conn, &tls.Config{InsecureSkipVerify: true}) // it signs itself
	ts.Check(conn.Handshake())
	if name := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; name != args[0] {
		ts.Fatalf("the certificate is that of %s", name)
	}
}

// scriptSMTP holds a conversation with muster serve, "smtp FILE". A line "C: …" is said; "S: …" is
// a line of the answer, "*" standing for anything; "S~ …" is any number of such lines.
func scriptSMTP(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: smtp FILE")
	}
	converse(ts, args[0]).Close()
}

// scriptDangle begins a conversation like smtp's and says no more, without going: "dangle FILE".
func scriptDangle(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: dangle FILE")
	}
	conn := converse(ts, args[0])
	ts.Defer(func() { conn.Close() })
}

// converse holds the conversation of a file and returns the connection it was held on.
func converse(ts *testscript.TestScript, file string) io.Closer {
	var heard bytes.Buffer
	t, err := dialTalk(context.Background(), ts.Getenv("SMTP"), &heard)
	ts.Check(err)
	heard.Reset()
	for line := range strings.Lines(ts.ReadFile(file)) {
		kind, text, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if !ok {
			ts.Fatalf("%s: %q is no line of a conversation", file, line)
		}
		if kind == "C:" {
			ts.Logf("C: %s", text)
			checkHeard(ts, heard.String(), "")
			_, err := fmt.Fprintf(t.conn, "%s\r\n", text)
			ts.Check(err)
			continue
		}
		if heard.Len() == 0 {
			_, err := t.reply()
			ts.Check(err)
			ts.Logf("%s", heard.String())
		}
		hear(ts, &heard, kind, text)
	}
	checkHeard(ts, heard.String(), "")
	return t.conn
}

// hear takes off the front of what was heard what kind and text say.
func hear(ts *testscript.TestScript, heard *bytes.Buffer, kind, text string) {
	for {
		line, rest, _ := strings.Cut(heard.String(), "\n")
		line = strings.TrimPrefix(line, "  S: ")
		if kind == "S~" && !matchesHeard(line, text) {
			return
		}
		checkHeard(ts, line, text)
		heard.Reset()
		heard.WriteString(rest)
		if kind != "S~" {
			return
		}
	}
}

func matchesHeard(heard, want string) bool {
	before, after, star := strings.Cut(want, "*")
	return heard == want || star && strings.HasPrefix(heard, before) && strings.HasSuffix(heard, after)
}

func checkHeard(ts *testscript.TestScript, heard, want string) {
	if !matchesHeard(heard, want) {
		ts.Fatalf("heard %q, wanted %q", heard, want)
	}
}
