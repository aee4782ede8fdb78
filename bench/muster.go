package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"muster/smtp/smtpclient"
)

// muster is the binary that is measured, and the process that serves.
type muster struct {
	binary string
	dir    string
	relay  string
	// database is the URL of one that is shared, "" for the private one; settings are flags of serve
	// beside the usual.
	database string
	settings []string

	smtp    string // where it listens
	process *exec.Cmd
	ended   chan error
}

// command is the binary on the data directory of this run.
func (m *muster) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(args, "--data-dir", filepath.Join(m.dir, "data"))
	if m.database != "" {
		args = append(args, "--database-url", m.database)
	}
	return exec.CommandContext(ctx, m.binary, args...)
}

// run runs a command to its end.
func (m *muster) run(ctx context.Context, args ...string) error {
	_, err := m.runPeak(ctx, args...)
	return err
}

// runPeak runs a command to its end and says how much memory it had at most, in MB.
func (m *muster) runPeak(ctx context.Context, args ...string) (float64, error) {
	var out bytes.Buffer
	cmd := m.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	peak := watchPeak(cmd.Process.Pid)
	err := cmd.Wait()
	mb := peak()
	if err != nil {
		return 0, fmt.Errorf("muster %s: %w: %s", args[0], err, bytes.TrimSpace(out.Bytes()))
	}
	return mb, nil
}

// serve starts the server with the given roles and waits until it answers.
func (m *muster) serve(ctx context.Context, roles string) error {
	smtp, err := freeAddr()
	if err != nil {
		return err
	}
	http, err := freeAddr()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(m.dir, "muster.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	args := append([]string{"serve", "--hostname", "lists.example", "--smtp-listen", smtp,
		"--http-listen", http, "--base-url", "http://" + http, "--roles", roles}, m.settings...)
	if m.relay != "" {
		args = append(args, "--relay", "smtp://"+m.relay)
	}
	cmd := m.command(context.WithoutCancel(ctx), args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	m.smtp, m.process, m.ended = smtp, cmd, make(chan error, 1)
	go func() { m.ended <- cmd.Wait() }()
	return m.await(ctx)
}

// await asks until the server greets.
func (m *muster) await(ctx context.Context) error {
	deadline := time.Now().Add(time.Minute)
	for {
		c, err := smtpclient.Dial(ctx, m.smtp, smtpclient.Options{TLS: smtpclient.TLSNone})
		if err == nil {
			c.Quit()
			return nil
		}
		select {
		case err := <-m.ended:
			m.process = nil
			return fmt.Errorf("muster serve ended (see %s): %w", filepath.Join(m.dir, "muster.log"), err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("muster serve does not answer: %w", err)
		}
	}
}

// stop ends the server as its user would.
func (m *muster) stop() {
	if m.process == nil {
		return
	}
	_ = m.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.ended:
	case <-time.After(time.Minute):
		_ = m.process.Process.Kill()
		<-m.ended
	}
	m.process = nil
}

// pid is the serving process.
func (m *muster) pid() int { return m.process.Process.Pid }

// freeAddr is an address of loopback that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// find looks for a program in PATH and where Debian has what ordinary users do not call.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "var/peers/postfix/usr/sbin"} {
		if path, e := exec.LookPath(filepath.Join(dir, name)); e == nil {
			return filepath.Abs(path)
		}
	}
	return "", errors.Join(err, errors.New("it is in Debian's package postfix"))
}
