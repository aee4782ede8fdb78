package templates

import "html/template"

// Field is one input of a form with what belongs to it: label, hint and, after a failed try, what
// was wrong with it.
type Field struct {
	Name  string
	Type  string // of the input element, or "textarea"
	Label string
	Hint  string
	Value string
	Error string
	Attrs template.HTMLAttr // fixed in the page's source: required, autocomplete="email"
}

// newField is {{field "address" "email" (t "…") (t "…") .Form.Address .Errors "required"}}.
func newField(name, kind, label, hint, value string, errors map[string]string, attrs template.HTMLAttr) Field {
	return Field{Name: name, Type: kind, Label: label, Hint: hint, Value: value, Error: errors[name], Attrs: attrs}
}

// DescribedBy names the elements that explain the field to a screen reader.
func (f Field) DescribedBy() string {
	switch {
	case f.Error != "" && f.Hint != "":
		return f.Name + "-error " + f.Name + "-hint"
	case f.Error != "":
		return f.Name + "-error"
	case f.Hint != "":
		return f.Name + "-hint"
	}
	return ""
}
