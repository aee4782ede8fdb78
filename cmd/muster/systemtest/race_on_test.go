//go:build race

package systemtest

// raceEnabled: the binary under test is built as this test is.
const raceEnabled = true
