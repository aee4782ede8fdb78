package templates

import (
	"fmt"
	"html/template"
	"time"
)

// funcs are what a page may call, bound to a language. All are pure.
func (c *Catalogue) funcs(assets map[string]string) template.FuncMap {
	return template.FuncMap{
		"t":     c.text,
		"tn":    c.count,
		"th":    c.markup,
		"num":   c.number,
		"date":  c.Date,
		"since": c.Since,
		"size":  c.Size,
		"field": newField,
		"asset": func(name string) (string, error) {
			if url, ok := assets[name]; ok {
				return url, nil
			}
			return "", fmt.Errorf("no static file %q", name)
		},
	}
}

// text is {{t "id" "Name" .Value …}}.
func (c *Catalogue) text(id string, pairs ...any) (string, error) {
	params, err := paramsOf(pairs)
	return c.Text(id, params), err
}

// count is {{tn "id" .N "Name" .Value …}}.
func (c *Catalogue) count(id string, n any, pairs ...any) (string, error) {
	params, err := paramsOf(pairs)
	if err != nil {
		return "", err
	}
	whole, err := integer(n)
	return c.Count(id, whole, params), err
}

// markup is text for a sentence that holds markup of ours: what goes into it is escaped unless it
// is markup of ours itself.
func (c *Catalogue) markup(id string, pairs ...any) (template.HTML, error) {
	params, err := paramsOf(pairs)
	for k, v := range params {
		if _, ours := v.(template.HTML); !ours {
			params[k] = template.HTMLEscaper(v)
		}
	}
	return template.HTML(c.Text(id, params)), err
}

func (c *Catalogue) number(n any) (string, error) {
	whole, err := integer(n)
	return c.Number(whole), err
}

func paramsOf(pairs []any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("parameters come in pairs of name and value, got %d", len(pairs))
	}
	params := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("parameter name %v is no string", pairs[i])
		}
		params[name] = pairs[i+1]
	}
	return params, nil
}

func integer(n any) (int64, error) {
	switch n := n.(type) {
	case int:
		return int64(n), nil
	case int64:
		return n, nil
	}
	return 0, fmt.Errorf("%T is no whole number", n)
}

// Date is a moment to the minute, in UTC: pages are read in every time zone and served from one.
func (c *Catalogue) Date(t time.Time) string {
	return t.UTC().Format(c.Text("time.layout", nil))
}

// Since is how long t lies before now, in the largest unit that fits; a date after a month.
func (c *Catalogue) Since(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return c.Text("time.now", nil)
	case d < time.Hour:
		return c.Count("time.minutes", int64(d/time.Minute), nil)
	case d < 24*time.Hour:
		return c.Count("time.hours", int64(d/time.Hour), nil)
	case d < 30*24*time.Hour:
		return c.Count("time.days", int64(d/(24*time.Hour)), nil)
	}
	return t.UTC().Format(c.Text("time.day", nil))
}

// Size is a number of octets as people say it.
func (c *Catalogue) Size(octets int64) string {
	const k = 1 << 10
	switch {
	case octets < k:
		return c.Count("size.bytes", octets, nil)
	case octets < k*k:
		return c.printer.Sprintf("%.0f KiB", float64(octets)/k)
	}
	return c.printer.Sprintf("%.1f MiB", float64(octets)/(k*k))
}
