package main

import (
	"testing"
	"time"

	"muster/fanout"
)

// What limits all that goes out is said in the words of the settings, and which of them copies wait for.
func TestThrottleInWords(t *testing.T) {
	t.Parallel()
	rate, window := fanout.Rate{N: 14, Per: time.Second}, fanout.Rate{N: 50000, Per: 24 * time.Hour}
	for _, tt := range []struct {
		state fanout.Throttle
		want  string
	}{
		{fanout.Throttle{Rate: rate}, "rate 14/s"},
		{fanout.Throttle{Rate: rate, Waiting: true}, "rate 14/s; copies wait for the rate"},
		{fanout.Throttle{Window: window, Used: 7}, "window_limit 50000/24h: 7 used"},
		{fanout.Throttle{Window: fanout.Rate{N: 9, Per: 90 * time.Minute}}, "window_limit 9/1h30m0s: 0 used"},
		{
			fanout.Throttle{Rate: rate, Window: window, Used: 49500, Waiting: true, Closed: true},
			"rate 14/s, window_limit 50000/24h: 49500 used; copies wait for the window_limit",
		},
	} {
		if v := viewQueue(fanout.Status{Throttle: tt.state}).Throttle; v == nil || v.text() != tt.want {
			t.Errorf("%+v: %+v, want %s", tt.state, v, tt.want)
		}
	}
	if v := viewQueue(fanout.Status{}).Throttle; v != nil {
		t.Errorf("without limits: %+v", v)
	}
}
