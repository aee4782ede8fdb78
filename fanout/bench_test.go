package fanout

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// BenchmarkPlan measures how fast members become shards.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("%dk", n/1000), func(b *testing.B) {
			w := newWorld(b)
			list := w.list("dev", 1)
			w.members(list, n, 100)
			p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				w.post(list, testMessage)
				b.StartTimer()
				for p.round(context.Background()) {
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "members/s")
		})
	}
}

// BenchmarkBegin measures how fast posts to small lists are begun.
func BenchmarkBegin(b *testing.B) {
	const lists = 100
	w := newWorld(b)
	ids := make([]int64, lists)
	for i := range ids {
		ids[i] = w.list(fmt.Sprint("dev", i), 1)
		w.members(ids[i], 100, 10)
	}
	p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
	for b.Loop() {
		b.StopTimer()
		w.exec(`TRUNCATE shard, fanout, fanout_share, shard_members, journal, report, delivery`)
		for _, id := range ids {
			w.post(id, testMessage)
		}
		b.StartTimer()
		for p.round(context.Background()) {
		}
	}
	b.ReportMetric(float64(lists*b.N)/b.Elapsed().Seconds(), "posts/s")
}

// BenchmarkDeliver measures a whole fan-out, from acceptance to the last reply, into a sink that
// throws everything away.
func BenchmarkDeliver(b *testing.B) {
	const members = 100_000
	for _, mode := range []struct {
		name string
		verp int
	}{{"batch", 0}, {"each", 1}} {
		b.Run(mode.name, func(b *testing.B) {
			w := newWorld(b)
			list := w.list("dev", mode.verp)
			w.members(list, members, 100)
			s := newSink(b)
			s.discard = true
			s.serve()
			c := w.config(s)
			c.Log, c.pace = nil, pace{}
			e, _ := w.start(c)
			text := strings.Replace(testMessage, "Hello.", strings.Repeat(strings.Repeat("x", 62)+"\r\n", 64), 1)
			want := int64(0)
			before := w.databaseWork()
			for b.Loop() {
				want += members
				w.post(list, text)
				e.Wake()
				for s.copies.Load() < want {
					time.Sleep(time.Millisecond)
				}
			}
			b.ReportMetric(float64(members*b.N)/b.Elapsed().Seconds(), "rcpts/s")
			after := w.databaseWork()
			b.ReportMetric(float64(after.commits-before.commits)*1000/float64(want), "commits/kcopy")
			b.ReportMetric(float64(after.wal-before.wal)*1000/float64(want), "walB/kcopy")
		})
	}
}

// work is what the database has done so far.
type work struct{ commits, wal int64 }

func (w *world) databaseWork() (done work) {
	w.row(`SELECT xact_commit, (pg_current_wal_lsn() - '0/0')::bigint FROM pg_stat_database WHERE datname = current_database()`).
		into(&done.commits, &done.wal)
	return done
}
