package smtpserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// keepBuffer is how much memory a session keeps from one message to the next: most mail fits, and
// a thousand idle sessions stay small.
const keepBuffer = 64 << 10

// spool holds a message while it arrives: its beginning in memory, the rest, if there is one, in a
// file that has no name any more, so that a crash leaves nothing behind.
type spool struct {
	dir    string
	memory int // what is kept in memory
	head   []byte
	file   *os.File
	inFile int64
}

// Write appends p.
func (s *spool) Write(p []byte) (int, error) {
	n := min(len(p), s.memory-len(s.head))
	s.head = append(s.head, p[:n]...)
	if n == len(p) {
		return n, nil
	}
	m, err := s.overflow(p[n:])
	return n + m, err
}

func (s *spool) overflow(p []byte) (int, error) {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "muster-spool-*")
		if err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
	}
	n, err := s.file.Write(p)
	s.inFile += int64(n)
	if err != nil {
		return n, fmt.Errorf("spool: %w", err)
	}
	return n, nil
}

// size is what has been written.
func (s *spool) size() int64 { return int64(len(s.head)) + s.inFile }

// open reads it all from the beginning, independently of other readers.
func (s *spool) open() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.head)
	}
	return io.MultiReader(bytes.NewReader(s.head), io.NewSectionReader(s.file, 0, s.inFile))
}

// reset makes it empty for the next message.
func (s *spool) reset() error {
	if cap(s.head) > keepBuffer {
		s.head = nil
	}
	s.head = s.head[:0]
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file, s.inFile = nil, 0
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}
