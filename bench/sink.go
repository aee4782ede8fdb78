package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"muster/smtp/smtpclient"
)

// connections is what Muster opens to a destination by default, and smtp-source and the clients
// of the accept row are given.
const connections = 20

// sink is a running smtp-sink: it takes everything and keeps nothing.
type sink struct {
	addr    string
	process *exec.Cmd
}

func startSink(ctx context.Context) (*sink, error) {
	path, err := find("smtp-sink")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	args := []string{addr, "1024"}
	if os.Geteuid() == 0 { // it will not run as root
		args = append([]string{"-u", "nobody"}, args...)
	}
	s := &sink{addr: addr, process: exec.CommandContext(context.WithoutCancel(ctx), path, args...)}
	s.process.Stderr = os.Stderr
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	if err := s.await(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *sink) await(ctx context.Context) error {
	var err error
	for range 100 {
		var c *smtpclient.Conn
		if c, err = smtpclient.Dial(ctx, s.addr, smtpclient.Options{TLS: smtpclient.TLSNone}); err == nil {
			c.Quit()
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("smtp-sink does not answer: %w", err)
}

func (s *sink) stop() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// feed lets smtp-source send to the sink over kept connections, and returns recipients a second.
func (b *bench) feed(ctx context.Context, recipients, perTransaction int) (float64, error) {
	args := []string{"-d", "-s", strconv.Itoa(connections), "-m", strconv.Itoa(recipients / perTransaction),
		"-r", strconv.Itoa(perTransaction), "-l", strconv.Itoa(bodySize), "-f", author, "-t", "user@d01.example", b.sink.addr}
	cmd := exec.CommandContext(ctx, b.source, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("smtp-source: %w: %s", err, out)
	}
	return float64(recipients) / time.Since(start).Seconds(), nil
}
