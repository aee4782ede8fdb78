package fanout

import (
	"math/rand/v2"
	"time"
)

// keepTrying is how long a copy is tried before it bounces (RFC 5321 §4.5.4.1: 4 to 5 days).
const keepTrying = 5 * 24 * time.Hour

const (
	firstWait = 5 * time.Minute
	lastWait  = 150 * time.Minute // with its jitter at most 4 h
	jitter    = 0.6
	// longestWait is what no wait exceeds, with its jitter.
	longestWait = lastWait * 8 / 5
)

// retryWait is the time from the n-th failed attempt to the next: 5 to 8 minutes, doubling, at
// most 4 hours, each at random within its span so that what failed together does not come back
// together.
func retryWait(attempt int) time.Duration {
	wait := firstWait
	for i := 1; i < attempt && wait < lastWait; i++ {
		wait *= 2
	}
	return spread(min(wait, lastWait))
}

// soon is the wait of a copy that was not tried because its destination had no room: no attempt
// is counted.
func soon() time.Duration { return spread(time.Minute) }

const (
	firstBlock = 10 * time.Second
	lastBlock  = 10 * time.Minute
	// longestBlock is what no block exceeds, with its jitter.
	longestBlock = lastBlock * 8 / 5
)

// blockWait is how long a destination is left alone after n failures in a row.
func blockWait(failures int) time.Duration {
	wait := firstBlock
	for i := 1; i < failures && wait < lastBlock; i++ {
		wait *= 2
	}
	return spread(min(wait, lastBlock))
}

func spread(d time.Duration) time.Duration {
	return d + time.Duration(rand.Float64()*jitter*float64(d))
}
