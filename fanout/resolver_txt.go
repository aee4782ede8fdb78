package fanout

import (
	"context"
	"strings"

	"github.com/miekg/dns"
)

// TXT looks up the TXT records of a name, each with its strings put together.
func (d *DNS) TXT(ctx context.Context, name string) ([]string, error) {
	a := d.ask(ctx, name, dns.TypeTXT)
	if a.err != nil {
		return nil, a.err
	}
	var found []string
	for _, r := range a.records {
		if txt, ok := r.(*dns.TXT); ok {
			found = append(found, strings.Join(txt.Txt, ""))
		}
	}
	return found, nil
}
