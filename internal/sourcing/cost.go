package sourcing

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

const (
	// UnknownCharge is what a shipment counts whose carrier charge is unknown, minor
	// units: such a location ranks last but can be used.
	UnknownCharge = 1_000_000
	// CarbonGramsPerTonneKm is what carrying one tonne one kilometre by road emits, in
	// grams of CO2 equivalent: the mean of the truck classes in the GLEC framework v3
	// for mixed parcel networks, rounded.
	CarbonGramsPerTonneKm = 120
	// defaultUnplacedCost is what a unit left unplaced counts unless the policy says otherwise.
	defaultUnplacedCost = 1_000_000

	// Bounds that keep sums of costs inside those of package exact, minor units.
	maxUnitCost     = 100_000_000
	maxShipmentCost = 100_000_000_000

	// searchWork bounds the search for one order, in combinations of about 2 ns: what
	// is beyond it (many lines that must be split by units) is drafted, with a stated gap.
	searchWork = 2_000_000
)

var errCost = errors.New("the cost is out of range")

// weighted is a cost of a term times the term's weight, rounded half away from zero.
func weighted(v float64, t *policy.CompiledTerm, most float64) (int64, error) {
	v = math.Round(float64(v*float64(t.WeightMilli)) / 1000)
	if math.IsNaN(v) || v > most || v < -most {
		return 0, errCost
	}
	return int64(v), nil
}

// daysLate is by how many days a delivery misses what the customer wants; a day begun counts.
func (d *decider) daysLate(deliver time.Time) float64 {
	if d.f.Wanted.IsZero() || deliver.IsZero() || !deliver.After(d.f.Wanted) {
		return 0
	}
	return math.Ceil(deliver.Sub(d.f.Wanted).Hours() / 24)
}

// perShipment is what a term adds to a shipment from the site the expressions see.
func (d *decider) perShipment(t *policy.CompiledTerm) (int64, error) {
	var factor float64
	c := d.vars.Candidate
	switch t.Name {
	case policy.TermCarrier, policy.TermLateness, policy.TermMarkdown, policy.TermRisk, policy.TermCarbon, policy.TermOpportunity:
		return 0, nil
	case policy.TermDistance:
		factor = c.DistanceKm
	case policy.TermCapacity:
		factor = c.CapacityUsed * c.CapacityUsed
	default:
		if t.Per == "unit" {
			return 0, nil
		}
		factor = 1
	}
	v, err := t.Value.Number(&d.vars)
	if err != nil {
		return 0, err
	}
	return weighted(float64(v*factor), t, maxShipmentCost)
}

// perUnit is what a term adds for each unit of the line the expressions see.
func (d *decider) perUnit(t *policy.CompiledTerm, s *Site, line int) (int64, error) {
	var factor float64
	switch t.Name {
	case policy.TermCarrier, policy.TermLateness, policy.TermDistance, policy.TermCapacity, policy.TermSplit:
		return 0, nil
	case policy.TermOpportunity:
		if s.Prices == nil {
			return 0, nil
		}
		return weighted(float64(s.Prices[line]), t, maxUnitCost)
	case policy.TermMarkdown:
		factor = -1
	case policy.TermRisk:
		factor = s.Candidate.FailureRate
	case policy.TermCarbon: // kg CO2e of one unit
		factor = float64(s.Candidate.DistanceKm*float64(d.f.Lines[line].Grams)) / 1e6 * CarbonGramsPerTonneKm / 1000
	default:
		if t.Per != "unit" {
			return 0, nil
		}
		factor = 1
	}
	v, err := t.Value.Number(&d.vars)
	if err != nil {
		return 0, err
	}
	return weighted(float64(v*factor), t, maxUnitCost)
}

// price fills in a candidate's costs, and what each term has of them in parts: per
// term the amount per shipment, then per unit of each line. An error names the term.
func (d *decider) price(g *policy.CompiledGroup, c *candidate) error {
	s := &d.f.Sites[c.site]
	width := 1 + len(c.unit)
	c.fixed = 0
	clear(c.unit)
	clear(c.parts)
	d.see(s)
	for i := range g.Terms {
		v, err := d.perShipment(&g.Terms[i])
		if err != nil {
			return fmt.Errorf("term %s: %w", g.Terms[i].Name, err)
		}
		c.fixed += v
		c.parts[i*width] = v
	}
	for line := range c.unit {
		if c.available[line] == 0 {
			continue
		}
		d.seeLine(s, line)
		for i := range g.Terms {
			v, err := d.perUnit(&g.Terms[i], s, line)
			if err != nil {
				return fmt.Errorf("term %s: %w", g.Terms[i].Name, err)
			}
			c.unit[line] += v
			c.parts[i*width+1+line] = v
		}
	}
	return nil
}

// splitCost is what the group's split term counts; it is not paid for the order's first shipment.
func (d *decider) splitCost(g *policy.CompiledGroup) (sum int64) {
	for i := range g.Terms {
		if t := &g.Terms[i]; t.Name == policy.TermSplit {
			vars := policy.Facts{Order: &d.f.Order, Now: d.f.Now}
			if v, err := t.Value.Number(&vars); err == nil {
				if w, err := weighted(v, t, maxShipmentCost); err == nil {
					sum += w
				}
			}
		}
	}
	return sum
}

