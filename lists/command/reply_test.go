package command_test

import (
	"strings"
	"testing"

	"muster/lists/command"
)

func TestReadReply(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		answer command.Answer
		reason string
	}{
		{"", "", ""},
		{"\n\n  Accept.\n\nThank you", command.AnswerAccept, ""},
		{"ACCEPT AND TRUST", command.AnswerTrust, ""},
		{"*accept*, trust", command.AnswerTrust, ""},
		{"trust\n> quoted", command.AnswerTrust, ""},
		{"discard", command.AnswerDiscard, ""},
		{"verwerfen", command.AnswerDiscard, ""},
		{"claim", command.AnswerClaim, ""},
		{"Ja!", command.AnswerYes, ""},
		{"Yes, of course", "", ""},
		{"reject", command.AnswerReject, ""},
		{"Reject: off topic", command.AnswerReject, "off topic"},
		{"reject off topic here,\ntry the other list.\n\nAnn\n-- \nsignature", command.AnswerReject, "off topic here,\ntry the other list.\n\nAnn"},
		{"reject\n\nIt is too long.\n> quoted\n", command.AnswerReject, "It is too long."},
		{"rejected", "", ""},
		{"On Monday, garden wrote:\n> accept\n> x\n\naccept\n", command.AnswerAccept, ""},
		{"accept\nOn Monday, 23 November 2026 at 12:00, the people of the garden\n<garden-owner@lists.example> wrote:\n> discard\n", command.AnswerAccept, ""},
		{"Am Montag, dem 23. November, um 12 Uhr schrieb\nGarten <g@x.example>:\n\n> x\n\ndiscard\n", command.AnswerDiscard, ""},
		{"reject off topic here, sorry\nOn Monday Ann wrote:\n> x", command.AnswerReject, "off topic here, sorry"},
		{"reject no\nOn Monday Ann wrote:\n> x", command.AnswerReject, "no"},
		{"accept\r\n\r\n-----Original Message-----\r\nFrom: x\r\n", command.AnswerAccept, ""},
		// What a program says for people who are away.
		{"Accept my apologies, I am away until Monday.", "", ""},
		{"I am away.\n\naccept\n", "", ""},
		{"> accept\n> discard", "", ""},
		{"-----Original Message-----\naccept", "", ""},
		{"Subject: accept\n\naccept", "", ""},
		{"From: garden\nSubject: x\n\naccept", "", ""},
		{"________________________________\naccept", "", ""},
		{"reject\n\nSent from my iPhone", command.AnswerReject, ""},
		{"ablehnen\nVon meinem iPhone gesendet", command.AnswerReject, ""},
		{"reject\nPlease read the rules.\nFrom: now on only text.\nThanks", command.AnswerReject, "Please read the rules.\nFrom: now on only text.\nThanks"},
		{"reject spam\n\nFrom: dev\nTo: ann\nDate: today\n\naccept", command.AnswerReject, "spam"},
		{"-- \naccept", "", ""},
		{"On Monday Ann wrote:\n\n> x", "", ""},
		{"Your message \"Waiting on Garden: accept\" was received.", "", ""},
		{"reject:", "", ""},
		{"accept discard", "", ""},
	} {
		if got := command.ReadReply(tt.text); got.Answer != tt.answer || got.Reason != tt.reason {
			t.Errorf("%q: %q, %q", tt.text, got.Answer, got.Reason)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("reject x\n> y\nOn Z wrote:\n\n> a")
	f.Fuzz(func(t *testing.T, text string) {
		r := command.ReadReply(text)
		if r.Reason != "" && r.Answer != command.AnswerReject {
			t.Errorf("%q: %v", text, r)
		}
		if strings.Count(r.Reason, "\n") > 100 {
			t.Errorf("%d lines", strings.Count(r.Reason, "\n"))
		}
	})
}
