package smtpserver_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/smtp/smtpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// anybody trusts everyone.
func anybody(netip.Addr) bool { return true }

// clientTLS trusts whatever it meets: the certificates of these tests live for one test.
func clientTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// listen starts the server on loopback for the length of the test and connects to it.
func listen(t testing.TB, server *smtpserver.Server) net.Conn {
	t.Helper()
	return dial(t, start(t, server))
}

// start starts the server on loopback for the length of the test and returns its address.
func start(t testing.TB, server *smtpserver.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server, l)
	return l.Addr().String()
}

func serve(t testing.TB, server *smtpserver.Server, l net.Listener) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nothing that a test leaves open is worth waiting for
		server.Shutdown(ctx)
		if err := <-served; err != smtpserver.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// talk sends and reads replies for tests that are no dialog.
type talk struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func newTalk(t testing.TB, conn net.Conn) *talk {
	return &talk{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// say sends text as it is.
func (c *talk) say(text string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(text)); err != nil {
		c.t.Fatalf("writing %.60q: %v", text, err)
	}
}

// hear reads a reply, the last line of which must begin with want.
func (c *talk) hear(want string) string {
	c.t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("waiting for %s: %q, %v", want, line, err)
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, want) {
			c.t.Fatalf("want %s, got %q", want, line)
		}
		return strings.TrimSuffix(line, "\r\n")
	}
}

// ask sends a command and hears its reply.
func (c *talk) ask(command, want string) string {
	c.t.Helper()
	c.say(command + "\r\n")
	return c.hear(want)
}

// hearClose waits for the end of the connection.
func (c *talk) hearClose() {
	c.t.Helper()
	if line, err := c.in.ReadString('\n'); err == nil {
		c.t.Fatalf("connection still open: %q", line)
	}
}

// envelope brings the session to where the message begins.
func (c *talk) envelope(rcpt string) {
	c.t.Helper()
	c.hear("220")
	c.ask("EHLO client.example", "250")
	c.ask("MAIL FROM:<ann@a.example>", "250")
	c.ask("RCPT TO:<"+rcpt+">", "250")
}

// setUp does what an @ line says.
func setUp(t testing.TB, server *smtpserver.Server, what string) {
	t.Helper()
	key, value, isLimit := strings.Cut(what, "=")
	switch key {
	case "lmtp":
		server.LMTP = true
	case "untrusted":
		server.Trusted = nil
	case "tls":
		server.TLS = serverTLS(t)
	case "plain-auth":
		server.AllowPlainAuth = true
	default:
		if !isLimit {
			t.Fatalf("@ %s: not known", what)
		}
		setLimit(t, &server.Limits, key, value)
	}
}

func setLimit(t testing.TB, limits *smtpserver.Limits, key, value string) {
	t.Helper()
	field := reflect.ValueOf(limits).Elem().FieldByNameFunc(func(name string) bool {
		return strings.EqualFold(name, strings.ReplaceAll(key, "-", ""))
	})
	if !field.IsValid() {
		t.Fatalf("@ %s: no such limit", key)
	}
	if d, err := time.ParseDuration(value); err == nil && field.Type() == reflect.TypeOf(d) {
		field.SetInt(int64(d))
		return
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	field.SetInt(n)
}

// serverTLS makes a certificate for one test.
func serverTLS(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"lists.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
