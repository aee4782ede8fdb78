package config

import (
	"errors"
	"fmt"
	"strings"
)

// atLine is path with the line at which a parser says it stopped.
func atLine(path string, err error) string {
	var at interface{ Position() (row, column int) }
	if errors.As(err, &at) {
		row, _ := at.Position()
		return fmt.Sprintf("%s:%d", path, row)
	}
	return path
}

// lineOf is path with the line at which key is set in text, as far as a plain reading finds it: a
// heading and a bare key. An error without its line is still an error with its file.
func lineOf(path, text, key string) string {
	heading := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			heading = strings.TrimSpace(strings.Trim(strings.SplitN(line, "#", 2)[0], "[] \t")) + delimiter
			if heading == key+delimiter {
				return fmt.Sprintf("%s:%d", path, i+1)
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && heading+strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return fmt.Sprintf("%s:%d", path, i+1)
		}
	}
	return path
}
