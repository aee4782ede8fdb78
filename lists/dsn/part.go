package dsn

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
)

const (
	maxDepth = 8    // of parts within parts: a report has one
	maxParts = 100  // looked at in all
	maxField = 4096 // octets from which on continuation lines are passed over
)

// finder looks for the part that holds the status, or the disposition.
type finder struct {
	parts int
	read  bool // it is a disposition
}

// findStatus is what a message says of the fate of another, and whether a reader's program says it.
func findStatus(raw []byte) (status []byte, read, ok bool) {
	var f finder
	status, ok = f.find(raw, 0)
	return status, f.read, ok
}

// find looks at an entity, header and body, and at what is in it.
func (f *finder) find(entity []byte, depth int) ([]byte, bool) {
	if f.parts++; f.parts > maxParts || depth > maxDepth {
		return nil, false
	}
	header, body := cutHeader(entity)
	media, params, err := mime.ParseMediaType(header["content-type"])
	if err != nil {
		// A parameter that cannot be read does not hide what the part is.
		media, _, _ = strings.Cut(strings.ToLower(header["content-type"]), ";")
		media = strings.TrimSpace(media)
	}
	switch {
	case media == "message/disposition-notification", media == "message/global-disposition-notification":
		f.read = true
		return decode(body, header["content-transfer-encoding"]), true
	case media == "message/delivery-status", media == "message/global-delivery-status":
		return decode(body, header["content-transfer-encoding"]), true
	case strings.HasPrefix(media, "multipart/") && params["boundary"] != "":
		return f.findIn(body, params["boundary"], depth)
	}
	return nil, false
}

func (f *finder) findIn(body []byte, boundary string, depth int) ([]byte, bool) {
	mark := []byte("--" + boundary)
	start := -1
	for at := 0; at < len(body); {
		line, next := body[at:], len(body)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], at+i+1
		}
		if bytes.HasPrefix(line, mark) {
			if start >= 0 {
				if status, ok := f.find(body[start:at], depth+1); ok {
					return status, true
				}
			}
			start = next
			if bytes.HasPrefix(line[len(mark):], []byte("--")) {
				return nil, false
			}
		}
		at = next
	}
	if start < 0 {
		return nil, false
	}
	return f.find(body[start:], depth+1) // the end is missing: it was cut
}

// decode undoes the transfer encoding, as far as it can be undone.
func decode(body []byte, encoding string) []byte {
	var r io.Reader
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body))
	case "quoted-printable":
		r = quotedprintable.NewReader(bytes.NewReader(body))
	default:
		return body
	}
	decoded, err := io.ReadAll(r)
	if err != nil && len(decoded) == 0 {
		return body
	}
	return decoded
}

// groups cuts a status into its groups of fields, which empty lines part (RFC 3464 §2.1).
func groups(status []byte) []map[string]string {
	var found []map[string]string
	for len(status) > 0 {
		var group map[string]string
		group, status = cutHeader(status)
		if len(group) > 0 {
			found = append(found, group)
		}
	}
	return found
}

// cutHeader reads fields up to an empty line and returns them by name in lower case, unfolded, with
// what follows the empty line. Of several fields of a name the first counts; what is no field is
// passed over.
func cutHeader(text []byte) (fields map[string]string, rest []byte) {
	fields = map[string]string{}
	last := ""
	for len(text) > 0 {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			return fields, text
		}
		if line[0] == ' ' || line[0] == '\t' {
			if last != "" && len(fields[last]) < maxField {
				fields[last] += " " + string(bytes.TrimSpace(line))
			}
			continue
		}
		last = putField(fields, line)
	}
	return fields, nil
}

// putField notes a field and returns its name, "" if there was nothing to note.
func putField(fields map[string]string, line []byte) string {
	name, value, ok := bytes.Cut(line, []byte(":"))
	key := strings.ToLower(string(bytes.TrimSpace(name)))
	if _, before := fields[key]; !ok || before || key == "" {
		return ""
	}
	fields[key] = string(bytes.TrimSpace(value))
	return key
}
