package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderly-oms/orderly/internal/reassess"
)

// textWidth is how wide sentences are written, in characters.
const textWidth = 96

// Text writes the summary for a terminal.
func Text(w io.Writer, r *reassess.Report) error {
	t := &text{r: r}
	t.head()
	t.questions()
	t.comparison()
	t.identity()
	t.bound()
	t.findings()
	t.changed()
	t.rests()
	_, err := io.WriteString(w, plain(untail(t.b.String())))
	return err
}

type text struct {
	b bytes.Buffer
	r *reassess.Report
}

func (t *text) line(format string, a ...any) { fmt.Fprintf(&t.b, format+"\n", a...) }

// say writes a sentence, wrapped; later lines are indented as the first one's text is.
func (t *text) say(lead, s string) {
	indent := strings.Repeat(" ", len([]rune(lead)))
	at, width := lead, len([]rune(lead))
	for _, word := range strings.Fields(s) {
		n := len([]rune(word))
		if width+n > textWidth && width > len([]rune(lead)) {
			t.line("%s", strings.TrimRight(at, " "))
			at, width = indent, len([]rune(indent))
		}
		at += word + " "
		width += n + 1
	}
	t.line("%s", strings.TrimRight(at, " "))
}

func (t *text) section(name string) {
	t.line("\n%s", strings.ToUpper(name))
}

func (t *text) head() {
	r := t.r
	t.line("Reassessment of %s orders, %s", whole(r.Orders), span(r))
	t.say("", fmt.Sprintf("From %s. Intervals are %s sure, a minute of a person's work counts %s, seed %d.",
		sourceText(r.Source), percentLevel(r.Level), amount(float64(r.TouchMinute), r.Currency), r.Seed))
}

func percentLevel(level float64) string { return number(100*level, 0) + " %" }

func (t *text) questions() {
	mark := map[string]string{"good": "[ok]", "attention": "[!!]"}
	for i, q := range t.r.Questions {
		m := mark[q.Verdict]
		if m == "" {
			m = "[??]"
		}
		t.line("")
		number := q.Number
		if number == "" {
			number = dash
		}
		t.line("%d %s %s  %s", i+1, m, q.Asked, number)
		t.say("       ", q.Answer)
		if line := spark(q.Trend); line != "" {
			t.line("       %s  %s, by %s", line, q.TrendOf, q.TrendBy)
		}
	}
}

var sparks = []rune("▁▂▃▄▅▆▇█")

// maxSpark is how many values a small line has; of more, neighbours are averaged.
const maxSpark = 48

// spark draws values as a line of blocks, from the least to the most.
func spark(values []float64) string {
	values = thin(values, maxSpark)
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if len(values) < 2 || low > high {
		return ""
	}
	out := make([]rune, len(values))
	for i, v := range values {
		switch {
		case math.IsNaN(v):
			out[i] = ' '
		case high == low:
			out[i] = sparks[3]
		default:
			out[i] = sparks[int((v-low)/(high-low)*float64(len(sparks)-1)+.5)]
		}
	}
	return string(out)
}

// thin averages neighbours until at most n are left.
func thin(values []float64, n int) []float64 {
	if len(values) <= n {
		return values
	}
	out := make([]float64, 0, n)
	for i := range n {
		from, to := i*len(values)/n, (i+1)*len(values)/n
		sum, count := 0.0, 0
		for _, v := range values[from:to] {
			if !math.IsNaN(v) {
				sum, count = sum+v, count+1
			}
		}
		out = append(out, sum/float64(count)) // NaN when there is none
	}
	return out
}

func (t *text) comparison() {
	r := t.r
	if len(r.Runs) == 0 {
		return
	}
	t.section("Comparison")
	out := newTable(&t.b)
	fmt.Fprint(out, "  ")
	for i := range r.Runs {
		fmt.Fprintf(out, "\t%s", shorten(runName(r, i), 24))
	}
	fmt.Fprintln(out)
	for _, id := range measureIDs(r) {
		fmt.Fprintf(out, "  %s", measureName(r, id))
		for i := range r.Runs {
			value := dash
			if m := measureOf(r.Runs[i].Measures, id); m != nil && m.Known {
				value = quantity(m.Value, m.Unit, r.Currency)
			}
			fmt.Fprintf(out, "\t%s", value)
		}
		fmt.Fprintln(out)
	}
	if r.Bound != nil {
		fmt.Fprint(out, "  Gap to the best possible closed")
		for i := range r.Runs {
			fmt.Fprintf(out, "\t%s", gapText(&r.Runs[i]))
		}
		fmt.Fprintln(out)
	}
	out.Flush()
	for i := range r.Runs[1:] {
		t.changes(i + 1)
	}
	t.tooLittle()
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 4, 2, ' ', 0) }

// measureName is what a measure is called in the first run that has it.
func measureName(r *reassess.Report, id string) string {
	for i := range r.Runs {
		if m := measureOf(r.Runs[i].Measures, id); m != nil {
			return m.Name
		}
	}
	return id
}

// changes says how one run differs from the base, with the interval of each difference.
func (t *text) changes(run int) {
	t.line("")
	t.say("  ", fmt.Sprintf("%s against %s (the true change is between the two with %s):", runName(t.r, run), runName(t.r, 0), percentLevel(t.r.Level)))
	var same []string
	out := newTable(&t.b)
	for _, m := range t.r.Runs[run].Measures {
		switch w := worth(&m); {
		case w == "same":
			same = append(same, m.Name)
		case m.Known && m.Versus != nil:
			fmt.Fprintf(out, "    %s\t%s\t%s\t%s\n", m.Name, changeText(&m, t.r.Currency), cmp.Or(relative(&m), " "), worthText[w])
		}
	}
	out.Flush()
	if len(same) > 0 {
		t.say("    ", "Exactly the same: "+strings.Join(same, ", ")+".")
	}
}

