package sourcing

import (
	"cmp"
	"math"
	"slices"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// describe says what a candidate ships and what each term of the policy makes of it.
func (d *decider) describe(g *policy.CompiledGroup, c *candidate, quantity []int64) Shipment {
	s := &d.f.Sites[c.site]
	out := Shipment{Location: s.Location.ID, Group: g.Name, Via: s.Via}
	var grams int64
	for i, q := range quantity {
		if q > 0 {
			out.Lines = append(out.Lines, Units{Line: d.f.Lines[i].ID, Quantity: q})
			grams += q * d.f.Lines[i].Grams
		}
	}
	out.Service, out.Carrier, out.Terms = d.terms(g, c, quantity, grams)
	for _, t := range out.Terms {
		out.Cost += t.Amount
	}
	for i := range s.Services {
		if s.Services[i].ID == out.Service {
			out.shipBy, out.deliver = s.Services[i].ShipBy, s.Services[i].Deliver
		}
	}
	return out
}

// terms breaks the cost of a shipment down. A group that ranks by sort has the carrier's charge only.
func (d *decider) terms(g *policy.CompiledGroup, c *candidate, quantity []int64, grams int64) (service string, carrier int64, terms []Cost) {
	s := &d.f.Sites[c.site]
	var t *siteTariff
	if c.tariff >= 0 {
		t = &d.tariffs[c.tariff]
	} else {
		t = &siteTariff{services: s.Services, carrier: 1000, late: make([]int64, len(s.Services))}
	}
	best, charge, late := t.best(grams)
	if best >= 0 {
		service = s.Services[best].ID
		carrier, _ = s.Services[best].Tariff.Price(grams)
	}
	if len(g.Sort) > 0 {
		if best >= 0 {
			terms = append(terms, Cost{policy.TermCarrier, carrier})
		}
		return service, carrier, terms
	}
	width := 1 + len(quantity)
	terms = make([]Cost, 0, len(g.Terms))
	for i := range g.Terms {
		var amount int64
		switch g.Terms[i].Name {
		case policy.TermCarrier:
			if c.tariff >= 0 {
				amount = charge
			}
		case policy.TermLateness:
			if c.tariff >= 0 {
				amount = late
			}
		default:
			amount = c.parts[i*width]
			for line, q := range quantity {
				amount += c.parts[i*width+1+line] * q
			}
		}
		if amount != 0 {
			terms = append(terms, Cost{g.Terms[i].Name, amount})
		}
	}
	return service, carrier, terms
}

// alternatives are the cheapest other candidates for exactly what a share ships;
// for a group that ranks, the next in rank.
func (d *decider) alternatives(g *policy.CompiledGroup, plan *exact.Result, share *exact.Share) []Alternative {
	type option struct {
		c    int
		cost int64
	}
	var best [MaxAlternatives]option
	n := 0
	var grams int64
	for i, q := range share.Quantity {
		grams += q * d.f.Lines[i].Grams
	}
	for c := range d.cands {
		if slices.ContainsFunc(plan.Shares, func(s exact.Share) bool { return s.Location == c }) || !covers(d.cands[c].available, share.Quantity) {
			continue
		}
		o := option{c, d.costOf(g, c, share.Quantity, grams)}
		at := n
		for at > 0 && o.cost < best[at-1].cost {
			at--
		}
		if at == len(best) {
			continue
		}
		if n < len(best) {
			n++
		}
		copy(best[at+1:n], best[at:n-1])
		best[at] = o
	}
	var out []Alternative
	for _, o := range best[:n] {
		a := Alternative{Location: d.f.Sites[d.cands[o.c].site].Location.ID}
		a.Service, _, a.Terms = d.terms(g, &d.cands[o.c], share.Quantity, grams)
		for _, t := range a.Terms {
			a.Cost += t.Amount
		}
		out = append(out, a)
	}
	return out
}

// costOf ranks a candidate for a share: by cost, or by its place in the sequence.
func (d *decider) costOf(g *policy.CompiledGroup, c int, quantity []int64, grams int64) int64 {
	if len(g.Sort) > 0 {
		return int64(c)
	}
	cand := &d.cands[c]
	sum := cand.fixed
	for i, q := range quantity {
		sum += q * cand.unit[i]
	}
	if cand.tariff >= 0 {
		charge, _ := d.tariffs[cand.tariff].Price(grams)
		sum += charge
	}
	return sum
}

// inSequence ranks the candidates and takes the first that has everything, else
// each in turn what it can give.
func (d *decider) inSequence(g *policy.CompiledGroup) exact.Result {
	if !d.rank(g) {
		return d.nothing()
	}
	q := sequence{quantity: d.left, limits: g.Limits, split: splitRule(g.Limits.LineSplit)}
	q.group = make([]int, len(d.left))
	q.value = make([]int64, len(d.left))
	for i := range d.left {
		q.group[i], q.value[i] = d.together(g, i), d.f.Lines[i].Value
	}
	for i := range d.cands {
		units, value := d.room(g, &d.cands[i])
		q.places = append(q.places, place{available: d.cands[i].available, units: units, value: value})
	}
	return q.plan()
}

// rank sorts the candidates by the group's keys; what cannot be ranked is excluded.
func (d *decider) rank(g *policy.CompiledGroup) bool {
	keys := make([][]float64, len(d.f.Sites))
	kept := d.cands[:0]
	for i := range d.cands {
		c := d.cands[i]
		k, err := d.sortKeys(g, &c)
		if err != nil {
			d.merged.add(g.Name, "sort", err.Error(), "", d.f.Sites[c.site].Location.ID, nil)
			continue
		}
		keys[c.site] = k
		kept = append(kept, c)
	}
	d.cands = kept
	slices.SortStableFunc(d.cands, func(a, b candidate) int { return slices.Compare(keys[a.site], keys[b.site]) })
	return len(kept) > 0
}

// sortKeys are a candidate's values of the sort keys, each such that less comes first.
func (d *decider) sortKeys(g *policy.CompiledGroup, c *candidate) ([]float64, error) {
	s := &d.f.Sites[c.site]
	d.see(s)
	keys := make([]float64, len(g.Sort))
	for i := range g.Sort {
		k := &g.Sort[i]
		v, err := d.sortKey(k, s, c)
		if err != nil {
			return nil, err
		}
		if k.Descending {
			v = -v
		}
		keys[i] = v
	}
	return keys, nil
}

func (d *decider) sortKey(k *policy.CompiledSort, s *Site, c *candidate) (float64, error) {
	var sum float64
	overStock := func(f func(*policy.Stock) float64) {
		for i := range s.Stock {
			if d.left[i] > 0 {
				sum += f(&s.Stock[i])
			}
		}
	}
	switch k.By {
	case "distance":
		return s.Candidate.DistanceKm, nil
	case "balance":
		for i, n := range s.Available {
			if d.left[i] > 0 {
				sum -= float64(n)
			}
		}
	case "sequence":
		return float64(s.Location.Priority), nil
	case "sales_velocity":
		overStock(func(p *policy.Stock) float64 { return p.Velocity })
	case "weeks_of_supply":
		least := math.Inf(1)
		for i := range s.Stock {
			if d.left[i] > 0 {
				least = min(least, s.Stock[i].WeeksOfSupply)
			}
		}
		return -least, nil
	case "broken_run":
		overStock(func(p *policy.Stock) float64 {
			if p.BrokenRun {
				return -1
			}
			return 0
		})
	case "cost":
		t := siteTariff{services: s.Services, carrier: 1000, late: make([]int64, len(s.Services))}
		var grams int64
		for i, left := range d.left {
			grams += min(left, c.available[i]) * d.f.Lines[i].Grams
		}
		charge, _ := t.Price(grams)
		return float64(charge), nil
	default:
		return k.Value.Number(&d.vars)
	}
	return cmp.Or(sum, 0), nil
}
