package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"muster/cmd/muster/config"
	"muster/lists"
	"muster/lists/verdict"
	"muster/templates"
)

var update = flag.Bool("update", false, "write the generated documents anew")

const settingsDocument = "../../docs/settings.md"

func TestSettingsDocument(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	writeSettings(&want)
	if *update {
		if err := os.MkdirAll("../../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(settingsDocument, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(settingsDocument)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/settings.md is not what the tables say; write it anew with: go generate ./cmd/muster")
	}
}

func writeSettings(w io.Writer) {
	fmt.Fprint(w, `<!-- Written from the tables in the code by "go generate ./cmd/muster". Do not edit. -->

# Settings

## Of the server

A setting is read from one TOML file, from the environment, and from the command line, the later over the
earlier. The file is the one given with `+"`--config`"+`, else the one that `+"`MUSTER_CONFIG`"+` names, else
`+"`/etc/muster/muster.toml`"+` where there is one. A dot in a name stands for a table of TOML. The environment has a
setting as `+"`MUSTER_`"+` and its name in capitals, the dot as an underscore; lists are written with commas there.
`+"`muster serve --print-config`"+` shows what came of it, and where each value came from.

| setting | value | default | flag | what it does |
| --- | --- | --- | --- | --- |
`)
	for _, s := range config.Settings() {
		if !strings.HasPrefix(s.Key, "limits.") {
			fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s |\n", s.Key, s.Kind, documentedDefault(s), documentedFlag(s), s.Doc)
		}
	}
	for _, s := range config.Settings() {
		if s.Kind != config.Tables {
			continue
		}
		fmt.Fprintf(w, "\n### `[[%s]]`\n\n| in each | value | default | what it does |\n| --- | --- | --- | --- |\n", s.Key)
		for _, c := range s.Columns {
			fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", c.Key, c.Kind, documentedDefault(c), c.Doc)
		}
	}
	fmt.Fprint(w, `
## Limits of the SMTP and LMTP listeners

What a client is told that goes beyond a limit. Clients of trusted networks are exempt from those marked with a
star; protocol errors and wrong AUTH count for all.

| setting | value | default | reply | what it limits |
| --- | --- | --- | --- | --- |
`)
	for _, s := range config.Settings() {
		if strings.HasPrefix(s.Key, "limits.") {
			star := ""
			if s.NotTrusted {
				star = " \\*"
			}
			fmt.Fprintf(w, "| `%s`%s | %s | %s | %s | %s |\n", s.Key, star, s.Kind, documentedDefault(s), s.Reply, s.Doc)
		}
	}
	fmt.Fprint(w, "\n## Of a list\n\nSet with `muster list set LIST KEY=VALUE…`, or on the list's page of the site.\n\n")
	writeListSettings(w, lists.ListSettings())
	writeRules(w)
	fmt.Fprint(w, "\n### Settings of the rules\n\nSet with `muster list set LIST KEY=VALUE…`, or on the page Rules of the list.\n\n")
	writeListSettings(w, lists.RuleSettings())
	fmt.Fprint(w, "\n## Of all lists\n\nSet with `muster site set KEY=VALUE…`, or by an administrator on the page Posting. Nodes that run know of it within seconds.\n\n")
	writeListSettings(w, lists.SiteSettings())
	fmt.Fprint(w, "\n## Of a member\n\nSet with `muster member set LIST ADDRESS KEY=VALUE…`.\n\n")
	writeListSettings(w, lists.MemberSettings())
}

// writeRules writes the rules in the order they are asked.
func writeRules(w io.Writer) {
	fmt.Fprint(w, `
## Rules on the posts of a list

Each post is judged by these rules, in this order, before its sender has the answer. A rule that a list does not use
is not asked. A new list uses those without a setting, `+"`size`"+` with what the server takes, `+"`ban`"+` where somebody is banned, and
`+"`post_policy`"+`. What a rule accepts, rejects or discards ends the questions. What one holds, a later one can still
reject or discard, so that moderators do not see what would be refused anyway; nothing that is held is let go by a later
rule. `+"`confirm`"+` holds a post until its sender or a moderator has agreed.

`+"`muster post explain ID`"+` tells what each rule found for a post, `+"`muster post explain --list LIST FILE`"+` what it would find; the
page of a post tells it too. What is rejected is refused at the end of DATA with a sentence. What is discarded is kept
as such, with the reason, and nobody is told. Looking into who vouches for a post asks the DNS; it is done for posts that
are taken, and before that where `+"`dmarc_fail` or `unauthenticated`"+` asks for it. The parts of a message and its text are read
only where a rule asks for them.

| | rule | question | settings |
| --- | --- | --- | --- |
`)
	words, err := templates.In("en")
	if err != nil {
		panic(err) // the catalogues are part of the program
	}
	for i, r := range verdict.Rules() {
		asked, _ := words.Step(r.Name, verdict.Passed, nil)
		fmt.Fprintf(w, "| %d | `%s` | %s | %s |\n", i+1, r.Name, asked, strings.Join(settingsOfRule(r.Name), ", "))
	}
}

// settingsOfRule are what a rule goes by, those among them that are set elsewhere.
func settingsOfRule(rule string) []string {
	var keys []string
	for _, s := range lists.RuleSettings() {
		if s.Rule == rule {
			keys = append(keys, "`"+s.Key+"`")
		}
	}
	switch rule {
	case verdict.RuleBan:
		return []string{"`muster ban`"}
	case verdict.RuleSize:
		keys = append(keys, "`limits.message`")
	case verdict.RuleOverride:
		return []string{"`muster member set LIST ADDRESS moderation=`"}
	case verdict.RuleHeader:
		keys = append(keys, "`muster site set header_rules=`")
	case verdict.RulePolicy:
		keys = append([]string{"`post_policy`"}, keys...)
	}
	return keys
}

// TestEachRuleIsDocumented: with a line of its own, in the order they are asked.
func TestEachRuleIsDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(settingsDocument)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(document)
	for i, r := range verdict.Rules() {
		_, after, ok := strings.Cut(rest, fmt.Sprintf("\n| %d | `%s` | ", i+1, r.Name))
		if !ok {
			t.Errorf("%s is not there as number %d", r.Name, i+1)
			continue
		}
		rest = after
	}
	for _, s := range lists.RuleSettings() {
		if !slices.ContainsFunc(verdict.Rules(), func(r verdict.RuleInfo) bool { return r.Name == s.Rule }) {
			t.Errorf("%s is of no rule", s.Key)
		}
	}
}

func writeListSettings(w io.Writer, settings []lists.Setting) {
	fmt.Fprint(w, "| setting | value | default | what it does |\n| --- | --- | --- | --- |\n")
	for _, s := range settings {
		def := ""
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", s.Key, s.Takes(), def, s.Doc)
	}
}

func documentedDefault(s config.Setting) string {
	if s.Default == "" {
		return s.DefaultDoc
	}
	return "`" + s.Default + "`"
}

func documentedFlag(s config.Setting) string {
	if !s.Flag {
		return ""
	}
	return "`--" + s.FlagName() + "`"
}
