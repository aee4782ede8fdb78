package fanout

import (
	"slices"
	"testing"
)

// A post is not sent to whoever is on vacation on the day it was accepted, by UTC: the first and the last day
// belong to it. Who gets digests or summaries gets no single posts.
func TestPlanLeavesOutWhoIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, inner := w.list("dev", 1), w.list("inner", 1)
	w.exec(`UPDATE member SET joined = '2027-01-01' WHERE list = $1`, list)
	for address, days := range map[string][2]string{
		"before@x.example": {"2027-06-01", "2027-06-30"},
		"last@x.example":   {"2027-06-20", "2027-07-01"},
		"first@x.example":  {"2027-07-01", "2027-07-01"},
		"after@x.example":  {"2027-07-02", "2027-07-30"},
		"inner@x.example":  {"2027-06-01", "2027-07-30"},
	} {
		w.exec(`UPDATE member SET away_from = $2::date, away_until = $3::date WHERE id = $1`, w.member(list, address), days[0], days[1])
	}
	for _, mode := range []string{"digest", "summary", "none"} {
		w.exec(`UPDATE member SET mode = $2 WHERE id = $1`, w.member(list, mode+"@x.example"), mode)
	}
	w.exec(`UPDATE member SET nested = $2 WHERE list = $1 AND key = 'inner@x.example'`, list, inner)
	w.member(inner, "within@x.example")
	w.exec(`UPDATE member SET joined = '2027-01-01'`)
	id := w.post(list, testMessage)
	// In this time zone the day is another one.
	w.exec(`UPDATE post SET accepted = '2027-07-02 01:30+05' WHERE id = $1`, id)
	got := w.plan(true)["relay"]
	slices.Sort(got)
	if want := []string{"after@x.example", "before@x.example"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
