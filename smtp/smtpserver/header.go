package smtpserver

import (
	"bytes"
)

// header is what the server knows of a message's header: how long it is and how much is in it. It
// does not read it.
type header struct {
	len    int // with the empty line that ends it
	fields int
	hops   int // Received fields
	utf8   bool
}

// measure finds the header at the beginning of a message, of which head is as much as is at
// hand. A message without an empty line is all header.
func measure(head []byte) header {
	h := header{len: len(head)}
	if bytes.HasPrefix(head, []byte("\r\n")) {
		h.len = 2
	} else if i := bytes.Index(head, []byte("\r\n\r\n")); i >= 0 {
		h.len = i + 4
	}
	h.count(head[:h.len])
	h.utf8 = hasEightBit(head[:h.len])
	return h
}

func (h *header) count(head []byte) {
	for len(head) > 0 {
		end := bytes.IndexByte(head, '\n') + 1
		if end == 0 {
			end = len(head)
		}
		if line := head[:end]; line[0] != ' ' && line[0] != '\t' && line[0] != '\r' {
			h.fields++
			if isField(line, "received") {
				h.hops++
			}
		}
		head = head[end:]
	}
}

// isField says whether a line begins the field of that name.
func isField(line []byte, name string) bool {
	if len(line) <= len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return false
	}
	after := bytes.TrimLeft(line[len(name):], " \t") // RFC 5322 §4.5 allows space here
	return len(after) > 0 && after[0] == ':'
}
