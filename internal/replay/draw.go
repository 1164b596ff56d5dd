package replay

import (
	"time"

	"github.com/orderly-oms/orderly/internal/past"
)

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// luck is a number from 0 to 1 that depends on the seed and on what is asked about, so that all runs have the same luck.
func luck(seed uint64, about ...string) float64 {
	h := mix(seed)
	for _, s := range about {
		for i := 0; i < len(s); i++ {
			h = (h ^ uint64(s[i])) * 0x100000001b3
		}
		h = mix(h)
	}
	return float64(h>>11) / (1 << 53)
}

// draw decides what becomes of a fulfillment that history does not know.
func (w *world) draw(o *life, p *parcel, f int, at time.Time) {
	o.drawn = true
	seed, id := w.o.Seed, o.id
	if p.id == "" && f < len(o.state.Fulfillments) {
		p.id = o.state.Fulfillments[f].ID
	}
	rate, fixed := w.rules.rejects(p.location)
	if !fixed {
		rate = w.fit.rejects(p.location)
	}
	l := w.fit.place(p.location)
	if luck(seed, id, p.location, "rejects") < rate {
		lost := luck(seed, id, p.location, "lost")*float64(max(l.rejected, 1)) < float64(l.lost)
		answer := max(l.answer.at(luck(seed, id, p.location, "answers")), time.Minute)
		w.agenda.add(task{at: at.Add(answer), order: o.number, f: f, kind: past.StepRejected, lost: lost})
		return
	}
	u := luck(seed, id, p.location, "leaves")
	leaves := at.Add(l.lead.at(u))
	if t := p.promise.ShipBy; !t.IsZero() && l.late.seen > 0 {
		leaves = t.Add(l.late.at(u))
	}
	if soon := at.Add(time.Minute); leaves.Before(soon) {
		leaves = soon
	}
	w.agenda.add(task{at: leaves, order: o.number, f: f, kind: past.StepShipped})
	u = luck(seed, id, p.service, "arrives")
	arrives := leaves.Add(max(spreadOf(w.fit.transit, p.service).at(u), time.Hour))
	if t := p.promise.Calendar; !t.IsZero() && w.fit.ways[""].seen > 0 {
		arrives = t.Add(spreadOf(w.fit.ways, p.service).at(u))
	}
	arrives = arrives.Add(w.rules.late(p.service))
	if soon := leaves.Add(time.Hour); arrives.Before(soon) {
		arrives = soon
	}
	if len(w.fit.transit[""].values)+len(w.fit.ways[""].values) == 0 {
		return // nothing is known of deliveries
	}
	w.agenda.add(task{at: arrives, order: o.number, f: f, kind: past.StepDelivered})
}
