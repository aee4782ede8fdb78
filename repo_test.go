// Package muster has no code, only tests that hold the house rules of HACKING.md against all of
// the sources. A rule that must be broken is broken here, in a table, with the reason.
package muster

import (
	"crypto/sha256"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// source is one Go file.
type source struct {
	path string
	room string // its directory
	test bool   // compiled for tests only
	set  *token.FileSet
	file *ast.File
}

func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line)
}

// lines is how many lines something takes.
func (s source) lines(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

// sources are all Go files of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	walk(t, func(name string) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), set, file})
	})
	return all
}

// walk calls f with every file of the repository, but not with what Git ignores.
func walk(t *testing.T, f func(name string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (name == ".git" || name == "var" || name == "bench/work") {
			return fs.SkipDir
		}
		if !d.IsDir() {
			f(filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mayImport says what a room may import of ours; an entry that ends in … means the rooms below
// too. It is the table of rooms in HACKING.md.
func mayImport() map[string][]string {
	pure := []string{"smtp"}
	return map[string][]string{
		"smtp":                 nil,
		"smtp/smtpserver":      {"smtp"},
		"smtp/smtpclient":      {"smtp"},
		"smtp/smtptest":        {"smtp", "smtp/smtpserver"},
		"lists":                {"smtp", "lists/verdict", "lists/dsn", "lists/command", "lists/edit", "lists/rewrite", "lists/mailauth", "lists/dkim"},
		"lists/verdict":        pure,
		"lists/dsn":            pure,
		"lists/command":        pure,
		"lists/edit":           pure,
		"lists/rewrite":        pure,
		"lists/mailauth":       {"smtp", "lists/dkim"}, // which has the forms in which fields and bodies are signed
		"lists/dkim":           pure,
		"lists/archive":        {"lists", "smtp"},
		"lists/inbound":        {"lists…", "smtp", "smtp/smtpserver"},
		"fanout":               {"lists…", "smtp", "smtp/smtpclient", "templates"},
		"clock":                {"lists…", "fanout", "templates"},
		"admin":                {"lists…", "smtp", "templates"},
		"templates":            nil,
		"migrations":           nil,
		"migrations/privatepg": nil,
		"migrations/testdb":    {"migrations", "migrations/privatepg"},
		"cmd/…":                {"…"},
		"bench/…":              {"…"},
	}
}

// matches says whether a room is named by an entry of mayImport.
func matches(entry, room string) bool {
	base, below := strings.CutSuffix(entry, "…")
	if !below {
		return entry == room
	}
	return strings.HasPrefix(room+"/", strings.TrimSuffix(base, "/")+"/") || base == ""
}

func TestRoomsImportOneWay(t *testing.T) {
	t.Parallel()
	table := mayImport()
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		allowed, ok := allowedIn(table, s.room)
		if !ok {
			t.Errorf("%s: the room %s is not in the table of rooms", s.path, s.room)
			continue
		}
		for _, imported := range s.file.Imports {
			ours, ok := strings.CutPrefix(unquote(imported.Path.Value), "muster/")
			if ok && !slices.ContainsFunc(allowed, func(entry string) bool { return matches(entry, ours) }) {
				t.Errorf("%s: %s may not import %s", s.at(imported), s.room, ours)
			}
		}
	}
}

func allowedIn(table map[string][]string, room string) ([]string, bool) {
	for entry, allowed := range table {
		if matches(entry, room) {
			return allowed, true
		}
	}
	return nil, false
}

func unquote(s string) string {
	text, err := strconv.Unquote(s)
	if err != nil {
		panic(err) // the parser took it for a string
	}
	return text
}

// TestImportsWithAPlace: what belongs into certain rooms only, and why.
func TestImportsWithAPlace(t *testing.T) {
	t.Parallel()
	rules := []struct {
		imported *regexp.Regexp
		rooms    []string
		why      string
	}{
		{regexp.MustCompile(`^github\.com/labstack/echo/`), []string{"admin"}, "the site alone speaks HTTP"},
		{regexp.MustCompile(`^github\.com/prometheus/`), []string{"cmd/muster"}, "the rooms count; how it is told is wiring"},
		{regexp.MustCompile(`^github\.com/robfig/cron/`), []string{"clock"}, "what happens by time happens in one place"},
		{regexp.MustCompile(`^github\.com/pressly/goose/`), []string{"migrations"}, "the schema is changed in one place"},
		{regexp.MustCompile(`^github\.com/spf13/(cobra|pflag)$`), []string{"cmd/muster", "cmd/muster/config"}, "the rooms take values, not flags"},
		{regexp.MustCompile(`^testing$`), []string{"smtp/smtptest", "migrations/testdb"},
			"production code does not test; these two hand things to tests and must be able to fail them"},
		{regexp.MustCompile(`^muster/(smtp/smtptest|migrations/testdb)$`), nil, "they are for tests"},
		{regexp.MustCompile(`^(log|io/ioutil|math/rand|text/template)$`), []string{"templates"},
			"log/slog, os, math/rand/v2 and html/template are meant; the texts of mails are the exception"},
	}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, imported := range s.file.Imports {
			name := unquote(imported.Path.Value)
			for _, rule := range rules {
				if rule.imported.MatchString(name) && !slices.Contains(rule.rooms, s.room) {
					t.Errorf("%s: %s in %s: %s", s.at(imported), name, s.room, rule.why)
				}
			}
		}
	}
}

func TestOneDocCommentAPackage(t *testing.T) {
	t.Parallel()
	type pkg struct{ room, name string }
	docs := map[pkg][]string{}
	for _, s := range sources(t) {
		p := pkg{s.room, strings.TrimSuffix(s.file.Name.Name, "_test")}
		files := docs[p]
		if s.file.Doc != nil {
			files = append(files, s.path)
		}
		docs[p] = files
	}
	for p, files := range docs {
		if len(files) != 1 {
			t.Errorf("package %s in %s has %d doc comments, want one: %v", p.name, p.room, len(files), files)
		}
	}
}

var step = regexp.MustCompile(`^(\d{5})_[a-z0-9_]+\.sql$`)

func TestMigrationsAreContiguous(t *testing.T) {
	t.Parallel()
	names, err := fs.ReadDir(os.DirFS("migrations/sql"), ".")
	if err != nil {
		t.Fatal(err)
	}
	for i, entry := range names {
		m := step.FindStringSubmatch(entry.Name())
		if m == nil {
			t.Errorf("migrations/sql/%s is not named 00001_words.sql", entry.Name())
		} else if n, _ := strconv.Atoi(m[1]); n != i+1 {
			t.Errorf("migrations/sql/%s stands where number %d should", entry.Name(), i+1)
		}
	}
}

// TestShippedMigrationsAreUnchanged: somebody's database has run them.
func TestShippedMigrationsAreUnchanged(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("migrations/shipped.sum")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || !step.MatchString(name) {
			t.Errorf("migrations/shipped.sum: %q is not a line of sha256sum", line)
			continue
		}
		text, err := os.ReadFile("migrations/sql/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		if have := sha256.Sum256(text); hex.EncodeToString(have[:]) != sum {
			t.Errorf("migrations/sql/%s was changed after it was released: write a new step", name)
		}
	}
}

var rfc = regexp.MustCompile(`\bRFC (\d{3,5})\b`)

// TestCitedRFCsAreListed: whoever opens a package sees in its doc comment what it goes by.
func TestCitedRFCsAreListed(t *testing.T) {
	t.Parallel()
	all := sources(t)
	docs := map[string]string{}
	for _, s := range all {
		if s.file.Doc != nil {
			docs[s.room] += s.file.Doc.Text()
		}
	}
	missing := map[string][]string{}
	for _, s := range all {
		if s.test {
			continue
		}
		for _, group := range s.file.Comments {
			for _, m := range rfc.FindAllStringSubmatch(strings.Join(strings.Fields(group.Text()), " "), -1) {
				if !regexp.MustCompile(`\b`+m[1]+`\b`).MatchString(docs[s.room]) && !slices.Contains(missing[s.room], m[1]) {
					missing[s.room] = append(missing[s.room], m[1])
					t.Errorf("%s: RFC %s is not in the doc comment of %s", s.at(group), m[1], s.room)
				}
			}
		}
	}
}

// TestDialogsHaveTitles: the first line of a dialog says what it shows.
func TestDialogsHaveTitles(t *testing.T) {
	t.Parallel()
	walk(t, func(name string) {
		if !strings.Contains(name, "/testdata/dialogs/") || !strings.HasSuffix(name, ".txt") {
			return
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(text), "\n"); len(strings.TrimSpace(strings.TrimPrefix(first, "# "))) < 5 || !strings.HasPrefix(first, "# ") {
			t.Errorf("%s begins with %q, want \"# \" and a title", name, first)
		}
	})
}

// TestDocumentsLinkToWhatIsThere: relative links, pictures too.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^):]+)\)`)
	walk(t, func(name string) {
		if !strings.HasSuffix(name, ".md") {
			return
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if _, err := os.Stat(path.Join(path.Dir(name), target)); target != "" && err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	})
}

// TestFaultsAreShown: the tests that docs/faults.md names are there, in the room it says.
func TestFaultsAreShown(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test {
				there[strings.TrimPrefix(s.room, "cmd/muster/")+" "+f.Name.Name] = true
			}
		}
	}
	text, err := os.ReadFile("docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("([a-z/]*) ?`(Test[A-Za-z0-9]+)`")
	for line := range strings.Lines(string(text)) {
		room := ""
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			if m[1] != "" {
				room = m[1]
			}
			if !there[room+" "+m[2]] {
				t.Errorf("docs/faults.md names %s of %s, which is not there", m[2], room)
			}
		}
	}
}

