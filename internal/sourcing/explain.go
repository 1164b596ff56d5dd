package sourcing

import (
	"fmt"
	"strconv"
	"strings"
)

// Explain says a decision in sentences: what was decided, why, what was left out,
// and what would have flipped it. Amounts are written as minor units / 10^digits.
func Explain(d *Decision, digits int) []string {
	say := amounts{digits: digits}
	var out []string
	out = append(out, say.headline(d))
	for i := range d.Shipments {
		out = append(out, say.shipment(&d.Shipments[i]))
		if flip := say.flip(&d.Shipments[i]); flip != "" {
			out = append(out, flip)
		}
	}
	for i := range d.Excluded {
		out = append(out, say.exclusion(&d.Excluded[i]))
	}
	if len(d.Unplaced) > 0 {
		out = append(out, say.unplaced(d))
	}
	return out
}

// Reason says in one sentence why a shipment's location was chosen.
func Reason(d *Decision, s *Shipment, digits int) string {
	say := amounts{digits: digits}
	switch {
	case d.Method == "sequence":
		if len(d.Shipments) == 1 && len(d.Unplaced) == 0 {
			return fmt.Sprintf("first in rank that has everything, by group %q", s.Group)
		}
		return fmt.Sprintf("next in rank with some of the order, by group %q", s.Group)
	case len(s.Alternatives) == 0:
		return fmt.Sprintf("part of the cheapest plan at %s, by group %q; no other location could ship the same", say.money(s.Cost), s.Group)
	default:
		a := &s.Alternatives[0]
		return fmt.Sprintf("part of the cheapest plan at %s, by group %q; %s would cost %s", say.money(s.Cost), s.Group, a.Location, say.money(a.Cost))
	}
}

// amounts writes minor units.
type amounts struct{ digits int }

func (a amounts) money(v int64) string {
	if a.digits == 0 {
		return strconv.FormatInt(v, 10)
	}
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	unit := int64(1)
	for range a.digits {
		unit *= 10
	}
	return fmt.Sprintf("%s%d.%0*d", sign, v/unit, a.digits, v%unit)
}

func (a amounts) headline(d *Decision) string {
	switch {
	case len(d.Shipments) == 0:
		return fmt.Sprintf("Policy %s placed nothing; it looked at %s.", d.Policy, count(d.Candidates, "location"))
	case d.Method == "sequence":
		return fmt.Sprintf("Policy %s chose %s in rank among %s.", d.Policy, count(len(d.Shipments), "shipment"), count(d.Candidates, "location"))
	case d.Gap > 0:
		return fmt.Sprintf("Policy %s chose %s at a cost of %s, at most %s above the least possible (search: %s), among %s.",
			d.Policy, count(len(d.Shipments), "shipment"), a.money(d.Cost), a.money(d.Gap), d.Method, count(d.Candidates, "location"))
	default:
		return fmt.Sprintf("Policy %s chose %s at the least possible cost of %s among %s.",
			d.Policy, count(len(d.Shipments), "shipment"), a.money(d.Cost), count(d.Candidates, "location"))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (a amounts) shipment(s *Shipment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s ships %s", s.Location, units(s.Lines))
	if s.Via != "" {
		fmt.Fprintf(&b, " to %s for pickup", s.Via)
	}
	if s.Service != "" {
		fmt.Fprintf(&b, " with %s", s.Service)
	}
	fmt.Fprintf(&b, " for %s", a.money(s.Cost))
	if len(s.Terms) > 0 {
		parts := make([]string, len(s.Terms))
		for i, t := range s.Terms {
			parts[i] = t.Term + " " + a.money(t.Amount)
		}
		fmt.Fprintf(&b, " (%s)", strings.Join(parts, ", "))
	}
	if s.Group != "" {
		fmt.Fprintf(&b, ", by group %q", s.Group)
	}
	return b.String() + "."
}

func units(lines []Units) string {
	parts := make([]string, len(lines))
	for i, l := range lines {
		parts[i] = fmt.Sprintf("%d of line %s", l.Quantity, l.Line)
	}
	return strings.Join(parts, ", ")
}

// flip says what would have made the best alternative win.
func (a amounts) flip(s *Shipment) string {
	if len(s.Alternatives) == 0 {
		return ""
	}
	best := &s.Alternatives[0]
	gap := best.Cost - s.Cost
	if gap <= 0 {
		return fmt.Sprintf("%s was next for the same lines.", best.Location)
	}
	var more []string
	for _, t := range difference(best.Terms, s.Terms) {
		if t.Amount > 0 {
			more = append(more, t.Term+" "+a.money(t.Amount)+" more")
		}
	}
	why := ""
	if len(more) > 0 {
		why = " (" + strings.Join(more, ", ") + ")"
	}
	return fmt.Sprintf("%s would have won for the same lines, had it cost %s less than its %s%s.", best.Location, a.money(gap), a.money(best.Cost), why)
}

// difference is what each term of a is above that of b, in the order of a.
func difference(a, b []Cost) []Cost {
	out := make([]Cost, 0, len(a))
	for _, t := range a {
		for _, u := range b {
			if u.Term == t.Term {
				t.Amount -= u.Amount
			}
		}
		out = append(out, t)
	}
	return out
}

func (a amounts) exclusion(e *Exclusion) string {
	var b strings.Builder
	switch {
	case e.Count == 0:
		if e.Group == "" {
			fmt.Fprintf(&b, "By %s, %s", e.Rule, e.Reason)
		} else {
			fmt.Fprintf(&b, "Group %q, %s: %s", e.Group, e.Rule, e.Reason)
		}
		if e.Line != "" {
			fmt.Fprintf(&b, " (line %s)", e.Line)
		}
		return b.String() + "."
	case e.Count <= len(e.Locations):
		b.WriteString(strings.Join(e.Locations, ", "))
	default:
		fmt.Fprintf(&b, "%s and %d more", strings.Join(e.Locations, ", "), e.Count-len(e.Locations))
	}
	b.WriteString(" left out")
	if e.Line != "" {
		fmt.Fprintf(&b, " for line %s", e.Line)
	}
	fmt.Fprintf(&b, " by %s: %s", e.Rule, e.Reason)
	if len(e.Values) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(e.Values, ", "))
	}
	return b.String() + "."
}

func (a amounts) unplaced(d *Decision) string {
	text := fmt.Sprintf("No location for %s: %s", units(d.Unplaced), d.Otherwise)
	if d.Queue != "" {
		text += " in queue " + d.Queue
	}
	if !d.CancelAt.IsZero() {
		text += ", cancelled at " + d.CancelAt.Format("2006-01-02 15:04 UTC") + " if nothing changes"
	}
	return text + "."
}
