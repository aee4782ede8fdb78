package verdict

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// Options are what a list chose for its rules. With the zero value all of them are off but those that every
// list has.
type Options struct {
	Emergency       bool
	Password        string // hash of the one in Approved; "" for none
	DMARCFail       Action
	Unauthenticated Action
	HeaderRules     []HeaderRule
	SpamHeader      string
	SpamLimit       float64
	SpamAction      Action
	MIMERefused     []string // types and names of files, with * for any characters
	TextOnly        bool
	MIMEAction      Action
	MaxSize         int64 // octets; 0: no limit of the list's own
	TooBig          Action
	MaxRecipients   int // 0: any number
	TooMany         Action
	NoSubject       Action
	NotAddressed    Action
	Aliases         []Pattern
	Command         Action
	DigestQuote     Action
	PostRate        Rate
	RateAction      Action
	MemberAction    Action // "" as post_policy has it
	NonmemberAction Action // "" as post_policy has it
	Allowed         []Pattern
	NewPosts        int // of a new member that are held first

	ConfirmUnauthenticated bool
}

// Option is one of these as it is set: the table of them is what a list's settings of rules are made of.
type Option struct {
	Key     string
	Rule    string   // which asks for it
	Values  []string // what it takes; empty: text
	Text    string   // what the text is
	Default string
	Doc     string
	Secret  bool // stored as a hash, and never shown
	Lines   bool // may have several lines
	read    func(o *Options, value string) error
}

// Rate is how many in which time; the zero value is no limit.
type Rate struct {
	Most   int
	Window time.Duration
}

// OptionError is what is wrong with the value of an option: Code is one of the Bad constants, Text the part
// of the value that is meant.
type OptionError struct{ Code, Text string }

// What can be wrong with a value.
const (
	BadRule    = "rule"    // no line of a header rule
	BadPattern = "pattern" // no regular expression
	BadAddress = "address" // no address, domain or list
	BadField   = "field"   // no name of a header field
	BadNumber  = "number"
	BadSize    = "size"
	BadRate    = "rate"
	BadType    = "type" // no type of a part
	BadMany    = "many" // more than there may be
)

// Error says it in English.
func (e *OptionError) Error() string {
	switch e.Code {
	case BadRule:
		return fmt.Sprintf("%q is no rule: it is an action, the name of a header field, and a regular expression, with spaces between", e.Text)
	case BadPattern:
		return fmt.Sprintf("%q is no regular expression that can be used here", e.Text)
	case BadAddress:
		return fmt.Sprintf("%q is no address, @domain, ^regular expression or list:address", e.Text)
	case BadField:
		return fmt.Sprintf("%q is no name of a header field", e.Text)
	case BadSize:
		return fmt.Sprintf("%q is no size: it is a number of octets, with KiB or MiB behind it", e.Text)
	case BadRate:
		return fmt.Sprintf("%q is no rate: it is a number and /m, /h or /d", e.Text)
	case BadType:
		return fmt.Sprintf("%q is no type as image/* and no name as *.exe", e.Text)
	case BadMany:
		return "there are more than " + e.Text
	}
	return fmt.Sprintf("%q is no number that can be used here", e.Text)
}

// NewSince is the key under which the moment is kept from which on members are new, who joined before is not.
// It is not for people to set.
const NewSince = "new_member_since"

// ReadOptions reads what a list chose, by key; what it did not choose has its default. The error is an
// OptionError.
func ReadOptions(values map[string]string) (Options, error) {
	var o Options
	for _, option := range OptionTable() {
		value, ok := values[option.Key]
		if !ok {
			value = option.Default
		}
		if err := option.read(&o, value); err != nil {
			return Options{}, err
		}
	}
	return o, nil
}

// Check says whether a value can be read.
func (o Option) Check(value string) error { return o.read(&Options{}, value) }

// OptionTable is all options, in the order in which their rules are asked.
func OptionTable() []Option {
	return append(append(earlyOptions(), contentOptions()...), policyOptions()...)
}

