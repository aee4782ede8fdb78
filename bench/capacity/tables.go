package capacity

import (
	"fmt"
	"math"
	"strings"
)

// Seed is what the document's days are drawn with.
const Seed = 20261126

// Sizes are the days of the document, in copies.
func Sizes() []float64 { return []float64{10e6, 100e6, 1000e6} }

// Plans simulates the sizes, each with a transaction for every copy and with up to 100 recipients
// in one.
func Plans(m *Measured, seed uint64) ([]Outcome, error) {
	var all []Outcome
	for _, each := range []int{1, 100} {
		prices, err := m.Prices(each)
		if err != nil {
			return nil, err
		}
		site := Site{PerTransaction: each, Cores: 8, Use: 0.5, Full: 0.7, Prices: prices}
		for _, copies := range Sizes() {
			all = append(all, Simulate(AssumedLoad(copies), site, seed))
		}
	}
	return all, nil
}

// table is rows of cells under a head.
type table struct{ rows [][]string }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	for i, row := range t.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString("|" + strings.Repeat(" --- |", len(row)) + "\n")
		}
	}
	return b.String()
}

// ProcessTable shows how nodes add up.
func ProcessTable(m *Measured) string {
	t := &table{}
	t.row("nodes", "replies late by", "connections of all nodes to each of 4 destinations", "copies/s", "the connections carry", "Muster, µs a copy", "PostgreSQL, µs a copy", "processors idle")
	for _, f := range append(append([]Flow{}, m.Processes...), m.Shared...) {
		ceiling := "–"
		if c := f.Ceiling(); c > 0 {
			ceiling = fmt.Sprintf("%s (%.0f %%)", count(c), 100*f.PerSecond/c)
		}
		t.row(fmt.Sprint(f.Processes), fmt.Sprintf("%.0f ms", f.Delay), fmt.Sprint(f.Connections), count(f.PerSecond), ceiling,
			count(f.Cost.Muster), count(f.Cost.PostgreSQL), fmt.Sprintf("%.0f %%", 100*f.Idle))
	}
	return t.String()
}

// ListTable shows what a copy costs by the size of its list.
func ListTable(m *Measured) string {
	t := &table{}
	t.row("members", "recipients a transaction", "copies/s", "Muster, µs a copy", "PostgreSQL, µs a copy", "WAL, octets a copy", "statements, 1,000 copies", "on disk, octets a copy", "peak of Muster, MB")
	line := func(r Run, note string) {
		t.row(count(float64(r.Members))+note, fmt.Sprint(r.PerTransaction), count(r.PerSecond), count(r.Cost.Muster), count(r.Cost.PostgreSQL),
			count(r.Cost.WAL), count(1000*r.Cost.Statements), count(r.Cost.Disk), count(r.Peak))
	}
	for _, r := range m.Lists {
		note := ""
		if r.Copies < r.Members {
			note = fmt.Sprintf(" (stopped after %s)", count(float64(r.Copies)))
		}
		line(r, note)
	}
	for _, r := range m.Signed {
		line(r, ", signed RSA-2048")
	}
	return t.String()
}

// OtherTable shows posts, deferrals and what lies there.
func OtherTable(m *Measured) string {
	t := &table{}
	t.row("what", "a second", "Muster, µs", "PostgreSQL, µs", "WAL, octets", "statements", "on disk, octets")
	line := func(what, rate string, c Cost) {
		t.row(what, rate, count(c.Muster), count(c.PostgreSQL), count(c.WAL), count(c.Statements), count(c.Disk))
	}
	for _, a := range m.Accepting {
		line(fmt.Sprintf("a post of 4 KiB taken, clients: %d", a.Clients), count(a.PerSecond), a.Cost)
	}
	line("what a copy costs more that was put off once", "", m.Deferred)
	line("a copy forgotten after 14 days", "", m.Pruned)
	line("a second of a node without work", "", m.Idle)
	t.row("a member, imported in order", "", "", "", "", "", count(m.MemberOctets))
	return t.String()
}

