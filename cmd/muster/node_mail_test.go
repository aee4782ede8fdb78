package main

import (
	"reflect"
	"testing"

	"muster/cmd/muster/config"
)

// A limit that cannot be configured would have to be named here, with why.
func TestEveryLimitIsASetting(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{NoFile: true})
	if err != nil {
		t.Fatal(err)
	}
	fixed := map[string]bool{
		"AuthDelay": true, // part of what auth_errors does
	}
	limits := reflect.ValueOf(serverLimits(c.Limits))
	for i := range limits.NumField() {
		if name := limits.Type().Field(i).Name; limits.Field(i).IsZero() != fixed[name] {
			t.Errorf("limit %s: set %v", name, !limits.Field(i).IsZero())
		}
	}
}
