package capacity

import (
	"math"
	"math/rand/v2"
	"testing"
)

// made is a measurement with prices that are easy to reckon with.
func made() *Measured {
	cost := Cost{Muster: 100, PostgreSQL: 50, WAL: 100, Statements: 0.1, Disk: 20}
	m := &Measured{MemberOctets: 500, Accepting: []Accepted{{Clients: 20, PerSecond: 1000, Cost: Cost{Muster: 400, PostgreSQL: 400, WAL: 6000, Statements: 1, Disk: 7000}}}}
	for _, each := range []int{1, 100} {
		for _, members := range []int{1_000, 10_000} {
			m.Lists = append(m.Lists, Run{Members: members, PerTransaction: each, Copies: 20_000, PerSecond: 5000, Cost: cost.Times(1 / float64(each)), Peak: 40})
		}
	}
	m.Deferred = Cost{Muster: 200, PostgreSQL: 500, WAL: 1500, Statements: 0.2, Disk: 500}
	return m
}

func site(t *testing.T, each int) Site {
	t.Helper()
	p, err := made().Prices(each)
	if err != nil {
		t.Fatal(err)
	}
	return Site{PerTransaction: each, Cores: 8, Use: 0.5, Full: 0.7, Prices: p}
}

func near(got, want, part float64) bool { return math.Abs(got-want) <= part*math.Abs(want) }

func BenchmarkSimulate(b *testing.B) {
	p, err := made().Prices(1)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Simulate(AssumedLoad(1e9), Site{PerTransaction: 1, Cores: 8, Use: 0.5, Full: 0.7, Prices: p}, 1)
	}
}

// What is drawn is the load that was asked for.
func TestDayIsTheLoad(t *testing.T) {
	t.Parallel()
	l := AssumedLoad(100e6)
	var copies, share float64
	var hours [24]float64
	const days = 20
	for seed := range uint64(days) {
		for _, a := range l.day(rand.New(rand.NewPCG(seed, 0))) {
			copies += a.posts * a.members
			hours[a.step/stepsHour] += a.posts
			if a.members < l.Smallest || a.members > l.Largest {
				t.Fatalf("a list of %v members", a.members)
			}
		}
	}
	for _, r := range l.Receivers {
		share += r.Share
	}
	if !near(copies/days, l.Copies, 0.05) || !near(share, 1, 1e-9) {
		t.Errorf("%.0f copies a day for %.0f, to %v of the members", copies/days, l.Copies, share)
	}
	if got, want := hours[10]/hours[3], l.Hours[10]/l.Hours[3]; !near(got, want, 0.05) {
		t.Errorf("at ten %.2f times as many posts as at three, want %.2f", got, want)
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	s, r := spread{20, 1e6, 0.8}, rand.New(rand.NewPCG(1, 1))
	const n = 200_000
	var sum, above float64
	for range n {
		m := s.draw(r)
		sum += min(m, 10_000)
		if m > 500 {
			above++
		}
	}
	// The mean of what is cut off at 10,000, without the few that make the mean of all uncertain.
	part := s.above(10_000)
	want := (spread{20, 10_000, 0.8}).mean()*(1-part) + 10_000*part
	if !near(sum/n, want, 0.03) || !near(above/n, s.above(500), 0.03) {
		t.Errorf("mean %.1f for %.1f, above 500 %.4f for %.4f", sum/n, want, above/n, s.above(500))
	}
}

func TestPoisson(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, mean := range []float64{0.3, 29, 95} {
		var sum, squares float64
		const n = 20_000
		for range n {
			x := float64(poisson(r, mean))
			sum, squares = sum+x, squares+x*x
		}
		got := sum / n
		if variance := squares/n - got*got; !near(got, mean, 0.03) || !near(variance, mean, 0.1) {
			t.Errorf("mean %.2f and variance %.2f for %v", got, variance, mean)
		}
	}
}

// Nothing is lost and nothing made: what was queued is sent or waits.
func TestTurnsKeepCount(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 3))
	var q turns
	var queued, through float64
	for range 2_000 {
		if r.IntN(3) > 0 {
			it := item{posts: float64(1 + r.IntN(4)), copies: r.Float64() * 100, seconds: r.Float64()}
			q.add(it)
			queued += it.posts * it.copies
		}
		through += q.serve(r.Float64()*100, r.Float64()*120).copies
		if !near(through+q.left(), queued, 1e-6) {
			t.Fatalf("%v through and %v left of %v", through, q.left(), queued)
		}
	}
	through += q.serve(unbounded(), unbounded()).copies
	if !near(through, queued, 1e-6) || q.left() != 0 || len(q.waiting) != 0 {
		t.Errorf("%v through of %v, %v left", through, queued, q.left())
	}
}

// A small post does not wait for a large one: each gets as much in a time.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	var q turns
	q.add(item{posts: 1, copies: 1000, seconds: 0.1, large: true})
	q.add(item{posts: 1, copies: 10, seconds: 0.1})
	if s := q.serve(2, 1000); !near(s.copies, 20, 1e-9) || len(q.waiting) != 1 || q.large != 1 || !near(q.left(), 990, 1e-9) {
		t.Errorf("%+v, %d wait with %v", s, len(q.waiting), q.left())
	}
	if s := q.serve(1000, 50); !near(s.copies, 50, 1e-9) { // the rate holds it now
		t.Errorf("%+v", s)
	}
	if s := q.serve(1, 50); !near(s.copies, 10, 1e-9) { // and now the connections
		t.Errorf("%+v", s)
	}
}

