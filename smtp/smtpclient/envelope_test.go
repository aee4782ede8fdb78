package smtpclient_test

import (
	"strings"
	"testing"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	all := []string{"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN"}
	tests := []struct {
		name       string
		extensions []string
		envelope   smtpclient.Envelope
		mail, rcpt string
	}{
		{"null sender", all, smtpclient.Envelope{}, "<>", "<a@x.example>"},
		{"everything", all, smtpclient.Envelope{
			From: smtp.Address{Local: "o'b", Domain: "l.example"}, Size: 1234, EightBit: true, Return: "HDRS", ID: "a+b =c", Notify: "NEVER",
		}, "<o'b@l.example> SIZE=1234 BODY=8BITMIME RET=HDRS ENVID=a+2Bb+20+3Dc", "<a@x.example> NOTIFY=NEVER"},
		{"nothing offered", all[:1], smtpclient.Envelope{
			From: smtp.Address{Local: "o", Domain: "l.example"}, Size: 1234, EightBit: true, Return: "HDRS", ID: "x", Notify: "NEVER",
		}, "<o@l.example>", "<a@x.example>"},
		{"original recipient", all, smtpclient.Envelope{Notify: "SUCCESS", Original: true, To: []smtp.Address{{Local: "a+b=c", Domain: "x.example"}}},
			"<>", "<a+b=c@x.example> NOTIFY=SUCCESS ORCPT=rfc822;a+2Bb+3Dc@x.example"},
		{"original recipient, quoted", all, smtpclient.Envelope{Original: true, To: []smtp.Address{{Local: "a b", Domain: "x.example"}}},
			"<>", `<"a b"@x.example> ORCPT=rfc822;"a+20b"@x.example`},
		{"original recipient, international", all, smtpclient.Envelope{Original: true, To: []smtp.Address{{Local: "jür+gen", Domain: "köln.example"}}},
			"<> SMTPUTF8", `<jür+gen@köln.example> ORCPT=utf-8;j\x{FC}r\x{2B}gen@k\x{F6}ln.example`},
		{"original recipient of an international domain", all, smtpclient.Envelope{Original: true, To: []smtp.Address{{Local: "a", Domain: "köln.example"}}},
			"<>", "<a@xn--kln-sna.example> ORCPT=rfc822;a@xn--kln-sna.example"},
		{"original recipient, too long", all, smtpclient.Envelope{Original: true, To: []smtp.Address{{Local: strings.Repeat("ü", 100), Domain: "x.example"}}},
			"<> SMTPUTF8", "<" + strings.Repeat("ü", 100) + "@x.example>"},
		{"original recipient, not offered", all[:1], smtpclient.Envelope{Original: true, Notify: "SUCCESS", ID: "x"}, "<>", "<a@x.example>"},
		{"quoted", all, smtpclient.Envelope{From: smtp.Address{Local: "a b", Domain: "l.example"}}, `<"a b"@l.example>`, "<a@x.example>"},
		{"international", all, smtpclient.Envelope{From: smtp.Address{Local: "liste", Domain: "l.example"}, To: []smtp.Address{{Local: "jürgen", Domain: "köln.example"}}},
			"<liste@l.example> SMTPUTF8", "<jürgen@köln.example>"},
		{"international domain", all[:1], smtpclient.Envelope{To: []smtp.Address{{Local: "a", Domain: "köln.example"}}},
			"<>", "<a@xn--kln-sna.example>"},
		{"internationalised header", all, smtpclient.Envelope{UTF8: true}, "<> BODY=8BITMIME SMTPUTF8", "<a@x.example>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, listen(t, func(f *far) {
				f.greet(tt.extensions...)
				f.hear("MAIL FROM:"+tt.mail, "RCPT TO:"+tt.rcpt, "DATA")
				f.say("250 k", "250 k", "354 go")
				f.rest()
			}))
			if tt.envelope.To == nil {
				tt.envelope.To = []smtp.Address{{Local: "a", Domain: "x.example"}}
			}
			begin(t, c, &tt.envelope)
		})
	}
}

// What this server cannot take is not asked of it.
func TestLocalRefusals(t *testing.T) {
	t.Parallel()
	plain, foreign := smtp.Address{Local: "a", Domain: "x.example"}, smtp.Address{Local: "jürgen", Domain: "x.example"}
	tests := []struct {
		name     string
		envelope smtpclient.Envelope
		want     [2]string
	}{
		{"sender", smtpclient.Envelope{From: foreign, To: []smtp.Address{plain, plain}}, [2]string{"553 5.6.7", "553 5.6.7"}},
		{"header", smtpclient.Envelope{UTF8: true, To: []smtp.Address{plain, plain}}, [2]string{"553 5.6.9", "553 5.6.9"}},
		{"size", smtpclient.Envelope{Size: 1001, To: []smtp.Address{plain, plain}}, [2]string{"552 5.3.4", "552 5.3.4"}},
		{"both recipients", smtpclient.Envelope{To: []smtp.Address{foreign, foreign}}, [2]string{"553 5.6.7", "553 5.6.7"}},
		{"first recipient", smtpclient.Envelope{To: []smtp.Address{foreign, plain}}, [2]string{"553 5.6.7", ""}},
		{"last recipient", smtpclient.Envelope{To: []smtp.Address{plain, foreign}}, [2]string{"", "553 5.6.7"}},
	}
	for _, tt := range tests {
		for _, offer := range []string{"PIPELINING", "X"} {
			t.Run(tt.name+" "+offer, func(t *testing.T) {
				t.Parallel()
				goes := tt.want[0] == "" || tt.want[1] == ""
				c := dial(t, listen(t, func(f *far) {
					f.greet(offer, "SIZE 1000")
					if goes {
						f.hear("MAIL FROM:<>")
						f.say("250 k")
						f.hear("RCPT TO:<a@x.example>")
						f.say("250 k")
						f.hear("DATA")
						f.say("354 go")
					}
					if got := f.rest(); got != "" {
						t.Errorf("the client said %q", got)
					}
				}))
				if err := c.Begin(&tt.envelope); err != nil {
					t.Fatal(err)
				}
				a, err := c.ReadEnvelope()
				if err != nil || a.Go() != goes || !a.Local {
					t.Fatalf("%+v, %v", a, err)
				}
				for i, want := range tt.want {
					if r := a.Refusal(i); (r == nil) != (want == "") || r != nil && !strings.HasPrefix(r.Error(), want) {
						t.Errorf("recipient %d: %v, want %q", i, r, want)
					}
				}
			})
		}
	}
}
