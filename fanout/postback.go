package fanout

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// A relay may be a web server that takes copies by POST (docs/transports.md is the contract). A request
// stands for the text and its final dot: it is sent after the dot gate and not before, and never sent
// again by what is below here. Redirects are not followed, so that nobody but who was configured gets mail.

// endpoint is where copies are posted.
type endpoint struct {
	url           *url.URL // without a password
	authorization string   // the field of that name, "" for none
}

const (
	postConnect = 30 * time.Second
	postTLS     = time.Minute
	postBlock   = 3 * time.Minute  // for each write
	postAnswer  = 10 * time.Minute // for the answer, as for the one to the final dot (RFC 5321 §4.5.3.2.6)
	// postIdle is less than web servers keep a connection that nobody uses: one that they end just when a
	// request is sent leaves in doubt what became of it.
	postIdle   = 3 * time.Second
	postFields = 32 << 10 // octets of the header of an answer
)

// errNoHTTPS is a relay whose url and encryption contradict each other.
var errNoHTTPS = errors.New("the relay is http:// and not https://, and nothing is to be sent in clear")

// errUnsent is a request of which nothing was sent: its copies can go again at once.
var errUnsent = errors.New("nothing was sent")

// postback is a connection to a web server. The transport below it makes it anew where the server has ended it
// between two requests.
type postback struct {
	to       *endpoint
	addr     string
	patience time.Duration // for an answer
	web      *http.Transport
	first    net.Conn // for the first request
	offers   smtpclient.Extensions
	encoder  encoder
	answers  [2]smtpclient.Answer // of the batch at hand, and of the one before, which is read after the next has begun
	at       int                  // which is that of the batch at hand
	batch    *batch
	sent     int

	mu     sync.Mutex
	cancel context.CancelFunc // ends the request under way
	gone   bool
}

// dialPostback connects to a web server, so that one that cannot be reached is found out before mail is
// in its hands.
func dialPostback(ctx context.Context, h hop, o smtpclient.Options) (*postback, error) {
	if h.to.url.Scheme == "http" && (h.tls == smtpclient.TLSRequired || h.tls == smtpclient.TLSEncrypted) {
		return nil, &smtpclient.Error{Host: h.addr, Stage: smtpclient.StageTLS, Err: errNoHTTPS}
	}
	dial := func(ctx context.Context) (net.Conn, error) { return dialWeb(ctx, h, o) }
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	p := &postback{to: h.to, addr: h.addr, first: conn, patience: cmp.Or(o.Timeouts.Dot, postAnswer)}
	p.offers = smtpclient.Extensions{Extended: true, EightBit: true, UTF8: true}
	take := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if c := p.take(); c != nil {
			return c, nil
		}
		return dial(ctx)
	}
	p.web = &http.Transport{
		DialContext: take, DialTLSContext: take, DisableCompression: true,
		MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1, IdleConnTimeout: postIdle, MaxResponseHeaderBytes: postFields,
	}
	return p, nil
}

// dialWeb makes a connection to a web server.
func dialWeb(ctx context.Context, h hop, o smtpclient.Options) (net.Conn, error) {
	connecting, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeouts.Connect, postConnect))
	defer cancel()
	dial := o.DialContext
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	raw, err := dial(connecting, "tcp", h.addr)
	if err != nil {
		return nil, &smtpclient.Error{Host: h.addr, Stage: smtpclient.StageConnect, Err: err}
	}
	raw = patientConn{raw, cmp.Or(o.Timeouts.Block, postBlock)}
	if h.to.url.Scheme == "http" {
		return raw, nil
	}
	config := o.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName, config.NextProtos, config.MinVersion = h.name, []string{"http/1.1"}, max(config.MinVersion, tls.VersionTLS12)
	greeting, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeouts.TLS, postTLS))
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(greeting); err != nil {
		_ = raw.Close()
		return nil, &smtpclient.Error{Host: h.addr, Stage: smtpclient.StageTLS, Err: err}
	}
	return conn, nil
}

// patientConn bounds each write.
type patientConn struct {
	net.Conn
	block time.Duration
}

// Write gives up when nothing of p was taken for long.
func (c patientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.block)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// take is the first connection, once.
func (p *postback) take() net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.first
	p.first = nil
	return c
}

