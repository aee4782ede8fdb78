package smtpserver_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"muster/smtp/smtpserver"
)

// newServer is a server for one test, with its backend, trusting everybody.
func newServer() (*smtpserver.Server, *memory) {
	m := newMemory()
	return &smtpserver.Server{Hostname: "lists.example", Backend: m, Trusted: anybody}, m
}

// TestEndInPieces sends the end of a message one octet a segment (S05).
func TestEndInPieces(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	conn := listen(t, server)
	c := newTalk(t, conn)
	c.envelope("one@lists.example")
	c.ask("DATA", "354")
	for _, octet := range "Subject: pieces\r\n\r\n..\r\n.\r\n" {
		c.say(string(octet))
		time.Sleep(time.Millisecond)
	}
	c.hear("250")
	c.ask("QUIT", "221")
	if all := m.all(); len(all) != 1 || all[0].text != "Subject: pieces\r\n\r\n.\r\n" {
		t.Errorf("got %+v", all)
	}
}

// TestBrokenOff drops the connection in the middle of a message, after any number of octets (S23).
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	addr := start(t, server)
	message := "Subject: cut\r\n\r\nbody\r\n.\r\n"
	for n := range len(message) {
		conn := dial(t, addr)
		c := newTalk(t, conn)
		c.envelope("one@lists.example")
		c.ask("DATA", "354")
		c.say(message[:n])
		conn.(*net.TCPConn).CloseWrite()
		c.hearClose()
	}
	for n := range 6 {
		conn := dial(t, addr)
		c := newTalk(t, conn)
		c.envelope("one@lists.example")
		c.say("BDAT 6 LAST\r\n" + "A: b\r\n"[:n])
		conn.(*net.TCPConn).CloseWrite()
		c.hearClose()
	}
	if all := m.all(); len(all) != 0 {
		t.Errorf("kept %+v", all)
	}
}

// TestTwoMessages sends two messages to two lists in one session (S24).
func TestTwoMessages(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	c := newTalk(t, listen(t, server))
	c.hear("220")
	c.ask("EHLO client.example", "250")
	for _, list := range []string{"one", "c-help"} {
		c.ask("MAIL FROM:<"+list+"@a.example> SMTPUTF8 SIZE=12 BODY=8BITMIME", "250")
		c.ask("RCPT TO:<"+list+"@lists.example>", "250")
		c.ask("DATA", "354")
		c.ask("Subject: to "+list+"\r\n\r\n\u00fc\r\n.", "250")
	}
	for i, got := range m.all() {
		list := []string{"one", "c-help"}[i]
		want := fmt.Sprintf("%+v", received{
			from: list + "@a.example", to: []string{list + "@lists.example"}, text: "Subject: to " + list + "\r\n\r\n\u00fc\r\n",
			params: smtpserver.MailParams{Size: 12, EightBit: true, UTF8: true},
			facts:  smtpserver.Message{Size: int64(20 + len(list)), HeaderLen: int64(16 + len(list)), EightBit: true},
		})
		if fmt.Sprintf("%+v", got) != want {
			t.Errorf("got  %+v\nwant %s", got, want)
		}
	}
	if n := len(m.all()); n != 2 {
		t.Errorf("%d messages", n)
	}
}

// TestLargeMessage sends what does not fit into memory, by DATA and by BDAT.
func TestLargeMessage(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	server.SpoolDir = t.TempDir()
	c := newTalk(t, listen(t, server))
	text := "Subject: large\r\n\r\n" + strings.Repeat(".\r\n..\r\n"+strings.Repeat("x", 900)+"\r\n", 2000)
	c.envelope("one@lists.example")
	c.ask("DATA", "354")
	c.ask(strings.ReplaceAll(text, "\n.", "\n..")+".", "250")
	c.ask("MAIL FROM:<ann@a.example>", "250")
	c.ask("RCPT TO:<one@lists.example>", "250")
	for i := 0; i < len(text); i += 100_000 {
		piece := text[i:min(i+100_000, len(text))]
		c.say(fmt.Sprintf("BDAT %d\r\n%s", len(piece), piece))
		c.hear("250")
	}
	c.ask("BDAT 0 LAST", "250")
	all := m.all()
	if len(all) != 2 || all[0].text != text || all[1].text != text {
		t.Errorf("%d messages", len(all))
	}
}

// TestUnstored fails to make room for a message: 452, and a small one gets through (D08).
func TestUnstored(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	server.SpoolDir = t.TempDir() + "/not/there"
	c := newTalk(t, listen(t, server))
	c.envelope("one@lists.example")
	c.ask("DATA", "354")
	c.ask(strings.Repeat("x: y\r\n", 100_000)+".", "452 4.3.1")
	c.ask("MAIL FROM:<ann@a.example>", "250")
	c.ask("RCPT TO:<one@lists.example>", "250")
	c.ask("DATA", "354")
	c.ask("A: b\r\n.", "250")
	if all := m.all(); len(all) != 1 {
		t.Errorf("%d messages", len(all))
	}
}

// TestManyRecipients sends far more recipients than a transaction takes in one write (S25).
func TestManyRecipients(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	conn := listen(t, server)
	c := newTalk(t, conn)
	c.hear("220")
	c.ask("EHLO client.example", "250")
	go io.WriteString(conn, "MAIL FROM:<ann@a.example>\r\n"+strings.Repeat("RCPT TO:<one@lists.example>\r\n", 1200)+"DATA\r\n")
	c.hear("250")
	for n := range 1200 {
		if n < 1000 {
			c.hear("250 2.1.5")
		} else {
			c.hear("452 4.5.3")
		}
	}
	c.hear("354")
	c.ask("Subject: many\r\n.", "250")
	if all := m.all(); len(all) != 1 || len(all[0].to) != 1000 {
		t.Errorf("%d messages", len(all))
	}
}
