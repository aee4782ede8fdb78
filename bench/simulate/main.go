// Simulate prints what sites of ten, a hundred and a thousand million copies a day need, reckoned
// from bench/scaling.json. With -write it brings docs/scaling.md and its pictures up to date.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"muster/bench/capacity"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	from := flags.String("from", "bench/scaling.json", "what was measured")
	write := flags.String("write", "", "the directory of documents to bring up to date (docs), in place of printing")
	seed := flags.Uint64("seed", capacity.Seed, "of the days that are drawn; another one shows what is chance")
	if err := flags.Parse(args); err != nil {
		return err
	}
	m, err := capacity.Read(*from)
	if err != nil {
		return err
	}
	if *write != "" {
		return capacity.Publish(m, *write)
	}
	plans, err := capacity.Plans(m, *seed)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, capacity.PlanText(plans))
	return err
}
