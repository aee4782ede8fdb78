package smtp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestReplyAppend(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 600)
	for _, tt := range []struct {
		reply    Reply
		enhanced bool
		want     string
	}{
		{Reply{250, StatusAddressOK, []string{"ok"}}, true, "250 2.1.5 ok\r\n"},
		{Reply{250, StatusAddressOK, []string{"ok"}}, false, "250 ok\r\n"},
		{Reply{250, Enhanced{}, []string{"ok"}}, true, "250 2.0.0 ok\r\n"},
		{Reply{354, Enhanced{}, []string{"go"}}, true, "354 go\r\n"},
		{Reply{553, Enhanced{5, 1, 4}, []string{"a", "b"}}, true, "553-5.1.4 a\r\n553 5.1.4 b\r\n"},
		{Reply{250, Enhanced{}, nil}, false, "250 \r\n"},
		{Reply{550, Enhanced{}, []string{"a\r\n250 b\x00\u0085"}}, false, "550 a  250 b  \r\n"},
		{Reply{550, StatusDenied, []string{long}}, true, "550 5.7.1 " + long[:500] + "\r\n"},
		{Reply{550, Enhanced{}, []string{long[:505] + "\u00fcx"}}, false, "550 " + long[:505] + "\r\n"},
	} {
		if got := string(tt.reply.Append(nil, tt.enhanced)); got != tt.want {
			t.Errorf("%v: got %q", tt.reply, got)
		}
	}
}

func TestReplyIsError(t *testing.T) {
	t.Parallel()
	var reply *Reply
	err := fmt.Errorf("list x: %w", NewReply(451, StatusLater, "later"))
	if !errors.As(err, &reply) || !reply.Temporary() || reply.Positive() || reply.Error() != "451 4.3.0 later" {
		t.Errorf("got %v", reply)
	}
	plain := Reply{Code: 250, Lines: []string{"a", "b"}}
	if !plain.Positive() || plain.Temporary() || plain.Error() != "250 a b" {
		t.Errorf("got %v", plain.Error())
	}
}

func TestReplyAllocatesNothing(t *testing.T) {
	reply := NewReply(250, StatusAddressOK, "Recipient ok")
	b := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { b = reply.Append(b[:0], true) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
