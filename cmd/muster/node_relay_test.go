package main

import (
	"testing"

	"muster/cmd/muster/config"
)

// Whoever did not say that the name servers are to be believed does not believe them.
func TestResolver(t *testing.T) {
	t.Parallel()
	for _, dnssec := range []bool{false, true} {
		dns, err := resolver(&config.Config{Resolver: "127.0.0.1", ResolverDNSSEC: dnssec})
		if err != nil || dns.Validates != dnssec {
			t.Errorf("resolver_dnssec %v: %+v, %v", dnssec, dns, err)
		}
	}
}
