package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// signedPart is how many members a list gets whose copies are signed, of a whole list's: each costs
// about ten times as much.
const signedPart = 10

// measureDKIM posts to a list whose domain has an RSA key, with a copy and a signature for each
// member, against the signatures that crypto/rsa alone makes in the same time of a processor. The receiver
// and the database, which share the processors, have their own part of each.
func (b *bench) measureDKIM(ctx context.Context) ([]row, error) {
	signed := *b
	signed.members = max(b.members/signedPart, 1)
	if err := signed.signedList(ctx); err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("fan-out to %d members, 1 a transaction, each signed RSA-2048", signed.members)
	var copies, bare, ratios []float64 // a second of one processor
	all, err := signed.compare(ctx, comparison{
		name: name + ", copies/s",
		ours: func(ctx context.Context) (rate float64, err error) {
			rate, used, err := signed.signedFanOut(ctx)
			copies = append(copies, 1/used.Seconds())
			return rate, err
		},
		theirs: func(ctx context.Context) (float64, error) {
			rate, used, err := signed.signatures(ctx, key)
			bare = append(bare, 1/used.Seconds())
			return rate, err
		},
	})
	if err != nil {
		return nil, err
	}
	for i := range copies {
		ratios = append(ratios, copies[i]/bare[i])
	}
	own := row{name + ", copies a second of Muster's processors", round(median(copies)), round(median(bare)), round(median(ratios)), aimDKIM}
	return []row{own, figureRow(all.Row, all.Figure)}, nil
}

// signedList makes the list and the key, and has a server that has not looked for keys before.
func (b *bench) signedList(ctx context.Context) error {
	file, err := b.writeMembers(b.members)
	if err != nil {
		return err
	}
	if _, _, err := b.importList(ctx, "signed", file); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"list", "set", listAddress("signed"), "verp=true"},
		{"domain", "dkim", "create", "lists.example", "--selector", "bench"},
		{"domain", "dkim", "activate", "lists.example", "bench"},
	} {
		if err := b.muster.run(ctx, args...); err != nil {
			return err
		}
	}
	b.muster.stop()
	return b.serveAll(ctx)
}

// signedFanOut is fanOut that says what a copy cost the sender's processors.
func (b *bench) signedFanOut(ctx context.Context) (rate float64, used time.Duration, err error) {
	before, err := processorTime(b.muster.pid())
	if err != nil {
		return 0, 0, err
	}
	if rate, err = b.fanOut(ctx, "signed"); err != nil {
		return 0, 0, err
	}
	after, err := processorTime(b.muster.pid())
	used = max((after-before)/time.Duration(b.members), 1)
	b.say("muster used %v of processor time a copy", used.Round(time.Microsecond))
	return rate, used, err
}

// signatures is the yardstick, and says what a signature cost the processors.
func (b *bench) signatures(ctx context.Context, key *rsa.PrivateKey) (rate float64, used time.Duration, err error) {
	before, err := processorTime(os.Getpid())
	if err != nil {
		return 0, 0, err
	}
	n := max(b.members/2, 1)
	if rate, err = signaturesPerSecond(ctx, key, n); err != nil {
		return 0, 0, err
	}
	after, err := processorTime(os.Getpid())
	used = max((after-before)/time.Duration(n), 1)
	b.say("crypto/rsa used %v of processor time a signature", used.Round(time.Microsecond))
	return rate, used, err
}

// signaturesPerSecond makes n signatures in all, on as many processors as Muster has.
func signaturesPerSecond(ctx context.Context, key *rsa.PrivateKey, n int) (float64, error) {
	workers := runtime.GOMAXPROCS(0)
	each := max(n/workers, 1)
	sum := sha256.Sum256([]byte("a copy"))
	var g errgroup.Group
	start := time.Now()
	for range workers {
		g.Go(func() error {
			for range each {
				if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
					return err
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(each*workers) / time.Since(start).Seconds(), err
}

// clockTick is the unit of times in /proc, 1/100 s on every Linux (proc_pid_stat(5)).
const clockTick = time.Second / 100

// processorTime is what a process has used, of its own and the kernel's.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseProcessorTime(string(text))
}

// parseProcessorTime reads fields 14 and 15, counted after the name in parentheses, the second.
func parseProcessorTime(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("no times in the status of a process: %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}
