package smtp

import (
	"testing"
)

func TestAddressKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ address, key string }{
		{"Fred@Doc.Example", "fred@doc.example"},
		{`"fred"@doc.example`, "fred@doc.example"},
		{`"Fred Foo"@doc.example`, `"fred foo"@doc.example`},
		{"a@B\u00fccher.example", "a@xn--bcher-kva.example"},
		{"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
		{"J\u00dcRGEN@b.example", "j\u00fcrgen@b.example"},
		{"ju\u0308rgen@b.example", "j\u00fcrgen@b.example"},
		{"a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]"},
	} {
		a, err := ParseAddress(tt.address)
		if err != nil || a.Key() != tt.key {
			t.Errorf("%q: key %q, %v", tt.address, a.Key(), err)
		}
	}
}

func TestAddressWire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		address Address
		wire    string
		ascii   bool
	}{
		{Address{}, "", true},
		{Address{"postmaster", ""}, "postmaster", true},
		{Address{"a.b+c", "d.example"}, "a.b+c@d.example", true},
		{Address{"a b", "d.example"}, `"a b"@d.example`, true},
		{Address{`a"b\`, "d.example"}, `"a\"b\\"@d.example`, true},
		{Address{".a", "d.example"}, `".a"@d.example`, true},
		{Address{"\u00fc", "d.example"}, "\u00fc@d.example", false},
		{Address{"a", "\u00fc.example"}, "a@\u00fc.example", false},
	} {
		if got := tt.address.Wire(); got != tt.wire || tt.address.ASCII() != tt.ascii || tt.address.wireLen() != len(got) {
			t.Errorf("%+v: got %q", tt.address, got)
		}
		if got := string(tt.address.AppendWire(nil)); got != tt.wire {
			t.Errorf("%+v: appended %q", tt.address, got)
		}
	}
}

func BenchmarkParsePath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParsePath("<fred.foo@doc.example> SIZE=1000"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestParsePathAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { ParsePath("<fred.foo@doc.example> SIZE=1000") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
