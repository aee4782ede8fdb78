package capacity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What stands in docs/scaling.md, and its pictures, is what the commands make of bench/scaling.json.
func TestDocumentIsUpToDate(t *testing.T) {
	t.Parallel()
	m, err := Read("../scaling.json")
	if err != nil {
		t.Fatal(err)
	}
	const docs = "../../docs"
	text, err := os.ReadFile(filepath.Join(docs, "scaling.md"))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := os.WriteFile(filepath.Join(copied, "scaling.md"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Publish(m, copied); err != nil {
		t.Fatal(err)
	}
	names := []string{"scaling.md"}
	for name, picture := range Pictures(m) {
		names = append(names, filepath.Join("scaling", name+".svg"))
		wellFormed(t, picture)
		if !strings.Contains(string(text), "](scaling/"+name+".svg)") {
			t.Errorf("docs/scaling.md does not show %s", name)
		}
	}
	for _, name := range names {
		want, err := os.ReadFile(filepath.Join(copied, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil || string(got) != string(want) {
			t.Errorf("docs/%s is not what `go run ./bench/simulate -write docs` makes (%v)", name, err)
		}
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	const text = "a\n<!-- generated: one -->\nold\n<!-- end -->\nb\n<!-- generated: two -->\n<!-- end -->\n"
	got, err := renew(text, map[string]string{"one": "1\n", "two": "2\n"})
	if want := "a\n<!-- generated: one -->\n1\n<!-- end -->\nb\n<!-- generated: two -->\n2\n<!-- end -->\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := renew(text, map[string]string{"three": ""}); err == nil {
		t.Error("a block without a place was put somewhere")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 0.123: "0.12", 3.14: "3.1", 42.4: "42", 999: "999", 1234: "1,230", 45678: "45,700", 1.5e6: "1.5 M", 23e6: "23 M", 1e9: "1.0 G"} {
		if got := count(f); got != want {
			t.Errorf("%v is %q, want %q", f, got, want)
		}
	}
	for f, want := range map[float64]string{12: "12 B", 4.5e3: "4.5 kB", 3e12: "3.0 TB", 2e15: "2000 TB"} {
		if got := octets(f); got != want {
			t.Errorf("%v octets are %q, want %q", f, got, want)
		}
	}
	for f, want := range map[float64]string{45: "45 s", 600: "10 min", 9000: "2.5 h"} {
		if got := span(f); got != want {
			t.Errorf("%v s are %q, want %q", f, got, want)
		}
	}
}

// The prices come from where the document says.
func TestPrices(t *testing.T) {
	t.Parallel()
	m := made()
	m.Processes = []Flow{{Processes: 4, Delay: 100, Cost: Cost{Muster: 130, PostgreSQL: 40, Disk: 99}}, {Processes: 1, Delay: 100, Cost: Cost{Muster: 999}}}
	m.Signed = []Run{{PerTransaction: 1, Cost: Cost{Muster: 1600, WAL: 1e6}}}
	m.Lists[0].Cost.WAL += 12 // a thousand members: 12,000 a post
	p, err := m.Prices(1)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Cost{Muster: 130, PostgreSQL: 50, WAL: 100, Statements: 0.1, Disk: 20}); p.Copy != want {
		t.Errorf("a copy costs %+v, want %+v", p.Copy, want)
	}
	if p.Post.WAL < 11_999 || p.Post.WAL > 12_001 || p.Post.Muster != 400 {
		t.Errorf("a post costs %+v", p.Post)
	}
	if want := (Cost{Muster: 1500}); p.Signature != want {
		t.Errorf("a signature costs %+v, want %+v", p.Signature, want)
	}
	m.Lists = m.Lists[:1]
	if _, err := m.Prices(1); err == nil {
		t.Error("there are prices without a measurement")
	}
}

func TestCeiling(t *testing.T) {
	t.Parallel()
	if got := (Flow{Destinations: 4, Connections: 20, Delay: 100}).Ceiling(); got != 800 {
		t.Errorf("80 connections with a tenth of a second each carry %v", got)
	}
}
