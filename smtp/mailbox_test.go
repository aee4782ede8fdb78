package smtp

import (
	"errors"
	"strings"
	"testing"
)

func TestParseMailbox(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, name, address string }{
		{"a@b.example", "", "a@b.example"},
		{" <a@b.example> ", "", "a@b.example"},
		{"Fred Foo <fred@doc.example>", "Fred Foo", "fred@doc.example"},
		{`"Foo, Fred" <fred@doc.example>`, "Foo, Fred", "fred@doc.example"},
		{`"Fred \"F\" Foo" <fred@doc.example>`, `Fred "F" Foo`, "fred@doc.example"},
		{"Foo, Fred <fred@doc.example>", "Foo, Fred", "fred@doc.example"},
		{"J. Doe <j@doc.example>", "J. Doe", "j@doc.example"},
		{"fred@doc.example (Fred Foo)", "Fred Foo", "fred@doc.example"},
		{"=?utf-8?q?J=C3=BCrgen?= <j@doc.example>", "J\u00fcrgen", "j@doc.example"},
		{"=?utf-8?q?x=0D=0ABcc:_y?= <j@doc.example>", "x Bcc: y", "j@doc.example"},
		{"A\u202eB\tC <j@doc.example>", "AB C", "j@doc.example"},
		{`Fred <" x"@doc.example>`, "Fred", `" x"@doc.example`},
		{`" x"@doc.example (Fred)`, "Fred", `" x"@doc.example`},
		{`"\"fred\""@doc.example (Eve)`, "Eve", `"\"fred\""@doc.example`},
		{`"fred@doc.example"@evil.example (Eve)`, "Eve", `"fred@doc.example"@evil.example`},
	} {
		m, err := ParseMailbox(tt.in)
		if m.Name != tt.name || m.Address.Wire() != tt.address || err != nil {
			t.Errorf("%q: got %q <%s>, %v", tt.in, m.Name, m.Address, err)
		}
	}
	for _, bad := range []string{"", "Fred", "Fred <fred>", "<>", "a@b.example, c@d.example", "Fred <a@b.example> x"} {
		if m, err := ParseMailbox(bad); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: got %v, %v", bad, m, err)
		}
	}
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	if got := CleanName(strings.Repeat("\u00fc", 101)); len(got) != 200 {
		t.Errorf("%d octets", len(got))
	}
	if got := CleanName("x" + strings.Repeat("\u00fc", 101)); got != "x"+strings.Repeat("\u00fc", 99) {
		t.Errorf("got %q", got)
	}
	if got := CleanName(" a\r\n b\xff\u2028c\x00 "); got != "a b\uFFFD c" {
		t.Errorf("got %q", got)
	}
}

func TestMailboxReplyText(t *testing.T) {
	t.Parallel()
	a := Address{"fred", "doc.example"}
	for _, tt := range []struct {
		name string
		utf8 bool
		want string
	}{
		{"", false, "<fred@doc.example>"},
		{"Sam Q. Smith", false, "Sam Q. Smith <fred@doc.example>"},
		{" a \r\n<b>\x00 \u202e", true, "a b <fred@doc.example>"},
		{"<>", false, "<fred@doc.example>"},
		{"J\u00fcrgen", false, "<fred@doc.example>"},
		{"J\u00fcrgen", true, "J\u00fcrgen <fred@doc.example>"},
	} {
		if got := (Mailbox{tt.name, a}).ReplyText(tt.utf8); got != tt.want {
			t.Errorf("%q: got %q", tt.name, got)
		}
	}
	for n := range 600 {
		m := Mailbox{strings.Repeat("\u00fc", n), Address{`a "b"`, strings.Repeat("d.", 100) + "example"}}
		line := NewReply(250, Enhanced{5, 7, 123}, m.ReplyText(true)).Append(nil, true)
		if len(line) > MaxReplyLine || !strings.HasSuffix(string(line), "<"+m.Address.Wire()+">\r\n") {
			t.Fatalf("name of %d: %d octets %q", 2*n, len(line), line)
		}
	}
}

func TestMailboxReplyAllocatesNothing(t *testing.T) {
	m := Mailbox{"Fred Foo", Address{"fred", "doc.example"}}
	b := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { b = m.AppendReply(b[:0], false) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
