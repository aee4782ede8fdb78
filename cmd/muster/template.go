package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
	"muster/templates"
)

// templateView is the text of a mail in a language as --json prints it.
type templateView struct {
	Kind     string     `json:"kind"`
	Language string     `json:"language"`
	Of       string     `json:"of"` // whose text it is: muster, site, a domain, a list
	Changed  *time.Time `json:"changed,omitempty"`
	Source   string     `json:"source,omitempty"`
	Fault    string     `json:"fault,omitempty"`
}

// ours is whose a text is that came with the program.
const ours = "muster"

// wording says which text is meant.
type wording struct {
	list, domain, language string
	sample                 bool
}

func (a *app) templateCommand() *cobra.Command {
	return group("template", "Texts of the mails that Muster writes",
		a.wordingCommand("ls", "List the kinds of mail, and whose text each has", arguments(0, 0), templateLs),
		a.wordingCommand("show KIND", "Print the text of a mail", arguments(1, 1), templateShow),
		a.wordingCommand("set KIND FILE|-", "Put a text in the place of ours", arguments(2, 2), templateSet),
		a.wordingCommand("rm KIND", "Take a text away, so that the one behind it counts", arguments(1, 1), templateRm),
		a.wordingCommand("check [KIND FILE|-]", "Render all texts, or a file, with sample data and say what fails", arguments(0, 2), templateCheck),
	)
}

// wordingCommand is a command with the flags that say which text is meant.
func (a *app) wordingCommand(use, short string, args cobra.PositionalArgs, do func(context.Context, *services, wording, []string) error) *cobra.Command {
	var w wording
	cmd := &cobra.Command{Use: use, Short: short, Args: args}
	verb, _, _ := strings.Cut(use, " ")
	if verb != "check" {
		cmd.Flags().StringVar(&w.list, "list", "", "of this list")
		cmd.Flags().StringVar(&w.domain, "domain", "", "of the lists of this domain; without either, of the site")
		cmd.MarkFlagsMutuallyExclusive("list", "domain")
	}
	if verb != "ls" {
		cmd.Flags().StringVar(&w.language, "language", templates.Languages()[0], "one of "+strings.Join(templates.Languages(), ", "))
	}
	if verb == "show" {
		cmd.Flags().BoolVar(&w.sample, "sample", false, "rendered with sample data")
	}
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		return do(ctx, s, w, args)
	})
	return cmd
}

// template is the place that is meant, with a kind.
func (s *services) template(ctx context.Context, w wording, kind string) (lists.Template, error) {
	t := lists.Template{Domain: w.domain, Kind: kind, Language: w.language}
	if w.list == "" {
		return t, nil
	}
	l, err := s.list(ctx, w.list)
	t.List = l.ID
	return t, err
}

// texts are those that count at a place, by kind and language, with whose they are.
func (s *services) texts(ctx context.Context, w wording) (map[[2]string]templateView, error) {
	found := map[[2]string]templateView{}
	for _, kind := range templates.MailKinds() {
		for _, lang := range templates.Languages() {
			source, err := templates.MailSource(kind, lang)
			if err != nil {
				return nil, err
			}
			found[[2]string{kind, lang}] = templateView{Kind: kind, Language: lang, Of: ours, Source: source}
		}
	}
	places := []lists.Template{{}}
	of := []string{"site"}
	if w.list != "" {
		l, err := s.list(ctx, w.list)
		if err != nil {
			return nil, err
		}
		places, of = append(places, lists.Template{Domain: l.Domain}, lists.Template{List: l.ID}), append(of, l.Domain, l.Address().String())
	} else if w.domain != "" {
		places, of = append(places, lists.Template{Domain: w.domain}), append(of, w.domain)
	}
	for i, place := range places {
		texts, err := s.lists.Templates(ctx, lists.CLI(), place)
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			found[[2]string{t.Kind, t.Language}] = templateView{Kind: t.Kind, Language: t.Language, Of: of[i], Changed: &t.Changed, Source: t.Source}
		}
	}
	return found, nil
}

