package flow

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// parseXML reads a whole document and returns its texts.
func parseXML(t *testing.T, text []byte) string {
	t.Helper()
	in := xml.NewDecoder(bytes.NewReader(text))
	var all strings.Builder
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.CharData:
			all.Write(x)
			all.WriteByte('\n')
		case xml.StartElement:
			if x.Name.Local == "script" {
				t.Error("the diagram has a script")
			}
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("the diagram has the handler %s", a.Name.Local)
				}
			}
		}
	}
}

func TestDiagrams(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		svg := Diagram(e.Flow, nil)
		if !bytes.Equal(svg, Diagram(e.Flow, nil)) {
			t.Errorf("%s: two drawings differ", e.File)
		}
		text := parseXML(t, svg)
		for _, s := range e.Flow.Doc.Flow.States {
			if !strings.Contains(text, s.Name) {
				t.Errorf("%s: state %s is not drawn", e.File, s.Name)
			}
		}
	}
	golden(t, "testdata/small.svg", string(Diagram(compile(t, small), map[string]int64{"open": 1203, "gone": 4})))
}

func TestDiagramsEscapeWhatTheyShow(t *testing.T) {
	t.Parallel()
	text := strings.Replace(small, "name: gone, final", `name: gone, description: "<script>alert('1 & 2')</script>", final`, 1)
	text = strings.Replace(text, `subject.status == "shipped"`, `subject.status == "<&>" && subject.units < 3`, 1)
	all := parseXML(t, Diagram(compile(t, text), nil))
	if !strings.Contains(all, "<script>alert('1 & 2')</script>") || !strings.Contains(all, `"<&>"`) {
		t.Errorf("the texts are %s", all)
	}
}

// box is what a state, or a label, takes up.
type box struct {
	x, y, width, height float64
	group               int // which g of the picture it is in
	text                string
}

func (b box) holds(x, y float64) bool {
	return x > b.x+1 && x < b.x+b.width-1 && y > b.y+1 && y < b.y+b.height-1
}

// picture is a diagram as it is seen.
type picture struct {
	width, height float64
	boxes         []box
	texts         []box
	below         []box                // texts that belong to no state or edge
	lines         map[int][][2]float64 // points along the line of a group
}

// seen reads a drawing. Texts are as wide as in a wide font.
func seen(t rapid.TB, svg []byte) (p picture) {
	t.Helper()
	p.lines = map[int][][2]float64{}
	in := xml.NewDecoder(bytes.NewReader(svg))
	group, depth := 0, 0
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		if end, ok := token.(xml.EndElement); ok && end.Name.Local == "g" {
			depth--
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attributes := map[string]string{}
		for _, a := range e.Attr {
			attributes[a.Name.Local] = a.Value
		}
		number := func(name string) (v float64) {
			if _, err := fmt.Sscan(attributes[name], &v); err != nil {
				t.Fatalf("%s %s=%q: %v", e.Name.Local, name, attributes[name], err)
			}
			return v
		}
		class, _, _ := strings.Cut(attributes["class"], " ")
		switch {
		case e.Name.Local == "svg":
			p.width, p.height = number("width"), number("height")
		case e.Name.Local == "g":
			if depth == 0 {
				group++
			}
			depth++
		case e.Name.Local == "rect" && slices.Contains([]string{"state", "final", "label"}, class):
			p.boxes = append(p.boxes, box{number("x"), number("y"), number("width"), number("height"), group, class})
		case e.Name.Local == "path" && class == "line":
			p.lines[group] = along(t, attributes["d"])
		case e.Name.Local == "text":
			var text string
			if err := in.DecodeElement(&text, &e); err != nil {
				t.Fatal(err)
			}
			wide := map[string]float64{"name": 8}[class]
			if wide == 0 {
				wide = 6.6
			}
			b := box{number("x"), number("y") - 9, wide * float64(utf8.RuneCountInString(text)), 11, group, text}
			if attributes["text-anchor"] == "middle" {
				b.x -= b.width / 2
			}
			if depth == 0 { // below the flow
				b.group = 0
				p.below = append(p.below, b)
				continue
			}
			p.texts = append(p.texts, b)
		}
	}
}

// along returns points on a path of M, H and C.
func along(t rapid.TB, path string) (out [][2]float64) {
	t.Helper()
	var x, y float64
	for _, step := range regexp.MustCompile(`[MHC][^MHC]*`).FindAllString(path, -1) {
		var v []float64
		for _, f := range strings.Fields(step[1:]) {
			n, err := strconv.ParseFloat(f, 64)
			if err != nil {
				t.Fatalf("path %s: %v", path, err)
			}
			v = append(v, n)
		}
		const points = 24
		for i := range points + 1 {
			s := float64(i) / points
			switch step[0] {
			case 'M':
				out = append(out, [2]float64{v[0], v[1]})
			case 'H':
				out = append(out, [2]float64{x + s*(v[0]-x), y})
			case 'C':
				r := 1 - s
				at := func(k int, from float64) float64 {
					return r*r*r*from + 3*r*r*s*v[k] + 3*r*s*s*v[k+2] + s*s*s*v[k+4]
				}
				out = append(out, [2]float64{at(0, x), at(1, y)})
			}
		}
		last := out[len(out)-1]
		x, y = last[0], last[1]
	}
	return out
}