// PlanTable shows the sizes side by side, one shape.
func PlanTable(all []Outcome) string {
	t := &table{}
	line := func(what string, cell func(o *Outcome) string) {
		cells := []string{what}
		for i := range all {
			cells = append(cells, cell(&all[i]))
		}
		t.row(cells...)
	}
	line("copies a day, asked for", func(o *Outcome) string { return count(o.Load.Copies) })
	line("copies of the day that was drawn", func(o *Outcome) string { return count(o.Copies) })
	line("posts a day", func(o *Outcome) string { return count(o.Posts) })
	line("memberships", func(o *Outcome) string { return count(o.Members) })
	line("copies/s in the busiest hour, retries among them", func(o *Outcome) string { return count(o.PeakCopies) })
	line(fmt.Sprintf("copies/s in the busiest %d seconds", step), func(o *Outcome) string { return count(o.PeakStep) })
	line("Muster's processors busy then", func(o *Outcome) string { return count(o.MusterCores) })
	line("the same, each text signed RSA-2048", func(o *Outcome) string {
		return count(o.signedCores())
	})
	line("nodes of 8 processors, one to spare", func(o *Outcome) string { return fmt.Sprint(o.Nodes) })
	line("the same, signed", func(o *Outcome) string { return fmt.Sprint(o.nodes(o.signedCores())) })
	line("PostgreSQL's processors busy then", func(o *Outcome) string { return count(o.PostgreSQLCores) })
	line("PostgreSQL's machine, processors", func(o *Outcome) string { return count(o.PostgreSQLHas) })
	line("its memory: members with indexes, and as much again", func(o *Outcome) string { return octets(2 * o.DiskMembers) })
	line("its connections, of all nodes", func(o *Outcome) string { return fmt.Sprint(o.Database) })
	line("statements a second in the busiest hour", func(o *Outcome) string { return count(o.Statements) })
	line("WAL a second in the busiest hour", func(o *Outcome) string { return octets(o.WALPeak) })
	line("WAL a day", func(o *Outcome) string { return octets(o.WALDay) })
	line("disk: members", func(o *Outcome) string { return octets(o.DiskMembers) })
	line("disk: fan-outs, kept 14 days", func(o *Outcome) string { return octets(o.DiskFanouts) })
	line("disk: posts of 4 KiB, kept for good, a year", func(o *Outcome) string { return octets(o.DiskYear) })
	for i, r := range all[0].Load.Receivers {
		if !r.Many {
			line("connections to "+r.Name, func(o *Outcome) string { return fmt.Sprint(o.Connections[i]) })
		}
	}
	line("SMTP connections in use in the busiest hour", func(o *Outcome) string { return count(o.Open) })
	line("copies that waited, at most", func(o *Outcome) string { return count(o.Backlog) })
	line("a post to a million in the busiest hour is through after", func(o *Outcome) string { return span(o.Million) })
	line("and but for provider C, which takes 2,000 a second", func(o *Outcome) string { return span(o.MillionMost) })
	line("all alone, with the default of 20 connections", func(o *Outcome) string { return span(o.MillionDefault) })
	line("memory of a node", func(o *Outcome) string { return octets(o.Site.Prices.NodePeak * (1 << 20)) })
	line("copies a day that one PostgreSQL carries, held by", func(o *Outcome) string { return count(o.CarriesCopies) + ", " + o.LimitedBy })
	return t.String()
}

// signedCores are Muster's in the busiest hour where it signs. Recipients of one transaction share
// their text and its signature, which is in the price.
func (o *Outcome) signedCores() float64 {
	return o.MusterCores + o.PeakCopies*o.Site.Prices.Signature.Muster/1e6
}

// LoadTable says what a simulated day is assumed to be.
func LoadTable(l Load) string {
	t := &table{}
	t.row("receiver", "share of members", "a transaction takes", "put off at first", "limit")
	for _, r := range l.Receivers {
		limit := "its connections"
		switch {
		case r.Many:
			limit = "none: each its own connections"
		case r.Mixed:
			limit = "`connections`, which the destination `mixed` has in all"
		case r.Rate > 0:
			limit = fmt.Sprintf("its connections, and %s copies/s", count(r.Rate))
		}
		t.row(r.Name, fmt.Sprintf("%.0f %%", 100*r.Share), fmt.Sprintf("%.0f ms", 1000*r.Seconds), fmt.Sprintf("%.0f %%", 100*r.Deferred), limit)
	}
	return t.String()
}

// count is a number with as many digits as mean something.
func count(f float64) string {
	switch {
	case math.IsInf(f, 0):
		return "∞"
	case f >= 1e9:
		return fmt.Sprintf("%.1f G", f/1e9)
	case f >= 1e7:
		return fmt.Sprintf("%.0f M", f/1e6)
	case f >= 1e6:
		return fmt.Sprintf("%.1f M", f/1e6)
	case f >= 1e4:
		return thousands(math.Round(f/100) * 100)
	case f >= 1e3:
		return thousands(math.Round(f/10) * 10)
	case f >= 10:
		return fmt.Sprintf("%.0f", f)
	case f >= 1:
		return fmt.Sprintf("%.1f", f)
	case f == 0:
		return "0"
	}
	return fmt.Sprintf("%.2f", f)
}

func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// octets is a size in a unit that fits.
func octets(f float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if f < 1000 {
			return short(f) + " " + unit
		}
		f /= 1000
	}
	return short(f) + " TB"
}

func short(f float64) string {
	if f < 10 {
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

// span is a time in a unit that fits.
func span(seconds float64) string {
	switch {
	case math.IsInf(seconds, 0):
		return "not that day"
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}