func templateLs(ctx context.Context, s *services, w wording, _ []string) error {
	texts, err := s.texts(ctx, w)
	if err != nil {
		return err
	}
	p := s.printer("KIND", "LANGUAGE", "TEXT OF", "CHANGED")
	for _, kind := range templates.MailKinds() {
		for _, lang := range templates.Languages() {
			t := texts[[2]string{kind, lang}]
			t.Source = ""
			changed := "-"
			if t.Changed != nil {
				changed = date(*t.Changed)
			}
			if err := p.row(t, kind, lang, t.Of, changed); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

func templateShow(ctx context.Context, s *services, w wording, args []string) error {
	if _, err := templates.MailSource(args[0], w.language); err != nil {
		return err
	}
	texts, err := s.texts(ctx, w)
	if err != nil {
		return err
	}
	t, ok := texts[[2]string{args[0], w.language}]
	if !ok {
		return usagef("no language %q; the languages are %s", w.language, strings.Join(templates.Languages(), ", "))
	}
	if w.sample {
		if t.Source, err = sampleMail(t); err != nil {
			return err
		}
	}
	if s.json {
		return newEncoder(s.stdout).Encode(t)
	}
	_, err = io.WriteString(s.stdout, t.Source)
	return err
}

// sampleMail is a text as a mail would have it.
func sampleMail(t templateView) (string, error) {
	samples, err := templates.Samples(t.Kind)
	if err != nil {
		return "", err
	}
	subject, text, err := templates.MailFrom(t.Source, t.Kind, t.Language, samples[0])
	return "Subject: " + subject + "\n\n" + text, err
}

func templateSet(ctx context.Context, s *services, w wording, args []string) error {
	t, err := s.template(ctx, w, args[0])
	if err != nil {
		return err
	}
	if t.Source, err = s.readSource(args[1]); err != nil {
		return err
	}
	if err := s.lists.SetTemplate(ctx, lists.CLI(), t); err != nil {
		return err
	}
	s.say("the text of %s in %s is set", t.Kind, t.Language)
	return nil
}

// readSource reads a file, no more of it than a text may have.
func (s *services) readSource(path string) (string, error) {
	in, err := s.openInput(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	source, err := io.ReadAll(io.LimitReader(in, templates.MaxSource+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return string(source), nil
}

func templateRm(ctx context.Context, s *services, w wording, args []string) error {
	t, err := s.template(ctx, w, args[0])
	if err != nil {
		return err
	}
	if err := s.lists.RemoveTemplate(ctx, lists.CLI(), t); err != nil {
		return err
	}
	s.say("the text of %s in %s is taken away", t.Kind, t.Language)
	return nil
}

func templateCheck(ctx context.Context, s *services, w wording, args []string) error {
	if len(args) == 1 {
		return usagef("to check a file, say of which kind of mail it is, and where it is")
	}
	if len(args) == 2 {
		source, err := s.readSource(args[1])
		if err != nil {
			return err
		}
		return s.reportFaults([]templateView{{Kind: args[0], Language: w.language, Of: args[1], Source: source}})
	}
	texts, err := s.allTexts(ctx)
	if err != nil {
		return err
	}
	return s.reportFaults(texts)
}

// allTexts are ours and those of every place.
func (s *services) allTexts(ctx context.Context) ([]templateView, error) {
	var all []templateView
	for _, kind := range templates.MailKinds() {
		for _, lang := range templates.Languages() {
			source, err := templates.MailSource(kind, lang)
			if err != nil {
				return nil, err
			}
			all = append(all, templateView{Kind: kind, Language: lang, Of: ours, Source: source})
		}
	}
	stored, err := s.lists.AllTemplates(ctx, lists.CLI())
	if err != nil {
		return nil, err
	}
	for _, t := range stored {
		of := "site"
		if t.Domain != "" {
			of = t.Domain
		}
		if t.List != 0 {
			l, err := s.lists.ListByID(ctx, lists.CLI(), t.List)
			if err != nil {
				return nil, err
			}
			of = l.Address().String()
		}
		all = append(all, templateView{Kind: t.Kind, Language: t.Language, Of: of, Changed: &t.Changed, Source: t.Source})
	}
	return all, nil
}

var errFaultyTexts = errors.New("some texts cannot be mailed; where one was set, ours is used until it is mended")

// reportFaults renders each text and prints what fails; it fails if one does.
func (s *services) reportFaults(texts []templateView) error {
	p, faults := s.printer("KIND", "LANGUAGE", "TEXT OF", "FAULT"), 0
	for _, t := range texts {
		err := templates.CheckMail(t.Kind, t.Language, t.Source)
		if err == nil {
			continue
		}
		faults++
		t.Source, t.Fault = "", err.Error()
		if err := p.row(t, t.Kind, t.Language, t.Of, t.Fault); err != nil {
			return err
		}
	}
	if faults > 0 {
		return errors.Join(p.flush(), errFaultyTexts)
	}
	s.say("%s in order", plural(len(texts), "text is", "texts are"))
	return nil
}
