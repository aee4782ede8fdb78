package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// scripted is the far end of a script: it refuses whom the script says.
type scripted struct {
	*farEnd

	mu      sync.Mutex
	refused map[string]smtp.Reply
	stalled map[string]bool
	dawdles time.Duration // after each message, before its answer
}

type scriptedSession struct {
	*farSession
	far *scripted
}

// NewSession is smtpserver.Backend.
func (f *scripted) NewSession(context.Context, *smtpserver.Client) (smtpserver.Session, error) {
	return scriptedSession{&farSession{far: f.farEnd}, f}, nil
}

func (s scriptedSession) Rcpt(ctx context.Context, to smtp.Address, p smtpserver.RcptParams) error {
	s.far.mu.Lock()
	reply, refused := s.far.refused[to.String()]
	stalled := s.far.stalled[to.String()]
	s.far.mu.Unlock()
	if refused {
		return &reply
	}
	if stalled {
		<-ctx.Done() // the session's end
	}
	return s.farSession.Rcpt(ctx, to, p)
}

// Data takes the message, and then its time to say so.
func (s scriptedSession) Data(ctx context.Context, m *smtpserver.Message) error {
	err := s.farSession.Data(ctx, m)
	s.far.mu.Lock()
	dawdles := s.far.dawdles
	s.far.mu.Unlock()
	select {
	case <-time.After(dawdles):
	case <-ctx.Done():
	}
	return err
}

type farKey struct{}

type valuesKey struct{}

// scriptValues are what the commands of one script share.
func scriptValues(ts *testscript.TestScript) map[any]any {
	return ts.Value(valuesKey{}).(map[any]any)
}

// scriptFarEnd is the script's far end, started when it is first asked for.
func scriptFarEnd(ts *testscript.TestScript) *scripted {
	if f, ok := scriptValues(ts)[farKey{}].(*scripted); ok {
		return f
	}
	f := &scripted{refused: map[string]smtp.Reply{}, stalled: map[string]bool{}}
	far, err := newFarEnd(slog.New(slog.DiscardHandler), f)
	ts.Check(err)
	f.farEnd = far
	far.start()
	ts.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := far.stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) { // which cuts off those it stalls
			ts.Fatalf("%v", err)
		}
	})
	scriptValues(ts)[farKey{}] = f
	return f
}

// scriptRefuse has the far end refuse a recipient: "refuse ADDRESS CODE ENHANCED TEXT".
func scriptRefuse(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 4 {
		ts.Fatalf("usage: refuse ADDRESS CODE ENHANCED TEXT")
	}
	reply, err := parseReply(args[1:])
	ts.Check(err)
	f := scriptFarEnd(ts)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[args[0]] = reply
}

// scriptStall has the far end never answer for a recipient: "stall ADDRESS".
func scriptStall(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: stall ADDRESS")
	}
	f := scriptFarEnd(ts)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stalled[args[0]] = true
}

// scriptDawdle has the far end take its time to answer for each message it took: "dawdle 1s".
func scriptDawdle(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: dawdle DURATION")
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	f := scriptFarEnd(ts)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dawdles = d
}

// scriptOnce waits until copies for so many recipients have arrived, and wants none to have two:
// "once N".
func scriptOnce(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: once N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	got := map[string]int{}
	complete := scriptFarEnd(ts).until(ctx, func(all []arrival) bool {
		clear(got)
		for _, a := range all {
			got[a.to]++
		}
		return len(got) >= want
	})
	if !complete {
		ts.Fatalf("copies for %d arrived, not %d", len(got), want)
	}
	for to, n := range got {
		if n != 1 {
			ts.Fatalf("%d copies arrived for %s", n, to)
		}
	}
}

func parseReply(args []string) (smtp.Reply, error) {
	var e smtp.Enhanced
	code, err := strconv.Atoi(args[0])
	if err == nil {
		_, err = fmt.Sscanf(args[1], "%d.%d.%d", &e[0], &e[1], &e[2])
	}
	return *smtp.NewReply(code, e, args[2]), err
}

// scriptArrived waits until a copy for each recipient that matches a pattern of the whole message
// has arrived, once: "arrived PATTERN ADDRESS…". They are written to the file arrived.
func scriptArrived(ts *testscript.TestScript, negated bool, args []string) {
	if len(args) < 1 || negated && len(args) != 1 {
		ts.Fatalf("usage: arrived PATTERN ADDRESS…, or ! arrived PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	want := map[string]int{}
	for _, to := range args[1:] {
		want[to] = 1
	}
	var got map[string]int
	var copies bytes.Buffer
	complete := scriptFarEnd(ts).until(ctx, func(all []arrival) bool {
		got = map[string]int{}
		copies.Reset()
		for _, a := range all {
			if message := strings.ReplaceAll(string(a.message), "\r\n", "\n"); pattern.MatchString(message) {
				got[a.to]++
				fmt.Fprintf(&copies, "MAIL FROM:<%s>\nRCPT TO:<%s>\n\n%s\n", a.from, a.to, message)
			}
		}
		return negated || len(got) >= len(want)
	})
	if !complete || fmt.Sprint(got) != fmt.Sprint(want) {
		ts.Fatalf("%s arrived for %v, wanted %v", args[0], got, want)
	}
	ts.Check(os.WriteFile(ts.MkAbs("arrived"), copies.Bytes(), 0o600))
}
