package smtpclient

import (
	"encoding/base64"
	"slices"

	"muster/smtp"
)

// signIn says AUTH with the first mechanism both sides speak (RFC 4954 §4).
func (c *Conn) signIn(o *Options) error {
	if !c.mayAuth(o) {
		return c.fail(&Error{Stage: StageAuth, Err: ErrPlainAuth})
	}
	switch user, password := o.Auth.User, o.Auth.Password; {
	case slices.Contains(c.ext.Auth, "PLAIN"):
		return c.exchange("AUTH PLAIN " + encode("\x00"+user+"\x00"+password))
	case slices.Contains(c.ext.Auth, "LOGIN"):
		return c.exchange("AUTH LOGIN", encode(user), encode(password))
	}
	return c.fail(&Error{Stage: StageAuth, Err: ErrNoAuth})
}

// mayAuth says whether a password may be given on this connection.
func (c *Conn) mayAuth(o *Options) bool {
	policy := c.policy(o)
	verified := c.tlsState != nil && policy != TLSOpportunistic && policy != TLSEncrypted
	return verified || o.PlainAuth || c.isLoopback()
}

// exchange sends the lines of a mechanism, each but the last answered with 334.
func (c *Conn) exchange(lines ...string) error {
	for i, line := range lines {
		c.commands = append(append(c.commands, line...), "\r\n"...)
		if err := c.write(StageAuth); err != nil {
			return err
		}
		c.stream.expect(c.timeouts.Hello)
		code, reply, err := c.replies.code()
		if err := c.check(StageAuth, code, reply, err); err != nil {
			return err
		}
		want := smtp.CodeAuthOK
		if i < len(lines)-1 {
			want = smtp.CodeAuthContinue
		}
		if code != want {
			return c.refused(StageAuth, reply)
		}
	}
	return nil
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
