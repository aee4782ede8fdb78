package verdict

import (
	"regexp"
	"strconv"
	"strings"

	"muster/smtp"
)

// maxPattern is how long a regular expression may be. RE2 takes time in proportion to the text, and a
// program of a size in proportion to this.
const maxPattern = 500

// compile makes a regular expression that ignores case.
func compile(pattern string) (*regexp.Regexp, error) {
	if pattern == "" || len(pattern) > maxPattern {
		return nil, &OptionError{BadPattern, pattern[:min(len(pattern), 80)]}
	}
	re, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return nil, &OptionError{BadPattern, pattern}
	}
	return re, nil
}

// Pattern is for addresses: one of them, those of a domain, those that a regular expression matches, or
// those on another list.
type Pattern struct {
	text   string         // the key of an address, "@domain", or "@*.domain"
	re     *regexp.Regexp // beginning with ^
	list   string         // key of a list's address
	source string
}

// String is the pattern as it is stored.
func (p Pattern) String() string { return p.source }

// IsRegexp says whether the pattern is a regular expression, which has to be tried.
func (p Pattern) IsRegexp() bool { return p.re != nil }

// List is the key of the list whose members are meant; "" for other patterns.
func (p Pattern) List() string { return p.list }

// ReadPattern reads a pattern. Its String is the same for all spellings that mean the same.
func ReadPattern(text string) (Pattern, error) {
	if rest, ok := strings.CutPrefix(text, "*@"); ok { // as many write it
		text = "@" + rest
	}
	p := Pattern{source: text}
	var err error
	switch rest, isList := strings.CutPrefix(text, "list:"); {
	case strings.HasPrefix(text, "^"):
		p.re, err = compile(text)
		return p, err
	case isList:
		p.list, err = addressKey(rest)
		p.source = "list:" + p.list
	case strings.HasPrefix(text, "@*."):
		p.text, err = domainKey(strings.TrimPrefix(text, "@*."))
		p.text = "@*." + p.text
		p.source = p.text
	case strings.HasPrefix(text, "@"):
		p.text, err = domainKey(strings.TrimPrefix(text, "@"))
		p.text = "@" + p.text
		p.source = p.text
	default:
		p.text, err = addressKey(text)
		p.source = p.text
	}
	if err != nil {
		return Pattern{}, &OptionError{BadAddress, text[:min(len(text), 80)]}
	}
	return p, nil
}

func addressKey(text string) (string, error) {
	a, err := smtp.ParseAddress(text)
	return a.Key(), err
}

func domainKey(text string) (string, error) { return smtp.DomainKey(text) }

// readPatterns reads patterns with white space between. Commas after what cannot have any are forgiven.
func readPatterns(value string) ([]Pattern, error) {
	words := strings.Fields(value)
	if len(words) > maxEntries {
		return nil, &OptionError{BadMany, strconv.Itoa(maxEntries)}
	}
	patterns := make([]Pattern, 0, len(words))
	for _, word := range words {
		if !strings.HasPrefix(word, "^") {
			word = strings.TrimSuffix(word, ",")
		}
		p, err := ReadPattern(word)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// Match says whether the pattern is for an address. Who is on another list it does not know.
func (p Pattern) Match(a smtp.Address) bool {
	key := a.Key()
	if p.re != nil {
		return p.re.MatchString(key)
	}
	for _, form := range Forms(a) {
		if p.text != "" && p.text == form {
			return true
		}
	}
	return false
}

// Forms are the patterns without a regular expression that are for an address: it, its domain, and what is
// above that.
func Forms(a smtp.Address) []string {
	domain := a.DomainKey()
	forms := []string{a.Key(), "@" + domain}
	for {
		_, above, ok := strings.Cut(domain, ".")
		if !ok {
			return forms
		}
		forms = append(forms, "@*."+above)
		domain = above
	}
}

// match is the pattern among several that is for an address; "" for none.
func match(patterns []Pattern, a smtp.Address) string {
	for _, p := range patterns {
		if p.Match(a) {
			return p.String()
		}
	}
	return ""
}

// HeaderRule says what becomes of posts with a field whose value a pattern matches, or with Not of those
// without.
type HeaderRule struct {
	Action Action
	Field  string // in lower case
	Not    bool
	re     *regexp.Regexp
}

// maxHeaderRules bounds what is asked of a post.
const maxHeaderRules = 50

// ReadHeaderRules reads rules, one a line.
func ReadHeaderRules(text string) ([]HeaderRule, error) {
	var rules []HeaderRule
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		r, err := readHeaderRule(line)
		if err != nil {
			return nil, err
		}
		if rules = append(rules, r); len(rules) > maxHeaderRules {
			return nil, &OptionError{BadMany, strconv.Itoa(maxHeaderRules)}
		}
	}
	return rules, nil
}

func readHeaderRule(line string) (HeaderRule, error) {
	word, rest, _ := strings.Cut(line, " ")
	name, pattern, ok := strings.Cut(strings.TrimSpace(rest), " ")
	r := HeaderRule{Action: Action(strings.ToLower(word))}
	name, r.Not = strings.CutPrefix(name, "!")
	r.Field = strings.ToLower(strings.TrimSuffix(name, ":"))
	switch r.Action {
	case Accept, Hold, Confirm, Reject, Discard:
	default:
		ok = false
	}
	if !ok || !isFieldName(r.Field) {
		return HeaderRule{}, &OptionError{BadRule, line[:min(len(line), 80)]}
	}
	var err error
	r.re, err = compile(strings.TrimSpace(pattern))
	return r, err
}

func readHeaderRules(o *Options, value string) (err error) {
	o.HeaderRules, err = ReadHeaderRules(value)
	return err
}

// maxValue is how much of a field a rule looks at.
const maxValue = 16 << 10

// matches says whether the rule is for a message with this header.
func (r *HeaderRule) matches(header []byte) bool {
	for name, value := range fields(header) {
		if strings.EqualFold(name, r.Field) && r.re.MatchString(decode(value[:min(len(value), maxValue)])) {
			return !r.Not
		}
	}
	return r.Not
}
