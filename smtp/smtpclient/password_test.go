package smtpclient

import (
	"net"
	"testing"
)

// elsewhere is a connection whose other end is not on this machine.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 25} }

// A password does not leave the machine where anybody could read it.
func TestPasswordNeedsVerifiedTLS(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	auth := &Auth{User: "ann", Password: "secret"}
	tests := []struct {
		name    string
		options Options
		policy  TLSPolicy
		may     bool
	}{
		{"opportunistic becomes required", Options{Auth: auth}, TLSRequired, false},
		{"none", Options{Auth: auth, TLS: TLSNone}, TLSNone, false},
		{"said to be fine", Options{Auth: auth, PlainAuth: true}, TLSOpportunistic, true},
		{"without password", Options{}, TLSOpportunistic, false},
	}
	for _, tt := range tests {
		c := newConn("192.0.2.1:25", elsewhere{near}, &tt.options)
		if got := c.policy(&tt.options); got != tt.policy {
			t.Errorf("%s: policy %d, want %d", tt.name, got, tt.policy)
		}
		if got := c.mayAuth(&tt.options); got != tt.may {
			t.Errorf("%s: may sign in in plain text: %v", tt.name, got)
		}
	}
}
