package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// againstMlmmj has mlmmj-receive, which a mail server would call, send a post: a hundred recipients a
// transaction, and, as it does by default, one each.
func (b *bench) againstMlmmj(ctx context.Context, far *counter) ([]row, error) {
	var rows []row
	for _, p := range []struct {
		peer
		verp bool
	}{
		{peer{name: "mlmmj, 100 a transaction", list: "bench1", aim: aimMlmmj, n: min(b.members, mlmmjBatches)}, false},
		{peer{name: "mlmmj, 1 a transaction", list: "bench2", aim: aimMlmmj, n: min(b.members, mlmmjSingles)}, true},
	} {
		dir, err := b.makeMlmmj(ctx, far, p.n, p.verp)
		if err != nil {
			return nil, err
		}
		p.post = func(ctx context.Context) error { return startMlmmj(ctx, dir) }
		r, err := b.against(ctx, far, p.peer)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// makeMlmmj makes a list and returns its directory.
func (b *bench) makeMlmmj(ctx context.Context, far *counter, n int, verp bool) (string, error) {
	spool, name := filepath.Join(b.work, "mlmmj"), fmt.Sprintf("list%d", n)
	dir := filepath.Join(spool, name)
	if err := os.MkdirAll(spool, 0o755); err != nil {
		return "", err
	}
	program, err := exec.LookPath("mlmmj-make-ml")
	if err != nil {
		return "", err
	}
	setUp := exec.CommandContext(ctx, program, "-L", name, "-s", spool)
	setUp.Stdin = strings.NewReader("lists.example\nowner@lists.example\nen\n")
	if out, err := setUp.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mlmmj-make-ml: %w: %s", err, out)
	}
	settings := map[string]string{"listaddress": "list@lists.example", "relayhost": "127.0.0.1", "smtpport": far.port()}
	if !verp { // an empty file: groups of recipients, with one envelope sender
		settings["verp"] = ""
	}
	for key, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, "control", key), []byte(value+"\n"), 0o644); err != nil {
			return "", err
		}
	}
	if !verp {
		if err := os.Truncate(filepath.Join(dir, "control", "verp"), 0); err != nil {
			return "", err
		}
	}
	if err := writeAddresses(filepath.Join(dir, "subscribers.d", "u"), n); err != nil {
		return "", err
	}
	return dir, giveTo(dir, nobody)
}

// startMlmmj hands a post to mlmmj, which has no moment of acceptance: it counts from here.
func startMlmmj(ctx context.Context, dir string) error {
	program, err := exec.LookPath("mlmmj-receive")
	if err != nil {
		return err
	}
	mail := append(header("list@lists.example"), bodyText()...)
	// A mail server in front of it adds these, and it silently drops what has them not.
	mail = append([]byte("Return-Path: <"+author+">\nDelivered-To: list@lists.example\n"), mail...)
	cmd := exec.CommandContext(ctx, program, "-F", "-L", dir)
	cmd.Stdin = bytes.NewReader(bytes.ReplaceAll(mail, []byte("\r\n"), []byte("\n")))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // it ends after its last copy, which is what is waited for
	return nil
}

// nobody is that user and group on Debian.
const nobody = 65534

// giveTo changes the owner of a directory and all in it.
func giveTo(dir string, id int) error {
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, id, id))
	})
}
