package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	os.Exit(withSignals())
}

// garbage is how much the collector lets come together, in percent of what is in use: of that there
// is little here, ten megabytes or so, and with Go's own 100 a fifth of the processor time of taking
// posts in is the collector's.
const garbage = 200

// withSignals runs the command line until it is done or a first SIGINT or SIGTERM asks it to
// end. From then on signals act as they do by default, so that a second one ends the process at
// once.
func withSignals() int {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		<-asked
		signal.Stop(asked) // before anybody hears of the first, or a second might be swallowed
		end()
	}()
	// Who pipes into head must not leave a database running: a write that fails ends the command in
	// good order. Caught and not ignored, so that PostgreSQL does not inherit it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	return report(err, os.Stderr)
}
