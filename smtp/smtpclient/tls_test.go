package smtpclient_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"muster/smtp"
	"muster/smtp/smtpclient"
	"muster/smtp/smtptest"
)

// connect dials with a policy.
func connect(t *testing.T, addr string, o smtpclient.Options) (*smtpclient.Conn, error) {
	t.Helper()
	o.Hello = "near.example"
	c, err := smtpclient.Dial(context.Background(), addr, o)
	if c != nil {
		t.Cleanup(c.Abort)
	}
	return c, err
}

func TestTLSPolicies(t *testing.T) {
	t.Parallel()
	far := smtptest.NewServer(t, smtptest.StartTLS())
	plain := smtptest.NewServer(t)
	stranger := &tls.Config{} // does not know the certificate
	tests := []struct {
		name      string
		server    *smtptest.Server
		policy    smtpclient.TLSPolicy
		config    *tls.Config
		encrypted bool
		fails     bool
	}{
		{"opportunistic, any certificate", far, smtpclient.TLSOpportunistic, stranger, true, false},
		{"opportunistic, not offered", plain, smtpclient.TLSOpportunistic, nil, false, false},
		{"none, offered", far, smtpclient.TLSNone, nil, false, false},
		{"required, valid", far, smtpclient.TLSRequired, far.ClientTLS(), true, false},
		{"required, unknown certificate", far, smtpclient.TLSRequired, stranger, false, true},
		{"required, not offered", plain, smtpclient.TLSRequired, nil, false, true},
		{"encrypted, any certificate", far, smtpclient.TLSEncrypted, stranger, true, false},
		{"encrypted, not offered", plain, smtpclient.TLSEncrypted, nil, false, true},
	}
	for _, tt := range tests {
		c, err := connect(t, tt.server.Addr(), smtpclient.Options{TLS: tt.policy, TLSConfig: tt.config})
		if tt.fails {
			wantError(t, err, smtpclient.StageTLS, nil)
			continue
		}
		if err != nil || (c.TLS() != nil) != tt.encrypted || c.TLSError() != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err := transaction(t, c); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := connect(t, far.Addr(), smtpclient.Options{TLS: smtpclient.TLSRequired, TLSConfig: far.ClientTLS(), ServerName: "other.example"}); err == nil {
		t.Error("a certificate of another name was good enough")
	}
}

// Who sets Verify judges the certificate, whatever roots and names say, and only where one is asked for.
func TestVerify(t *testing.T) {
	t.Parallel()
	far := smtptest.NewServer(t, smtptest.StartTLS())
	refused := errors.New("not that one")
	for name, verdict := range map[string]error{"good": nil, "bad": refused} {
		var seen string
		o := smtpclient.Options{TLS: smtpclient.TLSRequired, TLSConfig: &tls.Config{}, ServerName: "other.example"}
		o.Verify = func(s tls.ConnectionState) error {
			seen = s.ServerName + " " + s.PeerCertificates[0].Subject.CommonName
			return verdict
		}
		c, err := connect(t, far.Addr(), o)
		if seen != "other.example localhost" {
			t.Errorf("%s: was shown %q", name, seen)
		}
		if verdict == nil {
			if err != nil || transaction(t, c) != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantError(t, err, smtpclient.StageTLS, nil)
		if !errors.Is(err, refused) {
			t.Errorf("%s: %v", name, err)
		}
		o.TLS = smtpclient.TLSEncrypted
		if _, err := connect(t, far.Addr(), o); err != nil {
			t.Errorf("asked where any certificate is good: %v", err)
		}
	}
}

// Text of any length goes through TLS whole.
func TestLongTextOverTLS(t *testing.T) {
	t.Parallel()
	far := smtptest.NewServer(t, smtptest.StartTLS())
	c, err := smtpclient.Dial(context.Background(), far.Addr(), smtpclient.Options{TLS: smtpclient.TLSRequired, TLSConfig: far.ClientTLS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	begin(t, c, to(t, "a@x.example"))
	const line = "seventy-eight octets of text, which is what RFC 5322 would like a line to have\r\n"
	var want strings.Builder
	for i := range 20000 {
		text := fmt.Sprintf("%d: %s", i, line)
		if i%1000 == 0 { // long and short ones in turns
			text = strings.Repeat(text, 100+i/10)
		}
		body(t, c, text)
		want.WriteString(text)
	}
	if r, err := c.Finish(nil); err != nil || r.Code != 250 {
		t.Fatal(r, err)
	}
	if got := far.Messages(); len(got) != 1 || string(got[0].Data) != want.String() {
		t.Error("what arrived is not what was sent")
	}
}

// offer does the beginning up to the answer to STARTTLS.
func offer(f *far, reply string) {
	f.greet("STARTTLS", "PIPELINING")
	f.hear("STARTTLS")
	f.say(reply)
}

func TestStartTLSFails(t *testing.T) {
	t.Parallel()
	plainly := func(f *far) { // the second connection of an opportunistic client
		f.greet("STARTTLS", "PIPELINING")
		f.hear("QUIT")
	}
	broken := func(f *far) {
		offer(f, "220 go")
		f.say("this is no TLS")
		f.rest()
	}
	tests := []struct {
		name    string
		scripts []func(f *far)
	}{
		{"no handshake", []func(f *far){broken, plainly}},
		{"closed", []func(f *far){func(f *far) { offer(f, "220 go") }, plainly}},
		{"injected replies", []func(f *far){func(f *far) { offer(f, "220 go\r\n250 owned"); f.rest() }, plainly}},
		{"nonsense", []func(f *far){func(f *far) { offer(f, "250 go") }, plainly}},
		{"refused", []func(f *far){func(f *far) { offer(f, "454 4.7.0 not now"); f.read() }}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := connect(t, listen(t, tt.scripts...), smtpclient.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if c.TLS() != nil || c.TLSError() == nil {
				t.Errorf("TLS %v, reason %v", c.TLS(), c.TLSError())
			}
			c.Quit()
			_, err = connect(t, listen(t, tt.scripts[:1]...), smtpclient.Options{TLS: smtpclient.TLSRequired})
			wantError(t, err, smtpclient.StageTLS, nil)
		})
	}
}

func TestImplicitTLS(t *testing.T) {
	t.Parallel()
	config := smtptest.NewServer(t, smtptest.StartTLS())
	addr := listen(t, func(f *far) {
		secure := tls.Server(f.Conn, config.ServerTLS())
		f.Conn = secure
		f.r.Reset(secure)
		f.greet("STARTTLS") // not asked for again
		f.hear("QUIT")
		f.say("221 bye")
	})
	c, err := connect(t, addr, smtpclient.Options{TLS: smtpclient.TLSImplicit, TLSConfig: config.ClientTLS()})
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS() == nil {
		t.Error("not encrypted")
	}
	c.Quit()
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	ann := &smtpclient.Auth{User: "ann", Password: "secret"}
	line := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00ann\x00secret"))
	tests := []struct {
		name   string
		script func(f *far)
		code   int
		cause  error
	}{
		{"plain", func(f *far) {
			f.greet("AUTH LOGIN PLAIN")
			f.hear(line)
			f.say("235 2.7.0 welcome")
		}, 0, nil},
		{"login", func(f *far) {
			f.greet("AUTH CRAM-MD5 LOGIN")
			f.hear("AUTH LOGIN")
			f.say("334 VXNlcm5hbWU6")
			f.hear("YW5u")
			f.say("334 UGFzc3dvcmQ6")
			f.hear("c2VjcmV0")
			f.say("235 welcome")
		}, 0, nil},
		{"refused", func(f *far) {
			f.greet("AUTH PLAIN")
			f.hear(line)
			f.say("535 5.7.8 no")
		}, 535, nil},
		{"out of step", func(f *far) {
			f.greet("AUTH PLAIN")
			f.hear(line)
			f.say("250 yes")
		}, 0, smtpclient.ErrOutOfStep},
		{"not offered", func(f *far) { f.greet("AUTH SCRAM-SHA-256") }, 0, smtpclient.ErrNoAuth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := connect(t, listen(t, tt.script), smtpclient.Options{Auth: ann})
			var reply *smtp.Reply
			switch {
			case tt.code != 0:
				if !errors.As(err, &reply) || reply.Code != tt.code {
					t.Errorf("%v", err)
				}
			case !errors.Is(err, tt.cause):
				t.Errorf("%v, want %v", err, tt.cause)
			}
		})
	}
}
