package smtpserver

import (
	"net"
	"net/netip"
)

// Client is who is at the other end, as far as the server knows at the moment.
type Client struct {
	ID       string         // of the session, for logs
	Addr     netip.AddrPort // invalid for a unix socket
	Local    net.Addr       // where it connected to
	Hello    string         // the name given with HELO, EHLO or LHLO, any printable ASCII; "" before
	Extended bool           // it said EHLO or LHLO
	TLS      bool
	Trusted  bool // on a trusted network, or on a unix socket
	LMTP     bool
	User     string // who it authenticated as; "" for nobody
}
