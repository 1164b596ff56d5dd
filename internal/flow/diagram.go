package flow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxLabelLines = 4
	maxLabelRunes = 34
	maxTimerRunes = 26
	maxStateRunes = 22
)

// Diagram draws a flow as SVG: states with what they await and their timers, what leads from one to
// the next, and, with counts, how many subjects are in each state now. What leads from any
// state that is not final has a place of its own. The picture follows from the flow and the counts alone.
func Diagram(c *Compiled, counts map[string]int64) []byte {
	d := &diagram{c: c, counts: counts}
	edges := d.edges()
	heights := make([]float64, len(c.states), len(c.states)+1)
	for i := range c.states {
		heights[i] = 34 + lineHeight*float64(len(d.notes(i)))
	}
	if len(c.Doc.Flow.On) > 0 {
		heights = append(heights, 34)
	}
	l := newLayout(heights, func(e *edge) float64 { return 8 + lineHeight*float64(len(e.lines)) }, edges)
	d.head(l)
	for _, e := range edges {
		d.edge(e)
	}
	for _, n := range l.nodes {
		if n.state >= 0 {
			d.state(n)
		}
	}
	d.b.WriteString("</svg>\n")
	return d.b.Bytes()
}

type diagram struct {
	c      *Compiled
	counts map[string]int64
	b      bytes.Buffer
}

func (d *diagram) printf(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

// edges gathers everything that leads from one state to another; the place after the last state is any state.
func (d *diagram) edges() []*edge {
	var out []*edge
	find := map[[2]int]*edge{}
	add := func(from int, list []Transition) {
		for i := range list {
			t := &list[i]
			to, leads := d.c.index[t.To]
			if !leads || to == from {
				continue
			}
			e := find[[2]int{from, to}]
			if e == nil {
				e = &edge{from: from, to: to, reversed: from < len(d.c.states) && d.c.states[from].final}
				find[[2]int{from, to}] = e
				out = append(out, e)
			}
			d.describe(e, t)
		}
	}
	for i := range d.c.states {
		add(i, d.c.Doc.Flow.States[i].On)
	}
	add(len(d.c.states), d.c.Doc.Flow.On)
	for _, e := range out {
		if len(e.lines) > maxLabelLines {
			more := len(e.lines) - maxLabelLines + 1
			e.lines = append(e.lines[:maxLabelLines-1], fmt.Sprintf("… and %d more", more))
		}
	}
	return out
}

// describe adds a transition to the label of an edge, in short, and to its title, in full.
func (d *diagram) describe(e *edge, t *Transition) {
	short := make([]string, len(t.events()))
	for i, event := range t.events() {
		short[i] = strings.TrimPrefix(event, d.c.Subject+".")
	}
	line := strings.Join(short, ", ")
	full := strings.Join(t.events(), ", ")
	if t.guarded() {
		when := strings.Join(strings.Fields(t.When), " ")
		line += " [" + strings.ReplaceAll(when, "subject.", "") + "]"
		full += " when " + when
	}
	for i := range t.Do {
		full += ", do " + strings.Join(t.Do[i].given(), " ")
	}
	e.lines = append(e.lines, cut(line, maxLabelRunes))
	if e.title != "" {
		e.title += "\n"
	}
	e.title += full
}

func cut(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	return string([]rune(s)[:runes-1]) + "…"
}

// note is a line in the box of a state.
type note struct {
	text  string
	clock bool
}

func (d *diagram) notes(i int) (out []note) {
	s := &d.c.states[i]
	if s.awaits != "" {
		out = append(out, note{text: "awaits " + s.awaits})
	}
	for k := range s.timers {
		out = append(out, note{text: cut(s.timers[k].String(), maxTimerRunes), clock: true})
	}
	return out
}

// String tells a timer in short, like "accept 4h, every 1h ×2".
func (x *timer) String() string {
	out := x.name + " " + FormatDuration(x.after)
	if x.at != "" {
		date := map[string]string{AtShipBy: "ship by", AtDeliverBy: "deliver by", AtWantedBy: "wanted by", AtExpected: "expected"}[x.at]
		switch {
		case x.offset > 0:
			out = x.name + " " + date + " +" + FormatDuration(x.offset)
		case x.offset < 0:
			out = x.name + " " + date + " −" + FormatDuration(-x.offset)
		default:
			out = x.name + " " + date
		}
	}
	if x.every > 0 {
		out += ", every " + FormatDuration(x.every)
	}
	if x.times > 0 {
		out += fmt.Sprintf(" ×%d", x.times)
	}
	return out
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// escape makes a text fit for XML, which does not allow every character.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= 0x20 && r < 0xD800 || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 {
			return r
		}
		return '�'
	}, s)
	return escaper.Replace(s)
}

