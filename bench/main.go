// Bench measures Muster against what the machine and other people's programs can do, in one run:
// each of Muster's figures is taken in turns with its yardstick, and it is their ratio that
// counts. README.md says what is compared with what, and why.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// config is the command line.
type config struct {
	binary  string // of Muster
	work    string
	out     string
	runs    int
	members int
	million int
	posts   int
	peers   bool
	only    string

	scaling     bool // measure what grows with what, in place of the rows
	window      time.Duration
	patience    time.Duration
	flowMembers int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, c, stdout)
	if err != nil {
		return err
	}
	defer b.close()
	if c.scaling {
		m, err := b.measureScaling(ctx)
		if err != nil {
			return err
		}
		return m.Write(c.out)
	}
	rows, err := b.measure(ctx)
	if err != nil {
		return err
	}
	if err := printTable(stdout, rows); err != nil {
		return err
	}
	return writeResults(c.out, rows)
}

func parse(args []string) (config, error) {
	var c config
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&c.binary, "muster", "./muster", "the binary to measure")
	flags.StringVar(&c.work, "work", "bench/work", "where the run keeps its database; emptied first. A disk, not a RAM disk")
	flags.StringVar(&c.out, "out", "", "where the results go (default bench/results.json, or bench/scaling.json)")
	flags.IntVar(&c.runs, "runs", 3, "pairs of a row")
	flags.IntVar(&c.members, "members", 100_000, "members of a list")
	flags.IntVar(&c.million, "million", 1_000_000, "members of the large list")
	flags.IntVar(&c.posts, "posts", 20_000, "posts of an accept run")
	flags.BoolVar(&c.peers, "peers", false, "also other list managers: needs root, Debian's postfix, mlmmj and mailman3")
	flags.StringVar(&c.only, "only", "", "a regular expression of the parts to measure: import, expn, fanout, million, beside, distant, first, dkim, accept, peers, queueing; of -scaling: idle, processes, connections, accepting, copies, deferred, pruned, signed")
	flags.BoolVar(&c.scaling, "scaling", false, "in place of the rows, what grows with lists, members, posts and nodes: see docs/scaling.md")
	flags.DurationVar(&c.window, "window", 4*time.Second, "of -scaling, how long each of its flows is watched")
	flags.DurationVar(&c.patience, "patience", 100*time.Second, "of -scaling, when a post is left unfinished: what was sent by then counts")
	flags.IntVar(&c.flowMembers, "flow", flowMembers, "of -scaling, members of each of the ten lists that its flows go to")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	switch {
	case c.out != "":
	case c.scaling:
		c.out = "bench/scaling.json"
	default:
		c.out = "bench/results.json"
	}
	if c.runs < 2 { // each of the first two makes a list that other rows use
		return c, fmt.Errorf("-runs %d: at least 2", c.runs)
	}
	if _, err := regexp.Compile(c.only); err != nil {
		return c, fmt.Errorf("-only: %w", err)
	}
	var err error
	for _, path := range []*string{&c.binary, &c.work, &c.out} {
		if *path, err = filepath.Abs(*path); err != nil {
			return c, err
		}
	}
	return c, nil
}

// bench is what the rows are measured with.
type bench struct {
	config
	only   *regexp.Regexp
	log    io.Writer
	store  *store
	source string // smtp-source
	sink   *sink
	muster *muster
}

// newBench empties the work directory, starts the database and the sink.
func newBench(ctx context.Context, c config, log io.Writer) (*bench, error) {
	b := &bench{config: c, only: regexp.MustCompile(c.only), log: log}
	if err := os.RemoveAll(c.work); err != nil {
		return nil, err
	}
	// PostgreSQL, which never runs as root, has to get through.
	if err := os.MkdirAll(c.work, 0o755); err != nil {
		return nil, err
	}
	if err := b.start(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) start(ctx context.Context) (err error) {
	if b.store, err = openStore(ctx, filepath.Join(b.work, "data")); err != nil {
		return err
	}
	b.muster = &muster{binary: b.binary, dir: b.work}
	if !b.scaling { // which has no yardsticks
		if b.source, err = find("smtp-source"); err != nil {
			return err
		}
		if b.sink, err = startSink(ctx); err != nil {
			return err
		}
		b.muster.relay = b.sink.addr
	}
	return b.muster.run(ctx, "migrate")
}

// close stops what start started.
func (b *bench) close() {
	if b.muster != nil {
		b.muster.stop()
	}
	if b.sink != nil {
		b.sink.stop()
	}
	if b.store != nil {
		b.store.close()
	}
}

// say tells whoever watches how far it has come.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// measure takes all rows, those first that make the lists the others need.
func (b *bench) measure(ctx context.Context) ([]row, error) {
	if err := b.store.prepareYardsticks(ctx); err != nil {
		return nil, fmt.Errorf("yardsticks: %w", err)
	}
	type part struct {
		name    string
		measure func(context.Context) ([]row, error)
		instead func(context.Context) error // where only others are asked for
	}
	parts := []part{
		{"import", b.measureImport, b.importLists},
		{"expn", b.measureExpn, nil},
		{"fanout", b.measureFanout, nil},
		{"million", b.measureMillion, nil},
		{"beside", b.measureBeside, nil},
		{"distant", b.measureDistant, nil},
		{"first", b.measureFirst, nil},
		{"dkim", b.measureDKIM, nil},
		{"accept", b.measureAccept, nil},
	}
	if b.peers {
		parts = append(parts, part{"peers", b.measurePeers, nil}, part{"queueing", b.queueing, nil})
	}
	var rows []row
	for _, p := range parts {
		if b.only.MatchString(p.name) {
			more, err := p.measure(ctx)
			if err != nil {
				return nil, err
			}
			rows = append(rows, more...)
		} else if p.instead != nil {
			if err := p.instead(ctx); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}
