package main

import (
	"time"

	"muster/fanout"
)

// collectReplies tells what this node's destinations have answered. A destination is told of under
// what the settings call it: names of strangers' servers are no labels.
func collectReplies(engine *fanout.Engine) collector {
	replies := describe("destination_replies_total", "Answers to transactions, by destination and class of the code.", "destination", "class")
	return func(_, counter emit) {
		for group, counts := range engine.Replies() {
			for class, n := range counts {
				counter(replies, float64(n), group, string(rune('0'+class))+"xx")
			}
		}
	}
}

// groupFigures are those of all destinations that are told of together.
type groupFigures struct {
	waiting, deferred, connections, blocked float64
	oldest                                  time.Time
}

// collectDestinations tells of the queue by destination.
func collectDestinations(gauge emit, destinations []fanout.Destination) {
	groups := map[string]*groupFigures{}
	lanes := map[string]bool{}
	for _, d := range destinations {
		g := groups[d.Group]
		if g == nil {
			g = &groupFigures{}
			groups[d.Group] = g
		}
		g.waiting += float64(d.Waiting)
		g.deferred += float64(d.Deferred)
		g.blocked += oneIf(!d.Blocked.IsZero())
		if !lanes[d.Lane] { // several domains may share it
			g.connections += float64(d.Connections)
		}
		lanes[d.Lane] = d.Lane != ""
		if !d.Oldest.IsZero() && (g.oldest.IsZero() || d.Oldest.Before(g.oldest)) {
			g.oldest = d.Oldest
		}
	}
	for name, g := range groups {
		age := 0.0
		if !g.oldest.IsZero() {
			age = max(0, time.Since(g.oldest).Seconds())
		}
		gauge(describe("destination_waiting_copies", "Copies not tried yet, by destination.", "destination"), g.waiting, name)
		gauge(describe("destination_deferred_copies", "Copies to be tried again, by destination.", "destination"), g.deferred, name)
		gauge(describe("destination_connections", "Connections open on all nodes, by destination.", "destination"), g.connections, name)
		gauge(describe("destination_left_alone", "Destinations that do not answer and are left alone for a while.", "destination"), g.blocked, name)
		gauge(describe("destination_oldest_age_seconds", "Since the oldest was accepted that waits; 0 if none does.", "destination"), age, name)
	}
}