func (d *diagram) head(l *layout) {
	title := fmt.Sprintf("%s flow %s", d.c.Subject, d.c.Ref)
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" font-family="system-ui, sans-serif" font-size="12">`+"\n",
		l.width, l.height+24, l.width, l.height+24)
	d.printf("<title>%s</title>\n", escape(title))
	d.printf(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>` + "\n")
	d.printf(`<rect width="100%%" height="100%%" fill="#ffffff"/>` + "\n")
	d.printf(`<text x="%.0f" y="%.1f" fill="#64748b">%s</text>`+"\n", margin, l.height+14, escape(title))
}

// edge draws a smooth line through the points of an edge, and its label over it.
func (d *diagram) edge(e *edge) {
	points, side := slices.Clone(e.chain), 1.0
	if e.reversed {
		slices.Reverse(points)
		side = -1
	}
	first, last := points[0], points[len(points)-1]
	x, y := first.x+side*first.width/2, first.y
	d.printf(`<path d="M%.1f %.1f`, x, y)
	for _, p := range points[1:] {
		near, far := p.x-side*p.width/2, p.x+side*p.width/2
		middle := (x + near) / 2
		d.printf("C%.1f %.1f %.1f %.1f %.1f %.1f", middle, y, middle, p.y, near, p.y)
		if p != last {
			d.printf("H%.1f", far)
		}
		x, y = far, p.y
	}
	dashes := ""
	if e.from == len(d.c.states) {
		dashes = ` stroke-dasharray="4 3"`
	}
	d.printf(`" fill="none" stroke="#94a3b8" stroke-width="1.3"%s marker-end="url(#arrow)"/>`+"\n", dashes)
	n := e.label
	d.printf("<g><title>%s</title>", escape(e.title))
	d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="4" fill="#ffffff" fill-opacity="0.94"/>`, n.x-n.width/2+4, n.y-n.height/2, n.width-8, n.height)
	for i, line := range e.lines {
		d.printf(`<text x="%.1f" y="%.1f" text-anchor="middle" font-size="11" fill="#334155">%s</text>`, n.x, n.y-n.height/2+15+lineHeight*float64(i), escape(line))
	}
	d.printf("</g>\n")
}

func (d *diagram) state(n *node) {
	x, y := n.x-n.width/2, n.y-n.height/2
	if n.state == len(d.c.states) {
		d.printf(`<g><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="17" fill="#f8fafc" stroke="#94a3b8" stroke-dasharray="4 3"/>`, x, y, n.width, n.height)
		d.printf(`<text x="%.1f" y="%.1f" text-anchor="middle" fill="#475569">any state not final</text></g>`+"\n", n.x, y+21)
		return
	}
	s, doc := &d.c.states[n.state], &d.c.Doc.Flow.States[n.state]
	fill, stroke := "#eff6ff", "#2563eb"
	if s.final {
		fill, stroke = "#f0fdf4", "#15803d"
	}
	d.printf("<g><title>%s</title>", escape(strings.TrimSpace(s.name+"\n"+doc.Description)))
	d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8" fill="%s" stroke="%s" stroke-width="1.5"/>`, x, y, n.width, n.height, fill, stroke)
	if s.final { // a second frame, as ends of lifecycles are drawn
		d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" fill="none" stroke="%s"/>`, x+3, y+3, n.width-6, n.height-6, stroke)
	}
	if n.state == d.c.start {
		d.printf(`<circle cx="%.1f" cy="%.1f" r="5" fill="#2563eb"/>`, x, y)
	}
	d.printf(`<text x="%.1f" y="%.1f" font-weight="600" fill="#0f172a">%s</text>`, x+12, y+22, escape(cut(s.name, maxStateRunes)))
	if d.counts != nil {
		d.count(x+n.width-8, y+22, d.counts[s.name])
	}
	for i, note := range d.notes(n.state) {
		at := y + 38 + lineHeight*float64(i)
		left := x + 12
		if note.clock {
			d.printf(`<g fill="none" stroke="#b45309"><circle cx="%.1f" cy="%.1f" r="4.5"/><path d="M%.1f %.1fv-3M%.1f %.1fh2.5"/></g>`, left+4.5, at-4, left+4.5, at-4, left+4.5, at-4)
			left += 14
		}
		d.printf(`<text x="%.1f" y="%.1f" font-size="11" fill="#475569">%s</text>`, left, at, escape(note.text))
	}
	d.printf("</g>\n")
}

// count writes how many are in a state, so that its right end is at x.
func (d *diagram) count(x, y float64, n int64) {
	text := fmt.Sprint(n)
	width := 12 + 7*float64(len(text))
	fill := "#1d4ed8"
	if n == 0 {
		fill = "#94a3b8"
	}
	d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="18" rx="9" fill="%s"/>`, x-width, y-14, width, fill)
	d.printf(`<text x="%.1f" y="%.1f" text-anchor="middle" font-size="11" fill="#ffffff">%s</text>`, x-width/2, y-1, text)
}
