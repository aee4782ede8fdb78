package lists

import (
	"context"
	"sync"
	"time"

	"muster/lists/dkim"
)

// dkimRefresh is how long a node may go on with the keys it read: another node may have changed them.
const dkimRefresh = time.Minute

// maxSigningDomains bounds what is remembered of domains.
const maxSigningDomains = 1000

// signingKeys remembers the keys that sign for a domain, parsed, and that a domain has none.
type signingKeys struct {
	mu   sync.Mutex
	read map[string]readKeys
}

type readKeys struct {
	keys []*dkim.Key
	at   time.Time
}

func (k *signingKeys) get(domain string, now time.Time) ([]*dkim.Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.read[domain]
	return r.keys, ok && now.Sub(r.at) < dkimRefresh
}

func (k *signingKeys) put(domain string, r readKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.read == nil || len(k.read) >= maxSigningDomains {
		k.read = map[string]readKeys{}
	}
	k.read[domain] = r
}

func (k *signingKeys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read = nil
}

// SigningKeys are the keys that sign what leaves in a domain's name: of each algorithm the one
// activated last. A domain without a key, or that is not served here, has none.
func (s *Service) SigningKeys(ctx context.Context, domain string) ([]*dkim.Key, error) {
	now := s.cfg.Now()
	if keys, ok := s.signing.get(domain, now); ok {
		return keys, nil
	}
	found, err := selectSigningKeys(ctx, s.pool, domain)
	if err != nil {
		return nil, err
	}
	keys := make([]*dkim.Key, 0, len(found))
	for _, f := range found {
		k, err := dkim.ParseKey(domain, f.Selector, f.Private)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	s.signing.put(domain, readKeys{keys, now})
	return keys, nil
}
