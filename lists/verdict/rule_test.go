package verdict_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"muster/lists/verdict"
	"muster/smtp"
)

// everything is known, so that Judge asks for nothing.
const everything = verdict.Need(1<<16 - 1)

// options reads what a list chose.
func options(t testing.TB, pairs ...string) verdict.Options {
	t.Helper()
	values := map[string]string{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if !slices.ContainsFunc(verdict.OptionTable(), func(o verdict.Option) bool { return o.Key == key }) {
			t.Fatalf("there is no option %s", key)
		}
		values[key] = value
	}
	o, err := verdict.ReadOptions(values)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// facts are those of a plain post of a member.
func facts(t testing.TB, pairs ...string) verdict.Facts {
	return with(verdict.Facts{
		ListID: "dev.lists.example", ListKey: "dev@lists.example", Policy: "members", Standing: verdict.Standing{Member: true},
		Options: options(t, pairs...), Have: everything, Size: 1000,
	}, "From: ann@a.example", "To: dev@lists.example", "Subject: Tulips", "Message-ID: <1@a.example>")
}

// with gives a post another header.
func with(f verdict.Facts, lines ...string) verdict.Facts {
	f.Header = []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
	f.Message = verdict.Read(f.Header)
	return f
}

// subject gives a post another subject, "" for none.
func subject(f verdict.Facts, s string) verdict.Facts {
	return with(f, "From: ann@a.example", "To: dev@lists.example", "Subject: "+s)
}

func header(lines ...string) func(*verdict.Facts) {
	return func(f *verdict.Facts) {
		*f = with(*f, append([]string{"From: ann@a.example", "To: dev@lists.example", "Subject: Tulips"}, lines...)...)
	}
}

func stranger(f *verdict.Facts) { f.Standing = verdict.Standing{} }

func moderator(f *verdict.Facts) { f.Standing = verdict.Standing{Moderates: true} }

func trusted(f *verdict.Facts) { f.Standing.Trusted = true }

func newcomer(f *verdict.Facts) { f.Standing.New = true }

func aligned(f *verdict.Facts) {
	f.Authentication = verdict.Authentication{Known: true, SPF: "pass", Aligned: true}
}

func forged(f *verdict.Facts) {
	f.Authentication = verdict.Authentication{Known: true, SPF: "fail", DKIM: "none", DMARC: "fail", Policy: "reject"}
}

func text(s string) func(*verdict.Facts) { return func(f *verdict.Facts) { f.Text = s } }

// TestRules: each rule with what it is set by, what it finds, and what it leaves alone.
func TestRules(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	approved := header("Approved: secret")
	for _, tt := range []struct {
		name   string
		chosen []string
		change []func(*verdict.Facts)
		want   string // action, code and answer
	}{
		{"a plain post", nil, nil, "accept member member"},
		{"of anyone", nil, []func(*verdict.Facts){stranger, func(f *verdict.Facts) { f.Policy = "anyone" }}, "accept anyone anyone"},
		{"to be read first", nil, []func(*verdict.Facts){func(f *verdict.Facts) { f.Policy = "moderators" }}, "hold moderation moderation"},
		{"larger than the server takes", nil, []func(*verdict.Facts){func(f *verdict.Facts) { f.MaxSize = 999 }}, "reject size too-big"},
		{"a list with a password, and none in the post", []string{"approve_password=hash"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Have &^= verdict.NeedPassword }}, "accept member member"},
		{"of whom nothing is known", []string{"dmarc_fail=reject"}, nil, "accept member member"},
		{"a header rule of the site", []string{"header_rules=accept Subject tulips"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.SiteRules = options(t, "header_rules=reject Subject tulips").HeaderRules }}, "reject header site"},
		{"no command", []string{"misplaced_command=hold"}, nil, "accept member member"},
		{"a command to join", []string{"misplaced_command=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "join") }}, "hold command join"},
		{"a question", []string{"misplaced_command=discard"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "help") }}, "discard command other"},
		{"a member who is discarded", nil, []func(*verdict.Facts){func(f *verdict.Facts) { f.Standing.Moderation = verdict.Discard }}, "discard override discard"},
		{"banned", nil, []func(*verdict.Facts){func(f *verdict.Facts) {
			f.Banned, f.Ban = true, &verdict.Ban{Pattern: "@a.example", Site: true, Action: verdict.Discard}
		}}, "discard ban site"},
		{"others are banned", nil, []func(*verdict.Facts){func(f *verdict.Facts) { f.Banned = true }}, "accept member member"},
		{"larger than the list takes", []string{"max_size=999"}, nil, "hold size over"},
		{"refused for its size", []string{"max_size=999", "too_big=reject"}, nil, "reject size over"},
		{"as large as the list takes", []string{"max_size=1000"}, nil, "accept member member"},
		{"the right password", []string{"approve_password=hash", "emergency=true"}, []func(*verdict.Facts){approved, stranger, func(f *verdict.Facts) { f.Password = verdict.PasswordRight }}, "accept approved right"},
		{"the right password lets out what is too large", []string{"approve_password=hash", "max_size=1"}, []func(*verdict.Facts){approved, func(f *verdict.Facts) { f.Password = verdict.PasswordRight }}, "accept approved right"},
		{"the right password and a ban", []string{"approve_password=hash"}, []func(*verdict.Facts){approved, func(f *verdict.Facts) {
			f.Password, f.Banned, f.Ban = verdict.PasswordRight, true, &verdict.Ban{Action: verdict.Reject}
		}}, "reject ban list"},
		{"a wrong password", []string{"approve_password=hash"}, []func(*verdict.Facts){approved, stranger}, "reject not-member not-member"},
		{"a password that nobody looked at", []string{"approve_password=hash", "emergency=true"}, []func(*verdict.Facts){approved, func(f *verdict.Facts) { f.Password = verdict.PasswordUnread }}, "hold emergency on"},
		{"a password in the text", []string{"approve_password=hash"}, []func(*verdict.Facts){text("\n Approved: secret\n\nHello"), func(f *verdict.Facts) { f.Have &^= verdict.NeedPassword }}, "hold approved in-text"},
		{"a password where the list has none", nil, []func(*verdict.Facts){approved}, "accept member member"},
		{"emergency", []string{"emergency=true"}, nil, "hold emergency on"},
		{"emergency, of an owner", []string{"emergency=true"}, []func(*verdict.Facts){moderator}, "hold emergency on"},
		{"emergency, of a stranger", []string{"emergency=true"}, []func(*verdict.Facts){stranger}, "reject not-member not-member"},
		{"forged", nil, []func(*verdict.Facts){forged}, "accept member member"},
		{"forged, DMARC fails", []string{"dmarc_fail=reject"}, []func(*verdict.Facts){forged}, "reject authentication dmarc"},
		{"DMARC fails that asks for nothing", []string{"dmarc_fail=reject"}, []func(*verdict.Facts){forged, func(f *verdict.Facts) { f.Authentication.Policy = "none" }}, "accept member member"},
		{"forged, to be confirmed", []string{"unauthenticated=confirm"}, []func(*verdict.Facts){forged}, "confirm authentication forged"},
		{"of an owner, and nobody looked", []string{"unauthenticated=hold"}, []func(*verdict.Facts){moderator}, "hold authentication forged"},
		{"in nobody's name", []string{"unauthenticated=hold"}, []func(*verdict.Facts){forged, stranger}, "reject not-member not-member"},
		{"in the name of an allowed one", []string{"unauthenticated=hold", "allowed_posters=@a.example"}, []func(*verdict.Facts){forged, stranger}, "hold authentication forged"},
		{"in the name of a neighbour", []string{"unauthenticated=reject", "allowed_posters=list:staff@lists.example"}, []func(*verdict.Facts){forged, stranger, func(f *verdict.Facts) { f.Neighbour = "staff@lists.example" }}, "reject authentication forged"},
		{"vouched for", []string{"unauthenticated=hold", "dmarc_fail=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Authentication = verdict.Authentication{Known: true, Aligned: true} }}, "accept member member"},
		{"to be confirmed and held", []string{"unauthenticated=confirm", "no_subject=hold"}, []func(*verdict.Facts){forged, func(f *verdict.Facts) { *f = subject(*f, "") }}, "hold subject none"},
		{"a header rule", []string{`header_rules=hold Subject \bTUL.*s$`}, nil, "hold header list"},
		{"a header rule on what is encoded", []string{"header_rules=discard X-Note grün"}, []func(*verdict.Facts){header("X-Note: =?utf-8?q?Gr=C3=BCn?=")}, "discard header list"},
		{"the first header rule counts", []string{"header_rules=accept Subject tulips\nreject From ann"}, []func(*verdict.Facts){stranger}, "accept header list"},
		{"a field that is not there", []string{"header_rules=reject !X-Team ."}, nil, "reject header list"},
		{"a field that is there", []string{"header_rules=reject !X-Team ."}, []func(*verdict.Facts){header("X-Team: blue")}, "accept member member"},
		{"no header rule matches", []string{"header_rules=reject Subject roses"}, nil, "accept member member"},
		{"what was held before a header rule", []string{"emergency=true", "header_rules=accept Subject tulips"}, nil, "hold emergency on"},
		{"spam", []string{"spam_header=X-Spam-Score", "spam_limit=5"}, []func(*verdict.Facts){header("x-spam-score: 5.0")}, "hold spam over"},
		{"the highest score", []string{"spam_header=X-Spam-Status", "spam_limit=5", "spam_action=reject"}, []func(*verdict.Facts){header("X-Spam-Status: No, score=-2.0", "X-Spam-Status: Yes, score=7.3 required=5.0")}, "reject spam over"},
		{"stars", []string{"spam_header=X-Spam-Level", "spam_limit=5"}, []func(*verdict.Facts){header("X-Spam-Level: ******")}, "hold spam over"},
		{"too few stars", []string{"spam_header=X-Spam-Level", "spam_limit=5"}, []func(*verdict.Facts){header("X-Spam-Level: ****")}, "accept member member"},
		{"Rspamd", []string{"spam_header=X-Spamd-Result", "spam_limit=10"}, []func(*verdict.Facts){header("X-Spamd-Result: default: False [12.30 / 15.00];")}, "hold spam over"},
		{"no score", []string{"spam_header=X-Spam-Score", "spam_limit=5"}, []func(*verdict.Facts){header("X-Spam-Score: none")}, "accept member member"},
		{"a type", []string{"mime_refused=image/*"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Structure.Types = []string{"text/plain", "image/png"} }}, "hold mime refused"},
		{"a name", []string{"mime_refused=*.exe", "mime_action=reject"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Structure.Names = []string{"a/b.exe"} }}, "reject mime refused"},
		{"another type", []string{"mime_refused=image/*"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Structure.Types = []string{"text/plain", "text/html"} }}, "accept member member"},
		{"HTML", []string{"text_only=true"}, []func(*verdict.Facts){func(f *verdict.Facts) {
			f.Structure.Types = []string{"multipart/alternative", "text/plain", "text/html"}
		}}, "hold mime not-text"},
		{"signed text", []string{"text_only=true"}, []func(*verdict.Facts){func(f *verdict.Facts) {
			f.Structure.Types = []string{"multipart/signed", "text/plain", "application/pgp-signature"}
		}}, "accept member member"},
		{"unreadable", []string{"text_only=true", "mime_action=discard"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Structure.Odd = true }}, "hold mime unreadable"},
		{"a bomb", []string{"text_only=true", "mime_action=accept"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Structure.Bomb = true }}, "reject mime bomb"},
		{"a bomb where nobody looks", nil, []func(*verdict.Facts){func(f *verdict.Facts) { f.Structure.Bomb = true }}, "accept member member"},
		{"many recipients", []string{"max_recipients=3"}, []func(*verdict.Facts){header("Cc: a@b.example, c@d.example")}, "hold recipients over"},
		{"some recipients", []string{"max_recipients=4"}, []func(*verdict.Facts){header("Cc: a@b.example, c@d.example")}, "accept member member"},
		{"recipients in a malformed field", []string{"max_recipients=3"}, []func(*verdict.Facts){header("Cc: <<a@b.example>; c@d.example,")}, "hold recipients over"},
		{"no subject", []string{"no_subject=reject"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, " Re: AW:") }}, "reject subject none"},
		{"a subject", []string{"no_subject=reject"}, nil, "accept member member"},
		{"not in To", []string{"not_addressed=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) {
			*f = with(*f, "From: ann@a.example", "To: undisclosed-recipients:;", "Subject: x")
		}}, "hold addressed not"},
		{"in Cc", []string{"not_addressed=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) {
			*f = with(*f, "From: ann@a.example", "To: x@y.example", `Cc: "Developers, all" <Dev+tag@Lists.example>`)
		}}, "accept member member"},
		{"by an alias", []string{"not_addressed=hold", `aliases=all@a.example ^dev-\w+@old\.example$`}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = with(*f, "From: ann@a.example", "To: dev-x@old.example") }}, "accept member member"},
		{"a command", []string{"misplaced_command=reject"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "Re: UNSUBSCRIBE") }}, "reject command leave"},
		{"a digest's subject", []string{"digest_quote=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "Re: Dev Digest, Vol 3, Issue 2") }}, "hold digest subject"},
		{"a digest itself", []string{"digest_quote=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "Dev Digest, Vol 3, Issue 2") }}, "accept member member"},
		{"a digest quoted", []string{"digest_quote=reject"}, []func(*verdict.Facts){text("Yes.\n\n> Today's Topics:\n>\n>  1. Tulips\n")}, "reject digest quote"},
		{"too often", []string{"post_rate=5/h", "rate_action=reject"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Recent = 6 }}, "reject rate over"},
		{"not too often", []string{"post_rate=5/h"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Recent = 5 }}, "accept member member"},
		{"a member who is moderated", nil, []func(*verdict.Facts){func(f *verdict.Facts) { f.Standing.Moderation = verdict.Hold }}, "hold override hold"},
		{"a member who may not", nil, []func(*verdict.Facts){func(f *verdict.Facts) { f.Standing.Moderation = verdict.Reject }}, "reject override reject"},
		{"a member who may where others may not", []string{"member_action=hold", "new_member_posts=3"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Standing.Moderation, f.Standing.New = verdict.Accept, true }}, "accept override accept"},
		{"a member who may, without a subject", []string{"no_subject=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) {
			*f = subject(*f, "")
			f.Standing.Moderation = verdict.Accept
		}}, "hold subject none"},
		{"a moderator who is a moderated member", nil, []func(*verdict.Facts){func(f *verdict.Facts) {
			f.Standing = verdict.Standing{Member: true, Moderates: true, Moderation: verdict.Reject}
		}}, "accept moderates moderates"},
		{"a new member", []string{"new_member_posts=3"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Standing.New = true }}, "hold newcomer new"},
		{"no new member", []string{"new_member_posts=3"}, nil, "accept member member"},
		{"allowed by a pattern", []string{"allowed_posters=@*.example"}, []func(*verdict.Facts){stranger}, "accept allowed pattern"},
		{"allowed by a list", []string{"allowed_posters=list:staff@lists.example"}, []func(*verdict.Facts){stranger, func(f *verdict.Facts) { f.Neighbour = "staff@lists.example" }}, "accept allowed list"},
		{"allowed, without a subject", []string{"allowed_posters=ann@a.example", "no_subject=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "") }, stranger}, "hold subject none"},
		{"not allowed", []string{"allowed_posters=@b.example"}, []func(*verdict.Facts){stranger}, "reject not-member not-member"},
		{"members are held", []string{"member_action=hold"}, nil, "hold members members"},
		{"others are held", []string{"nonmember_action=hold"}, []func(*verdict.Facts){stranger}, "hold not-member not-member"},
		{"others confirm", []string{"nonmember_action=confirm"}, []func(*verdict.Facts){stranger}, "confirm not-member not-member"},
		{"an announcement", []string{"nonmember_action=reject", "member_action=reject"}, []func(*verdict.Facts){func(f *verdict.Facts) { f.Policy = "moderators" }}, "reject members members"},
		{"an announcement of an owner", []string{"member_action=reject"}, []func(*verdict.Facts){moderator}, "accept moderates moderates"},
		{"a trusted stranger", nil, []func(*verdict.Facts){stranger, trusted}, "accept trusted trusted"},
		{"a trusted new member", []string{"new_member_posts=1"}, []func(*verdict.Facts){newcomer, trusted}, "accept trusted trusted"},
		{"the author is asked", []string{"confirm_unauthenticated=true"}, nil, "confirm confirm member"},
		{"before moderators are", []string{"confirm_unauthenticated=true", "no_subject=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "") }}, "confirm confirm none"},
		{"who is vouched for is not asked", []string{"confirm_unauthenticated=true"}, []func(*verdict.Facts){aligned}, "accept member member"},
		{"nor who has the password", []string{"confirm_unauthenticated=true", "approve_password=hash"}, []func(*verdict.Facts){approved, func(f *verdict.Facts) { f.Password = verdict.PasswordRight }}, "accept approved right"},
		{"nor who is refused", []string{"confirm_unauthenticated=true"}, []func(*verdict.Facts){stranger}, "reject not-member not-member"},
		{"a stranger without a subject is not held", []string{"no_subject=hold"}, []func(*verdict.Facts){func(f *verdict.Facts) { *f = subject(*f, "") }, stranger}, "reject not-member not-member"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := facts(t, tt.chosen...)
			for _, change := range tt.change {
				change(&f)
			}
			d := verdict.Judge(&f)
			if got := fmt.Sprintf("%s %s %s", d.Action, d.Code(), d.Answer); got != tt.want {
				t.Errorf("%s, want %s; trace %+v", got, tt.want, d.Trace)
			}
			if !slices.ContainsFunc(d.Trace, func(s verdict.Step) bool { return s.Decided(d.Code()) && (s.Answer == d.Answer || d.Then != "") }) {
				t.Errorf("the trace does not say what decided: %+v", d.Trace)
			}
			for _, step := range d.Trace {
				said[step.Rule+" "+step.Answer] = true
			}
		})
	}
	elsewhere := []string{verdict.RuleFrom, verdict.RuleLoop, verdict.RuleAutomatic, verdict.RuleAuthor} // in TestJudge
	for _, r := range verdict.Rules() {
		for _, answer := range r.Answers {
			if !said[r.Name+" "+answer] && !slices.Contains(elsewhere, r.Name) {
				t.Errorf("no post makes %s say %s", r.Name, answer)
			}
			delete(said, r.Name+" "+answer)
		}
	}
	for step := range said {
		t.Errorf("%s is not in the table of rules", step)
	}
}

// TestEveryAnswerIsKnown: what a rule says in the tests above and everywhere is in the table that words are
// made for.
func TestEveryAnswerIsKnown(t *testing.T) {
	t.Parallel()
	known := map[string][]string{}
	var names []string
	for _, r := range verdict.Rules() {
		known[r.Name] = r.Answers
		names = append(names, r.Name)
	}
	want := []string{"from", "ban", "loop", "automatic", "size", "author", "approved", "emergency", "authentication", "header", "spam",
		"mime", "recipients", "subject", "addressed", "command", "digest", "rate", "override", "newcomer", "allowed", "policy", "confirm"}
	if !slices.Equal(names, want) {
		t.Errorf("the order is %v", names)
	}
	f := facts(t, "approve_password=hash", "max_size=1", "emergency=true", "dmarc_fail=hold", "header_rules=hold Subject x", "spam_header=X", "spam_limit=1",
		"text_only=true", "max_recipients=100", "no_subject=hold", "not_addressed=hold", "misplaced_command=hold", "digest_quote=hold", "post_rate=1/h",
		"new_member_posts=1", "allowed_posters=x@y.example")
	f.Banned = true
	for _, step := range verdict.Judge(&f).Trace {
		if !slices.Contains(known[step.Rule], step.Answer) {
			t.Errorf("%s says %s, which is not among %v", step.Rule, step.Answer, known[step.Rule])
		}
	}
}

// TestNeeds: what costs something is asked for only where a rule comes to it.
func TestNeeds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		chosen []string
		change func(*verdict.Facts)
		want   verdict.Need
	}{
		{"a plain post", nil, nil, 0},
		{"bans", nil, func(f *verdict.Facts) { f.Banned = true }, verdict.NeedBan},
		{"a loop before the parts", []string{"text_only=true"}, func(f *verdict.Facts) { f.Message.Marks = []string{"dev@lists.example"} }, 0},
		{"parts", []string{"text_only=true"}, nil, verdict.NeedStructure},
		{"no password in the header", []string{"approve_password=hash"}, nil, verdict.NeedText},
		{"a password", []string{"approve_password=hash"}, header("X-Approve: x"), verdict.NeedPassword},
		{"DMARC", []string{"dmarc_fail=hold"}, nil, verdict.NeedAuthentication},
		{"a rate", []string{"post_rate=1/h"}, nil, verdict.NeedRate},
		{"a rate that changes nothing", []string{"post_rate=1/h", "rate_action=accept"}, nil, 0},
		{"another list", []string{"allowed_posters=list:a@b.example"}, stranger, verdict.NeedNeighbour},
		{"another list, of a member", []string{"allowed_posters=list:a@b.example"}, nil, 0},
		{"another list, and a pattern is enough", []string{"allowed_posters=list:a@b.example @a.example"}, stranger, 0},
	} {
		f := facts(t, tt.chosen...)
		f.Have = 0
		if tt.change != nil {
			tt.change(&f)
		}
		if d := verdict.Judge(&f); d.Needs != tt.want || (d.Action == "") != (tt.want != 0) {
			t.Errorf("%s: needs %b, want %b; %s", tt.name, d.Needs, tt.want, d.Action)
		}
	}
}