// siteTariff is the weighted carrier charge and lateness of the best of a site's services.
type siteTariff struct {
	services []Service
	carrier  int64   // weight of the carrier's charge in thousandths
	late     []int64 // cost of lateness, per service
	next     int     // the next with the same tariffKey, -1: none
}

// Price is the least charge of any service; unknown charges count UnknownCharge.
func (t *siteTariff) Price(grams int64) (int64, bool) {
	_, charge, late := t.best(grams)
	return charge + late, true
}

// best returns the service of least cost (-1: none has a known charge), its weighted charge, and its lateness.
func (t *siteTariff) best(grams int64) (service int, charge, late int64) {
	service, charge = -1, t.weigh(UnknownCharge)
	for i := range t.services {
		if t.services[i].Tariff == nil {
			continue
		}
		p, ok := t.services[i].Tariff.Price(grams)
		if !ok {
			continue
		}
		if p = t.weigh(p); service < 0 || p+t.late[i] < charge+late {
			service, charge, late = i, p, t.late[i]
		}
	}
	return service, charge, late
}

func (t *siteTariff) weigh(p int64) int64 {
	if t.carrier == 1000 {
		return p
	}
	return (p*t.carrier + 500) / 1000
}

// same reports whether two tariffs charge the same for every weight.
func (t *siteTariff) same(o *siteTariff) bool {
	return t.carrier == o.carrier && slices.Equal(t.late, o.late) &&
		slices.EqualFunc(t.services, o.services, func(a, b Service) bool { return a.ID == b.ID && a.Tariff == b.Tariff })
}

// tariff returns the index of the candidate's tariff, shared among those with the same charges; -1: none.
func (d *decider) tariff(g *policy.CompiledGroup, c *candidate) (int, error) {
	s := &d.f.Sites[c.site]
	t := siteTariff{services: s.Services}
	var late *policy.CompiledTerm
	for i := range g.Terms {
		switch g.Terms[i].Name {
		case policy.TermCarrier:
			t.carrier += g.Terms[i].WeightMilli
		case policy.TermLateness:
			late = &g.Terms[i]
		}
	}
	if t.carrier == 0 && late == nil || len(s.Services) == 0 && d.f.Order.Method == "pickup" && s.Via == "" {
		return -1, nil
	}
	t.late = make([]int64, len(s.Services))
	if late != nil {
		d.see(s)
		for i := range s.Services {
			days := d.daysLate(s.Services[i].Deliver)
			if days == 0 {
				continue
			}
			v, err := late.Value.Number(&d.vars)
			if err == nil {
				t.late[i], err = weighted(float64(v*days), late, maxShipmentCost)
			}
			if err != nil {
				return -1, fmt.Errorf("term %s: %w", late.Name, err)
			}
		}
	}
	key := tariffKey{n: len(t.services)}
	if key.n > 0 {
		key.id, key.tariff, key.late = t.services[0].ID, t.services[0].Tariff, t.late[0]
	}
	i, seen := d.byTariff[key]
	for ; seen && i >= 0; i = d.tariffs[i].next {
		if d.tariffs[i].same(&t) {
			return i, nil
		}
	}
	t.next = -1
	if first, ok := d.byTariff[key]; ok {
		t.next = first
	}
	if d.byTariff == nil {
		d.byTariff = map[tariffKey]int{}
	}
	d.byTariff[key] = len(d.tariffs)
	d.tariffs = append(d.tariffs, t)
	return len(d.tariffs) - 1, nil
}

// tariffKey finds tariffs that may be the same: those whose first services are.
type tariffKey struct {
	id     string
	tariff exact.Tariff
	late   int64
	n      int
}

// cheapest finds the group's plan of least total cost.
func (d *decider) cheapest(g *policy.CompiledGroup) exact.Result {
	d.tariffs = d.tariffs[:0]
	clear(d.byTariff)
	size := len(g.Terms) * (1 + len(d.f.Lines))
	if need := size * len(d.cands); cap(d.parts) < need {
		d.parts = make([]int64, need)
	}
	kept := d.cands[:0]
	for i := range d.cands {
		c := d.cands[i]
		c.parts = d.parts[i*size : (i+1)*size : (i+1)*size]
		err := d.price(g, &c)
		if err == nil {
			c.tariff, err = d.tariff(g, &c)
		}
		if err != nil {
			d.merged.add(g.Name, "cost", err.Error(), "", d.f.Sites[c.site].Location.ID, nil)
			continue
		}
		kept = append(kept, c)
	}
	d.cands = kept
	if len(kept) == 0 {
		return d.nothing()
	}
	p := &d.problem
	d.limits(g, p)
	p.Locations = p.Locations[:0]
	for i := range d.cands {
		c := &d.cands[i]
		units, value := d.room(g, c)
		p.Locations = append(p.Locations, exact.Location{
			Shipment: c.fixed, Unit: c.unit, Available: c.available, Tariff: c.tariff, MaxUnits: units, MaxValue: value,
		})
	}
	p.Tariffs = p.Tariffs[:0]
	for i := range d.tariffs {
		p.Tariffs = append(p.Tariffs, &d.tariffs[i])
	}
	// Lines of which nothing is left are not part of the problem but keep their place.
	d.solver.Work = searchWork
	return d.solve(p)
}