func gapText(run *reassess.Run) string {
	if run.GapClosed == nil {
		return dash
	}
	return fraction(*run.GapClosed)
}

// tooLittle says once why there are no intervals.
func (t *text) tooLittle() {
	var said []string
	for i := range t.r.Runs {
		for _, m := range t.r.Runs[i].Measures {
			if m.Versus != nil && m.Versus.TooLittle != "" && !slices.Contains(said, m.Versus.TooLittle) {
				said = append(said, m.Versus.TooLittle)
				t.say("  ", "Without an interval: "+m.Versus.TooLittle+".")
			}
		}
	}
}

func (t *text) identity() {
	for i := range t.r.Runs {
		id := t.r.Runs[i].Result.Identity
		if id == nil {
			continue
		}
		t.section("Replay")
		t.say("  ", identityText(id.Decisions, id.Same, id.SameCost, id.Joint, id.Unrecorded))
		for k, d := range id.Differences {
			if k == maxDifferences {
				t.line("  and %d more in the JSON", len(id.Differences)-k)
				break
			}
			t.say("  - ", fmt.Sprintf("%s at %s (bucket %d, row %d): recorded %s; replayed %s", d.Order, d.At.UTC().Format(time.RFC3339), d.Bucket, d.Sequence, d.Recorded, d.Replayed))
		}
	}
}

// identityText says how exactly the record was repeated.
func identityText(decisions, same, sameCost, joint, unrecorded int64) string {
	var s string
	switch {
	case decisions == 0:
		s = "No recorded decision could be decided again."
	case same == decisions && sameCost == decisions:
		s = fmt.Sprintf("Every one of %s recorded decisions was repeated byte for byte, and its cost to the cent.", whole(decisions))
	default:
		s = fmt.Sprintf("%s of %s recorded decisions were repeated byte for byte, and %s to the cent; the others are listed.", whole(same), whole(decisions), whole(sameCost))
	}
	if joint > 0 {
		s += fmt.Sprintf(" %s were made for many orders together and taken as recorded.", whole(joint))
	}
	if unrecorded > 0 {
		s += fmt.Sprintf(" Of %s the history does not know the rules or facts.", whole(unrecorded))
	}
	return s
}

func (t *text) bound() {
	b := t.r.Bound
	if b == nil {
		return
	}
	t.section("How good could it be")
	t.say("  ", fmt.Sprintf("No way of serving the %s orders that it covers could have cost less than %s. %s", whole(b.Orders), amount(float64(b.Cost), t.r.Currency), b.Method))
}

func (t *text) findings() {
	if len(t.r.Findings) == 0 {
		return
	}
	t.section("What the rules in force show")
	for i, f := range t.r.Findings {
		t.say(fmt.Sprintf("%3d ", i+1), f.Subject+": "+f.Evidence+sinceText(&f))
		if f.Suggest != "" {
			t.say("    -> ", f.Suggest)
		}
		t.say("       ", effectText(&f))
	}
}

// sinceText says for how long daily reports have found the same.
func sinceText(f *reassess.Finding) string {
	if f.Since.IsZero() {
		return ""
	}
	return " Found every day since " + f.Since.UTC().Format(dayLayout) + "."
}

// effectText says what a suggestion would have done.
func effectText(f *reassess.Finding) string {
	if f.Effect == "" {
		return "Not replayed."
	}
	return "Replayed: " + f.Effect
}

func (t *text) changed() {
	if len(t.r.Changed) == 0 {
		return
	}
	t.section("Orders that changed most")
	for i, c := range t.r.Changed {
		if i == maxChangedText {
			t.line("  and %d more in the HTML and the JSON", len(t.r.Changed)-i)
			break
		}
		t.say("  ", fmt.Sprintf("%s, %s: %s from %s; with %s %s from %s.", c.Order, c.At.UTC().Format(dayLayout),
			amount(float64(c.BaseCost), t.r.Currency), orNowhere(c.BaseFrom), c.Candidate, amount(float64(c.CandidateCost), t.r.Currency), orNowhere(c.OtherFrom)))
	}
}

func orNowhere(locations string) string {
	if locations == "" {
		return "nowhere"
	}
	return locations
}

func (t *text) rests() {
	if len(t.r.Assumptions) > 0 {
		t.section("What this rests on")
		for _, a := range t.r.Assumptions {
			t.say("  - ", a)
		}
	}
	if len(t.r.Quality) > 0 {
		t.section("What the history lacks")
		for _, q := range t.r.Quality {
			t.say("  - ", qualityText(q.Subject, q.Missing, q.Assumed, q.Matters, q.Why, q.Count, q.Of))
		}
	}
	notes := runNotes(t.r)
	if len(notes) > 0 {
		t.section("Notes of the runs")
		for _, n := range notes {
			t.say("  - ", n)
		}
	}
}

// runNotes are those of all runs, each once.
func runNotes(r *reassess.Report) []string {
	var out []string
	for i := range r.Runs {
		for _, n := range r.Runs[i].Result.Notes {
			if !slices.Contains(out, n) && !slices.Contains(r.Assumptions, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

func qualityText(subject, missing, assumed, matters, why string, count, of int64) string {
	s := subject + ": " + missing
	if of > 0 {
		s += fmt.Sprintf(" (%s of %s)", whole(count), whole(of))
	}
	if assumed != "" {
		s += ". Assumed: " + assumed
	}
	if matters != "" {
		s += ". Matters: " + matters
		if why != "" {
			s += ", " + why
		}
	}
	return s + "."
}

// untail cuts what a table leaves behind the last column.
func untail(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
