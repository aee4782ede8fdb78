package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// measureAccept has clients post to a list, against pgbench inserting the same bytes in one row
// each. Only the role smtp runs, as nothing but the accepting is asked for.
func (b *bench) measureAccept(ctx context.Context) ([]row, error) {
	if err := b.serveAccepting(ctx); err != nil {
		return nil, err
	}
	body := bodyText()
	script, err := b.writeInsert(append(header(listAddress("accept")), body...))
	if err != nil {
		return nil, err
	}
	if err := resetPeak(b.muster.pid()); err != nil {
		return nil, err
	}
	rate, err := b.compare(ctx, comparison{
		name:   fmt.Sprintf("accepted posts with %d clients, posts/s", connections),
		aim:    aimAccept,
		ours:   func(ctx context.Context) (float64, error) { return b.accept(ctx, body) },
		theirs: func(ctx context.Context) (float64, error) { return b.insertAll(ctx, script) },
	})
	if err != nil {
		return nil, err
	}
	peak, err := peakMB(b.muster.pid())
	if err != nil {
		return nil, err
	}
	return []row{rate, limitRow("accept: peak memory of serve, MB", peak, limitMB)}, nil
}

// serveAccepting starts Muster with the role smtp alone, and sees to the list that is posted to.
func (b *bench) serveAccepting(ctx context.Context) error {
	b.muster.stop()
	if _, err := b.store.listID(ctx, "accept"); errors.Is(err, pgx.ErrNoRows) {
		if err := b.muster.run(ctx, "list", "create", listAddress("accept"), "--name", "accept", "--owner", author); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := b.muster.run(ctx, "list", "set", listAddress("accept"), "post_policy=anyone"); err != nil {
		return err
	}
	return b.muster.serve(ctx, "smtp")
}

// accept posts from all clients at once and returns the posts a second.
func (b *bench) accept(ctx context.Context, body []byte) (float64, error) {
	if err := b.store.settle(ctx); err != nil {
		return 0, err
	}
	list, err := b.store.listID(ctx, "accept")
	if err != nil {
		return 0, err
	}
	before, err := b.store.countPosts(ctx, list)
	if err != nil {
		return 0, err
	}
	each := b.posts / connections
	took, err := postAll(ctx, b.muster.smtp, each, body)
	if err != nil {
		return 0, err
	}
	after, err := b.store.countPosts(ctx, list)
	if err != nil {
		return 0, err
	}
	if after-before != each*connections {
		return 0, fmt.Errorf("%d posts were answered 250, %d are there", each*connections, after-before)
	}
	return float64(each*connections) / took.Seconds(), nil
}

// postAll has all clients post to a server, each so many messages, and returns how long that took.
func postAll(ctx context.Context, addr string, each int, body []byte) (time.Duration, error) {
	start := time.Now()
	g, posting := errgroup.WithContext(ctx)
	for range connections {
		g.Go(func() error {
			p, err := newPoster(posting, addr, listAddress("accept"), body)
			if err != nil {
				return err
			}
			return p.post(each)
		})
	}
	err := g.Wait()
	return time.Since(start), err
}

func (b *bench) insertAll(ctx context.Context, script string) (float64, error) {
	if err := b.store.settle(ctx); err != nil {
		return 0, err
	}
	return b.store.insert(ctx, script, b.posts)
}

// writeInsert makes pgbench's script.
func (b *bench) writeInsert(mail []byte) (string, error) {
	var sql bytes.Buffer
	fmt.Fprintf(&sql, "INSERT INTO bench.accept (list, bytes) VALUES (1, '\\x%x');\n", mail)
	path := filepath.Join(b.work, "insert.sql")
	return path, os.WriteFile(path, sql.Bytes(), 0o644)
}
