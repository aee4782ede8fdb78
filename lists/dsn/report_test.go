package dsn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/lists/dsn"
	"muster/smtp"
)

// crlf makes a message of text as it is written here.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

const head = `From: MAILER-DAEMON@mx.example
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

It did not work.
--b1
`

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want dsn.Report
	}{
		{"failed", head + `Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Original-Recipient: rfc822;Fred@doc.example
Final-Recipient: rfc822; fred@host.doc.example
Action: failed
Status: 5.1.1 (no such user)
Diagnostic-Code: smtp; 550 5.1.1
 <fred@host.doc.example>: no such user

--b1--
`, dsn.Report{Kind: dsn.Failed, Host: "mx.example", Recipients: []dsn.Recipient{{
			Kind: dsn.Failed, Action: dsn.ActionFailed, Address: "fred@host.doc.example", Original: "Fred@doc.example", Status: smtp.Enhanced{5, 1, 1},
			Text: "550 5.1.1 <fred@host.doc.example>: no such user",
		}}}},
		{"delayed", head + `Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ann@a.example
Action: delayed
Status: 4.4.1

--b1--
`, dsn.Report{Kind: dsn.Delayed, Host: "mx.example", Recipients: []dsn.Recipient{{Kind: dsn.Delayed, Action: dsn.ActionDelayed, Address: "ann@a.example", Status: smtp.Enhanced{4, 4, 1}}}}},
		{"one failed, one delivered, cut off", head + `Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ann@a.example
Action: relayed
Status: 2.0.0

Final-Recipient: rfc822; <bob@b.example>
Action: failure (for good)
Status: none
`, dsn.Report{Kind: dsn.Failed, Host: "mx.example", Recipients: []dsn.Recipient{
			{Kind: dsn.Delivered, Action: dsn.ActionRelayed, Address: "ann@a.example", Status: smtp.Enhanced{2, 0, 0}},
			{Kind: dsn.Failed, Action: dsn.ActionFailed, Address: "bob@b.example"},
		}}},
		{"no action", head + `Content-Type: message/delivery-status

Final-Recipient: rfc822; ann@a.example
Status: 5.2.2

--b1--
`, dsn.Report{Kind: dsn.Failed, Recipients: []dsn.Recipient{{Kind: dsn.Failed, Address: "ann@a.example", Status: smtp.Enhanced{5, 2, 2}}}}},
		{"base64", head + `Content-Type: message/delivery-status
Content-Transfer-Encoding: base64

RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFubkBhLmV4YW1wbGUKQWN0aW9uOiBmYWlsZWQKU3Rh
dHVzOiA1LjAuMAo=
--b1--
`, dsn.Report{Kind: dsn.Failed, Recipients: []dsn.Recipient{{Kind: dsn.Failed, Action: dsn.ActionFailed, Address: "ann@a.example", Status: smtp.Enhanced{5, 0, 0}}}}},
		{"quoted status of somebody's post", "From: ann@a.example\nContent-Type: text/plain\n\nFinal-Recipient: rfc822; x@y.example\nAction: failed\n", dsn.Report{Kind: dsn.Unknown}},
		{"a report on reading", "Content-Type: multipart/report; boundary=b1\n\n--b1\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; a@b.example\nDisposition: manual-action; displayed\n--b1--\n", dsn.Report{Kind: dsn.Read, Recipients: []dsn.Recipient{{Kind: dsn.Read, Action: dsn.ActionDisplayed, Address: "a@b.example"}}}},
		{"a report on reading of an unknown kind", "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; a@b.example\nDisposition: manual-action; framed\n", dsn.Report{Kind: dsn.Unknown}},
		{"a report on reading that went wrong", "Content-Type: message/global-disposition-notification\n\nFinal-Recipient: utf-8; ü@b.example\nDisposition: automatic-action/MDN-sent-automatically; Deleted/error (x)\nError: no room\n", dsn.Report{Kind: dsn.Read, Recipients: []dsn.Recipient{
			{Kind: dsn.Read, Action: dsn.ActionDeleted, Address: "ü@b.example", Text: "no room"}}}},
		{"empty", "", dsn.Report{Kind: dsn.Unknown}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, dsn.Parse(crlf(tt.in))); diff != "" {
				t.Errorf("with CR LF (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, dsn.Parse([]byte(tt.in))); diff != "" {
				t.Errorf("with LF (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	r := dsn.Report{Kind: dsn.Failed, Recipients: []dsn.Recipient{
		{Kind: dsn.Delayed, Address: "a@x"}, {Kind: dsn.Failed, Address: "b@x", Status: smtp.Enhanced{4, 4, 7}},
	}}
	w := r.Worst()
	if w.Address != "b@x" || w.Permanent() {
		t.Errorf("worst is %+v, permanent %v", w, w.Permanent())
	}
	if !(dsn.Recipient{Kind: dsn.Failed}).Permanent() {
		t.Error("a failure without a status is not permanent")
	}
	if (dsn.Report{Kind: dsn.Unknown}).Worst().Kind != "" {
		t.Error("nobody fared worst, and yet somebody did")
	}
}

func FuzzDSN(f *testing.F) {
	f.Add(crlf(head + "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n\n--b1--\n"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\n--a--"))
	f.Add([]byte("Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n====\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := dsn.Parse(raw)
		if (len(r.Recipients) == 0) != (r.Worst() == dsn.Recipient{}) && r.Kind != dsn.Unknown {
			t.Errorf("report %+v has no worst recipient", r)
		}
		for _, rcpt := range r.Recipients {
			if strings.ContainsAny(rcpt.Text, "\r\n\x00") || len(rcpt.Text) > 512 {
				t.Errorf("unclean text %q", rcpt.Text)
			}
		}
	})
}

// TestParseWhole reads what a Postfix and a Thunderbird send.
func TestParseWhole(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]dsn.Report{
		"postfix-success.eml": {Kind: dsn.Delivered, EnvelopeID: "ENVID", Host: "mx.far.example", Recipients: []dsn.Recipient{{
			Kind: dsn.Delivered, Action: dsn.ActionDelivered, Address: "ben@far.example", Original: "ben@far.example",
			Status: smtp.Enhanced{2, 0, 0}, Text: "delivered to maildir",
		}}},
		"displayed.eml": {Kind: dsn.Read, MessageID: "<1@a.example>", Host: "mail.far.example", Recipients: []dsn.Recipient{{
			Kind: dsn.Read, Action: dsn.ActionDisplayed, Address: "ben@far.example", Original: "ben@far.example",
		}}},
	} {
		raw, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, dsn.Parse(raw)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}
