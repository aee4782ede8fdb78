package fanout

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	none := smtp.Enhanced{}
	tests := []struct {
		name  string
		stage smtpclient.Stage
		code  int
		x     smtp.Enhanced
		want  verdict
		hard  bool
	}{
		{"taken", smtpclient.StageDot, 250, smtp.Enhanced{2, 0, 0}, delivered, false},
		{"mailbox busy", smtpclient.StageRcpt, 450, smtp.Enhanced{4, 2, 1}, retry, false},
		{"greylisted", smtpclient.StageRcpt, 451, smtp.Enhanced{4, 7, 1}, retry, false},
		{"closing", smtpclient.StageMail, 421, smtp.Enhanced{4, 3, 2}, retry, false},
		{"no such user", smtpclient.StageRcpt, 550, smtp.Enhanced{5, 1, 1}, bounce, true},
		{"no such user, without a status", smtpclient.StageRcpt, 550, none, bounce, true},
		{"disabled", smtpclient.StageRcpt, 550, smtp.Enhanced{5, 2, 1}, bounce, true},
		{"full", smtpclient.StageRcpt, 552, smtp.Enhanced{5, 2, 2}, bounce, false},
		{"552 that means 452", smtpclient.StageRcpt, 552, none, retry, false},
		{"null MX", smtpclient.StageRcpt, 550, smtp.Enhanced{5, 1, 10}, bounce, true},
		{"policy at RCPT", smtpclient.StageRcpt, 550, smtp.Enhanced{5, 7, 1}, bounce, false},
		{"sender refused", smtpclient.StageMail, 550, smtp.Enhanced{5, 1, 8}, bounce, false},
		{"content refused", smtpclient.StageDot, 554, smtp.Enhanced{5, 7, 1}, bounce, false},
		{"too big", smtpclient.StageMail, 552, smtp.Enhanced{5, 3, 4}, bounce, false},
		{"not welcome at all", smtpclient.StageGreeting, 554, none, retry, false},
		{"EHLO refused", smtpclient.StageHello, 550, none, retry, false},
		{"our password", smtpclient.StageMail, 530, smtp.Enhanced{5, 7, 0}, retry, false},
		{"our password at RCPT", smtpclient.StageRcpt, 535, smtp.Enhanced{5, 7, 8}, retry, false},
		{"nonsense", smtpclient.StageDot, 354, none, retry, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := smtp.NewReply(tt.code, tt.x, "text")
			got := judge(tt.stage, r)
			if got != tt.want {
				t.Errorf("verdict %d, want %d", got, tt.want)
			}
			if got == bounce && isHard(tt.stage, r) != tt.hard {
				t.Errorf("hard is %t", !tt.hard)
			}
		})
	}
	if judge(smtpclient.StageRcpt, nil) != delivered {
		t.Error("no refusal is a yes")
	}
}

func TestSlowDown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code int
		x    smtp.Enhanced
		want bool
	}{
		{421, smtp.Enhanced{}, true}, {451, smtp.Enhanced{4, 7, 0}, true}, {450, smtp.Enhanced{4, 2, 0}, false},
		{550, smtp.Enhanced{5, 7, 1}, false}, {250, smtp.Enhanced{2, 0, 0}, false},
	} {
		if got := slowDown(smtp.NewReply(tt.code, tt.x, "")); got != tt.want {
			t.Errorf("%d %v: %t", tt.code, tt.x, got)
		}
	}
	if slowDown(nil) {
		t.Error("no reply asks for nothing")
	}
}

func TestCleanReply(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "550 no such user", "550 no such user"},
		{"controls and breaks", "a\x00b\r\nc\td\x1b[31m", "ab  c d[31m"},
		{"not UTF-8", "caf\xe9", "caf?"},
		{"UTF-8", "café", "café"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clean(tt.in); got != tt.want {
				t.Errorf("%q", got)
			}
		})
	}
	long := clean(strings.Repeat("é", 5000))
	if len(long) > maxReply || !utf8.ValidString(long) || len(long) < maxReply-1 {
		t.Errorf("%d octets, valid %t", len(long), utf8.ValidString(long))
	}
}

func TestRetryWait(t *testing.T) {
	t.Parallel()
	for range 1000 {
		if w := retryWait(1); w < 5*time.Minute || w > 8*time.Minute {
			t.Fatalf("first wait %v", w)
		}
		if w := retryWait(50); w > 4*time.Hour || w < lastWait {
			t.Fatalf("late wait %v", w)
		}
	}
	for n := 1; n < 5; n++ {
		if 2*retryWait(n) < retryWait(n+1)/2 {
			t.Errorf("wait %d does not grow into wait %d", n, n+1)
		}
	}
	attempts, total := 0, time.Duration(0)
	for total < keepTrying {
		attempts++
		total += retryWait(attempts)
	}
	if attempts < 25 || attempts > 60 {
		t.Errorf("%d attempts in five days", attempts)
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	b := &batch{}
	yes := refusal{}
	full := refusal{smtpclient.StageRcpt, smtp.NewReply(452, smtp.Enhanced{4, 5, 3}, "too many recipients")}
	other := refusal{smtpclient.StageRcpt, smtp.NewReply(550, smtp.Enhanced{5, 1, 1}, "no such user")}
	for _, tt := range []struct {
		name    string
		refused []refusal
		n       int
		ok      bool
	}{
		{"all taken", []refusal{yes, yes}, 0, false},
		{"the rest is too many", []refusal{yes, other, full, full}, 2, true},
		{"one of many", []refusal{yes, full, yes}, 0, false},
		{"none taken", []refusal{full, full}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.refused = tt.refused
			if n, ok := b.overfull(); n != tt.n || ok != tt.ok {
				t.Errorf("%d, %t", n, ok)
			}
		})
	}
}
