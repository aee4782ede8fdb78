package smtpserver

import (
	"testing"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		message string
		want    header
	}{
		{"", header{}},
		{"\r\n", header{len: 2}},
		{"\r\nbody\r\n\r\nReceived: x\r\n", header{len: 2}},
		{"A: b\r\n", header{len: 6, fields: 1}},
		{"A: b\r\n\r\nReceived: in the body\r\n", header{len: 8, fields: 1}},
		{"Received: a\r\n\tb\r\nRECEIVED : c\r\n Received: d\r\nReceived-SPF: e\r\nReceived\r\n\r\nx", header{len: 74, fields: 4, hops: 2}},
		{"A: \u00fc\r\n\r\n", header{len: 9, fields: 1, utf8: true}},
		{"A: b\r\n\r\n\u00fc\r\n", header{len: 8, fields: 1}},
	} {
		if got := measure([]byte(tt.message)); got != tt.want {
			t.Errorf("%q: got %+v, want %+v", tt.message, got, tt.want)
		}
	}
}
