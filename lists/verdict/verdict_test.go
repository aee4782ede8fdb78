package verdict_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/lists/verdict"
	"muster/smtp"
)

func read(lines ...string) verdict.Message {
	return verdict.Read([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
}

func TestReadFrom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ header, address, name, fault string }{
		{"From: ann@a.example", "ann@a.example", "", ""},
		{"From: Ann Author <ann@a.example>", "ann@a.example", "Ann Author", ""},
		{"From: =?iso-8859-1?Q?J=E9r=F4me?= <j@a.example>", "j@a.example", "Jérôme", ""},
		{"From: \"bob@member.example\" <eve@evil.example>", "eve@evil.example", "bob@member.example", ""},
		{"From: J\xe9r\xf4me <j@a.example>", "j@a.example", "Jérôme", ""},
		{"From: Doe, J. [x] <j@a.example>", "j@a.example", "Doe, J. [x]", ""},
		{"From: ann@a.example (Ann)", "ann@a.example", "Ann", ""},
		{`From: " x"@d.example`, `" x"@d.example`, "", ""},
		{`From: Xenia <" x"@d.example>`, `" x"@d.example`, "Xenia", ""},
		{`From: X, Xenia <" x"@d.example>`, `" x"@d.example`, "X, Xenia", ""},
		{`From: "x"@d.example`, "x@d.example", "", ""},
		{`From: "\"ann\""@a.example`, `"\"ann\""@a.example`, "", ""}, // not ann
		{`From: "ann@a.example"@evil.example`, `"ann@a.example"@evil.example`, "", ""},
		{`From: "ann@a.example> "@evil.example`, `"ann@a.example> "@evil.example`, "", ""},
		{"From: \"a\tb\"@d.example", "", "", verdict.FaultFromParse}, // a tab is no QcontentSMTP (RFC 5321 §4.1.2)
		{"From: ann@a.example,\r\n bob@b.example", "", "", verdict.FaultManyFrom},
		{"From: a@a.example\r\nFrom: b@b.example", "b@b.example", "", verdict.FaultManyFrom},
		{"From: undisclosed-recipients:;", "", "", verdict.FaultManyFrom},
		{"From: nobody", "", "", verdict.FaultFromParse},
		{"From: <>", "", "", verdict.FaultFromParse},
		{"To: x@x.example", "", "", verdict.FaultNoFrom},
	} {
		m := read(tt.header)
		if m.From.Address.String() != tt.address || m.From.Name != tt.name || m.FromFault != tt.fault {
			t.Errorf("%q: %q %q %q", tt.header, m.From.Address, m.From.Name, m.FromFault)
		}
	}
}

