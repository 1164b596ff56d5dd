package engine

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// want is what is to be placed of one SKU: one or more demands that share its stock.
type want struct {
	id      string // of the lines, joined with +
	sku     string
	parts   []inventory.Part
	left    int64
	demands []*demand
}

// wants gathers demands by SKU.
func wants(demands []demand) []*want {
	out := make([]*want, 0, len(demands))
next:
	for i := range demands {
		d := &demands[i]
		if d.left <= 0 {
			continue
		}
		for _, w := range out {
			if w.sku == d.line.SKU {
				w.id += "+" + d.line.ID
				w.left += d.left
				w.demands = append(w.demands, d)
				continue next
			}
		}
		out = append(out, &want{id: d.line.ID, sku: d.line.SKU, parts: d.line.Parts, left: d.left, demands: []*demand{d}})
	}
	return out
}

// independent groups wants so that wants of different groups share no stock and
// those of one group are decided after each other. Nearly always that is one group
// with all of them, decided at once; where a kit shares a part with something else they come one by one.
func independent(all []*want) [][]*want {
	if len(all) == 0 {
		return nil
	}
	seen := map[string]bool{}
	shared := false
	note := func(sku string) {
		shared = shared || seen[sku]
		seen[sku] = true
	}
	for _, w := range all {
		if len(w.parts) == 0 {
			note(w.sku)
		}
		for _, p := range w.parts {
			note(p.SKU)
		}
	}
	if !shared {
		return [][]*want{all}
	}
	groups := make([][]*want, len(all))
	for i, w := range all {
		groups[i] = []*want{w}
	}
	return groups
}

// orderFacts is an order as policies see it.
func orderFacts(o *order.Order) policy.Order {
	f := policy.Order{
		Channel: o.Channel, Method: string(o.Method), Service: o.Service, Currency: o.Currency, Lines: int64(len(o.Lines)),
		Customer: o.Customer.ID, Attributes: o.Attributes, PlacedAt: o.PlacedAt, Attempt: int64(o.Attempts),
	}
	for i := range o.Lines {
		f.Value += o.Lines[i].Total
		f.Units += o.Lines[i].Quantity
	}
	if a := o.ShipTo; a != nil {
		f.Country, f.PostalCode, f.Region, f.City = a.Country, a.PostalCode, a.Region, a.City
	}
	return f
}

// facts gathers what a decision about some wants may depend on.
func (p *placing) facts(group []*want, reads needs) *sourcing.Facts {
	e, book, s, o, now := p.e, p.book, p.s, p.o, p.now
	f := &sourcing.Facts{Now: now, Order: orderFacts(o), Forced: o.RequiredLocation, Wanted: o.WantedBy}
	if f.Wanted.IsZero() {
		f.Wanted = o.Promise.DeliverBy
	}
	if o.PreferredLocation != "" {
		f.Preferred = []string{o.PreferredLocation}
	}
	for _, id := range o.Excluded {
		if plant.On(plant.RefusedAskedAgain) {
			break
		}
		f.Refused = append(f.Refused, sourcing.Refusal{Location: id, Reason: "it refused or could not find units of this order"})
	}
	f.Lines = make([]sourcing.Line, len(group))
	for i, w := range group {
		f.Lines[i] = e.lineFacts(w)
		f.Order.WeightG += f.Lines[i].Facts.WeightG
	}
	learned := e.lore()
	f.Learned = learned.versions(reads)
	if q := e.queues.Load(); q != nil {
		f.Learned = append(slices.Clip(f.Learned), q.name)
	}
	available := e.availability(book, s, f, group, p.taken, p.held)
	f.Sites = make([]sourcing.Site, len(s.locations))
	services := make([]sourcing.Service, 0, len(s.locations))
	for c, l := range s.locations {
		site := &f.Sites[c]
		site.Location, site.Available = s.places[c], available[c*len(group):(c+1)*len(group)]
		site.Candidate = policy.Candidate{DistanceKm: s.distances[c], DistanceKnown: true, Preferred: l.ID == o.PreferredLocation}
		if s.distances[c] == sourcing.UnknownDistance {
			site.Candidate.DistanceKm, site.Candidate.DistanceKnown = farthestKm, false
		}
		site.OrdersLeft, site.UnitsLeft, site.ValueLeft = p.capacityLeft(l)
		site.Candidate.OrdersLeft = site.OrdersLeft
		site.Candidate.CapacityUsed = capacityUsed(book, l, now)
		site.Candidate.FailureRate = learned.failureRate(l.ID)
		if s.via != nil && s.via[c] {
			site.Via = o.PickupLocation
		}
		services, site.Services = p.services(services, l, s.legs[c], reads)
		dates(site, f.Wanted, now)
		if reads.stock {
			site.Stock = e.stockFacts(book, s, c, group, site.Available, learned, reads.curve)
		}
		if reads.prices {
			site.Prices = learned.prices(group, l.ID)
		}
		if reads.curve {
			site.Prices = learned.curve(group, l.ID, site.Available)
		}
	}
	return f
}

// capacityLeft is what the location's capacity still admits, beside what this order was given there already.
func (p *placing) capacityLeft(l *network.Location) (orders, units, value int64) {
	orders, units, value = p.e.capacityLeft(p.book, l, p.now)
	sh := p.shares[l.ID]
	if sh == nil {
		return orders, units, value
	}
	take := func(left int64, m order.Measure) int64 {
		if left < 0 {
			return left
		}
		return max(left-p.o.Load(m, sh.lines), 0)
	}
	if orders == 0 {
		orders = 1 // the order is there already
	}
	return orders, take(units, order.MeasureUnits), take(value, order.MeasureValue)
}

