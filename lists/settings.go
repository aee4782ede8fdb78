package lists

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"

	"muster/lists/verdict"
	"muster/smtp"
)

// Setting describes one setting: what it is called, what it takes and what it does. The tables
// made of it check the input, make the error that names what would be right, and are the source of
// the forms and of docs/settings.md.
type Setting struct {
	Key     string
	Values  []string // what it takes; empty: any text
	Default string
	Doc     string
	Number  string // what the whole number is that it takes, if it takes one
	Admin   bool   // only an administrator of the site may change it
	Manager bool   // of a member: only an owner of the list may change it

	Rule   string // of verdict, which asks for it; "" for what is no option of a rule
	Text   string // what text it takes, for people
	Secret bool   // it is stored as a hash, and never shown
	Lines  bool   // its text may have several lines

	option *verdict.Option
}

// Change sets one setting.
type Change struct{ Key, Value string }

// Sizes of what a list says of itself, in octets.
const (
	maxTitle       = 200
	maxDescription = 4000
)

// anyNumber stands in Setting.Values for a whole number greater than zero.
const anyNumber = "N"

// Settings is the table of a list's settings: those of the list itself, and the options of the rules that
// judge its posts.
func Settings() []Setting { return append(ListSettings(), RuleSettings()...) }

// ListSettings are those of the list itself.
func ListSettings() []Setting {
	return []Setting{
		{Key: "name", Doc: "The list's name as people read it, in one line."},
		{Key: "description", Doc: "What the list is for, shown on its page."},
		{Key: "advertised", Values: boolValues(), Default: "true",
			Doc: "Whether strangers see the list on the site, where one that is not is unknown to all but its members, owners and moderators. By mail its addresses answer as those of any list."},
		{Key: "expn", Values: []string{ExpnAnyone, ExpnMembers, ExpnOwners, ExpnNobody}, Default: ExpnMembers,
			Doc: "Who may expand the list with EXPN, beside the trusted networks. With nobody, not even those. The command who by mail goes by it too; owners always may."},
		{Key: "post_policy", Values: []string{PostMembers, PostAnyone, PostModerators}, Default: PostMembers,
			Doc: "Who may post. Owners and moderators always may; with moderators, posts of others are held for them."},
		{Key: "join_policy", Values: []string{JoinOpen, JoinConfirm, JoinModerate, JoinBoth, JoinClosed}, Default: JoinConfirm,
			Doc: "How people join: at once, after a confirmation by mail, after an owner agrees, after both, or not at all. By mail, even at once is after a confirmation unless the sender is vouched for."},
		{Key: "max_hold_days", Values: []string{holdNever, anyNumber}, Default: "30", Number: "a whole number of days",
			Doc: "How long a held post waits for a moderator before it is discarded; its author is told if it is certain who that is. With never, until somebody decides."},
		{Key: "moderator_notices", Values: []string{NoticesAtOnce, NoticesDaily, NoticesNone}, Default: NoticesAtOnce,
			Doc: "When owners and moderators are mailed about posts and requests to join that wait for them: about each at once, once a day about all that waits, or never."},
		{Key: "tell_held", Values: boolValues(), Default: "true",
			Doc: "Whether an author is told by mail that their post waits for a moderator. It is told only where it is certain who the author is, and a few times a day."},
		{Key: "verp", Values: append(boolValues(), anyNumber), Default: "true", Number: "a whole number N for every Nth post",
			Doc: "Whether each copy has an envelope sender of its own, so that a bounce names its member: for each post, none, or every Nth. Costs a transaction for each member."},
		{Key: "tracking", Values: []string{TrackOff, TrackDSN, TrackMDN}, Default: TrackOff,
			Doc: "Whether copies ask for reports of what became of them. With dsn, servers that offer it are asked to say when a copy has reached its mailbox, or is late; with mdn, the readers' programs too are asked to say when it was displayed. Each copy then has an envelope sender of its own, whatever verp says, and may bring several reports back."},
		{Key: "siblings",
			Doc: "Other lists of this site, by their addresses with commas between. Who is a member of this list and of a sibling gets one copy of a message that was posted to both, from the list that accepted it first. It counts both ways, whichever of the two names the other."},
		{Key: "priority", Values: []string{PriorityHigh, PriorityNormal, PriorityLow}, Default: PriorityNormal, Admin: true,
			Doc: "How much of the way out the list gets while mail of several lists waits for the same destination: with high four times as much as with normal, with low a quarter. Holds for posts that are begun from then on. Only an administrator may change it."},
	}
}