func earlyOptions() []Option {
	return []Option{
		{Key: "approve_password", Rule: RuleApproved, Secret: true, Text: "a password of at least 10 characters, or none; - reads it from standard input", read: readText(func(o *Options) *string { return &o.Password }),
			Doc: "Who writes it into a header field Approved posts without being asked anything more. The field is in no copy, and not shown with the post. After 20 wrong ones of a client in an hour, or 500 of all, none is looked at. Only a hash is kept with the list."},
		{Key: "emergency", Rule: RuleEmergency, Values: []string{"true", "false"}, Default: "false", read: readBool(func(o *Options) *bool { return &o.Emergency }),
			Doc: "While true, every post that would go out is held, those of owners and moderators too."},
		{Key: "dmarc_fail", Rule: RuleAuthentication, Values: anyAction(), Default: "accept", read: readAction(func(o *Options) *Action { return &o.DMARCFail }),
			Doc: "A post fails DMARC, and its author's domain asks that such mail be quarantined or rejected."},
		{Key: "unauthenticated", Rule: RuleAuthentication, Values: anyAction(), Default: "accept", read: readAction(func(o *Options) *Action { return &o.Unauthenticated }),
			Doc: "A post is in the name of a member, owner or moderator, and neither SPF, DKIM nor AUTH shows that it is theirs. Mail of which nothing is known, as of a trusted network without trusted_authserv_id, counts too."},
		{Key: "header_rules", Rule: RuleHeader, Lines: true, Text: "lines of ACTION FIELD PATTERN", read: readHeaderRules,
			Doc: "Rules on header fields, one a line: what to do (accept, hold, confirm, reject, discard), the field's name, and a regular expression (RE2, case does not matter) that its decoded value matches somewhere. With ! before the name, the rule is for posts none of whose fields of that name match. The first that matches counts; accept asks nothing more. The site's rules are asked first."},
		{Key: "spam_header", Rule: RuleSpam, Text: "name of a header field", read: readField,
			Doc: "Field in which a spam filter in front says its score: a number, stars, score=N, or [N / limit]. The highest counts where there are several. See spam_limit."},
		{Key: "spam_limit", Rule: RuleSpam, Text: "number", read: readSpamLimit,
			Doc: "Score from which on spam_action is taken; empty: never."},
		{Key: "spam_action", Rule: RuleSpam, Values: contentAction(), Default: "hold", read: readAction(func(o *Options) *Action { return &o.SpamAction }),
			Doc: "What becomes of a post with such a score."},
	}
}

