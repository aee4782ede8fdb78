// Package smtptest is a receiving SMTP server for tests, as net/http/httptest is one for HTTP: it
// listens on loopback, takes what it is sent, remembers it, and does on demand what servers out
// there do: refuses, defers, hesitates, hangs up.
//
//	far := smtptest.NewServer(t)
//	far.Answer("gone@x.example", smtptest.Reply(550, "5.1.1", "No such user"))
//	far.Script(smtptest.Dot, func(e smtptest.Event) smtptest.Action { return smtptest.Action{Drop: e.N == 1} })
//	… send to far.Addr() …
//	far.Wait(3, 10*time.Second)
//	for _, m := range far.Messages() { … }
//
// It is package smtpserver with a backend that keeps messages, so a client that gets by here has
// spoken RFC 5321 strictly: a bare LF or a false end of the text is refused. What it offers in EHLO
// is for the test to say, LIMITS (RFC 9422) included.
package smtptest
