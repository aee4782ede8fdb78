package command

import "strings"

// Option is a setting of the author's membership that a command wants changed. Whether there is such a
// setting, and what it takes, is for whoever carries the command out.
type Option struct{ Key, Value string }

// option is one of the words that stand for a setting, in the table below.
type option struct {
	words   []string
	means   Option
	against string // the value that "off" behind the word means
}

// options are the words people know from here and from other list managers. What is new of a member
// that is no more than a setting needs no word here: "set key value" reaches it.
func options() []option {
	return []option{
		{words: []string{"mail", "each", "delivery"}, means: Option{"mode", "each"}, against: "none"},
		{words: []string{"nomail", "none"}, means: Option{"mode", "none"}, against: "each"},
		{words: []string{"digest"}, means: Option{"mode", "digest"}, against: "each"},
		{words: []string{"summary"}, means: Option{"mode", "summary"}, against: "each"},
		{words: []string{"nodigest"}, means: Option{"mode", "each"}, against: "digest"},
		{words: []string{"hidden", "hide", "conceal"}, means: Option{"hidden", "true"}, against: "false"},
		{words: []string{"visible", "noconceal"}, means: Option{"hidden", "false"}, against: "true"},
		{words: []string{"myposts", "ownposts"}, means: Option{"own_posts", "true"}, against: "false"},
		{words: []string{"not_me", "noownposts"}, means: Option{"own_posts", "false"}, against: "true"},
	}
}

// readOptions reads what stands behind join or set: words of the table, key=value, and for set alone
// "key value".
func (m Mail) readOptions(c *Command, verb Verb, words []string) {
	rest := m.unnamed(words)
	named := len(rest) < len(words)
	if verb == Set && len(rest) == 2 && !strings.Contains(rest[0]+rest[1], "=") {
		if _, ok := wordOption(rest[0]); !ok || isSwitch(rest[1]) {
			c.Verb, c.Options = Set, []Option{pair(rest[0], rest[1])}
			return
		}
	}
	for i, word := range rest {
		o, ok := readOption(word)
		switch {
		case ok:
			c.Options = append(c.Options, o)
		case i > 0 || verb == Set && len(rest) == 1:
			c.Verb, c.Options, c.Fault = verb, nil, clean(word, maxLine)
			return
		case verb == Join && named:
			// Other list managers want the person's name here. From has it.
			c.Verb, c.Options = verb, nil
			return
		default: // a sentence
			return
		}
	}
	c.Verb = verb
}

// Words reads the options that stand behind a plus in an address, as in dev-join+digest@.
func Words(detail string) (found []Option, fault string) {
	for word := range strings.SplitSeq(detail, "+") {
		if word == "" {
			continue
		}
		o, ok := readOption(word)
		if !ok {
			return nil, clean(word, maxLine)
		}
		found = append(found, o)
	}
	return found, ""
}

func readOption(word string) (Option, bool) {
	if key, value, ok := strings.Cut(word, "="); ok {
		return pair(key, value), key != "" && value != ""
	}
	o, ok := wordOption(word)
	return o.means, ok
}

func wordOption(word string) (option, bool) {
	word = strings.ToLower(word)
	for _, o := range options() {
		for _, w := range o.words {
			if w == word {
				return o, true
			}
		}
	}
	return option{}, false
}

// pair is a setting that is named with its value: one of the table's words, switched, or the setting by
// its own name. Other values of one of these words, as in digest=mime, say the same as the word alone.
func pair(key, value string) Option {
	on := boolean(value)
	if o, ok := wordOption(key); ok {
		if on == "false" && !isOwnName(key) {
			return Option{o.means.Key, o.against}
		}
		if !isOwnName(key) {
			return o.means
		}
	}
	return Option{clean(strings.ReplaceAll(strings.ToLower(key), "-", "_"), maxLine), clean(on, maxLine)}
}

// isOwnName knows the one word that is a setting's name too.
func isOwnName(key string) bool { return strings.EqualFold(key, "hidden") }

func isSwitch(value string) bool {
	switch strings.ToLower(value) {
	case "on", "off", "yes", "no", "true", "false":
		return true
	}
	return false
}

// boolean is a value as settings take it.
func boolean(value string) string {
	switch strings.ToLower(value) {
	case "on", "yes", "true":
		return "true"
	case "off", "no", "false":
		return "false"
	}
	return strings.ToLower(value)
}