// solve leaves out the lines that are placed, and puts the answer back into the order's lines.
func (d *decider) solve(p *exact.Problem) exact.Result {
	var active []int
	for i, q := range d.left {
		if q > 0 {
			active = append(active, i)
		}
	}
	if len(active) == len(d.left) {
		return d.solver.Solve(p)
	}
	small := *p
	small.Lines = make([]exact.Line, len(active))
	small.Locations = slices.Clone(p.Locations)
	for k, i := range active {
		small.Lines[k] = p.Lines[i]
	}
	for l := range small.Locations {
		unit, available := make([]int64, len(active)), make([]int64, len(active))
		for k, i := range active {
			unit[k], available[k] = p.Locations[l].Unit[i], p.Locations[l].Available[i]
		}
		small.Locations[l].Unit, small.Locations[l].Available = unit, available
	}
	r := d.solver.Solve(&small)
	spread := func(q []int64) []int64 {
		out := make([]int64, len(d.left))
		for k, i := range active {
			out[i] = q[k]
		}
		return out
	}
	for i := range r.Shares {
		r.Shares[i].Quantity = spread(r.Shares[i].Quantity)
	}
	r.Unfilled = spread(r.Unfilled)
	return r
}

// nothing is the plan that places nothing.
func (d *decider) nothing() exact.Result {
	return exact.Result{Unfilled: slices.Clone(d.left), Method: "exact"}
}

// limits fills in everything of the problem but its locations.
func (d *decider) limits(g *policy.CompiledGroup, p *exact.Problem) {
	l := &g.Limits
	unplaced := int64(defaultUnplacedCost)
	if l.UnplacedCost != nil {
		unplaced = *l.UnplacedCost
	}
	p.Lines = p.Lines[:0]
	for i := range d.f.Lines {
		line := &d.f.Lines[i]
		p.Lines = append(p.Lines, exact.Line{
			Quantity: d.left[i], Group: d.together(g, i),
			Unfilled: within(unplaced, d.left[i]), Grams: within(line.Grams, d.left[i]), Value: within(line.Value, d.left[i]),
		})
	}
	p.Split = splitRule(l.LineSplit)
	p.MaxShipments = exact.NoLimit
	if l.MaxShipments != nil {
		p.MaxShipments = int(min(*l.MaxShipments, int64(math.MaxInt32)))
	}
	p.MinShipmentValue, p.MinRemainderValue = l.MinShipmentValue, l.MinRemainderValue
}

// within keeps an amount of each of quantity units inside what the search can add up.
func within(amount, quantity int64) int64 {
	return min(max(amount, 0), exact.MaxLineAmount/max(quantity, 1))
}

func splitRule(name string) exact.Split {
	switch name {
	case "never":
		return exact.SplitNever
	case "always":
		return exact.SplitAlways
	}
	return exact.SplitWhenNeeded
}

// together is the number of the line's group that ships from one location; 0: none.
// It is the place of the first line with the same value of the attribute, from 1.
func (d *decider) together(g *policy.CompiledGroup, line int) int {
	attribute := g.Limits.KeepTogether
	if attribute == "" || d.f.Lines[line].SKU == nil {
		return 0
	}
	value, ok := d.f.Lines[line].SKU.Attributes[attribute]
	if !ok {
		return 0
	}
	for i := range d.f.Lines {
		if s := d.f.Lines[i].SKU; s != nil && d.left[i] > 0 {
			if v, ok := s.Attributes[attribute]; ok && v == value {
				return i + 1
			}
		}
	}
	return 0
}

// room is what one shipment from the candidate may hold.
func (d *decider) room(g *policy.CompiledGroup, c *candidate) (units, value int64) {
	s := &d.f.Sites[c.site]
	units, value = exact.NoLimit, exact.NoLimit
	if !g.Limits.IgnoreCapacity {
		units, value = s.UnitsLeft, s.ValueLeft
		if d.shipped > 0 {
			units, value = d.roomLeft(s.Location.ID, units, value)
		}
	}
	lower := func(now int64, limit *int64) int64 {
		if limit != nil && (now < 0 || *limit < now) {
			return *limit
		}
		return now
	}
	return lower(units, g.Limits.MaxUnits), lower(value, g.Limits.MaxValue)
}

// roomLeft takes what earlier groups gave a location off its capacity.
func (d *decider) roomLeft(location string, units, value int64) (int64, int64) {
	for i := range d.f.Lines {
		if n := d.taken(location, d.f.Lines[i].ID); n > 0 {
			if units != exact.NoLimit {
				units = max(units-n, 0)
			}
			if value != exact.NoLimit {
				value = max(value-n*d.f.Lines[i].Value, 0)
			}
		}
	}
	return units, value
}
