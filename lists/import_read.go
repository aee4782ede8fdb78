package lists

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"muster/smtp"
)

// importRow is a line of a file that names a member to be.
type importRow struct {
	Member
	line int
}

// importReader reads rows from a file: CSV with a header, or one mailbox a line.
type importReader struct {
	lines   *lineReader
	list    int64
	comma   byte     // 0: one mailbox a line
	columns []string // what each cell is, "" for what is not read
	cells   []string // reused for each record
}

// newImportReader reads the first line to learn the format.
func newImportReader(r io.Reader, list int64) (*importReader, error) {
	in := &importReader{lines: newLineReader(r), list: list}
	first, err := in.firstLine()
	if err == io.EOF || errors.Is(err, errRecordLong) {
		return in, nil
	}
	if err != nil {
		return nil, err
	}
	if in.comma, in.columns = readHeader(first.text); in.comma == 0 {
		in.lines.giveBack([]line{first})
	}
	return in, nil
}

func (in *importReader) firstLine() (line, error) {
	for {
		l, err := in.lines.next()
		if err != nil || strings.TrimSpace(l.text) != "" {
			return l, err
		}
	}
}

// importColumn is what the header of a file may call a column, in lower case.
func importColumn(title string) string {
	switch strings.ToLower(strings.TrimSpace(title)) {
	case "address", "email", "e-mail", "mail", "email address", "e-mail address", "email_address", "e-mail-adresse", "adresse":
		return "address"
	case "name", "display name", "display_name", "full name", "full_name", "real name", "realname":
		return "name"
	case "mode", "state", "hidden", "own_posts", "language", "vacation", "addressed_posts":
		return strings.ToLower(strings.TrimSpace(title))
	}
	return ""
}

// readHeader finds the separator with which a line is a header that has a column of addresses: 0
// if there is none, and the line is no header.
func readHeader(text string) (comma byte, columns []string) {
	for _, comma := range []byte{',', ';', '\t'} {
		cells, open, err := splitRecord(nil, text, comma)
		if open || err != nil {
			continue
		}
		for i, title := range cells {
			cells[i] = importColumn(title)
		}
		if slices.Contains(cells, "address") {
			return comma, cells
		}
	}
	return 0, nil
}

// next returns the next row, or why a line was refused, or io.EOF.
func (in *importReader) next() (importRow, *Refusal, error) {
	for {
		row, text, err := in.read()
		var wrong *Error
		switch {
		case err == nil && text == "":
			continue // an empty line
		case err == nil:
			return row, nil, nil
		case errors.Is(err, errRecordLong) || errors.Is(err, errQuote):
			return row, &Refusal{Line: row.line, Text: clip(text), Code: "import.line", Reason: err.Error()}, nil
		case errors.As(err, &wrong):
			return row, &Refusal{Line: row.line, Text: clip(text), Code: wrong.Code, Reason: wrong.Msg}, nil
		}
		return row, nil, err
	}
}

// read reads a line or record into a row; text is what it was read from.
func (in *importReader) read() (row importRow, text string, err error) {
	if in.comma == 0 {
		l, err := in.lines.next()
		if err != nil {
			return importRow{line: l.number}, l.text, err
		}
		if strings.TrimSpace(l.text) == "" {
			return importRow{line: l.number}, "", nil
		}
		m, err := in.member(l.text, "")
		return importRow{Member: m, line: l.number}, l.text, err
	}
	l, cells, err := in.lines.record(in.cells[:0], in.comma)
	if err != nil {
		return importRow{line: l.number}, l.text, err
	}
	in.cells = cells
	if !slices.ContainsFunc(cells, func(cell string) bool { return cell != "" }) {
		return importRow{line: l.number}, "", nil
	}
	m, err := in.record(cells)
	return importRow{Member: m, line: l.number}, l.text, err
}

// record makes a member of the cells of a record.
func (in *importReader) record(cells []string) (Member, error) {
	address, name := "", ""
	var changes []Change
	for i, cell := range cells[:min(len(cells), len(in.columns))] {
		switch column := in.columns[i]; {
		case column == "" || cell == "":
		case column == "address":
			address = cell
		case column == "name":
			name = plainCell(cell)
		default:
			changes = append(changes, Change{column, cell})
		}
	}
	m, err := in.member(address, name)
	if err != nil {
		return Member{}, err
	}
	return m, m.setImported(changes)
}

func (m *Member) setImported(changes []Change) error {
	for _, c := range changes {
		if c.Key == "language" {
			m.Language = languageTag(c.Value)
			continue
		}
		value, err := checkChange(MemberSettings(), c)
		if err != nil {
			return err
		}
		m.put(c.Key, value)
	}
	return nil
}

// member makes a member of a mailbox as people write it.
func (in *importReader) member(mailbox, name string) (Member, error) {
	if strings.TrimSpace(mailbox) == "" {
		return Member{}, Errorf(Invalid, "import.address", "there is no address")
	}
	box, err := smtp.ParseMailbox(mailbox)
	if err != nil {
		return Member{}, Errorf(Invalid, "import.address", "%s", addressReason(mailbox, err))
	}
	if name != "" {
		box.Name = name
	}
	return memberOf(in.list, box), nil
}

// addressReason says what is wrong with an address, and how to bring CSV without a header.
func addressReason(mailbox string, err error) string {
	switch {
	case errors.Is(err, smtp.ErrAddressLong):
		return "the address is too long"
	case strings.ContainsAny(mailbox, ",;\t") && strings.Contains(mailbox, "@"):
		return fmt.Sprintf("%s; a file of several columns needs a first line that names them, such as address,name", smtp.ErrAddress)
	}
	return smtp.ErrAddress.Error()
}
