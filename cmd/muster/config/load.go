package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const (
	envPrefix   = "MUSTER_"
	delimiter   = "."
	envFile     = "MUSTER_CONFIG"
	fromDefault = "default" // the origin of what nobody set
	fileNormal  = "/etc/muster/muster.toml"
)

// Sources are where settings come from, beside the defaults.
type Sources struct {
	// File is the TOML file given with --config. Without it MUSTER_CONFIG names one, and without
	// that /etc/muster/muster.toml is read where there is one.
	File string
	// NoFile reads none unless File is given.
	NoFile   bool
	Environ  []string          // as os.Environ
	Flags    *pflag.FlagSet    // parsed; may be nil
	Defaults map[string]string // in place of those of the table, by key
}

// Load reads the settings and checks them.
func Load(from Sources) (*Config, error) {
	l := loader{merged: koanf.New(delimiter), origin: map[string]string{}}
	for _, layer := range []func(Sources) error{l.defaults, l.file, l.environment, l.flags} {
		if err := layer(from); err != nil {
			return nil, err
		}
	}
	c := &Config{origin: l.origin}
	if err := l.merged.Unmarshal("", c); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	c.complete(from.Environ)
	return c, c.check()
}

// loader puts one layer over the other and remembers where each value came from.
type loader struct {
	merged *koanf.Koanf
	origin map[string]string
}

func (l *loader) defaults(from Sources) error {
	values := map[string]any{}
	for _, s := range Settings() {
		values[s.Key] = s.Default
		if d, ok := from.Defaults[s.Key]; ok {
			values[s.Key] = d
		}
	}
	layer := koanf.New(delimiter)
	if err := layer.Load(confmap.Provider(values, delimiter), nil); err != nil {
		return err
	}
	return l.put(layer, func(string) string { return fromDefault })
}

func (l *loader) file(from Sources) error {
	path, chosen := configFile(from)
	if path == "" {
		return nil
	}
	provider := file.Provider(path)
	text, err := provider.ReadBytes()
	if errors.Is(err, os.ErrNotExist) && !chosen {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	layer := koanf.New(delimiter)
	if err := layer.Load(provider, toml.Parser()); err != nil {
		return fmt.Errorf("%s: %w", atLine(path, err), err)
	}
	return l.put(layer, func(key string) string { return lineOf(path, string(text), key) })
}

// configFile is the file to read, and whether somebody named it, so that it must be there.
func configFile(from Sources) (path string, chosen bool) {
	if from.File != "" {
		return from.File, true
	}
	if from.NoFile {
		return "", false
	}
	for _, e := range from.Environ {
		if path, ok := strings.CutPrefix(e, envFile+"="); ok && path != "" {
			return path, true
		}
	}
	return fileNormal, false
}

func (l *loader) environment(from Sources) error {
	names := map[string]Setting{}
	for _, s := range Settings() {
		names[s.EnvName()] = s
	}
	var unknown error
	layer := koanf.New(delimiter)
	err := layer.Load(env.Provider(delimiter, env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return from.Environ },
		TransformFunc: func(name, value string) (string, any) {
			if value == "" { // as Compose sets what it was not given
				return "", nil
			}
			s, ok := names[name]
			if !ok {
				unknown = errors.Join(unknown, unknownEnv(name))
				return "", nil
			}
			if s.Kind == List {
				return s.Key, splitList(value)
			}
			return s.Key, value
		},
	}), nil)
	if err := errors.Join(err, unknown); err != nil {
		return err
	}
	return l.put(layer, func(key string) string {
		s, _ := Lookup(key)
		return s.EnvName()
	})
}

// unknownEnv is the error for a variable that is no setting. MUSTER_CONFIG is none, and neither is
// what Kubernetes and Docker set for a service that is called muster.
func unknownEnv(name string) error {
	for _, known := range []string{envFile, "MUSTER_PORT", "MUSTER_SERVICE_HOST", "MUSTER_SERVICE_PORT"} {
		if name == known || strings.HasPrefix(name, known+"_") && known != envFile {
			return nil
		}
	}
	known := []string{envFile}
	for _, s := range Settings() {
		known = append(known, s.EnvName())
	}
	return unknownName("environment", name, known)
}

func (l *loader) flags(from Sources) error {
	if from.Flags == nil {
		return nil
	}
	keys := map[string]string{}
	for _, s := range Settings() {
		if s.Flag {
			keys[s.FlagName()] = s.Key
		}
	}
	layer := koanf.New(delimiter)
	err := layer.Load(posflag.ProviderWithFlag(from.Flags, delimiter, l.merged, func(f *pflag.Flag) (string, any) {
		return keys[f.Name], posflag.FlagVal(from.Flags, f)
	}), nil)
	if err != nil {
		return err
	}
	return l.put(layer, func(key string) string {
		s, _ := Lookup(key)
		return "--" + s.FlagName()
	})
}

// put merges layer over what is there, its values made into those of their settings' kinds.
func (l *loader) put(layer *koanf.Koanf, origin func(key string) string) error {
	for _, key := range layer.Keys() {
		value := layer.Get(key)
		if table, ok := value.(map[string]any); ok && len(table) == 0 {
			continue // a heading with nothing below it
		}
		s, ok := Lookup(key)
		if !ok {
			return unknownName(origin(key), key, keys())
		}
		parsed, err := s.parse(value)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", origin(key), key, err)
		}
		if err := l.merged.Set(key, parsed); err != nil {
			return fmt.Errorf("%s: %s: %w", origin(key), key, err)
		}
		l.origin[key] = origin(key)
	}
	return nil
}

// Lookup finds a setting by its key.
func Lookup(key string) (Setting, bool) {
	for _, s := range Settings() {
		if s.Key == key {
			return s, true
		}
	}
	return Setting{}, false
}

func keys() []string {
	var all []string
	for _, s := range Settings() {
		all = append(all, s.Key)
	}
	return all
}
