package templates

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"text/template"
	"time"
)

const (
	mailDir = "mail"
	mailExt = ".txt"
)

// mails are the embedded mails by language and kind, parsed once.
var mails = sync.OnceValues(parseMails)

// Mail renders a notice: the subject, and the text in lines of at most 76 characters where its
// words allow it. Data is what the mail of that kind names; a name that is missing is an error,
// because a mail with a hole where a link should be helps nobody.
//
// A mail is a file: "Subject: …", an empty line, and the text. The whole text stands in the file of
// its language, so that a translator sees what people will read.
func Mail(kind, lang string, data any) (subject, text string, err error) {
	all, err := mails()
	if err != nil {
		return "", "", err
	}
	t, ok := all[Match(lang)][kind]
	if !ok {
		return "", "", noKind(kind)
	}
	return render(t, data)
}

func render(t *template.Template, data any) (subject, text string, err error) {
	var b bounded
	if err := t.Execute(&b, data); err != nil {
		return "", "", fmt.Errorf("mail %s: %w", t.Name(), err)
	}
	head, body, _ := strings.Cut(b.String(), "\n\n")
	return strings.TrimPrefix(head, "Subject: "), wrap(squeeze(body)), nil
}

// MailKinds are the kinds that Mail takes.
func MailKinds() []string {
	names, err := mailNames(Languages()[0])
	if err != nil {
		return nil // the directory is embedded: it can be read
	}
	return names
}

func mailNames(lang string) ([]string, error) {
	entries, err := fs.ReadDir(files, path.Join(mailDir, lang))
	if err != nil {
		return nil, fmt.Errorf("mails in %s: %w", lang, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), mailExt))
	}
	return names, nil
}

func parseMails() (map[string]map[string]*template.Template, error) {
	all := map[string]map[string]*template.Template{}
	names, err := mailNames(Languages()[0])
	if err != nil {
		return nil, err
	}
	for _, lang := range Languages() {
		c, err := In(lang)
		if err != nil {
			return nil, err
		}
		all[lang] = map[string]*template.Template{}
		for _, name := range names {
			if all[lang][name], err = parseMail(c, name); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

var errNoSubject = errors.New("a mail begins with a line Subject: and an empty line")

func parseMail(c *Catalogue, name string) (*template.Template, error) {
	source, err := fs.ReadFile(files, path.Join(mailDir, c.Lang, name+mailExt))
	if errors.Is(err, fs.ErrNotExist) { // of a language that is being made
		source, err = fs.ReadFile(files, path.Join(mailDir, Languages()[0], name+mailExt))
	}
	if err != nil {
		return nil, fmt.Errorf("mail %s in %s: %w", name, c.Lang, err)
	}
	return parseSource(c, name, string(source))
}

func parseSource(c *Catalogue, name, source string) (*template.Template, error) {
	head, _, ok := strings.Cut(source, "\n\n")
	if !ok || !strings.HasPrefix(head, "Subject: ") || strings.Contains(head, "\n") {
		return nil, fmt.Errorf("mail %s in %s: %w", name, c.Lang, errNoSubject)
	}
	t, err := template.New(name).Funcs(c.mailFuncs()).Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, fmt.Errorf("mail %s in %s: %w", name, c.Lang, err)
	}
	return t, nil
}

// mailFuncs are what a mail may call: quote for somebody's words, reason, outcome and say for codes, num
// and date for what JSON has of numbers and moments.
func (c *Catalogue) mailFuncs() template.FuncMap {
	return template.FuncMap{
		"quote":   quote,
		"num":     func(n float64) string { return c.Number(int64(n)) },
		"date":    c.dateOf,
		"reason":  func(code string) string { return c.code("reason.", code) },
		"outcome": func(code string) string { return c.code("outcome.", code) },
		"say":     func(code string) string { return c.code("", code) },
	}
}

func (c *Catalogue) dateOf(moment string) (string, error) {
	t, err := time.Parse(time.RFC3339, moment)
	return c.Date(t), err
}

// code puts a code of the lists into words; one that has none is shown as it is.
func (c *Catalogue) code(prefix, code string) string {
	if !c.Has(prefix + code) {
		return code
	}
	return c.Text(prefix+code, nil)
}

// quote marks somebody's words, line by line, so that they are not taken for ours.
func quote(words string) string {
	return "> " + strings.ReplaceAll(strings.TrimSpace(words), "\n", "\n> ")
}

// squeeze takes away the empty lines that conditions leave behind.
func squeeze(text string) string {
	for strings.Contains(text, "\n\n\n") {
		text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
	}
	return strings.Trim(text, "\n") + "\n"
}

// textWidth is how long a line of plain text may get (RFC 5322 §2.1.1 wants at most 78).
const textWidth = 76

// signature is the line before a signature: its space belongs to it (RFC 3676 §4.3).
const signature = "-- "

// wrap breaks long lines between words. A word that is longer, a link, stays whole; lines that are
// indented or quoted are left as they are.
func wrap(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		wrapLine(&b, strings.TrimRight(line, "\n"))
	}
	return b.String()
}

func wrapLine(b *strings.Builder, line string) {
	if line == "" || line[0] == ' ' || line[0] == '>' || line == signature {
		b.WriteString(line + "\n")
		return
	}
	column := 0
	for _, word := range strings.Fields(line) {
		width := len([]rune(word))
		switch {
		case column == 0:
		case column+1+width > textWidth:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
	}
	b.WriteByte('\n')
}
