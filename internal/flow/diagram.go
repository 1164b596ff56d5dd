package flow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxLabelLines = 9
	maxLabelRunes = 30
	maxNoteLines  = 2 // of one timer
	maxNoteRunes  = 26
	maxStateRunes = 22
	// smallRune is the width of a character of labels and notes, in a wide font.
	smallRune   = 6.7
	smallIndent = 14.0
	legendSpace = 36.0 // below all
	legendWidth = 78 * smallRune
)

// Diagram draws a flow as SVG: states with what they await and their timers, what leads from one to
// the next, and, with counts, how many subjects are in each state now. What leads from any
// state that is not final begins, dashed, beside the state that it leads to. The picture follows from the flow and
// the counts alone; it is readable on light and dark ground, and says in words what it shows.
func Diagram(c *Compiled, counts map[string]int64) []byte {
	d := &diagram{c: c, counts: counts}
	edges := d.edges()
	heights := make([]float64, len(c.states))
	for i := range c.states {
		heights[i] = 34 + lineHeight*float64(len(d.notes(i)))
	}
	l := newLayout(heights, edges)
	d.head(l, edges)
	for _, e := range edges {
		d.edge(e)
	}
	for _, n := range l.nodes {
		if n.state >= 0 {
			d.state(n)
		}
	}
	d.legend(l)
	d.b.WriteString("</svg>\n")
	return d.b.Bytes()
}

type diagram struct {
	c      *Compiled
	counts map[string]int64
	b      bytes.Buffer
}

func (d *diagram) printf(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

// edges gathers everything that leads from one state to another, or from any to one.
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
				e = &edge{from: from, to: to, reversed: from != anyState && d.c.states[from].final}
				find[[2]int{from, to}] = e
				out = append(out, e)
			}
			d.describe(e, t)
		}
	}
	for i := range d.c.states {
		add(i, d.c.Doc.Flow.States[i].On)
	}
	own := map[int]bool{}
	for _, e := range out {
		own[e.to] = own[e.to] || !e.reversed
	}
	add(anyState, d.c.Doc.Flow.On)
	for _, e := range out {
		if e.from == anyState {
			e.near = d.near(e.to, own)
		}
		if len(e.lines) > maxLabelLines {
			more := len(e.lines) - maxLabelLines + 1
			e.lines = append(e.lines[:maxLabelLines-1], labelLine{fmt.Sprintf("… %d more lines", more), true})
		}
	}
	return out
}

// near finds the state that, as the flow is written, a state that is entered from any comes after: the last one before
// it that is the start or is entered from any state alone as well, and is not final. -1: a state that leads to it
// says where it stands.
func (d *diagram) near(to int, own map[int]bool) int {
	if own[to] || to == d.c.start {
		return -1
	}
	for i := to - 1; i >= 0; i-- {
		if i == d.c.start || !own[i] && !d.c.states[i].final {
			return i
		}
	}
	return d.c.start
}

// labelLine is a line of a label: events, or, set apart, on which condition.
type labelLine struct {
	text string
	when bool
}

// labelWidth is that of the box of a label.
func (e *edge) labelWidth() float64 {
	runes := 0
	for _, line := range e.lines {
		runes = max(runes, utf8.RuneCountInString(line.text))
	}
	return 14 + smallRune*float64(runes)
}

func (e *edge) labelHeight() float64 { return 10 + lineHeight*float64(len(e.lines)) }

// describe adds a transition to the label of an edge, in short, and to its title, in full.
func (d *diagram) describe(e *edge, t *Transition) {
	short := make([]string, len(t.events()))
	for i, event := range t.events() {
		short[i] = strings.TrimPrefix(event, d.c.Subject+".")
	}
	full := strings.Join(t.events(), ", ")
	for _, line := range wrap(strings.Join(short, ", "), maxLabelRunes, 3) {
		e.lines = append(e.lines, labelLine{line, false})
	}
	if t.guarded() {
		when := strings.Join(strings.Fields(t.When), " ")
		full += " when " + when
		for _, line := range wrap("if "+strings.ReplaceAll(when, "subject.", ""), maxLabelRunes, 3) {
			e.lines = append(e.lines, labelLine{line, true})
		}
	}
	for i := range t.Do {
		full += ", do " + strings.Join(t.Do[i].given(), " ")
	}
	if e.title != "" {
		e.title += "\n"
	}
	e.title += full
}

// wrap breaks a text between words into lines of so many characters; what is more than so many lines is cut off.
func wrap(s string, runes, lines int) (out []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= runes:
			line += " " + word
		case len(out) == lines-1:
			line += " " + word // too long: cut below
		default:
			out, line = append(out, cut(line, runes)), word
		}
	}
	return append(out, cut(line, runes))
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
	clock bool // of a timer
	more  bool // goes on with the timer above
}

