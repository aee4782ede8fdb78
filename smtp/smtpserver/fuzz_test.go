package smtpserver_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"muster/smtp/smtpserver"
)

// replyLine is what every line of every reply looks like.
var replyLine = regexp.MustCompile(`^[2-5][0-9][0-9][ -][^\x00-\x1f\x7f]*\r\n$`)

// FuzzSession sends anything at all to a session, which must answer in well-formed lines, come to
// its end, and leave the server fit for the next client.
func FuzzSession(f *testing.F) {
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@lists.example>\r\nDATA\r\nA: b\r\n\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("HELO x\r\nEXPN c-help\r\nVRFY postmaster SMTPUTF8\r\nBDAT 3 LAST\r\nabcRSET\r\n"))
	files, err := filepath.Glob("testdata/dialogs/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(clientSide(f, file))
	}
	server, _ := newServer()
	server.AllowPlainAuth = true
	server.TLS = serverTLS(f)
	server.Limits = smtpserver.Limits{AuthDelay: 1000, Command: time.Second}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	serve(f, server, l)
	f.Fuzz(func(t *testing.T, input []byte) {
		if bytes.Contains(bytes.ToUpper(input), []byte("SLOW@")) {
			t.Skip("that recipient waits for a test to let it go")
		}
		lines := exchange(t, l.Addr().String(), input)
		for i, line := range lines {
			if len(line) > 512 || !replyLine.MatchString(line) {
				t.Fatalf("line %d: %q", i, line)
			}
		}
		last := exchange(t, l.Addr().String(), []byte("QUIT\r\n"))
		if len(last) != 2 || !strings.HasPrefix(last[1], "221") {
			t.Fatalf("the next client heard %q", last)
		}
	})
}

// clientSide is what the client says in a dialog.
func clientSide(f *testing.F, file string) []byte {
	script, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	var said dialog
	for line := range strings.Lines(string(script)) {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "C: "); ok {
			said.out.WriteString(text + "\r\n")
		}
		if raw, ok := strings.CutPrefix(line, "R: "); ok {
			if err := said.raw(raw); err != nil {
				f.Fatal(err)
			}
		}
	}
	return []byte(said.out.String())
}

// exchange sends input, ends its side, and returns the lines that came back up to a handshake.
func exchange(t *testing.T, addr string, input []byte) []string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		io.Copy(conn, bytes.NewReader(input))
		conn.(*net.TCPConn).CloseWrite()
	}()
	output, err := io.ReadAll(conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatalf("no end after %q", output)
	}
	if before, _, ok := strings.Cut(string(output), "Begin TLS\r\n"); ok {
		output = []byte(before + "\r\n") // what follows is no SMTP
	}
	lines := strings.SplitAfter(string(output), "\n")
	return lines[:len(lines)-1]
}
