package lists

import (
	"strings"
	"testing"
)

func TestSettingsErrorsNameWhatIsRight(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		change Change
		code   string
		says   []string
	}{
		{Change{"expm", "anyone"}, "setting.unknown", []string{`"expm"`, "did you mean expn?", "name, description, advertised, expn, post_policy, join_policy, max_hold_days, moderator_notices, tell_held, verp, tracking, siblings, priority"}},
		{Change{"post-policy", "anyone"}, "setting.unknown", []string{"did you mean post_policy?"}},
		{Change{"zzzzzzzz", "1"}, "setting.unknown", []string{"the settings are name, description"}},
		{Change{"", "1"}, "setting.unknown", []string{"the settings are name"}},
		{Change{strings.Repeat("x", 5000), "1"}, "setting.unknown", []string{"xxx…"}},
		{Change{"expn", "everyone"}, "setting.value", []string{"expn", `"everyone"`, "anyone, members, owners, nobody"}},
		{Change{"expn", ""}, "setting.value", []string{"anyone, members, owners, nobody"}},
		{Change{"advertised", "yes"}, "setting.value", []string{"true, false"}},
		{Change{"verp", "N"}, "setting.value", []string{"true, false, a whole number N for every Nth post"}},
		{Change{"verp", "-1"}, "setting.value", []string{"true, false"}},
		{Change{"verp", "0"}, "setting.value", []string{"true, false"}},
		{Change{"verp", "007"}, "setting.value", []string{"true, false"}},
		{Change{"name", strings.Repeat("x", maxTitle+1)}, "setting.long", []string{"name is too long"}},
		{Change{"approve_password", strings.Repeat("x", maxRuleText+1)}, "setting.long", []string{"approve_password is too long"}},
		{Change{"header_rules", "hold Subject (a"}, "setting.bad.pattern", []string{`"(a" is no regular expression`}},
		{Change{"header_rules", "keep Subject a"}, "setting.bad.rule", []string{`"keep Subject a" is no rule`}},
		{Change{"header_rules", "hold Subject"}, "setting.bad.rule", []string{"is no rule"}},
		{Change{"header_rules", "hold Sub:ject a"}, "setting.bad.rule", []string{"is no rule"}},
		{Change{"header_rules", "hold Subject " + strings.Repeat("x", 501)}, "setting.bad.pattern", []string{"is no regular expression"}},
		{Change{"header_rules", strings.Repeat("hold Subject x\n", 51)}, "setting.bad.many", []string{"more than 50"}},
		{Change{"spam_header", "X Spam"}, "setting.bad.field", []string{"is no name of a header field"}},
		{Change{"spam_limit", "NaN"}, "setting.bad.number", []string{`"NaN" is no number`}},
		{Change{"spam_limit", "0"}, "setting.bad.number", []string{"is no number"}},
		{Change{"max_size", "5 GB"}, "setting.bad.size", []string{"KiB or MiB"}},
		{Change{"max_size", "-1"}, "setting.bad.size", []string{"KiB or MiB"}},
		{Change{"max_recipients", "-1"}, "setting.bad.number", []string{"is no number"}},
		{Change{"mime_refused", "zip"}, "setting.bad.type", []string{"image/*"}},
		{Change{"mime_refused", "image/["}, "setting.bad.type", []string{"image/*"}},
		{Change{"post_rate", "5/y"}, "setting.bad.rate", []string{"/m, /h or /d"}},
		{Change{"aliases", "list:dev@lists.example"}, "setting.bad.address", []string{"is no address"}},
		{Change{"allowed_posters", "ann@a.example nobody"}, "setting.bad.address", []string{`"nobody" is no address`}},
		{Change{"allowed_posters", "^(ann"}, "setting.bad.pattern", []string{"is no regular expression"}},
		{Change{"emergency", "on"}, "setting.value", []string{"true, false"}},
		{Change{"no_subject", "confirm"}, "setting.value", []string{"accept, hold, reject, discard"}},
		{Change{"description", strings.Repeat("x", maxDescription+1)}, "setting.long", []string{"description is too long"}},
	} {
		l := List{Expn: ExpnOwners, VERP: 7, Name: "before"}
		err := l.set([]Change{{"name", "after"}, tt.change})
		if KindOf(err) != Invalid || err.(*Error).Code != tt.code {
			t.Errorf("%v: %v", tt.change, err)
			continue
		}
		for _, word := range tt.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%v: %q does not say %q", tt.change, err, word)
			}
		}
		if len(err.Error()) > 900 {
			t.Errorf("%s: the sentence has %d octets", clip(tt.change.Key), len(err.Error()))
		}
		if l.Name != "before" {
			t.Errorf("%v: changed in part", tt.change)
		}
	}
}

