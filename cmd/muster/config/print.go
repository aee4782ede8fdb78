package config

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// Print writes the settings as a TOML file that says where each came from. Secrets are hidden.
func (c *Config) Print(w io.Writer) error {
	table := ""
	for _, s := range Settings() {
		name := s.Key
		if heading, rest, ok := strings.Cut(s.Key, delimiter); ok {
			name = rest
			if heading != table {
				fmt.Fprintf(w, "\n[%s]\n", heading)
				table = heading
			}
		}
		value := s.literal(c.value(s.Key))
		if _, err := fmt.Fprintf(w, "%-40s # %s\n", name+" = "+value, c.origin[s.Key]); err != nil {
			return err
		}
	}
	return nil
}

// PrintJSON writes the settings as Print does, one object a line.
func (c *Config) PrintJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, s := range Settings() {
		if err := out.Encode(settingView{Key: s.Key, Value: s.view(c.value(s.Key)), Origin: c.origin[s.Key]}); err != nil {
			return err
		}
	}
	return nil
}

type settingView struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

// view is a value as JSON has it, what literal quotes as text.
func (s Setting) view(value any) any {
	switch v := value.(type) {
	case string:
		return s.Shown(v)
	case []string:
		shown := make([]string, len(v))
		for i, e := range v {
			shown[i] = s.Shown(e)
		}
		return shown
	case time.Duration:
		return shortDuration(v)
	case Size:
		return v.String()
	}
	if s.Kind == Tables {
		return s.viewTables(reflect.ValueOf(value))
	}
	return value
}

// viewTables is each table as an object, without what is as it would be anyway.
func (s Setting) viewTables(rows reflect.Value) []map[string]any {
	all := make([]map[string]any, rows.Len())
	for i := range all {
		all[i] = map[string]any{}
		for _, c := range s.Columns {
			cell := fieldByTag(rows.Index(i), c.Key)
			if !cell.IsZero() && fmt.Sprint(cell.Interface()) != c.Default {
				all[i][c.Key] = c.view(cell.Interface())
			}
		}
	}
	return all
}

// literal writes a value as TOML has it.
func (s Setting) literal(value any) string {
	switch v := value.(type) {
	case string:
		return quote(s.Shown(v))
	case []string:
		quoted := make([]string, len(v))
		for i, e := range v {
			quoted[i] = quote(s.Shown(e))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case time.Duration:
		return quote(shortDuration(v))
	case Size:
		return quote(v.String())
	default:
		if s.Kind == Tables {
			return s.tables(reflect.ValueOf(value))
		}
		return fmt.Sprint(v)
	}
}

// tables writes tables on one line, without what is as it would be anyway.
func (s Setting) tables(rows reflect.Value) string {
	written := make([]string, rows.Len())
	for i := range written {
		var cells []string
		for _, c := range s.Columns {
			cell := fieldByTag(rows.Index(i), c.Key)
			if cell.IsZero() || fmt.Sprint(cell.Interface()) == c.Default {
				continue
			}
			value := c.literal(cell.Interface())
			if cells = append(cells, c.Key+" = "+value); len(cells) == 1 && c.Key == s.Alone {
				written[i] = value
			}
		}
		if len(cells) == 1 && len(written) == 1 && written[i] != "" {
			return written[i]
		}
		written[i] = "{" + strings.Join(cells, ", ") + "}"
	}
	return "[" + strings.Join(written, ", ") + "]"
}

// quote writes a basic string of TOML, which knows fewer escapes than Go.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// shortDuration writes 5m for 5m0s, and 0 for never.
func shortDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// String writes s with the greatest unit that leaves no rest.
func (s Size) String() string {
	for _, unit := range []struct {
		name string
		bits int
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if s > 0 && s%(1<<unit.bits) == 0 {
			return fmt.Sprintf("%d%s", s>>unit.bits, unit.name)
		}
	}
	return fmt.Sprint(int64(s))
}

// value is the field of c that holds key's value.
func (c *Config) value(key string) any {
	v := reflect.ValueOf(*c)
	for _, part := range strings.Split(key, delimiter) {
		v = fieldByTag(v, part)
	}
	return v.Interface()
}

func fieldByTag(v reflect.Value, tag string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("koanf") == tag {
			return v.Field(i)
		}
	}
	panic("config: no field for the setting " + tag) // a test walks all
}
