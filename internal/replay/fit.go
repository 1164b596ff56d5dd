package replay

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
)

// fitted are the rates that outcomes are drawn from, all of them shares and spreads that the history shows.
type fitted struct {
	places map[string]*place  // by location; "" all
	ways   map[string]*spread // by carrier service: delivered after the carrier's calendar; "" all
	// transit is how long carriers take, where there is no calendar.
	transit map[string]*spread
	// touches and seconds are how much more people had to do about an order with a rejection or a backorder.
	touches float64
	seconds float64
}

// place is how a location works.
type place struct {
	given, rejected, lost int64
	answer                spread // from given to rejected
	late                  spread // left after the day it was to leave by
	lead                  spread // from given to left
}

// maxSpread is how many values of a spread are kept.
const maxSpread = 400

// spread is a sample of durations, chosen evenly from all that were seen, in an order that does not depend on chance.
type spread struct {
	seen   int64
	values []time.Duration
	sorted bool
}

func (s *spread) add(d time.Duration) {
	s.seen++
	s.sorted = false
	if len(s.values) < maxSpread {
		s.values = append(s.values, d)
		return
	}
	if i := mix(uint64(s.seen)) % uint64(s.seen); i < maxSpread {
		s.values[i] = d
	}
}

// at is the value below which a share of them lies; 0 when there is none.
func (s *spread) at(share float64) time.Duration {
	if s == nil || len(s.values) == 0 {
		return 0
	}
	if !s.sorted {
		slices.Sort(s.values)
		s.sorted = true
	}
	return s.values[min(int(share*float64(len(s.values))), len(s.values)-1)]
}

// fewSeen is below how many observations a place or way borrows those of all.
const fewSeen = 20

func (f *fitted) place(id string) *place {
	if p := f.places[id]; p != nil && p.given >= fewSeen {
		return p
	}
	return f.places[""]
}

func spreadOf(m map[string]*spread, id string) *spread {
	if s := m[id]; s != nil && s.seen >= fewSeen {
		return s
	}
	return m[""]
}

// rejects is the share of fulfillments that a location rejects, drawn to that of all where there is little of it.
func (f *fitted) rejects(id string) float64 {
	all := f.places[""]
	base := 0.0
	if all.given > 0 {
		base = float64(all.rejected) / float64(all.given)
	}
	p := f.places[id]
	if p == nil {
		return base
	}
	return (float64(p.rejected) + fewSeen*base) / (float64(p.given) + fewSeen)
}

// seen is an order while rates are fitted.
type seenOrder struct {
	state    *order.Order
	placed   []past.Placed
	at       []time.Time
	shipped  []time.Time
	trouble  bool
	touches  int64
	seconds  int64
	rejected []bool
}

// fitter goes through the history once.
type fitter struct {
	f      *fitted
	desk   *engine.Desk // dates what the history has no dates of; nil: the history has them
	orders map[int64]*seenOrder
	// of orders with and without trouble: how many, touches, seconds
	with, without [3]float64
}

