package systemtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// site is one installation: a database, a relay, and the nodes that run on them.
type site struct {
	t        testing.TB
	database string // its URL; empty: the private one in dataDir
	dataDir  string
	relay    string
}

// on says to a command which database is meant.
func (s *site) on() []string {
	if s.database == "" {
		return []string{"--data-dir", s.dataDir}
	}
	return []string{"--database-url", s.database}
}

// node is a running muster serve.
type node struct {
	t    testing.TB
	smtp string
	lmtp string
	http string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  *tail
}

// tail keeps what a process says and shows it when the test fails.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// freeAddr is a loopback address that nobody listens on. By the time it is used somebody may, if only
// as the near end of a connection: it is for programs that cannot choose one themselves.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs muster serve and waits until it answers. dataDir carries a node's identity over
// restarts.
func (s *site) start(dataDir string, more ...string) *node {
	s.t.Helper()
	n := &node{t: s.t, done: make(chan struct{}), log: new(tail)}
	const anyPort = "127.0.0.1:0"
	args := []string{"serve", "--data-dir", dataDir, "--hostname", "lists.example",
		"--smtp-listen", anyPort, "--lmtp-listen", anyPort, "--http-listen", anyPort, "--base-url", "https://lists.example"}
	if s.relay != "" {
		args = append(args, "--relay", "smtp://"+s.relay)
	}
	if s.database != "" {
		args = append(args, "--database-url", s.database)
	}
	n.cmd = exec.Command(program(s.t), append(args, more...)...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	n.cmd.Env = environment()
	if err := n.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		n.cmd.Wait()
		close(n.done)
	}()
	s.t.Cleanup(func() {
		n.cmd.Process.Kill()
		<-n.done
		if s.t.Failed() {
			s.t.Logf("muster serve said:\n%s", lastLines(n.log.String(), 60))
		}
		if strings.Contains(n.log.String(), "DATA RACE") {
			s.t.Errorf("muster serve: a data race:\n%s", n.log)
		}
	})
	n.ready()
	return n
}

// environment is that of the test without Muster's settings: MUSTER_LONG would be an unknown one.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "MUSTER_") })
}

func lastLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// ready waits until the site and the SMTP listener answer.
func (n *node) ready() {
	n.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if n.ended() {
			n.t.Fatalf("muster serve ended: %v\n%s", n.cmd.ProcessState, n.log)
		}
		if n.listens() && n.healthy() {
			if c, err := net.Dial("tcp", n.smtp); err == nil {
				c.Close()
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	n.t.Fatalf("muster serve does not answer\n%s", n.log)
}

// listens reads from what the process said where it listens.
func (n *node) listens() bool {
	said := n.log.String()
	for protocol, addr := range map[string]*string{"smtp": &n.smtp, "lmtp": &n.lmtp, "http": &n.http} {
		_, after, ok := strings.Cut(said, "msg=listening protocol="+protocol+" address=")
		if !ok {
			return false
		}
		*addr, _, ok = strings.Cut(after, "\n")
		if !ok {
			return false
		}
	}
	return true
}

func (n *node) healthy() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

func (n *node) ended() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}

// kill ends the process as a power cut would.
func (n *node) kill() {
	n.cmd.Process.Kill()
	<-n.done
}

// signal sends sig to the process.
func (n *node) signal(sig syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(sig); err != nil {
		n.t.Fatal(err)
	}
}

// stop ends the process as an operator would, and returns its exit status.
func (n *node) stop() int {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	select {
	case <-n.done:
	case <-time.After(time.Minute):
		n.t.Fatalf("muster serve does not stop\n%s", n.log)
	}
	return n.cmd.ProcessState.ExitCode()
}

// run runs a muster command against the site's database and returns what it printed.
func (s *site) run(stdin string, args ...string) string {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(program(s.t), append(args, s.on()...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.Env = environment()
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("muster %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// addMembers makes n members of list, spread over ten domains.
func (s *site) addMembers(list string, n int) []string {
	s.t.Helper()
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf("member%05d@d%d.example", i, i%10)
	}
	s.run(strings.Join(members, "\n")+"\n", "member", "import", list, "-")
	return members
}

// smtpConn is the plainest of clients, so that nothing of ours stands between a test and the wire.
type smtpConn struct {
	t  testing.TB
	c  net.Conn
	br *bufio.Reader
}

func dial(t testing.TB, addr, hello string) *smtpConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s := &smtpConn{t: t, c: c, br: bufio.NewReader(c)}
	t.Cleanup(func() { c.Close() })
	if _, err := s.reply(); err != nil {
		t.Fatalf("greeting: %v", err)
	}
	if _, err := s.cmd(hello); err != nil {
		t.Fatalf("%s: %v", hello, err)
	}
	return s
}

// cmd sends a line and returns the reply; an error is a broken connection.
func (s *smtpConn) cmd(line string) (string, error) {
	if _, err := io.WriteString(s.c, line+"\r\n"); err != nil {
		return "", err
	}
	return s.reply()
}

func (s *smtpConn) reply() (string, error) {
	s.c.SetReadDeadline(time.Now().Add(time.Minute))
	var lines []string
	for {
		line, err := s.br.ReadString('\n')
		if err != nil {
			return strings.Join(lines, "\n"), err
		}
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "\n"), nil
		}
	}
}

// post sends a message with CR LF line ends and returns the reply that decided.
func (s *smtpConn) post(from, to string, message []byte) (string, error) {
	mail := "MAIL FROM:<" + from + ">"
	if has8bit(message) {
		mail += " BODY=8BITMIME"
	}
	for _, line := range []string{mail, "RCPT TO:<" + to + ">", "DATA"} {
		reply, err := s.cmd(line)
		if err != nil {
			return reply, err
		}
		if reply[0] != '2' && reply[0] != '3' {
			s.cmd("RSET")
			return reply, nil
		}
	}
	if _, err := s.c.Write(dotStuffed(message)); err != nil {
		return "", err
	}
	return s.reply()
}

// dotStuffed is message as DATA carries it, with the final dot (RFC 5321 §4.5.2).
func dotStuffed(message []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(message) {
		if line[0] == '.' {
			b.WriteByte('.')
		}
		b.Write(line)
	}
	if !bytes.HasSuffix(message, []byte("\r\n")) {
		b.WriteString("\r\n")
	}
	b.WriteString(".\r\n")
	return b.Bytes()
}

func has8bit(b []byte) bool {
	return bytes.ContainsFunc(b, func(r rune) bool { return r > 127 })
}