// MemberSettings is the table of what can be set of a member.
func MemberSettings() []Setting {
	return []Setting{
		{Key: "name", Doc: "The member's name."},
		{Key: "mode", Values: []string{ModeEach, ModeDigest, ModeSummary, ModeNone}, Default: ModeEach,
			Doc: "What is sent: each post, or none; a member with none may post all the same. With digest and summary no single posts are sent either; Muster makes no digests and summaries yet, so until it does these bring nothing."},
		{Key: "state", Values: []string{StateActive, StateUser, StateBounce, StateModerator}, Default: StateActive,
			Doc: "Whether mail is sent (active), or who stopped it: the member, bounces, or a moderator."},
		{Key: "hidden", Values: boolValues(), Default: "false",
			Doc: "Whether the member is left out where other members are listed, as by EXPN."},
		{Key: "own_posts", Values: boolValues(), Default: "true",
			Doc: "Whether the member gets a copy of what they post themselves."},
		{Key: "addressed_posts", Values: boolValues(), Default: "true",
			Doc: "Whether the member gets a copy of posts that name them in To or Cc, and so come to them without the list too."},
		{Key: "vacation",
			Doc: "The first and the last day of a vacation, such as 2027-07-01..2027-07-21, by UTC; empty for none. Posts that are accepted on these days are not sent to the member, then or later; those before and after are."},
		{Key: "moderation", Values: []string{ModerationDefault, string(verdict.Accept), string(verdict.Hold), string(verdict.Reject), string(verdict.Discard)}, Default: ModerationDefault, Manager: true,
			Doc: "What becomes of the member's posts: with default what becomes of any member's. Accept lets them out also where others' are held, as after new_member_posts, but not past the rules on what is in a post. Only an owner may change it."},
	}
}

func boolValues() []string { return []string{"true", "false"} }

// set applies changes to the list, all or none.
func (l *List) set(changes []Change) error {
	next := *l
	for _, c := range changes {
		value, err := checkChange(Settings(), c)
		if err != nil {
			return err
		}
		next.put(c.Key, value)
	}
	*l = next
	return nil
}

// mayChange refuses changes of what only an administrator may change; a value that stays is none.
func (l *List) mayChange(by Actor, changes []Change) error {
	for _, c := range changes {
		i := slices.IndexFunc(Settings(), func(s Setting) bool { return s.Key == c.Key })
		if i >= 0 && Settings()[i].Admin && c.Value != l.Get(c.Key) {
			if err := requireAdmin(by); err != nil {
				return err
			}
		}
	}
	return nil
}

// put stores a value that checkChange has passed.
func (l *List) put(key, value string) {
	switch key {
	case "name":
		l.Name = value
	case "description":
		l.Description = value
	case "advertised":
		l.Advertised = value == "true"
	case "expn":
		l.Expn = value
	case "post_policy":
		l.PostPolicy = value
	case "join_policy":
		l.JoinPolicy = value
	case "max_hold_days":
		l.MaxHoldDays = parseDays(value)
	case "moderator_notices":
		l.ModeratorNotices = value
	case "tell_held":
		l.TellHeld = value == "true"
	case "verp":
		l.VERP = parseVERP(value)
	case "tracking":
		l.Tracking = value
	case "siblings":
		l.Siblings = value
	case "priority":
		l.Priority = value
	default:
		l.Rules = l.Rules.putChosen(key, value)
	}
}

// Get is the value of a setting in the spelling that SetList takes; "" for an unknown key.
func (l List) Get(key string) string {
	switch key {
	case "name":
		return l.Name
	case "description":
		return l.Description
	case "advertised":
		return strconv.FormatBool(l.Advertised)
	case "expn":
		return l.Expn
	case "post_policy":
		return l.PostPolicy
	case "join_policy":
		return l.JoinPolicy
	case "max_hold_days":
		return formatDays(l.MaxHoldDays)
	case "moderator_notices":
		return l.ModeratorNotices
	case "tell_held":
		return strconv.FormatBool(l.TellHeld)
	case "verp":
		return formatVERP(l.VERP)
	case "tracking":
		return l.Tracking
	case "siblings":
		return l.Siblings
	case "priority":
		return l.Priority
	}
	return l.Rules.getChosen(key)
}

// set applies changes to the member, all or none.
func (m *Member) set(changes []Change) error {
	next := *m
	for _, c := range changes {
		value, err := checkChange(MemberSettings(), c)
		if err != nil {
			return err
		}
		next.put(c.Key, value)
	}
	*m = next
	return nil
}