func fitHistory(ctx context.Context, open Open, o Options) (*fitted, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f := &fitted{places: map[string]*place{"": {}}, ways: map[string]*spread{"": {}}, transit: map[string]*spread{"": {}}}
	x := &fitter{f: f, orders: map[int64]*seenOrder{}}
	if r.Header().Source == "csv" {
		x.desk = engine.NewDesk()
	}
	for n := 0; ; n++ {
		var e past.Entry
		switch err := r.Next(&e); {
		case errors.Is(err, io.EOF):
			x.finish()
			return f, nil
		case err != nil:
			return nil, err
		}
		if err := x.entry(&e); err != nil {
			return nil, err
		}
		if n%progressEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (x *fitter) entry(e *past.Entry) error {
	switch {
	case e.Document != nil && x.desk != nil && !e.Document.Removed:
		v, err := engine.ReadDocument(e.Document.Kind, e.Document.JSON)
		if err != nil {
			return err
		}
		x.desk.Put(v)
	case e.Decision != nil:
		x.decision(e.Decision, e.At)
	case e.Step != nil:
		x.step(e.Step, e.At)
	}
	return nil
}

func (x *fitter) decision(d *past.Decision, at time.Time) {
	o := x.orders[d.Order]
	if o == nil {
		o = &seenOrder{}
		x.orders[d.Order] = o
	}
	o.state = d.State
	o.trouble = o.trouble || len(d.Unplaced) > 0
	for _, p := range d.Placed {
		if x.desk != nil && p.Promise.Calendar.IsZero() {
			pl := order.Placement{Location: p.Location, Service: p.Service, Via: p.Via, Lines: p.Lines}
			x.desk.Date(d.State, &pl, at)
			p.Promise = pl.Promise
			p.Service = pl.Service
		}
		for _, at := range []*place{x.f.at(p.Location), x.f.at("")} {
			at.given++
		}
		o.placed, o.at, o.shipped, o.rejected = append(o.placed, p), append(o.at, at), append(o.shipped, time.Time{}), append(o.rejected, false)
	}
}

func (f *fitted) at(id string) *place {
	if f.places[id] == nil {
		f.places[id] = &place{}
	}
	return f.places[id]
}

func way(m map[string]*spread, id string) *spread {
	if m[id] == nil {
		m[id] = &spread{}
	}
	return m[id]
}

func (x *fitter) step(s *past.Step, at time.Time) {
	o := x.orders[s.Order]
	if o == nil {
		return
	}
	switch s.Kind {
	case past.StepTouched:
		o.touches++
		o.seconds += s.Seconds
	case past.StepDone:
		x.close(o)
		delete(x.orders, s.Order)
	}
	n := s.Fulfillment - 1
	if n < 0 || n >= len(o.placed) {
		return
	}
	p := &o.placed[n]
	for _, id := range []string{p.Location, ""} {
		l := x.f.at(id)
		switch s.Kind {
		case past.StepRejected:
			if !o.rejected[n] {
				l.rejected++
				l.answer.add(at.Sub(o.at[n]))
				if s.Lost {
					l.lost++
				}
			}
		case past.StepShipped:
			l.lead.add(at.Sub(o.at[n]))
			if t := p.Promise.ShipBy; !t.IsZero() {
				l.late.add(at.Sub(t))
			}
		}
	}
	switch s.Kind {
	case past.StepRejected:
		o.trouble, o.rejected[n] = true, true
	case past.StepShipped:
		o.shipped[n] = at
	case past.StepDelivered:
		for _, id := range []string{p.Service, ""} {
			if t := p.Promise.Calendar; !t.IsZero() {
				way(x.f.ways, id).add(at.Sub(t))
			}
			if t := o.shipped[n]; !t.IsZero() {
				way(x.f.transit, id).add(at.Sub(t))
			}
		}
	}
}

func (x *fitter) close(o *seenOrder) {
	to := &x.without
	if o.trouble {
		to = &x.with
	}
	to[0]++
	to[1] += float64(o.touches)
	to[2] += float64(o.seconds)
}

func (x *fitter) finish() {
	for _, n := range sortedKeys(x.orders) {
		x.close(x.orders[n])
	}
	if x.with[0] > 0 && x.without[0] > 0 {
		x.f.touches = max(x.with[1]/x.with[0]-x.without[1]/x.without[0], 0)
		if more := x.with[1] - x.f.touches; more != 0 && x.with[1] > 0 {
			x.f.seconds = x.with[2] / x.with[1]
		}
	}
	for _, m := range []map[string]*spread{x.f.ways, x.f.transit} {
		for _, s := range m {
			s.at(0)
		}
	}
	for _, p := range x.f.places { // sorted here: runs read them at the same time
		p.answer.at(0)
		p.late.at(0)
		p.lead.at(0)
	}
}
