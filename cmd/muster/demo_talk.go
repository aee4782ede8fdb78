package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// talk is a conversation with an SMTP server that is shown as it goes, as somebody would see it who
// typed it.
type talk struct {
	conn net.Conn
	in   *bufio.Reader
	show io.Writer
}

const talkTimeout = 30 * time.Second

// dialTalk connects and shows the greeting.
func dialTalk(ctx context.Context, address string, show io.Writer) (*talk, error) {
	network, address := networkOf(address)
	conn, err := (&net.Dialer{Timeout: talkTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t := &talk{conn: conn, in: bufio.NewReader(conn), show: show}
	_, err = t.reply()
	return t, err
}

func networkOf(address string) (network, rest string) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path
	}
	return "tcp", address
}

// say sends a line and returns the last line of the reply.
func (t *talk) say(line string) (string, error) {
	fmt.Fprintf(t.show, "  C: %s\n", line)
	if _, err := io.WriteString(t.conn, line+"\r\n"); err != nil {
		return "", err
	}
	return t.reply()
}

// send sends the lines of a message and the dot that ends it.
func (t *talk) send(message string) (string, error) {
	for line := range strings.Lines(message) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, ".") {
			line = "." + line
		}
		fmt.Fprintf(t.show, "  C: %s\n", line)
		if _, err := io.WriteString(t.conn, line+"\r\n"); err != nil {
			return "", err
		}
	}
	return t.say(".")
}

// reply shows a reply, of one line or several, and returns its last line.
func (t *talk) reply() (string, error) {
	if err := t.conn.SetReadDeadline(time.Now().Add(talkTimeout)); err != nil {
		return "", err
	}
	for {
		line, err := t.in.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("the server hung up: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		fmt.Fprintf(t.show, "  S: %s\n", line)
		if len(line) < 4 || line[3] != '-' {
			return line, nil
		}
	}
}

// expect says a line and wants a reply that begins with code.
func (t *talk) expect(code, line string) error {
	reply, err := t.say(line)
	return wanted(code, line, reply, err)
}

func wanted(code, what, reply string, err error) error {
	if err == nil && !strings.HasPrefix(reply, code) {
		err = fmt.Errorf("the answer to %q is %q, not %s", what, reply, code)
	}
	return err
}