func (d *diagram) notes(i int) (out []note) {
	s := &d.c.states[i]
	if s.awaits != "" {
		out = append(out, note{text: "awaits " + s.awaits})
	}
	for k := range s.timers {
		for i, line := range wrap(s.timers[k].String(), maxNoteRunes, maxNoteLines) {
			out = append(out, note{text: line, clock: i == 0, more: i > 0})
		}
	}
	return out
}

// dateNames says the dates of timers in words.
var dateNames = map[string]string{AtShipBy: "ship-by", AtDeliverBy: "deliver-by", AtWantedBy: "wanted-by", AtExpected: "expected"}

// String tells a timer in short, like "accept: 4h, every 1h ×2" or "late: 1d after ship-by".
func (x *timer) String() string {
	out := FormatDuration(x.after)
	if x.at != "" {
		date, known := dateNames[x.at]
		if !known {
			date = strings.ReplaceAll(x.at[strings.LastIndexByte(x.at, '.')+1:], "_", "-")
		}
		switch {
		case x.offset > 0:
			out = FormatDuration(x.offset) + " after " + date
		case x.offset < 0:
			out = FormatDuration(-x.offset) + " before " + date
		default:
			out = "at " + date
		}
	}
	if x.every > 0 {
		out += ", every " + FormatDuration(x.every)
	}
	if x.times > 0 {
		out += fmt.Sprintf(" ×%d", x.times)
	}
	return x.name + ": " + out
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

// style has the colours, on light and on dark ground. Nothing in it leaves the picture.
const style = `<style>
.f{font-family:system-ui,sans-serif;font-size:12px}
.ground{fill:#fff}.line{fill:none;stroke:#94a3b8;stroke-width:1.3}.tip{fill:#64748b}
.label{fill:#fff}.any{stroke:#94a3b8;stroke-dasharray:4 3}.event{fill:#334155;font-size:11px}.when{fill:#64748b;font-size:11px;font-style:italic}
.state{fill:#eff6ff;stroke:#2563eb;stroke-width:1.5}.final{fill:#f0fdf4;stroke:#15803d;stroke-width:1.5}.frame{fill:none;stroke:#15803d}
.start{fill:#2563eb}.clock{fill:none;stroke:#b45309}.name{fill:#0f172a;font-weight:600}.note{fill:#475569;font-size:11px}.legend{fill:#64748b;font-size:11px}
.count{fill:#1d4ed8}.none{fill:#64748b}.number{fill:#fff;font-size:11px}
@media (prefers-color-scheme:dark){
.ground,.label{fill:#0f172a}.line,.any{stroke:#64748b}.tip{fill:#94a3b8}.event{fill:#e2e8f0}.when,.legend{fill:#94a3b8}
.state{fill:#172554;stroke:#60a5fa}.final{fill:#052e16;stroke:#4ade80}.frame{stroke:#4ade80}.start{fill:#60a5fa}.clock{stroke:#fbbf24}
.name{fill:#f8fafc}.note{fill:#cbd5e1}.count{fill:#2563eb}.none{fill:#475569}}
</style>
`

// name is what the flow is called. A document that was not published has no version.
func (d *diagram) name() string {
	return fmt.Sprintf("%s flow %s", d.c.Subject, strings.TrimSuffix(d.c.Ref, "@0"))
}

func (d *diagram) head(l *layout, edges []*edge) {
	id, width, height := d.c.Subject+"-"+d.c.Name, max(l.width, 2*margin+legendWidth), l.height+legendSpace
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-labelledby="%s-title %s-desc" class="f">`+"\n",
		width, height, width, height, escape(id), escape(id))
	d.printf("<title id=\"%s-title\">%s</title>\n<desc id=\"%s-desc\">%s</desc>\n", escape(id), escape(d.name()), escape(id), escape(d.words(edges)))
	d.b.WriteString(style)
	d.printf(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>` + "\n")
	d.printf(`<rect width="100%%" height="100%%" class="ground"/>` + "\n")
}

// words says what the picture shows, for those who cannot see it.
func (d *diagram) words(edges []*edge) string {
	var b strings.Builder
	b.WriteString(strings.Join(strings.Fields(d.c.Doc.Description), " "))
	for i := range d.c.states {
		s := &d.c.states[i]
		fmt.Fprintf(&b, "\nState %s", s.name)
		if i == d.c.start {
			b.WriteString(", where it begins")
		}
		if s.final {
			b.WriteString(", where it ends")
		}
		if d.counts != nil {
			fmt.Fprintf(&b, ", %d now", d.counts[s.name])
		}
		if s.awaits != "" {
			fmt.Fprintf(&b, "; awaits %s", s.awaits)
		}
		for k := range s.timers {
			fmt.Fprintf(&b, "; timer %s", &s.timers[k])
		}
		for _, e := range edges {
			if e.from == i {
				fmt.Fprintf(&b, "; leads to %s on %s", d.c.states[e.to].name, strings.ReplaceAll(e.title, "\n", ", or "))
			}
		}
		b.WriteByte('.')
	}
	if len(d.c.Doc.Flow.On) > 0 {
		b.WriteString("\nFrom any state that is not final")
		for _, e := range edges {
			if e.from == anyState {
				fmt.Fprintf(&b, "; to %s on %s", d.c.states[e.to].name, strings.ReplaceAll(e.title, "\n", ", or "))
			}
		}
		b.WriteByte('.')
	}
	return b.String()
}

