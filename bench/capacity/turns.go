package capacity

import (
	"container/heap"
	"math"
)

// item is what waits of a post, or of several that are alike, for one receiver.
type item struct {
	posts   float64
	copies  float64 // of each post
	seconds float64 // of a connection, a copy
	again   float64 // the same of one that is put off and comes again
	retry   bool    // has been put off before
	large   bool    // of the watched post
	end     float64 // the number of copies of each post after which it is through
}

// turns is the queue of a receiver. Posts share its connections as Muster has them do it, a shard in
// turn each: all that wait get the same number of copies through in a time, whatever their size.
// So it is enough to count what each has got since the queue was empty, and who is through first.
type turns struct {
	each    float64 // copies that each post has got through
	waiting byEnd
	posts   float64 // that wait
	seconds float64 // of all that wait, a copy of each
	ends    float64 // the sum of their ends
	first   float64 // how many have not been put off before
	again   float64 // the sum of their again
	large   int     // parts of the watched post
}

// add queues what came.
func (t *turns) add(it item) {
	if it.copies <= 0 || it.posts <= 0 {
		return
	}
	it.end = t.each + it.copies
	heap.Push(&t.waiting, &it)
	t.count(it, it.posts)
}

// count adds n posts to the sums, or takes them out.
func (t *turns) count(it item, n float64) {
	t.posts += n
	t.seconds += n * it.seconds
	t.ends += n * it.end
	if !it.retry {
		t.first += n
		t.again += n * it.again
	}
	if it.large {
		t.large += int(n)
	}
}

// left is how many copies wait.
func (t *turns) left() float64 { return max(t.ends-t.each*t.posts, 0) }

// sent is what went through: copies, and those of them that were tried for the first time, with the
// seconds that all of these would take once more.
type sent struct{ copies, first, again float64 }

// serve lets through what so many seconds of connections and so many copies allow.
func (t *turns) serve(seconds, copies float64) (s sent) {
	for len(t.waiting) > 0 {
		most := min(seconds/t.seconds, copies/t.posts)
		next := t.waiting[0].end - t.each
		through := next <= most
		get := min(next, most)
		t.each += get
		seconds, copies = seconds-get*t.seconds, copies-get*t.posts
		s.copies, s.first, s.again = s.copies+get*t.posts, s.first+get*t.first, s.again+get*t.again
		if !through {
			return s
		}
		it := heap.Pop(&t.waiting).(*item)
		t.count(*it, -it.posts)
	}
	*t = turns{waiting: t.waiting} // what adding up has made of nothing
	return s
}

// byEnd is a heap.
type byEnd []*item

func (b byEnd) Len() int           { return len(b) }
func (b byEnd) Less(i, j int) bool { return b[i].end < b[j].end }
func (b byEnd) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Push is for heap.
func (b *byEnd) Push(x any) { *b = append(*b, x.(*item)) }

// Pop is for heap.
func (b *byEnd) Pop() any {
	last := len(*b) - 1
	it := (*b)[last]
	*b = (*b)[:last]
	return it
}

// unbounded is what limits nothing.
func unbounded() float64 { return math.Inf(1) }
