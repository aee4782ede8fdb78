package smtp

// Reply codes (RFC 5321 §4.2.3, RFC 4954 §6).
const (
	CodeHelp           = 214
	CodeReady          = 220
	CodeClosing        = 221
	CodeAuthOK         = 235
	CodeOK             = 250
	CodeCannotVerify   = 252
	CodeAuthContinue   = 334
	CodeStartMail      = 354
	CodeUnavailable    = 421
	CodeMailboxBusy    = 450
	CodeLocalError     = 451
	CodeStorage        = 452
	CodeTLSUnavailable = 454
	CodeParams         = 455
	CodeUnknown        = 500
	CodeSyntax         = 501
	CodeNotImplemented = 502
	CodeSequence       = 503
	CodeParamUnknown   = 504
	CodeAuthRequired   = 530
	CodeAuthFailed     = 535
	CodeEncryption     = 538
	CodeNoMailbox      = 550
	CodeNotLocal       = 551
	CodeTooBig         = 552
	CodeMailboxName    = 553
	CodeFailed         = 554
	CodeNoParam        = 555
)

// Enhanced status codes that several rooms use (RFC 3463 §3, RFC 4954 §6, RFC 6531 §3.5, RFC 7504).
var (
	StatusOK          = Enhanced{2, 0, 0}
	StatusAddressOK   = Enhanced{2, 1, 5}
	StatusCannotVRFY  = Enhanced{2, 5, 2}
	StatusNoMailbox   = Enhanced{5, 1, 1}
	StatusBadSyntax   = Enhanced{5, 5, 2}
	StatusBadSequence = Enhanced{5, 5, 1}
	StatusDenied      = Enhanced{5, 7, 1}
	StatusBadContent  = Enhanced{5, 6, 0}
	StatusLoop        = Enhanced{5, 4, 6}
	StatusTooBig      = Enhanced{5, 3, 4}
	StatusLater       = Enhanced{4, 3, 0}
	StatusTooMany     = Enhanced{4, 5, 3}
)
