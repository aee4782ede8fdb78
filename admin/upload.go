package admin

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// receive reads an upload to its end, into a file that has no name any more. A browser takes as long
// as it likes to send one; meanwhile it is to hold nothing that others wait for.
func (s *Site) receive(r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp(s.cfg.SpoolDir, "muster-upload-*")
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("upload: %w", err), f.Close())
	}
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("upload: %w", err), f.Close())
	}
	return f, nil
}
