package fanout

import (
	"cmp"
	"context"
	"errors"
	"time"

	"muster/smtp/smtpclient"
)

// link is a connection to a destination, in a slot of its lane.
type link struct {
	conn   transport
	lane   *lane
	host   string      // for the journal and people
	forget func() bool // stops watching for the end of the tenure
	kept   time.Time   // when it was put by
	used   bool        // it has carried a transaction before
}

// open makes a connection to the first server of a destination that answers. The error is a
// *smtp.Reply where the destination takes no mail and never will, else that of the first server that said
// anything, or of the last.
func (t *traffic) open(ctx context.Context, l *lane) (*link, error) {
	hops, err := l.hops(ctx)
	if err != nil {
		return nil, err
	}
	var said error // by the first that said anything: a limit of one is no trouble with all
	hops = l.ranked(hops)
	for i, h := range hops {
		o := t.options
		o.Timeouts.Connect = connectTime(ctx, o.Timeouts.Connect, len(hops)-i)
		o.TLS, o.Auth, o.ServerName, o.LMTP = h.tls, h.auth, h.name, h.lmtp
		h.protect(&o)
		var conn transport
		conn, err = l.connect(ctx, h, o)
		if err != nil {
			if said == nil && hasReply(err) {
				said = err
			}
			if ctx.Err() != nil { // the next would fail before it is asked
				break
			}
			continue
		}
		k := &link{conn: conn, lane: l, host: h.addr}
		if h.name != "" && l.domain != "" {
			k.host = h.name
		}
		k.forget = context.AfterFunc(t.hard, conn.Abort)
		l.opened(conn.Extensions())
		return k, nil
	}
	if errors.Is(err, errMisnamed) {
		t.part(l)
	}
	if errors.Is(err, errTLSA) { // which may have changed
		l.reroute()
	}
	return nil, cmp.Or(said, err)
}

// hasReply says whether a connection ended with the words of a server.
func hasReply(err error) bool {
	var failed *smtpclient.Error
	return errors.As(err, &failed) && failed.Reply != nil
}

// connectTime bounds connecting to the first of so many servers that are left to try: where there is
// little time, each gets its share of it. A server that is connected to may greet slowly, as some do on
// purpose, in all of the time that is left.
func connectTime(ctx context.Context, most time.Duration, servers int) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return most
	}
	share := max(time.Until(end)/time.Duration(servers), 1)
	if most > 0 {
		return min(share, most)
	}
	return share
}

// close ends a connection, politely where nothing is under way.
func (k *link) close() {
	k.forget()
	k.conn.Quit()
	k.lane.release()
}

// abort ends a connection as it is: what was not finished is thrown away at the other end.
func (k *link) abort() {
	k.forget()
	k.conn.Abort()
	k.lane.release()
}

// spent says whether the server's limit of transactions (RFC 9422 §4.1) is reached after so many
// that are under way.
func (k *link) spent(underWay int) bool {
	limit := k.conn.Extensions().MailMax
	return limit > 0 && k.conn.Sent()+underWay >= limit
}
