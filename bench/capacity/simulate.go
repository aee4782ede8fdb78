package capacity

import (
	"math"
	"math/rand/v2"
)

// Site is how a simulated one is built.
type Site struct {
	PerTransaction int     // recipients, where as many go the same way: 1 or 100
	Cores          float64 // of a node
	Use            float64 // share of the processors that the busiest hour may use
	Full           float64 // share of the connections that it may use
	Prices         Prices
}

// Prices are what things cost a site, as measured.
type Prices struct {
	Copy, Post, Deferral, Signature, Pruned Cost
	NodePeak, MemberOctets                  float64
	Idle                                    Cost // a node's second
}

// Prices takes them from a measurement. Of what was measured in more ways than one, the dearest
// counts. Each is the recipients of a transaction.
func (m *Measured) Prices(each int) (Prices, error) {
	const usual, short = 10_000, 1_000
	run, err := m.Run(usual, each)
	if err != nil {
		return Prices{}, err
	}
	small, err := m.Run(short, each)
	if err != nil {
		return Prices{}, err
	}
	p := Prices{Copy: run.Cost, Deferral: m.Deferred, MemberOctets: m.MemberOctets, Idle: m.Idle, Pruned: m.Pruned}
	for _, a := range m.Accepting {
		if a.Clients == 20 {
			p.Post = a.Cost
		}
	}
	p.Post = p.Post.Dearest(small.Cost.Less(run.Cost).Times(short))
	p.Post.Pages = 0
	if each == 1 {
		for _, f := range m.Processes {
			if f.Processes == 4 && f.Delay == 100 {
				disk := p.Copy.Disk // a while in the middle does not show what a whole post leaves
				p.Copy = p.Copy.Dearest(f.Cost)
				p.Copy.Disk = disk
			}
		}
	}
	for _, s := range m.Signed {
		if s.PerTransaction == each {
			p.Signature = s.Cost.Less(run.Cost)
		}
	}
	p.Signature = Cost{Muster: p.Signature.Muster} // the rest is noise: it is Muster who signs
	for _, r := range m.Lists {
		p.NodePeak = max(p.NodePeak, r.Peak)
	}
	return p, nil
}

// Outcome is what a simulated day has shown.
type Outcome struct {
	Load Load
	Site Site

	Posts, Copies, Attempts float64 // of the day
	Members                 float64
	PeakCopies              float64 // attempts a second, in the busiest hour
	PeakStep                float64 // and in the busiest step, of those that were sent
	Nodes                   int     // with one to spare
	MusterCores             float64 // used in the busiest hour
	PostgreSQLCores         float64
	PostgreSQLHas           float64 // cores that it is given
	Statements              float64 // a second, in the busiest hour
	WALPeak, WALDay         float64 // octets
	DiskFanouts, DiskYear   float64 // octets: of what is kept for 14 days, and of posts in a year
	DiskMembers             float64
	Connections             []int   // of each receiver that is one destination
	Open                    float64 // connections in use, in the busiest hour
	Database                int     // connections of all nodes to it
	Backlog                 float64 // copies that waited, at most
	Million                 float64 // seconds until a post to a million, in the busiest hour, is through
	MillionMost             float64 // and until it is at all receivers but the one that limits its rate
	MillionDefault          float64 // seconds it would need with 20 connections to each, all alone
	CarriesCopies           float64 // a day, until one PostgreSQL has reached its limit
	LimitedBy               string
}

// What one PostgreSQL is taken to carry: a large machine, and a log that a standby, which replays
// it with one processor, can follow. Both are assumed.
const (
	largestCores = 64
	largestWAL   = 100e6 // octets a second
)

// keepDays is how long fan-outs are kept (clock.Tasks).
const keepDays = 14

// Simulate runs one day after the evening of a first that fills the retries, and returns what it was like.
func Simulate(l Load, s Site, seed uint64) Outcome {
	o := Outcome{Load: l, Site: s}
	r := rand.New(rand.NewPCG(seed, 1))
	days := [2][]arrival{l.day(r), l.day(r)}
	o.size(days[1])
	w := newWorld(l, s, &o)
	w.run(days[0], 18*stepsHour)
	w.run(days[1], 0)
	o.price()
	return o
}

