package verdict

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Structure is what parts a message is made of, without what is in them.
type Structure struct {
	Types []string // of its parts, in lower case, each once
	Names []string // of files, in lower case, each once
	Bomb  bool     // it has more parts, or deeper ones, than anybody sends to people
	Odd   bool     // it cannot be taken apart
}

// Bounds of what is taken apart. Reading takes the memory of one part's header, whatever the message.
const (
	maxParts = 1000
	maxDepth = 30
	maxSeen  = 200 // types, and names of files
	// maxPartHeader is how large the header of a message may be that is in another.
	maxPartHeader = 1 << 20
)

var errBomb = errors.New("too many parts, or too deep")

// ReadStructure takes a message apart without keeping anything of it. The error is one of reading; what is
// wrong with the message is in the Structure.
func ReadStructure(message io.Reader) (Structure, error) {
	src := &faults{r: message}
	w := walker{}
	err := w.message(src, 0)
	switch {
	case src.err != nil:
		return Structure{}, src.err
	case errors.Is(err, errBomb):
		w.found.Bomb = true
	case err != nil:
		w.found.Odd = true
	}
	return w.found, nil
}

// faults remembers what went wrong below, which is no fault of the message.
type faults struct {
	r   io.Reader
	err error
}

// Read is io.Reader's.
func (f *faults) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// walker goes through the parts of a message.
type walker struct {
	found Structure
	parts int
}

// message notes the parts of a message, itself or one that another carries. Lines of its header that are no
// fields are passed over, as everywhere.
func (w *walker) message(r io.Reader, depth int) error {
	b := bufio.NewReader(r)
	var raw []byte
	for {
		line, err := b.ReadSlice('\n') // a long line comes in pieces
		raw = append(raw, line...)
		if len(raw) > maxPartHeader {
			return errBomb
		}
		if err == io.EOF || err == nil && isEmpty(line) && isWhole(raw, line) {
			break
		}
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
	}
	header := textproto.MIMEHeader{}
	for name, value := range fields(raw) {
		header.Add(name, value)
	}
	return w.part(header, b, depth)
}

// isWhole says whether what was read last began a line.
func isWhole(raw, line []byte) bool {
	before := raw[:len(raw)-len(line)]
	return len(before) == 0 || before[len(before)-1] == '\n'
}

// part notes a part and those in it.
func (w *walker) part(header textproto.MIMEHeader, body io.Reader, depth int) error {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		return errBomb
	}
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case header.Get("Content-Type") == "":
		kind = "text/plain" // RFC 2045 §5.2
	case errors.Is(err, mime.ErrInvalidMediaParameter) && !strings.HasPrefix(kind, "multipart/"):
	case err != nil && kind == "":
		kind = "application/octet-stream" // what nobody can read is not text
	case err != nil && strings.HasPrefix(kind, "multipart/"):
		return err
	}
	note(&w.found.Types, kind)
	w.name(header, params)
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		return w.multipart(body, params["boundary"], depth)
	case kind == "message/rfc822", kind == "message/global":
		return w.message(body, depth+1)
	}
	return nil
}

// name notes what a part is called as a file, by each field that says so: programs differ in which they go by.
func (w *walker) name(header textproto.MIMEHeader, params map[string]string) {
	_, disposed, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	for _, name := range []string{
		params["name"], disposed["filename"], loosely(header.Get("Content-Type")), loosely(header.Get("Content-Disposition")),
	} {
		if name != "" {
			note(&w.found.Names, decode(toUTF8(name)))
		}
	}
}

// called is how a file's name stands in a field that is not well formed, which mail programs read all the same.
var called = regexp.MustCompile(`(?i)\b(?:file)?name\s*=\s*"?([^";\s][^";]*)`)

func loosely(value string) string {
	if m := called.FindStringSubmatch(value[:min(len(value), maxValue)]); m != nil {
		return strings.TrimSpace(m[1])
	}
	return ""
}

func (w *walker) multipart(body io.Reader, boundary string, depth int) error {
	if boundary == "" {
		return errors.New("multipart without a boundary")
	}
	r := multipart.NewReader(body, boundary)
	for n := 0; ; n++ {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if n > 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
				return nil // its last boundary is missing, as that of many mails
			}
			return err
		}
		if err := w.part(p.Header, p, depth+1); err != nil {
			return err
		}
	}
}

func note(all *[]string, word string) {
	word = strings.ToLower(word[:min(len(word), 200)])
	if len(*all) < maxSeen && !slices.Contains(*all, word) {
		*all = append(*all, word)
	}
}

// What askMIME finds.
const (
	MIMERefused = "refused"
	MIMENotText = "not-text"
	MIMEOdd     = "unreadable"
	MIMEBomb    = "bomb"
)

func mimeAnswers() []string { return []string{MIMERefused, MIMENotText, MIMEOdd, MIMEBomb} }

func asksMIME(f *Facts) bool { return len(f.Options.MIMERefused) > 0 || f.Options.TextOnly }

func needStructure(*Facts) Need { return NeedStructure }

func askMIME(f *Facts) finding {
	s, o := &f.Structure, &f.Options
	switch {
	case s.Bomb:
		return act(Reject, MIMEBomb)
	case s.Odd:
		return act(Hold, MIMEOdd)
	}
	for _, refused := range o.MIMERefused {
		for _, have := range slices.Concat(s.Types, s.Names) {
			if ok, err := path.Match(refused, strings.ReplaceAll(have, "/", slashIn(refused))); ok && err == nil {
				return s.refused(o.MIMEAction, MIMERefused, have)
			}
		}
	}
	for _, kind := range s.Types {
		if o.TextOnly && !isPlain(kind) {
			return s.refused(o.MIMEAction, MIMENotText, kind)
		}
	}
	return passed()
}

// slashIn is what a slash is to a pattern: for a file's name, whatever stands before it, any character.
func slashIn(pattern string) string {
	if strings.Contains(pattern, "/") {
		return "/"
	}
	return "_"
}

func (s *Structure) refused(action Action, answer, what string) finding {
	found := act(action, answer)
	found.params = map[string]string{"type": what}
	return found
}

// isPlain knows the types of a mail that is nothing but text, signed or not.
func isPlain(kind string) bool {
	switch kind {
	case "text/plain", "multipart/mixed", "multipart/signed", "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature":
		return true
	}
	return false
}
