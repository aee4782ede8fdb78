package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"muster/cmd/muster/config"
	"muster/lists"
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
	writeListSettings(w, lists.Settings())
	fmt.Fprint(w, "\n## Of a member\n\nSet with `muster member set LIST ADDRESS KEY=VALUE…`.\n\n")
	writeListSettings(w, lists.MemberSettings())
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
