package capacity

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// chart is one picture: lines over an axis whose steps are factors, unless it says even.
type chart struct {
	title, across, up string
	even              bool // steps across are all alike
	logarithmic       bool // upwards too
	lines             []line
}

// line is a row of points; a dashed one has not been measured but reckoned.
type line struct {
	name   string
	dashed bool
	points []point
}

type point struct{ x, y float64 }

// The picture's measures. It is narrow, so that its text can still be read on a phone.
const (
	width, height       = 480, 350
	left, right         = 62, 18
	legendRow, titleRow = 20, 30
	bottom              = 50
	colours             = 5
)

// style has the colours of both schemes. The ground is drawn, so that the text can be read on
// whatever page the picture stands.
const style = `<style>
svg { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; --ground: #ffffff; --ink: #1f2328; --grid: #d8dee4;
  --c0: #0072b2; --c1: #d55e00; --c2: #00795a; --c3: #a3457e; --c4: #6e7781 }
@media (prefers-color-scheme: dark) { svg { --ground: #161b22; --ink: #e6edf3; --grid: #373e47;
  --c0: #6cb6ff; --c1: #f0a35e; --c2: #4fd1a5; --c3: #e79ac6; --c4: #9ea7b3 } }
.ground { fill: var(--ground) } text { fill: var(--ink) } .title { font-weight: 600; font-size: 15px }
.grid { stroke: var(--grid) } .line { fill: none; stroke-width: 2.2 } .dashed { stroke-dasharray: 6 4 }
.s0 { stroke: var(--c0) } .s1 { stroke: var(--c1) } .s2 { stroke: var(--c2) } .s3 { stroke: var(--c3) } .s4 { stroke: var(--c4) }
.f0 { fill: var(--c0) } .f1 { fill: var(--c1) } .f2 { fill: var(--c2) } .f3 { fill: var(--c3) } .f4 { fill: var(--c4) }
</style>
`

// svg draws it.
func (c chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(c.title))
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d" rx="6"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text class="title" x="14" y="24">%s</text>`+"\n", html.EscapeString(c.title))
	a := c.axes()
	c.legend(&b)
	a.draw(&b, c)
	for i, l := range c.lines {
		a.trace(&b, l, i%colours)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// legend names the lines, two in a row.
func (c chart) legend(b *strings.Builder) {
	for i, l := range c.lines {
		x, y := 14+float64(i%2)*(width-20)/2, float64(titleRow+legendRow*(1+i/2)-4)
		fmt.Fprintf(b, `<path class="line s%d%s" d="M%.0f %.0fh26"/>`, i%colours, dashes(l), x, y-5)
		if !l.dashed {
			mark(b, i%colours, x+13, y-5)
		}
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f">%s</text>`+"\n", x+34, y, html.EscapeString(l.name))
	}
}

func dashes(l line) string {
	if l.dashed {
		return " dashed"
	}
	return ""
}

// mark is a point of a line, of a shape of its own: colours alone do not tell everybody.
func mark(b *strings.Builder, shape int, x, y float64) {
	switch shape {
	case 1:
		fmt.Fprintf(b, `<rect class="f1" x="%.1f" y="%.1f" width="8" height="8"/>`, x-4, y-4)
	case 2:
		fmt.Fprintf(b, `<path class="f2" d="M%.1f %.1fl5 9h-10z"/>`, x, y-5)
	case 3:
		fmt.Fprintf(b, `<path class="f3" d="M%.1f %.1fl5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>`, x, y-5.5)
	default:
		fmt.Fprintf(b, `<circle class="f%d" cx="%.1f" cy="%.1f" r="4.2"/>`, shape, x, y)
	}
}

// axes are where values lie in the picture.
type axes struct {
	top               float64
	low, high         point
	ticksX, ticksY    []float64
	even, logarithmic bool
}

// axes fit all lines: across exactly, upwards to the next round number.
func (c chart) axes() axes {
	a := axes{top: float64(titleRow + legendRow*((len(c.lines)+1)/2) + 32), even: c.even, logarithmic: c.logarithmic,
		low: point{math.Inf(1), math.Inf(1)}, high: point{math.Inf(-1), math.Inf(-1)}}
	for _, l := range c.lines {
		for _, p := range l.points {
			a.low = point{min(a.low.x, p.x), min(a.low.y, p.y)}
			a.high = point{max(a.high.x, p.x), max(a.high.y, p.y)}
			if !l.dashed && !slices.Contains(a.ticksX, p.x) {
				a.ticksX = append(a.ticksX, p.x)
			}
		}
	}
	if c.logarithmic {
		a.low.y, a.high.y = math.Pow(10, math.Floor(math.Log10(a.low.y))), math.Pow(10, math.Ceil(math.Log10(a.high.y)))
		for y := a.low.y; y <= a.high.y; y *= 10 {
			a.ticksY = append(a.ticksY, y)
		}
		return a
	}
	every := roundStep(a.high.y / 5)
	a.low.y, a.high.y = 0, math.Ceil(a.high.y/every)*every
	for y := 0.; y <= a.high.y; y += every {
		a.ticksY = append(a.ticksY, y)
	}
	return a
}

// roundStep is 1, 2 or 5 times a power of ten, not below f.
func roundStep(f float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(f)))
	for _, n := range []float64{1, 2, 5} {
		if n*base >= f {
			return n * base
		}
	}
	return 10 * base
}

func (a axes) at(p point) (x, y float64) {
	x = left + (width-left-right)*between(p.x, a.low.x, a.high.x, !a.even)
	return x, height - bottom - (height-bottom-a.top)*between(p.y, a.low.y, a.high.y, a.logarithmic)
}

// between is where a value lies from 0 to 1.
func between(v, low, high float64, logarithmic bool) float64 {
	if logarithmic {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return (v - low) / (high - low)
}

func (a axes) draw(b *strings.Builder, c chart) {
	for _, v := range a.ticksY {
		_, y := a.at(point{a.low.x, v})
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y, width-right, left-8, y+5, tick(v))
	}
	for _, v := range a.ticksX {
		x, _ := a.at(point{v, a.low.y})
		anchor := "middle"
		if v == a.high.x {
			anchor = "end"
			x += right / 2
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="%s">%s</text>`+"\n", x, height-bottom+20, anchor, tick(v))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-10, html.EscapeString(c.across))
	fmt.Fprintf(b, `<text x="14" y="%.1f">%s</text>`+"\n", a.top-12, html.EscapeString(c.up))
}

// tick is a number of an axis.
func tick(v float64) string {
	if v >= 1e6 {
		return fmt.Sprintf("%g M", v/1e6)
	}
	if v >= 1e3 {
		return thousands(v)
	}
	return fmt.Sprintf("%g", v)
}

func (a axes) trace(b *strings.Builder, l line, colour int) {
	var way strings.Builder
	for i, p := range l.points {
		x, y := a.at(p)
		fmt.Fprintf(&way, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
	}
	fmt.Fprintf(b, `<path class="line s%d%s" d="%s"/>`, colour, dashes(l), way.String())
	if !l.dashed {
		for _, p := range l.points {
			x, y := a.at(p)
			mark(b, colour, x, y)
		}
	}
	b.WriteString("\n")
}
