package fanout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"muster/smtp"
)

// MTA-STS (RFC 8461): a domain says over HTTPS which hosts its MX may be, and that they have valid
// certificates. A policy is kept for as long as it says, so that who can lie about the DNS, or shut the
// web server off, gains nothing by it until then; it is read again before, when half of that is over. It is
// kept in the database, so that who has a node started anew gains nothing either, and one that all nodes share.

// stsMode is what a policy asks for.
type stsMode string

const (
	stsNone    stsMode = ""
	stsTesting stsMode = "testing"
	stsEnforce stsMode = "enforce"
)

// errPolicy is a domain none of whose MX hosts is one that its policy names: no mail goes there until
// either is mended.
var errPolicy = errors.New("none of its MX hosts is in its MTA-STS policy")

const (
	stsTimeout = 4 * time.Second // less than meetWait: who has mail in hand waits for it
	stsRetry   = 5 * time.Minute // between questions about a domain (RFC 8461 §3.3)
	stsOctets  = 64 << 10        // of a policy (§3.3)
	stsLongest = 31557600 * time.Second
	stsMX      = 100
	stsID      = 32      // octets of an id (§3.1)
	stsStored  = 100_000 // policies in the database: who subscribes addresses of a million domains gets no more of it
)

// stsPolicy is a policy as it was read.
type stsPolicy struct {
	id   string // of the record that announced it
	mode stsMode
	mx   []string
	life time.Duration
}

// stsEntry is what is known of a domain.
type stsEntry struct {
	policy stsPolicy // with mode stsNone where there is none
	until  time.Time // the policy is good for so long
	asked  time.Time
}

// policies fetches policies and keeps them. A nil one knows of none.
type policies struct {
	client *http.Client
	store  querier // nil: they are kept in memory only
	txt    func(ctx context.Context, name string) ([]string, error)
	log    *slog.Logger

	mu    sync.Mutex
	known map[string]stsEntry
}

func newPolicies(client *http.Client, resolver Resolver, log *slog.Logger) *policies {
	dns, ok := resolver.(interface {
		TXT(ctx context.Context, name string) ([]string, error)
	})
	if client == nil || !ok {
		return nil
	}
	strict := *client
	strict.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // §3.3
	return &policies{client: &strict, txt: dns.TXT, log: log, known: map[string]stsEntry{}}
}

// of is the policy of a domain. An error says that it is not known whether it has one.
func (p *policies) of(ctx context.Context, domain string) (stsPolicy, error) {
	now := time.Now()
	p.mu.Lock()
	e := p.known[domain]
	p.mu.Unlock()
	if !now.Before(e.until) {
		e.policy = stsPolicy{}
	}
	if !e.asked.IsZero() && now.Sub(e.asked) < stsRetry {
		return e.policy, nil
	}
	if err := p.recall(ctx, domain, &e); err != nil && e.policy.mode == stsNone {
		return stsPolicy{}, err
	}
	id, err := p.announced(ctx, domain)
	if err == nil && id != "" && (id != e.policy.id || e.until.Sub(now) < e.policy.life/2) {
		var found stsPolicy
		if found, err = p.fetch(ctx, domain); err == nil {
			found.id = id
			e.policy, e.until = found, now.Add(found.life)
			p.remember(ctx, domain, &found)
		}
	}
	if err != nil && ctx.Err() != nil { // it was not the domain that failed
		return e.policy, nil
	}
	if err != nil { // what was known stays good (§3.3, §5.1)
		level := slog.LevelWarn
		if id == "" && e.policy.id == "" { // a DNS that fails over a domain that may well have none
			level = slog.LevelDebug
		}
		p.log.Log(ctx, level, "MTA-STS policy not read", "domain", domain, "kept", string(e.policy.mode), "error", err)
	}
	e.asked = now
	p.keep(domain, e)
	return e.policy, nil
}

// recall takes over what another node has read, or this one before it started, if that is newer.
func (p *policies) recall(ctx context.Context, domain string, e *stsEntry) error {
	if p.store == nil {
		return nil
	}
	stored, left, err := selectPolicy(ctx, p.store, domain)
	if err != nil {
		return err
	}
	if until := time.Now().Add(left); stored.mode != stsNone && until.After(e.until) {
		e.policy, e.until = stored, until
	}
	return nil
}

// remember stores a policy. Where that fails it holds as long as the process does.
func (p *policies) remember(ctx context.Context, domain string, found *stsPolicy) {
	if p.store == nil {
		return
	}
	if err := savePolicy(ctx, p.store, domain, found); err != nil {
		p.log.WarnContext(ctx, "MTA-STS policy not stored", "domain", domain, "error", err)
	}
}

