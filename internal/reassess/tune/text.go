package tune

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Text writes what a search found, for people.
func Text(w io.Writer, o *Outcome, currency string, digits int) {
	money := func(x float64) string { return fmt.Sprintf("%.*f %s", digits+1, x/math.Pow10(digits), currency) }
	fmt.Fprintf(w, "%d settings of %d knobs, replayed on %d orders before %s.\n\n", len(o.Trials), len(o.Knobs), o.Base.Orders, o.Middle.UTC().Format(time.DateOnly))
	fmt.Fprintf(w, "  %-16s %-14s %s\n", "cost per order", "promises kept", "settings")
	line := func(t *Trial, name string) {
		fmt.Fprintf(w, "  %-16s %-14s %s\n", money(t.Cost), fmt.Sprintf("%.1f %%", t.Kept), name)
	}
	line(&o.Base, "as they are")
	for i := range o.Curve {
		if t := &o.Curve[i]; t.words(o.Knobs) != "" {
			line(t, t.words(o.Knobs))
		}
	}
	if o.Best == nil {
		fmt.Fprintf(w, "\n%s.\n", sentence(o.Why))
		o.goesOn(w)
		return
	}
	fmt.Fprintf(w, "\nOn the days held out, %s: cost per order %s", o.Best.words(o.Knobs), money(o.Cost.Change))
	if o.Cost.TooLittle == "" {
		fmt.Fprintf(w, " (%s to %s, 95 %% sure)", money(o.Cost.Low), money(o.Cost.High))
	}
	fmt.Fprintf(w, "; promises kept %+.2f points", o.Kept.Change)
	if o.Kept.TooLittle == "" {
		fmt.Fprintf(w, " (%+.2f to %+.2f)", o.Kept.Low, o.Kept.High)
	}
	fmt.Fprintf(w, ".\n%s.\n", sentence(o.Why))
	o.goesOn(w)
}

func (o *Outcome) goesOn(w io.Writer) {
	if o.Stopped {
		fmt.Fprintln(w, "Time or number of settings was over before the search was done; run it again, and it goes on.")
	}
}

// words are the values that a setting has.
func (t *Trial) words(knobs []Knob) string {
	var out []string
	for i, v := range t.Setting {
		if v >= 0 {
			out = append(out, fmt.Sprintf("%s = %v", knobs[i].At, knobs[i].Values[v]))
		}
	}
	return strings.Join(out, ", ")
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