// size builds the site for what arrives in the busiest hour.
func (o *Outcome) size(day []arrival) {
	hours := make([]float64, 24)
	busy := make([][]float64, 24) // seconds of connections, by receiver
	for _, a := range day {
		h := a.step / stepsHour
		if busy[h] == nil {
			busy[h] = make([]float64, len(o.Load.Receivers))
		}
		o.Posts += a.posts
		o.Copies += a.posts * a.members
		hours[h] += a.posts * a.members
		for i, r := range o.Load.Receivers {
			first := a.members * r.Share
			later := first * r.Deferred
			busy[h][i] += a.posts * (first*o.Site.seconds(r, first) + later/(1-o.Load.Again)*o.Site.seconds(r, later))
		}
	}
	var deferred float64
	for _, r := range o.Load.Receivers {
		deferred += r.Share * r.Deferred
	}
	retries := deferred / (1 - o.Load.Again) // of each copy, in the end
	o.Attempts = o.Copies * (1 + retries)
	o.Members = o.Copies / o.Load.PerMember
	peak := 0
	for h := range hours {
		if hours[h] > hours[peak] {
			peak = h
		}
	}
	o.PeakCopies = hours[peak] / 3600 * (1 + retries)
	o.connect(busy[peak], hours[peak]/3600)
	o.machines(o.second(o.PeakCopies))
}

// machines buys nodes and a database for what a second of the busiest hour costs.
func (o *Outcome) machines(peak Cost) {
	o.MusterCores, o.PostgreSQLCores = peak.Muster/1e6, peak.PostgreSQL/1e6
	o.Nodes = o.nodes(o.MusterCores)
	idle := o.Site.Prices.Idle.Times(float64(o.Nodes))
	o.PostgreSQLCores += idle.PostgreSQL / 1e6
	o.PostgreSQLHas = powerOfTwo(o.PostgreSQLCores/o.Site.Use, 4)
	o.Statements, o.WALPeak = peak.Statements+idle.Statements, peak.WAL+idle.WAL
	o.Database = o.Nodes * (20 + 3) // database_connections, and the fan-out's own
}

// nodes are those that so many busy processors need, and one to spare.
func (o *Outcome) nodes(cores float64) int {
	return max(int(math.Ceil(cores/(o.Site.Cores*o.Site.Use)))+1, 2)
}

// connect allows each receiver the connections that the busiest hour needs, 20 doubled until they
// are enough.
func (o *Outcome) connect(busy []float64, perSecond float64) {
	for i, r := range o.Load.Receivers {
		open := busy[i] / 3600
		if r.Rate > 0 {
			open *= min(r.Rate/(perSecond*r.Share), 1)
		}
		o.Open += open
		n := 0
		if !r.Many {
			n = int(powerOfTwo(open/o.Site.Full/20, 1) * 20)
		}
		o.Connections = append(o.Connections, n)
	}
}

// seconds is how long a copy takes a connection, of a post with so many for the receiver.
func (s Site) seconds(r Receiver, copies float64) float64 {
	if r.Mixed || r.Many {
		return r.Seconds
	}
	return r.Seconds / min(max(copies, 1), float64(s.PerTransaction))
}

// second is what a second costs with so many attempts in it.
func (o *Outcome) second(attempts float64) Cost {
	p, each := o.Site.Prices, attempts/o.Attempts // of the day's
	c := p.Copy.Times(attempts).Plus(p.Post.Times(o.Posts * each)).Plus(p.Deferral.Times((o.Attempts - o.Copies) * each))
	return c.Plus(p.Pruned.Times(o.Copies * each)) // of fourteen days ago
}

func powerOfTwo(at, least float64) float64 {
	for least < at {
		least *= 2
	}
	return least
}

// price reckons what a whole day leaves, and how far one PostgreSQL goes.
func (o *Outcome) price() {
	p, day := o.Site.Prices, o.second(o.Attempts)
	o.WALDay = day.WAL
	o.DiskFanouts = keepDays * (p.Copy.Disk*o.Copies + p.Deferral.Disk*(o.Attempts-o.Copies))
	o.DiskYear = 365 * p.Post.Disk * o.Posts
	o.DiskMembers = p.MemberOctets * o.Members
	byCores := largestCores * o.Site.Use / o.PostgreSQLCores
	byWAL := largestWAL / o.WALPeak
	o.CarriesCopies, o.LimitedBy = o.Copies*byCores, "processors"
	if byWAL < byCores {
		o.CarriesCopies, o.LimitedBy = o.Copies*byWAL, "WAL"
	}
	for _, r := range o.Load.Receivers {
		if copies := largeMember * r.Share; !r.Many {
			o.MillionDefault = max(o.MillionDefault, copies*max(o.Site.seconds(r, copies)/20, 1/orInfinite(r.Rate)))
		}
	}
}

func orInfinite(rate float64) float64 {
	if rate == 0 {
		return unbounded()
	}
	return rate
}