func TestReadFields(t *testing.T) {
	t.Parallel()
	m := read("Received: a", "received: b", "Message-Id: junk <x@y> more", "Subject: =?utf-8?B?w6k=?=\r\n\tfolded",
		"List-Id: Some list <DEV.lists.example>", "X-BeenThere: Dev@Lists.example",
		"List-Unsubscribe: <https://l.example/leave/abcdefghijklmnopqrstuvwxyz>", "no field at all", "From: a@b.example")
	want := verdict.Message{From: m.From, MessageID: "<x@y>", Subject: "é folded", Robot: true, Received: 2,
		ListIDs: []string{"dev.lists.example"}, Marks: []string{"dev@lists.example"}, Seals: []string{"abcdefghijklmnopqrstuvwxyz"}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

func TestReadMessageID(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"<a@b>": "<a@b>", "<>": "", "a@b": "", "<a b@c>": "", "<" + strings.Repeat("a", 1000) + "@b>": "", "<\u00e9@b>": "", "<a@b": "",
	} {
		if got := read("Message-ID: " + value).MessageID; got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
}

func TestAutomatic(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Auto-Submitted: auto-replied (vacation)":     "auto-submitted",
		"Auto-Submitted: no":                          "",
		"Auto-Submitted: No; by hand":                 "",
		"Content-Type: multipart/report; boundary=x":  "report",
		"Content-Type: Multipart/Report;\r\n type=x":  "report",
		"X-Autoreply: yes":                            "x-autoreply",
		"Precedence: auto_reply":                      "precedence",
		"Precedence: bulk":                            "",
		"List-Id: <other.list.example>":               "",
		"X-Auto-Response-Suppress: OOF":               "",
		"Subject: Out of office":                      "",
		"Content-Type: multipart/mixed; a=\"report\"": "",
	} {
		if got := read(header).Automatic; got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	good := read("From: ann@a.example", "Message-ID: <1@a.example>")
	for _, tt := range []struct {
		name   string
		change func(*verdict.Facts)
		want   verdict.Action
		reason string
		answer string
	}{
		{"a member", func(f *verdict.Facts) { f.Standing.Member = true }, verdict.Accept, "policy", "member"},
		{"not a member", func(*verdict.Facts) {}, verdict.Reject, "policy", "not-member"},
		{"anyone", func(f *verdict.Facts) { f.Policy = "anyone" }, verdict.Accept, "policy", "anyone"},
		{"held", func(f *verdict.Facts) { f.Policy = "moderators"; f.Standing.Member = true }, verdict.Hold, "policy", "moderation"},
		{"a moderator", func(f *verdict.Facts) { f.Policy = "moderators"; f.Standing.Moderates = true }, verdict.Accept, "policy", "moderates"},
		{"no From", func(f *verdict.Facts) { f.Message.FromFault = "none"; f.Policy = "anyone" }, verdict.Reject, "from", "none"},
		{"own List-Id", func(f *verdict.Facts) { f.Message.ListIDs = []string{"dev.lists.example"} }, verdict.Reject, "loop", "list-id"},
		{"other List-Id", func(f *verdict.Facts) { f.Message.ListIDs = []string{"x.y"}; f.Policy = "anyone" }, verdict.Accept, "policy", "anyone"},
		{"own mark", func(f *verdict.Facts) { f.Message.Marks = []string{"dev@lists.example"} }, verdict.Reject, "loop", "mark"},
		{"own seal", func(f *verdict.Facts) { f.OwnSeal = true }, verdict.Reject, "loop", "seal"},
		{"45 hops", func(f *verdict.Facts) { f.Message.Received = 45; f.Policy = "anyone" }, verdict.Accept, "policy", "anyone"},
		{"100 hops", func(f *verdict.Facts) { f.Message.Received = 100; f.Policy = "anyone" }, verdict.Reject, "loop", "hops"},
		{"null sender", func(f *verdict.Facts) { f.NullSender = true; f.Policy = "anyone" }, verdict.Reject, "automatic", "null-sender"},
		{"automatic from an owner", func(f *verdict.Facts) { f.Message.Automatic = "report"; f.Standing.Moderates = true }, verdict.Reject, "automatic", "report"},
		{"too big", func(f *verdict.Facts) { f.Size, f.MaxSize, f.Policy = 11, 10, "anyone" }, verdict.Reject, "size", "too-big"},
		{"as big as it may be", func(f *verdict.Facts) { f.Size, f.MaxSize, f.Policy = 10, 10, "anyone" }, verdict.Accept, "policy", "anyone"},
		{"AUTH as another", func(f *verdict.Facts) { f.SignedIn = true; f.Standing.Member = true }, verdict.Reject, "author", "other"},
		{"AUTH as the author", func(f *verdict.Facts) { f.SignedIn, f.AsAuthor, f.Standing.Member = true, true, true }, verdict.Accept, "policy", "member"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := verdict.Facts{Message: good, ListID: "dev.lists.example", ListKey: "dev@lists.example", Policy: "members"}
			tt.change(&f)
			d := verdict.Judge(&f)
			if d.Action != tt.want || d.Reason != tt.reason || d.Answer != tt.answer {
				t.Errorf("%s by %s: %s", d.Action, d.Reason, d.Answer)
			}
			if last := d.Trace[len(d.Trace)-1]; last.Rule != d.Reason || last.Answer != d.Answer {
				t.Errorf("the trace does not end with what decided: %+v", d.Trace)
			}
		})
	}
}

// TestAuthentication: what was found is in the trace, and decides nothing yet.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	for answer, a := range map[string]verdict.Authentication{
		"":        {},
		"pass":    {Known: true, SPF: "pass", DMARC: "pass", Policy: "reject", Aligned: true},
		"missing": {Known: true, SPF: "fail", DKIM: "none", DMARC: "fail", Policy: "reject"},
	} {
		d := verdict.Judge(&verdict.Facts{Message: read("From: ann@a.example"), Policy: "anyone", Authentication: a})
		var steps []verdict.Step
		for _, s := range d.Trace {
			if s.Rule == verdict.RuleAuthentication {
				steps = append(steps, s)
			}
		}
		if d.Action != verdict.Accept || (len(steps) == 1) != a.Known {
			t.Errorf("%s: %s %v", answer, d.Action, steps)
			continue
		}
		if a.Known && (steps[0].Answer != answer || steps[0].Params["spf"] != a.SPF || steps[0].Params["dmarc"] != a.DMARC || steps[0].Params["policy"] != "reject") {
			t.Errorf("%s: %v", answer, steps[0])
		}
	}
}

