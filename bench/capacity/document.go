package capacity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PlanText is the simulation's part of the document.
func PlanText(plans []Outcome) string {
	n := len(Sizes())
	return "A transaction for each copy (`verp=true`, the default):\n\n" + PlanTable(plans[:n]) +
		"\nUp to 100 recipients a transaction (`verp=false`):\n\n" + PlanTable(plans[n:])
}

// blocks are the generated parts of the document, by name.
func blocks(m *Measured) (map[string]string, error) {
	plans, err := Plans(m, Seed)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"machine": fmt.Sprintf("Measured on %s: %d processors, PostgreSQL %d.\n", m.Date, m.Processors, m.PostgreSQL),
		"nodes":   ProcessTable(m),
		"lists":   ListTable(m),
		"others":  OtherTable(m),
		"load":    LoadTable(AssumedLoad(0)),
		"plan":    PlanText(plans),
	}, nil
}

// Publish writes the curves below a directory of documents, and the tables into scaling.md there.
func Publish(m *Measured, docs string) error {
	made, err := blocks(m)
	if err != nil {
		return err
	}
	path := filepath.Join(docs, "scaling.md")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	renewed, err := renew(string(text), made)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Join(docs, "scaling"), 0o755); err != nil {
		return err
	}
	for name, picture := range Pictures(m) {
		if err := os.WriteFile(filepath.Join(docs, "scaling", name+".svg"), []byte(picture), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(path, []byte(renewed), 0o644)
}

// renew puts each block between its two marks.
func renew(text string, made map[string]string) (string, error) {
	for name, block := range made {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			return "", fmt.Errorf("the marks of the block %q are not there", name)
		}
		text = before + begin + block + end + after
	}
	return text, nil
}
