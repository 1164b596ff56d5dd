package reassess

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/stats"
)

// assumptions are what the numbers rest on, in sentences.
func (a *assessment) assumptions() (out []string) {
	base := a.out.Base
	if a.list[0].Recorded {
		out = append(out, fmt.Sprintf("%s is what was recorded: where goods left from and what that cost. Why is not known, so it cannot be repeated, only compared with.", quoted(base)))
	}
	if id := a.base().Identity; id != nil {
		text := identityText(id)
		out = append(out, strings.ToUpper(text[:1])+text[1:]+".")
	}
	if a.baseline >= 0 {
		text := fmt.Sprintf("What the rules are worth is measured against %s.", quoted(a.list[a.baseline].Name))
		if a.o.Baseline == nil {
			text += " It was not pinned at go-live; it is the default: the nearest location that has everything."
		}
		out = append(out, text)
	}
	if a.o.TouchMinute > 0 {
		out = append(out, fmt.Sprintf("A minute of a person's work counts %s.", amount(float64(a.o.TouchMinute), a.header.Currency)))
	}
	for i := range a.list {
		if n := a.runs[i].Total.Drawn; n > 0 {
			out = append(out, fmt.Sprintf("With %s, outcomes of %s of the orders are not in the history and were drawn from rates fitted on it (%s, seed %d).",
				quoted(a.list[i].Name), percentText(100*drawnShare(a.runs[i])), several(n, "outcome"), a.o.Replay.Seed))
		}
	}
	days := len(a.base().Days)
	text := fmt.Sprintf("Intervals are right %s of the time. They come from the days as pairs, drawn again in blocks because neighbouring days are alike.", sure(a.o.Level))
	if days < stats.MinDays {
		text = fmt.Sprintf("Orders came on %s; no interval is given for fewer than %d days, because such a difference cannot be told from chance.", several(int64(days), "day"), stats.MinDays)
	}
	out = append(out, text)
	if n := days - len(a.settled()); n > 0 {
		out = append(out, fmt.Sprintf("Orders of the last %s are still on their way, so that trends leave them out.", several(int64(n), "day")))
	}
	if a.bound != nil {
		out = append(out, a.bound.Method)
	}
	if a.o.Watch && a.rules.anyMoved() && !a.list[0].Recorded {
		out = append(out, "Rules changed within the period. Changes that the drift watch suggests are compared with the rules in force at its end, taken for all of it.")
	}
	return append(out, a.notes()...)
}

// notes are those of the runs, each once; those of single runs name them.
func (a *assessment) notes() (out []string) {
	in := map[string][]string{}
	var order []string
	for i := range a.runs {
		for _, n := range a.runs[i].Notes {
			if in[n] == nil {
				order = append(order, n)
			}
			if !slices.Contains(in[n], a.list[i].Name) {
				in[n] = append(in[n], a.list[i].Name)
			}
		}
	}
	for _, n := range order {
		if len(in[n]) < len(a.runs) {
			n = fmt.Sprintf("With %s: %s", quoted(strings.Join(in[n], `", "`)), n)
		}
		out = append(out, n)
	}
	return out
}
