package replay

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// everything is the key of a change that holds for everything that no other key names.
const everything = "*"

// same reports that a scenario changes nothing.
func (s *Scenario) same() bool {
	body, err := json.Marshal(s.Changes)
	return len(s.Policies) == 0 && err == nil && string(body) == "{}"
}

// rulebook keeps the desk's rules, network and facts as the history has them, with what the scenario changes.
type rulebook struct {
	sc        *Scenario
	desk      *engine.Desk
	own       []policy.Published // of the scenario, in place of all of their kinds
	kinds     map[policy.Kind]bool
	published []policy.Published
	compiled  map[string]*policy.Compiled // sourcing policies by what decisions call them
	locations bool                        // the scenario's own documents were put
	safeties  map[string]int64
}

func newRulebook(sc *Scenario, desk *engine.Desk) (*rulebook, error) {
	b := &rulebook{sc: sc, desk: desk, kinds: map[policy.Kind]bool{}, compiled: map[string]*policy.Compiled{}, safeties: sc.Changes.Safety}
	for i, text := range sc.Policies {
		c, err := policy.CompileText([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", i+1, err)
		}
		c.Doc.Select.From, c.Doc.Select.Until = time.Time{}, time.Time{}
		b.own = append(b.own, policy.Published{Compiled: c, Version: 0})
		b.kinds[c.Kind] = true
	}
	b.publish()
	for _, list := range []struct {
		kind string
		docs []any
	}{{"carrier", sc.Changes.Carriers}, {"location", sc.Changes.Locations}, {"network", sc.Changes.Networks}, {"channel", sc.Changes.Channels}} {
		for i, d := range list.docs {
			if _, err := document(list.kind, d); err != nil {
				return nil, fmt.Errorf("changes.%ss[%d]: %w", list.kind, i, err)
			}
		}
	}
	for location, t := range sc.Changes.CutOff {
		if _, err := network.ParseClock(t); err != nil {
			return nil, fmt.Errorf("changes.cut_off.%s: %q is no time of day like 15:00", location, t)
		}
	}
	return b, nil
}

// document makes a piece of reference data of a value as JSON or YAML reads it.
func document(kind string, v any) (any, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return engine.ReadDocument(kind, body)
}

func (b *rulebook) publish() {
	all := slices.Clone(b.own)
	for _, p := range b.published {
		if kind := p.Kind; !b.kinds[kind] {
			all = append(all, p)
		}
	}
	b.desk.SetPolicies(all)
	for _, p := range all {
		if p.Compiled != nil && p.Compiled.Kind == policy.KindSourcing {
			b.compiled[sourcing.Name(p.Compiled.Name, p.Version)] = p.Compiled
		}
	}
}

// take lets an entry take effect.
func (b *rulebook) take(e *past.Entry) error {
	switch {
	case e.Learned != nil:
		return b.desk.Learn(e.Learned.ID, e.Learned.Version, e.Learned.State)
	case e.Policy != nil:
		return b.policy(e.Policy)
	}
	return b.document(e.Document)
}

func (b *rulebook) policy(p *past.Policy) error {
	switch policy.Kind(p.Kind) {
	case policy.KindSourcing, policy.KindPromise, policy.KindAvailability:
	default:
		return nil // flows, holds, payments and the like place nothing
	}
	next := policy.Published{Version: p.Version, From: p.From, Withdrawn: p.Withdrawn, Name: p.Name, Kind: policy.Kind(p.Kind)}
	if !p.Withdrawn {
		c, err := policy.CompileText([]byte(p.Text))
		if err != nil {
			return fmt.Errorf("policy %s/%s@%d of the history: %w", p.Kind, p.Name, p.Version, err)
		}
		next.Compiled = c
	}
	b.published = append(b.published, next)
	b.publish()
	return nil
}

func (b *rulebook) document(d *past.Document) error {
	if d.Removed {
		if d.Kind == string(engine.KindSupply) {
			b.desk.RemoveSupply(d.ID)
		}
		return nil
	}
	v, err := engine.ReadDocument(d.Kind, d.JSON)
	if err != nil {
		return fmt.Errorf("%s %s of the history: %w", d.Kind, d.ID, err)
	}
	b.desk.Put(b.changed(v))
	return b.putOwn()
}

// putOwn puts the scenario's own documents, in place of those of the history.
func (b *rulebook) putOwn() error {
	x := &b.sc.Changes
	for _, list := range []struct {
		kind string
		docs []any
	}{{"carrier", x.Carriers}, {"location", x.Locations}, {"network", x.Networks}, {"channel", x.Channels}} {
		for _, d := range list.docs {
			v, err := document(list.kind, d)
			if err != nil {
				return err
			}
			b.desk.Put(b.changed(v))
		}
	}
	if b.locations {
		return nil
	}
	b.locations = len(x.Stock) > 0
	for _, s := range x.Stock {
		if s.SKU != everything {
			b.fill(s.Location, s.SKU, s.Units)
		}
	}
	return nil
}

// fill brings a position up to a stock.
func (b *rulebook) fill(location, sku string, units int64) {
	k := inventory.PositionKey{SKU: sku, Location: location}
	p, _ := b.desk.Book().Get(k)
	if more := units - p.OnHand; more > 0 {
		b.desk.Book().Apply(k, inventory.Delta{OnHand: more})
	}
}

// changed is a document as the scenario has it.
func (b *rulebook) changed(v any) any {
	x := &b.sc.Changes
	switch d := v.(type) {
	case *network.Location:
		if slices.Contains(x.Close, d.ID) {
			d.Status = network.Suspended
		}
		if n, ok := of(x.Capacity, d.ID); ok {
			d.Capacity = network.Capacity{}
			if n >= 0 {
				d.Capacity.OrdersPerDay = &n
			}
		}
		if t, ok := of(x.CutOff, d.ID); ok {
			if clock, err := network.ParseClock(t); err == nil {
				d.Cutoffs = []network.Cutoff{{Time: clock}}
			}
		}
	case *network.Carrier:
		for i := range d.Services {
			s := &d.Services[i]
			if f, ok := of(x.Rates, s.ID); ok {
				dearer(s, f)
			}
		}
	case *catalog.SKU:
		for _, s := range x.Stock {
			if s.SKU == everything && len(d.Components) == 0 {
				b.fill(s.Location, d.SKU, s.Units)
			}
		}
	}
	return v
}

func of[V any](m map[string]V, id string) (v V, ok bool) {
	if v, ok = m[id]; !ok {
		v, ok = m[everything]
	}
	return v, ok
}

func dearer(s *network.Service, f float64) {
	times := func(n int64) int64 { return int64(math.Round(float64(n) * f)) }
	for i := range s.Rates {
		r := &s.Rates[i]
		for k := range r.Brackets {
			r.Brackets[k].Price = times(r.Brackets[k].Price)
		}
		if r.PerExtraKG != nil {
			more := times(*r.PerExtraKG)
			r.PerExtraKG = &more
		}
	}
}

func (b *rulebook) safetyOf(location string) (int64, bool) { return of(b.safeties, location) }

func (b *rulebook) safety(location string, recorded int64) int64 {
	if n, ok := b.safetyOf(location); ok {
		return n
	}
	return recorded
}

// rejects is the share that the scenario sets for a location; false: that of the history.
func (b *rulebook) rejects(location string) (float64, bool) {
	return of(b.sc.Changes.Rejects, location)
}

// draws reports that outcomes at a location are drawn even where history has some.
func (b *rulebook) draws(location string) bool {
	_, ok := b.rejects(location)
	return ok
}

func (b *rulebook) drawsAt(placed []past.Placed) bool {
	return len(b.sc.Changes.Rejects) > 0 && slices.ContainsFunc(placed, func(p past.Placed) bool { return b.draws(p.Location) })
}

// late is by how much the scenario has deliveries of a service come later.
func (b *rulebook) late(service string) time.Duration {
	days, _ := of(b.sc.Changes.Late, service)
	return time.Duration(days * 24 * float64(time.Hour))
}

// times is how often an order comes.
func (x *Changes) times(o *order.Order, seed uint64) int {
	f := 1.0
	if x.Demand > 0 {
		f = x.Demand
	}
	if len(x.Shift) > 0 && o.ShipTo != nil {
		at, longest := o.ShipTo.Country+" "+o.ShipTo.PostalCode, -1
		by := 1.0
		for prefix, n := range x.Shift {
			if strings.HasPrefix(at, prefix) && len(prefix) > longest {
				longest, by = len(prefix), n
			}
		}
		f *= by
	}
	whole := math.Floor(f)
	n := int(whole)
	if luck(seed, o.ID, "comes", strconv.Itoa(n)) < f-whole {
		n++
	}
	return n
}
