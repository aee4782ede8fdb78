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
	if err := b.haveMillion(ctx); err != nil {
		return nil, err
	}
	if err := b.store.settle(ctx); err != nil {
		return nil, err
	}
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	small, _, err := b.expnRate(ctx, "bench1", b.members)
	if err != nil {
		return nil, err
	}
	if err := resetPeak(b.muster.pid()); err != nil {
		return nil, err
	}
	large, firsts, err := b.expnRate(ctx, "million", b.million)
	if err != nil {
		return nil, err
	}
	peak, err := peakMB(b.muster.pid())
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("EXPN of %d members", b.million)
	return []row{
		small, large,
		limitRow(name+": from the command to the first line, ms", median(firsts), milliseconds(expnFirstLimit)),
		limitRow(name+": peak memory of serve, MB", peak, limitMB),
	}, nil
}

// expnRate asks for a list, and says too how soon each reply began, in milliseconds.
func (b *bench) expnRate(ctx context.Context, list string, members int) (rate row, firsts []float64, err error) {
	id, err := b.store.listID(ctx, list)
	if err != nil {
		return row{}, nil, err
	}
	rate, err = b.compare(ctx, comparison{
		name: fmt.Sprintf("EXPN of %d members, members/s", members),
		aim:  aimExpn,
		ours: func(ctx context.Context) (float64, error) {
			t, err := b.expn(ctx, list, members)
			firsts = append(firsts, milliseconds(t.first))
			return float64(members) / t.whole.Seconds(), err
		},
		theirs: func(ctx context.Context) (float64, error) {
			took, err := b.store.copyOut(ctx, id)
			return float64(members) / took.Seconds(), err
		},
	})
	return rate, firsts, err
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
