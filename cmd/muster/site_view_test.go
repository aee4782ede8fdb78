package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"muster/fanout"
	"muster/lists"
	"muster/smtp"
)

// converseWith sends lines to a node, each after the answer to the one before, and returns the last answer.
func converseWith(t *testing.T, n *node, lines ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", n.smtpAddress())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	size := 0
	for _, line := range append([]string{""}, lines...) {
		if line != "" {
			if _, err := conn.Write([]byte(line + "\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		if size, err = conn.Read(answer); err != nil {
			t.Fatal(err)
		}
	}
	return string(answer[:size])
}

// What the site does to a post and to all mail, on a whole node; and what waits then keeps new posts
// out where no more may wait.
func TestSiteHoldsAndDropsMail(t *testing.T) {
	t.Parallel()
	n := serveNode(t, "127.0.0.1/32", "MUSTER_MAX_BACKLOG=1")
	dev, err := n.lists.CreateList(t.Context(), lists.CLI(), lists.NewList{Address: smtp.Address{Local: "dev", Domain: "lists.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, local := range []string{"ann", "bob"} {
		who := lists.NewMember{Mailbox: smtp.Mailbox{Address: smtp.Address{Local: local, Domain: "b.example"}}}
		if _, err := n.lists.AddMember(t.Context(), lists.CLI(), dev.ID, who); err != nil {
			t.Fatal(err)
		}
	}
	v := siteView{fanout.New(n.db.Pool, fanout.Config{MaxBacklog: 1})}
	for range 2 { // the second time it is so already
		if err := v.HoldAll(t.Context(), "ann@b.example"); err != nil {
			t.Fatal(err)
		}
	}
	if held, err := v.AllHeld(t.Context()); err != nil || !held {
		t.Errorf("all held %t, %v", held, err)
	}
	envelope := []string{"HELO b.example", "MAIL FROM:<ann@b.example>", "RCPT TO:<dev@lists.example>"}
	if said := converseWith(t, n, append(envelope, "DATA", "From: ann@b.example\r\nSubject: Hello\r\n\r\nAll of you.\r\n.")...); !strings.HasPrefix(said, "250 ") {
		t.Fatal(said)
	}
	posts, err := n.lists.Posts(t.Context(), lists.CLI(), dev.ID, lists.PostQuery{})
	if err != nil || len(posts.Posts) != 1 {
		t.Fatalf("%+v, %v", posts, err)
	}
	post := posts.Posts[0].ID
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, page := getMetrics(t, n, ""); strings.Contains(page, "\nmuster_queue_full 1") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("two copies wait where one may, and the node does not say so")
		}
	}
	if said := converseWith(t, n, append([]string{"EHLO b.example"}, envelope[1:]...)...); !strings.HasPrefix(said, "451 4.3.1 Too much mail waits") {
		t.Error(said)
	}
	if said := converseWith(t, n, "HELO b.example", "MAIL FROM:<ann@b.example>", "RCPT TO:<dev-leave@lists.example>"); !strings.HasPrefix(said, "250 ") {
		t.Errorf("who wants to leave is told %s", said)
	}
	for range 2 {
		if err := v.Pause(t.Context(), post, "ann@b.example"); err != nil {
			t.Error(err)
		}
	}
	if f, err := v.Progress(t.Context(), post); err != nil || !f.Paused || f.Stopped || !f.Held || f.Waiting != 2 || f.Done() {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := n.db.Pool.Exec(t.Context(), `UPDATE hold SET actor = 'muster' WHERE post = $1`, post); err != nil {
		t.Fatal(err)
	}
	if f, err := v.Progress(t.Context(), post); err != nil || !f.Stopped {
		t.Errorf("a post that was stopped: %+v, %v", f, err)
	}
	if b, err := v.Queue(t.Context()); err != nil || b.Most != 1 || b.Held != 2 || len(b.Holds) != 2 || !b.Holds[0].All() || b.Holds[1].Post != "Hello" {
		t.Errorf("%+v, %v", b, err)
	}
	for range 2 {
		if err := v.Resume(t.Context(), post, "ann@b.example"); err != nil {
			t.Error(err)
		}
	}
	if err := v.Cancel(t.Context(), post, "ann@b.example"); err != nil {
		t.Error(err)
	}
	if f, err := v.Progress(t.Context(), post); err != nil || f.Paused || !f.Cancelled || !f.Done() || f.Copies != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	for range 2 {
		if err := v.ReleaseAll(t.Context(), "ann@b.example"); err != nil {
			t.Error(err)
		}
	}
}
