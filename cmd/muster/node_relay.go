package main

import (
	"net/http"
	"time"

	"muster/cmd/muster/config"
	"muster/fanout"
)

// relays are those of the settings, in the fan-out's words.
func relays(settings []config.Relay) ([]fanout.Relay, error) {
	var all []fanout.Relay
	for _, s := range settings {
		r, err := fanout.ParseRelay(s.URL)
		if err != nil {
			return nil, err
		}
		r.Weight, r.Token = s.Weight, s.Token
		if r.ForListDomain, err = patterns(s.ForListDomain); err != nil {
			return nil, err
		}
		if r.ForRecipientDomain, err = patterns(s.ForRecipientDomain); err != nil {
			return nil, err
		}
		all = append(all, *r)
	}
	return all, nil
}

func patterns(texts []string) ([]string, error) {
	var all []string
	for _, text := range texts {
		p, err := fanout.ParsePattern(text)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// rules are the settings of destinations, in the fan-out's words.
func rules(settings []config.Destination) ([]fanout.Rule, error) {
	var all []fanout.Rule
	for _, s := range settings {
		r := fanout.Rule{Connections: s.Connections, Recipients: s.Recipients}
		var err error
		if r.Match, err = patterns(s.Match); err != nil {
			return nil, err
		}
		if r.Rate, err = fanout.ParseRate(s.Rate); err != nil {
			return nil, err
		}
		if r.TLS, err = fanout.ParseEncryption(s.TLS); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// resolver asks the name servers, and believes them as far as is set.
func resolver(settings *config.Config) (*fanout.DNS, error) {
	dns, err := fanout.NewDNS(settings.Resolver)
	if err != nil {
		return nil, err
	}
	dns.Validates = settings.ResolverDNSSEC
	return dns, nil
}

// policyTimeout bounds a question for a policy, whose asker waits less.
const policyTimeout = 10 * time.Second

// secure sets how connections of the fan-out are encrypted.
func secure(c *fanout.Config, settings *config.Config) (err error) {
	if c.Encryption, err = fanout.ParseEncryption(settings.TLSOut); err != nil {
		return err
	}
	if settings.MTASTS {
		c.Policies = &http.Client{Timeout: policyTimeout}
	}
	return nil
}
