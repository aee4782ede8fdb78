package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// The list that the large one is compared with, and how often it is posted to, so that as many copies go out.
const manyMembers = 10_000

// measureMillion posts to the large list once and to a small one as often as it takes for as many copies:
// what a copy costs the processors of Muster and PostgreSQL is to be the same. It says what memory
// that takes, and what Muster has when nothing has been asked of it yet.
func (b *bench) measureMillion(ctx context.Context) ([]row, error) {
	many := *b
	many.members = min(manyMembers, b.million)
	if err := b.haveMillion(ctx); err != nil {
		return nil, err
	}
	file, err := many.writeMembers(many.members)
	if err != nil {
		return nil, err
	}
	if _, _, err := many.importList(ctx, "many", file); err != nil {
		return nil, err
	}
	for _, list := range []string{"million", "many"} {
		if err := b.muster.run(ctx, "list", "set", listAddress(list), "verp=false"); err != nil {
			return nil, err
		}
	}
	b.muster.stop()
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	idle, err := residentMB(b.muster.pid())
	if err != nil {
		return nil, err
	}
	million, peak, err := many.millionCost(ctx, b.million)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("fan-out to %d members, 100 a transaction", b.million)
	return []row{
		million,
		limitRow(name+": peak memory of serve, MB", peak, millionMB),
		limitRow("memory of serve before anything was asked of it, MB", idle, idleMB),
	}, nil
}

// millionCost is the row of what a copy costs, fewer microseconds being better, and the peak of the posts to
// the large list.
func (b *bench) millionCost(ctx context.Context, members int) (r row, peak float64, err error) {
	var large, small, ratios []float64
	million := *b
	million.members = members
	for i := range b.runs {
		if err := resetPeak(b.muster.pid()); err != nil {
			return row{}, 0, err
		}
		x, err := million.costOfCopies(ctx, "million", 1)
		if err != nil {
			return row{}, 0, err
		}
		mb, err := peakMB(b.muster.pid())
		if err != nil {
			return row{}, 0, err
		}
		y, err := b.costOfCopies(ctx, "many", max(members/b.members, 1))
		if err != nil {
			return row{}, 0, err
		}
		b.say("a copy to %d members, %d of %d: %.2f us, to %d: %.2f us", members, i+1, b.runs, x, b.members, y)
		peak = max(peak, mb)
		large, small, ratios = append(large, x), append(small, y), append(ratios, y/x)
	}
	name := fmt.Sprintf("a copy to %d members, against one to %d, us of processors", members, b.members)
	return row{name, round(median(large)), round(median(small)), round(median(ratios)), aimMillion}, peak, nil
}

// costOfCopies posts to a list some times, one after the other, and returns the microseconds of
// processors that Muster and PostgreSQL spent on each copy.
func (b *bench) costOfCopies(ctx context.Context, list string, posts int) (float64, error) {
	if err := b.store.settle(ctx); err != nil {
		return 0, err
	}
	before, err := b.processors(ctx)
	if err != nil {
		return 0, err
	}
	for range posts {
		if _, err := b.postOnce(ctx, list); err != nil {
			return 0, err
		}
	}
	after, err := b.processors(ctx)
	return float64((after - before).Microseconds()) / float64(posts*b.members), err
}

// processors is what Muster and PostgreSQL with all its children have used so far.
func (b *bench) processors(ctx context.Context) (time.Duration, error) {
	var backend int
	if err := b.store.pool.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		return 0, err
	}
	postmaster, err := parentOf(backend)
	if err != nil {
		return 0, err
	}
	database, err := familyTime("/proc", postmaster)
	if err != nil {
		return 0, err
	}
	own, err := processorTime(b.muster.pid())
	return own + database, err
}

// residentMB is the memory a process has now.
func residentMB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseMB(status, "VmRSS:")
}
