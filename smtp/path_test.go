package smtp

import (
	"errors"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("l", MaxLocal)
	for _, tt := range []struct {
		in   string
		want Address
		rest string
		err  error
	}{
		{"<>", Address{}, "", nil},
		{"<> SIZE=1", Address{}, " SIZE=1", nil},
		{"<a@b.example>", Address{"a", "b.example"}, "", nil},
		{"<a@b.example> X", Address{"a", "b.example"}, " X", nil},
		{"<Postmaster>", Address{"Postmaster", ""}, "", nil},
		{`<"a>b"@c.example>x`, Address{"a>b", "c.example"}, "x", nil},
		{`<"a\">b"@c.example>`, Address{`a">b`, "c.example"}, "", nil},
		{`<"a b"@c.example>`, Address{"a b", "c.example"}, "", nil},
		{"<@r.example:a@b.example>", Address{"a", "b.example"}, "", nil},
		{"<@r.example,@s.example:a@b.example>", Address{"a", "b.example"}, "", nil},
		{"<a@[192.0.2.1]>", Address{"a", "[192.0.2.1]"}, "", nil},
		{"<a@[IPv6:2001:db8::1]>", Address{"a", "[IPv6:2001:db8::1]"}, "", nil},
		{"<j\u00fcrgen@b\u00fccher.example>", Address{"j\u00fcrgen", "b\u00fccher.example"}, "", nil},
		{"<" + long + "@b.example>", Address{long, "b.example"}, "", nil},

		{"", Address{}, "", ErrPath},
		{"a@b.example", Address{}, "a@b.example", ErrPath},
		{"<a@b.example", Address{}, "<a@b.example", ErrPath},
		{`<"a>@b.example`, Address{}, `<"a>@b.example`, ErrPath},
		{"<a>", Address{}, "", ErrAddress},
		{"< a@b.example>", Address{}, "", ErrAddress},
		{"<a@b.example >", Address{}, "", ErrAddress},
		{"<a@b@c.example>", Address{}, "", ErrAddress},
		{"<.a@b.example>", Address{}, "", ErrAddress},
		{"<a..b@b.example>", Address{}, "", ErrAddress},
		{"<a@-b.example>", Address{}, "", ErrAddress},
		{"<a@b.example.>", Address{}, "", ErrAddress},
		{"<a@b..example>", Address{}, "", ErrAddress},
		{"<a@b_c.example>", Address{}, "", ErrAddress},
		{"<a@[192.0.2]>", Address{}, "", ErrAddress},
		{"<a@[IPv6:fe80::1%eth0]>", Address{}, "", ErrAddress},
		{"<a@[2001:db8::1]>", Address{}, "", ErrAddress},
		{"<@r.example>", Address{}, "", ErrAddress},
		{"<@r.example:>", Address{}, "", ErrAddress},
		{"<@r.example,s.example:a@b.example>", Address{}, "", ErrAddress},
		{"<@:a@b.example>", Address{}, "", ErrAddress},
		{"<a\u202eb@b.example>", Address{}, "", ErrAddress},
		{"<a\u00a0b@b.example>", Address{}, "", ErrAddress},
		{"<a\u0085b@b.example>", Address{}, "", ErrAddress},
		{"<a\xffb@b.example>", Address{}, "", ErrAddress},
		{"<l" + long + "@b.example>", Address{}, "", ErrAddressLong},
		{"<a@" + strings.Repeat("d.", 130) + "example>", Address{}, "", ErrAddressLong},
	} {
		got, rest, err := ParsePath(tt.in)
		if got != tt.want || rest != tt.rest || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%q: got %+v, %q, %v", tt.in, got, rest, err)
		}
	}
}

// FuzzPath holds that what was read can be written and is then read as the same.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"<>", "<a@b.example> SIZE=1", `<"a>b\\"@c.example>`, "<@r.example:a@b.example>", "<Postmaster>", "<a@[IPv6:::1]>", "<\u00fc@\u00fc.example>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, rest, err := ParsePath(s)
		if err != nil {
			return
		}
		if !strings.HasSuffix(s, rest) || len(rest) >= len(s) {
			t.Fatalf("%q: rest %q", s, rest)
		}
		if len(a.Local) > MaxLocal || len(a.Domain) > MaxDomain || strings.ContainsAny(a.Wire(), "\r\n\x00") {
			t.Fatalf("%q: %+v", s, a)
		}
		again, rest, err := ParsePath("<" + a.Wire() + ">")
		if errors.Is(err, ErrAddressLong) {
			return // quoting may have made it longer
		}
		if again != a || rest != "" || err != nil {
			t.Fatalf("%q: %+v is written %q and read %+v, %q, %v", s, a, a.Wire(), again, rest, err)
		}
		if !a.IsZero() && a.Domain != "" && a.Key() != again.Key() {
			t.Fatalf("%q: keys %q and %q", s, a.Key(), again.Key())
		}
	})
}
