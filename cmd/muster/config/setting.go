package config

import "strings"

// Kind is what sort of value a setting takes.
type Kind string

// The kinds.
const (
	Text     Kind = "text"
	Bool     Kind = "true or false"
	Number   Kind = "number"
	Duration Kind = "duration" // 30s, 5m, 4h
	Octets   Kind = "size"     // 998, 256KiB, 25MiB
	List     Kind = "list"     // in the environment with commas; a flag is given again and again
	Tables   Kind = "tables"   // in the file only: [[key]], once for each, with Columns below
)

// Setting is one row of the table.
type Setting struct {
	// Key is its name in the file; a dot stands for a table of TOML. The environment has it in
	// capitals with underscores, MUSTER_LIMITS_SESSIONS; a flag with hyphens.
	Key  string
	Kind Kind
	// Default as a person would write it, "" for none.
	Default string
	// DefaultDoc says what an empty Default comes to.
	DefaultDoc string
	Doc        string
	// Reply is what a client is told that goes over the limit.
	Reply string
	// Off says that 0 is taken too, of a number or a duration, for never.
	Off bool
	// NotTrusted says that clients of trusted networks are exempt from the limit.
	NotTrusted bool
	// Flag says that the commands of Scope take it as a flag too.
	Flag  bool
	Scope Scope
	// Columns are what a table holds, of Tables. A text on its own stands for one table with no more
	// than Alone, where that names a column.
	Columns []Setting
	Alone   string
	// Hide makes a value fit to be shown; nil shows it as it is.
	Hide func(string) string
}

// Scope says which commands take a setting's flag.
type Scope int

// The scopes.
const (
	Everywhere Scope = iota // each command
	Serving                 // serve and demo
)

// EnvName is the setting's name in the environment.
func (s Setting) EnvName() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// FlagName is the setting's flag, without the two hyphens.
func (s Setting) FlagName() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.Key)
}

// Shown is value as --print-config and docs show it.
func (s Setting) Shown(value string) string {
	if s.Hide != nil && value != "" {
		return s.Hide(value)
	}
	return value
}
