package capacity

import "math"

// world is the queue as it goes through a day, step by step.
type world struct {
	load   Load
	site   Site
	out    *Outcome
	queues []turns
	rings  [][]retry // by receiver: what comes again, by step
	now    int
	large  int     // step in which the watched post came; -1: not in this day
	budget float64 // copies a step that the processors of nodes and database make
}

// retry is copies that come again in one step, by how often they did so far.
type retry [retryKinds]struct{ copies, seconds float64 }

// retryKinds is after how many attempts the wait has become the longest.
const retryKinds = 6

// ring is as long as the longest wait.
const ring = 4*stepsHour + 1

func newWorld(l Load, s Site, o *Outcome) *world {
	w := &world{load: l, site: s, out: o, large: -1, queues: make([]turns, len(l.Receivers))}
	c := o.second(1)
	w.budget = step * 0.9 * min(float64(o.Nodes)*s.Cores/(c.Muster/1e6), o.PostgreSQLHas/(c.PostgreSQL/1e6))
	for range l.Receivers {
		w.rings = append(w.rings, make([]retry, ring))
	}
	return w
}

// run goes through a day from a step of it on. Its figures replace those of the day before.
func (w *world) run(day []arrival, from int) {
	w.out.Backlog, w.out.PeakStep, w.out.Million, w.out.MillionMost = 0, 0, 0, 0
	watch := w.load.peakHour()*stepsHour + stepsHour/2
	for len(day) > 0 && day[0].step < from {
		day = day[1:]
	}
	for s := from; s < stepsDay; s++ {
		for ; len(day) > 0 && day[0].step == s; day = day[1:] {
			w.post(day[0], false)
		}
		if s == watch {
			w.large = w.now
			w.post(arrival{posts: 1, members: largeMember}, true)
		}
		w.step()
		w.now++
	}
	if w.out.Million == 0 {
		w.out.Million = math.Inf(1) // not within the day
	}
	if w.out.MillionMost == 0 {
		w.out.MillionMost = math.Inf(1)
	}
	w.large = -1
}

// post queues the copies of some at each receiver.
func (w *world) post(a arrival, large bool) {
	for i, r := range w.load.Receivers {
		copies := a.members * r.Share
		w.queues[i].add(item{posts: a.posts, copies: copies, seconds: w.site.seconds(r, copies),
			again: w.site.seconds(r, copies*r.Deferred), large: large})
	}
}

// step sends for as long as one takes.
func (w *world) step() {
	var served, waiting float64
	left := w.budget
	through, most := true, true
	for k := range w.load.Receivers {
		i := (k + w.now) % len(w.load.Receivers) // nobody is always the last
		r, q := w.load.Receivers[i], &w.queues[i]
		w.comeAgain(i)
		seconds, copies := unbounded(), left
		if n := w.out.Connections[i]; n > 0 {
			seconds = float64(n) * step
		}
		if r.Rate > 0 {
			copies = min(copies, r.Rate*step)
		}
		s := q.serve(seconds, copies)
		served, left = served+s.copies, max(left-s.copies, 0)
		w.putOff(i, 0, s.first*r.Deferred, s.again*r.Deferred)
		waiting += q.left()
		if q.large > 0 {
			through, most = false, most && r.Rate > 0
		}
	}
	w.out.PeakStep, w.out.Backlog = max(w.out.PeakStep, served/step), max(w.out.Backlog, waiting)
	since := float64(w.now-w.large+1) * step
	if w.large >= 0 && most && w.out.MillionMost == 0 {
		w.out.MillionMost = since
	}
	if w.large >= 0 && through && w.out.Million == 0 {
		w.out.Million = since
	}
}

// comeAgain queues what was put off until now, and what of that will be put off once more.
func (w *world) comeAgain(i int) {
	due := &w.rings[i][w.now%ring]
	for times, d := range due {
		if d.copies > 0 {
			w.queues[i].add(item{posts: 1, copies: d.copies, seconds: d.seconds / d.copies, retry: true})
			w.putOff(i, times+1, d.copies*w.load.Again, d.seconds*w.load.Again)
		}
	}
	*due = retry{}
}

// putOff has copies come again after 6.5 minutes, doubling to 195, as fanout has it on average.
func (w *world) putOff(i, times int, copies, seconds float64) {
	if copies < 1e-6 {
		return
	}
	times = min(times, retryKinds-1)
	wait := min(5*float64(int(1)<<times), 150) * 1.3 * 60
	d := &w.rings[i][(w.now+int(wait/step))%ring][times]
	d.copies += copies
	d.seconds += seconds
}
