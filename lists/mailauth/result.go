package mailauth

import (
	"slices"
	"strings"
)

// Value is what a check came to (RFC 8601 §2.7).
type Value string

// The values.
const (
	None      Value = "none"
	Pass      Value = "pass"
	Fail      Value = "fail"
	Policy    Value = "policy"
	Neutral   Value = "neutral"
	SoftFail  Value = "softfail"
	TempError Value = "temperror"
	PermError Value = "permerror"
)

// The methods that are made or listened to here.
const (
	MethodSPF   = "spf"
	MethodDKIM  = "dkim"
	MethodDMARC = "dmarc"
	MethodARC   = "arc"
	MethodAuth  = "auth"
)

// Result is what one check came to: a resinfo (RFC 8601 §2.2).
type Result struct {
	Method string
	Value  Value
	Reason string
	Props  []Prop
}

// Prop is what a result is about, such as smtp.mailfrom.
type Prop struct{ Name, Value string }

// Prop is the value of a property, "" where there is none of that name.
func (r *Result) Prop(name string) string {
	for _, p := range r.Props {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// set gives a property another value, "" taking it away.
func (r *Result) set(name, value string) {
	r.Props = slices.DeleteFunc(r.Props, func(p Prop) bool { return p.Name == name && value == "" })
	for i := range r.Props {
		if r.Props[i].Name == name {
			r.Props[i].Value = value
			return
		}
	}
	if value != "" {
		r.Props = slices.Insert(r.Props, 0, Prop{name, value})
	}
}

// String is the result in a line.
func (r Result) String() string {
	text := r.Method + "=" + string(r.Value)
	if r.Reason != "" {
		text += " reason=" + value(clip(r.Reason))
	}
	for _, p := range r.Props {
		text += " " + p.Name + "=" + value(clip(p.Value))
	}
	return text
}

// Value is what the checks of a method came to: of several signatures the best. "" where there was none.
func (f *Finding) Value(method string) Value {
	best := Value("")
	for _, r := range f.Results {
		if r.Method == method && (best == "" || rank(r.Value) < rank(best)) {
			best = r.Value
		}
	}
	return best
}

func rank(v Value) int {
	order := []Value{Pass, TempError, Policy, Neutral, SoftFail, Fail, PermError, None}
	for i, o := range order {
		if v == o {
			return i
		}
	}
	return len(order)
}

// maxText is how much is written of a value that a stranger wrote.
const maxText = 100

// Field is an Authentication-Results field that names who found the results, with its line end.
func (f *Finding) Field(authserv string) string {
	var b strings.Builder
	b.WriteString("Authentication-Results: " + value(authserv))
	if len(f.Results) == 0 {
		b.WriteString("; none")
	}
	for _, r := range f.Results {
		b.WriteString(";\r\n\t")
		r.write(&b)
	}
	b.WriteString("\r\n")
	return b.String()
}

// write writes a result, folded where a line would be long (RFC 5322 §2.1.1).
func (r *Result) write(b *strings.Builder) {
	const most = 72
	line := r.Method + "=" + string(r.Value)
	add := func(text string) {
		if len(line)+1+len(text) > most {
			b.WriteString(line + "\r\n")
			line = "\t\t" + text
			return
		}
		line += " " + text
	}
	if r.Reason != "" {
		add("reason=" + value(clip(r.Reason)))
	}
	for _, p := range r.Props {
		add(p.Name + "=" + value(clip(p.Value)))
	}
	b.WriteString(line)
}

func clip(s string) string { return s[:min(len(s), maxText)] }

// value is text as a token, or else as a quoted-string in which it can do no harm (RFC 8601 §2.2).
func value(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !isToken(r) }) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// isToken says whether a character needs no quotes (RFC 2045's token, as RFC 8601 §2.2 wants it).
func isToken(r rune) bool {
	return r > ' ' && r <= '~' && !strings.ContainsRune(`()<>@,;:\"/[]?=`, r)
}
