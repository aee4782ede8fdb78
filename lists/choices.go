package lists

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"muster/lists/verdict"
)

// Choices is what a list, or the site, chose for its rules, as it is stored: an object of texts by key. "" and
// {} are nothing.
type Choices string

// keyBans stands in what a list chose where there are bans of it. It is no setting.
const keyBans = "bans"

// values takes it apart. It was written here; what could not be read would be no choice.
func (c Choices) values() map[string]string {
	values := map[string]string{}
	if c == "" || c == "{}" {
		return values
	}
	if err := json.Unmarshal([]byte(c), &values); err != nil {
		return map[string]string{}
	}
	return values
}

// with is what was chosen with one value more, "" taking it away.
func (c Choices) with(key, value string) Choices {
	values := c.values()
	if values[key] = value; value == "" {
		delete(values, key)
	}
	text, err := json.Marshal(values)
	if err != nil { // texts in a map always can be written
		return c
	}
	return Choices(text)
}

// text is it as it is stored.
func (c Choices) text() string {
	if c == "" {
		return "{}"
	}
	return string(c)
}

// get is the value of an option, or its default.
func (c Choices) get(o verdict.Option) string {
	if value, ok := c.values()[o.Key]; ok {
		return value
	}
	return o.Default
}

// hasBans says whether the list has bans.
func (c Choices) hasBans() bool { return c != "" && c != "{}" && c.values()[keyBans] != "" }

// options are what was chosen, read.
func (c Choices) options() (verdict.Options, error) {
	if c == "" || c == "{}" { // as nearly everywhere
		return verdict.Options{}, nil
	}
	o, err := verdict.ReadOptions(c.values())
	if err != nil {
		return o, fmt.Errorf("what was chosen for the rules: %w", err)
	}
	return o, nil
}

// RuleSettings are the options of the rules as settings of a list.
func RuleSettings() []Setting {
	var settings []Setting
	for _, o := range verdict.OptionTable() {
		settings = append(settings, settingOf(o))
	}
	return settings
}

func settingOf(o verdict.Option) Setting {
	return Setting{Key: o.Key, Values: o.Values, Text: o.Text, Default: o.Default, Doc: o.Doc, Rule: o.Rule, Secret: o.Secret, Lines: o.Lines, option: &o}
}

// SiteSettings is the table of what holds for all lists of the site.
func SiteSettings() []Setting {
	table := verdict.OptionTable()
	i := slices.IndexFunc(table, func(o verdict.Option) bool { return o.Rule == verdict.RuleHeader })
	s := settingOf(table[i])
	s.Doc = "Rules on header fields for the posts of all lists, asked before those of the list; written as those of a list."
	return []Setting{s}
}

// optionOf finds an option.
func optionOf(key string) (verdict.Option, bool) {
	for _, o := range verdict.OptionTable() {
		if o.Key == key {
			return o, true
		}
	}
	return verdict.Option{}, false
}

// secretShown is shown instead of a value that was set and is stored as a hash.
const secretShown = "(set)"

// getChosen is the value of an option for people.
func (c Choices) getChosen(key string) string {
	o, ok := optionOf(key)
	if !ok {
		return ""
	}
	value := c.get(o)
	if o.Secret && value != "" {
		return secretShown
	}
	return value
}

// putChosen stores a value that was checked. What is the default is not stored.
func (c Choices) putChosen(key, value string) Choices {
	if o, ok := optionOf(key); ok && value == o.Default {
		value = ""
	}
	return c.with(key, value)
}

// checkOption reads a value as the rules do.
func (s Setting) checkOption(value string) (string, error) {
	switch {
	case s.Lines:
		value = cleanText(value)
	default:
		value = strings.TrimSpace(cleanLine(value))
	}
	if err := s.checkLength(value, maxRuleText); err != nil {
		return "", err
	}
	err := s.option.Check(value)
	bad, ok := err.(*verdict.OptionError)
	if !ok {
		return value, err
	}
	e := &Error{Kind: Invalid, Code: "setting.bad." + bad.Code, Field: s.Key, Msg: s.Key + ": " + bad.Error()}
	e.Params = map[string]any{"Key": s.Key, "Text": clip(bad.Text)}
	return "", e
}

// maxRuleText is how long the value of an option may be.
const maxRuleText = 16 << 10
