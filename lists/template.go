package lists

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Template is the text of a kind of mail in a language that takes the place of ours: at a list, at the
// lists of a domain, or at the whole site. The closest one counts.
type Template struct {
	List     int64  // 0: of no list
	Domain   string // "": of no domain; without a list too, it is the site's
	Kind     string
	Language string
	Source   string
	Changed  time.Time
}

// place is what a template is of, as stored.
type place struct{ List, Domain int64 }

// CheckTemplateFunc says why a source cannot be the text of a kind of mail in a language:
// templates.CheckMail.
type CheckTemplateFunc func(kind, language, source string) error

// Templates are those of one place, which t names: a list, a domain, or the site.
func (s *Service) Templates(ctx context.Context, by Actor, t Template) ([]Template, error) {
	p, err := s.place(ctx, s.pool, by, t)
	if err != nil {
		return nil, err
	}
	found, err := selectTemplates(ctx, s.pool, p)
	if err != nil {
		return nil, fmt.Errorf("templates of %s: %w", t.of(), err)
	}
	return found, nil
}

// TemplatesAt are those that count at a list, of each kind and language the closest: its own, its
// domain's, or the site's.
func (s *Service) TemplatesAt(ctx context.Context, by Actor, listID int64) ([]Template, error) {
	l, err := s.manage(ctx, s.pool, by, listID)
	if err != nil {
		return nil, err
	}
	found, err := selectTemplatesAt(ctx, s.pool, l)
	if err != nil {
		return nil, fmt.Errorf("templates of %s: %w", l.Address(), err)
	}
	return found, nil
}

// AllTemplates are those of every place, for admins.
func (s *Service) AllTemplates(ctx context.Context, by Actor) ([]Template, error) {
	if err := requireAdmin(by); err != nil {
		return nil, err
	}
	found, err := selectAllTemplates(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return found, nil
}

// SetTemplate puts a text in the place of ours, if it can be rendered.
func (s *Service) SetTemplate(ctx context.Context, by Actor, t Template) error {
	t.Source = strings.TrimRight(strings.ReplaceAll(pgText(t.Source), "\r\n", "\n"), "\n") + "\n"
	if err := s.checkTemplate(t); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		p, err := s.place(ctx, tx, by, t)
		if err != nil {
			return err
		}
		if err := upsertTemplate(ctx, tx, p, t); err != nil {
			return fmt.Errorf("template %s of %s: %w", t.Kind, t.of(), err)
		}
		return audit(ctx, tx, by, "template.set", t.List, t.auditParams())
	})
}

// RemoveTemplate brings our text back, or that of the place around.
func (s *Service) RemoveTemplate(ctx context.Context, by Actor, t Template) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		p, err := s.place(ctx, tx, by, t)
		if err != nil {
			return err
		}
		gone, err := deleteTemplate(ctx, tx, p, t)
		if err != nil {
			return fmt.Errorf("template %s of %s: %w", t.Kind, t.of(), err)
		}
		if !gone {
			return Errorf(NotFound, "template.none", "%s has no text of its own for %s in %s", t.of(), clip(t.Kind), clip(t.Language))
		}
		return audit(ctx, tx, by, "template.remove", t.List, t.auditParams())
	})
}

// place finds what a template is of, for who may change it: owners at a list, else admins.
func (s *Service) place(ctx context.Context, q querier, by Actor, t Template) (place, error) {
	if t.List != 0 {
		_, err := s.manage(ctx, q, by, t.List)
		return place{List: t.List}, err
	}
	if err := requireAdmin(by); err != nil || t.Domain == "" {
		return place{}, err
	}
	name, err := domainName(t.Domain)
	if err != nil {
		return place{}, err
	}
	id, err := servedDomain(ctx, q, name)
	if err != nil {
		return place{}, domainError(err, name)
	}
	return place{Domain: id}, nil
}

func (s *Service) checkTemplate(t Template) error {
	var why error
	switch {
	case s.cfg.CheckTemplate == nil:
		why = fmt.Errorf("nothing here can check it")
	case t.Kind == NoticeSignIn && (t.List != 0 || t.Domain != ""):
		why = fmt.Errorf("a mail of kind %s comes from the site, and from no list", t.Kind)
	default:
		why = s.cfg.CheckTemplate(t.Kind, t.Language, t.Source)
	}
	if why == nil {
		return nil
	}
	e := Errorf(Invalid, "template.bad", "this cannot be mailed: %v", why)
	e.Field = "source"
	e.Params = map[string]any{"Why": clipText(why.Error())}
	return e
}

// of is what a template is of, for people.
func (t Template) of() string {
	switch {
	case t.List != 0:
		return "the list"
	case t.Domain != "":
		return "the domain " + clip(t.Domain)
	}
	return "the site"
}

func (t Template) auditParams() map[string]any {
	return map[string]any{"kind": t.Kind, "language": t.Language, "domain": t.Domain}
}
