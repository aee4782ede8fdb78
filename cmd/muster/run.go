package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"muster/cmd/muster/config"
)

// app is one call of muster: its surroundings, and the flags that every command takes.
type app struct {
	env    []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	configFile string
	json       bool
}

// run is the whole program. Errors come back to be reported once, by report.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) error {
	a := &app{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// Exit statuses.
const (
	statusDone   = 0
	statusFailed = 1
	statusUsage  = 2
)

// usageError is a mistake in the command line or the configuration.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// report says what went wrong, if anything did, and returns the exit status.
func report(err error, stderr io.Writer) int {
	if err == nil {
		return statusDone
	}
	if errors.Is(err, syscall.EPIPE) {
		return statusFailed // nobody listens any more
	}
	fmt.Fprintf(stderr, "muster: %v\n", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return statusUsage
	}
	return statusFailed
}

// settings reads the configuration, with the flags of cmd over everything.
func (a *app) settings(cmd *cobra.Command) (*config.Config, error) {
	c, err := config.Load(config.Sources{File: a.configFile, Environ: a.env, Flags: cmd.Flags()})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// flagError names the flag that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if like := config.Nearest(unknown.GetSpecifiedName(), known); like != "" {
		return usagef("%w; did you mean --%s?", err, like)
	}
	return usagef("%w; see %s --help", err, cmd.CommandPath())
}
