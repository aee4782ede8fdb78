package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

const (
	author   = "ann@author.example"
	bodySize = 4096
)

// listAddress is the list of that name in the only domain there is.
func listAddress(name string) string { return name + "@lists.example" }

// writeMembers makes a file of n members over a hundred domains, for member import.
func (b *bench) writeMembers(n int) (string, error) {
	path := filepath.Join(b.work, fmt.Sprintf("members-%d.csv", n))
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "address,name")
	for i := range n {
		fmt.Fprintf(w, "user%07d@d%02d.example,Member Number %d\n", i, i%100, i)
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return path, f.Close()
}

// bodyText is text of bodySize octets that no compression makes smaller, so that neither side is
// flattered by one.
func bodyText() []byte {
	noise := make([]byte, bodySize)
	_, _ = rand.Read(noise) // never fails
	const line = 76
	text := make([]byte, 0, bodySize+2)
	for code := base64.StdEncoding.EncodeToString(noise); len(text) < bodySize-line-2; code = code[line:] {
		text = append(append(text, code[:line]...), "\r\n"...)
	}
	for len(text) < bodySize-2 {
		text = append(text, 'x')
	}
	return append(text, "\r\n"...)
}

// header is that of a post with a Message-ID of its own.
func header(list string) []byte {
	return fmt.Appendf(nil, "From: Ann Author <%s>\r\nTo: %s\r\nSubject: A post of %d octets\r\nDate: %s\r\n"+
		"Message-ID: <%s@author.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
		author, list, bodySize, time.Now().Format(time.RFC1123Z), rand.Text())
}

// poster is one client that posts to a list.
type poster struct {
	conn     *smtpclient.Conn
	list     string
	envelope *smtpclient.Envelope
	body     smtpclient.Text
	accepted time.Time // when the last 250 came
}

func (b *bench) newPoster(ctx context.Context, list string, body []byte) (*poster, error) {
	return newPoster(ctx, b.muster.smtp, list, body)
}

// newPoster connects to a server.
func newPoster(ctx context.Context, addr, list string, body []byte) (*poster, error) {
	from, err := smtp.ParseAddress(author)
	if err != nil {
		return nil, err
	}
	to, err := smtp.ParseAddress(list)
	if err != nil {
		return nil, err
	}
	c, err := smtpclient.Dial(ctx, addr, smtpclient.Options{Hello: "author.example", TLS: smtpclient.TLSNone})
	if err != nil {
		return nil, err
	}
	envelope := &smtpclient.Envelope{From: from, To: []smtp.Address{to}}
	return &poster{conn: c, list: list, envelope: envelope, body: smtpclient.Prepare(body)}, nil
}

// post sends n posts over the connection, each with the envelope of the next in its last packet,
// and closes it.
func (p *poster) post(n int) error {
	defer p.conn.Quit()
	if err := p.conn.Begin(p.envelope); err != nil {
		return err
	}
	for ; n > 0; n-- {
		a, err := p.conn.ReadEnvelope()
		if err != nil {
			return err
		}
		if !a.Go() {
			return fmt.Errorf("envelope refused: %w", a.Refusal(0))
		}
		if err := p.conn.Body(header(p.list), p.body); err != nil {
			return err
		}
		next := p.envelope
		if n == 1 {
			next = nil
		}
		r, err := p.conn.Finish(next)
		if err != nil {
			return err
		}
		p.accepted = time.Now()
		if !r.Positive() {
			return fmt.Errorf("post refused: %w", r)
		}
	}
	return nil
}
