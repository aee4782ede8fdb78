package dkim

// AppendRelaxed appends a header field in its relaxed form (RFC 6376 §3.4.2), with CRLF.
func AppendRelaxed(dst []byte, name string, value []byte) []byte {
	return appendRelaxed(dst, field{name: []byte(name), value: value})
}

// RelaxedBody hashes a body that comes in pieces in its relaxed form (RFC 6376 §3.4.4), with SHA-256.
type RelaxedBody struct{ body *bodyHash }

// NewRelaxedBody makes one without a piece.
func NewRelaxedBody() RelaxedBody { return RelaxedBody{newBodyHash()} }

// Write adds a piece. It does not fail.
func (r RelaxedBody) Write(p []byte) (int, error) {
	r.body.write(p)
	return len(p), nil
}

// Sum is the hash, after the last piece.
func (r RelaxedBody) Sum() []byte { return r.body.sum() }
