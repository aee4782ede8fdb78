package verdict_test

import (
	"testing"

	"muster/lists/verdict"
)

// TestPlainPostCostsNothing: for a list without rules of its own the table of rules takes no memory.
func TestPlainPostCostsNothing(t *testing.T) {
	f := facts(t)
	f.Have = 0
	if n := testing.AllocsPerRun(100, func() { verdict.Judge(&f) }); n > 6 {
		t.Errorf("%v allocations", n)
	}
}