func TestSimulationIsSeeded(t *testing.T) {
	t.Parallel()
	l, s := AssumedLoad(10e6), site(t, 1)
	a, b, c := Simulate(l, s, 7), Simulate(l, s, 7), Simulate(l, s, 8)
	if PlanTable([]Outcome{a}) != PlanTable([]Outcome{b}) {
		t.Error("the same seed has shown two days")
	}
	if a.Copies == c.Copies {
		t.Error("another seed has shown the same day")
	}
}

// More copies need more of everything, and less price less.
func TestPlansGrow(t *testing.T) {
	t.Parallel()
	s := site(t, 1)
	small, large := Simulate(AssumedLoad(10e6), s, 1), Simulate(AssumedLoad(1000e6), s, 1)
	for what, of := range map[string]func(Outcome) float64{
		"Muster":     func(o Outcome) float64 { return o.MusterCores },
		"PostgreSQL": func(o Outcome) float64 { return o.PostgreSQLCores },
		"WAL":        func(o Outcome) float64 { return o.WALDay },
		"disk":       func(o Outcome) float64 { return o.DiskFanouts },
		"open":       func(o Outcome) float64 { return o.Open },
		"A":          func(o Outcome) float64 { return float64(o.Connections[0]) },
	} {
		if of(small) >= of(large) {
			t.Errorf("%s: %v for ten million, %v for a thousand", what, of(small), of(large))
		}
	}
	batches := Simulate(AssumedLoad(1000e6), site(t, 100), 1)
	if batches.Open >= large.Open || batches.PostgreSQLCores >= large.PostgreSQLCores || batches.Nodes > large.Nodes {
		t.Errorf("with 100 a transaction %v open, %v of PostgreSQL; with one %v and %v", batches.Open, batches.PostgreSQLCores, large.Open, large.PostgreSQLCores)
	}
	// The day's mean times the cost, the busiest hour above it and below what a site has.
	p := s.Prices
	if least := large.Copies * p.Copy.WAL; large.WALDay < least || large.WALDay > 3*least {
		t.Errorf("%v of WAL for at least %v", large.WALDay, least)
	}
	if mean := large.Copies / 86400; large.PeakCopies < mean || large.PeakCopies > 4*mean {
		t.Errorf("%v copies/s in the busiest hour, %v in the mean", large.PeakCopies, mean)
	}
	if used := large.MusterCores / (float64(large.Nodes-1) * s.Cores); used > s.Use {
		t.Errorf("%.2f of the nodes' processors are used with one node away", used)
	}
	if used := large.PostgreSQLCores / large.PostgreSQLHas; used > s.Use {
		t.Errorf("%.2f of PostgreSQL's processors are used", used)
	}
}

// One post to a million, nothing else: what it takes can be reckoned by hand.
func TestLonelyMillion(t *testing.T) {
	t.Parallel()
	l := AssumedLoad(1e5)
	l.Largest = 1000
	l.Receivers = []Receiver{{Name: "far", Share: 1, Seconds: 0.2}}
	s := site(t, 1)
	o := Simulate(l, s, 1)
	if want := 1e6 * 0.2 / 20; o.Connections[0] != 20 || !near(o.Million, want, 0.05) || o.MillionDefault != want {
		t.Errorf("%d connections, %v s and %v alone, want %v", o.Connections[0], o.Million, o.MillionDefault, want)
	}
	l.Receivers[0].Rate = 50
	if o := Simulate(l, s, 1); !near(o.Million, 1e6/50, 0.1) {
		t.Errorf("at 50 a second it took %v s", o.Million)
	}
	l.Receivers[0] = Receiver{Name: "near", Share: 1, Seconds: 0.2, Many: true}
	if o := Simulate(l, s, 1); o.Million > 60 || o.PeakStep > float64(o.Nodes)*s.Cores/100e-6 {
		t.Errorf("without a limit %v s, %v a second with %d nodes", o.Million, o.PeakStep, o.Nodes)
	}
}

// All that is put off comes again, half of it once more, and so on.
func TestDeferredComeAgain(t *testing.T) {
	t.Parallel()
	l := AssumedLoad(10e6)
	l.Receivers = []Receiver{{Name: "all", Share: 1, Seconds: 0.1, Deferred: 0.2, Many: true}}
	o := Simulate(l, site(t, 1), 1)
	if !near(o.Attempts, 1.4*o.Copies, 1e-9) {
		t.Errorf("%v attempts of %v copies", o.Attempts, o.Copies)
	}
	w := newWorld(l, o.Site, &o)
	w.post(arrival{posts: 1, members: 1000}, false)
	for range stepsDay {
		w.step()
		w.now++
	}
	var left float64
	for _, kinds := range w.rings[0] {
		for _, k := range kinds {
			left += k.copies
		}
	}
	if left > 1 || w.queues[0].left() > 1e-6 {
		t.Errorf("%v copies come again after a day, %v wait", left, w.queues[0].left())
	}
	w.post(arrival{posts: 1, members: 1000}, false)
	w.step()
	left = 0
	for _, kinds := range w.rings[0] {
		left += kinds[0].copies
	}
	if !near(left, 200, 1e-6) {
		t.Errorf("%v of a thousand were put off", left)
	}
}
