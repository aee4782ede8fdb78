package capacity

import "fmt"

// Pictures are the curves of the document, as SVG, by the names of their files.
func Pictures(m *Measured) map[string]string {
	return map[string]string{
		"nodes":       nodesChart(m).svg(),
		"connections": connectionsChart(m).svg(),
		"lists":       listsChart(m).svg(),
		"wal":         walChart(m).svg(),
		"accepting":   acceptingChart(m).svg(),
	}
}

func nodesChart(m *Measured) chart {
	c := chart{title: "Copies a second by nodes, one database", across: "nodes (processes on one machine)", up: "copies/s", even: true}
	var names []string
	byName := map[string]*line{}
	add := func(name string, dashed bool, p point) {
		if byName[name] == nil {
			byName[name] = &line{name: name, dashed: dashed}
			names = append(names, name)
		}
		byName[name].points = append(byName[name].points, p)
	}
	for _, f := range m.Processes {
		name := fmt.Sprintf("replies %.0f ms late", f.Delay)
		if f.Delay == 0 {
			name = "replies at once"
		}
		add(name, false, point{float64(f.Processes), f.PerSecond})
	}
	for _, f := range m.Shared {
		add(fmt.Sprintf("%.0f ms, sharing %d", f.Delay, f.Destinations*f.Connections), false, point{float64(f.Processes), f.PerSecond})
	}
	for _, f := range m.Processes {
		if f.Delay == 20 {
			add("20 ms: what they carry", true, point{float64(f.Processes), f.Ceiling()})
		}
	}
	for _, name := range names {
		c.lines = append(c.lines, *byName[name])
	}
	return c
}

func connectionsChart(m *Measured) chart {
	c := chart{title: "Copies a second by connections, one destination", across: "connections to it", up: "copies/s", logarithmic: true}
	measured, ceiling := line{name: "replies 20 ms late"}, line{name: "what they carry", dashed: true}
	for _, f := range m.Connections {
		measured.points = append(measured.points, point{float64(f.Connections), f.PerSecond})
		ceiling.points = append(ceiling.points, point{float64(f.Connections), f.Ceiling()})
	}
	c.lines = []line{measured, ceiling}
	return c
}

// byMembers is a line over the sizes of lists.
func byMembers(m *Measured, name string, each int, value func(Cost) float64) line {
	l := line{name: name}
	for _, r := range m.Lists {
		if r.PerTransaction == each {
			l.points = append(l.points, point{float64(r.Members), max(value(r.Cost), 0.1)})
		}
	}
	return l
}

func listsChart(m *Measured) chart {
	muster := func(c Cost) float64 { return c.Muster }
	postgres := func(c Cost) float64 { return c.PostgreSQL }
	return chart{title: "Processor time of a copy by size of the list", across: "members", up: "µs a copy", logarithmic: true, lines: []line{
		byMembers(m, "Muster, 1 a transaction", 1, muster),
		byMembers(m, "PostgreSQL, 1", 1, postgres),
		byMembers(m, "Muster, 100", 100, muster),
		byMembers(m, "PostgreSQL, 100", 100, postgres),
	}}
}

func walChart(m *Measured) chart {
	wal := func(c Cost) float64 { return c.WAL }
	disk := func(c Cost) float64 { return c.Disk }
	return chart{title: "What the database writes and keeps of a copy", across: "members", up: "octets a copy", logarithmic: true, lines: []line{
		byMembers(m, "WAL, 1 a transaction", 1, wal),
		byMembers(m, "kept, 1", 1, disk),
		byMembers(m, "WAL, 100", 100, wal),
		byMembers(m, "kept, 100", 100, disk),
	}}
}

func acceptingChart(m *Measured) chart {
	l := line{name: "posts of 4 KiB, durable"}
	for _, a := range m.Accepting {
		l.points = append(l.points, point{float64(a.Clients), a.PerSecond})
	}
	return chart{title: "Posts accepted a second by clients, one node", across: "clients at once", up: "posts/s", lines: []line{l}}
}
