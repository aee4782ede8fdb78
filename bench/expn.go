package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"time"
)

// measureExpn asks for the members of a list, against psql copying them out.
func (b *bench) measureExpn(ctx context.Context) ([]row, error) {
	file, err := b.writeMembers(b.million)
	if err != nil {
		return nil, err
	}
	if _, _, err := b.importList(ctx, "million", file); err != nil {
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
			took, err := b.expn(ctx, "bench1", b.members)
			return float64(b.members) / took.Seconds(), err
		},
		theirs: func(ctx context.Context) (float64, error) {
			took, err := b.store.copyOut(ctx, id)
			return float64(b.members) / took.Seconds(), err
		},
	})
	if err != nil {
		return nil, err
	}
	if err := resetPeak(b.muster.pid()); err != nil {
		return nil, err
	}
	took, err := b.expn(ctx, "million", b.million)
	if err != nil {
		return nil, err
	}
	peak, err := peakMB(b.muster.pid())
	if err != nil {
		return nil, err
	}
	b.say("EXPN of %d members: %v", b.million, took)
	return []row{rate, limitRow(fmt.Sprintf("EXPN of %d members: peak memory of serve, MB", b.million), peak, limitMB)}, nil
}

// expn connects, asks, reads to the end, and returns how long all of it took. psql connects too.
func (b *bench) expn(ctx context.Context, list string, members int) (time.Duration, error) {
	start := time.Now()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.muster.smtp)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(start.Add(10 * time.Minute)); err != nil {
		return 0, err
	}
	r := bufio.NewReaderSize(c, 1<<16)
	if _, err := reply(r, "220"); err != nil {
		return 0, err
	}
	for _, command := range []string{"EHLO author.example", "EXPN " + listAddress(list)} {
		if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
			return 0, err
		}
		n, err := reply(r, "250")
		if err != nil {
			return 0, fmt.Errorf("%s: %w", command, err)
		}
		if command[:4] == "EXPN" && n != members {
			return 0, fmt.Errorf("%s: %d lines, want %d", command, n, members)
		}
	}
	return time.Since(start), nil
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
