package dsn

import "strings"

// disposition reads what a reader's program says of one message for one recipient (RFC 8098 §3).
func disposition(text []byte) Report {
	for _, group := range groups(text) {
		action := disposedAs(group["disposition"])
		if action == "" {
			continue
		}
		host, _, _ := strings.Cut(group["reporting-ua"], ";")
		return Report{
			Kind: Read, MessageID: clean(group["original-message-id"]), Host: clean(host),
			Recipients: []Recipient{{
				Kind: Read, Action: action, Address: untyped(group["final-recipient"]), Original: untyped(group["original-recipient"]),
				Text: clean(group["error"]),
			}},
		}
	}
	return Report{Kind: Unknown}
}

// disposedAs is the type in "manual-action/MDN-sent-manually; displayed/error", "" for one that is not
// known (RFC 8098 §3.2.6).
func disposedAs(value string) string {
	_, kind, _ := strings.Cut(value, ";")
	kind, _, _ = strings.Cut(kind, "/")
	kind, _, _ = strings.Cut(kind, "(")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
	case ActionDisplayed, ActionDeleted, ActionDispatched, ActionProcessed:
		return kind
	}
	return ""
}
