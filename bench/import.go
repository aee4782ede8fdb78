package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// measureImport fills a list in each run with "muster member import", against psql copying the same
// rows into a table with the same columns and indexes. The first two lists are what
// the other rows use.
func (b *bench) measureImport(ctx context.Context) ([]row, error) {
	file, err := b.writeMembers(b.members)
	if err != nil {
		return nil, err
	}
	rows, peak, n := filepath.Join(b.work, "rows.tsv"), 0.0, 0
	rate, err := b.compare(ctx, comparison{
		name: fmt.Sprintf("import of %d members, members/s", b.members),
		aim:  aimImport,
		ours: func(ctx context.Context) (float64, error) {
			n++
			took, mb, err := b.importList(ctx, fmt.Sprintf("bench%d", n), file)
			peak = max(peak, mb)
			return float64(b.members) / took.Seconds(), err
		},
		theirs: func(ctx context.Context) (float64, error) { return b.bareImport(ctx, "bench1", rows) },
	})
	if err != nil {
		return nil, err
	}
	million, err := b.measureMillionImport(ctx, rows)
	return []row{rate, limitRow("import: peak memory, MB", peak, limitMB), million}, err
}

// measureMillionImport is one pair for the large list, which others use too.
func (b *bench) measureMillionImport(ctx context.Context, rows string) (row, error) {
	large := *b
	large.members, large.runs = b.million, 1
	return large.compare(ctx, comparison{
		name: fmt.Sprintf("import of %d members, members/s", b.million),
		aim:  aimImport,
		ours: func(ctx context.Context) (float64, error) {
			took, err := large.importMillion(ctx)
			return float64(b.million) / took.Seconds(), err
		},
		theirs: func(ctx context.Context) (float64, error) { return large.bareImport(ctx, "million", rows) },
	})
}

// importLists makes the lists of the other rows without measuring.
func (b *bench) importLists(ctx context.Context) error {
	file, err := b.writeMembers(b.members)
	for n := 1; n <= 2 && err == nil; n++ {
		_, _, err = b.importList(ctx, fmt.Sprintf("bench%d", n), file)
	}
	return err
}

// haveMillion makes the large list, unless an earlier row has.
func (b *bench) haveMillion(ctx context.Context) error {
	_, err := b.store.listID(ctx, "million")
	if errors.Is(err, pgx.ErrNoRows) {
		_, err = b.importMillion(ctx)
	}
	return err
}

func (b *bench) importMillion(ctx context.Context) (took time.Duration, err error) {
	file, err := b.writeMembers(b.million)
	if err != nil {
		return 0, err
	}
	took, _, err = b.importList(ctx, "million", file)
	return took, err
}

// importList makes a list that everybody may post to and imports a file into it.
func (b *bench) importList(ctx context.Context, name, file string) (took time.Duration, mb float64, err error) {
	if err = b.muster.run(ctx, "list", "create", listAddress(name), "--name", name, "--owner", author); err != nil {
		return 0, 0, err
	}
	if err = b.muster.run(ctx, "list", "set", listAddress(name), "post_policy=anyone"); err != nil {
		return 0, 0, err
	}
	if err = b.store.settle(ctx); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	mb, err = b.muster.runPeak(ctx, "member", "import", listAddress(name), file)
	return time.Since(start), mb, err
}

// bareImport copies the rows of a list.
func (b *bench) bareImport(ctx context.Context, list, rows string) (float64, error) {
	id, err := b.store.listID(ctx, list)
	if err != nil {
		return 0, err
	}
	if err := b.store.dumpMembers(ctx, id, rows); err != nil {
		return 0, err
	}
	if err := b.store.settle(ctx); err != nil {
		return 0, err
	}
	took, err := b.store.bareCopy(ctx, rows)
	return float64(b.members) / took.Seconds(), err
}
