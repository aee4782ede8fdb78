package smtp

import (
	"errors"
	"slices"
	"testing"
)

func TestParseParams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want []Param
		ok   bool
	}{
		{"", nil, true},
		{"  ", nil, true},
		{" SIZE=1000 body=8BitMime  SMTPUTF8", []Param{{"SIZE", "1000"}, {"BODY", "8BitMime"}, {"SMTPUTF8", ""}}, true},
		{" X-Y=a:b/c<>+3D", []Param{{"X-Y", "a:b/c<>+3D"}}, true},
		{" X=\u00fc", []Param{{"X", "\u00fc"}}, true},
		{" SIZE=", nil, false},
		{" =1", nil, false},
		{" -X=1", nil, false},
		{" X_Y=1", nil, false},
		{" X=1=2", nil, false},
		{" X=1 x=2", nil, false},
		{" X=\x01", nil, false},
		{" X=\t", nil, false},
	} {
		got, err := ParseParams(tt.in)
		if !slices.Equal(got, tt.want) || (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrParam) {
			t.Errorf("%q: got %v, %v", tt.in, got, err)
		}
	}
}

func TestXtext(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ plain, coded string }{
		{"", ""},
		{"ann@a.example", "ann@a.example"},
		{"a+b=c d", "a+2Bb+3Dc+20d"},
		{"\x00\u00fc", "+00+C3+BC"},
	} {
		if got := EncodeXtext(tt.plain); got != tt.coded {
			t.Errorf("%q is written %q", tt.plain, got)
		}
		if got, err := DecodeXtext(tt.coded); got != tt.plain || err != nil {
			t.Errorf("%q is read %q, %v", tt.coded, got, err)
		}
	}
	for _, bad := range []string{"+", "+4", "a+4", "+4g", "+4a", "a b", "a=b", "\u00fc", "+\u00fc"} {
		if got, err := DecodeXtext(bad); !errors.Is(err, ErrParam) {
			t.Errorf("%q is read %q, %v", bad, got, err)
		}
	}
}

// FuzzParams holds that what was read is well-formed, and that xtext comes back.
func FuzzParams(f *testing.F) {
	f.Add(" SIZE=1000 BODY=8BITMIME SMTPUTF8 AUTH=a+2Bb")
	f.Add(" A=1 a=2")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := DecodeXtext(EncodeXtext(s)); got != s || err != nil {
			t.Fatalf("xtext of %q comes back as %q, %v", s, got, err)
		}
		params, err := ParseParams(s)
		if err != nil {
			return
		}
		written := ""
		for _, p := range params {
			written += " " + p.Key
			if p.Value != "" {
				written += "=" + p.Value
			}
		}
		again, err := ParseParams(written)
		if !slices.Equal(again, params) || err != nil {
			t.Fatalf("%q: %v is written %q and read %v, %v", s, params, written, again, err)
		}
	})
}
