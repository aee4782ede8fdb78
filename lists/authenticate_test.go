package lists_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/uuid"

	"muster/lists"
	"muster/lists/mailauth"
	"muster/lists/verdict"
)

// texts is a DNS of TXT records, that counts what it is asked.
type texts struct {
	records map[string]string
	hangs   bool
	asked   atomic.Int64
}

func (d *texts) TXT(ctx context.Context, name string) ([]string, error) {
	d.asked.Add(1)
	if d.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if text, ok := d.records[name]; ok {
		return []string{text}, nil
	}
	return nil, nil
}

func (d *texts) MX(context.Context, string) ([]string, error) { return nil, errors.New("not asked") }

func (d *texts) Addrs(context.Context, string) ([]netip.Addr, error) {
	return nil, errors.New("not asked")
}

func (d *texts) Names(context.Context, netip.Addr) ([]string, error) {
	return nil, errors.New("not asked")
}

// authSite is a site that looks who vouches for a message, with a list whose member is ann.
func authSite(t *testing.T, dns *texts, trusted string) *site {
	t.Helper()
	s := newSite(t)
	s.Service = lists.New(s.pool, lists.Config{
		Hostname: "mx.lists.example", AuthservID: "lists.example", TrustedAuthservID: trusted,
		MailAuth: &mailauth.Checker{DNS: dns}, Wake: func() { s.wakes.Add(1) },
	})
	l := s.list("dev@lists.example", nil, "owner@a.example")
	s.add(l, "ann@a.example")
	return s
}

// authTexts lets the client of these tests send for a.example, which has strangers rejected.
func authTexts() *texts {
	return &texts{records: map[string]string{"a.example": "v=spf1 ip4:192.0.2.7 -all", "_dmarc.a.example": "v=DMARC1; p=reject"}}
}

// takeAs gives a mail to the site, its envelope changed.
func (s *site) takeAs(m mail, change func(*lists.Envelope)) lists.Outcome {
	s.t.Helper()
	env := s.envelope(m)
	if change != nil {
		change(&env)
	}
	outcomes, err := s.Accept(s.t.Context(), env, m.message())
	if err != nil {
		s.t.Fatal(err)
	}
	return outcomes[0]
}

