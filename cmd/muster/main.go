package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	var floor []byte
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		floor = make([]byte, heapFloor)
	}
	code := withSignals()
	runtime.KeepAlive(floor)
	os.Exit(code)
}

// heapFloor is memory that is never touched, and so none of the machine's. The collector lets the heap double
// before it looks at it again: of that there is little here, ten megabytes or so, and a fifth of the processor
// time of taking posts in was the collector's. With the floor it looks again after so much more, whereas
// a larger GOGC would let the heap of a great fan-out grow many times. Who sets either of Go's own knows better.
const heapFloor = 32 << 20

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
