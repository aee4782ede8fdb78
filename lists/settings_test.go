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
		{Change{"expm", "anyone"}, "setting.unknown", []string{`"expm"`, "did you mean expn?", "name, description, advertised, expn, post_policy, join_policy, max_hold_days, moderator_notices, tell_held, confirm_unauthenticated, verp, tracking, siblings, priority"}},
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
		if len(err.Error()) > 400 {
			t.Errorf("%v: the sentence has %d octets", tt.change.Key[:10], len(err.Error()))
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
		for _, v := range values {
			var m Member
			if err := m.set([]Change{{s.Key, v}}); err != nil || m.Get(s.Key) != v {
				t.Errorf("%s=%s became %q, %v", s.Key, v, m.Get(s.Key), err)
			}
		}
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
