package templates

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Pages are the pages of the site in every language, parsed and ready.
type Pages struct {
	byLang map[string]map[string]*template.Template
}

// Shared pieces stand in files whose name begins with an underscore; every other file of web is a
// page that defines "content", and may define "head".
const (
	webDir  = "web"
	layout  = "_layout.html"
	partial = "_"
)

// NewPages parses every page for every language.
func NewPages() (*Pages, error) {
	assets, err := assetURLs()
	if err != nil {
		return nil, err
	}
	p := &Pages{byLang: map[string]map[string]*template.Template{}}
	for _, lang := range Languages() {
		c, err := In(lang)
		if err != nil {
			return nil, err
		}
		if p.byLang[lang], err = parsePages(c, assets); err != nil {
			return nil, fmt.Errorf("pages in %s: %w", lang, err)
		}
	}
	return p, nil
}

func parsePages(c *Catalogue, assets map[string]string) (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(c.funcs(assets)).Option("missingkey=error").
		ParseFS(files, webDir+"/"+partial+"*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range PageNames() {
		page, err := template.Must(base.Clone()).ParseFS(files, path.Join(webDir, name+".html"))
		if err != nil {
			return nil, err
		}
		pages[name] = page
	}
	return pages, nil
}

// PageNames are the names Render takes.
func PageNames() []string {
	found, err := fs.Glob(files, webDir+"/*.html")
	if err != nil {
		return nil // only a malformed pattern fails, and this one is not
	}
	var names []string
	for _, f := range found {
		if name := strings.TrimSuffix(path.Base(f), ".html"); !strings.HasPrefix(name, partial) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Render makes the page whole before anything is sent, so that a fault in it can still become an
// error page.
func (p *Pages) Render(lang, name string, data any) ([]byte, error) {
	return p.execute(lang, name, layout, data)
}

// Fragment renders one named piece of a page, for a browser that replaces it in place.
func (p *Pages) Fragment(lang, name, piece string, data any) ([]byte, error) {
	return p.execute(lang, name, piece, data)
}

func (p *Pages) execute(lang, name, piece string, data any) ([]byte, error) {
	page, ok := p.byLang[Match(lang)][name]
	if !ok {
		return nil, fmt.Errorf("no page %q", name)
	}
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, piece, data); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}
