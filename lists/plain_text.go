package lists

import (
	"bytes"
	"strings"

	"github.com/jhillyerd/enmime/v2"
)

// maxCommandMail is how much of a mail is looked at for commands.
const maxCommandMail = 64 << 10

// Bounds of a mail that is taken apart for its text.
const (
	maxMIMEParts = 1000
	maxMIMEDepth = 100
)

// plainText is the text of a message as a person reads it; "" where there is none that can be got
// at.
func plainText(raw []byte) (text string) {
	if bytes.Count(raw, []byte("\n--")) > 2*maxMIMEParts || bytes.Count(bytes.ToLower(raw), []byte("multipart/")) > maxMIMEDepth {
		return ""
	}
	defer func() {
		if recover() != nil { // whatever a stranger sent, the others' mail must go on
			text = ""
		}
	}()
	e, err := enmime.NewParser(enmime.SkipMalformedParts(true), enmime.MaxStoredPartErrors(10)).ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(e.Text, "?")
}
