package engine

import (
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
)

// promiseRules are the promise policy in force for an order, ready to date with.
type promiseRules struct {
	*promise.Settings
	policy *policy.CompiledPromise
	name   string // name@version
}

// settingsKey is what settings depend on.
type settingsKey struct {
	policy  *policy.Compiled
	country string
}

// promiseRules returns the rules for an order as policies see it.
func (e *Engine) promiseRules(f *policy.Order, now time.Time) promiseRules {
	c, version := e.choose(policy.KindPromise, &policy.Facts{Order: f, Now: now})
	return promiseRules{policy: c.Promise, name: policyName(c, version), Settings: e.promiseSettings(c, f.Country)}
}

// promiseSettings are the settings of a promise policy for a country of destination.
func (e *Engine) promiseSettings(c *policy.Compiled, country string) *promise.Settings {
	cache := &e.rules().settings
	key := settingsKey{c, country}
	if s, ok := cache.Load(key); ok {
		return s.(*promise.Settings)
	}
	s, err := promise.NewSettings(&c.Promise.PromiseSection, country)
	if err != nil { // it was checked when it was published
		s, _ = promise.NewSettings(nil, country)
	}
	kept, _ := cache.LoadOrStore(key, &s)
	return kept.(*promise.Settings)
}

// shipping is one way of a location to the destination, for the calendar, behind what waits there.
func shipping(l *network.Location, leg *network.Leg, q *queues) promise.Shipping {
	return promise.Shipping{From: l, Service: leg.Service, Zone: leg.Zone, TransitDays: leg.TransitDays, Backlog: q.of(l.ID)}
}

// date fills in the promise of a placement: when its location lets its lines go and when they
// arrive. What cannot be known (a location that never opens, no rate for the
// destination) stays zero: nothing is promised then.
func (p *placing) date(pl *order.Placement) {
	c := p.s.at(pl.Location)
	if c < 0 {
		return
	}
	l := p.s.locations[c]
	defer func() {
		if !pl.Promise.ShipBy.IsZero() {
			pl.Promise.Policy = p.rules.name
		}
	}()
	if p.o.Method == order.Pickup && pl.Via == "" {
		if c, err := p.e.calendar.Collection(l, p.e.queues.Load().of(l.ID), p.now); err == nil {
			pl.Promise.ShipBy, pl.Promise.DeliverBy = c.Ready, c.Ready
		}
		return
	}
	for i := range p.s.legs[c] {
		leg := &p.s.legs[c][i]
		if leg.Service != pl.Service {
			continue
		}
		pl.Zone = leg.Zone
		a, err := p.e.calendar.Arrive(shipping(l, leg, p.e.queues.Load()), p.rules.Settings, p.e.lore().delays(), p.now)
		if err != nil {
			return
		}
		pl.Promise = order.Promise{ShipBy: a.ShipBy, DeliverBy: a.DeliverBy, Calendar: a.Calendar, Probability: round4(a.Probability)}
		if store, ok := p.s.directory.Location(pl.Via); ok {
			if ready, err := promise.Forward(store, a.DeliverBy); err == nil {
				pl.Promise.DeliverBy = ready
			}
		}
		return
	}
	if d, err := p.e.calendar.Departure(l, pl.Service, p.rules.Carrier, p.e.queues.Load().of(l.ID), p.now); err == nil {
		pl.Promise.ShipBy = d.ShipBy
	}
}

// charge is what the placement's carrier charges; 0 when it is not known.
func (p *placing) charge(pl *order.Placement) int64 {
	c := p.s.at(pl.Location)
	if c < 0 {
		return 0
	}
	for i := range p.s.legs[c] {
		if leg := &p.s.legs[c][i]; leg.Service == pl.Service {
			var grams int64
			for _, q := range pl.Lines {
				grams += p.e.unitGrams(p.o.Line(q.Line)) * q.Quantity
			}
			price, _ := leg.Rate.Price(grams)
			return price
		}
	}
	return 0
}

// round4 keeps what is worth storing of a probability.
func round4(p float64) float64 { return float64(int64(p*10_000+0.5)) / 10_000 }
