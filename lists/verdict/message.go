package verdict

import (
	"io"
	"mime"
	"net/mail"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/htmlindex"

	"muster/smtp"
)

// Message is what the header of a message says, as far as a verdict and the list of posts need it.
type Message struct {
	From      smtp.Mailbox
	FromFault string   // why From is not one field with one address: a Fault constant, or ""
	MessageID string   // with angle brackets; "" if there is none that can be used
	BogusID   string   // the field as it is, where it is there and cannot be used
	Subject   string   // decoded, at most 500 octets
	Automatic string   // the field that says that no person sent this; "" if none does
	Robot     bool     // never to be answered automatically, though it may be a post
	Received  int      // Received fields
	Passed    []string // of these, those that a Muster wrote
	ListIDs   []string
	Marks     []string // addresses in X-BeenThere and X-Loop, as keys
	Seals     []string // what may be seals of ours, in the fields where we put them
	Date      string   // as it stands there
}

// The ways From can be wrong.
const (
	FaultNoFrom    = "none"    // there is no From
	FaultManyFrom  = "many"    // several From fields, or several addresses in one
	FaultFromParse = "unclear" // no address can be read from it
)

const (
	maxSubject   = 500
	maxMessageID = 990 // with its name it must fit a line
)

// Read takes from a header, up to and with its empty line, what matters here. It never fails: what
// cannot be read is absent.
func Read(header []byte) Message {
	var m Message
	froms := 0
	for name, value := range fields(header) {
		switch strings.ToLower(name) {
		case "from":
			froms++
			m.From, m.FromFault = readFrom(value)
		case "message-id":
			if m.MessageID == "" {
				m.MessageID, m.BogusID = readMessageID(value), value
			}
		case "subject":
			m.Subject = CleanSubject(decode(value))
		case "received":
			m.addReceived(value)
		case "list-id":
			m.ListIDs = append(m.ListIDs, readListID(value))
		case "x-beenthere", "x-loop":
			m.addMark(value)
		case "list-unsubscribe", "return-path", "sender", "errors-to":
			m.addSeals(value)
		case "date":
			m.Date = value
		default:
			m.readRobot(strings.ToLower(name), value)
		}
	}
	if m.MessageID != "" {
		m.BogusID = ""
	}
	if froms == 0 {
		m.FromFault = FaultNoFrom
	}
	if froms > 1 {
		m.FromFault = FaultManyFrom
	}
	m.Robot = m.Robot || m.Automatic != "" || len(m.ListIDs) > 0 || isRobot(m.From.Address.Local)
	return m
}

// readFrom reads From the way people's software writes it, and demands exactly one address
// (RFC 5322 §3.6.2 allows several; which of them posts would be anybody's guess).
func readFrom(value string) (smtp.Mailbox, string) {
	found, err := (&mail.AddressParser{WordDecoder: wordDecoder()}).ParseList(value)
	switch {
	case err == nil && len(found) == 1:
		a, err := smtp.AddressOf(found[0])
		if err != nil {
			return smtp.Mailbox{}, FaultFromParse
		}
		return smtp.Mailbox{Name: smtp.CleanName(found[0].Name), Address: a}, ""
	case err == nil:
		return smtp.Mailbox{}, FaultManyFrom
	}
	// Names with stray characters are common in real mail; one pair of angle brackets is clear
	// enough.
	if strings.Count(value, "<") == 1 && strings.HasSuffix(value, ">") {
		if m, err := smtp.ParseMailbox(value); err == nil {
			return m, ""
		}
	}
	return smtp.Mailbox{}, FaultFromParse
}

// readMessageID returns the first <…> of the field, or "" if it is bogus or cannot be kept in a
// line: then another is made.
func readMessageID(value string) string {
	start := strings.IndexByte(value, '<')
	if start < 0 {
		return ""
	}
	end := strings.IndexByte(value[start:], '>')
	if end < 0 {
		return ""
	}
	id := value[start : start+end+1]
	if len(id) < 5 || len(id) > maxMessageID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return id
}

// readListID is the identifier of RFC 2919 §2 without the phrase before it, in lower case.
func readListID(value string) string {
	if i := strings.LastIndexByte(value, '<'); i >= 0 {
		value = strings.TrimSuffix(value[i+1:], ">")
	}
	return strings.ToLower(strings.TrimSpace(value))
}

// Mark stands as a comment in the Received fields that Muster writes, to know its own by.
const Mark = "(Muster)"

// HasPassed says whether the message was here before, at the server of that name and for that
// address.
func (m *Message) HasPassed(host string, a smtp.Address) bool {
	for _, field := range m.Passed {
		field = strings.Join(strings.Fields(strings.ToLower(field)), " ")
		if strings.Contains(field, strings.ToLower(" by "+host+" "+Mark)) && strings.Contains(field, "for <"+a.Key()+">") {
			return true
		}
	}
	return false
}

func (m *Message) addReceived(value string) {
	m.Received++
	if strings.Contains(value, Mark) && len(m.Passed) < MaxReceived {
		m.Passed = append(m.Passed, value)
	}
}

func (m *Message) addMark(value string) {
	if a, err := smtp.ParseAddress(strings.Trim(value, "<> \t")); err == nil {
		m.Marks = append(m.Marks, a.Key())
	}
}

// sealed is how a seal stands in a bounce address and in a link that leaves.
var sealed = regexp.MustCompile(`(?i)(?:-bounces\+|/leave/)([a-z2-7]{26})\b`)

func (m *Message) addSeals(value string) {
	for _, match := range sealed.FindAllStringSubmatch(value, 10) {
		m.Seals = append(m.Seals, match[1])
	}
}

// decode resolves encoded words; what cannot be decoded stays as it is.
func decode(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	d, err := wordDecoder().DecodeHeader(s)
	if err != nil {
		return s
	}
	return d
}

func wordDecoder() *mime.WordDecoder {
	return &mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
		e, err := htmlindex.Get(charset)
		if err != nil {
			return nil, err
		}
		return e.NewDecoder().Reader(in), nil
	}}
}

// CleanSubject makes a subject fit to be shown in one line.
func CleanSubject(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxSubject {
		s = strings.ToValidUTF8(s[:maxSubject], "")
	}
	return s
}
