package lists

import (
	"bytes"
	"testing"
)

// TestDiscreet: however a message is cut into pieces, it is the same but for the password.
func TestDiscreet(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"":            "",
		"Approved: x": "",
		"Subject: a":  "Subject: a",
		"A: 1\r\napprove: x\r\n\ty\r\nB: 2\r\n\r\nApproved: in the text\r\n":        "A: 1\r\nB: 2\r\n\r\nApproved: in the text\r\n",
		"X-Approved : x\r\n\r\n\r\nApprove: y":                                      "\r\n\r\nApprove: y",
		"Approvedly: a\r\nnonsense\r\n goes on\r\nX-Approve:x\r\n \r\nC: 3\r\n\r\n": "Approvedly: a\r\nnonsense\r\n goes on\r\nC: 3\r\n\r\n",
		"\r\nApproved: x\r\n": "\r\nApproved: x\r\n",
	} {
		for size := 1; size <= len(message)+1; size++ {
			var got bytes.Buffer
			d := NewDiscreet(&got)
			for rest := []byte(message); len(rest) > 0; {
				n := min(size, len(rest))
				if wrote, err := d.Write(rest[:n]); wrote != n || err != nil {
					t.Fatal(wrote, err)
				}
				rest = rest[n:]
			}
			if err := d.Flush(); err != nil || got.String() != want {
				t.Errorf("%q in pieces of %d: %q, %v", message, size, got.String(), err)
				break
			}
		}
	}
}
