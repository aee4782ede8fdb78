package capacity

import (
	"math"
	"math/rand/v2"
)

// Load is a day of a site: everything in it is assumed, and said in the document.
type Load struct {
	Copies    float64     // a day, on average over the seeds
	Hours     [24]float64 // what part of the day's posts comes in each hour; they need not sum to 1
	Smallest  float64     // members of a list, by a Pareto distribution cut off at both ends
	Largest   float64
	Tail      float64 // its exponent: less is a heavier tail
	Receivers []Receiver
	// Again is the share of retries that are put off once more.
	Again float64
	// PerMember is how many copies a membership gets a day.
	PerMember float64
}

// Receiver is a destination, or many that are alike.
type Receiver struct {
	Name     string
	Share    float64 // of all members
	Seconds  float64 // a transaction takes, its reply and what the receiver does before
	Rate     float64 // copies a second that it takes from a site; 0: as many as come
	Deferred float64 // share of first attempts that is put off
	Many     bool    // thousands of destinations: their connections are no limit
	Mixed    bool    // domains with few members each, which share what connections one destination has
}

// AssumedLoad is that of the document.
func AssumedLoad(copies float64) Load {
	return Load{
		Copies: copies,
		Hours: [24]float64{0.5, 0.4, 0.3, 0.3, 0.3, 0.4, 0.6, 1.0, 1.5, 1.9, 2.0, 1.8,
			1.5, 1.6, 1.8, 1.7, 1.5, 1.2, 1.0, 0.9, 0.9, 0.9, 0.8, 0.7},
		Smallest: 20, Largest: 1_000_000, Tail: 0.8,
		Receivers: []Receiver{
			{Name: "provider A", Share: 0.30, Seconds: 0.15, Deferred: 0.02},
			{Name: "provider B", Share: 0.20, Seconds: 0.12, Deferred: 0.02},
			{Name: "provider C", Share: 0.10, Seconds: 0.20, Deferred: 0.05, Rate: 2000},
			{Name: "thousands of domains", Share: 0.30, Seconds: 0.20, Deferred: 0.04, Many: true},
			{Name: "domains with few members", Share: 0.10, Seconds: 0.25, Deferred: 0.05, Mixed: true},
		},
		Again: 0.5, PerMember: 5,
	}
}

// alike is up to how many members the lists of posts that come in one step are taken for one and the
// same size: there are millions of such posts, and each is soon through.
const alike = 2000

// spread is the distribution of the sizes of lists between two of them.
type spread struct{ low, high, tail float64 }

// above is what part of it is greater than n.
func (s spread) above(n float64) float64 {
	cut := math.Pow(s.low/s.high, s.tail)
	return (math.Pow(s.low/n, s.tail) - cut) / (1 - cut)
}

func (s spread) mean() float64 {
	a := s.tail
	return a / (1 - a) * math.Pow(s.low, a) * (math.Pow(s.high, 1-a) - math.Pow(s.low, 1-a)) / (1 - math.Pow(s.low/s.high, a))
}

func (s spread) draw(r *rand.Rand) float64 {
	u := r.Float64() * (1 - math.Pow(s.low/s.high, s.tail))
	return math.Round(s.low / math.Pow(1-u, 1/s.tail))
}

// arrival is posts, to lists of so many members each.
type arrival struct {
	step           int
	posts, members float64
}

// step is the time the simulation takes at once, in seconds.
const (
	step        = 10
	stepsHour   = 3600 / step
	stepsDay    = 24 * stepsHour
	largeMember = 1_000_000 // of the list whose post is watched
)

// day draws the posts of a day, in order.
func (l Load) day(r *rand.Rand) []arrival {
	var sum float64
	for _, h := range l.Hours {
		sum += h
	}
	all := spread{l.Smallest, l.Largest, l.Tail}
	small, large := spread{l.Smallest, alike, l.Tail}, spread{alike, l.Largest, l.Tail}
	posts, part := l.Copies/all.mean(), all.above(alike)
	var day []arrival
	for s := range stepsDay {
		mean := posts * l.Hours[s/stepsHour] / sum / stepsHour
		if n := poisson(r, mean*(1-part)); n > 0 {
			day = append(day, arrival{s, float64(n), small.mean()})
		}
		for range poisson(r, mean*part) {
			day = append(day, arrival{s, 1, large.draw(r)})
		}
	}
	return day
}

// peakHour is the one with most posts.
func (l Load) peakHour() int {
	peak := 0
	for h, n := range l.Hours {
		if n > l.Hours[peak] {
			peak = h
		}
	}
	return peak
}

// poisson draws from a distribution with a mean, by parts: exp would be nothing for a large one.
func poisson(r *rand.Rand, mean float64) (n int) {
	for ; mean > 30; mean -= 30 {
		n += poisson(r, 30)
	}
	limit, p := math.Exp(-mean), r.Float64()
	for p > limit {
		n++
		p *= r.Float64()
	}
	return n
}
