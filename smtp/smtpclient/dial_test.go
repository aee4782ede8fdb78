package smtpclient_test

import (
	"context"
	"errors"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/smtp/smtpclient"
)

func TestExtensions(t *testing.T) {
	t.Parallel()
	c := dial(t, listen(t, func(f *far) {
		f.greet("pipelining", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "CHUNKING", "STARTTLS-NOT", "DSN", "ENHANCEDSTATUSCODES",
			"AUTH plain LOGIN", "AUTH=XOLD PLAIN", "LIMITS RCPTMAX=100 MAILMAX=7 X=y RCPTDOMAINMAX=", "XCLIENT NAME", "", "SIZE x")
		f.rest()
	}))
	want := smtpclient.Extensions{
		Extended: true, Pipelining: true, EightBit: true, UTF8: true, Chunking: true, DSN: true, EnhancedCodes: true,
		SizeOffered: true, Size: 52428800, Auth: []string{"PLAIN", "LOGIN", "XOLD", "PLAIN"}, RcptMax: 100, MailMax: 7,
	}
	if got := *c.Extensions(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if c.Banner() != "far.example ready" {
		t.Errorf("banner %q", c.Banner())
	}
}

func TestHeloFallback(t *testing.T) {
	t.Parallel()
	c := dial(t, listen(t, func(f *far) {
		f.say("220-far.example", "220 ready")
		f.hear("EHLO near.example")
		f.say("502 5.5.1 what?")
		f.hear("HELO near.example")
		f.say("250-far.example", "250 PIPELINING") // no extensions after HELO
		f.hear(mailLine)
		f.say("250 k")
	}))
	if got := *c.Extensions(); !reflect.DeepEqual(got, smtpclient.Extensions{}) {
		t.Errorf("%+v", got)
	}
	if err := c.Begin(to(t, "a@x.example")); err != nil {
		t.Fatal(err)
	}
	_, err := c.ReadEnvelope()
	wantError(t, err, smtpclient.StageRcpt, nil)
}

// wantError demands an Error of a stage, with a cause where one is given.
func wantError(t *testing.T, err error, stage smtpclient.Stage, cause error) {
	t.Helper()
	var failed *smtpclient.Error
	if !errors.As(err, &failed) {
		t.Fatalf("not an *Error: %v", err)
	}
	if failed.Stage != stage || cause != nil && !errors.Is(err, cause) {
		t.Errorf("%v, want %v at %s", err, cause, stage)
	}
}

func TestGreetingsThatEndIt(t *testing.T) {
	t.Parallel()
	type stage = smtpclient.Stage
	tests := []struct {
		name   string
		script func(f *far)
		stage  stage
		code   int
		cause  error
	}{
		{"421", func(f *far) { f.say("421 4.3.2 busy") }, smtpclient.StageGreeting, 421, nil},
		{"554", func(f *far) { f.say("554 5.7.1 go away") }, smtpclient.StageGreeting, 554, nil},
		{"250", func(f *far) { f.say("250 hello?") }, smtpclient.StageGreeting, 0, smtpclient.ErrOutOfStep},
		{"not SMTP", func(f *far) { f.say("SSH-2.0-OpenSSH_9.2") }, smtpclient.StageGreeting, 0, smtpclient.ErrProtocol},
		{"closed", func(f *far) {}, smtpclient.StageGreeting, 0, nil},
		{"silent", func(f *far) { f.rest() }, smtpclient.StageGreeting, 0, os.ErrDeadlineExceeded},
		{"octet by octet", func(f *far) {
			for range 1000 {
				if _, err := f.Write([]byte("2")); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond) // a slow server is what is tested
			}
		}, smtpclient.StageGreeting, 0, os.ErrDeadlineExceeded},
		{"endless line", func(f *far) {
			block := []byte("220 " + strings.Repeat("x", 4096))
			for {
				if _, err := f.Write(block); err != nil {
					return
				}
			}
		}, smtpclient.StageGreeting, 0, smtpclient.ErrProtocol},
		{"endless lines", func(f *far) {
			block := []byte(strings.Repeat("220-x\r\n", 1000))
			for {
				if _, err := f.Write(block); err != nil {
					return
				}
			}
		}, smtpclient.StageGreeting, 0, smtpclient.ErrProtocol},
		{"EHLO 421", func(f *far) {
			f.say("220 r")
			f.hear("EHLO near.example")
			f.say("421 no")
		}, smtpclient.StageHello, 421, nil},
		{"EHLO 4yz", func(f *far) {
			f.say("220 r")
			f.hear("EHLO near.example")
			f.say("451 later")
		}, smtpclient.StageHello, 451, nil},
		{"HELO refused too", func(f *far) {
			f.say("220 r")
			f.hear("EHLO near.example")
			f.say("550 no")
			f.hear("HELO near.example")
			f.say("550 no")
		}, smtpclient.StageHello, 550, nil},
		{"codes differ in EHLO", func(f *far) {
			f.say("220 r")
			f.hear("EHLO near.example")
			f.say("250-far.example", "550 no")
		}, smtpclient.StageHello, 0, smtpclient.ErrProtocol},
		{"endless EHLO", func(f *far) {
			f.say("220 r")
			f.hear("EHLO near.example")
			f.say(strings.Repeat("250-X\r\n", 1000) + "250 Y")
		}, smtpclient.StageHello, 0, smtpclient.ErrProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, tt.script)
			c, err := smtpclient.Dial(context.Background(), addr, smtpclient.Options{Hello: "near.example", Timeouts: quick})
			if c != nil {
				t.Fatal("a connection")
			}
			if tt.code != 0 {
				wantReply(t, err, tt.stage, tt.code)
			} else {
				wantError(t, err, tt.stage, tt.cause)
			}
		})
	}
}

func TestDialNobody(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, err = smtpclient.Dial(context.Background(), addr, smtpclient.Options{})
	wantError(t, err, smtpclient.StageConnect, nil)
}

func TestDialIsBoundByItsContext(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(f *far) { f.rest() }) // says nothing
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := smtpclient.Dial(ctx, addr, smtpclient.Options{})
	wantError(t, err, smtpclient.StageGreeting, context.DeadlineExceeded)
}

// Without a name the client gives its address (RFC 5321 §4.1.1.1), whichever kind it is.
func TestHelloIsAnAddressLiteral(t *testing.T) {
	t.Parallel()
	for bind, want := range map[string]string{"127.0.0.1:0": "EHLO [127.0.0.1]", "[::1]:0": "EHLO [IPv6:::1]"} {
		l, err := net.Listen("tcp", bind)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write([]byte("220 r\r\n"))
			b := make([]byte, 100)
			n, _ := conn.Read(b)
			got <- string(b[:n])
		}()
		_, err = smtpclient.Dial(context.Background(), l.Addr().String(), smtpclient.Options{})
		wantError(t, err, smtpclient.StageHello, nil)
		if hello := <-got; hello != want+"\r\n" {
			t.Errorf("%q, want %q", hello, want)
		}
		_ = l.Close()
	}
}
