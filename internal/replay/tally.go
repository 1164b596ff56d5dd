package replay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// tally is what a run counts on its way.
type tally struct {
	days      map[string]*Day
	places    map[string]*LocationUse
	lanes     map[laneKey]*Lane
	used      map[RuleUse]*RuleUse
	times     spread // of decisions
	decisions int64
	on        int64
}

type laneKey struct{ location, zone string }

func newTally() tally {
	return tally{days: map[string]*Day{}, places: map[string]*LocationUse{}, lanes: map[laneKey]*Lane{}, used: map[RuleUse]*RuleUse{}}
}

// timeEvery is which decisions are timed: reading the clock twice for each would be seen.
const timeEvery = 16

func (t *tally) clock() time.Time {
	if t.decisions++; t.decisions%timeEvery != 0 {
		return time.Time{}
	}
	return time.Now()
}

func (t *tally) took(began time.Time) {
	if !began.IsZero() {
		t.times.add(time.Since(began))
	}
}

func (t *tally) use(policy, group, rule string) *RuleUse {
	k := RuleUse{Policy: policy, Group: group, Rule: rule}
	u := t.used[k]
	if u == nil {
		u = &RuleUse{Policy: policy, Group: group, Rule: rule}
		t.used[k] = u
	}
	return u
}

// rules counts which rules of the policies mattered in decisions.
func (t *tally) rules(decisions []*sourcing.Decision) {
	for _, d := range decisions {
		for i := range d.Excluded {
			u := t.use(d.Policy, d.Excluded[i].Group, d.Excluded[i].Rule)
			u.Decisions++
			u.Excluded += int64(d.Excluded[i].Count)
			u.Asked += int64(d.Candidates)
		}
		for i := range d.Shipments {
			if g := d.Shipments[i].Group; !slices.ContainsFunc(d.Shipments[:i], func(s sourcing.Shipment) bool { return s.Group == g }) {
				u := t.use(d.Policy, g, "")
				u.Decisions++
				u.Asked += int64(d.Candidates)
			}
		}
		if len(d.Shipments)+len(d.Unplaced) > 0 {
			u := t.use(d.Policy, "", "")
			u.Decisions++
			u.Asked += int64(d.Candidates)
		}
	}
}

func (t *tally) place(id string) *LocationUse {
	if t.places[id] == nil {
		t.places[id] = &LocationUse{Location: id}
	}
	return t.places[id]
}

func (t *tally) rejected(p *parcel, lost, counted bool) {
	if !counted || p.rejected {
		return
	}
	u := t.place(p.location)
	u.Rejected++
	if lost {
		u.NotFound++
	}
}

// finish counts an order and forgets it.
func (w *world) finish(o *life) {
	if o.done {
		return
	}
	o.done = true
	w.waits.drop(o)
	delete(w.orders, o.number)
	if !o.counted {
		return
	}
	date := o.at.UTC().Format(time.DateOnly)
	day := w.tally.days[date]
	if day == nil {
		day = &Day{Date: date}
		w.tally.days[date] = day
	}
	r := w.outcome(o)
	day.add(w.daysShare(o, &r))
	if o.on {
		w.tally.on++
	}
	if w.o.KeepOrders || w.explain[o.number] {
		w.out.Orders = append(w.out.Orders, r)
	}
}

// outcome is what became of an order.
func (w *world) outcome(o *life) OrderResult {
	r := OrderResult{
		Number: o.number, ID: o.id, At: o.at, Promised: o.promised, Backorder: o.backordered > 0, Cancelled: o.cancelled,
		OnCourse: o.on, Drawn: o.drawn, Why: o.why,
	}
	if o.on && !w.explain[o.number] {
		r.Why = nil
	}
	for i := range o.state.Lines {
		r.Units += o.state.Lines[i].Quantity
	}
	var from []string
	all := true
	for _, p := range o.fs {
		if p.gone {
			continue
		}
		r.Cost += p.cost
		r.Sent += p.units()
		r.Shipments++
		if r.Service == "" {
			r.Service = p.service
		}
		if !slices.Contains(from, p.location) {
			from = append(from, p.location)
		}
		switch {
		case p.delivered.IsZero() || p.delivered.After(w.header.Until):
			all = false
		case p.delivered.After(r.Delivered):
			r.Delivered = p.delivered
		}
		all = all && !p.lost
		w.lane(o, p)
	}
	if !all || r.Shipments == 0 {
		r.Delivered = time.Time{}
	}
	r.Locations = strings.Join(from, "+")
	return r
}

// lane counts a shipment where it goes.
func (w *world) lane(o *life, p *parcel) {
	u := w.tally.place(p.location)
	u.Shipments++
	u.Units += p.units()
	u.Cost += p.cost
	if o.state.ShipTo == nil {
		return
	}
	k := laneKey{p.location, zone(o.state.ShipTo)}
	l := w.tally.lanes[k]
	if l == nil {
		l = &Lane{Location: k.location, Zone: k.zone}
		if from, ok := w.desk.Directory().Location(p.location); ok {
			l.FromLat, l.FromLon = coordinates(&from.Address)
		}
		l.ToLat, l.ToLon = coordinates(o.state.ShipTo)
		w.tally.lanes[k] = l
	}
	l.Shipments++
	l.Cost += p.cost
}

