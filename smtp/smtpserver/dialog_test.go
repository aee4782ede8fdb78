package smtpserver_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/smtp/smtpserver"
)

// TestDialogs plays the files in testdata/dialogs. The first line of a file says what it shows, and
// then each line begins with what it is:
//
//	@    how the server is set up: lmtp, untrusted, tls, plain-auth, or a limit: errors=2
//	C:   the client sends a line; lines that follow each other are sent in one write
//	R:   the client sends a Go string as it is, or many times: "x"*3000
//	S:   the server sends this line, in which * is anything (path.Match)
//	S~   the server sends a reply, one line of which is this; S~ lines after it mean the same reply
//	S!   and no line of that reply is this
//	T:   the client begins TLS
//	E:   the server closes the connection
//	M:   so many messages have been accepted; or the last was exactly this Go string
func TestDialogs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/dialogs/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d dialogs, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			play(t, file)
		})
	}
}

// dialog is one file being played.
type dialog struct {
	backend *memory
	conn    net.Conn
	in      *bufio.Reader
	out     strings.Builder // not sent yet
	reply   []string        // what S~ and S! look at
}

func play(t *testing.T, file string) {
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(script), "\n"), "\n")
	if !strings.HasPrefix(lines[0], "# ") {
		t.Fatalf("%s:1: the first line is no title", file)
	}
	d := dialog{backend: newMemory()}
	server := &smtpserver.Server{Hostname: "lists.example", Backend: d.backend, Trusted: anybody}
	for n, line := range lines {
		kind, arg := line, ""
		if len(line) > 2 {
			kind, arg = line[:2], strings.TrimPrefix(line[2:], " ")
		}
		if kind == "@ " {
			setUp(t, server, arg)
			continue
		}
		if err := d.step(t, server, kind, arg); err != nil {
			t.Fatalf("%s:%d: %s: %v", file, n+1, line, err)
		}
	}
}

// step plays one line.
func (d *dialog) step(t *testing.T, server *smtpserver.Server, kind, arg string) error {
	if kind == "" || kind[0] == '#' {
		return nil
	}
	if d.conn == nil {
		d.connect(t, listen(t, server))
	}
	if kind[0] != 'S' || kind == "S:" {
		d.reply = nil
	}
	switch kind {
	case "C:":
		d.out.WriteString(arg + "\r\n")
		return nil
	case "R:":
		return d.raw(arg)
	}
	if err := d.send(); err != nil {
		return err
	}
	switch kind {
	case "S:":
		return d.expect(arg)
	case "S~", "S!":
		return d.inReply(arg, kind == "S~")
	case "T:":
		d.connect(t, tls.Client(d.conn, clientTLS()))
		return d.conn.(*tls.Conn).Handshake()
	case "E:":
		line, err := d.in.ReadString('\n')
		if err == nil || os.IsTimeout(err) {
			return fmt.Errorf("connection still open: %q, %v", line, err)
		}
		return nil
	case "M:":
		return d.accepted(arg)
	}
	return fmt.Errorf("what is %q?", kind)
}

func (d *dialog) connect(t *testing.T, conn net.Conn) {
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	d.conn, d.in = conn, bufio.NewReader(conn)
}

// raw is the string of an R line.
func (d *dialog) raw(arg string) error {
	quoted, err := strconv.QuotedPrefix(arg)
	if err != nil {
		return err
	}
	text, _ := strconv.Unquote(quoted)
	times := 1
	if rest, ok := strings.CutPrefix(arg[len(quoted):], "*"); ok {
		if times, err = strconv.Atoi(rest); err != nil {
			return err
		}
	}
	d.out.WriteString(strings.Repeat(text, times))
	return nil
}

func (d *dialog) send() error {
	defer d.out.Reset()
	if d.out.Len() == 0 {
		return nil
	}
	_, err := d.conn.Write([]byte(d.out.String()))
	return err
}

func (d *dialog) expect(pattern string) error {
	line, err := d.in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("%q, %w", line, err)
	}
	if !strings.HasSuffix(line, "\r\n") || len(line) > 512 {
		return fmt.Errorf("not a line of a reply: %q", line)
	}
	if !matches(pattern, line[:len(line)-2]) {
		return fmt.Errorf("got %q", line)
	}
	return nil
}

func (d *dialog) inReply(pattern string, want bool) error {
	for len(d.reply) == 0 || d.reply[len(d.reply)-1][3] == '-' {
		line, err := d.in.ReadString('\n')
		if err != nil || len(line) < 6 {
			return fmt.Errorf("%q, %v", line, err)
		}
		d.reply = append(d.reply, strings.TrimSuffix(line, "\r\n"))
	}
	found := false
	for _, line := range d.reply {
		found = found || matches(pattern, line)
	}
	if found != want {
		return fmt.Errorf("got %q", d.reply)
	}
	return nil
}

// matches is path.Match in which a star takes slashes too, and nothing but the star is special.
func matches(pattern, line string) bool {
	plain := strings.NewReplacer("/", "\x00", "[", `\[`, "?", `\?`, `\`, `\\`)
	ok, err := path.Match(plain.Replace(pattern), strings.ReplaceAll(line, "/", "\x00"))
	return ok && err == nil
}

func (d *dialog) accepted(arg string) error {
	all := d.backend.all()
	if n, err := strconv.Atoi(arg); err == nil {
		if len(all) != n {
			return fmt.Errorf("%d messages: %+v", len(all), all)
		}
		return nil
	}
	want, err := strconv.Unquote(arg)
	if err != nil {
		return err
	}
	if len(all) == 0 || all[len(all)-1].text != want {
		return fmt.Errorf("got %+q", texts(all))
	}
	return nil
}

func texts(all []received) (texts []string) {
	for _, m := range all {
		texts = append(texts, m.text)
	}
	return texts
}