func (m *Member) put(key, value string) {
	switch key {
	case "name":
		m.Name = value
	case "mode":
		m.Mode = value
	case "state":
		m.State = value
	case "hidden":
		m.Hidden = value == "true"
	case "own_posts":
		m.OwnPosts = value == "true"
	case "moderation":
		if m.Moderation = value; value == ModerationDefault {
			m.Moderation = ""
		}
	case "addressed_posts":
		m.AddressedPosts = value == "true"
	case "vacation":
		m.AwayFrom, m.AwayUntil, _ = parseVacation(value) // checkChange has read it
	}
}

// checkChange finds the setting a change names and returns its value as it is stored.
func checkChange(table []Setting, c Change) (string, error) {
	for _, s := range table {
		if s.Key == c.Key {
			return s.check(c.Value)
		}
	}
	return "", unknownSetting(table, c.Key)
}

func (s Setting) check(value string) (string, error) {
	switch {
	case s.Key == "description":
		return cleanText(value), s.checkLength(value, maxDescription)
	case s.Key == "siblings":
		return cleanAddresses(value), s.checkLength(value, maxDescription)
	case s.Key == "vacation":
		from, until, err := parseVacation(value)
		return formatVacation(from, until), err
	case len(s.Values) == 0 && s.option != nil:
		return s.checkOption(value)
	case len(s.Values) == 0:
		return smtp.CleanName(value), s.checkLength(value, maxTitle)
	case slices.Contains(s.Values, value) && value != anyNumber:
		return value, nil
	case slices.Contains(s.Values, anyNumber) && isCount(value):
		return value, nil
	}
	e := Errorf(Invalid, "setting.value", "%s cannot be %q: it is one of %s", s.Key, clip(value), s.Takes())
	e.Field = s.Key
	e.Params = map[string]any{"Key": s.Key, "Value": clip(value), "Values": s.Takes()}
	return "", e
}

func (s Setting) checkLength(value string, most int) error {
	if len(value) <= most {
		return nil
	}
	e := Errorf(Invalid, "setting.long", "%s is too long: it may have %d octets", s.Key, most)
	e.Field = s.Key
	e.Params = map[string]any{"Key": s.Key, "Max": most}
	return e
}

// Takes is what the setting takes, for people.
func (s Setting) Takes() string {
	switch {
	case s.Text != "":
		return s.Text
	case len(s.Values) == 0:
		return "text"
	}
	words := slices.Clone(s.Values)
	if i := slices.Index(words, anyNumber); i >= 0 {
		words[i] = s.Number
	}
	return strings.Join(words, ", ")
}

// unknownSetting names the setting that was probably meant, and all there are.
func unknownSetting(table []Setting, key string) *Error {
	keys := make([]string, len(table))
	for i, s := range table {
		keys[i] = s.Key
	}
	all := strings.Join(keys, ", ")
	e := Errorf(Invalid, "setting.unknown", "there is no setting %q; the settings are %s", clip(key), all)
	if near, ok := nearest(keys, key); ok {
		e.Msg = fmt.Sprintf("there is no setting %q; did you mean %s? The settings are %s", clip(key), near, all)
	}
	e.Field = key
	e.Params = map[string]any{"Key": clip(key), "Keys": all}
	return e
}

// nearest is the word that takes the fewest changes to become one of words, if they are so few
// that it is likely a slip.
func nearest(words []string, word string) (string, bool) {
	word = strings.ToLower(clip(word))
	best, distance := "", 1+len(word)/2
	for _, w := range words {
		if d := levenshtein.ComputeDistance(word, w); d < distance {
			best, distance = w, d
		}
	}
	return best, best != ""
}

// isCount accepts the N of verp: 1, which is true, to a million.
func isCount(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n >= 1 && n <= 1_000_000 && value == strconv.Itoa(n)
}

// holdNever stands for held posts that wait until somebody decides.
const holdNever = "never"

func parseDays(value string) int {
	n, err := strconv.Atoi(value)
	if err != nil { // never
		return 0
	}
	return n
}

func formatDays(n int) string {
	if n == 0 {
		return holdNever
	}
	return strconv.Itoa(n)
}

func parseVERP(value string) int {
	switch value {
	case "true":
		return 1
	case "false":
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 1
	}
	return n
}

func formatVERP(n int) string {
	switch n {
	case 0:
		return "false"
	case 1:
		return "true"
	}
	return strconv.Itoa(n)
}

// cleanText makes text of several lines safe to store: each line as a name is, line ends kept.
func cleanText(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(s), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = cleanLine(line)
	}
	return strings.Join(lines, "\n")
}

func cleanLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimRightFunc(s, unicode.IsSpace)
}

// clip shortens what somebody typed before it is repeated to them.
func clip(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// clipText shortens text that is kept to what a description may have.
func clipText(s string) string {
	if len(s) <= maxDescription {
		return s
	}
	return strings.ToValidUTF8(s[:maxDescription], "")
}
