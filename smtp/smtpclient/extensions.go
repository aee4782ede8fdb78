package smtpclient

import (
	"strconv"
	"strings"
)

// Extensions is what the server offered in its answer to EHLO; zero after HELO.
type Extensions struct {
	Extended      bool // EHLO was answered, not only HELO
	Pipelining    bool
	EightBit      bool // 8BITMIME
	UTF8          bool // SMTPUTF8
	Chunking      bool
	StartTLS      bool
	DSN           bool
	EnhancedCodes bool
	SizeOffered   bool
	Size          int64    // the limit SIZE names, 0 for none
	Auth          []string // mechanisms in upper case
	// RcptMax and MailMax are the LIMITS of RFC 9422: recipients in a transaction, transactions in
	// a connection; 0 where none is given. Keeping them is up to the caller.
	RcptMax int
	MailMax int
}

// add takes one line of the answer to EHLO (RFC 5321 §4.1.1.1). What it does not understand it
// passes over.
func (x *Extensions) add(line string) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return
	}
	params := fields[1:]
	switch word := strings.ToUpper(fields[0]); word {
	case "PIPELINING":
		x.Pipelining = true
	case "8BITMIME":
		x.EightBit = true
	case "SMTPUTF8":
		x.UTF8 = true
	case "CHUNKING":
		x.Chunking = true
	case "STARTTLS":
		x.StartTLS = true
	case "DSN":
		x.DSN = true
	case "ENHANCEDSTATUSCODES":
		x.EnhancedCodes = true
	case "SIZE":
		x.addSize(params)
	case "AUTH":
		x.addAuth(params)
	case "LIMITS":
		x.addLimits(params)
	default:
		// AUTH=LOGIN PLAIN, as servers said before RFC 2554 and some still do.
		if first, ok := strings.CutPrefix(word, "AUTH="); ok {
			x.addAuth(append([]string{first}, params...))
		}
	}
}

func (x *Extensions) addSize(params []string) {
	x.SizeOffered = true
	if len(params) == 0 {
		return
	}
	if n, err := strconv.ParseInt(params[0], 10, 64); err == nil && n > 0 {
		x.Size = n
	}
}

func (x *Extensions) addAuth(mechanisms []string) {
	for _, m := range mechanisms {
		if m != "" {
			x.Auth = append(x.Auth, strings.ToUpper(m))
		}
	}
}

func (x *Extensions) addLimits(params []string) {
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			continue
		}
		switch strings.ToUpper(name) {
		case "RCPTMAX":
			x.RcptMax = n
		case "MAILMAX":
			x.MailMax = n
		}
	}
}
