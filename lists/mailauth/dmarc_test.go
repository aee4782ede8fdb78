package mailauth_test

import (
	"slices"
	"strings"
	"testing"

	"muster/lists/mailauth"
)

// spfPass is a record by which the client of these tests may send for a domain.
const spfPass = "v=spf1 ip4:192.0.2.1 -all"

func TestDMARC(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		from    string // reverse-path, whose domain has spfPass
		author  string
		zone    map[string][]string
		want    mailauth.Value
		policy  string
		aligned bool
	}{
		{"no record anywhere, another's domain", "x@evil.example", "ann@a.example", nil, "none", "", false},
		{"no record anywhere, the same domain", "x@a.example", "ann@a.example", nil, "none", "", true},
		{"no record anywhere, a subdomain is another organization", "x@mail.a.example", "ann@a.example", nil, "none", "", false},
		{"the same domain", "x@a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "pass", "reject", true},
		{"another's domain", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "fail", "reject", false},
		{"a domain that ends alike", "x@evila.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "fail", "reject", false},
		{"relaxed: SPF for a subdomain", "x@mail.a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "pass", "reject", true},
		{"relaxed: SPF for a sister", "x@mail.a.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "pass", "reject", true},
		{"relaxed: SPF for the organization", "x@a.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "pass", "reject", true},
		{"strict: SPF for a subdomain", "x@mail.a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; aspf=s"}}, "fail", "reject", false},
		{"strict for DKIM only", "x@mail.a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; adkim=s"}}, "pass", "reject", true},
		{"strict: the same domain", "x@a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; aspf=s"}}, "pass", "reject", true},
		{"case does not matter", "x@A.Example", "ann@a.EXAMPLE",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=Reject"}}, "pass", "reject", true},
		{"a U-label", "x@xn--bcher-kva.example", "ann@bücher.example",
			map[string][]string{"TXT _dmarc.xn--bcher-kva.example": {"v=DMARC1; p=reject"}}, "pass", "reject", true},

		{"sp for a subdomain that is there", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; sp=quarantine; np=none"}, "A news.a.example": {"192.0.2.9"}}, "fail", "quarantine", false},
		{"sp for a subdomain that has a server for mail", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; sp=quarantine; np=none"}, "MX news.a.example": {"mx.a.example"}}, "fail", "quarantine", false},
		{"np for one that is not", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=none; sp=quarantine; np=reject"}}, "fail", "reject", false},
		{"sp for one that is not, without np", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=none; sp=quarantine"}}, "fail", "quarantine", false},
		{"p for a subdomain, without sp", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; np=reject"}}, "fail", "reject", false},
		{"sp is not for the domain itself", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; sp=none; np=none"}}, "fail", "reject", false},
		{"np that cannot be told", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=none; np=reject"}, "A news.a.example": {"fails"}}, "temperror", "", false},
		{"a record of its own is preferred", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}, "TXT _dmarc.news.a.example": {"v=DMARC1; p=none"}}, "fail", "none", false},

		{"t=y makes reject quarantine", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; t=y"}}, "fail", "quarantine", false},
		{"t=y makes quarantine none", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=quarantine; t=y"}}, "fail", "none", false},
		{"t=y leaves none", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=none; t=y"}}, "fail", "none", false},
		{"t=y counts for sp too", "x@evil.example", "ann@news.a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=none; sp=reject; t=y"}}, "fail", "quarantine", false},
		{"t=n, and pct of old, change nothing", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; t=n; pct=0; rf=afrf; ri=1"}}, "fail", "reject", false},

		// RFC 9989 §4.10.2: mail.example.com and example.com have records, com has none.
		{"the fewest labels are the organization", "x@example.com", "ann@a.mail.example.com", map[string][]string{
			"TXT _dmarc.mail.example.com": {"v=DMARC1; p=none"}, "TXT _dmarc.example.com": {"v=DMARC1; p=reject"}}, "pass", "reject", true},
		{"the policy is the organization's, not that between", "x@evil.example", "ann@a.mail.example.com", map[string][]string{
			"TXT _dmarc.mail.example.com": {"v=DMARC1; p=none"}, "TXT _dmarc.example.com": {"v=DMARC1; p=reject"}}, "fail", "reject", false},
		// mail.example.com says that it is an organization of its own.
		{"psd=n ends the walk", "x@example.com", "ann@a.mail.example.com", map[string][]string{
			"TXT _dmarc.mail.example.com": {"v=DMARC1; p=quarantine; psd=n"}, "TXT _dmarc.example.com": {"v=DMARC1; p=reject"}}, "fail", "quarantine", false},
		{"psd=n: the same organization", "x@b.mail.example.com", "ann@a.mail.example.com", map[string][]string{
			"TXT _dmarc.mail.example.com": {"v=DMARC1; p=quarantine; psd=n"}, "TXT _dmarc.example.com": {"v=DMARC1; p=reject"}}, "pass", "quarantine", true},
		// Only com has a record, and is a public suffix.
		{"psd=y: one below is the organization", "x@example.com", "ann@a.mail.example.com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=reject; psd=y"}}, "pass", "reject", true},
		{"psd=y: its neighbour is another", "x@other.com", "ann@a.mail.example.com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=reject; psd=y"}}, "fail", "reject", false},
		{"psd=y: np of the suffix", "x@evil.example", "ann@example.com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=none; sp=none; np=reject; psd=y"}}, "fail", "reject", false},
		{"psd=y is not asked where the organization has a policy", "x@evil.example", "ann@mail.example.com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=reject; psd=y"}, "TXT _dmarc.example.com": {"v=DMARC1; p=none"}}, "fail", "none", false},
		{"psd=y: a record below the organization does not count", "x@evil.example", "ann@a.mail.example.com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=reject; psd=y"}, "TXT _dmarc.mail.example.com": {"v=DMARC1; p=none"}}, "fail", "reject", false},
		{"a suffix that sends mail itself", "x@com", "ann@com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=reject; psd=y"}}, "pass", "reject", true},
		{"a suffix does not vouch for those below", "x@com", "ann@example.com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=reject; psd=y"}}, "fail", "reject", false},
		{"nor those below for it", "x@example.com", "ann@com", map[string][]string{
			"TXT _dmarc.com": {"v=DMARC1; p=reject; psd=y"}}, "fail", "reject", false},

		{"without p it is none", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; rua=mailto:d@a.example"}}, "fail", "none", false},
		{"without p and somebody to tell there is no policy", "x@a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1"}}, "none", "", true},
		{"a wrong p, with rua", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=burn; rua=mailto:d@a.example"}}, "fail", "none", false},
		{"a wrong sp, without rua", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; sp=burn"}}, "none", "", false},
		{"a wrong np, with a rua that is none", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; np=burn; rua=nobody"}}, "none", "", false},
		{"unknown and broken tags are passed over", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v = DMARC1 ; x=y;; junk ;p = reject ; adkim=q; t=maybe; psd=w;"}}, "fail", "reject", false},
		{"a tag that is there twice", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject; p=none"}}, "none", "", false},
		{"v comes first", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"p=reject; v=DMARC1"}}, "none", "", false},
		{"the version is exact", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=dmarc1; p=reject"}}, "none", "", false},
		{"DMARC10 is another", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC10; p=reject"}}, "none", "", false},
		{"several records are none", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject", "v=DMARC1; p=reject"}}, "none", "", false},
		{"several, and the organization has one", "x@evil.example", "ann@n.a.example",
			map[string][]string{"TXT _dmarc.n.a.example": {"v=DMARC1; p=none", "v=DMARC1; p=none"}, "TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "fail", "reject", false},
		{"a record of megabytes is none", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject" + strings.Repeat("; x", 1<<20)}}, "none", "", false},
		{"other records beside it", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=spf1 -all", "v=DMARC1; p=reject", "hello"}}, "fail", "reject", false},

		{"the policy cannot be had", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"fails"}}, "temperror", "", false},
		{"the policy cannot be had, SPF is for the very domain", "x@a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"fails"}}, "temperror", "", true},
		{"half a walk is no walk", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}, "TXT _dmarc.example": {"fails"}}, "temperror", "", false},
		{"SPF of the domain cannot be had", "x@a.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}, "TXT a.example": {"fails"}}, "temperror", "reject", false},
		{"SPF of another cannot be had, which excuses nothing", "x@evil.example", "ann@a.example",
			map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}, "TXT evil.example": {"fails"}}, "fail", "reject", false},
		{"no author", "x@a.example", "", map[string][]string{"TXT _dmarc.a.example": {"v=DMARC1; p=reject"}}, "none", "", false},
		{"an author at an address literal", "x@a.example", "ann@[192.0.2.1]", nil, "none", "", false},
		{"the null reverse-path counts for the name of the client", "", "ann@client.example",
			map[string][]string{"TXT _dmarc.client.example": {"v=DMARC1; p=reject"}}, "pass", "reject", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := &zone{records: map[string][]string{"TXT mx.client.example": {spfPass}}}
			if tt.from != "" {
				z.records["TXT "+address(tt.from).DomainKey()] = []string{spfPass}
			}
			for name, records := range tt.zone {
				z.records[name] = records
			}
			f := check(t, z, mail(tt.from, tt.author, "From: x", "", "hello"))
			if got := f.Value("dmarc"); got != tt.want || f.Policy != tt.policy || f.Aligned != tt.aligned {
				t.Errorf("dmarc=%s policy %q aligned %v, want %s %q %v\n%s", got, f.Policy, f.Aligned, tt.want, tt.policy, tt.aligned, f.Field("x"))
			}
		})
	}
}

// TestWalk: which names are asked for, of a short domain and of one made to have many asked.
func TestWalk(t *testing.T) {
	t.Parallel()
	for author, want := range map[string][]string{
		"ann@a.mail.example.com": {"_dmarc.a.mail.example.com", "_dmarc.mail.example.com", "_dmarc.example.com", "_dmarc.com"},
		"ann@com":                {"_dmarc.com"},
		"ann@a.b.c.d.e.f.g.h.i.j.mail.example.com": {
			"_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com", "_dmarc.g.h.i.j.mail.example.com", "_dmarc.h.i.j.mail.example.com",
			"_dmarc.i.j.mail.example.com", "_dmarc.j.mail.example.com", "_dmarc.mail.example.com", "_dmarc.example.com", "_dmarc.com",
		},
		"ann@1.2.3.4.5.6.example.com": {
			"_dmarc.1.2.3.4.5.6.example.com", "_dmarc.2.3.4.5.6.example.com", "_dmarc.3.4.5.6.example.com", "_dmarc.4.5.6.example.com",
			"_dmarc.5.6.example.com", "_dmarc.6.example.com", "_dmarc.example.com", "_dmarc.com",
		},
	} {
		z := &zone{}
		check(t, z, mail("x@evil.example", author, "From: x", "", ""))
		var got []string
		for _, name := range z.questions("TXT") {
			if name != "evil.example" {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", author, got)
		}
	}
}

// TestWalkOfStrangers: no walk is made from a domain that cannot be of the author's organization.
func TestWalkOfStrangers(t *testing.T) {
	t.Parallel()
	z := &zone{records: map[string][]string{"TXT evil.example": {spfPass}, "TXT _dmarc.a.test": {"v=DMARC1; p=reject"}}}
	check(t, z, mail("x@evil.example", "ann@a.test", "From: x", "", ""))
	if slices.Contains(z.questions("TXT"), "_dmarc.evil.example") {
		t.Errorf("asked %q", z.questions("TXT"))
	}
}