func TestSettingsGoThereAndBack(t *testing.T) {
	t.Parallel()
	for _, s := range Settings() {
		values := s.Values
		if len(values) == 0 {
			values = []string{"some text"}
		}
		if s.Key == "verp" {
			values = []string{"true", "false", "2", "1000"}
		}
		if s.Key == "max_hold_days" {
			values = []string{"never", "1", "30"}
		}
		if s.Key == "siblings" {
			values = []string{"", "a@x.example", "a@x.example, b@x.example"}
		}
		if s.option != nil && len(s.Values) == 0 {
			values = optionSamples()[s.Key]
			if len(values) == 0 {
				t.Errorf("no samples of %s", s.Key)
			}
		}
		for _, v := range values {
			var l List
			if err := l.set([]Change{{s.Key, v}}); err != nil || l.Get(s.Key) != v {
				t.Errorf("%s=%s became %q, %v", s.Key, v, l.Get(s.Key), err)
			}
		}
		if s.Doc == "" {
			t.Errorf("%s is not explained", s.Key)
		}
	}
	for _, s := range MemberSettings() {
		values := s.Values
		if len(values) == 0 {
			values = []string{"some text"}
		}
		if s.Key == "vacation" {
			values = []string{"", "2027-07-01..2027-07-21", "2028-02-29..2028-02-29"}
		}
		for _, v := range values {
			var m Member
			if err := m.set([]Change{{s.Key, v}}); err != nil || m.Get(s.Key) != v {
				t.Errorf("%s=%s became %q, %v", s.Key, v, m.Get(s.Key), err)
			}
		}
	}
}

func TestVacationIsTwoDays(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"2027-07-21..2027-07-01", "2027-07-01", "2027-07-01..", "..2027-07-01", "2027-02-29..2027-03-01", "2027-07-01..2027-07-02..2027-07-03", "tomorrow..never", "0000-00-00..9999-99-99"} {
		m := Member{}
		if err := m.set([]Change{{"vacation", "2027-01-01..2027-01-02"}, {"vacation", value}}); err == nil || m.AwayFrom != nil {
			t.Errorf("%q is taken: %q", value, m.Get("vacation"))
		}
	}
}

// optionSamples are values of those options that are text, by key.
func optionSamples() map[string][]string {
	return map[string][]string{
		"approve_password": {""},
		"header_rules":     {"", "hold Subject \\bsale\\b\nreject !X-Team ."},
		"spam_header":      {"", "X-Spam-Score"},
		"spam_limit":       {"", "5", "7.5"},
		"max_size":         {"", "100", "500KiB", "2MiB"},
		"mime_refused":     {"", "application/zip image/* *.exe"},
		"max_recipients":   {"", "20"},
		"aliases":          {"", "all@company.example", "@old.example ^dev-.*@lists\\.example$"},
		"post_rate":        {"", "5/h", "100/d"},
		"new_member_posts": {"", "3"},
		"allowed_posters":  {"", "ann@a.example", "@company.example @*.company.example\nlist:staff@lists.example ^bot-.*@ci\\.example$"},
	}
}

// TestSecretsAreNotShown: what is set is told, and no more.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	var l List
	if err := l.set([]Change{{"approve_password", "$argon2id$hash"}}); err != nil || l.Get("approve_password") != secretShown {
		t.Errorf("%q, %v", l.Get("approve_password"), err)
	}
}

func TestDefaultsOfTheTableAreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	fresh := List{
		Advertised: true, Expn: ExpnMembers, PostPolicy: PostMembers, JoinPolicy: JoinConfirm, VERP: 1, Tracking: TrackOff, Priority: PriorityNormal,
		MaxHoldDays: 30, ModeratorNotices: NoticesAtOnce, TellHeld: true,
	}
	for _, s := range Settings() {
		if fresh.Get(s.Key) != s.Default {
			t.Errorf("%s: the table says %q", s.Key, s.Default)
		}
	}
	m := memberOf(1, mustBox(t, "ann@x.example"))
	for _, s := range MemberSettings() {
		if m.Get(s.Key) != s.Default {
			t.Errorf("%s: the table says %q", s.Key, s.Default)
		}
	}
}

func TestTextIsCleaned(t *testing.T) {
	t.Parallel()
	var l List
	err := l.set([]Change{{"name", "A\r\nBcc: x@y\x00\u202e"}, {"description", "one\r\n\ttwo\x07\u202e  \n\n three \n"}})
	if err != nil || l.Name != "A Bcc: x@y" || l.Description != "one\n two\n\n three" {
		t.Errorf("%q, %q, %v", l.Name, l.Description, err)
	}
}