func (s *site) kept(id uuid.UUID) (lists.Post, []verdict.Step) {
	s.t.Helper()
	p, decisions, err := s.PostByID(s.t.Context(), lists.CLI(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return p, decisions[0].Trace
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	const claim = "Authentication-Results: mx.front.example; dmarc=pass header.from=a.example policy.dmarc=reject;\n dkim=pass header.d=a.example\n"
	trust := func(e *lists.Envelope) { e.Trusted = true }
	for _, tt := range []struct {
		name    string
		from    string
		head    string
		trusted string // trusted_authserv_id
		change  func(*lists.Envelope)
		authres string
		proved  bool
		step    string // of the trace; "" for none
		asks    bool
	}{
		{"by its own domain", "ann@a.example", claim, "", nil,
			"Authentication-Results: lists.example;\r\n\tspf=pass smtp.mailfrom=a.example;\r\n\tdkim=none;\r\n\tdmarc=pass header.from=a.example policy.dmarc=reject\r\n",
			true, "pass map[dkim:none dmarc:pass policy:reject spf:pass]", true},
		{"forged", "ann@evil.example", claim, "", nil,
			"Authentication-Results: lists.example;\r\n\tspf=none smtp.mailfrom=evil.example;\r\n\tdkim=none;\r\n\tdmarc=fail header.from=a.example policy.dmarc=reject\r\n",
			false, "missing map[dkim:none dmarc:fail policy:reject spf:none]", true},
		{"forged, with the name we trust others by", "ann@evil.example", claim, "mx.front.example", nil,
			"Authentication-Results: lists.example;\r\n\tspf=none smtp.mailfrom=evil.example;\r\n\tdkim=none;\r\n\tdmarc=fail header.from=a.example policy.dmarc=reject\r\n",
			false, "missing map[dkim:none dmarc:fail policy:reject spf:none]", true},
		{"from a trusted network", "ann@a.example", claim, "", trust, "", false, "", false},
		{"from the server in front", "ann@evil.example", claim, "mx.front.example", trust,
			"Authentication-Results: lists.example;\r\n\tdmarc=pass header.from=a.example policy.dmarc=reject;\r\n\tdkim=pass header.d=a.example\r\n",
			true, "pass map[dkim:pass dmarc:pass policy:reject]", false},
		{"from the server in front, which found nothing", "ann@a.example", "", "mx.front.example", trust, "", false, "", false},
		{"signed in", "ann@a.example", claim, "", func(e *lists.Envelope) { e.By = as("ann@a.example") },
			"Authentication-Results: lists.example;\r\n\tauth=pass\r\n", true, "pass map[auth:pass]", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dns := authTexts()
			s := authSite(t, dns, tt.trusted)
			out := s.takeAs(mail{from: tt.from, to: []string{"dev@lists.example"}, text: tt.head + "From: ann@a.example\nMessage-ID: <1@a.example>\n\nHi\n"}, tt.change)
			if out.Fate != lists.FateAccepted {
				t.Fatalf("%+v", out)
			}
			p, trace := s.kept(out.Post)
			if p.AuthRes != tt.authres || p.Authenticated != tt.proved {
				t.Errorf("%q, proved %v; want %q, %v", p.AuthRes, p.Authenticated, tt.authres, tt.proved)
			}
			step := ""
			for _, st := range trace {
				if st.Rule == verdict.RuleAuthentication {
					step = st.Answer + " " + fmt.Sprint(st.Params)
				}
			}
			if step != tt.step {
				t.Errorf("trace %q, want %q", step, tt.step)
			}
			if asked := dns.asked.Load(); (asked > 0) != tt.asks {
				t.Errorf("the DNS was asked %d times", asked)
			}
		})
	}
}

// TestAuthenticateNothingRefused: no question is asked for what is refused as it is, nor where
// nothing depends on who sent it.
func TestAuthenticateNothingRefused(t *testing.T) {
	t.Parallel()
	dns := authTexts()
	s := authSite(t, dns, "")
	s.wantFates(post("1", "eve@e.example", "dev@lists.example"), "post.not-member")
	s.wantFates(mail{from: "ann@a.example", to: []string{"dev-confirm+x@lists.example"}, text: "From: ann@a.example\n\n"}, "done")
	if asked := dns.asked.Load(); asked > 0 {
		t.Errorf("the DNS was asked %d times", asked)
	}
}

// TestAuthenticateInTime: a DNS that does not answer loses no mail.
func TestAuthenticateInTime(t *testing.T) {
	t.Parallel()
	s := authSite(t, &texts{hangs: true}, "")
	s.Service = lists.New(s.pool, lists.Config{MailAuth: &mailauth.Checker{DNS: &texts{hangs: true}, Timeout: 20 * time.Millisecond}})
	out := s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "accepted")
	p, _ := s.kept(out[0].Post)
	if !strings.HasPrefix(p.AuthRes, "Authentication-Results: localhost;\r\n\tspf=temperror ") || !strings.Contains(p.AuthRes, "dmarc=temperror ") || p.Authenticated {
		t.Errorf("%q", p.AuthRes)
	}
}

// TestAuthenticateLarge: the signature of a message that is not held in memory is verified as well.
func TestAuthenticateLarge(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	dns := &texts{records: map[string]string{"s._domainkey.a.example": "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}}
	s := authSite(t, dns, "")
	text := "From: ann@a.example\r\nMessage-ID: <1@a.example>\r\n\r\n" + strings.Repeat("0123456789\r\n", 40_000)
	var signed bytes.Buffer
	if err := dkim.Sign(&signed, strings.NewReader(text), &dkim.SignOptions{Domain: "a.example", Selector: "s", Signer: key}); err != nil {
		t.Fatal(err)
	}
	out := s.wantFates(mail{from: "bounces@esp.example", to: []string{"dev@lists.example"}, raw: signed.Bytes()}, "accepted")
	if p, _ := s.kept(out[0].Post); !p.Authenticated || !strings.Contains(p.AuthRes, "dkim=pass header.d=a.example") {
		t.Errorf("%q", p.AuthRes)
	}
}

// TestAuthenticatedAreTold: of what one list refuses while another takes it, whose domain vouches for the
// message is told by mail; a program is not, nor is who may be forged.
func TestAuthenticatedAreTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, from, head, want string }{
		{"proved", "ann@a.example", "", "post-refused ann@a.example"},
		{"forged", "ann@evil.example", "", "held owner2@a.example"},
		{"a program", "ann@a.example", "Precedence: bulk\n", "held owner2@a.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := authSite(t, authTexts(), "")
			s.list("closed@lists.example", nil, "owner2@a.example")
			m := mail{from: tt.from, to: []string{"dev@lists.example", "closed@lists.example"}, text: tt.head + "From: ann@a.example\nMessage-ID: <1@a.example>\n\nHi\n"}
			s.accept(m)
			s.noticed(tt.want)
		})
	}
}