func contentOptions() []Option {
	return []Option{
		{Key: "max_size", Rule: RuleSize, Text: "size", read: readSize,
			Doc: "Size of a post, as 500KiB or 2MiB, beyond which too_big is taken; empty: what the server takes (limits.message)."},
		{Key: "too_big", Rule: RuleSize, Values: contentAction(), Default: "hold", read: readAction(func(o *Options) *Action { return &o.TooBig }),
			Doc: "What becomes of a post that is larger than max_size."},
		{Key: "mime_refused", Rule: RuleMIME, Text: "types and file names", read: readTypes,
			Doc: "Types of parts and names of attachments that are not wanted, with spaces between: application/zip, image/*, *.exe. See mime_action."},
		{Key: "text_only", Rule: RuleMIME, Values: []string{"true", "false"}, Default: "false", read: readBool(func(o *Options) *bool { return &o.TextOnly }),
			Doc: "Whether only plain text is wanted: a post with a part that is neither text/plain, a multipart nor a signature gets mime_action."},
		{Key: "mime_action", Rule: RuleMIME, Values: contentAction(), Default: "hold", read: readAction(func(o *Options) *Action { return &o.MIMEAction }),
			Doc: "What becomes of a post with what mime_refused or text_only does not want. Where one of these is set, a post whose parts cannot be read is held, and one made to cost whoever reads it is rejected."},
		{Key: "max_recipients", Rule: RuleRecipients, Text: "number", read: readCount(func(o *Options) *int { return &o.MaxRecipients }),
			Doc: "Addresses in To and Cc from which on too_many_recipients is taken; empty or 0: never."},
		{Key: "too_many_recipients", Rule: RuleRecipients, Values: contentAction(), Default: "hold", read: readAction(func(o *Options) *Action { return &o.TooMany }),
			Doc: "What becomes of a post with so many addresses."},
		{Key: "no_subject", Rule: RuleSubject, Values: contentAction(), Default: "accept", read: readAction(func(o *Options) *Action { return &o.NoSubject }),
			Doc: "What becomes of a post without a subject."},
		{Key: "not_addressed", Rule: RuleAddressed, Values: contentAction(), Default: "accept", read: readAction(func(o *Options) *Action { return &o.NotAddressed }),
			Doc: "What becomes of a post that names the list neither in To nor in Cc."},
		{Key: "aliases", Rule: RuleAddressed, Text: "addresses and patterns", read: readAliases,
			Doc: "Other addresses by which the list may be named in To or Cc, with spaces between: an address, @domain, or ^regular expression. Mail to them has to be led here by the server in front."},
		{Key: "misplaced_command", Rule: RuleCommand, Values: contentAction(), Default: "accept", read: readAction(func(o *Options) *Action { return &o.Command }),
			Doc: "What becomes of a short post that looks like a command, as \"unsubscribe\". With reject, the sender is told where to write instead."},
		{Key: "digest_quote", Rule: RuleDigest, Values: contentAction(), Default: "accept", read: readAction(func(o *Options) *Action { return &o.DigestQuote }),
			Doc: "What becomes of a reply that has a digest's subject or quotes its beginning."},
		{Key: "post_rate", Rule: RuleRate, Text: "rate", read: readRate,
			Doc: "Posts of one author in a time, as 5/h: a number and /m, /h or /d. What is beyond it gets rate_action; empty: any number."},
		{Key: "rate_action", Rule: RuleRate, Values: contentAction(), Default: "hold", read: readAction(func(o *Options) *Action { return &o.RateAction }),
			Doc: "What becomes of a post beyond post_rate."},
	}
}

func policyOptions() []Option {
	return []Option{
		{Key: "new_member_posts", Rule: RuleNewcomer, Text: "number", read: readCount(func(o *Options) *int { return &o.NewPosts }),
			Doc: "So many posts of a new member are held; when moderators have released that many, the next go out by themselves. Who was a member when it was set is not new. Empty or 0: none."},
		{Key: "allowed_posters", Rule: RuleAllowed, Lines: true, Text: "addresses, patterns and lists", read: readAllowed,
			Doc: "Who posts as if a member of a list that lets members post, with spaces between: an address, @domain, @*.domain for all below it, ^regular expression, or list:ADDRESS for the members of another list of this site."},
		{Key: "member_action", Rule: RulePolicy, Values: defaultAction(), Default: "default", read: readDefault(func(o *Options) *Action { return &o.MemberAction }),
			Doc: "What becomes of members' posts. The default is what post_policy says: accept, or with moderators hold."},
		{Key: "nonmember_action", Rule: RulePolicy, Values: defaultAction(), Default: "default", read: readDefault(func(o *Options) *Action { return &o.NonmemberAction }),
			Doc: "What becomes of posts of others than members. The default is what post_policy says: with members reject, with anyone accept, with moderators hold."},
		{Key: "confirm_unauthenticated", Rule: RuleConfirm, Values: []string{"true", "false"}, Default: "false", read: readBool(func(o *Options) *bool { return &o.ConfirmUnauthenticated }),
			Doc: "Whether a post waits for an answer of its author to a mail where neither SPF, DKIM nor AUTH shows that it is theirs, whoever they are to the list. Without an answer within three days it is discarded. What a password in Approved or header_rules let through is not asked about."},
	}
}