func coordinates(a *network.Address) (lat, lon float64) {
	if a.Latitude != nil && a.Longitude != nil {
		return *a.Latitude, *a.Longitude
	}
	return 0, 0
}

// daysShare is what an order adds to its day.
func (w *world) daysShare(o *life, r *OrderResult) Day {
	d := Day{
		Orders: 1, Units: r.Units, Cost: r.Cost, Shipments: int64(r.Shipments), BackorderedUnits: o.backordered,
		CancelledUnits: o.cancelled, Lost: o.lost, Rejections: o.rejections, Touches: o.touches, TouchSeconds: o.seconds,
	}
	d.Shipped, d.Split, d.Backordered = flag(r.Shipments > 0), flag(r.Shipments > 1), flag(o.backordered > 0)
	d.Cancelled, d.Drawn = flag(r.Shipments == 0 && o.cancelled > 0), flag(o.drawn)
	if !o.on {
		w.people(o, &d)
	}
	if o.promised.IsZero() {
		return d
	}
	d.Promised = 1
	d.PromisedHours = int64(o.promised.Sub(o.at) / time.Hour)
	if o.state.Method != order.Ship || r.Shipments == 0 {
		return d // collected, or nothing of it is wanted any more
	}
	switch {
	case !r.Delivered.IsZero():
		d.Judged, d.Kept = 1, flag(!r.Delivered.After(o.promised))
	case o.promised.Before(w.header.Until) && len(w.fit.transit[""].values) > 0:
		d.Judged = 1
	}
	return d
}

// people corrects what people did about an order by how much more that is when something went wrong.
func (w *world) people(o *life, d *Day) {
	if o.trouble == o.recordedBefore {
		return
	}
	n := int64(w.fit.touches)
	n += flag(luck(w.o.Seed, o.id, "touched") < w.fit.touches-float64(n))
	if o.recordedBefore {
		n = -min(n, d.Touches)
	}
	if n == 0 {
		return
	}
	d.Touches += n
	d.TouchSeconds = max(d.TouchSeconds+int64(float64(n)*w.fit.seconds), 0)
	d.Drawn = 1
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (d *Day) add(x Day) {
	d.Orders += x.Orders
	d.Units += x.Units
	d.Cost += x.Cost
	d.Shipments += x.Shipments
	d.Shipped += x.Shipped
	d.Split += x.Split
	d.Promised += x.Promised
	d.PromisedHours += x.PromisedHours
	d.Judged += x.Judged
	d.Kept += x.Kept
	d.Backordered += x.Backordered
	d.BackorderedUnits += x.BackorderedUnits
	d.CancelledUnits += x.CancelledUnits
	d.Cancelled += x.Cancelled
	d.Lost += x.Lost
	d.Rejections += x.Rejections
	d.Touches += x.Touches
	d.TouchSeconds += x.TouchSeconds
	d.Drawn += x.Drawn
}

// result is what the run comes to.
func (w *world) result() *Result {
	out, t := w.out, &w.tally
	for _, date := range sortedKeys(t.days) {
		out.Days = append(out.Days, *t.days[date])
		out.Total.add(*t.days[date])
	}
	out.OnCourse = t.on
	for _, id := range sortedKeys(t.places) {
		out.Locations = append(out.Locations, *t.places[id])
	}
	slices.SortStableFunc(out.Locations, func(a, b LocationUse) int { return cmp.Compare(b.Shipments, a.Shipments) })
	for _, l := range t.lanes {
		out.Lanes = append(out.Lanes, *l)
	}
	slices.SortFunc(out.Lanes, func(a, b Lane) int {
		return cmp.Or(cmp.Compare(b.Shipments, a.Shipments), cmp.Compare(a.Location, b.Location), cmp.Compare(a.Zone, b.Zone))
	})
	w.fillRules()
	for _, u := range t.used {
		if u.Group != "" || u.Rule != "" {
			out.Rules = append(out.Rules, *u)
		}
	}
	slices.SortFunc(out.Rules, func(a, b RuleUse) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Rule, b.Rule))
	})
	slices.SortFunc(out.Orders, func(a, b OrderResult) int { return cmp.Compare(a.Number, b.Number) })
	for _, s := range sortedKeys(w.odd) {
		out.Notes = append(out.Notes, fmt.Sprintf("%s: %d", s, w.odd[s]))
	}
	out.DecideP50, out.DecideP99 = t.times.at(0.5), t.times.at(0.99)
	return out
}

// fillRules lists the rules of the policies that decided and that never mattered.
func (w *world) fillRules() {
	all := slices.Collect(maps.Keys(w.tally.used)) // use adds to it
	for _, k := range all {
		u := w.tally.used[k]
		c := w.rules.compiled[k.Policy]
		if c == nil || k.Group != "" || k.Rule != "" {
			continue
		}
		for i := range c.Sourcing.Groups {
			g := &c.Sourcing.Groups[i]
			if x := w.tally.use(k.Policy, g.Name, ""); x.Asked == 0 {
				x.Asked = u.Asked
			}
			for n := range g.Filters {
				if x := w.tally.use(k.Policy, g.Name, g.Filters[n].Name); i == 0 {
					x.Asked = u.Asked
				}
			}
		}
	}
}
