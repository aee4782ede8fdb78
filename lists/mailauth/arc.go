package mailauth

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// maxSets is how many sets a chain has at most (RFC 8617 §4.2.1).
const maxSets = 50

// arcSet is what one server that handled the message added (RFC 8617 §4.1). seal and message are the
// signatures.
type arcSet struct {
	results, seal, message signed
	count                  [3]int // of each
}

// checkARC validates the chain of sets that a message carries (RFC 8617 §5.2). Without any it is none. The
// sets stay as they are.
func (c *Checker) checkARC(ctx context.Context, m *Mail) Result {
	r := Result{Method: MethodARC, Value: None}
	sets, err := arcSets(m.Header)
	if err == nil && len(sets) == 0 {
		return r
	}
	if err == nil {
		r.Props = []Prop{{"header.d", strings.ToLower(solid(sets[len(sets)-1].seal.tags["d"]))}}
		err = c.verifyChain(ctx, sets, m)
	}
	switch {
	case err == nil:
		r.Value = Pass
	case errors.Is(err, errLater):
		r.Value, r.Reason = TempError, err.Error()
	default:
		r.Value, r.Reason = Fail, err.Error()
	}
	return r
}

var errChain = errors.New("the chain is not whole")

// arcSets are the sets of a header in order, if they are what a chain is made of.
func arcSets(header []byte) ([]arcSet, error) {
	var sets [maxSets]arcSet
	highest := 0
	for f := range fields(header) {
		kind := arcKind(f.name)
		if kind < 0 {
			continue
		}
		n := instance(f)
		if n < 1 || n > maxSets || len(f.value) > maxSignatureField {
			return nil, errChain
		}
		highest = max(highest, n)
		if !sets[n-1].add(kind, f) {
			return nil, errChain
		}
	}
	for i := range sets[:highest] {
		if !sets[i].isWhole(i + 1) {
			return nil, errChain
		}
	}
	return sets[:highest], nil
}

// The fields of a set, as count has them.
const (
	arcResults = iota
	arcMessage
	arcSeal
)

// arcKind is which field of a set a name is; -1 for none.
func arcKind(name string) int {
	switch name {
	case "arc-authentication-results":
		return arcResults
	case "arc-message-signature":
		return arcMessage
	case "arc-seal":
		return arcSeal
	}
	return -1
}

// instance is the number of a field's set. Where the field is not a list of tags, it comes first.
func instance(f field) int {
	first, _, _ := strings.Cut(string(f.value), ";")
	if f.name != "arc-authentication-results" {
		list, _ := tags(string(f.value))
		first = "i=" + list["i"]
	}
	name, value, _ := strings.Cut(first, "=")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || !strings.EqualFold(strings.TrimSpace(name), "i") {
		return 0
	}
	return n
}

// add takes a field in. It is false where that is there twice, or says nothing.
func (s *arcSet) add(kind int, f field) bool {
	s.count[kind]++
	ok := true
	switch kind {
	case arcResults:
		s.results = signed{field: f}
	case arcMessage:
		s.message, ok = readSigned(f)
	case arcSeal:
		s.seal, ok = readSigned(f)
	}
	return ok && s.count[kind] == 1
}

// isWhole says whether all of set n is there, and what its server found was good before it (RFC 8617
// §5.2, steps 2 and 3).
func (s *arcSet) isWhole(n int) bool {
	want := "pass"
	if n == 1 {
		want = "none"
	}
	_, names := s.seal.tags["h"] // RFC 8617 §4.1.3: a seal says nothing of fields
	return s.count == [3]int{1, 1, 1} && strings.ToLower(solid(s.seal.tags["cv"])) == want && !names
}

// verifyChain verifies the latest signature of the message and all seals, the latest first.
func (c *Checker) verifyChain(ctx context.Context, sets []arcSet, m *Mail) error {
	last := sets[len(sets)-1].message
	for name := range strings.SplitSeq(strings.ToLower(solid(last.tags["h"])), ":") {
		if name == "arc-seal" { // RFC 8617 §4.1.2
			return errChain
		}
	}
	body, err := m.Body()
	if err != nil {
		return errLater
	}
	defer body.Close()
	if err := c.verifyMessage(ctx, last, m.Header, body); err != nil {
		return err
	}
	for n := len(sets); n > 0; n-- {
		if ctx.Err() != nil {
			return errLater
		}
		if err := c.verifySeal(ctx, sets[:n]); err != nil {
			return err
		}
	}
	return nil
}

// verifySeal verifies the seal of the last of some sets, which is over all of them (RFC 8617 §5.1.1).
func (c *Checker) verifySeal(ctx context.Context, sets []arcSet) error {
	var text []byte
	for i, s := range sets {
		text = appendRelaxed(appendRelaxed(text, s.results.field), s.message.field)
		if i < len(sets)-1 {
			text = appendRelaxed(text, s.seal.field)
		}
	}
	seal := sets[len(sets)-1].seal
	key, err := c.publicKey(ctx, seal.tags)
	if err != nil {
		return err
	}
	return seal.verify(key, appendRelaxed(text, seal.unsigned()))
}
