package mailauth

import (
	"context"
	"strings"
)

// maxWalk is how many names a tree walk asks for (RFC 9989 §4.10).
const maxWalk = 8

// walk looks for the policy records at a domain and at those above it, and returns them from the longest
// name to the shortest (RFC 9989 §4.10). A record that says where the organization ends ends it.
func (c *Checker) walk(ctx context.Context, domain string) (found []record, err error) {
	for _, name := range walkNames(domain) {
		r, ok, err := c.recordAt(ctx, name)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		found = append(found, r)
		if r.psd != "u" {
			break
		}
	}
	return found, nil
}

// walkNames are the names that a walk asks for: of a domain of eight labels or more itself, and then from
// the seventh label on.
func walkNames(domain string) []string {
	labels := strings.Split(domain, ".")
	names := []string{domain}
	for n := min(len(labels), maxWalk) - 1; n > 0; n-- {
		names = append(names, strings.Join(labels[len(labels)-n:], "."))
	}
	return names
}

// recordAt is the policy record of a domain itself. Several are as good as none.
func (c *Checker) recordAt(ctx context.Context, domain string) (found record, ok bool, err error) {
	texts, err := c.asker().LookupTXT(ctx, "_dmarc."+domain)
	if err != nil {
		return record{}, false, err
	}
	for _, text := range texts {
		r, is := parseRecord(text)
		if !is {
			continue
		}
		if ok {
			return record{}, false, nil
		}
		r.domain = domain
		found, ok = r, true
	}
	return found, ok, nil
}

// organization is the domain of the organization that a domain belongs to, by the records of a walk from
// it (RFC 9989 §4.10.2).
func organization(domain string, found []record) string {
	for _, r := range found {
		switch {
		case r.psd == "n":
			return r.domain
		case r.psd == "y" && r.domain != domain:
			return below(r.domain, domain)
		}
	}
	if len(found) == 0 {
		return domain
	}
	return found[len(found)-1].domain
}

// below is the domain one label below a parent on the way to a domain.
func below(parent, domain string) string {
	rest := strings.TrimSuffix(domain, "."+parent)
	return rest[strings.LastIndexByte(rest, '.')+1:] + "." + parent
}
