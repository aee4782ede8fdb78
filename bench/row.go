package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"text/tabwriter"
)

// row is a line of the table. Ratio and aim are turned so that ratio >= aim is good, also where
// less is better. Without an aim there is no yardstick either.
type row struct {
	Row       string  `json:"row"`
	Figure    float64 `json:"figure"`
	Yardstick float64 `json:"yardstick"`
	Ratio     float64 `json:"ratio"`
	Aim       float64 `json:"aim"`
}

// comparison is a row to be measured: two rates, more of which is better.
type comparison struct {
	name   string
	aim    float64
	ours   func(ctx context.Context) (float64, error)
	theirs func(ctx context.Context) (float64, error)
}

// compare takes both in turns, so that what else the machine is doing falls on both alike. The
// ratio is the median of the pairs' ratios.
func (b *bench) compare(ctx context.Context, c comparison) (row, error) {
	var ours, theirs, ratios []float64
	for i := range b.runs {
		x, err := c.ours(ctx)
		if err != nil {
			return row{}, fmt.Errorf("%s: %w", c.name, err)
		}
		y, err := c.theirs(ctx)
		if err != nil {
			return row{}, fmt.Errorf("%s: yardstick: %w", c.name, err)
		}
		b.say("%s: %d of %d: %.0f against %.0f", c.name, i+1, b.runs, x, y)
		ours, theirs, ratios = append(ours, x), append(theirs, y), append(ratios, x/y)
	}
	return row{c.name, round(median(ours)), round(median(theirs)), round(median(ratios)), c.aim}, nil
}

// limitRow holds what is better when it is less, a peak of memory or a time, against a limit.
func limitRow(name string, figure, limit float64) row {
	return row{name, round(figure), round(limit), round(limit / figure), 1}
}

// figureRow is for what is to be known and has nothing to be held against.
func figureRow(name string, figure float64) row { return row{Row: name, Figure: round(figure)} }

// round drops the digits that mean nothing.
func round(f float64) float64 { return math.Round(f*1000) / 1000 }

// median is the one in the middle, or the mean of the two there.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// printTable writes the rows as a table that Markdown takes as well.
func printTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| row\t| figure\t| yardstick\t| ratio\t| aim\t|\n|---\t|---\t|---\t|---\t|---\t|\n")
	for _, r := range rows {
		if r.Aim == 0 {
			fmt.Fprintf(t, "| %s\t| %s\t|\t|\t|\t|\n", r.Row, number(r.Figure))
			continue
		}
		fmt.Fprintf(t, "| %s\t| %s\t| %s\t| %.2f\t| %.2f\t|\n", r.Row, number(r.Figure), number(r.Yardstick), r.Ratio, r.Aim)
	}
	return t.Flush()
}

// number is f with as many digits as mean something.
func number(f float64) string {
	if f < 100 {
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

// writeResults writes the rows for programs.
func writeResults(path string, rows []row) error {
	text, err := json.MarshalIndent(rows, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
