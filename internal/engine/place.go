package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/store"
)

// sources are the locations that may fulfil an order, found before the decision
// because they depend on reference data only.
type sources struct {
	locations []*network.Location // ascending by id
	indexes   []int32             // of the locations in the book
	distances []float64
	buffer    int64
	reject    bool // refuse the order when it cannot be placed whole
	directory *network.Directory
}

// sources finds the locations a channel's order may be fulfilled from.
func (e *Engine) sources(channel string, method order.Method, pickup string, to *network.Address) *sources {
	d, book := e.Directory(), e.Book()
	s := &sources{directory: d}
	ch, ok := d.Channel(channel)
	if !ok {
		return s
	}
	s.buffer = ch.Buffer
	capability := network.CanShip
	if method == order.Pickup {
		capability = network.CanPickup
	}
	s.locations = d.Eligible(channel, capability)
	if method == order.Pickup {
		s.locations = slices.DeleteFunc(slices.Clone(s.locations), func(l *network.Location) bool { return l.ID != pickup })
	}
	s.indexes = make([]int32, len(s.locations))
	s.distances = make([]float64, len(s.locations))
	for i, l := range s.locations {
		s.indexes[i] = book.LocationIndex(l.ID)
		s.distances[i] = sourcing.UnknownDistance
		if to != nil {
			if km, ok := network.Distance(&l.Address, to); ok {
				s.distances[i] = km
			}
		}
	}
	return s
}

// placement is the outcome of placing the unplaced units of an order.
type placement struct {
	events    []order.Event
	backorder []order.LineQuantity
}

func (p *placement) missing() bool { return len(p.backorder) > 0 }

func (p *placement) outOfStock(o *order.Order) error {
	q := p.backorder[0]
	at := slices.IndexFunc(o.Lines, func(l order.Line) bool { return l.ID == q.Line })
	return &order.Refusal{
		Code: CodeOutOfStock, Pointer: fmt.Sprintf("lines[%d].quantity", at),
		Message: fmt.Sprintf("%d units of %s are not available", q.Quantity, o.Lines[at].SKU),
	}
}

// demand is the units of an order line that are to be placed.
type demand struct {
	line *order.Line
	left int64
}

// share collects what one location is given.
type share struct {
	lines, reserved []order.LineQuantity
	reason          string
}

// place decides which locations get the unplaced units of an order: first
// those where a claimed reservation holds them, then by the sourcing rule.
func (e *Engine) place(tx *Tx, s *sources, o *order.Order, held []heldUnits) (*placement, error) {
	demands := make([]demand, 0, len(o.Lines))
	for _, q := range o.Unplaced() {
		demands = append(demands, demand{line: o.Line(q.Line), left: q.Quantity})
	}
	shares := map[string]*share{}
	taken := takeHeld(demands, held, shares)
	for _, group := range independent(demands) {
		e.planGroup(tx.Book(), s, o, group, taken, shares)
	}
	placements := make([]order.Placement, 0, len(shares))
	for location, sh := range shares {
		promise, cost := e.promise(s.directory, o, location, sh.lines, tx.Now)
		placements = append(placements, order.Placement{
			Location: location, Lines: sh.lines, Reserved: sh.reserved, Service: o.Service, Promise: promise, Cost: cost,
			Decision: order.Decision{Rule: "nearest-complete/1", Candidates: len(s.locations), Excluded: o.Excluded, Reason: sh.reason},
		})
	}
	slices.SortFunc(placements, func(a, b order.Placement) int {
		if a.Location < b.Location {
			return -1
		}
		return 1
	})
	p := &placement{}
	for _, d := range demands {
		if d.left > 0 {
			p.backorder = append(p.backorder, order.LineQuantity{Line: d.line.ID, Quantity: d.left})
		}
	}
	var retry time.Time
	if len(p.backorder) > 0 {
		retry = e.retryAt(o, p.backorder, tx.Now)
	}
	var err error
	p.events, err = o.Place(order.Plan{Placements: placements, Unplaced: p.backorder, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: retry}, tx.Now)
	return p, err
}