func TestMisplacedCommands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ subject, text, want string }{
		{"unsubscribe", "", "leave"},
		{"Unsubscribe me", "-- \nAnn\n", "leave"},
		{"Hello", "Please unsubscribe me from this list.\n\n-- \nAnn\n", "leave"},
		{"Tulips", "remove me\n\n> On Monday somebody wrote\n> a lot\n> more\n> than\n> that\n", "leave"},
		{"abmelden", "", "leave"},
		{"", "Bitte austragen!\n", "leave"},
		{"subscribe", "", "join"},
		{"", "help\n", "other"},
		{"Re: help", "", "other"},
		{"Help with tulips", "They wilt.\n", ""},
		{"How do I unsubscribe people from our site?", "", ""},
		{"Unsubscribe links", "I think that each mail\nshould have one\nin its header\nand another one\nin its footer.\n", ""},
		{"Tulips", "Whoever wants to leave early should say so.\n", ""},
		{"Tulips", "I subscribe to that.\n", ""},
		{"Tulips", "Join us for lunch\n", ""},
		{"", "please subscribe ann@a.example", "join"},
		{"", "I want to subscribe to this list", "join"},
		{"Remove the old branch", "Done.\n", ""},
		{"Tulips", "", ""},
	} {
		f := subject(facts(t, "misplaced_command=reject"), tt.subject)
		f.Text = tt.text
		d := verdict.Judge(&f)
		got := ""
		if d.Reason == verdict.RuleCommand {
			got = d.Answer
		}
		if got != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.subject, tt.text, got, tt.want)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, address string
		want             bool
	}{
		{"Ann@A.example", "ann@a.example", true},
		{"ann@a.example", "ann@b.a.example", false},
		{"@a.example", "x@A.example", true},
		{"*@a.example", "x@a.example", true},
		{"*@*.example", "x@a.example", true},
		{"@a.example", "x@b.a.example", false},
		{"@*.example", "x@b.a.example", true},
		{"@*.example", "x@a.example", true},
		{"@*.a.example", "x@a.example", false},
		{"@*.ample", "x@a.example", false},
		{"@bücher.example", "x@xn--bcher-kva.example", true},
		{`^bot-\d+@.*\.example$`, "BOT-7@a.example", true},
		{`^bot-\d+@.*\.example$`, "bot-x@a.example", false},
		{"list:ann@a.example", "ann@a.example", false},
	} {
		p, err := verdict.ReadPattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		a, err := smtp.ParseAddress(tt.address)
		if err != nil {
			t.Fatal(err)
		}
		if p.Match(a) != tt.want {
			t.Errorf("%s for %s: %t", tt.pattern, tt.address, !tt.want)
		}
		again, err := verdict.ReadPattern(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%s is stored as %s, which is read as %s, %v", tt.pattern, p, again, err)
		}
	}
	for _, bad := range []string{"", "@", "ann", "@*.", "^(", "^" + strings.Repeat("x", 500), "list:", "list:x", "a b@c.example"} {
		if p, err := verdict.ReadPattern(bad); err == nil {
			t.Errorf("%q is read as %q", bad, p)
		}
	}
}
