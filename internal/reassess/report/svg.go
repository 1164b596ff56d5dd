package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// drawing collects the elements of one SVG. Text is escaped; colours come from classes, so that they follow
// the page's light, dark and print styles.
type drawing struct {
	b             strings.Builder
	width, height float64
	title, about  string
}

func newDrawing(width, height float64, title, about string) *drawing {
	return &drawing{width: width, height: height, title: title, about: about}
}

func (d *drawing) add(format string, a ...any) { fmt.Fprintf(&d.b, format+"\n", a...) }

// px writes a coordinate shortly, and the same on every machine.
func px(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.add(`<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, px(x1), px(y1), px(x2), px(y2))
}

// text writes a label; anchor is start, middle or end.
func (d *drawing) text(class, anchor string, x, y float64, s string) {
	d.add(`<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`, class, anchor, px(x), px(y), html.EscapeString(s))
}

func (d *drawing) rect(class string, x, y, w, h float64, tip string) {
	d.add(`<rect class="%s" x="%s" y="%s" width="%s" height="%s">%s</rect>`, class, px(x), px(y), px(w), px(h), tipOf(tip))
}

func (d *drawing) circle(class string, x, y, r float64, tip string) {
	d.add(`<circle class="%s" cx="%s" cy="%s" r="%s">%s</circle>`, class, px(x), px(y), px(r), tipOf(tip))
}

func (d *drawing) path(class, style, path, tip string) {
	if style != "" {
		style = ` style="` + style + `"`
	}
	d.add(`<path class="%s"%s d="%s">%s</path>`, class, style, path, tipOf(tip))
}

func tipOf(tip string) string {
	if tip == "" {
		return ""
	}
	return "<title>" + html.EscapeString(tip) + "</title>"
}

// svg is the whole element, with a title and a description for those who do not see it.
func (d *drawing) svg() template.HTML {
	return template.HTML(fmt.Sprintf("<svg viewBox=\"0 0 %s %s\" role=\"img\" aria-label=\"%s\" preserveAspectRatio=\"xMidYMid meet\"><desc>%s</desc>\n%s</svg>",
		px(d.width), px(d.height), html.EscapeString(d.title), html.EscapeString(d.about), d.b.String()))
}

// scale maps values to a line of pixels, with round values to write beside it.
type scale struct {
	low, high float64
	from, to  float64 // pixels
	ticks     []float64
	places    int // decimals that tell the ticks apart
}

// newScale covers low to high and ends on round values.
func newScale(low, high, from, to float64) scale {
	if !(low < high) {
		pad := math.Max(math.Abs(low)*.1, 1)
		low, high = low-pad, high+pad
	}
	step := roundStep((high - low) / 4)
	s := scale{low: math.Floor(low/step+1e-9) * step, high: math.Ceil(high/step-1e-9) * step, from: from, to: to}
	s.places = max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	for i := 0; ; i++ {
		v := s.low + float64(i)*step
		if v > s.high+step/2 {
			return s
		}
		s.ticks = append(s.ticks, v)
	}
}

// roundStep is the next larger of 1, 2, 2.5 and 5 times a power of ten.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if v <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func (s *scale) at(v float64) float64 {
	return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from)
}
