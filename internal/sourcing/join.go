package sourcing

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/policy"
)

// join makes one shipment of those that several groups gave one location with one
// service: they leave in one parcel, whose carrier charge is that of the weight together.
// Costs of handling stay what each group counted.
func (d *decider) join() {
	all := d.out.Shipments
	joined := all[:0:len(all)]
	changed := false
	for i := range all {
		s := &all[i]
		at := slices.IndexFunc(joined, func(o Shipment) bool { return o.Location == s.Location && o.Service == s.Service && o.Via == s.Via })
		if at < 0 {
			joined = append(joined, *s)
			continue
		}
		d.add(&joined[at], s)
		changed = true
	}
	if !changed {
		return
	}
	d.out.Shipments, d.out.Cost = joined, 0
	for i := range joined {
		d.out.Cost += joined[i].Cost
	}
}

// add puts another shipment of the same location into s. Its alternatives were for part of the lines and go.
func (d *decider) add(s, other *Shipment) {
	for _, u := range other.Lines {
		if k := slices.IndexFunc(s.Lines, func(v Units) bool { return v.Line == u.Line }); k >= 0 {
			s.Lines[k].Quantity += u.Quantity
			continue
		}
		s.Lines = append(s.Lines, u)
	}
	s.Alternatives = nil
	apart := s.Carrier + other.Carrier
	s.Carrier = d.charge(s)
	for _, t := range other.Terms {
		if k := slices.IndexFunc(s.Terms, func(v Cost) bool { return v.Term == t.Term }); k >= 0 {
			s.Terms[k].Amount += t.Amount
			continue
		}
		s.Terms = append(s.Terms, t)
	}
	s.Cost = 0
	for k := range s.Terms {
		if t := &s.Terms[k]; t.Term == policy.TermCarrier && apart != 0 {
			t.Amount = t.Amount * s.Carrier / apart // the weights of the groups' terms stay
		}
		s.Cost += s.Terms[k].Amount
	}
}

// charge is what the shipment's carrier takes for all of it; 0 when it is not known.
func (d *decider) charge(s *Shipment) int64 {
	var grams int64
	for _, u := range s.Lines {
		for i := range d.f.Lines {
			if d.f.Lines[i].ID == u.Line {
				grams += u.Quantity * d.f.Lines[i].Grams
			}
		}
	}
	for i := range d.f.Sites {
		if d.f.Sites[i].Location.ID != s.Location {
			continue
		}
		for _, service := range d.f.Sites[i].Services {
			if service.ID == s.Service && service.Tariff != nil {
				price, _ := service.Tariff.Price(grams)
				return price
			}
		}
	}
	return 0
}
