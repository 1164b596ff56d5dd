package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// chart is a figure of the page: the drawing and the same numbers as a table.
type chart struct {
	Title, About string
	SVG          template.HTML
	Legend       []legend
	Head         []string
	Rows         [][]string
}

type legend struct {
	Class, Name string
}

// series is one line: a value per label, NaN where there is none.
type series struct {
	name   string
	values []float64
}

// lines is what a chart over time shows.
type lines struct {
	title, about string
	labels       []string // of the days, like 2026-11-26
	series       []series
	format       func(v float64, places int) string // of the axis
	value        func(v float64) string             // in tips and the table
	floor, ceil  float64                            // values cannot be beyond; NaN: no end
}

const (
	chartWidth, chartHeight                        = 640.0, 260.0
	marginLeft, marginRight, marginTop, marginFoot = 58.0, 14.0, 12.0, 30.0
)

func (l *lines) chart() chart {
	d := newDrawing(chartWidth, chartHeight, l.title, l.about)
	x0, x1, y0, y1 := marginLeft, chartWidth-marginRight, chartHeight-marginFoot, marginTop
	y := l.axis(y0, y1)
	for _, t := range y.ticks {
		d.line("grid", x0, y.at(t), x1, y.at(t))
		d.text("tick", "end", x0-8, y.at(t)+4, l.format(t, y.places))
	}
	x := func(i int) float64 {
		if len(l.labels) == 1 {
			return (x0 + x1) / 2
		}
		return x0 + 8 + float64(i)/float64(len(l.labels)-1)*(x1-x0-16)
	}
	every := max(1, (len(l.labels)+6)/7)
	for i := 0; i < len(l.labels); i += every {
		if i+every > len(l.labels) && len(l.labels)-1-i < every/2 && i > 0 {
			break
		}
		d.text("tick", "middle", x(i), y0+19, dayLabel(l.labels[i]))
	}
	for k := len(l.series) - 1; k >= 0; k-- { // the first, the base, on top
		l.draw(d, k, x, y)
	}
	c := chart{Title: l.title, About: l.about, SVG: d.svg(), Head: []string{"from"}}
	for k, s := range l.series {
		c.Legend = append(c.Legend, legend{fmt.Sprintf("s%d", k), s.name})
		c.Head = append(c.Head, s.name)
	}
	for i, label := range l.labels {
		row := []string{label}
		for _, s := range l.series {
			row = append(row, l.value(s.values[i]))
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

func (l *lines) axis(from, to float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range l.series {
		for _, v := range s.values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low > high {
		low, high = 0, 1
	}
	pad := (high - low) * .08
	low, high = low-pad, high+pad
	if !math.IsNaN(l.floor) {
		low = max(low, l.floor)
	}
	if !math.IsNaN(l.ceil) {
		high = min(high, l.ceil)
		if low >= high {
			low = high - 1
		}
	}
	return newScale(low, high, from, to)
}

// draw puts one line on the chart, broken where values are missing, with points to hover over.
func (l *lines) draw(d *drawing, k int, x func(int) float64, y scale) {
	var path strings.Builder
	pen := false
	for i, v := range l.series[k].values {
		if math.IsNaN(v) {
			pen = false
			continue
		}
		op := "L"
		if !pen {
			op = "M"
		}
		pen = true
		fmt.Fprintf(&path, "%s%s %s", op, px(x(i)), px(y.at(v)))
	}
	if path.Len() > 0 {
		d.path(fmt.Sprintf("line l%d", k), "", path.String(), "")
	}
	for i, v := range l.series[k].values {
		if !math.IsNaN(v) {
			r := 2.2
			if len(l.labels) > 40 {
				r = 1.6
			}
			d.circle(fmt.Sprintf("dot f%d", k), x(i), y.at(v), r, fmt.Sprintf("%s, %s: %s", l.series[k].name, l.labels[i], l.value(v)))
		}
	}
}

// dayLabel is a day as an axis has it.
func dayLabel(day string) string {
	at, err := time.Parse(dayLayout, day)
	if err != nil {
		return day
	}
	return at.Format("2 Jan")
}

// bars is a chart of groups of horizontal bars, one bar of each run in a group.
type bars struct {
	title, about, first string // first: the head of the table's first column
	groups              []string
	series              []series // a value per group
	value               func(v float64) string
}

const (
	barHeight = 13.0
	barGap    = 10.0
	barLabel  = 176.0
	barNumber = 96.0
)

func (b *bars) chart() chart {
	each := float64(len(b.series))*barHeight + barGap
	d := newDrawing(chartWidth, float64(len(b.groups))*each+4, b.title, b.about)
	high := 0.0
	for _, s := range b.series {
		for _, v := range s.values {
			if !math.IsNaN(v) {
				high = max(high, v)
			}
		}
	}
	if high == 0 {
		high = 1
	}
	c := chart{Title: b.title, About: b.about, Head: []string{b.first}}
	for k, s := range b.series {
		c.Legend = append(c.Legend, legend{fmt.Sprintf("s%d", k), s.name})
		c.Head = append(c.Head, s.name)
	}
	for g, name := range b.groups {
		top := float64(g)*each + barGap/2
		d.text("label", "end", barLabel-8, top+float64(len(b.series))*barHeight/2+4, shorten(name, 26))
		row := []string{name}
		for k, s := range b.series {
			v := s.values[g]
			row = append(row, b.value(v))
			if math.IsNaN(v) {
				continue
			}
			w := max(v, 0) / high * (chartWidth - barLabel - barNumber)
			at := top + float64(k)*barHeight
			d.rect(fmt.Sprintf("bar f%d", k), barLabel, at, max(w, 1), barHeight-2, fmt.Sprintf("%s, %s: %s", name, s.name, b.value(v)))
			d.text("tick", "start", barLabel+w+6, at+barHeight-3.5, b.value(v))
		}
		c.Rows = append(c.Rows, row)
	}
	c.SVG = d.svg()
	return c
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// trend is the small line of a question.
func trend(values []float64, of, by string) template.HTML {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if len(values) < 2 || low > high {
		return ""
	}
	const w, h = 220.0, 44.0
	d := newDrawing(w, h, "Trend of "+of+" by "+by, fmt.Sprintf("%d values, from %s to %s", len(values), number(low, 2), number(high, 2)))
	if high == low {
		low, high = low-1, high+1
	}
	var line strings.Builder
	op, last := "M", -1
	x := func(i int) float64 { return 4 + float64(i)/float64(len(values)-1)*(w-8) }
	y := func(v float64) float64 { return h - 6 - (v-low)/(high-low)*(h-12) }
	for i, v := range values {
		if math.IsNaN(v) {
			op = "M"
			continue
		}
		fmt.Fprintf(&line, "%s%s %s", op, px(x(i)), px(y(v)))
		op, last = "L", i
	}
	d.path("trend", "", line.String(), "")
	d.circle("trendend", x(last), y(values[last]), 3.2, "")
	return d.svg()
}
