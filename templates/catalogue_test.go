package templates_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"muster/templates"
)

// sentences are the ids of a catalogue with what they name: "{{.Address}}".
func sentences(t *testing.T, lang string) map[string][]string {
	t.Helper()
	var raw map[string]any
	if _, err := toml.DecodeFile("locales/"+lang+".toml", &raw); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for id, value := range raw {
		switch value := value.(type) {
		case string:
			if strings.TrimSpace(value) == "" {
				t.Errorf("%s: %s is empty", lang, id)
			}
			all[id] = names(value)
		case map[string]any:
			for _, form := range []string{"one", "other"} {
				if text, ok := value[form].(string); !ok || text == "" {
					t.Errorf("%s: %s has no form for %q", lang, id, form)
				}
			}
			all[id] = names(value["other"].(string))
		}
	}
	return all
}

func names(text string) []string {
	found := regexp.MustCompile(`{{\.\w+}}`).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// TestCataloguesAgree: each language has every sentence, and names in it what the others name.
func TestCataloguesAgree(t *testing.T) {
	t.Parallel()
	languages := templates.Languages()
	first := sentences(t, languages[0])
	for _, lang := range languages[1:] {
		other := sentences(t, lang)
		for id, want := range first {
			have, ok := other[id]
			if !ok {
				t.Errorf("%s has no %s", lang, id)
			} else if !slices.Equal(want, have) {
				t.Errorf("%s: %s names %v, in %s %v", lang, id, have, languages[0], want)
			}
		}
		for id := range other {
			if _, ok := first[id]; !ok {
				t.Errorf("%s has %s, which %s has not", lang, id, languages[0])
			}
		}
	}
}

var (
	called = regexp.MustCompile(`\b(?:t|tn|th) "([a-z0-9_.-]+)"`)
	built  = regexp.MustCompile(`\b(?:t|tn|th) \(print "([a-z0-9_.-]+\.)"`)
	inCode = regexp.MustCompile(`(?:Text|Count|titled)\("([a-z0-9_.-]+)"[,)]`)
	inDone = regexp.MustCompile(`(?m)v\.done\(.*?, "([a-z]+(?:\.[a-z]+)?)"(?:, "[A-Z].*)?\)$`)
	prefix = regexp.MustCompile(`"([a-z][a-z0-9_]*\.[a-z0-9_.]*)"`)
)

// TestEverySentenceIsThere: what pages and code ask for is in the catalogue.
func TestEverySentenceIsThere(t *testing.T) {
	t.Parallel()
	c := catalogue(t, "en")
	asked := func(file, id string) {
		if !c.Has(id) {
			t.Errorf("%s asks for %s, which is not in the catalogue", file, id)
		}
	}
	for name, text := range read(t, "web", ".html") {
		for _, m := range called.FindAllStringSubmatch(text, -1) {
			asked(name, m[1])
		}
		for _, m := range built.FindAllStringSubmatch(text, -1) {
			if !hasPrefix(t, m[1]) {
				t.Errorf("%s asks for %s…, and nothing in the catalogue begins so", name, m[1])
			}
		}
	}
	for name, text := range read(t, "../admin", ".go") {
		for _, m := range inCode.FindAllStringSubmatch(text, -1) {
			asked(name, m[1])
		}
		for _, m := range inDone.FindAllStringSubmatch(text, -1) {
			asked(name, "flash."+m[1])
		}
	}
}

// TestEverySentenceIsUsed: a sentence that nobody asks for would be translated for nothing.
func TestEverySentenceIsUsed(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	prefixes := []string{"error.", "flash.", "reason.", "outcome.", "language.", "setting.", "member.", "answer."} // of codes and settings of the lists
	for _, text := range read(t, "web", ".html") {
		source.WriteString(text)
		for _, m := range built.FindAllStringSubmatch(text, -1) {
			prefixes = append(prefixes, m[1])
		}
	}
	for _, dir := range []string{"../admin", "."} {
		for _, text := range read(t, dir, ".go") {
			source.WriteString(text)
			for _, m := range prefix.FindAllStringSubmatch(text, -1) {
				if strings.HasSuffix(m[1], ".") {
					prefixes = append(prefixes, m[1])
				}
			}
		}
	}
	for id := range sentences(t, "en") {
		if strings.Contains(source.String(), `"`+id+`"`) || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) }) {
			continue
		}
		t.Errorf("nobody asks for %s", id)
	}
}

// TestEveryErrorHasASentence: what the lists and the site refuse is said in each language.
func TestEveryErrorHasASentence(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile(`\b(?:Errorf|badName|badPassword|invalidAddress)\((?:[\w.]+, )?"([a-z][a-z.]*[a-z])"`)
	elsewhere := []string{"import.address"} // told with its line, in words that depend on it
	c := catalogue(t, "en")
	for _, dir := range []string{"../lists", "../admin"} {
		found := 0
		for name, text := range read(t, dir, ".go") {
			for _, m := range code.FindAllStringSubmatch(text, -1) {
				found++
				if !c.Has("error."+m[1]) && !slices.Contains(elsewhere, m[1]) {
					t.Errorf("%s/%s: nothing says error.%s", dir, name, m[1])
				}
			}
		}
		if found < 10 {
			t.Errorf("%s: %d codes found", dir, found)
		}
	}
}

func hasPrefix(t *testing.T, p string) bool {
	t.Helper()
	for id := range sentences(t, "en") {
		if strings.HasPrefix(id, p) {
			return true
		}
	}
	return false
}

// read is the text of every file of a directory, by name.
func read(t *testing.T, dir, extension string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), extension) || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

func catalogue(t *testing.T, lang string) *templates.Catalogue {
	t.Helper()
	c, err := templates.In(lang)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		wishes []string
		want   string
	}{
		{nil, "en"},
		{[]string{"", "", "de"}, "de"},
		{[]string{"", "", "de-CH,fr;q=0.8"}, "de"},
		{[]string{"", "", "fr,de;q=0.8,en;q=0.7"}, "de"},
		{[]string{"", "", "fr, ja"}, "en"},
		{[]string{"en", "", "de"}, "en"},
		{[]string{"xx", "de", "en"}, "de"},
		{[]string{"\x00;;q=nine", "de"}, "de"},
	} {
		if got := templates.Match(tt.wishes...); got != tt.want {
			t.Errorf("Match(%q) = %q, want %q", tt.wishes, got, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	en, de := catalogue(t, "en"), catalogue(t, "de")
	for _, tt := range []struct{ got, want string }{
		{en.Text("nav.signin", nil), "Sign in"},
		{de.Text("nav.signin", nil), "Anmelden"},
		{en.Text("asked.back", map[string]any{"List": "<b>"}), "Back to <b>"},
		{en.Count("members.count", 1, nil), "1 member"},
		{en.Count("members.count", 12345, nil), "12,345 members"},
		{de.Count("members.count", 12345, nil), "12.345 Mitglieder"},
		{de.Size(1536), "2 KiB"},
		{de.Size(3 << 20), "3,0 MiB"},
		{en.Size(1), "1 byte"},
		{en.Text("no.such.sentence", nil), "no.such.sentence"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
