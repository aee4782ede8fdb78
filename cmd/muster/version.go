package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the binary knows of itself.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			if a.json {
				return newEncoder(a.stdout).Encode(b)
			}
			if b.Revision != "" {
				b.Version += " (" + b.Revision + ")"
			}
			a.say("muster %s, %s", b.Version, b.Go)
			return nil
		},
	}
}

func readBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" {
		b.Version = v
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			b.Revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	if b.Revision != "" {
		b.Revision += dirty
	}
	return b
}
