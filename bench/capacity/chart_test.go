package capacity

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// wellFormed counts the elements of a document by name.
func wellFormed(t *testing.T, text string) map[string]int {
	t.Helper()
	elements := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
		}
	}
}

func TestPicture(t *testing.T) {
	t.Parallel()
	c := chart{title: "a < b & c", across: "x", up: "y", lines: []line{
		{name: "one", points: []point{{1, 10}, {2, 20}, {4, 40}}},
		{name: "two", dashed: true, points: []point{{1, 5}, {4, 47}}},
	}}
	got := c.svg()
	elements := wellFormed(t, got)
	if elements["svg"] != 1 || elements["circle"] != 4 { // one of them in the legend
		t.Errorf("%v in %s", elements, got)
	}
	for _, want := range []string{"a &lt; b &amp; c", ">one<", ">two<", ">50<", "prefers-color-scheme: dark"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

// Where points lie: the axis goes by factors across, and upwards in either way.
func TestPlaces(t *testing.T) {
	t.Parallel()
	c := chart{lines: []line{{points: []point{{1, 0}, {2, 50}, {4, 100}}}}}
	a := c.axes()
	x, y := a.at(point{2, 50})
	if want := (left + width - right) / 2.; !near(x, want, 1e-9) || !near(y, (a.top+height-bottom)/2, 1e-9) {
		t.Errorf("%v, %v", x, y)
	}
	c.even = true
	a = c.axes()
	if x, _ := a.at(point{2, 50}); !near(x, left+(width-left-right)/3., 1e-9) {
		t.Errorf("evenly at %v", x)
	}
	c = chart{logarithmic: true, lines: []line{{points: []point{{1, 2}, {100, 60}}}}}
	a = c.axes()
	if _, y := a.at(point{1, 10}); a.low.y != 1 || a.high.y != 100 || !near(y, (a.top+height-bottom)/2, 1e-9) {
		t.Errorf("from %v to %v, 10 at %v", a.low.y, a.high.y, y)
	}
	for f, want := range map[float64]float64{0.9: 1, 1.1: 2, 3: 5, 6: 10, 700: 1000} {
		if got := roundStep(f); got != want {
			t.Errorf("%v is %v, want %v", f, got, want)
		}
	}
}