// TestTopLevel: what lies at the top is what a project needs to live, and the rooms.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	allowed := strings.Fields(`cmd smtp lists fanout clock admin migrations templates go.mod go.sum docker-compose.yml
		README.md HACKING.md LICENSE Makefile Dockerfile repo_test.go docs bench deploy .ci .git .gitignore .dockerignore var muster`)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s lies at the top: has it no room?", e.Name())
		}
	}
}

// TestCheckEndsWithinTheHour: .ci/run has less than an hour to give to its stages, and go test gives up,
// and says where, before the stage it runs in is ended.
func TestCheckEndsWithinTheHour(t *testing.T) {
	t.Parallel()
	check, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	minutes := func(text string) time.Duration {
		d, err := time.ParseDuration(text + "m")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	var all time.Duration
	for _, m := range regexp.MustCompile(`(?m)^timeout .*?(\d+)m `).FindAllStringSubmatch(string(check), -1) {
		all += minutes(m[1])
	}
	stages := regexp.MustCompile(`(?m)^stage (\d+) (\S+)$`).FindAllStringSubmatch(string(check), -1)
	for _, stage := range stages {
		limit, target := minutes(stage[1]), stage[2]
		all += limit + 30*time.Second // to be killed in
		_, recipe, _ := strings.Cut(string(makefile), "\n"+target+":\n")
		recipe, _, _ = strings.Cut(recipe, "\n\n")
		for line := range strings.Lines(recipe) {
			if !strings.Contains(line, "$(GO) test ") {
				continue
			}
			m := regexp.MustCompile(` -timeout (\d+)m `).FindStringSubmatch(line)
			if m == nil || minutes(m[1]) >= limit {
				t.Errorf("make %s has %v in .ci/run; its go test needs a timeout below that: %s", target, limit, strings.TrimSpace(line))
			}
		}
	}
	if len(stages) < 4 || all >= time.Hour {
		t.Errorf("the %d stages of .ci/run may take %v", len(stages), all)
	}
}

// TestNamesAreNouns: a drawer for everything is a name for nothing.
func TestNamesAreNouns(t *testing.T) {
	t.Parallel()
	drawer := regexp.MustCompile(`(?i)^(utils?|helpers?|common|misc|types|models?|core|shared|base)(_test)?(\.go)?$`)
	walk(t, func(name string) {
		for part := range strings.SplitSeq(name, "/") {
			if drawer.MatchString(part) {
				t.Errorf("%s: name it after what is in it", name)
			}
		}
	})
}

// TestSizes: a function over 80 lines or a file over 500 is a question. The answers stand here.
func TestSizes(t *testing.T) {
	t.Parallel()
	const longestFunc, longestFile = 80, 500
	answered := map[string]string{}
	asked := map[string]bool{}
	ask := func(what string, lines, most int) {
		if lines <= most {
			return
		}
		asked[what] = true
		if answered[what] == "" {
			t.Errorf("%s has %d lines, over %d: take it apart, or answer in TestSizes why not", what, lines, most)
		}
	}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ask(s.path, s.set.File(s.file.FileStart).LineCount(), longestFile)
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				ask(s.path+" "+f.Name.Name, s.lines(f), longestFunc)
			}
		}
	}
	for what := range answered {
		if !asked[what] {
			t.Errorf("%s is short by now: take it out of the table", what)
		}
	}
}

// TestCalledNames: what is called nowhere, or in one place only.
func TestCalledNames(t *testing.T) {
	t.Parallel()
	rules := []struct {
		call  *regexp.Regexp
		rooms []string
		why   string
	}{
		{regexp.MustCompile(`^time\.Sleep$`), []string{"smtp/smtptest"}, "a wait ends with its context: select on ctx.Done()"},
		{regexp.MustCompile(`^os\.Exit$`), []string{"cmd/muster"}, "deferred calls would not run"},
		{regexp.MustCompile(`^(fmt\.Print.*|print|println)$`), nil, "output goes to a writer that was given"},
		{regexp.MustCompile(`^slog\.(Debug|Info|Warn|Error|Log|Default|SetDefault).*$`), nil, "the logger is passed in"},
		{regexp.MustCompile(`^os\.(Getenv|LookupEnv|Environ)$`), []string{"cmd/muster", "migrations/testdb", "migrations/privatepg"},
			"settings are passed in; privatepg looks for programs in PATH"},
		{regexp.MustCompile(`^context\.TODO$`), nil, "the caller has one"},
	}
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.room, "bench") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for _, rule := range rules {
				if name := nameOf(call.Fun); rule.call.MatchString(name) && !slices.Contains(rule.rooms, s.room) {
					t.Errorf("%s: %s: %s", s.at(n), name, rule.why)
				}
			}
			return true
		})
	}
}

// nameOf is "name" or "package.Name", "" for anything else.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
	}
	return ""
}

// TestPackageVariables: state has an owner. What never changes may stand at the top of a file:
// errors, regular expressions, embedded files and what is read from them once, encodings, checks
// that a type implements an interface, and enhanced status codes, because Go has no constant arrays.
func TestPackageVariables(t *testing.T) {
	t.Parallel()
	constant := regexp.MustCompile(`^(regexp\.MustCompile|errors\.New|fmt\.Errorf|strings\.NewReplacer|netip\.MustParse\w+|sync\.OnceValues?|idna\.New|base32\..*)$`)
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init runs behind everybody's back", s.at(d))
			}
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR || strings.Contains(commentText(decl.Doc), "//go:embed") {
				continue
			}
			for _, spec := range decl.Specs {
				for _, name := range changeable(spec.(*ast.ValueSpec), constant) {
					t.Errorf("%s: package variable %s: give it an owner, or make it a function", s.at(spec), name)
				}
			}
		}
	}
}

// changeable are the names of a declaration that are not as good as constant.
func changeable(v *ast.ValueSpec, constant *regexp.Regexp) []string {
	var names []string
	for i, name := range v.Names {
		switch {
		case name.Name == "_", strings.HasPrefix(name.Name, "Err"), strings.HasPrefix(name.Name, "err"):
		case strings.Contains(commentText(v.Doc), "//go:embed"):
		case i < len(v.Values) && constant.MatchString(maker(v.Values[i])):
		default:
			names = append(names, name.Name)
		}
	}
	return names
}

// maker is the name of what makes a value: base32.NewEncoding of base32.NewEncoding(a).WithPadding(b).
func maker(value ast.Expr) string {
	switch value := value.(type) {
	case *ast.CompositeLit:
		if nameOf(value.Type) == "Enhanced" {
			return "errors.New" // as constant as an error
		}
	case *ast.CallExpr:
		if name := nameOf(value.Fun); name != "" {
			return name
		}
		if method, ok := value.Fun.(*ast.SelectorExpr); ok {
			return maker(method.X)
		}
	}
	return ""
}

func commentText(g *ast.CommentGroup) string {
	var text strings.Builder
	if g != nil {
		for _, c := range g.List {
			text.WriteString(c.Text + "\n")
		}
	}
	return text.String()
}

// TestContextComesFirst: as the first parameter, and never in a struct.
func TestContextComesFirst(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{
		"fanout/traffic.go": "the two ends of a tenure: each is made and ended with the value that holds it",
	}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.StructType:
				for _, f := range n.Fields.List {
					if nameOf(f.Type) == "context.Context" && reasons[s.path] == "" {
						t.Errorf("%s: a context in a struct outlives its call", s.at(f))
					}
				}
			case *ast.FuncDecl:
				for i, p := range n.Type.Params.List {
					if i > 0 && nameOf(p.Type) == "context.Context" {
						t.Errorf("%s: a context that does not come first", s.at(p))
					}
				}
			}
			return true
		})
	}
}

// TestExportedNamesHaveDocs: types, functions, methods; of constants and variables each, or the
// group they stand in.
func TestExportedNamesHaveDocs(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && receiverIsExported(d) && !selfEvident(d.Name.Name) {
					t.Errorf("%s: %s has no doc comment", s.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					names, doc := specNames(spec)
					if d.Doc == nil && doc == nil && slices.ContainsFunc(names, (*ast.Ident).IsExported) {
						t.Errorf("%s: %s has no doc comment", s.at(spec), names[0].Name)
					}
				}
			}
		}
	}
}

// selfEvident are methods whose interface says all there is to say.
func selfEvident(name string) bool {
	return slices.Contains([]string{"Error", "Unwrap", "String", "Len", "Less", "Swap", "Read", "Write", "Close"}, name)
}

func receiverIsExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if generic, ok := kind.(*ast.IndexExpr); ok {
		kind = generic.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}

func specNames(spec ast.Spec) ([]*ast.Ident, *ast.CommentGroup) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return []*ast.Ident{spec.Name}, spec.Doc
	case *ast.ValueSpec:
		if spec.Doc == nil {
			return spec.Names, spec.Comment
		}
		return spec.Names, spec.Doc
	}
	return nil, nil
}

// TestNoBareTODO: what is left to do is an issue, and the comment has its number.
func TestNoBareTODO(t *testing.T) {
	t.Parallel()
	todo := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b(\(#\d+\))?`)
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			if m := todo.FindStringSubmatch(group.Text()); m != nil && m[2] == "" && s.path != "repo_test.go" {
				t.Errorf("%s: bare %s", s.at(group), m[1])
			}
		}
	}
}

// TestSQLIsInStores: and nowhere else but in the schema's room.
func TestSQLIsInStores(t *testing.T) {
	t.Parallel()
	statement := regexp.MustCompile(`^\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s)`)
	for _, s := range sources(t) {
		name := path.Base(s.path)
		if s.test || strings.HasPrefix(name, "store") || strings.HasPrefix(s.room, "migrations") || strings.HasPrefix(s.room, "bench") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && statement.MatchString(unquote(lit.Value)) {
				t.Errorf("%s: SQL outside a store*.go", s.at(n))
			}
			return true
		})
	}
}