func anyAction() []string {
	return []string{string(Accept), string(Hold), string(Confirm), string(Reject), string(Discard)}
}

func contentAction() []string {
	return []string{string(Accept), string(Hold), string(Reject), string(Discard)}
}

// byDefault leaves it to post_policy.
const byDefault = "default"

func defaultAction() []string { return append([]string{byDefault}, anyAction()...) }

func readText(of func(*Options) *string) func(*Options, string) error {
	return func(o *Options, value string) error {
		*of(o) = value
		return nil
	}
}

func readBool(of func(*Options) *bool) func(*Options, string) error {
	return func(o *Options, value string) error {
		*of(o) = value == "true"
		return nil
	}
}

func readAction(of func(*Options) *Action) func(*Options, string) error {
	return func(o *Options, value string) error {
		*of(o) = Action(value)
		return nil
	}
}

func readDefault(of func(*Options) *Action) func(*Options, string) error {
	return func(o *Options, value string) error {
		if value != byDefault {
			*of(o) = Action(value)
		}
		return nil
	}
}

// maxCount is the largest number that makes sense anywhere here.
const maxCount = 100_000

func readCount(of func(*Options) *int) func(*Options, string) error {
	return func(o *Options, value string) (err error) {
		if value == "" {
			return nil
		}
		if *of(o), err = strconv.Atoi(value); err != nil || *of(o) < 0 || *of(o) > maxCount {
			return &OptionError{BadNumber, value}
		}
		return nil
	}
}

func readSpamLimit(o *Options, value string) (err error) {
	if value == "" {
		return nil
	}
	if o.SpamLimit, err = strconv.ParseFloat(value, 64); err != nil || !(o.SpamLimit > 0 && o.SpamLimit < maxCount) {
		return &OptionError{BadNumber, value}
	}
	return nil
}

func readField(o *Options, value string) error {
	if value != "" && !isFieldName(value) {
		return &OptionError{BadField, value}
	}
	o.SpamHeader = value
	return nil
}

// isFieldName knows the name of a header field (RFC 5322 §2.2).
func isFieldName(name string) bool {
	return name != "" && len(name) <= 77 && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' })
}

func readSize(o *Options, value string) error {
	if value == "" {
		return nil
	}
	number, unit := value, int64(1)
	for suffix, octets := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if rest, ok := strings.CutSuffix(value, suffix); ok {
			number, unit = strings.TrimSpace(rest), octets
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 {
		return &OptionError{BadSize, value}
	}
	o.MaxSize = n * unit
	return nil
}

func readRate(o *Options, value string) error {
	if value == "" {
		return nil
	}
	number, unit, _ := strings.Cut(value, "/")
	window, ok := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	n, err := strconv.Atoi(number)
	if err != nil || !ok || n < 1 || n > maxCount {
		return &OptionError{BadRate, value}
	}
	o.PostRate = Rate{n, window}
	return nil
}

// maxEntries bounds what stands in one option.
const maxEntries = 200

func readTypes(o *Options, value string) error {
	o.MIMERefused = strings.Fields(strings.ToLower(strings.ReplaceAll(value, ",", " ")))
	if len(o.MIMERefused) > maxEntries {
		return &OptionError{BadMany, strconv.Itoa(maxEntries)}
	}
	for _, t := range o.MIMERefused {
		_, err := path.Match(t, "x")
		if errors.Is(err, path.ErrBadPattern) || !strings.ContainsAny(t, "/.") {
			return &OptionError{BadType, t}
		}
	}
	return nil
}

func readAliases(o *Options, value string) (err error) {
	o.Aliases, err = readPatterns(value)
	for _, p := range o.Aliases {
		if err == nil && p.list != "" {
			err = &OptionError{BadAddress, p.String()}
		}
	}
	return err
}

func readAllowed(o *Options, value string) (err error) {
	o.Allowed, err = readPatterns(value)
	return err
}
