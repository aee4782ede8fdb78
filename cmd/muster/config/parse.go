package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse makes value, as the file, the environment or a flag gave it, one of the setting's kind.
func (s Setting) parse(value any) (any, error) {
	switch s.Kind {
	case Bool:
		return parseBool(value)
	case Number:
		return s.parseNumber(value)
	case Duration:
		return s.parseDuration(value)
	case Octets:
		return parseSize(value)
	case List:
		return parseList(value)
	case Tables:
		return s.parseTables(value)
	default:
		return parseText(value)
	}
}

func parseText(value any) (string, error) {
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%v is not a text; put it in quotation marks", value)
	}
	return text, nil
}

func parseBool(value any) (bool, error) {
	b, err := strconv.ParseBool(fmt.Sprint(value))
	if err != nil {
		return false, fmt.Errorf("%v is neither true nor false", value)
	}
	return b, nil
}

func (s Setting) parseNumber(value any) (int, error) {
	n, err := strconv.Atoi(fmt.Sprint(value))
	if s.Off && err == nil && n == 0 {
		return 0, nil
	}
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%v is not a whole number from 1 up", value)
	}
	return n, nil
}

func (s Setting) parseDuration(value any) (time.Duration, error) {
	d, err := time.ParseDuration(fmt.Sprint(value))
	if s.Off && err == nil && d == 0 {
		return 0, nil
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%v is not a duration such as 30s, 5m or 4h", value)
	}
	return d, nil
}

func parseSize(value any) (Size, error) {
	var s Size
	err := s.UnmarshalText([]byte(fmt.Sprint(value)))
	return s, err
}

// parseList takes one text for a list of one, or of several with commas between.
func parseList(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		return splitList(v), nil
	case []string:
		return splitList(strings.Join(v, ",")), nil
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			text, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("%v in the list is not a text; put it in quotation marks", e)
			}
			list = append(list, text)
		}
		return list, nil
	default:
		return nil, fmt.Errorf("%v is not a list of texts", value)
	}
}

func splitList(s string) []string {
	list := []string{}
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// parseTables takes the tables of a file, or one text.
func (s Setting) parseTables(value any) ([]any, error) {
	tables := []any{}
	switch v := value.(type) {
	case string:
		if v == "" {
			return tables, nil
		}
		if s.Alone == "" {
			return nil, fmt.Errorf("%q is no table; it is set in the file, as [[%s]]", v, s.Key)
		}
		tables = append(tables, map[string]any{s.Alone: v})
	case []any:
		tables = v
	case map[string]any: // [key] in place of [[key]]
		tables = append(tables, v)
	default:
		return nil, fmt.Errorf("%v is no table; write [[%s]]", value, s.Key)
	}
	parsed := make([]any, 0, len(tables))
	for i, t := range tables {
		row, err := s.parseTable(t)
		if err != nil {
			return nil, fmt.Errorf("table %d: %w", i+1, err)
		}
		parsed = append(parsed, row)
	}
	return parsed, nil
}

func (s Setting) parseTable(table any) (map[string]any, error) {
	given, ok := table.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v is no table; write [[%s]]", table, s.Key)
	}
	row := map[string]any{}
	var names []string
	for _, c := range s.Columns {
		names = append(names, c.Key)
		value, set := given[c.Key]
		if !set {
			if c.Default == "" {
				continue
			}
			value = c.Default
		}
		parsed, err := c.parse(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Key, err)
		}
		row[c.Key] = parsed
	}
	for name := range given {
		if !slices.Contains(names, name) {
			return nil, unknownName("[["+s.Key+"]]", name, names)
		}
	}
	return row, nil
}
