package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"muster/migrations/testdb"
)

// TestScripts runs testdata/script: each is a directory of its own, a database of its own, and the
// commands of a shell session.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":      scriptStatus,
			"eventually":  scriptEventually,
			"serve":       scriptServe,
			"halt":        scriptHalt,
			"signal":      scriptSignal,
			"abort":       scriptAbort,
			"certificate": scriptCertificate,
			"starttls":    scriptStartTLS,
			"smtp":        scriptSMTP,
			"refuse":      scriptRefuse,
			"stall":       scriptStall,
			"arrived":     scriptArrived,
			"dawdle":      scriptDawdle,
			"once":        scriptOnce,
			"dangle":      scriptDangle,
			"nameserver":  scriptNameserver,
		},
		Setup: func(env *testscript.Env) error {
			env.Values[valuesKey{}] = map[any]any{}
			env.Setenv("MUSTER_DATABASE_URL", testdb.URL(t))
			// Whatever the machine has in /etc/muster is not for tests.
			file := filepath.Join(env.WorkDir, ".muster.toml")
			env.Setenv("MUSTER_CONFIG", file)
			return os.WriteFile(file, nil, 0o600)
		},
	})
}

// scriptEventually runs a command again and again until what it prints matches a pattern, for what
// muster serve does meanwhile: "eventually PATTERN command [argument…]".
func scriptEventually(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN command [argument…]")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(scriptPatience); ; time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it never says %s", args[0])
		}
	}
}

// scriptStatus runs a command and wants its exit status: "status 2 muster list show".
func scriptStatus(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: status N command [argument…]")
	}
	status := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		status = exit.ExitCode()
	}
	if want := args[0]; strconv.Itoa(status) != want {
		ts.Fatalf("status %d, not %s", status, want)
	}
}