// edge draws a smooth line through the points of an edge, and its label over it.
func (d *diagram) edge(e *edge) {
	points, side := slices.Clone(e.chain), 1.0
	if e.reversed {
		slices.Reverse(points)
		side = -1
	}
	first, last := points[0], points[len(points)-1]
	x, y, label := first.x+side*first.width/2, first.y+e.leave, "label"
	d.printf("<g><title>%s</title>", escape(e.title))
	d.printf(`<path d="M%.1f %.1f`, x, y)
	if far := first.x + side*first.column/2; far != x {
		d.printf("H%.1f", far)
		x = far
	}
	for _, p := range points[1:] {
		edge, far, at := p.x-side*p.column/2, p.x+side*p.column/2, p.y
		if p == last {
			far, at = p.x-side*p.width/2, p.y+e.arrive
		}
		middle := (x + edge) / 2
		d.printf("C%.1f %.1f %.1f %.1f %.1f %.1f", middle, y, middle, at, edge, at)
		if far != edge {
			d.printf("H%.1f", far)
		}
		x, y = far, at
	}
	dashes := ""
	if e.from == anyState {
		dashes, label = " any", "label any"
	}
	d.printf(`" class="line%s" marker-end="url(#arrow)"/>`, dashes)
	n := e.label
	d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" class="%s"/>`, n.x-n.width/2, n.y-n.height/2, n.width, n.height, label)
	for i, line := range e.lines {
		class := "event"
		if line.when {
			class = "when"
		}
		d.printf(`<text x="%.1f" y="%.1f" text-anchor="middle" class="%s">%s</text>`, n.x, n.y-n.height/2+16+lineHeight*float64(i), class, escape(line.text))
	}
	d.printf("</g>\n")
}

func (d *diagram) state(n *node) {
	x, y := n.x-n.width/2, n.y-n.height/2
	s, doc := &d.c.states[n.state], &d.c.Doc.Flow.States[n.state]
	class := "state"
	if s.final {
		class = "final"
	}
	d.printf("<g><title>%s</title>", escape(strings.TrimSpace(s.name+"\n"+doc.Description)))
	d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8" class="%s"/>`, x, y, n.width, n.height, class)
	if s.final { // a second frame, as ends of lifecycles are drawn
		d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" class="frame"/>`, x+3, y+3, n.width-6, n.height-6)
	}
	if n.state == d.c.start {
		d.printf(`<circle cx="%.1f" cy="%.1f" r="5" class="start"/>`, x, y)
	}
	d.printf(`<text x="%.1f" y="%.1f" class="name">%s</text>`, x+12, y+22, escape(cut(s.name, maxStateRunes)))
	if d.counts != nil {
		d.count(x+n.width-8, y+22, d.counts[s.name])
	}
	for i, note := range d.notes(n.state) {
		at := y + 38 + lineHeight*float64(i)
		left := x + 12
		if note.clock {
			d.clock(left+4.5, at-4)
		}
		if note.clock || note.more {
			left += smallIndent
		}
		d.printf(`<text x="%.1f" y="%.1f" class="note">%s</text>`, left, at, escape(note.text))
	}
	d.printf("</g>\n")
}

func (d *diagram) clock(x, y float64) {
	d.printf(`<g class="clock"><circle cx="%.1f" cy="%.1f" r="4.5"/><path d="M%.1f %.1fv-3M%.1f %.1fh2.5"/></g>`, x, y, x, y, x, y)
}

// count writes how many are in a state, so that its right end is at x.
func (d *diagram) count(x, y float64, n int64) {
	text := fmt.Sprint(n)
	width := 12 + 7*float64(len(text))
	class := "count"
	if n == 0 {
		class = "none"
	}
	d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="18" rx="9" class="%s"/>`, x-width, y-14, width, class)
	d.printf(`<text x="%.1f" y="%.1f" text-anchor="middle" class="number">%s</text>`, x-width/2, y-1, text)
}

// legend says below the picture what it is and how to read it.
func (d *diagram) legend(l *layout) {
	for i, text := range []string{d.name(), "dot: begins; double frame: ends; dashed: from any state that is not final"} {
		d.printf(`<text x="%.1f" y="%.1f" class="legend">%s</text>`+"\n", margin, l.height+4+lineHeight*float64(i), escape(cut(text, 78)))
	}
}