// begin notes what is to be posted: all of it goes in finish.
func (p *postback) begin(b *batch) error {
	p.batch = b
	p.at = 1 - p.at
	a := &p.answers[p.at]
	a.Rcpt = append(a.Rcpt[:0], make([]*smtp.Reply, len(b.envelope.To))...)
	a.Each, a.Accepted = a.Each[:0], len(a.Rcpt)
	return nil
}

func (p *postback) answer() (*smtpclient.Answer, error) { return &p.answers[p.at], nil }

func (p *postback) text(*batch) error { return nil }

// finish posts the batch and reads what became of it. Where there is no answer the copies may have been
// taken, unless the error is errUnsent or one of the message's file.
func (p *postback) finish(next *batch) (*smtp.Reply, error) {
	b := p.batch
	p.batch = nil
	p.sent++
	a := &p.answers[p.at]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !p.underWay(cancel) {
		return nil, p.failed(fmt.Errorf("%w: %w", errUnsent, smtpclient.ErrAborted))
	}
	defer p.underWay(nil)
	reply, err := p.post(ctx, b, a)
	if err != nil {
		return nil, err
	}
	if next != nil {
		return reply, p.begin(next)
	}
	return reply, nil
}

// post sends the request and judges the answer.
func (p *postback) post(ctx context.Context, b *batch, a *smtpclient.Answer) (*smtp.Reply, error) {
	head, ids, key := b.posted()
	size, err := b.plainSize()
	if err != nil {
		return nil, p.failed(err)
	}
	const tail = `"}`
	body := newMeteredBody(io.MultiReader(head, p.encoder.of(b.plain()), strings.NewReader(tail)))
	connected := false
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	r, err := p.to.request(traced, key, body)
	if err != nil {
		return nil, p.failed(fmt.Errorf("%w: %w", errUnsent, err))
	}
	r.ContentLength = int64(head.Len()) + int64(base64.StdEncoding.EncodedLen(int(size))) + int64(len(tail))
	quiet := time.AfterFunc(p.patience, p.end)
	defer quiet.Stop()
	body.moved = func() { quiet.Reset(p.patience) } // who is slow to take the text has each write's time
	response, err := p.web.RoundTrip(r)
	if err == nil {
		reply := readAnswer(response, b, ids, a)
		_ = response.Body.Close()
		p.waitFor(body)
		return reply, nil
	}
	p.waitFor(body)
	switch disk := body.failure(); {
	case disk != nil:
		return nil, p.failed(disk)
	case !connected:
		return nil, p.failed(fmt.Errorf("%w: %w", errUnsent, err))
	case ctx.Err() != nil && !p.isGone():
		err = fmt.Errorf("no answer in %s", p.patience)
	}
	failed := p.failed(err)
	failed.Stage, failed.InDoubt = smtpclient.StageDot, true
	return nil, failed
}

// request is one to post a transaction. It cannot be sent a second time by the transport, which does that with
// what it could read again.
func (e *endpoint) request(ctx context.Context, key string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Muster")
	r.Header.Set("Idempotency-Key", key)
	if e.authorization != "" {
		r.Header.Set("Authorization", e.authorization)
	}
	return r, nil
}

// waitFor waits until nobody reads a request's body any more, which a server may have answered before it
// had all of it.
func (p *postback) waitFor(body *meteredBody) {
	select {
	case <-body.closed:
	default:
		p.end()
		<-body.closed
	}
}

func (p *postback) failed(err error) *smtpclient.Error {
	return &smtpclient.Error{Host: p.addr, Stage: smtpclient.StageBody, Err: err}
}

// underWay notes how to end the request that begins, nil when it has ended. False: the connection is gone.
func (p *postback) underWay(cancel context.CancelFunc) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel = cancel
	return !p.gone
}

// end ends the request under way.
func (p *postback) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}

func (p *postback) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// Extensions are those that any JSON can carry.
func (p *postback) Extensions() *smtpclient.Extensions { return &p.offers }

// Sent counts the requests.
func (p *postback) Sent() int { return p.sent }

// Idle says whether no request is being made up.
func (p *postback) Idle() bool { return p.batch == nil }

// Hurry bounds nothing: nobody is asked anything before finish.
func (p *postback) Hurry(time.Duration) {}

// Abort ends the request under way, and the connection.
func (p *postback) Abort() {
	p.mu.Lock()
	p.gone = true
	first := p.first
	p.first = nil
	p.mu.Unlock()
	p.end()
	if first != nil {
		_ = first.Close()
	}
	p.web.CloseIdleConnections()
}

// Quit ends the connection.
func (p *postback) Quit() { p.Abort() }
