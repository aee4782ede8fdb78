package smtpserver

import (
	"reflect"
	"testing"
	"time"
)

// TestDefaultLimits holds the table of the documentation: no limit is off by default.
func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	got := Limits{}.withDefaults()
	for i, v := 0, reflect.ValueOf(got); i < v.NumField(); i++ {
		if v.Field(i).Int() <= 0 {
			t.Errorf("%s has no default", v.Type().Field(i).Name)
		}
	}
	want := Limits{
		Sessions: 1000, SessionsPerClient: 50, CommandLine: 2048, AuthLine: 12288, Errors: 20, Idle: 100,
		Questions: 60, Strangers: 100, AuthDelay: 3, AuthErrors: 10, Message: 25 << 20, Header: 256 << 10,
		HeaderFields: 1000, Hops: 100, TextLine: 998, Recipients: 1000, Memory: 256<<10 + 4,
		Command: 5 * time.Minute, CommandBusy: 10 * time.Second, DataPause: 3 * time.Minute, DataRate: 500, Data: time.Hour,
	}
	if got != want {
		t.Errorf("got %+v", got)
	}
	if again := got.withDefaults(); again != got {
		t.Errorf("defaults change what is set: %+v", again)
	}
}