func (p *policies) keep(domain string, e stsEntry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxAnswers {
		thin(p.known, func(e stsEntry) time.Time { return e.until })
	}
	p.known[domain] = e
}

// announced is the id of the policy that the DNS announces, "" if it announces none (§3.1).
func (p *policies) announced(ctx context.Context, domain string) (string, error) {
	records, err := p.txt(ctx, "_mta-sts."+domain)
	if err != nil && !errors.Is(err, ErrNoDomain) {
		return "", err
	}
	id, n := "", 0
	for _, r := range records {
		version, fields, _ := strings.Cut(r, ";")
		if strings.TrimSpace(version) != "v=STSv1" {
			continue
		}
		n++
		for f := range strings.SplitSeq(fields, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(f), "id="); ok {
				id = v
			}
		}
	}
	if n != 1 || len(id) > stsID || !isPlain(id) { // a record that is not well-formed is none
		return "", nil
	}
	return id, nil
}

// isPlain says whether s is ASCII without controls and spaces.
func isPlain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// fetch reads a policy where it must be (§3.3). That the certificate is one for that host is up to the
// client.
func (p *policies) fetch(ctx context.Context, domain string) (stsPolicy, error) {
	ctx, cancel := context.WithTimeout(ctx, stsTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mta-sts."+domain+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return stsPolicy{}, err
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return stsPolicy{}, err
	}
	defer answer.Body.Close()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK || kind != "text/plain" {
		return stsPolicy{}, fmt.Errorf("%s answers %s with content of type %q", r.URL.Host, answer.Status, kind)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, stsOctets+1))
	if err != nil {
		return stsPolicy{}, err
	}
	if len(text) > stsOctets {
		return stsPolicy{}, fmt.Errorf("the policy has more than %d octets", stsOctets)
	}
	return parsePolicy(string(text))
}

// parsePolicy reads the text of a policy (§3.2).
func parsePolicy(text string) (stsPolicy, error) {
	p := stsPolicy{}
	seen := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok:
		case key == "mx" && (len(p.mx) == stsMX || len(value) > smtp.MaxDomain || !isPlain(value)): // or no name at all
		case key == "mx":
			p.mx = append(p.mx, strings.ToLower(strings.TrimSuffix(value, ".")))
		default:
			if _, again := seen[key]; !again { // the first counts
				seen[key] = value
			}
		}
	}
	age, err := strconv.ParseInt(seen["max_age"], 10, 64)
	mode := seen["mode"]
	switch {
	case seen["version"] != "STSv1":
		return p, fmt.Errorf("the policy is of version %.20q", seen["version"])
	case err != nil || age < 0:
		return p, fmt.Errorf("the policy has a max_age of %.20q", seen["max_age"])
	case mode == "none":
	case mode != string(stsTesting) && mode != string(stsEnforce):
		return p, fmt.Errorf("the policy has the mode %.20q", mode)
	case len(p.mx) == 0:
		return p, errors.New("the policy names no mx")
	default:
		p.mode = stsMode(mode)
	}
	p.life = min(time.Duration(min(age, int64(stsLongest/time.Second)))*time.Second, stsLongest)
	return p, nil
}

// names says whether a policy names a host: by its name, or with one label in the place of * (§4.1).
func (p *stsPolicy) names(host string) bool {
	host = strings.ToLower(host)
	_, parent, _ := strings.Cut(host, ".")
	for _, mx := range p.mx {
		if mx == host || parent != "" && mx == "*."+parent {
			return true
		}
	}
	return false
}

// allow leaves of a domain's exchangers those that its policy lets mail go to, or that are pinned, and
// says what it asks of them.
func (p *policies) allow(ctx context.Context, domain string, exchangers []MX, pinned map[string]bool) ([]MX, stsMode, error) {
	if p == nil {
		return exchangers, stsNone, nil
	}
	policy, err := p.of(ctx, domain)
	if err != nil {
		return nil, stsNone, err
	}
	var allowed []MX
	for _, mx := range exchangers {
		if policy.names(mx.Host) || pinned[mx.Host] {
			allowed = append(allowed, mx)
		}
	}
	switch {
	case policy.mode == stsEnforce && len(allowed) == 0:
		return nil, stsEnforce, fmt.Errorf("%s: %w", domain, errPolicy)
	case policy.mode == stsEnforce:
		return allowed, stsEnforce, nil
	case policy.mode == stsTesting && len(allowed) < len(exchangers):
		p.log.Warn("MTA-STS in testing: not all MX hosts are in the policy", "domain", domain, "mx", setName(exchangers))
	}
	return exchangers, policy.mode, nil
}