// problems says what is ugly: boxes over each other or out of the picture, texts that leave their box or lie on
// each other, lines through what is not theirs.
func (p *picture) problems() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	over := func(a, b box) bool {
		return a.x < b.x+b.width && b.x < a.x+a.width && a.y < b.y+b.height && b.y < a.y+a.height
	}
	for i, a := range p.boxes {
		if a.x < 0 || a.y < 0 || a.x+a.width > p.width || a.y+a.height > p.height {
			say("%+v is out of the picture", a)
		}
		for _, b := range p.boxes[:i] {
			if over(a, b) {
				say("%+v is over %+v", a, b)
			}
		}
		for group, line := range p.lines {
			for _, at := range line {
				if group != a.group && a.holds(at[0], at[1]) {
					say("a line passes %+v at %v", a, at)
					break
				}
			}
		}
	}
	for _, a := range p.below {
		if a.x < 0 || a.x+a.width > p.width || a.y+a.height > p.height {
			say("%q is out of the picture", a.text)
		}
		for _, b := range slices.Concat(p.boxes, p.texts) {
			if over(a, b) {
				say("%q lies on %+v", a.text, b)
			}
		}
	}
	for i, a := range p.texts {
		for _, b := range p.boxes {
			if a.group == b.group && (a.x < b.x || a.y < b.y || a.x+a.width > b.x+b.width || a.y+a.height > b.y+b.height) {
				say("%q leaves its box: %+v, %+v", a.text, a, b)
			}
		}
		for _, b := range p.texts[:i] {
			if over(a, b) {
				say("%q lies on %q", a.text, b.text)
			}
		}
	}
	return out
}

func TestNothingLiesOnAnother(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		counts := map[string]int64{}
		for _, s := range e.Flow.Doc.Flow.States {
			counts[s.Name] = 1_234_567
		}
		p := seen(t, Diagram(e.Flow, counts))
		if len(p.boxes) < 4 || len(p.texts) < 8 || len(p.lines) < 2 {
			t.Fatalf("%s: saw %d boxes, %d texts, %d lines", e.File, len(p.boxes), len(p.texts), len(p.lines))
		}
		for _, problem := range p.problems() {
			t.Errorf("%s: %s", e.File, problem)
		}
	}
}

// tangled writes a flow that compiles and in which anything may lead anywhere.
func tangled(t *rapid.T) string {
	var b strings.Builder
	n := rapid.IntRange(2, 12).Draw(t, "states")
	events := EventsOf(SubjectFulfillment)
	leads := func(state string, most int) (out string) {
		list := rapid.SliceOfNDistinct(rapid.SampledFrom(events), 0, most, rapid.ID[string]).Draw(t, state)
		for _, event := range list {
			if event == "enter" || strings.HasPrefix(event, "timer") || state != "any" && event == "fulfillment.accepted" {
				continue
			}
			guard := rapid.SampledFrom([]string{"", `when: 'subject.status in ["open", "accepted", "incomprehensible_as_it_is"] && subject.units > 1', `}).Draw(t, "guard")
			out += fmt.Sprintf("        - {event: %s, %sto: s%d}\n", event, guard, rapid.IntRange(0, n).Draw(t, "to"))
		}
		return out
	}
	b.WriteString("kind: fulfillment_flow\nname: tangled\nflow:\n  states:\n")
	for i := range n {
		fmt.Fprintf(&b, "    - name: s%d\n      timers: [{name: slow, after: 36h, every: 12h}, {name: late, at: promise.deliver_by, offset: 1d, otherwise: 2d, every: 5d}]\n      on:\n", i)
		fmt.Fprintf(&b, "        - {event: fulfillment.accepted, to: s%d}\n%s", i+1, leads(fmt.Sprint("s", i), 5))
		b.WriteString("        - {events: [timer.slow, timer.late], do: [exception: {type: x, message: y}]}\n")
	}
	fmt.Fprintf(&b, "    - {name: s%d, final: true}\n  on:\n%s", n, leads("any", 6))
	return b.String()
}

func TestNothingLiesOnAnotherInAnyFlow(t *testing.T) {
	t.Parallel()
	written, compiled := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		written++
		text := tangled(t)
		p, err := CompileText([]byte(text))
		if err != nil {
			return
		}
		compiled++
		picture := seen(t, Diagram(Of(p), map[string]int64{"s0": 1_234_567}))
		if len(picture.boxes) < len(Of(p).states) || len(picture.lines) == 0 {
			t.Fatalf("saw %d boxes and %d lines", len(picture.boxes), len(picture.lines))
		}
		for _, problem := range picture.problems() {
			t.Errorf("%s", problem)
		}
	})
	if written >= 100 && compiled < written/2 {
		t.Errorf("of %d flows only %d compiled", written, compiled)
	}
}

// The tests above can fail.
func TestWhatLiesOnAnotherIsFound(t *testing.T) {
	t.Parallel()
	p := picture{width: 100, height: 100, boxes: []box{{10, 10, 50, 30, 1, "label"}, {40, 20, 80, 30, 2, "state"}},
		texts: []box{{5, 20, 90, 11, 1, "long"}, {5, 25, 20, 11, 3, "low"}}, below: []box{{90, 70, 20, 11, 0, "far"}}, lines: map[int][][2]float64{2: {{0, 0}, {20, 20}}}}
	if got := p.problems(); len(got) != 6 {
		t.Errorf("found %q", got)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ text, want string }{
		{"", ""}, {"one", "one"}, {"one two", "one two"}, {"one two three", "one two|three"},
		{"one two three four five", "one two|three f…"}, {"incomprehensible", "incompr…"},
	} {
		if got := strings.Join(wrap(x.text, 8, 2), "|"); got != x.want {
			t.Errorf("%q: %q, want %q", x.text, got, x.want)
		}
	}
}
