package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// serveAll starts the whole of Muster, unless an earlier row has.
func (b *bench) serveAll(ctx context.Context) error {
	if b.muster.process != nil {
		return nil
	}
	return b.muster.serve(ctx, "smtp,fanout,clock,admin")
}

// sendTo has the server that is started next send to a counter, and the one after back to smtp-sink.
func (b *bench) sendTo(far *counter) (back func()) {
	b.muster.stop()
	usual := b.muster.relay
	b.muster.relay = far.addr()
	return func() {
		b.muster.stop()
		b.muster.relay = usual
	}
}

// measureFanout posts to a list, against smtp-source feeding the same sink in the same shape.
func (b *bench) measureFanout(ctx context.Context) ([]row, error) {
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	batches, err := b.measureShape(ctx, shape{"bench1", "false", 100, aimBatches, walBatches})
	if err != nil {
		return nil, err
	}
	single, err := b.measureShape(ctx, shape{"bench2", "true", 1, aimSingle, walSingle})
	return append(batches, single...), err
}

// shape is how the copies of a post go out.
type shape struct {
	list           string
	verp           string
	perTransaction int
	aim            float64
	wal            float64 // limit, kB a thousand copies
}

func (b *bench) measureShape(ctx context.Context, s shape) ([]row, error) {
	if err := b.muster.run(ctx, "list", "set", listAddress(s.list), "verp="+s.verp); err != nil {
		return nil, err
	}
	if err := resetPeak(b.muster.pid()); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("fan-out to %d members, %d a transaction", b.members, s.perTransaction)
	var transactions, wal []float64
	rate, err := b.compare(ctx, comparison{
		name: name + ", copies/s",
		aim:  s.aim,
		ours: func(ctx context.Context) (float64, error) {
			rate, cost, err := b.fanOutCost(ctx, s.list)
			thousands := float64(b.members) / 1000
			transactions = append(transactions, float64(cost.Transactions)/thousands)
			wal = append(wal, float64(cost.WAL)/1000/thousands)
			return rate, err
		},
		theirs: func(ctx context.Context) (float64, error) { return b.feed(ctx, b.members, s.perTransaction) },
	})
	if err != nil {
		return nil, err
	}
	peak, err := peakMB(b.muster.pid())
	if err != nil {
		return nil, err
	}
	return []row{
		rate,
		limitRow(name+": WAL of a thousand copies, kB", median(wal), s.wal),
		figureRow(name+": writing transactions of a thousand copies", median(transactions)),
		limitRow(name+": peak memory of serve, MB", peak, limitMB),
	}, nil
}

// fanOut posts once and returns the copies a second from the 250 until every answer is committed.
func (b *bench) fanOut(ctx context.Context, list string) (float64, error) {
	rate, _, err := b.fanOutCost(ctx, list)
	return rate, err
}

// fanOutCost is fanOut that says what the database did for it, the post's acceptance included.
func (b *bench) fanOutCost(ctx context.Context, list string) (rate float64, cost work, err error) {
	if err := b.store.settle(ctx); err != nil {
		return 0, cost, err
	}
	before, err := b.store.work(ctx)
	if err != nil {
		return 0, cost, err
	}
	accepted, err := b.postOnce(ctx, list)
	if err != nil {
		return 0, cost, err
	}
	rate = float64(b.members) / time.Since(accepted).Seconds()
	after, err := b.store.work(ctx)
	return rate, work{after.Transactions - before.Transactions, after.WAL - before.WAL}, err
}

// postOnce posts, says when that was accepted, and returns when every answer is committed.
func (b *bench) postOnce(ctx context.Context, list string) (accepted time.Time, err error) {
	id, err := b.store.listID(ctx, list)
	if err != nil {
		return time.Time{}, err
	}
	before, err := b.store.fanout(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	p, err := b.newPoster(ctx, listAddress(list), bodyText())
	if err != nil {
		return time.Time{}, err
	}
	if err := p.post(1); err != nil {
		return time.Time{}, err
	}
	sent, err := b.awaitFanout(ctx, id, before.ID)
	if err == nil && sent != int64(b.members) {
		err = fmt.Errorf("%d of %d copies were delivered", sent, b.members)
	}
	return p.accepted, err
}

// awaitFanout waits for the end of a fan-out younger than the one before.
func (b *bench) awaitFanout(ctx context.Context, list, before int64) (sent int64, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(10 * time.Minute)
	for time.Now().Before(deadline) {
		p, err := b.store.fanout(ctx, list)
		if err != nil {
			return 0, err
		}
		if p.ID > before && p.Done {
			return p.Sent, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return 0, errors.New("the fan-out did not end in ten minutes")
}
