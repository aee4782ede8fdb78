package mailauth_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"muster/lists/mailauth"
)

// A message whose fields and body are in their relaxed form already, but for the case of names and the
// space before values.
var arcFields = []string{"From: Ann <ann@a.example>", "Subject: Hello"}

const arcBody = "Hello there.\r\n"

// relaxed is the relaxed form of such a field.
func relaxed(field string) string {
	name, value, _ := strings.Cut(field, ": ")
	return strings.ToLower(name) + ":" + value + "\r\n"
}

func arcSign(text string) string {
	sum := sha256.Sum256([]byte(strings.TrimSuffix(text, "\r\n")))
	return base64.StdEncoding.EncodeToString(ed25519.Sign(key(), sum[:]))
}

// chain is a message with some sets, the fields of each in the order seal, message, results. change may
// change what is signed, by the names "cv", "seal", "message".
func chain(n int, change func(n int, what, text string) string) []string {
	if change == nil {
		change = func(_ int, _, text string) string { return text }
	}
	sum := sha256.Sum256([]byte(arcBody))
	var header []string
	var sealed string
	for i := 1; i <= n; i++ {
		cv := "pass"
		if i == 1 {
			cv = "none"
		}
		results := fmt.Sprintf("ARC-Authentication-Results: i=%d; hop%d.example; spf=pass; dkim=none", i, i)
		message := change(i, "message", fmt.Sprintf("ARC-Message-Signature: i=%d; a=ed25519-sha256; c=relaxed/relaxed; d=hop%d.example; s=s; h=from:subject:subject; bh=%s; b=",
			i, i, base64.StdEncoding.EncodeToString(sum[:])))
		message += arcSign(relaxed(arcFields[0]) + relaxed(arcFields[1]) + relaxed(message))
		seal := change(i, "seal", fmt.Sprintf("ARC-Seal: i=%d; a=ed25519-sha256; d=hop%d.example; s=s; cv=%s; b=", i, i, change(i, "cv", cv)))
		sealed += relaxed(results) + relaxed(message)
		seal += arcSign(sealed + relaxed(seal))
		sealed += relaxed(seal)
		header = slices.Concat([]string{seal, message, results}, header)
	}
	return slices.Concat(header, arcFields)
}

func arcZone() map[string][]string {
	z := map[string][]string{}
	for i := range 60 {
		z[fmt.Sprintf("TXT s._domainkey.hop%d.example", i)] = []string{keyRecord()}
	}
	return z
}

