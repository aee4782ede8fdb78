package mailauth

import (
	"net/url"
	"strings"
)

// record is a DMARC policy record (RFC 9989 §4.7).
type record struct {
	domain     string // where it stands
	p, sp, np  string // "" where there is none
	faulty     bool   // p is missing, or p, sp or np is none of the policies
	reports    bool   // rua names somebody
	strictDKIM bool
	strictSPF  bool
	test       bool
	psd        string // "y", "n" or "u"
}

// maxRecord is more than a record with a score of addresses to report to has.
const maxRecord = 4 << 10

// The policies, from mild to strict.
const (
	PolicyNone       = "none"
	PolicyQuarantine = "quarantine"
	PolicyReject     = "reject"
)

// parseRecord reads a TXT record. What does not begin with the version is none; tags that are unknown or
// wrong are as if they were not there.
func parseRecord(text string) (record, bool) {
	if len(text) > maxRecord {
		return record{}, false
	}
	first, _, _ := strings.Cut(text, ";")
	name, version, _ := strings.Cut(first, "=")
	if !strings.EqualFold(strings.TrimSpace(name), "v") || strings.TrimSpace(version) != "DMARC1" {
		return record{}, false
	}
	list, ok := tags(text)
	if !ok {
		return record{}, false
	}
	for tag, value := range list {
		list[tag] = strings.ToLower(value)
	}
	r := record{
		p: list["p"], sp: list["sp"], np: list["np"], reports: namesReporter(list["rua"]),
		strictDKIM: list["adkim"] == "s", strictSPF: list["aspf"] == "s", test: list["t"] == "y", psd: "u",
	}
	if psd := list["psd"]; psd == "y" || psd == "n" {
		r.psd = psd
	}
	r.faulty = !isPolicy(r.p)
	for _, tag := range []string{"sp", "np"} {
		if value, there := list[tag]; there && !isPolicy(value) {
			r.faulty = true
		}
	}
	return r, true
}

func isPolicy(s string) bool {
	return s == PolicyNone || s == PolicyQuarantine || s == PolicyReject
}

// namesReporter says whether one of several URIs is one.
func namesReporter(uris string) bool {
	for uri := range strings.SplitSeq(uris, ",") {
		u, err := url.Parse(strings.TrimSpace(uri))
		if err == nil && u.Scheme != "" && (u.Opaque != "" || u.Host != "") {
			return true
		}
	}
	return false
}

// applies says whether the record asks for anything: one that is faulty counts as "p=none" where it names
// somebody to report to, and else as no policy (RFC 9989 §4.10.1).
func (r *record) applies() bool { return !r.faulty || r.reports }

// policyFor is what the record wants of mail from a domain, one step milder while it is being tried out
// (RFC 9989 §4.7, t). exists is asked only where it matters.
func (r *record) policyFor(domain string, exists func() (bool, error)) (string, error) {
	if r.faulty {
		return PolicyNone, nil
	}
	policy := r.p
	if domain != r.domain {
		if r.sp != "" {
			policy = r.sp
		}
		if r.np != "" && r.np != policy {
			there, err := exists()
			if err != nil {
				return "", err
			}
			if !there {
				policy = r.np
			}
		}
	}
	if r.test {
		policy = milder(policy)
	}
	return policy, nil
}

func milder(policy string) string {
	if policy == PolicyReject {
		return PolicyQuarantine
	}
	return PolicyNone
}
