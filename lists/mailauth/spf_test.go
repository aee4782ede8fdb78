package mailauth_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/lists/mailauth"
)

func TestSPF(t *testing.T) {
	t.Parallel()
	nested := map[string][]string{}
	for i := range 15 {
		nested[fmt.Sprintf("TXT n%d.example", i)] = []string{fmt.Sprintf("v=spf1 include:n%d.example -all", i+1)}
	}
	for _, tt := range []struct {
		name  string
		from  string
		hello string
		ip    string
		zone  map[string][]string
		want  mailauth.Value
		about string
	}{
		{"pass", "x@a.example", "mx", "192.0.2.1", map[string][]string{"TXT a.example": {spfPass}}, "pass", "smtp.mailfrom=a.example"},
		{"fail", "x@a.example", "mx", "192.0.2.2", map[string][]string{"TXT a.example": {spfPass}}, "fail", "smtp.mailfrom=a.example"},
		{"softfail", "x@a.example", "mx", "192.0.2.2", map[string][]string{"TXT a.example": {"v=spf1 ~all"}}, "softfail", "smtp.mailfrom=a.example"},
		{"neutral", "x@a.example", "mx", "192.0.2.2", map[string][]string{"TXT a.example": {"v=spf1"}}, "neutral", "smtp.mailfrom=a.example"},
		{"none", "x@a.example", "mx", "192.0.2.2", nil, "none", "smtp.mailfrom=a.example"},
		{"other records", "x@a.example", "mx", "192.0.2.2", map[string][]string{"TXT a.example": {"v=spf10 +all", "hi"}}, "none", "smtp.mailfrom=a.example"},
		{"two records", "x@a.example", "mx", "192.0.2.1", map[string][]string{"TXT a.example": {spfPass, spfPass}}, "permerror", "smtp.mailfrom=a.example"},
		{"no answer", "x@a.example", "mx", "192.0.2.1", map[string][]string{"TXT a.example": {"fails"}}, "temperror", "smtp.mailfrom=a.example"},
		{"IPv6", "x@a.example", "mx", "2001:db8::1", map[string][]string{"TXT a.example": {"v=spf1 ip6:2001:db8::/32 -all"}}, "pass", "smtp.mailfrom=a.example"},
		{"IPv4 in IPv6", "x@a.example", "mx", "::ffff:192.0.2.1", map[string][]string{"TXT a.example": {spfPass}}, "pass", "smtp.mailfrom=a.example"},
		{"a and mx", "x@a.example", "mx", "192.0.2.7", map[string][]string{
			"TXT a.example": {"v=spf1 a mx -all"}, "A a.example": {"192.0.2.6"}, "MX a.example": {"m.a.example"}, "A m.a.example": {"192.0.2.7"}}, "pass", "smtp.mailfrom=a.example"},
		{"ptr", "x@a.example", "mx", "192.0.2.7", map[string][]string{
			"TXT a.example": {"v=spf1 ptr -all"}, "PTR 192.0.2.7": {"h.a.example"}, "A h.a.example": {"192.0.2.7"}}, "pass", "smtp.mailfrom=a.example"},
		{"macros", "jo+x@a.example", "mx", "192.0.2.7", map[string][]string{
			"TXT a.example": {"v=spf1 exists:%{l1}.%{ir}.u.a.example -all"}, "A jo+x.7.2.0.192.u.a.example": {"127.0.0.2"}}, "pass", "smtp.mailfrom=a.example"},
		{"a local part with an @ is no domain", `"x@a.example"@b.example`, "mx", "192.0.2.1", map[string][]string{
			"TXT a.example": {spfPass}, "TXT b.example": {"v=spf1 -all"}}, "fail", "smtp.mailfrom=b.example"},
		{"ten lookups are the most", "x@n0.example", "mx", "192.0.2.1", nested, "permerror", "smtp.mailfrom=n0.example"},
		{"two void lookups are the most", "x@a.example", "mx", "192.0.2.1", map[string][]string{
			"TXT a.example": {"v=spf1 a:v1.example a:v2.example a:v3.example ip4:192.0.2.1"}}, "permerror", "smtp.mailfrom=a.example"},
		{"no reverse-path", "", "mx.a.example", "192.0.2.1", map[string][]string{"TXT mx.a.example": {spfPass}}, "pass", "smtp.helo=mx.a.example"},
		{"no reverse-path, no name", "", "[192.0.2.1]", "192.0.2.1", nil, "none", ""},
		{"an address literal", "x@[192.0.2.1]", "mx", "192.0.2.1", nil, "none", ""},
		{"a unix socket", "x@a.example", "mx", "", map[string][]string{"TXT a.example": {spfPass}}, "none", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := mail(tt.from, "ann@x.example", "From: x", "", "")
			m.Hello = tt.hello
			m.Client = netip.Addr{}
			if tt.ip != "" {
				m.Client = netip.MustParseAddr(tt.ip)
			}
			f := check(t, &zone{records: tt.zone}, m)
			if got := f.Value("spf"); got != tt.want || !strings.Contains(f.Field("x"), tt.about) {
				t.Errorf("spf=%s, want %s about %q\n%s", got, tt.want, tt.about, f.Field("x"))
			}
		})
	}
}

// TestTwoSeconds: a server of the sender's that does not answer takes a second and a half, and the result of
// its check, and no other's.
func TestTwoSeconds(t *testing.T) {
	t.Parallel()
	signed := sign(t, "evil.example", plain, nil)
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: map[string][]string{
			"TXT evil.example": {"hangs"}, "TXT s._domainkey.evil.example": {"hangs"},
			"TXT _dmarc.a.example": {"v=DMARC1; p=reject"},
		}}
		start := time.Now()
		f := check(t, z, withText(mail("x@evil.example", "ann@a.example"), signed))
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("took %s", took)
		}
		if f.Value("spf") != mailauth.TempError || f.Value("dkim") != mailauth.TempError || f.Value("dmarc") != mailauth.Fail {
			t.Error(f.Field("x"))
		}
	})
}

// TestAnothersNameServerHangs: a second signature whose key cannot be had leaves time to ask whether the
// first one's domain is of the author's.
func TestAnothersNameServerHangs(t *testing.T) {
	t.Parallel()
	signed := sign(t, "slow.example", sign(t, "mail.a.example", plain, nil), nil)
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: map[string][]string{
			"TXT s._domainkey.slow.example": {"hangs"}, "TXT s._domainkey.mail.a.example": {keyRecord()},
			"TXT _dmarc.a.example": {"v=DMARC1; p=reject"},
		}}
		f := check(t, z, withText(mail("", "ann@a.example"), signed))
		if f.Value("dmarc") != mailauth.Pass || !f.Aligned {
			t.Error(f.Field("x"))
		}
	})
}

// TestEverythingHangs: all results are temporary errors, and the message is nobody's.
func TestEverythingHangs(t *testing.T) {
	t.Parallel()
	signed := sign(t, "a.example", plain, nil)
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: map[string][]string{
			"TXT a.example": {"hangs"}, "TXT s._domainkey.a.example": {"hangs"}, "TXT _dmarc.a.example": {"hangs"},
		}}
		f := check(t, z, withText(mail("x@a.example", "ann@a.example"), signed))
		var got []mailauth.Value
		for _, r := range f.Results {
			got = append(got, r.Value)
		}
		if want := []mailauth.Value{"temperror", "temperror", "temperror"}; !slices.Equal(got, want) || f.Aligned || f.Policy != "" {
			t.Errorf("%q %v %q", got, f.Aligned, f.Policy)
		}
	})
}
