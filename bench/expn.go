package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"time"
)

// expnFirstLimit is for the beginning of a reply, however long that becomes.
const expnFirstLimit = 20 * time.Millisecond

// measureExpn asks for the members of a list, against psql copying them out.
func (b *bench) measureExpn(ctx context.Context) ([]row, error) {
	if err := b.importMillion(ctx); err != nil {
		return nil, err
	}
	id, err := b.store.listID(ctx, "bench1")
	if err != nil {
		return nil, err
	}
	if err := b.store.settle(ctx); err != nil {
		return nil, err
	}
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	rate, err := b.compare(ctx, comparison{
		name: fmt.Sprintf("EXPN of %d members, members/s", b.members),
		aim:  aimExpn,
		ours: func(ctx context.Context) (float64, error) {
			t, err := b.expn(ctx, "bench1", b.members)
			return float64(b.members) / t.whole.Seconds(), err
		},
		theirs: func(ctx context.Context) (float64, error) {
			took, err := b.store.copyOut(ctx, id)
			return float64(b.members) / took.Seconds(), err
		},
	})
	if err != nil {
		return nil, err
	}
	million, err := b.expnMillion(ctx)
	return append([]row{rate}, million...), err
}

// expnMillion asks for the large list: how soon the reply begins, and what it takes of memory.
func (b *bench) expnMillion(ctx context.Context) ([]row, error) {
	if err := resetPeak(b.muster.pid()); err != nil {
		return nil, err
	}
	var firsts []float64
	for range b.runs {
		t, err := b.expn(ctx, "million", b.million)
		if err != nil {
			return nil, err
		}
		b.say("EXPN of %d members: first line after %v, %v in all", b.million, t.first, t.whole)
		firsts = append(firsts, milliseconds(t.first))
	}
	peak, err := peakMB(b.muster.pid())
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("EXPN of %d members", b.million)
	return []row{
		limitRow(name+": from the command to the first line, ms", median(firsts), milliseconds(expnFirstLimit)),
		limitRow(name+": peak memory of serve, MB", peak, limitMB),
	}, nil
}

// expnTimes is how long an EXPN took: from the command to its first line, and from connecting, as
// psql does too, to its last.
type expnTimes struct{ first, whole time.Duration }

// expn connects, asks and reads to the end.
func (b *bench) expn(ctx context.Context, list string, members int) (t expnTimes, err error) {
	start := time.Now()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.muster.smtp)
	if err != nil {
		return t, err
	}
	defer c.Close()
	if err := c.SetDeadline(start.Add(10 * time.Minute)); err != nil {
		return t, err
	}
	r := bufio.NewReaderSize(c, 1<<16)
	if _, err := reply(r, "220"); err != nil {
		return t, err
	}
	for _, command := range []string{"EHLO author.example", "EXPN " + listAddress(list)} {
		asked := time.Now()
		if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
			return t, err
		}
		if _, err := r.Peek(len("250-")); err != nil {
			return t, fmt.Errorf("%s: %w", command, err)
		}
		t.first = time.Since(asked) // that of EXPN is the last
		n, err := reply(r, "250")
		if err != nil {
			return t, fmt.Errorf("%s: %w", command, err)
		}
		if command[:4] == "EXPN" && n != members {
			return t, fmt.Errorf("%s: %d lines, want %d", command, n, members)
		}
	}
	t.whole = time.Since(start)
	return t, nil
}

// reply counts the lines of a reply of that code.
func reply(r *bufio.Reader, code string) (lines int, err error) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return lines, err
		}
		if len(line) < 4 || !bytes.HasPrefix(line, []byte(code)) {
			return lines, fmt.Errorf("reply %q, want %s", line, code)
		}
		lines++
		if line[3] != '-' {
			return lines, nil
		}
	}
}
