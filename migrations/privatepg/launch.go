package privatepg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// tick is how often a process is looked at that cannot be waited for, being no child of ours.
const tick = 20 * time.Millisecond

// child is a postmaster this process started.
type child struct {
	postmaster
	done chan struct{} // closed when it has ended and was waited for
}

// launch starts the server and waits until it answers. It reuses the socket's directory of a
// server that has died, if one is given, so that those who know it find the new one.
func (c *cluster) launch(ctx context.Context, socketDir string) (*child, string, error) {
	major, err := c.version()
	if err != nil {
		return nil, "", err
	}
	bin, err := Locate(ctx, major)
	if err != nil {
		return nil, "", err
	}
	a, err := c.account()
	if err != nil {
		return nil, "", err
	}
	if err := c.create(ctx, bin, a); err != nil {
		return nil, "", err
	}
	if err := errors.Join(c.admit(a), c.sweep(socketDir)); err != nil {
		return nil, "", err
	}
	if socketDir == "" {
		if socketDir, err = c.socketDir(a); err != nil {
			return nil, "", err
		}
	}
	for {
		child, err := c.spawn(bin, a, socketDir)
		if err != nil {
			return nil, "", err
		}
		if err = c.awaitAnswer(ctx, child, socketDir); err == nil {
			c.log.Info("started the private PostgreSQL", "dir", c.data, "version", bin.Major)
			return child, socketDir, nil
		}
		// The postmaster was killed and a backend of it is still at work. It will notice.
		if !errors.Is(err, errBackendsLeft) || !sleep(ctx, 10*tick) {
			return nil, "", err
		}
	}
}

func (c *cluster) startupLog() string { return filepath.Join(c.root, "log", "startup.log") }

func (c *cluster) spawn(bin Binaries, a Account, socketDir string) (*child, error) {
	in, err := openDoor(a, c.root)
	if err != nil {
		return nil, err
	}
	defer in.close()
	if socketDir == c.root {
		socketDir = in.path
	}
	log, err := os.OpenFile(c.startupLog(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"-D", filepath.Join(in.path, "data"), "-k", socketDir}
	for _, setting := range settings() {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(filepath.Join(bin.Dir, "postgres"), args...)
	cmd.Dir = "/"
	cmd.Env = Environment()
	cmd.SysProcAttr = a.Process()
	cmd.ExtraFiles = in.files()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("PostgreSQL as %s: %w", a.Name, err)
	}
	c.log.Debug("PostgreSQL started", "pid", cmd.Process.Pid, "args", cmd.Args)
	started := &child{postmaster: postmaster{pid: cmd.Process.Pid, socket: socketDir}, done: make(chan struct{})}
	go func() {
		defer close(started.done)
		cmd.Wait() // how it ended stands in its log, and every end but ours means the same
	}()
	return started, nil
}

var errBackendsLeft = errors.New("a process of an earlier server is still running")

// awaitAnswer waits for a server just started. After a crash it reads its journal first, which may
// take minutes: how long is for ctx to say.
func (c *cluster) awaitAnswer(ctx context.Context, started *child, socketDir string) error {
	for {
		if ok, _ := answers(ctx, socketDir); ok {
			return nil
		}
		select {
		case <-started.done:
			said, _ := os.ReadFile(c.startupLog())
			if bytes.Contains(said, []byte("pre-existing shared memory block")) {
				return fmt.Errorf("%w: %s", errBackendsLeft, bytes.TrimSpace(said))
			}
			return fmt.Errorf("PostgreSQL in %s did not start: %s", c.data, bytes.TrimSpace(said))
		case <-ctx.Done():
			// Left running it would be adopted, but nobody asked for it any more.
			return errors.Join(fmt.Errorf("PostgreSQL in %s: %w", c.data, ctx.Err()), c.quit(started))
		case <-time.After(tick):
		}
	}
}

// quit ends a child that is not wanted any more.
func (c *cluster) quit(started *child) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return c.stop(ctx, started)
}
