package admin

import (
	"net/http"
	"net/url"
	"slices"

	"muster/lists"
	"muster/templates"
)

// settingsPage is a form of every setting a list has, made from the table of them.
type settingsPage struct {
	listFrame
	Settings []settingInput
	Errors   formErrors
}

// settingInput is one setting as an input: text, or a choice of its values.
type settingInput struct {
	Key     string
	Field   templates.Field
	Choices []choice
	Number  *number
	Error   string
}

// choice is one value of a setting, in words.
type choice struct {
	Value, Label, Hint string
	Chosen             bool
}

// number is the whole number that the choice anyNumber stands for.
type number struct{ Value string }

// anyNumber is the choice of a number; the number has an input of its own.
const (
	anyNumber    = "N"
	numberSuffix = "-number"
)

// Settings stand on two pages: those of the list itself, and the options of the rules that judge its posts.
const (
	tabSettings = "settings"
	tabRules    = "rules"
)

func settingsOf(tab string) []lists.Setting {
	if tab == tabRules {
		return lists.RuleSettings()
	}
	return lists.ListSettings()
}

func (s *Site) showSettings(v *visit) error {
	return s.renderSettings(v, http.StatusOK, tabSettings, nil)
}

func (s *Site) showRules(v *visit) error {
	return s.renderSettings(v, http.StatusOK, tabRules, nil)
}

// failedTry is a form that was refused: what was wrong, and what was typed.
type failedTry struct {
	errors  formErrors
	changes []lists.Change
}

// renderSettings fills the form with the values of the list, or those of a failed try.
func (s *Site) renderSettings(v *visit, code int, tab string, failed *failedTry) error {
	value, errs := v.list.Get, formErrors(nil)
	if failed != nil {
		value, errs = valueOf(failed.changes, v.list.Get), failed.errors
	}
	p := settingsPage{listFrame: v.listFrame(tab), Errors: errs}
	for _, setting := range settingsOf(tab) {
		if setting.Admin && !v.actor.Admin {
			continue
		}
		p.Settings = append(p.Settings, v.settingInput("setting", setting, value(setting.Key), errs[setting.Key]))
	}
	return v.show(code, "settings", p)
}

// settingInput makes the input; what it is called in the catalogue begins with prefix.
func (v *visit) settingInput(prefix string, setting lists.Setting, value, wrong string) settingInput {
	id := prefix + "." + setting.Key
	in := settingInput{Key: setting.Key, Error: wrong}
	if len(setting.Values) == 0 {
		in.Field = templates.Field{Name: setting.Key, Type: "text", Label: v.words.Text(id, nil), Hint: v.hint(id), Value: value, Error: wrong}
		switch {
		case setting.Secret: // nothing typed leaves it as it is
			in.Field.Type, in.Field.Value, in.Field.Attrs = "password", "", `autocomplete="new-password"`
		case setting.Lines, setting.Key == "description":
			in.Field.Type = "textarea"
		}
		return in
	}
	known := slices.Contains(setting.Values, value) && value != anyNumber
	for _, word := range setting.Values {
		c := choice{Value: word, Label: v.choiceLabel(id, word), Hint: v.hint(id + "." + word), Chosen: word == value}
		if word == anyNumber {
			c.Chosen = !known
			in.Number = &number{}
			if !known {
				in.Number.Value = value
			}
		}
		in.Choices = append(in.Choices, c)
	}
	return in
}

// hint explains what has the id, where the catalogue does.
func (v *visit) hint(id string) string {
	if id += ".hint"; v.words.Has(id) {
		return v.words.Text(id, nil)
	}
	return ""
}

// choiceLabel is a value in words: those of the setting, or what the value means everywhere.
func (v *visit) choiceLabel(id, word string) string {
	if v.words.Has(id + "." + word) {
		return v.words.Text(id+"."+word, nil)
	}
	return v.words.Text("action."+word, nil)
}

func (s *Site) saveSettings(v *visit) error { return s.saveSettingsOf(v, tabSettings) }

func (s *Site) saveRules(v *visit) error { return s.saveSettingsOf(v, tabRules) }

func (s *Site) saveSettingsOf(v *visit, tab string) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	changes := readChanges(form, settingsOf(tab))
	if _, err := s.lists.SetList(v.Request().Context(), v.actor, v.list.ID, changes); err != nil {
		errs, code, err := v.refused(err, settingKeys(lists.Settings())...)
		if err != nil {
			return err
		}
		return s.renderSettings(v, code, tab, &failedTry{errs, changes})
	}
	return v.done(v.manageURL(tab), "saved")
}

// readChanges takes from a form those settings that it has.
func readChanges(form url.Values, table []lists.Setting) []lists.Change {
	var changes []lists.Change
	for _, setting := range table {
		if !form.Has(setting.Key) {
			continue
		}
		value := form.Get(setting.Key)
		if setting.Secret && value == "" {
			continue
		}
		if value == anyNumber && len(setting.Values) > 0 {
			value = form.Get(setting.Key + numberSuffix)
		}
		changes = append(changes, lists.Change{Key: setting.Key, Value: value})
	}
	return changes
}

// valueOf is what was tried, and what was before for the rest.
func valueOf(changes []lists.Change, before func(key string) string) func(key string) string {
	return func(key string) string {
		for _, c := range changes {
			if c.Key == key {
				return c.Value
			}
		}
		return before(key)
	}
}

func settingKeys(table []lists.Setting) []string {
	var keys []string
	for _, setting := range table {
		keys = append(keys, setting.Key)
	}
	return keys
}
