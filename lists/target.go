package lists

import (
	"context"
	"fmt"
	"strings"
	"time"

	"muster/smtp"
)

// TargetKind is what a recipient's address is here.
type TargetKind int

// The kinds.
const (
	TargetForeign TargetKind = iota // of a domain that is not served
	TargetUnknown                   // of a served domain, and nobody's
	TargetPost                      // a list: dev@
	TargetOwner                     // dev-owner@: owners and moderators
	TargetRequest                   // dev-request@: commands
	TargetJoin                      // dev-join@, dev-subscribe@
	TargetLeave                     // dev-leave@, dev-unsubscribe@
	TargetConfirm                   // dev-confirm+TOKEN@
	TargetBounces                   // dev-bounces@, dev-bounces+SEAL@
	TargetAdmins                    // postmaster@, abuse@ of every domain, and <postmaster>
)

// Target is a recipient's address, understood.
type Target struct {
	Kind    TargetKind
	Address smtp.Address
	Domain  int64  // id of the served domain; 0 for none
	List    List   // but for TargetForeign, TargetUnknown and TargetAdmins
	Detail  string // what stands behind a plus: a token or a seal

	foreseen foreseen
}

// foreseen is what the sender of a transaction is to the list, asked with the recipient: most often
// the sender is the author, and then Accept has one question less. It is good for some seconds: who
// is on the list when they name it as a recipient is on it when they have sent the message.
type foreseen struct {
	key      string // of the sender; "" for none
	at       time.Time
	standing standing
}

const foreseenLife = 10 * time.Second

// of is what was foreseen of an author; false if it is somebody else, or too long ago.
func (f foreseen) of(key string, now time.Time) (standing, bool) {
	return f.standing, f.key != "" && f.key == key && now.Sub(f.at) < foreseenLife
}

// isPostmaster says whether a local part in key form belongs to the site in every domain (RFC 5321
// §4.5.1, RFC 2142 §4).
func isPostmaster(local string) bool { return local == "postmaster" || local == "abuse" }

// suffixKind is what the address with a role suffix is for.
func suffixKind(suffix string) TargetKind {
	switch suffix {
	case "owner":
		return TargetOwner
	case "request":
		return TargetRequest
	case "join", "subscribe":
		return TargetJoin
	case "leave", "unsubscribe":
		return TargetLeave
	case "confirm":
		return TargetConfirm
	case "bounces":
		return TargetBounces
	}
	return TargetUnknown
}

// localName takes a local part in key form apart: the name of the list that it would belong to,
// what it would be there, and what stands behind a plus. A posting address with a plus is the
// posting address (RFC 5233): people file their mail by such tags.
func localName(local string) (name string, kind TargetKind, detail string) {
	base, detail, _ := strings.Cut(local, "+")
	if suffix, ok := roleSuffix(base); ok {
		return strings.TrimSuffix(base, "-"+suffix), suffixKind(suffix), detail
	}
	return base, TargetPost, detail
}

// Resolve says what an address is here, now: one walk of an index, whatever the answer.
func (s *Service) Resolve(ctx context.Context, a smtp.Address) (Target, error) {
	return s.ResolveFor(ctx, a, smtp.Address{})
}

// ResolveFor is Resolve for a recipient in a transaction whose reverse-path is from.
func (s *Service) ResolveFor(ctx context.Context, a, from smtp.Address) (Target, error) {
	t := Target{Address: a}
	if !from.IsZero() {
		t.foreseen = foreseen{key: from.Key(), at: s.cfg.Now()}
	}
	local := smtp.LocalKey(a.Local)
	if isPostmaster(local) && (a.Domain == "" || strings.EqualFold(a.Domain, s.cfg.Hostname)) {
		return s.siteTarget(ctx, t)
	}
	name, kind, detail := localName(local)
	row, err := s.targets.row(ctx, a.DomainKey(), name, t.foreseen.key)
	if err != nil {
		return Target{}, fmt.Errorf("recipient %s: %w", a, err)
	}
	if row.DomainID == 0 {
		return t, nil
	}
	t.Domain = row.DomainID
	switch {
	case isPostmaster(local):
		t.Kind = TargetAdmins
	case row.ID == 0:
		t.Kind = TargetUnknown
	default:
		t.Kind, t.List, t.Detail = kind, row.List, detail
		t.foreseen.standing = standing{
			List: row.ID, Policy: row.PostPolicy, Rules: row.Rules, Moderates: row.Moderates, Trusted: row.Trusted,
			Member: row.Member, Moderation: row.Moderation, New: row.New,
		}
	}
	return t, nil
}

// siteTarget is the <postmaster> that names no domain, or names the server itself. There is one
// even where no domain is served yet.
func (s *Service) siteTarget(ctx context.Context, t Target) (Target, error) {
	t.Kind = TargetAdmins
	d, err := s.defaultDomain(ctx)
	if err != nil {
		return Target{}, err
	}
	t.Domain = d.ID
	return t, nil
}

// defaultDomain completes an address without a domain: the configured one, else the server's own
// name, where these are served, else the only one there is. The zero Domain if none of these.
func (s *Service) defaultDomain(ctx context.Context) (Domain, error) {
	found, err := collect[Domain](ctx, s.pool, defaultDomainSelect, domainKeyOr(s.cfg.DefaultDomain), domainKeyOr(s.cfg.Hostname))
	if err != nil {
		return Domain{}, fmt.Errorf("default domain: %w", err)
	}
	for _, name := range []string{domainKeyOr(s.cfg.DefaultDomain), domainKeyOr(s.cfg.Hostname)} {
		if len(found) > 0 && found[0].Name == name {
			return found[0], nil
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return Domain{}, nil
}

func domainKeyOr(name string) string {
	key, err := smtp.DomainKey(name)
	if err != nil { // not set, or no name of a domain: then none is served by it
		return ""
	}
	return key
}
