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
// member, against the signatures that crypto/rsa makes on all processors with nothing else to do.
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
	r, err := signed.compare(ctx, comparison{
		name:   fmt.Sprintf("fan-out to %d members, 1 a transaction, each signed RSA-2048, copies/s", signed.members),
		aim:    aimDKIM,
		ours:   signed.signedFanOut,
		theirs: func(ctx context.Context) (float64, error) { return signed.signatures(ctx, key) },
	})
	return []row{r}, err
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
func (b *bench) signedFanOut(ctx context.Context) (float64, error) {
	before, err := processorTime(b.muster.pid())
	if err != nil {
		return 0, err
	}
	rate, err := b.fanOut(ctx, "signed")
	if err != nil {
		return 0, err
	}
	after, err := processorTime(b.muster.pid())
	b.say("muster used %v of processor time a copy", ((after - before) / time.Duration(b.members)).Round(time.Microsecond))
	return rate, err
}

// signatures is the yardstick, and says what a signature cost the processors.
func (b *bench) signatures(ctx context.Context, key *rsa.PrivateKey) (float64, error) {
	before, err := processorTime(os.Getpid())
	if err != nil {
		return 0, err
	}
	n := max(b.members/2, 1)
	rate, err := signaturesPerSecond(ctx, key, n)
	if err != nil {
		return 0, err
	}
	after, err := processorTime(os.Getpid())
	b.say("crypto/rsa used %v of processor time a signature", ((after - before) / time.Duration(n)).Round(time.Microsecond))
	return rate, err
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