// independent groups demands so that demands of different groups share no stock
// and those of one group are planned after each other. Nearly always that is one
// group with all lines, planned at once; lines that share a SKU come one by one.
func independent(demands []demand) [][]*demand {
	seen := map[string]bool{}
	shared := false
	note := func(sku string) {
		shared = shared || seen[sku]
		seen[sku] = true
	}
	all := make([]*demand, 0, len(demands))
	for i := range demands {
		d := &demands[i]
		if d.left <= 0 {
			continue
		}
		all = append(all, d)
		if len(d.line.Parts) == 0 {
			note(d.line.SKU)
		}
		for _, p := range d.line.Parts {
			note(p.SKU)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if !shared {
		return [][]*demand{all}
	}
	groups := make([][]*demand, len(all))
	for i, d := range all {
		groups[i] = []*demand{d}
	}
	return groups
}

// planGroup plans some demands at once and books the result into shares and taken.
func (e *Engine) planGroup(book *inventory.Book, s *sources, o *order.Order, group []*demand, taken map[inventory.PositionKey]int64, shares map[string]*share) {
	problem := sourcing.Problem{Quantity: make([]int64, len(group)), Candidates: make([]sourcing.Candidate, 0, len(s.locations))}
	available := make([]int64, len(group)*len(s.locations))
	var buffer inventory.AvailabilityBuffer
	var answer []inventory.Availability
	for i, d := range group {
		problem.Quantity[i] = d.left
		buffer.Reset()
		answer = book.AppendAvailability(answer[:0], &buffer, inventory.Inquiry{
			SKU: d.line.SKU, Parts: d.line.Parts, Locations: s.indexes, Buffer: s.buffer, Empty: true,
		})
		for c, stock := range answer[0].Locations {
			units := stock.Units
			if len(taken) > 0 {
				units = lessTaken(units, d.line, s.locations[c].ID, taken)
			}
			available[c*len(group)+i] = units
		}
	}
	for c, l := range s.locations {
		if slices.Contains(o.Excluded, l.ID) {
			continue
		}
		problem.Candidates = append(problem.Candidates, sourcing.Candidate{
			Location: l.ID, DistanceKm: s.distances[c], Priority: int(l.Priority), Available: available[c*len(group) : (c+1)*len(group)],
		})
	}
	result := sourcing.Plan(problem)
	for _, sh := range result.Shares {
		location := problem.Candidates[sh.Candidate].Location
		reason := "nearest location with some of the order"
		if result.Complete {
			reason = "nearest location that has everything"
		}
		for i, q := range sh.Quantity {
			if q == 0 {
				continue
			}
			group[i].left -= q
			give(shares, location, reason).add(group[i].line, q, 0)
			eachStocked(group[i].line, q, func(sku string, n int64) {
				taken[inventory.PositionKey{SKU: sku, Location: location}] += n
			})
		}
	}
}

func give(shares map[string]*share, location, reason string) *share {
	sh := shares[location]
	if sh == nil {
		sh = &share{reason: reason}
		shares[location] = sh
	}
	return sh
}

// add gives q more units of a line to the location, of which held were reserved.
func (sh *share) add(l *order.Line, q, held int64) {
	sh.lines = addLine(sh.lines, l.ID, q)
	if held > 0 {
		sh.reserved = addLine(sh.reserved, l.ID, held)
	}
}

func addLine(lines []order.LineQuantity, id string, q int64) []order.LineQuantity {
	for i := range lines {
		if lines[i].Line == id {
			lines[i].Quantity += q
			return lines
		}
	}
	return append(lines, order.LineQuantity{Line: id, Quantity: q})
}

func eachStocked(l *order.Line, q int64, f func(sku string, n int64)) {
	if len(l.Parts) == 0 {
		f(l.SKU, q)
		return
	}
	for _, p := range l.Parts {
		f(p.SKU, p.Quantity*q)
	}
}

// lessTaken reduces what a location may give of a line by what this decision
// already took there; for kits, by the component that limits most.
func lessTaken(units int64, l *order.Line, location string, taken map[inventory.PositionKey]int64) int64 {
	left := units
	eachStocked(l, 1, func(sku string, per int64) {
		if t := taken[inventory.PositionKey{SKU: sku, Location: location}]; t > 0 {
			left = min(left, units-(t+per-1)/per)
		}
	})
	return max(left, 0)
}

// heldUnits are units of a SKU that a claimed reservation holds at a location.
type heldUnits struct {
	sku      string
	location string
	quantity int64
}

// takeHeld gives demands what the reservation holds for them. Held units are not
// free stock, so nothing of it counts as taken.
func takeHeld(demands []demand, held []heldUnits, shares map[string]*share) map[inventory.PositionKey]int64 {
	for i := range held {
		h := &held[i]
		for j := range demands {
			d := &demands[j]
			if q := min(h.quantity, d.left); d.line.SKU == h.sku && q > 0 {
				give(shares, h.location, "a reservation holds the units here").add(d.line, q, q)
				h.quantity -= q
				d.left -= q
			}
		}
	}
	return map[inventory.PositionKey]int64{}
}

// claim ends the reservation an order was made from. It returns what the
// reservation held for the order's SKUs; what the order does not use is released.
func (e *Engine) claim(tx *Tx, key store.Key, o *order.Order) ([]heldUnits, error) {
	if key.ID == "" {
		return nil, nil
	}
	refuse := func(format string, args ...any) error {
		return &order.Refusal{Code: CodeReservationEnded, Pointer: "reservation_id", Message: fmt.Sprintf(format, args...)}
	}
	en := tx.Entry(key)
	if en == nil {
		return nil, refuse("there is no reservation %q", key.ID)
	}
	r := en.Value.(*inventory.Reservation)
	switch {
	case r.Channel != o.Channel:
		return nil, refuse("reservation %s belongs to channel %q", r.ID, r.Channel)
	case r.Status != inventory.ReservationHeld || !r.ExpiresAt.After(tx.Now):
		return nil, refuse("reservation %s is %s or past its expiry; reserve again or order without it", r.ID, r.Status)
	}
	wanted := map[string]int64{}
	for i := range o.Lines {
		wanted[o.Lines[i].SKU] += o.Lines[i].Quantity
	}
	unused := *r
	unused.Holds = nil
	var held []heldUnits
	for _, h := range r.Holds {
		sku := r.Lines[h.Line].SKU
		use := min(h.Quantity, wanted[sku])
		if !slices.EqualFunc(r.Lines[h.Line].Parts, e.Parts(sku), func(a, b inventory.Part) bool { return a == b }) {
			use = 0 // the kit was changed meanwhile: its units are sourced anew
		}
		wanted[sku] -= use
		if use > 0 {
			held = append(held, heldUnits{sku: sku, location: h.Location, quantity: use})
		}
		if rest := h.Quantity - use; rest > 0 {
			unused.Holds = append(unused.Holds, inventory.Hold{Line: h.Line, Location: h.Location, Quantity: rest})
		}
	}
	event := inventory.ReservationEvent{Type: inventory.EventReservationClaimed, OrderID: o.ID}
	return held, tx.saveReservation(r, event, unused.Movements(false, "reservation claimed"))
}
