package smtpserver

import (
	"bytes"
)

// fault is what is wrong with the text of a message.
type fault int

const (
	faultNone fault = iota
	faultBareCR
	faultBareLF
	faultLongLine
)

// text looks at a message while it passes, in pieces cut anywhere: every CR must be followed by LF
// and every LF follow a CR (RFC 5321 §2.3.8), and no line may be too long (RFC 5321 §4.5.3.1.6).
// DATA and BDAT are held to the same: what is smuggled past one server is meant for the next, and the
// next is whoever gets a copy from us.
type text struct {
	limit    int // octets of a line without CR LF
	line     int // octets of the line so far
	afterCR  bool
	eightBit bool
}

// scan looks at the next piece and says what is wrong with it.
func (t *text) scan(p []byte) fault {
	t.eightBit = t.eightBit || hasEightBit(p)
	for len(p) > 0 {
		if t.afterCR {
			if p[0] != '\n' {
				return faultBareCR
			}
			t.afterCR, t.line = false, 0
			p = p[1:]
			continue
		}
		i := bytes.IndexByte(p, '\n')
		rest := p
		if i >= 0 {
			rest = p[:i]
		}
		cr := bytes.IndexByte(rest, '\r')
		switch {
		case cr >= 0 && cr < len(rest)-1:
			return faultBareCR
		case i >= 0 && cr < 0:
			return faultBareLF
		case cr >= 0:
			rest = rest[:cr]
		}
		if t.line += len(rest); t.line > t.limit {
			return faultLongLine
		}
		if i < 0 {
			t.afterCR = cr >= 0
			return faultNone
		}
		t.line = 0
		p = p[i+1:]
	}
	return faultNone
}

// end says what is wrong with a message that ends here.
func (t *text) end() fault {
	if t.afterCR {
		return faultBareCR
	}
	return faultNone
}

// inLine says whether the last line lacks its CR LF.
func (t *text) inLine() bool { return t.line > 0 }

func hasEightBit(p []byte) bool {
	for len(p) >= 8 {
		if (p[0]|p[1]|p[2]|p[3]|p[4]|p[5]|p[6]|p[7])&0x80 != 0 {
			return true
		}
		p = p[8:]
	}
	for _, c := range p {
		if c&0x80 != 0 {
			return true
		}
	}
	return false
}
