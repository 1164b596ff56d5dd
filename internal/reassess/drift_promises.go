package reassess

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/replay"
)

const (
	// maxOff is how many days too early or late are told apart.
	maxOff = 14
	// tolerated is how far below the aim the kept share may surely be: dates are whole days, and the aim is for each of them.
	tolerated = 0.01
	// stepQuantile is the step in which other quantiles are suggested.
	stepQuantile = 0.01
)

// arrivals counts promised orders by how many days after the promise they arrived: 0 on the promised day, −1 the day before.
type arrivals struct {
	subject string
	n       int64
	days    [2*maxOff + 1]int64
}

func (a *arrivals) add(r *replay.OrderResult) {
	const day = 24 * time.Hour
	late := r.Delivered.Sub(r.Promised)
	off := int(late / day) // toward the promise
	if late%day > 0 {
		off++
	}
	a.n++
	a.days[min(max(off, -maxOff), maxOff)+maxOff]++
}

// within is how many arrived at most so many days after the promise.
func (a *arrivals) within(days int) (n int64) {
	for i := 0; i <= days+maxOff; i++ {
		n += a.days[i]
	}
	return n
}

// promises finds dates that are kept too rarely, or so often that earlier ones could be given: of all orders, by carrier service and by location.
func (e *evidence) promises() (out []suspicion) {
	all, services, places := e.arrivals()
	aim := e.rules.aim()
	if s, found := e.judge(all, aim, 1); found {
		out = append(out, s)
	}
	for _, list := range [][]*arrivals{services, places} {
		for _, a := range list {
			s, found := e.judge(a, aim, len(list))
			if found && !(len(out) > 0 && out[0].Subject == all.subject && out[0].Kind == s.Kind) {
				out = append(out, s)
			}
		}
	}
	return out
}

// arrivals counts those of all orders, by carrier service, and by location of orders that one location sent alone.
func (e *evidence) arrivals() (all *arrivals, services, places []*arrivals) {
	all = &arrivals{subject: "all promises"}
	byService, byPlace := map[string]*arrivals{}, map[string]*arrivals{}
	in := func(m map[string]*arrivals, name, what string) *arrivals {
		if m[name] == nil {
			m[name] = &arrivals{subject: what + " " + name}
		}
		return m[name]
	}
	last := lastOf(settled(e.base.Days))
	for i := range e.base.Orders {
		r := &e.base.Orders[i]
		if r.Promised.IsZero() || r.Delivered.IsZero() || r.At.UTC().Format(time.DateOnly) > last {
			continue // of orders that are still on their way, only the early ones have arrived
		}
		all.add(r)
		if r.Service != "" {
			in(byService, r.Service, "service").add(r)
		}
		if r.Locations != "" && !strings.Contains(r.Locations, "+") {
			in(byPlace, r.Locations, "location").add(r)
		}
	}
	return all, sorted(byService), sorted(byPlace)
}

func sorted(m map[string]*arrivals) (out []*arrivals) {
	for _, a := range m {
		if a.n >= minJudged {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *arrivals) int {
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.subject, b.subject))
	})
	return out
}

// judge tells whether promises are too tight or too loose; of is how many groups are judged at the same time.
func (e *evidence) judge(a *arrivals, aim float64, of int) (s suspicion, found bool) {
	if a.n < minJudged {
		return s, false
	}
	level := 1 - (1-e.o.Level)/float64(of)
	kept := a.within(0)
	low, high := share(kept, a.n, level)
	text := fmt.Sprintf("%s of %s promises were kept, %s (%s to %s), and the rules aim at %s", count(kept), count(a.n),
		percentText(100*float64(kept)/float64(a.n)), percentText(100*low), percentText(100*high), percentText(100*aim))
	s = suspicion{worth: float64(a.n) * e.perShipment() / 10, also: []string{"promised_days"}, Finding: Finding{Subject: a.subject}}
	if high < aim-tolerated {
		days := 1
		for days < maxOff && float64(a.within(days)) < aim*float64(a.n) {
			days++
		}
		s.Kind, s.Evidence = PromiseTight, fmt.Sprintf("%s; dates %s later would have been kept as often as that", text, several(int64(days), "day"))
		e.loosen(&s, int64(days))
		return s, true
	}
	days := 0
	for days < maxOff-1 {
		if low, _ := share(a.within(-days-1), a.n, level); low < aim {
			break
		}
		days++
	}
	if days == 0 {
		return s, false
	}
	s.Kind, s.Evidence = PromiseLoose, fmt.Sprintf("%s; dates %s earlier would still have been kept as often as that", text, several(int64(days), "day"))
	e.tighten(&s, int64(days), aim, float64(kept)/float64(a.n))
	return s, true
}

// loosen suggests later dates.
func (e *evidence) loosen(s *suspicion, days int64) {
	r := e.rules.general(policy.KindPromise)
	p := &r.compiled.Promise.PromiseSection
	switch {
	case e.scenario.Recorded:
		s.Suggest = fmt.Sprintf("promise %s later", several(days, "day"))
		return
	case s.Subject != "all promises":
		e.ownHistory(s, r)
		return
	}
	s.changed(e, policy.KindPromise, r, policy.Edit{At: "promise.extra_days", Value: p.ExtraDays + days})
	s.Suggest = fmt.Sprintf("promise later: promise/%s, extra_days %d instead of %d, until the learned delays have caught up", r.compiled.Name, p.ExtraDays+days, p.ExtraDays)
}

// tighten suggests earlier dates: fewer extra days where there are any, else a lower quantile of the delays.
func (e *evidence) tighten(s *suspicion, days int64, aim, kept float64) {
	r := e.rules.general(policy.KindPromise)
	p := &r.compiled.Promise.PromiseSection
	switch {
	case e.scenario.Recorded:
		s.Suggest = fmt.Sprintf("promise %s earlier", several(days, "day"))
	case s.Subject != "all promises":
		e.ownHistory(s, r)
	case p.ExtraDays > 0:
		extra := max(p.ExtraDays-days, 0)
		s.changed(e, policy.KindPromise, r, policy.Edit{At: "promise.extra_days", Value: extra})
		s.Suggest = fmt.Sprintf("promise earlier: promise/%s, extra_days %d instead of %d", r.compiled.Name, extra, p.ExtraDays)
	default:
		// As far below as the kept share is above: what it is too much, it may be less.
		q := max(math.Round((2*aim-kept)/stepQuantile)*stepQuantile, .5)
		q = min(q, aim-stepQuantile)
		text := strconv.FormatFloat(q, 'f', 2, 64)
		value, _ := strconv.ParseFloat(text, 64)
		s.changed(e, policy.KindPromise, r, policy.Edit{At: "promise.quantile", Value: value})
		s.Suggest = fmt.Sprintf("promise earlier: promise/%s, quantile %s instead of %s", r.compiled.Name, text, strconv.FormatFloat(p.Quantile, 'f', -1, 64))
	}
}

// ownHistory suggests that a service or location is dated by its own delays as soon as there are some, and not by those of others.
func (e *evidence) ownHistory(s *suspicion, r *rule) {
	few := max(r.compiled.Promise.MinObservations/3, 1)
	s.changed(e, policy.KindPromise, r, policy.Edit{At: "promise.min_observations", Value: few})
	s.Suggest = fmt.Sprintf("date it by its own delays earlier: promise/%s, min_observations %d instead of %d; and look whether its transit and processing times are right", r.compiled.Name, few, r.compiled.Promise.MinObservations)
}