// TestConfirm: where the list asks for it, a post that nothing shows to be its author's waits for an answer,
// if it would go anywhere at all; what would become of it then is kept.
func TestConfirm(t *testing.T) {
	t.Parallel()
	aligned := verdict.Authentication{Known: true, SPF: "pass", Aligned: true}
	for _, tt := range []struct {
		name   string
		change func(*verdict.Facts)
		want   verdict.Action
		then   verdict.Action
		code   string
		answer string
	}{
		{"nobody looked", func(*verdict.Facts) {}, verdict.Confirm, verdict.Accept, "confirm", "member"},
		{"nothing found", func(f *verdict.Facts) { f.Authentication = verdict.Authentication{Known: true, SPF: "fail"} }, verdict.Confirm, verdict.Accept, "confirm", "member"},
		{"aligned", func(f *verdict.Facts) { f.Authentication = aligned }, verdict.Accept, "", "member", "member"},
		{"AUTH", func(f *verdict.Facts) { f.SignedIn, f.AsAuthor = true, true }, verdict.Accept, "", "member", "member"},
		{"held after the answer", func(f *verdict.Facts) { f.Policy = "moderators" }, verdict.Confirm, verdict.Hold, "confirm", "moderation"},
		{"refused anyway", func(f *verdict.Facts) { f.Standing.Member = false }, verdict.Reject, "", "not-member", "not-member"},
		{"an owner", func(f *verdict.Facts) { f.Standing.Moderates = true }, verdict.Confirm, verdict.Accept, "confirm", "moderates"},
		{"trusted", func(f *verdict.Facts) { f.Policy, f.Standing.Trusted, f.Authentication = "moderators", true, aligned }, verdict.Accept, "", "trusted", "trusted"},
		{"not asked for", func(f *verdict.Facts) { f.Options.ConfirmUnauthenticated = false }, verdict.Accept, "", "member", "member"},
	} {
		f := verdict.Facts{Message: read("From: ann@a.example"), Policy: "members", Standing: verdict.Standing{Member: true}, Have: verdict.NeedAuthentication}
		f.Options.ConfirmUnauthenticated = true
		tt.change(&f)
		d := verdict.Judge(&f)
		if d.Action != tt.want || d.Then != tt.then || d.Code() != tt.code || d.Answer != tt.answer {
			t.Errorf("%s: %+v", tt.name, d)
		}
		last := d.Trace[len(d.Trace)-1]
		if f.Options.ConfirmUnauthenticated && d.Action != verdict.Reject && (last.Rule != verdict.RuleConfirm || (last.Answer == verdict.Passed) != (d.Then == "")) {
			t.Errorf("%s: the trace ends with %+v", tt.name, last)
		}
	}
}

func TestHasPassed(t *testing.T) {
	t.Parallel()
	m := read("Received: from a ([192.0.2.1])\r\n\tby lists.example (Muster) with ESMTP id x\r\n\tfor <Dev-Owner@lists.example>; Mon, 1 Jan 2024 00:00:00 +0000",
		"Received: from b by lists.example (Postfix) for <dev@lists.example>")
	owner, list := smtp.Address{Local: "dev-owner", Domain: "lists.example"}, smtp.Address{Local: "dev", Domain: "lists.example"}
	if !m.HasPassed("Lists.example", owner) || m.HasPassed("lists.example", list) || m.HasPassed("example", owner) {
		t.Errorf("passed: %q", m.Passed)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("From: a@b.example\r\nSubject: x\r\n\r\n"))
	f.Add([]byte("From: =?x?Q?=FF?= <\xff@b>\r\n\tfolded\r\nMessage-ID: <"))
	f.Add([]byte(": \r\n :\n\n\r"))
	f.Fuzz(func(t *testing.T, header []byte) {
		m := verdict.Read(header)
		if len(m.Subject) > 500 || strings.ContainsAny(m.Subject+m.From.Name+m.MessageID, "\r\n\x00") {
			t.Errorf("%+v", m)
		}
		if m.FromFault == "" && m.From.Address.Domain == "" {
			t.Errorf("no fault, no address: %q", header)
		}
	})
}
