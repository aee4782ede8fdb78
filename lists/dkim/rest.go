package dkim

// Rest is the Rest of a message that comes in pieces: its fields are kept, its body is only hashed.
// It is good for one Prepare.
type Rest struct {
	head   []byte // the fields, up to the empty line
	inBody bool
	body   *bodyHash
}

// NewRest makes one without a piece.
func NewRest() *Rest { return &Rest{body: newBodyHash()} }

// Write adds a piece. The first should hold all fields: until the empty line has come the pieces are
// kept and looked through again. It does not fail.
func (r *Rest) Write(p []byte) (int, error) {
	n := len(p)
	if !r.inBody {
		before := len(r.head)
		whole := p
		if before > 0 {
			whole = append(r.head, p...)
		}
		head, body, ended := cutHeader(whole)
		if before == 0 {
			head = append([]byte(nil), head...)
		}
		r.head = head
		if !ended {
			return n, nil
		}
		r.inBody = true
		if len(body) == 0 { // the LF of the empty line may come next
			r.body.last = whole[len(whole)-1]
		}
		p = body
	}
	r.body.write(p)
	return n, nil
}

// cutHeader cuts a message at its empty line. Where that has not come all is header.
func cutHeader(b []byte) (head, body []byte, ended bool) {
	at := b
	for {
		_, rest, ok := splitField(at)
		if !ok {
			break
		}
		at = rest
	}
	if len(at) == 0 {
		return b, nil, false
	}
	_, body = line(at)
	return b[:len(b)-len(at)], body, true
}

// fields are those that have a name.
func (r *Rest) fields() []field {
	fields, _ := splitMessage(r.head)
	return fields
}