// lineFacts describes what is wanted of one SKU.
func (e *Engine) lineFacts(w *want) sourcing.Line {
	l := sourcing.Line{ID: w.id, Quantity: w.left, SKU: e.skuFacts(w.sku, len(w.parts) > 0)}
	for _, d := range w.demands {
		l.Value = max(l.Value, d.line.UnitValue())
	}
	if l.Grams = l.SKU.WeightG; l.Grams == 0 {
		for _, p := range w.parts {
			if s, ok := e.Catalog().Get(p.SKU); ok {
				l.Grams += s.WeightG * p.Quantity
			}
		}
	}
	l.Facts = policy.Line{
		SKU: w.sku, Quantity: w.left, UnitPrice: w.demands[0].line.UnitPrice, Value: l.Value * w.left, WeightG: l.Grams * w.left,
	}
	return l
}

// skuFacts is a SKU as policies see it.
func (e *Engine) skuFacts(sku string, kit bool) *policy.SKU {
	f := &policy.SKU{ID: sku, Kit: kit}
	if s, ok := e.Catalog().Get(sku); ok {
		f.Category, f.Tags, f.Attributes, f.WeightG = s.Category, s.Tags, s.Attributes, s.WeightG
		if s.Price != nil {
			f.Price = s.Price.Amount
		}
	}
	return f
}

// availability is what each location may give of each want, with what is held for it there: row per location.
func (e *Engine) availability(book *inventory.Book, s *sources, f *sourcing.Facts, group []*want, taken map[inventory.PositionKey]int64, held *claimed) []int64 {
	out := make([]int64, len(group)*len(s.locations))
	var buffer inventory.AvailabilityBuffer
	var answer []inventory.Availability
	withheld := e.Withholding(f.Order.Channel, f.Now).of()
	for i, w := range group {
		buffer.Reset()
		answer = book.AppendAvailability(answer[:0], &buffer, inventory.Inquiry{
			SKU: w.sku, Parts: w.parts, Locations: s.indexesIn(book), Buffer: s.buffer, Withheld: withheld, Empty: true,
		})
		for c, stock := range answer[0].Locations {
			units := stock.Units
			if len(taken) > 0 {
				units = lessTaken(units, w, s.locations[c].ID, taken)
			}
			out[c*len(group)+i] = units + held.left(w.sku, s.locations[c].ID)
		}
	}
	return out
}

// services are the ways a location may ship, appended to shared memory.
func (p *placing) services(all []sourcing.Service, l *network.Location, legs []network.Leg, reads needs) (memory, own []sourcing.Service) {
	from := len(all)
	for i := range legs {
		s := sourcing.Service{ID: legs[i].Service, Tariff: legs[i].Rate}
		if reads.dates {
			if a, err := p.e.calendar.Arrive(shipping(l, &legs[i], p.e.queues.Load()), p.rules.Settings, p.e.lore().delays(), p.now); err == nil {
				s.ShipBy, s.Deliver = a.ShipBy, a.DeliverBy
			}
		}
		all = append(all, s)
	}
	return all, all[from:len(all):len(all)]
}

// dates fills in the candidate's days from its quickest service.
func dates(s *sourcing.Site, wanted, now time.Time) {
	s.Candidate.DaysToDeliver = -1
	var first time.Time
	for i := range s.Services {
		if d := s.Services[i].Deliver; !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	if first.IsZero() {
		return
	}
	const day = 24 * time.Hour
	s.Candidate.DaysToDeliver = int64((first.Sub(now) + day - 1) / day)
	if !wanted.IsZero() && first.After(wanted) {
		s.Candidate.DaysLate = int64((first.Sub(wanted) + day - 1) / day)
	}
}

// stockFacts are the positions behind each want at a location; of a kit, the part that limits most.
func (e *Engine) stockFacts(book *inventory.Book, s *sources, c int, group []*want, available []int64, learned *lore, curve bool) []policy.Stock {
	id := s.locations[c].ID
	out := make([]policy.Stock, len(group))
	for i, w := range group {
		sku := w.sku
		if len(w.parts) > 0 {
			sku = scarcest(book, w.parts, id)
		}
		p, _ := book.Get(inventory.PositionKey{SKU: sku, Location: id})
		out[i] = policy.Stock{Available: available[i], OnHand: p.OnHand, Safety: p.Safety, WeeksOfSupply: noSales}
		out[i].Velocity = learned.velocity(sku, id)
		if out[i].Velocity > 0 {
			out[i].WeeksOfSupply = min(float64(available[i])/(7*out[i].Velocity), noSales)
		}
		out[i].BrokenRun = e.brokenRun(book, sku, id)
		out[i].Price = learned.price(sku, id)
		if curve {
			out[i].Price = curvePrice(available[i], out[i].Velocity)
		}
	}
	return out
}

// noSales is weeks_of_supply of what does not sell.
const noSales = 9999

func scarcest(book *inventory.Book, parts []inventory.Part, location string) string {
	best, least := parts[0].SKU, int64(-1)
	for _, p := range parts {
		at, _ := book.Get(inventory.PositionKey{SKU: p.SKU, Location: location})
		if kits := at.OnHand / max(p.Quantity, 1); least < 0 || kits < least {
			best, least = p.SKU, kits
		}
	}
	return best
}

// brokenRun reports that the location has the SKU, but lacks another size of its style.
func (e *Engine) brokenRun(book *inventory.Book, sku, location string) bool {
	s, ok := e.Catalog().Get(sku)
	if !ok || s.Attributes[catalog.StyleAttribute] == "" {
		return false
	}
	for _, sibling := range e.Catalog().Siblings(s.Attributes[catalog.StyleAttribute]) {
		if p, _ := book.Get(inventory.PositionKey{SKU: sibling, Location: location}); sibling != sku && p.OnHand <= 0 {
			return true
		}
	}
	return false
}
