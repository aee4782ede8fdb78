// Package config is what an administrator can set: one table of settings, read from defaults, one
// TOML file, the environment (MUSTER_…) and flags, the later over the earlier. A key nobody knows is
// an error that names the nearest known one, with the place where it stands. docs/settings.md is
// written from the same table.
//
// It follows RFC 5321 in what a hostname may be, and RFC 8601 in what an authserv-id may be.
package config
