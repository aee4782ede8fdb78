package fanout

import "slices"

// cut adds members as shards of about equal size: enough of them to keep all connections busy,
// none larger than a claim should be.
func (n *newShards) cut(dest int64, members []int64, verp bool) {
	if len(members) == 0 {
		return
	}
	size := min(max((len(members)+stepParts-1)/stepParts, minShard), maxShard)
	if !verp { // whole transactions
		size = min((size+batchSize-1)/batchSize*batchSize, maxShard)
	}
	n.members = append(n.members, members...)
	for left := len(members); left > 0; left -= size {
		n.dests = append(n.dests, dest)
		n.sizes = append(n.sizes, int32(min(size, left)))
	}
}

// domainRun is the members of one domain, as a range.
type domainRun struct {
	domain   string
	from, to int
}

// domainRuns collects members that come in order of their domains.
type domainRuns struct {
	single  bool // domains do not matter
	members []int64
	runs    []domainRun
	text    []byte // the addresses, one after the other
	ends    []int
}

// addresses are those of the members, as parts of one string.
func (d *domainRuns) addresses() []string {
	text, start := string(d.text), 0
	all := make([]string, len(d.ends))
	for i, end := range d.ends {
		all[i], start = text[start:end], end
	}
	return all
}

func (d *domainRuns) add(id int64, domain, address []byte) {
	d.text = append(d.text, address...)
	d.ends = append(d.ends, len(d.text))
	last := len(d.runs) - 1
	if last < 0 || d.runs[last].domain != string(domain) {
		if last >= 0 && d.single {
			d.runs[last].domain = string(domain) // the cursor needs only the last
		} else {
			d.runs = append(d.runs, domainRun{domain: string(domain), from: len(d.members)})
			last++
		}
	}
	d.members = append(d.members, id)
	d.runs[last].to = len(d.members)
}

// last is the cursor after what was added.
func (d *domainRuns) last() (string, int64) {
	if len(d.members) == 0 {
		return "", 0
	}
	return d.runs[len(d.runs)-1].domain, d.members[len(d.members)-1]
}

// relayed takes out what goes to relays.
func (d *domainRuns) relayed(of func(domain string) *relayGroup) map[*relayGroup][]int64 {
	found := map[*relayGroup][]int64{}
	d.runs = slices.DeleteFunc(d.runs, func(r domainRun) bool {
		g := of(r.domain)
		if g != nil {
			found[g] = append(found[g], d.members[r.from:r.to]...)
		}
		return g != nil
	})
	return found
}

// split tells the domains with many members from the members of all others.
func (d *domainRuns) split() (own []domainRun, mixed []int64) {
	for _, r := range d.runs {
		if r.to-r.from >= ownShards {
			own = append(own, r)
		} else {
			mixed = append(mixed, d.members[r.from:r.to]...)
		}
	}
	return own, mixed
}
