package mailauth_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	signer "github.com/emersion/go-msgauth/dkim"

	"muster/lists/mailauth"
)

// key is a key for tests, the same in each run.
func key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

func keyRecord() string {
	return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key().Public().(ed25519.PublicKey))
}

// sign signs a message for a domain, with the selector s.
func sign(t testing.TB, domain, text string, change func(*signer.SignOptions)) string {
	t.Helper()
	o := &signer.SignOptions{
		Domain: domain, Selector: "s", Signer: key(),
		HeaderCanonicalization: signer.CanonicalizationRelaxed, BodyCanonicalization: signer.CanonicalizationRelaxed,
	}
	if change != nil {
		change(o)
	}
	var b strings.Builder
	if err := signer.Sign(&b, strings.NewReader(text), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const plain = "From: Ann <ann@a.example>\r\nSubject: Hello\r\n\r\nHello there.\r\n"

func TestDKIM(t *testing.T) {
	t.Parallel()
	signed := sign(t, "a.example", plain, nil)
	where := "TXT s._domainkey.a.example"
	for _, tt := range []struct {
		name    string
		text    string
		records []string
		want    mailauth.Value
		aligned bool
	}{
		{"good", signed, []string{keyRecord()}, "pass", true},
		{"below a stranger's", sign(t, "b.example", signed, nil), []string{keyRecord()}, "pass", true},
		{"of a stranger", sign(t, "b.example", plain, nil), []string{keyRecord()}, "pass", false},
		{"none", plain, nil, "none", false},
		{"the body was changed", strings.Replace(signed, "there", "all", 1), []string{keyRecord()}, "fail", false},
		{"the subject was changed", strings.Replace(signed, "Subject: Hello", "Subject: Bye", 1), []string{keyRecord()}, "fail", false},
		{"a second From on top", "From: x@evil.example\r\n" + signed, []string{keyRecord()}, "pass", true}, // which is no post
		{"no key", signed, nil, "permerror", false},
		{"a revoked key", signed, []string{"v=DKIM1; k=ed25519; p="}, "permerror", false},
		{"several keys", signed, []string{keyRecord(), keyRecord()}, "permerror", false},
		{"a key of megabytes", signed, []string{"v=DKIM1; p=" + strings.Repeat("A", 1<<20)}, "permerror", false},
		{"a key that cannot be had", signed, []string{"fails"}, "temperror", false},
		{"expired", sign(t, "a.example", plain, func(o *signer.SignOptions) { o.Expiration = time.Unix(1_600_000_000, 0) }),
			[]string{keyRecord()}, "permerror", false},
		{"junk", "DKIM-Signature: ;;=;\r\n" + plain, nil, "permerror", false},
		{"a domain that is none", sign(t, "a.example(.evil.example", plain, nil), nil, "permerror", false},
		{"a name that is none", strings.Replace(signed, "s=s;", "s=s\\..evil;", 1), []string{keyRecord()}, "permerror", false},
		{"of which one reader sees another domain", strings.Replace(signed, "d=a.example;", "D=a.example; \vd=b.example;", 1), []string{keyRecord()}, "permerror", false},
		{"with white space of no mail", strings.Replace(signed, "s=s;", "s=\u00a0s;", 1), []string{keyRecord()}, "permerror", false},
		{"below a line that is no field", "DKIM-Signature\r\n" + signed, []string{keyRecord()}, "permerror", false},
		{"below a field with a name that is none", "DKIM-Signature\f: x\r\n" + signed, []string{keyRecord()}, "permerror", false},
		{"for a part of the body only", strings.Replace(signed, "; s=s", "; l=5; s=s", 1), []string{keyRecord()}, "fail", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := &zone{records: map[string][]string{where: tt.records, "TXT s._domainkey.b.example": {keyRecord()},
				"TXT s._domainkey.a.example(.evil.example": {keyRecord()}}}
			f := check(t, z, withText(mail("x@bounces.example", "ann@a.example"), tt.text))
			if got := f.Value("dkim"); got != tt.want || f.Aligned != tt.aligned {
				t.Errorf("dkim=%s aligned %v, want %s %v\n%s", got, f.Aligned, tt.want, tt.aligned, f.Field("x"))
			}
		})
	}
}

// TestVerifiedDomainIsShown: what is said of a signature is what was verified, however it is written.
func TestVerifiedDomainIsShown(t *testing.T) {
	t.Parallel()
	signed := strings.Replace(sign(t, "b.example", plain, nil), "d=b.example;", "D=a.example; d=b.example;", 1)
	z := &zone{records: map[string][]string{"TXT s._domainkey.b.example": {keyRecord()}, "TXT s._domainkey.a.example": {keyRecord()}}}
	f := check(t, z, withText(mail("", "ann@a.example"), signed))
	if field := f.Field("x"); strings.Contains(field, "header.d=a.example") || f.Aligned {
		t.Error(field)
	}
}

// TestDKIMExpires: by the clock of the Checker, which for the library is still to come.
func TestDKIMExpires(t *testing.T) {
	t.Parallel()
	text := sign(t, "a.example", plain, func(o *signer.SignOptions) { o.Expiration = time.Now().Add(24 * time.Hour) })
	z := &zone{records: map[string][]string{"TXT s._domainkey.a.example": {keyRecord()}}}
	for wait, want := range map[time.Duration]mailauth.Value{time.Hour: "pass", 48 * time.Hour: "permerror"} {
		c := &mailauth.Checker{DNS: z, Now: func() time.Time { return time.Now().Add(wait) }}
		f := c.Check(t.Context(), withText(mail("", "ann@a.example"), text))
		if got := f.Value("dkim"); got != want {
			t.Errorf("after %s: %s", wait, got)
		}
	}
}

func TestManySignatures(t *testing.T) {
	t.Parallel()
	text := plain
	z := &zone{records: map[string][]string{}}
	for i := range 20 {
		domain := fmt.Sprintf("d%d.example", i)
		text = sign(t, domain, text, nil)
		z.records["TXT s._domainkey."+domain] = []string{keyRecord()}
	}
	for size, want := range map[int64]int{0: 8, 4 << 20: 8, 10 << 20: 3, 25 << 20: 2, 1 << 40: 2} {
		z.asked = nil
		m := withText(mail("", "ann@a.example"), text)
		m.Size = size // hashing what is larger takes longer
		f := check(t, z, m)
		passed := 0
		for _, r := range f.Results {
			if r.Method == "dkim" && r.Value == mailauth.Pass {
				passed++
			}
		}
		keys := 0
		for _, q := range z.questions("TXT") {
			if strings.Contains(q, "_domainkey") {
				keys++
			}
		}
		if passed != want || keys != want {
			t.Errorf("of %d octets: %d passed, %d keys asked for, want %d\n%s", size, passed, keys, want, f.Field("x"))
		}
	}
}

// TestHostileHeader: what would cost a verifier more than it is worth is not given to it.
func TestHostileHeader(t *testing.T) {
	t.Parallel()
	signed := sign(t, "a.example", plain, nil)
	for name, text := range map[string]string{
		"folded": "X: " + strings.Repeat("a\r\n ", 60_000) + "\r\n" + signed,
		"long":   strings.Replace(signed, "h=", "x="+strings.Repeat("x", 10_000)+"; h=", 1),
		"names":  strings.Replace(signed, "h=", "h="+strings.Repeat("x:", 300), 1),
	} {
		z := &zone{records: map[string][]string{"TXT s._domainkey.a.example": {keyRecord()}}}
		f := check(t, z, withText(mail("", "ann@a.example"), text))
		if got := f.Value("dkim"); got != mailauth.PermError || len(z.questions("TXT")) > 10 {
			t.Errorf("%s: dkim=%s, asked %q", name, got, z.questions("TXT"))
		}
	}
}

// TestNoBody: a message may be a header without the empty line that ends one.
func TestNoBody(t *testing.T) {
	t.Parallel()
	text := sign(t, "a.example", "From: ann@a.example\r\nSubject: x\r\n\r\n", nil)
	z := &zone{records: map[string][]string{"TXT s._domainkey.a.example": {keyRecord()}}}
	for _, cut := range []string{"", "\r\n"} {
		f := check(t, z, withText(mail("", "ann@a.example"), strings.TrimSuffix(text, cut)))
		if f.Value("dkim") != mailauth.Pass {
			t.Errorf("without %q: %s", cut, f.Field("x"))
		}
	}
}

// shared is a file of the corpora, its lines ended by CR LF; without them the test is skipped.
func shared(t *testing.T, name string) string {
	t.Helper()
	root := filepath.Join("..", "..", "..", "shared", "corpus", "mime")
	if _, err := os.Stat(root); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no corpora here")
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n")
}

// TestDKIMCorpus: what others signed, with their keys.
func TestDKIMCorpus(t *testing.T) {
	t.Parallel()
	shared(t, "dkimpy-keys/test.txt")
	gmail, _ := pem.Decode([]byte(strings.ReplaceAll(shared(t, "mimekit-key-gmail.pub.txt"), "\r\n", "\n")))
	if gmail == nil {
		t.Fatal("no key of Gmail")
	}
	rsa := strings.TrimSpace(shared(t, "dkimpy-keys/test.txt"))
	z := map[string][]string{
		"TXT 20120113._domainkey.gmail.com":                {"v=DKIM1; p=" + base64.StdEncoding.EncodeToString(gmail.Bytes)},
		"TXT test._domainkey.football.example.com":         {rsa},
		"TXT sed._domainkey.test.ex":                       {strings.TrimSpace(shared(t, "dkimpy-keys/eximtest.dns"))},
		"TXT brisbane._domainkey.football.example.com":     {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
		"TXT test._domainkey.legitimate.com(.attacker.com": {rsa},
	}
	for name, want := range map[string]string{
		"dkimpy-rfc6376.signed.rsa.eml":     "pass",
		"mimekit-dkim_rfc8463-example.eml":  "pass pass",
		"mimekit-dkim_gmail.eml":            "pass",
		"mimekit-dkim_related.eml":          "pass",
		"dkimpy-ed25519test2.eml":           "pass",
		"dkimpy-message.eml":                "permerror", // its key is not there
		"dkimpy-test.message.baddomain.eml": "permerror", // a domain made to look like another
		"rspamd-ed25519-broken.eml":         "fail fail",
	} {
		f := check(t, &zone{records: z}, withText(mail("", "ann@a.example"), shared(t, name)))
		var got []string
		for _, r := range f.Results {
			if r.Method == "dkim" {
				got = append(got, string(r.Value))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q\n%s", name, got, f.Field("x"))
		}
	}
}

// TestCheckCorpora: no mail that people or spammers sent is too much for a check, and none is taken for
// that of a domain whose keys nobody has.
func TestCheckCorpora(t *testing.T) {
	t.Parallel()
	shared(t, "dkimpy-message.eml")
	n := 0
	for _, folder := range []string{"mime", "spam", "autoreply"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "corpus", folder, "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := filepath.Join("..", folder, filepath.Base(file))
			f := check(t, &zone{}, withText(mail("x@b.example", "ann@a.example"), shared(t, name)))
			if f.Aligned || f.Value("spf") != mailauth.None || f.Value("dkim") == "" || f.Value("dkim") == mailauth.Pass || f.Value("dmarc") != mailauth.None || f.Value("arc") == mailauth.Pass {
				t.Errorf("%s: %s", name, f.Field("x"))
			}
			if _, found, err := mailauth.Read(strings.TrimPrefix(f.Field("x"), "Authentication-Results:")); err != nil || len(found) != len(f.Results) {
				t.Errorf("%s: %d of %d results are read again, %v\n%s", name, len(found), len(f.Results), err, f.Field("x"))
			}
			n++
		}
	}
	if n < 500 {
		t.Errorf("only %d messages", n)
	}
}