func TestARC(t *testing.T) {
	t.Parallel()
	edit := func(lines []string, old, text string) string {
		return strings.Replace(strings.Join(lines, "\r\n")+"\r\n\r\n"+arcBody, old, text, 1)
	}
	for _, tt := range []struct {
		name string
		text string
		zone map[string][]string
		want mailauth.Value
	}{
		{"no set", edit(arcFields, "", ""), nil, ""},
		{"one set", edit(chain(1, nil), "", ""), nil, "pass"},
		{"three sets", edit(chain(3, nil), "", ""), nil, "pass"},
		{"fifty sets", edit(chain(50, nil), "", ""), nil, "pass"},
		{"too many", edit(chain(51, nil), "", ""), nil, "fail"},
		{"folded on the way", edit(chain(2, nil), "; cv=pass; ", ";\r\n\tcv=pass; "), nil, "pass"},
		{"cv is signed", edit(chain(2, nil), "; cv=pass; ", ";\r\n\tcv=Pass; "), nil, "fail"},
		{"another's name", edit(chain(2, nil), "ARC-Seal: i=2", "arc-SEAL :  i=2"), nil, "pass"},
		{"the subject was changed since", edit(chain(2, nil), "Subject: Hello", "Subject: Bye"), nil, "fail"},
		{"the body was changed since", edit(chain(2, nil), "there", "all"), nil, "fail"},
		{"a second subject", edit(chain(1, nil), "From:", "Subject: another\r\nFrom:"), nil, "fail"},
		{"results were changed", edit(chain(2, nil), "hop1.example; spf=pass", "hop1.example; spf=fail"), nil, "fail"},
		{"a set is missing", edit(chain(2, nil)[:3], "", "From: x@a.example\r\n"), nil, "fail"},
		{"a seal is missing", edit(chain(2, nil)[1:], "", ""), nil, "fail"},
		{"a field twice", edit(append([]string{"ARC-Authentication-Results: i=1; x"}, chain(1, nil)...), "", ""), nil, "fail"},
		{"number 0", edit(append([]string{"ARC-Seal: i=0; cv=none"}, chain(1, nil)...), "", ""), nil, "fail"},
		{"no number", edit(append([]string{"ARC-Authentication-Results: x; i=1"}, chain(1, nil)...), "", ""), nil, "fail"},
		{"the one before found it broken", edit(chain(2, func(n int, what, text string) string {
			if n == 2 && what == "cv" {
				return "fail"
			}
			return text
		}), "", ""), nil, "fail"},
		{"the first found something before it", edit(chain(1, func(_ int, what, text string) string {
			if what == "cv" {
				return "pass"
			}
			return text
		}), "", ""), nil, "fail"},
		{"a seal with h=", edit(chain(1, func(_ int, what, text string) string {
			if what == "seal" {
				return strings.Replace(text, "s=s;", "s=s; h=from;", 1)
			}
			return text
		}), "", ""), nil, "fail"},
		{"without From", edit(chain(1, func(_ int, what, text string) string { return strings.Replace(text, "h=from:", "h=", 1) }), "", ""), nil, "fail"},
		{"part of the body", edit(chain(1, func(_ int, what, text string) string {
			if what == "message" {
				return strings.Replace(text, "s=s;", "s=s; l=5;", 1)
			}
			return text
		}), "", ""), nil, "fail"},
		{"no key", edit(chain(2, nil), "", ""), map[string][]string{"TXT s._domainkey.hop1.example": nil}, "fail"},
		{"another key", edit(chain(2, nil), "", ""), map[string][]string{"TXT s._domainkey.hop1.example": {
			"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}, "fail"},
		{"a key that cannot be had", edit(chain(2, nil), "", ""), map[string][]string{"TXT s._domainkey.hop1.example": {"fails"}}, "temperror"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := &zone{records: arcZone()}
			maps.Copy(z.records, tt.zone)
			f := check(t, z, withText(mail("x@b.example", "ann@a.example"), tt.text))
			if got := f.Value("arc"); got != tt.want || f.Aligned {
				t.Errorf("arc=%q, want %q, aligned %v\n%s", got, tt.want, f.Aligned, f.Field("x"))
			}
			if tt.want == "pass" && !strings.Contains(f.Field("x"), ";\r\n\tarc=pass header.d=hop") {
				t.Error(f.Field("x"))
			}
		})
	}
}

// TestARCCorpus: chains of others are read as far as their keys, without which they are not believed.
func TestARCCorpus(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"rspamd-arcallow.eml":          "arc-20160816._domainkey.google.com",
		"list-arc-9a2bdaf382.eml":      "arc-20240116._domainkey.subspace.kernel.org",
		"mox-tlsreports_microsoft.eml": "arcselector9901._domainkey.microsoft.com",
		"rspamd-arcbad.eml":            "", // which is no chain
	} {
		z := &zone{}
		f := check(t, z, withText(mail("", "ann@a.example"), shared(t, name)))
		if f.Value("arc") != mailauth.Fail || key != "" && !slices.Contains(z.questions("TXT"), key) {
			t.Errorf("%s: asked %q\n%s", name, z.questions("TXT"), f.Field("x"))
		}
		if key == "" && !strings.Contains(f.Field("x"), "the chain is not whole") {
			t.Errorf("%s: %s", name, f.Field("x"))
		}
	}
}
