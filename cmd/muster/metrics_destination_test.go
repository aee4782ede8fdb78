package main

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/fanout"
)

// Destinations are told of together where no setting names them, and a lane that two rows lead to is
// counted once.
func TestDestinationsByGroup(t *testing.T) {
	t.Parallel()
	found := map[string]float64{}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		_, name, _ := strings.Cut(d.String(), `fqName: "muster_destination_`)
		name, _, _ = strings.Cut(name, `"`)
		found[name+" "+strings.Join(labels, " ")] = value
	}
	ago := time.Now().Add(-time.Hour)
	collectDestinations(gauge, []fanout.Destination{
		{Name: "mx:a.example", Lane: "mxset:m", Group: "other", Waiting: 3, Deferred: 1, Connections: 4, Oldest: time.Now()},
		{Name: "mx:b.example", Lane: "mxset:m", Group: "other", Waiting: 2, Connections: 4, Oldest: ago},
		{Name: "mx:c.example", Group: "other"},
		{Name: "relay", Lane: "relay", Group: "relay", Waiting: 9, Connections: 1, Blocked: time.Now().Add(time.Hour)},
	})
	for name, want := range map[string]float64{
		"waiting_copies other": 5, "deferred_copies other": 1, "connections other": 4, "left_alone other": 0,
		"waiting_copies relay": 9, "connections relay": 1, "left_alone relay": 1, "oldest_age_seconds relay": 0,
	} {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if age := found["oldest_age_seconds other"]; age < 3600 || age > 3700 || len(found) != 10 {
		t.Errorf("age %v in %v", age, found)
	}
}
