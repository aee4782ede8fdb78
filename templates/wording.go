package templates

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// Bounds of a mail's source that was written in the place of ours. Together they bound what a mail can
// cost: it can neither call itself nor count, and walks over no more than what it is about.
const (
	MaxSource  = 16 << 10 // octets
	maxNodes   = 1000     // of the parsed source
	maxLoops   = 2        // one in the other
	maxCalls   = 4        // of functions in one action
	maxOutput  = 1 << 20  // octets of a rendered mail
	maxSubject = 200      // characters
)

// MailFrom is Mail with a source in the place of ours; "" is ours.
func MailFrom(source, kind, lang string, data any) (subject, text string, err error) {
	if source == "" {
		return Mail(kind, lang, data)
	}
	c, err := In(lang)
	if err != nil {
		return "", "", err
	}
	t, err := parseSource(c, kind, source)
	if err != nil {
		return "", "", err
	}
	if err := allowed(t); err != nil {
		return "", "", fmt.Errorf("mail %s in %s: %w", kind, c.Lang, err)
	}
	return render(t, data)
}

// MailSource is our source of a mail.
func MailSource(kind, lang string) (string, error) {
	source, err := files.ReadFile(path.Join(mailDir, Match(lang), kind+mailExt))
	if err != nil || !slices.Contains(MailKinds(), kind) {
		return "", noKind(kind)
	}
	return string(source), nil
}

func noKind(kind string) error {
	return fmt.Errorf("no mail of kind %q; the kinds are %s", kind, strings.Join(MailKinds(), ", "))
}

// CheckMail says why a source cannot take the place of ours: it is no template, does what none may, names
// what a mail of the kind does not know, or makes no mail of a sample.
func CheckMail(kind, lang, source string) error {
	if !slices.Contains(MailKinds(), kind) {
		return noKind(kind)
	}
	if !slices.Contains(Languages(), lang) {
		return fmt.Errorf("no language %q; the languages are %s", lang, strings.Join(Languages(), ", "))
	}
	if source == "" {
		return errNoSubject
	}
	if len(source) > MaxSource {
		return fmt.Errorf("it is longer than %d octets", MaxSource)
	}
	samples, err := Samples(kind)
	if err != nil {
		return err
	}
	for _, sample := range samples {
		subject, text, err := MailFrom(source, kind, lang, sample)
		switch {
		case err != nil:
			return err
		case strings.TrimSpace(subject) == "" || strings.ContainsAny(subject, "\r\n") || len([]rune(subject)) > maxSubject:
			return fmt.Errorf("its subject has to be one line of at most %d characters, and is %.300q", maxSubject, subject)
		case strings.TrimSpace(text) == "":
			return errNoText
		}
	}
	return nil
}

var errNoText = errors.New("it has no text")

// allowed says what of a template none may have. What is not known here is not allowed.
func allowed(t *template.Template) error {
	if len(t.Templates()) > 1 {
		return errors.New("define and block are not allowed")
	}
	w := &walker{}
	w.list(t.Root, 0)
	if w.nodes > maxNodes {
		w.refuse("there is too much in it")
	}
	return w.err
}

// walker looks at each node of a template.
type walker struct {
	nodes, calls int
	err          error // the first
}

func (w *walker) refuse(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *walker) list(l *parse.ListNode, loops int) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		w.nodes++
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			w.action(n.Pipe)
		case *parse.IfNode:
			w.branch(&n.BranchNode, loops)
		case *parse.WithNode:
			w.branch(&n.BranchNode, loops)
		case *parse.RangeNode:
			w.loop(n, loops+1)
		default:
			w.refuse("%s is not allowed", n)
		}
	}
}

func (w *walker) branch(b *parse.BranchNode, loops int) {
	w.action(b.Pipe)
	w.list(b.List, loops)
	w.list(b.ElseList, loops)
}

// loop allows a loop over what the mail is about, and nothing else.
func (w *walker) loop(n *parse.RangeNode, loops int) {
	field := len(n.Pipe.Cmds) == 1 && len(n.Pipe.Cmds[0].Args) == 1 && n.Pipe.Cmds[0].Args[0].Type() == parse.NodeField
	if !field {
		w.refuse("range goes over a name, not over %s", n.Pipe)
	}
	if loops > maxLoops {
		w.refuse("range may stand in one other, not in more")
	}
	w.branch(&n.BranchNode, loops)
}

func (w *walker) action(p *parse.PipeNode) {
	w.calls = 0
	w.pipe(p)
	if w.calls > maxCalls {
		w.refuse("%.100s calls more than %d functions", p, maxCalls)
	}
}

func (w *walker) pipe(p *parse.PipeNode) {
	if len(p.Decl) > 0 {
		w.refuse("variables are not allowed: %.100s", p)
	}
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			w.nodes++
			w.argument(arg)
		}
	}
}

func (w *walker) argument(arg parse.Node) {
	switch arg := arg.(type) {
	case *parse.FieldNode, *parse.DotNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
	case *parse.PipeNode:
		w.pipe(arg)
	case *parse.IdentifierNode:
		w.calls++
		if !slices.Contains(mailFunctions(), arg.Ident) {
			w.refuse("%s is not allowed; the functions are %s", arg.Ident, strings.Join(mailFunctions(), ", "))
		}
	default:
		w.refuse("%.100s is not allowed", arg)
	}
}

// mailFunctions are those that a mail may call: ours, and what compares.
func mailFunctions() []string {
	return []string{"quote", "num", "date", "reason", "outcome", "say", "and", "or", "not", "eq", "ne"}
}

// bounded is a buffer that takes so much.
type bounded struct{ bytes.Buffer }

var errTooMuch = fmt.Errorf("the mail gets longer than %d octets", maxOutput)

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errTooMuch
	}
	return b.Buffer.Write(p)
}
