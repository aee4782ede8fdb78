package config

import (
	"strings"

	"github.com/spf13/pflag"
)

// AddFlags defines the flags of the settings of scope.
func AddFlags(fs *pflag.FlagSet, scope Scope) {
	for _, s := range Settings() {
		if s.Flag && s.Scope == scope {
			s.addFlag(fs)
		}
	}
}

// addFlag leaves the defaults to the table: a flag that was not given says nothing.
func (s Setting) addFlag(fs *pflag.FlagSet) {
	usage := strings.ReplaceAll(s.Doc, "`", "")
	if d := s.defaultText(); d != "" && s.Kind != Bool {
		usage += " (default " + strings.ReplaceAll(d, "`", "") + ")"
	}
	switch s.Kind {
	case Bool:
		fs.Bool(s.FlagName(), false, usage)
	case List:
		fs.StringSlice(s.FlagName(), nil, usage)
	default:
		fs.String(s.FlagName(), "", usage)
	}
}

func (s Setting) defaultText() string {
	if s.Default != "" {
		return s.Default
	}
	return s.DefaultDoc
}
