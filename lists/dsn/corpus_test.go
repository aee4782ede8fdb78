package dsn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/lists/dsn"
)

// corpus is a folder of real mail, which lies beside the checkout.
func corpus(t *testing.T, folder string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", folder)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no mail to test with: %v", err)
		}
		t.Skipf("no mail to test with: %v", err)
	}
	return dir
}

// TestCorpus holds what is read against the fields that the corpus names for each message.
func TestCorpus(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "bounces")
	index, err := os.ReadFile(filepath.Join(dir, "manifest.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(index)), "\n")
	column := map[string]int{}
	for i, name := range strings.Split(lines[0], "\t") {
		column[name] = i
	}
	asked, missed := 0, 0
	for _, line := range lines[1:] {
		row := strings.Split(line, "\t")
		row = append(row, make([]string, max(0, len(column)-len(row)))...) // empty columns at the end are not written
		name, kind, want := row[column["file"]], row[column["kind"]], row[column["dsn_fields"]]
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got := dsn.Parse(raw)
		if got.Kind == dsn.Failed && !strings.Contains(want, ";failed;") && (kind == "delay" || kind == "success" || kind == "feedback" || kind == "not-bounce") {
			t.Errorf("%s is a %s and was read as a failure", name, kind)
		}
		if want == "" {
			continue
		}
		asked++
		if have := fieldsOf(got); !strings.EqualFold(have, want) {
			missed++
			t.Logf("%s:\n got %s\nwant %s", name, have, want)
		}
	}
	// The rest lacks its boundary or its header, where the reader behind the corpus looks for
	// fields anywhere in the text.
	if asked < 250 || missed > asked*4/100 {
		t.Errorf("%d of %d not read as they are", missed, asked)
	}
}

// fieldsOf writes a report as the corpus does.
func fieldsOf(r dsn.Report) string {
	var parts []string
	for _, rcpt := range r.Recipients {
		parts = append(parts, fmt.Sprintf("%s;%s;%s", rcpt.Address, rcpt.Kind, rcpt.Status))
	}
	return strings.Join(parts, " | ")
}
