package fanout

import (
	"context"
	"maps"
	"slices"
)

// line is where the posts of one list stand for one destination: each has its first attempts there
// before the next begins. A shard behind another post's is queued; it is made ready by whoever ends
// the last of those before it, after that is committed, or by whoever queued it, after that is: of two
// who do it at the same time the later sees what the other did. The sweep meets what a node that died
// could not do, or what ended otherwise.
type line struct{ list, dest int64 }

// finished notes that a run of a list has ended, so that the dispatcher looks at who is next.
func (t *traffic) finished(r *run) {
	if r.List == 0 {
		return
	}
	t.mu.Lock()
	t.ended[line{r.List, r.Dest}] = struct{}{}
	t.mu.Unlock()
}

// advance makes ready what is next where runs have ended. What fails here the sweep makes good.
func (t *traffic) advance() error {
	t.mu.Lock()
	ended := slices.Collect(maps.Keys(t.ended))
	clear(t.ended)
	t.mu.Unlock()
	_, err := advance(t.soft, t.pool, ended)
	return err
}

// advancePage is how many lines a sweep looks at.
const advancePage = 1000

// advance goes on where the last sweep ended, so that each line is looked at in its turn.
func (s *sweeper) advance(ctx context.Context) (bool, error) {
	lines, err := selectLines(ctx, s.pool, s.seen, advancePage)
	if err != nil {
		return false, err
	}
	s.seen = line{}
	if len(lines) == advancePage {
		s.seen = lines[len(lines)-1]
	}
	n, err := advance(ctx, s.pool, lines)
	return n > 0, err
}
