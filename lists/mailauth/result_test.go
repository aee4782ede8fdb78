package mailauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/lists/mailauth"
	"muster/smtp"
)

func result(method, value, reason string, props ...string) mailauth.Result {
	r := mailauth.Result{Method: method, Value: mailauth.Value(value), Reason: reason}
	for i := 0; i < len(props); i += 2 {
		r.Props = append(r.Props, mailauth.Prop{Name: props[i], Value: props[i+1]})
	}
	return r
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		id   string // "" for a field that is none
		want []mailauth.Result
	}{
		{" example.com; none", "example.com", nil},
		{" example.com 1; none", "example.com", nil},
		{" example.com 2; spf=pass", "", nil},
		{" example.com;", "example.com", nil},
		{" example.com", "example.com", nil},
		{"", "", nil},
		{" ;spf=pass", "", nil},
		{" spf=pass smtp.mailfrom=a.example; dkim=pass", "", nil}, // as Exchange writes it
		{" example.com; spf=pass smtp.mailfrom=example.net", "example.com", []mailauth.Result{result("spf", "pass", "", "smtp.mailfrom", "example.net")}},
		{" mx.google.com;\r\n       dkim=pass header.i=@outlook.com header.s=selector1 header.b=CjJhz37G;\r\n       arc=pass (i=1);\r\n" +
			"       spf=pass (google.com: domain of t@outlook.com designates 192.0.2.1 as permitted sender) smtp.mailfrom=t@outlook.com;\r\n" +
			"       dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=outlook.com\r\n", "mx.google.com", []mailauth.Result{
			result("dkim", "pass", "", "header.i", "@outlook.com", "header.s", "selector1", "header.b", "CjJhz37G"), result("arc", "pass", ""),
			result("spf", "pass", "", "smtp.mailfrom", "t@outlook.com"), result("dmarc", "pass", "", "header.from", "outlook.com")}},
		{" (a (nested \\) comment)) example.com (;) 1 (x); (y) DKIM (z) / (v) 1 (w) = (a) Pass (b) reason (c) = (d) \"a;\\\"b\" (e) header (f) . (g) D (h) = (i) a.example (j)",
			"example.com", []mailauth.Result{result("dkim", "pass", `a;"b`, "header.d", "a.example")}},
		{` "quoted id"; auth=pass smtp.auth="o; dkim=pass header.d=evil"@x`, "quoted id", []mailauth.Result{result("auth", "pass", "", "smtp.auth", `o; dkim=pass header.d=evil`)}},
		// What a sender wrote does not become a result.
		{` x.example; spf=fail reason="no; dmarc=pass header.from=a.example" smtp.mailfrom=e.example`, "x.example",
			[]mailauth.Result{result("spf", "fail", "no; dmarc=pass header.from=a.example", "smtp.mailfrom", "e.example")}},
		{` x.example; spf=fail (no; dmarc=pass header.from=a.example) smtp.mailfrom=e.example`, "x.example",
			[]mailauth.Result{result("spf", "fail", "", "smtp.mailfrom", "e.example")}},
		{` x.example; spf=fail (never ending; dmarc=pass`, "x.example", []mailauth.Result{result("spf", "fail", "")}},
		{` x.example; spf=fail reason="never ending; dmarc=pass`, "x.example", []mailauth.Result{result("spf", "fail", "")}},
		{` x.example; junk; =; spf; dkim=; dmarc=fail junk header.from=a`, "x.example", []mailauth.Result{result("dmarc", "fail", "")}},
		{` x.example; spf=fail ]"; dmarc=pass" ; dkim=none`, "x.example", []mailauth.Result{result("spf", "fail", ""), result("dkim", "none", "")}},
		{" x.example; dkim=pass; " + strings.Repeat("x", 1000) + "=pass; a=" + strings.Repeat("y", 1000), "x.example", []mailauth.Result{result("dkim", "pass", "")}},
		{` x.example; dkim=pass header.b="a/b=" header.x=a/b= `, "x.example", []mailauth.Result{result("dkim", "pass", "", "header.b", "a/b=", "header.x", "a/b=")}},
	} {
		id, got, err := mailauth.Read(tt.text)
		if id != tt.id || (err != nil) != (tt.id == "") {
			t.Errorf("%q: %q, %v", tt.text, id, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q:\n%s", tt.text, diff)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	byServer := func(value, authserv string) bool {
		const before, after = "Subject: x\r\n", "To: y\r\n\r\n"
		field := "authentication-Results :" + value + "\r\n"
		left := string(mailauth.Without([]byte(before+field+after), authserv))
		if left != before+after && left != before+field+after {
			t.Errorf("left %q of %q", left, field)
		}
		return left == before+after
	}
	for text, want := range map[string]bool{
		" lists.example; dkim=pass": true, " LISTS.Example ; none": true, "\r\n\tlists.example;none": true, "lists.example": true,
		" (x)lists.example(y) 1; none": true, ` "lists.example"; none`: true, ` "li\sts.example"; none`: true,
		" lists.example junk; dkim=pass": true, " lists.example\x00; dkim=pass": true, ` "lists.example; dkim=pass`: true, // who knows how it is read
		" other.example; dkim=pass": false, " xlists.example; none": false, " lists.example.evil; none": false, " mx (lists.example); none": false,
	} {
		if got := byServer(text, "lists.example"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if !byServer(" bücher.example; none", "xn--bcher-kva.example") {
		t.Error("a U-label is not its A-label")
	}
}

// TestField: what is written is read again, and nothing in it ends the field or the value.
func TestField(t *testing.T) {
	t.Parallel()
	f := mailauth.Finding{Results: []mailauth.Result{
		result("spf", "pass", "", "smtp.mailfrom", "a.example"),
		result("dkim", "fail", "evil\r\nBcc: x; dkim=pass (\"\\", "header.d", "a.example; dmarc=pass", "header.b", "a/b=", "header.s", "é"),
		result("dkim", "permerror", strings.Repeat("long ", 100), "header.d", strings.Repeat("x", 300)),
	}}
	text := f.Field("lists.example")
	want := "Authentication-Results: lists.example;\r\n" +
		"\tspf=pass smtp.mailfrom=a.example;\r\n" +
		"\tdkim=fail reason=\"evil??Bcc: x; dkim=pass (\\\"\\\\\"\r\n" +
		"\t\theader.d=\"a.example; dmarc=pass\" header.b=\"a/b=\" header.s=\"?\";\r\n"
	if !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "\r\n") {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(line) > 150 || line == "" {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
	id, got, err := mailauth.Read(strings.TrimPrefix(text, "Authentication-Results:"))
	if err != nil || id != "lists.example" || len(got) != 3 || got[1].Prop("header.d") != "a.example; dmarc=pass" || got[1].Value != "fail" {
		t.Errorf("%q %v %v", id, got, err)
	}
	if text := (&mailauth.Finding{}).Field("lists.example"); text != "Authentication-Results: lists.example; none\r\n" {
		t.Errorf("%q", text)
	}
	if text := (&mailauth.Finding{}).Field("a b"); text != "Authentication-Results: \"a b\"; none\r\n" {
		t.Errorf("%q", text)
	}
}

func TestTaken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		header  string
		author  string
		want    string
		aligned bool
	}{
		{"DMARC", "Authentication-Results: mx.example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "dmarc=pass", true},
		{"for another author", "Authentication-Results: mx.example; dmarc=pass header.from=b.example\r\n", "ann@a.example", "dmarc=pass", false},
		{"without saying for whom", "Authentication-Results: mx.example; dmarc=pass\r\n", "ann@a.example", "dmarc=pass", false},
		{"several fields", "Authentication-Results: mx.example; spf=pass smtp.mailfrom=x@a.example\r\nSubject: x\r\n" +
			"authentication-results: MX.example;\r\n dkim=fail header.d=a.example\r\n", "ann@a.example", "spf=pass dkim=fail", true},
		{"DKIM with i=", "Authentication-Results: mx.example; dkim=pass header.i=ann@a.example\r\n", "ann@a.example", "dkim=pass", true},
		{"DKIM of another", "Authentication-Results: mx.example; dkim=pass header.d=b.example header.i=@a.example\r\n", "ann@a.example", "dkim=pass", false},
		{"of a server we do not know", "Authentication-Results: evil.example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"in the body", "Subject: x\r\n\r\nAuthentication-Results: mx.example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"a space before the colon", "Authentication-Results : mx.example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"in quotes", "Authentication-Results: \"mx.example\"; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"after a comment", "Authentication-Results: (c) mx.example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"with a version", "Authentication-Results: mx.example 1; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"in other dots", "Authentication-Results: mx\u3002example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"in wide letters", "Authentication-Results: \uff4dx.example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"with a soft hyphen", "Authentication-Results: m\u00adx.example; dmarc=pass header.from=a.example\r\n", "ann@a.example", "", false},
		{"no author", "Authentication-Results: mx.example; dmarc=pass header.from=\"\"\r\n", "", "dmarc=pass", false},
	} {
		f := mailauth.Taken([]byte(tt.header), "mx.example", address(tt.author))
		var got []string
		for _, r := range f.Results {
			got = append(got, fmt.Sprintf("%s=%s", r.Method, r.Value))
		}
		if strings.Join(got, " ") != tt.want || f.Aligned != tt.aligned {
			t.Errorf("%s: %q %v", tt.name, got, f.Aligned)
		}
	}
	many := mailauth.Taken([]byte(strings.Repeat("Authentication-Results: mx.example; spf=pass; dkim=pass\r\n", 1000)), "mx.example", address(""))
	if len(many.Results) > 32 {
		t.Errorf("%d results", len(many.Results))
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	f := mailauth.Finding{Results: []mailauth.Result{result("dkim", "fail", ""), result("dkim", "pass", ""), result("dkim", "temperror", "")}}
	if f.Value("dkim") != mailauth.Pass || f.Value("spf") != "" {
		t.Errorf("%q %q", f.Value("dkim"), f.Value("spf"))
	}
}

// FuzzRead: whatever a field holds, what is read of it is bounded, and is read the same again once it is
// written.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		" example.com; spf=pass smtp.mailfrom=a@b; dkim=fail (x) reason=\"y\" header.b=\"z/=\"", ` "a;b" 1;`, "(((", " x; a=b \"", "\\", " x;a/1=b c.d=e(f)g",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, found, err := mailauth.Read(text)
		if err != nil {
			return
		}
		if len(found) > 32 || id == "" {
			t.Fatalf("%q: %d results by %q", text, len(found), id)
		}
		finding := mailauth.Finding{Results: found}
		field := finding.Field(id)
		if strings.Contains(strings.ReplaceAll(strings.TrimSuffix(field, "\r\n"), "\r\n\t", ""), "\n") {
			t.Fatalf("%q ends before its end: %q", text, field)
		}
		_, again, err := mailauth.Read(strings.TrimPrefix(field, "Authentication-Results:"))
		if err != nil || len(again) != len(found) {
			t.Fatalf("%q: %d results, then %d: %v", text, len(found), len(again), err)
		}
		for i := range found {
			if again[i].Method != found[i].Method || again[i].Value != found[i].Value {
				t.Fatalf("%q: %v, then %v", text, found[i], again[i])
			}
		}
	})
}

// FuzzCheck: no message makes a check panic, or takes its author's domain for another.
func FuzzCheck(f *testing.F) {
	signed := sign(f, "b.example", plain, nil)
	f.Add([]byte(signed), "x@b.example", "mx.b.example")
	f.Add([]byte("ARC-Seal: i=1\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1;x\r\n\r\n"), "", "[]")
	f.Add([]byte(strings.Join(chain(2, nil), "\r\n")+"\r\n\r\n"+arcBody), "x@b.example", "mx.b.example")
	f.Add([]byte("DKIM-Signature: v=1; a=; b==; d=..; s=.; h=from\r\n: \r\n\r"), "\"@\"@b.example", "\\")
	f.Fuzz(func(t *testing.T, text []byte, from, hello string) {
		m := withText(mail("", "ann@a.example"), string(text))
		m.Hello = hello
		if a, err := smtp.ParseAddress(from); err == nil {
			m.From = a
		}
		z := &zone{records: map[string][]string{
			"TXT b.example": {spfPass}, "TXT s._domainkey.b.example": {keyRecord()}, "TXT _dmarc.a.example": {"v=DMARC1; p=reject"},
			"TXT s._domainkey.hop1.example": {keyRecord()}, "TXT s._domainkey.hop2.example": {keyRecord()},
		}}
		finding := check(t, z, m)
		if finding.Aligned {
			t.Fatalf("%q is a.example's: %s", text, finding.Field("x"))
		}
	})
}
