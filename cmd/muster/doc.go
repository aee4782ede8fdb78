// Muster is a mailing-list manager with its own SMTP endpoint. This package is its command line,
// its configuration and its wiring: which part serves which, and in what order they stop. What the
// commands do is done in the other packages.
//
// Exit status: 0 done, 1 failed, 2 the command line or the configuration is wrong.
package main

//go:generate go test -run TestSettingsDocument -update .
