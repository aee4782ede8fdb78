package smtpserver

// MailParams are the parameters of MAIL.
type MailParams struct {
	Size     int64  // SIZE= (RFC 1870): what the client thinks the message has; 0 if not said
	EightBit bool   // BODY=8BITMIME (RFC 6152)
	UTF8     bool   // SMTPUTF8 (RFC 6531)
	Auth     string // AUTH= (RFC 4954 §5), decoded; "<>" where the client said so; "" if not said
}

// RcptParams are the parameters of RCPT. None of the extensions offered has one; the type is here
// so that the interface stays as it is when one does.
type RcptParams struct{}
