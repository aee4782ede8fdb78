package fanout

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const ourResults = "Authentication-Results: lists.example;\r\n\tspf=pass smtp.mailfrom=a.example;\r\n\tdmarc=pass header.from=a.example\r\n"

const claimed = "Received: from b.example by a.example; Tue, 2 Jan 2024 03:04:00 +0000\r\n" +
	"Authentication-Results: other.example; dkim=pass header.d=other.example\r\n" +
	"AUTHENTICATION-RESULTS :\r\n (really)\r\n Lists.Example 1 ;\r\n\tdkim=pass header.d=forged.example\r\n" +
	"Authentication-Results: \"lists.example\"; dkim=pass header.d=forged.example\r\n" +
	"Authentication-Results: lists.example and more; dkim=pass header.d=forged.example\r\n" +
	"ARC-Authentication-Results: i=1; lists.example; dkim=pass header.d=kept.example\r\n" +
	"From: Ann <ann@a.example>\r\nX-Authentication-Results: lists.example\r\n\r\n" +
	"Authentication-Results: lists.example; in the body\r\n"

// TestComposeAuthenticationResults: ours on top, and nobody else's by our name.
func TestComposeAuthenticationResults(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"post", "owners"} {
		src := testSource(claimed)
		src.kind, src.authres = kind, ourResults
		m, err := compose(src, fakeSealer{}, "https://site.example")
		if err != nil {
			t.Fatal(err)
		}
		got := copyOf(m, 1, 42)
		if !strings.HasPrefix(got, ourResults+"Received: from a.example") {
			t.Errorf("%s begins\n%s", kind, got)
		}
		if strings.Contains(got, "forged.example") || strings.Contains(got, "really") {
			t.Errorf("%s: a forged field is left in\n%s", kind, got)
		}
		for _, kept := range []string{"other.example; dkim=pass", "i=1; lists.example; dkim=pass header.d=kept.example", "X-Authentication-Results: lists.example\r\n", "in the body\r\n", "Received: from b.example"} {
			if !strings.Contains(got, kept) {
				t.Errorf("%s: %q is gone", kind, kept)
			}
		}
	}
}

// TestComposeNobodyLooked: what came from a trusted network gets no field, and those of our name are no less
// forged. Where we have no name, all goes out as it came.
func TestComposeNobodyLooked(t *testing.T) {
	t.Parallel()
	for authserv, forged := range map[string]bool{"lists.example": false, "": true} {
		src := testSource(claimed)
		src.authserv = authserv
		m, err := compose(src, fakeSealer{}, "https://site.example")
		if err != nil {
			t.Fatal(err)
		}
		got := copyOf(m, 1, 42)
		if strings.HasPrefix(got, authResults) || strings.Contains(got, "forged.example") != forged || !strings.Contains(got, "other.example; dkim=pass") {
			t.Errorf("by %q:\n%s", authserv, got)
		}
		if forged && !strings.HasSuffix(got, claimed) {
			t.Errorf("not as it came:\n%s", got)
		}
	}
}

// TestSignedAuthenticationResults: a signature of the list is good with the field on top of it.
func TestSignedAuthenticationResults(t *testing.T) {
	t.Parallel()
	src := testSource(claimed)
	src.authres, src.verp = ourResults, true
	text := copyOf(signedMessage(t, src, "https://site.example"), 1, 42)
	if err := verifySigned([]byte(text), 2); err != nil {
		t.Error(err)
	}
	_, below, _ := strings.Cut(text, "Authentication-Results: ")
	if strings.Contains(below, "DKIM-Signature") || !strings.HasPrefix("Authentication-Results: "+below, ourResults) {
		t.Errorf("%s", text)
	}
}

// TestNames are those of an address, of either family.
func TestNames(t *testing.T) {
	t.Parallel()
	_, d := newZone(t, map[string][]string{
		"1.2.0.192.in-addr.arpa. PTR": {"1.2.0.192.in-addr.arpa. 60 IN PTR Mx.A.example.", "1.2.0.192.in-addr.arpa. 60 IN PTR b.example."},
		"3.2.0.192.in-addr.arpa. PTR": {"NXDOMAIN"},
	})
	for _, ip := range []string{"192.0.2.1", "::ffff:192.0.2.1"} {
		got, err := d.Names(t.Context(), netip.MustParseAddr(ip))
		if err != nil || !slices.Equal(got, []string{"mx.a.example", "b.example"}) {
			t.Errorf("%s: %q, %v", ip, got, err)
		}
	}
	if _, err := d.Names(t.Context(), netip.MustParseAddr("192.0.2.3")); !errors.Is(err, ErrNoDomain) {
		t.Errorf("%v", err)
	}
	if got, err := d.Names(t.Context(), netip.MustParseAddr("2001:db8::1")); err != nil || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
}
