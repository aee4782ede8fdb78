package fanout

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"muster/smtp"
)

// journal is what servers answered in one run of a shard: a line for each reply, with the time in
// milliseconds, the first and last place in the shard it is about, the server and the reply,
// between tabs. It is stored compressed, in the statement that saves the run's last outcome. A node
// that is killed takes the lines of the runs it was in with it, and not what they say: the outcomes
// are saved one by one, and the last answer about a copy that failed with them. A line with each
// outcome would triple what the database writes for copies that go out one by one.
type journal struct{ lines []byte }

func (j *journal) add(at time.Time, first, last int32, host string, reply *smtp.Reply) {
	j.lines = append(appendReply(appendPlaces(j.lines, at, first, last, host), reply), '\n')
}

// addDropped says that places were given up, and by whom.
func (j *journal) addDropped(at time.Time, first, last int32, by string) {
	j.lines = fmt.Appendf(appendPlaces(j.lines, at, first, last, "muster"), "dropped by %s\n", clean(by))
}

func appendPlaces(b []byte, at time.Time, first, last int32, host string) []byte {
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	b = append(b, '\t')
	b = strconv.AppendInt(b, int64(first), 10)
	b = append(b, '\t')
	b = strconv.AppendInt(b, int64(last), 10)
	b = append(b, '\t')
	b = append(b, host...)
	return append(b, '\t')
}

// appendReply appends a reply in one line. Its text was cleaned when it was read.
func appendReply(b []byte, r *smtp.Reply) []byte {
	b = strconv.AppendInt(b, int64(r.Code), 10)
	if r.Enhanced != (smtp.Enhanced{}) {
		for i, n := range r.Enhanced {
			b = append(b, " .."[i])
			b = strconv.AppendInt(b, int64(n), 10)
		}
	}
	for _, line := range r.Lines {
		b = append(b, ' ')
		b = append(b, clean(line)...)
	}
	return b
}

// take returns the compressed lines and starts anew; nil if there are none.
func (j *journal) take(p *packer) []byte {
	if len(j.lines) == 0 {
		return nil
	}
	packed := p.encoder.EncodeAll(j.lines, make([]byte, 0, len(j.lines)/6+64))
	j.lines = j.lines[:0]
	return packed
}

// packer compresses and unfolds journals. It is shared by all of an engine: making one is costly.
type packer struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newPacker() *packer {
	// The options are constant and valid, and nothing else can make these fail.
	e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxJournal))
	return &packer{e, d}
}

// maxJournal bounds what a stored journal may unfold to.
const maxJournal = 64 << 20

// Attempt is one answer of a server about one copy.
type Attempt struct {
	At    time.Time
	Host  string
	Reply string
}

func parseLine(line string) (a Attempt, first, last int32, err error) {
	f := strings.SplitN(line, "\t", 5)
	if len(f) != 5 {
		return a, 0, 0, fmt.Errorf("journal line %q", line)
	}
	var n [3]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return a, 0, 0, fmt.Errorf("journal line %q: %w", line, err)
		}
	}
	return Attempt{At: time.UnixMilli(n[0]), Host: f[3], Reply: f[4]}, int32(n[1]), int32(n[2]), nil
}
