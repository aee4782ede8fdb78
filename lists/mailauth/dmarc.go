package mailauth

import (
	"context"
	"strings"
)

// discovery is what the DNS says of the domain in From.
type discovery struct {
	author string // the domain; "" where there is none
	org    string // of its organization
	rule   *record
	policy string // "" without a policy
	err    error  // nothing is known
}

// discover looks for the policy of a domain and for its organization. The record of the domain itself is
// preferred to that of its organization, and that to one of the public suffix above it (RFC 9989 §4.10.1).
func (c *Checker) discover(ctx context.Context, author string) discovery {
	d := discovery{author: author}
	if author == "" {
		return d
	}
	found, err := c.walk(ctx, author)
	if err != nil {
		d.err = err
		return d
	}
	d.org = organization(author, found)
	d.rule = ruling(author, d.org, found)
	if d.rule == nil || !d.rule.applies() {
		return d
	}
	d.policy, d.err = d.rule.policyFor(author, func() (bool, error) { return c.exists(ctx, author) })
	return d
}

// ruling is the record that counts for a domain, of those that a walk from it found.
func ruling(author, org string, found []record) *record {
	for _, domain := range []string{author, org} {
		for i := range found {
			if found[i].domain == domain {
				return &found[i]
			}
		}
	}
	if n := len(found); n > 0 && found[n-1].psd == "y" {
		return &found[n-1]
	}
	return nil
}

// exists says whether there is a domain: it has an address or a server for its mail (RFC 9989 §3.2.14).
func (c *Checker) exists(ctx context.Context, domain string) (bool, error) {
	ips, err := c.asker().LookupIPAddr(ctx, domain)
	if err != nil || len(ips) > 0 {
		return err == nil, err
	}
	hosts, err := c.asker().LookupMX(ctx, domain)
	return len(hosts) > 0, err
}

// aligned says whether a domain that vouches for a message may do so for the author's: it is the same, or
// where the policy does not forbid that, of the same organization (RFC 9989 §4.4, §4.10.2).
func (c *Checker) aligned(ctx context.Context, d discovery, domain string, strict bool) (bool, error) {
	switch {
	case domain == "" || d.author == "":
		return false, nil
	case domain == d.author:
		return true, nil
	case strict:
		return false, nil
	case d.err != nil:
		return false, d.err
	case domain != d.org && !strings.HasSuffix(domain, "."+d.org):
		return false, nil
	}
	found, err := c.walk(ctx, domain)
	if err != nil {
		return false, err
	}
	return organization(domain, found) == d.org, nil
}

// alignment is what all that vouches for a message comes to, for its author.
type alignment struct {
	pass bool
	open bool // something that might have been a pass is not known
}

// align weighs SPF and DKIM. Of what is not known only that counts which the author's own domain would
// have vouched with: a stranger's broken name server must not excuse a forgery.
func (c *Checker) align(ctx context.Context, d discovery, spf identity, dkim []signature) alignment {
	var a alignment
	weigh := func(id identity, strict bool) {
		if id.result.Value != Pass && id.result.Value != TempError {
			return
		}
		same, err := c.aligned(ctx, d, id.domain, strict)
		switch {
		case err != nil, same && id.result.Value == TempError:
			a.open = true
		case same:
			a.pass = true
		}
	}
	weigh(spf, d.rule != nil && d.rule.strictSPF)
	for _, s := range dkim {
		weigh(s.identity, d.rule != nil && d.rule.strictDKIM)
	}
	return a
}

// conclude puts the results of all checks together.
func (c *Checker) conclude(ctx context.Context, spf identity, dkim []signature, d discovery) Finding {
	a := c.align(ctx, d, spf, dkim)
	f := Finding{Results: []Result{spf.result}, Aligned: a.pass, Policy: d.policy}
	for _, s := range dkim {
		f.Results = append(f.Results, s.result)
	}
	if len(dkim) == 0 {
		f.Results = append(f.Results, Result{Method: MethodDKIM, Value: None})
	}
	f.Results = append(f.Results, d.result(a))
	return f
}

// result is what DMARC comes to. Where the policy is not known there is no telling (RFC 9989 §5.3.2).
func (d *discovery) result(a alignment) Result {
	r := Result{Method: MethodDMARC, Value: None}
	if d.author == "" {
		return r
	}
	r.Props = []Prop{{"header.from", d.author}}
	switch {
	case d.err != nil:
		r.Value = TempError
		return r
	case d.policy == "":
		return r
	case a.pass:
		r.Value = Pass
	case a.open:
		r.Value = TempError
	default:
		r.Value = Fail
	}
	r.Props = append(r.Props, Prop{"policy.dmarc", d.policy})
	return r
}
