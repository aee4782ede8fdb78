package lists

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// exportPage is how many members are read at a time: no transaction waits for the one who reads.
const exportPage = 5000

// Export writes the members of a list as CSV, in the order of their keys, as Import reads them.
func (s *Service) Export(ctx context.Context, by Actor, listID int64, w io.Writer) error {
	l, err := s.manage(ctx, s.pool, by, listID)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	out := csv.NewWriter(buffered)
	if err := out.Write(exportColumns()); err != nil {
		return fmt.Errorf("export of %s: %w", l.Address(), err)
	}
	if err := s.exportMembers(ctx, listID, out); err != nil {
		return fmt.Errorf("export of %s: %w", l.Address(), err)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("export of %s: %w", l.Address(), err)
	}
	return buffered.Flush()
}

func exportColumns() []string {
	return []string{"address", "name", "mode", "state", "hidden", "own_posts", "language", "joined", "vacation", "addressed_posts"}
}

func (s *Service) exportMembers(ctx context.Context, listID int64, out *csv.Writer) error {
	scan := memberRange{List: listID, To: endOfText, Limit: exportPage}
	for {
		page, err := selectMembers(ctx, s.pool, membersByKey, scan)
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := out.Write(m.record()); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
		scan.Key = page[len(page)-1].Key
	}
}

func (m Member) record() []string {
	return []string{
		m.Address, safeCell(m.Name), m.Mode, m.State, strconv.FormatBool(m.Hidden), strconv.FormatBool(m.OwnPosts),
		m.Language, m.Joined.UTC().Format(time.RFC3339), m.Get("vacation"), m.Get("addressed_posts"),
	}
}

// formulaStarts are the characters that make a spreadsheet run a cell.
const formulaStarts = "=+-@\t\r"

// safeCell keeps a name that somebody chose from being run as a formula by whoever opens the file.
// An address is left as it is: it has to be one when it comes back.
func safeCell(text string) string {
	if text != "" && strings.IndexByte(formulaStarts, text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// plainCell undoes safeCell.
func plainCell(text string) string {
	if len(text) > 1 && text[0] == '\'' && strings.IndexByte(formulaStarts, text[1]) >= 0 {
		return text[1:]
	}
	return text
}
