package config

import (
	"fmt"
	"slices"

	"github.com/agnivade/levenshtein"
)

// unknownName is the error for a name at a place where only those known may stand.
func unknownName(place, name string, known []string) error {
	if like := Nearest(name, known); like != "" {
		return fmt.Errorf("%s: there is no setting %q; did you mean %q?", place, name, like)
	}
	return fmt.Errorf("%s: there is no setting %q; docs/settings.md has them all", place, name)
}

// Nearest is the name among known that name was most likely meant to be, or "" if none is like it.
func Nearest(name string, known []string) string {
	best, bestDistance := "", len(name)/2+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := levenshtein.ComputeDistance(name, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}
