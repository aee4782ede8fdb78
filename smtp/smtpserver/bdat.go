package smtpserver

import (
	"context"
	"strconv"
	"strings"

	"muster/smtp"
)

// bdat is BDAT (RFC 3030 §2): so many octets follow the command, whatever the server thinks of it.
// They are read and thrown away when the chunk is refused: taking them for commands would be smuggling
// again.
func (s *session) bdat(ctx context.Context, arg string) (*smtp.Reply, error) {
	size, last, ok := readBdat(arg)
	if !ok {
		// How much follows is not known, so there is no way to go on.
		if err := s.write(syntax("BDAT octets [LAST]")); err != nil {
			return nil, err
		}
		return nil, errTold
	}
	refusal := s.notReady()
	if refusal == nil && !s.tx.chunks {
		s.intake.begin()
		s.tx.chunks = true
	}
	if err := s.readChunk(size, refusal != nil); err != nil {
		return nil, err
	}
	switch {
	case refusal != nil:
		return refusal, nil
	case last:
		return s.deliver(ctx)
	case s.intake.refusal != nil:
		return s.intake.refusal, nil
	}
	return smtp.NewReply(smtp.CodeOK, smtp.StatusOK, strconv.FormatInt(size, 10)+" octets received"), nil
}

func readBdat(arg string) (size int64, last, ok bool) {
	number, rest, more := strings.Cut(arg, " ")
	n, err := strconv.ParseUint(number, 10, 63)
	last = equalFold(strings.TrimSpace(rest), "LAST")
	return int64(n), last, err == nil && more == last
}

// readChunk takes exactly size octets.
func (s *session) readChunk(size int64, throwAway bool) error {
	s.wire.expect(s.dataPatience())
	for size > 0 {
		piece, err := s.wire.chunk(size)
		if err != nil {
			return err
		}
		if !throwAway {
			s.intake.add(piece)
		}
		size -= int64(len(piece))
		s.wire.in.Discard(len(piece)) // it is in the buffer
	}
	return nil
}
