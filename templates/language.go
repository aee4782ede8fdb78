package templates

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// defaultLanguage is spoken to who has no other wish, and where a language has no mail of a kind.
const defaultLanguage = "en"

const (
	localeDir = "locales"
	localeExt = ".toml"
)

// languages are read once from the names of the catalogues: to add a language is to add its file.
var languages = sync.OnceValue(readLanguages)

// Languages are those there is a catalogue for, the default one first.
func Languages() []string { return slices.Clone(languages()) }

func readLanguages() []string {
	found := []string{defaultLanguage}
	entries, err := fs.ReadDir(files, localeDir)
	if err != nil {
		return found // the directory is embedded: it can be read
	}
	for _, e := range entries {
		if lang, ok := strings.CutSuffix(e.Name(), localeExt); ok && lang != defaultLanguage {
			found = append(found, lang)
		}
	}
	return found
}

// Match picks the language to speak from wishes, the strongest first: a person's own choice, the
// list's language, an Accept-Language header. Without a usable wish it is the default.
func Match(wishes ...string) string {
	supported := Languages()
	for _, wish := range wishes {
		if slices.Contains(supported, wish) {
			return wish
		}
		tags, _, err := language.ParseAcceptLanguage(wish)
		if err != nil || len(tags) == 0 {
			continue
		}
		if _, i, sure := matcher().Match(tags...); sure > language.Low {
			return supported[i]
		}
	}
	return supported[0]
}

func matcher() language.Matcher {
	var tags []language.Tag
	for _, l := range Languages() {
		tags = append(tags, language.Make(l))
	}
	return language.NewMatcher(tags)
}

// Catalogue is every sentence in one language.
type Catalogue struct {
	Lang      string
	localizer *i18n.Localizer
	printer   *message.Printer
	plain     map[string]string // those without parameters, ready to show
	ids       map[string]bool
}

// catalogues are the embedded files, read once.
var catalogues = sync.OnceValues(loadCatalogues)

// In returns the catalogue of a language, or the default one.
func In(lang string) (*Catalogue, error) {
	all, err := catalogues()
	if err != nil {
		return nil, err
	}
	return all[Match(lang)], nil
}

func loadCatalogues() (map[string]*Catalogue, error) {
	bundle := i18n.NewBundle(language.Make(Languages()[0]))
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	all := map[string]*Catalogue{}
	for _, lang := range Languages() {
		file, err := bundle.LoadMessageFileFS(files, path.Join(localeDir, lang+localeExt))
		if err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", lang, err)
		}
		all[lang] = newCatalogue(lang, bundle, file.Messages)
	}
	return all, nil
}

func newCatalogue(lang string, bundle *i18n.Bundle, messages []*i18n.Message) *Catalogue {
	c := &Catalogue{
		Lang:      lang,
		localizer: i18n.NewLocalizer(bundle, lang),
		printer:   message.NewPrinter(language.Make(lang)),
		plain:     map[string]string{},
		ids:       map[string]bool{},
	}
	for _, m := range messages {
		c.ids[m.ID] = true
		if m.One == "" && !strings.Contains(m.Other, "{{") {
			c.plain[m.ID] = m.Other
		}
	}
	return c
}

// Has says whether the catalogue knows id.
func (c *Catalogue) Has(id string) bool { return c.ids[id] }

// Text is the sentence id with its parameters filled in. An id that is not there is shown as it
// is: a hole in a catalogue must not take a page away (and a test looks for holes).
func (c *Catalogue) Text(id string, params map[string]any) string {
	if s, ok := c.plain[id]; ok {
		return s
	}
	return c.localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: params})
}

// Count is the sentence id for n things; .N is the number as people write it.
func (c *Catalogue) Count(id string, n int64, params map[string]any) string {
	data := map[string]any{"N": c.Number(n)}
	for k, v := range params {
		data[k] = v
	}
	return c.localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data, PluralCount: n})
}

// Number writes n with the language's thousands separator.
func (c *Catalogue) Number(n int64) string { return c.printer.Sprintf("%d", n) }

func (c *Catalogue) localize(lc *i18n.LocalizeConfig) string {
	s, err := c.localizer.Localize(lc)
	if err != nil && s == "" {
		return lc.MessageID
	}
	return s
}
