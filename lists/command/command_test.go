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
		{"list software of old", "", "subscribe DEV Ann Baker\r\nhelp dev\r\nquit\r\n", []command.Command{
			{Verb: command.Join, Line: "subscribe DEV Ann Baker"}, {Verb: command.Help, Line: "help dev"}, {Verb: command.End, Line: "quit"}}},
		{"options", "join digest", "subscribe dev nomail hide=on\r\n", []command.Command{
			{Verb: command.Join, Options: []command.Option{{"mode", "digest"}}, Line: "join digest"},
			{Verb: command.Join, Options: []command.Option{{"mode", "none"}, {"hidden", "true"}}, Line: "subscribe dev nomail hide=on"}}},
		{"an option that is none", "", "join digest please\r\nset nonsense\r\n", []command.Command{
			{Verb: command.Join, Fault: "please", Line: "join digest please"}, {Verb: command.Set, Fault: "nonsense", Line: "set nonsense"}}},
		{"for owners", "add Ann <a@a.example>", "del b@b.example\r\nadd us please\r\nstats\r\npending\r\n", []command.Command{
			{Verb: command.Add, Arg: "Ann <a@a.example>", Line: "add Ann <a@a.example>"}, {Verb: command.Del, Arg: "b@b.example", Line: "del b@b.example"},
			{Verb: command.Unknown, Line: "add us please"}, {Verb: command.Stats, Line: "stats"}, {Verb: command.Pending, Line: "pending"}}},
		{"what is asked", "", "info\r\nREVIEW dev@lists.example\r\nwhich\r\necho a  b\r\necho c\r\nwho are you?\r\n", []command.Command{
			{Verb: command.Info, Line: "info"}, {Verb: command.Who, Line: "REVIEW dev@lists.example"}, {Verb: command.Which, Line: "which"},
			{Verb: command.Echo, Line: "echo a  b"}, {Verb: command.Echo, Line: "echo c"}, {Verb: command.Unknown, Line: "who are you?"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, command.Parse(command.Mail{Subject: tt.subject, Text: tt.text, Names: []string{"dev", "dev@lists.example"}})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestOptions reads what stands behind set, as it is written here and for other list managers.
func TestOptions(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]command.Option{
		"set":                           nil,
		"set mode none":                 {{"mode", "none"}},
		"set dev nomail":                {{"mode", "none"}},
		"set dev@lists.example conceal": {{"hidden", "true"}},
		"set digest off":                {{"mode", "each"}},
		"set delivery off":              {{"mode", "none"}},
		"set digest=mime":               {{"mode", "digest"}},
		"set hidden no":                 {{"hidden", "false"}},
		"set hide off":                  {{"hidden", "false"}},
		"set visible=no":                {{"hidden", "true"}},
		"set nomail visible":            {{"mode", "none"}, {"hidden", "false"}},
		"set Own-Posts No":              {{"own_posts", "false"}},
		"set mode=none own_posts=off":   {{"mode", "none"}, {"own_posts", "false"}},
		"set anything else":             {{"anything", "else"}}, // refused by who knows the settings
		"set myposts on":                {{"own_posts", "true"}},
		"set dev summary":               {{"mode", "summary"}},
	} {
		got := command.Parse(command.Mail{Text: line, Names: []string{"dev", "dev@lists.example"}})
		if len(got) != 1 || got[0].Verb != command.Set || got[0].Fault != "" {
			t.Errorf("%s: %+v", line, got)
			continue
		}
		if diff := cmp.Diff(want, got[0].Options); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", line, diff)
		}
	}
	if got := command.Parse(command.Mail{Text: "set me up please"}); got[0].Verb != command.Unknown {
		t.Errorf("a sentence: %+v", got)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string][]command.Option{
		"": nil, "digest": {{"mode", "digest"}}, "nomail+hidden": {{"mode", "none"}, {"hidden", "true"}}, "own_posts=off": {{"own_posts", "false"}},
	} {
		if got, fault := command.Words(detail); !cmp.Equal(got, want) || fault != "" {
			t.Errorf("%s: %v, %q", detail, got, fault)
		}
	}
	if _, fault := command.Words("digest+fi\x00sh"); fault != "fish" {
		t.Errorf("fault %q", fault)
	}
}

// TestTooMany reads so many commands of a mail, and says that there were more.
func TestTooMany(t *testing.T) {
	t.Parallel()
	got := command.Parse(command.Mail{Text: strings.Repeat("echo x\n", 19) + strings.Repeat("add a@a.example\nadd b@b.example\n", 20)})
	if last := got[len(got)-1]; last.Verb != command.Rest {
		t.Errorf("the last of %d is %+v", len(got), last)
	}
}

func FuzzCommand(f *testing.F) {
	f.Add("Re: confirm abc", "> quoted\r\njoin\r\n-- \r\nleave\r\n")
	f.Add("help", "end\n")
	f.Add("set dev digest=off", "join nomail hide=\xff\nadd \x00@ <\nset a b\n")
	f.Add("\xff\xfe", "\x00\x00\nsubscribe \xff\n")
	f.Fuzz(func(t *testing.T, subject, text string) {
		found := command.Parse(command.Mail{Subject: subject, Text: text, Names: []string{"dev"}})
		if len(found) > 21 {
			t.Errorf("%d commands", len(found))
		}
		for _, c := range found {
			if strings.ContainsFunc(c.Line, unicode.IsControl) || len(c.Line) > 80+len("…") {
				t.Errorf("unclean line %q", c.Line)
			}
			for _, text := range []string{c.Said(), c.Arg, c.Fault, c.Token} {
				if strings.ContainsFunc(text, unicode.IsControl) || len(text) > 600 && len(c.Options) == 0 {
					t.Errorf("unclean %q", text)
				}
			}
			if (c.Verb == command.Confirm) != (c.Token != "") {
				t.Errorf("%+v", c)
			}
		}
	})
}
