package command_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"muster/lists/command"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const token = "abcdefghijklmnopqrstuvwxyz"
	tests := []struct {
		name, subject, text string
		want                []command.Command
	}{
		{"nothing", "", "", nil},
		{"in the subject", "Subscribe", "\r\n", []command.Command{{Verb: command.Join, Line: "Subscribe"}}},
		{"in the text", "hello", "unsubscribe\r\n", []command.Command{{Verb: command.Leave, Line: "unsubscribe"}}},
		{"an answer to a question", "Re: Re: confirm " + token, "> To join, answer this mail.\r\n",
			[]command.Command{{Verb: command.Confirm, Token: token, Line: "confirm " + token}}},
		{"both, once", "join", "join\r\nhelp\r\n", []command.Command{{Verb: command.Join, Line: "join"}, {Verb: command.Help, Line: "help"}}},
		{"up to end", "", "help\r\nend\r\nleave\r\n", []command.Command{{Verb: command.Help, Line: "help"}, {Verb: command.End, Line: "end"}}},
		{"up to the signature", "", "leave\r\n-- \r\njoin\r\n", []command.Command{{Verb: command.Leave, Line: "leave"}}},
		{"a sentence", "", "join me for lunch\r\n", []command.Command{{Verb: command.Unknown, Line: "join me for lunch"}}},
		{"a letter", "Question", strings.Repeat("How do I do that?\r\n", 30), []command.Command{
			{Verb: command.Unknown, Line: "How do I do that?"}, {Verb: command.Unknown, Line: "How do I do that?"}, {Verb: command.Unknown, Line: "How do I do that?"},
		}},
		{"confirm without a token", "confirm", "", nil},
		{"control characters", "", "he\x00llo\x1b[2J\r\n", []command.Command{{Verb: command.Unknown, Line: "hello[2J"}}},
		{"list software of old", "", "subscribe c-help\r\nquit\r\n", []command.Command{{Verb: command.Join, Line: "subscribe c-help"}, {Verb: command.End, Line: "quit"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, command.Parse(tt.subject, tt.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzCommand(f *testing.F) {
	f.Add("Re: confirm abc", "> quoted\r\njoin\r\n-- \r\nleave\r\n")
	f.Add("help", "end\n")
	f.Add("\xff\xfe", "\x00\x00\nsubscribe \xff\n")
	f.Fuzz(func(t *testing.T, subject, text string) {
		found := command.Parse(subject, text)
		if len(found) > 20 {
			t.Errorf("%d commands", len(found))
		}
		for _, c := range found {
			if strings.ContainsFunc(c.Line, unicode.IsControl) || len(c.Line) > 80+len("…") {
				t.Errorf("unclean line %q", c.Line)
			}
			if (c.Verb == command.Confirm) != (c.Token != "") {
				t.Errorf("%+v", c)
			}
		}
	})
}
