package main

import "testing"

func TestCopiesSummary(t *testing.T) {
	t.Parallel()
	v := copiesView{Copies: 50_000, Delivered: 30_000, Deferred: 10_000, Bounced: 9_980, Dropped: 10, Waiting: 10}
	const exact = "50000 so far: 30000 delivered, 10 waiting, 10000 deferred, 9980 bounced, 10 dropped"
	if got := v.summary(); got != exact {
		t.Errorf("%q, want %q", got, exact)
	}
	v.More, v.Planned = true, true
	const more = "50000: 30000 delivered, 10 waiting, more than 10000 deferred, fewer than 9980 bounced, 10 dropped"
	if got := v.summary(); got != more {
		t.Errorf("%q, want %q", got, more)
	}
}
