package order_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// balances are units by account of the stock journal.
type balances map[inventory.Account]int64

// world is an order in a retailer's stock, with everything that is needed to
// say whether both still tell the same story.
type world struct {
	t        *rapid.T
	o        *order.Order
	replayed *order.Order // from the JSON of all events
	stock    map[inventory.PositionKey]balances
	initial  map[inventory.PositionKey]balances
	lost     map[inventory.PositionKey]int64 // by rejections: the order does not count them apart
	astray   map[inventory.PositionKey]int64 // lost on their way: they stay shipped
	history  map[*order.Order]string         // every earlier order, as it was then
	slots    map[inventory.PositionKey]int64 // taken of the capacity of locations
	held     map[inventory.PositionKey]int64 // of it by the order's own account
}

var (
	locations = []string{"dc", "north", "south"}
	stocked   = []string{"peg", "rope", "tent"}
	commands  = append([]string{"dance"}, order.Commands...)
	reasons   = []string{"", "closed", "damaged", "not_found", "out_of_stock"}
)

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, stock: map[inventory.PositionKey]balances{}, initial: map[inventory.PositionKey]balances{},
		lost: map[inventory.PositionKey]int64{}, astray: map[inventory.PositionKey]int64{}, history: map[*order.Order]string{},
		slots: map[inventory.PositionKey]int64{}, held: map[inventory.PositionKey]int64{},
	}
	for _, l := range locations {
		for _, s := range stocked {
			b := balances{
				inventory.Free:     rapid.Int64Range(0, 20).Draw(t, "free"),
				inventory.Reserved: rapid.Int64Range(0, 6).Draw(t, "reserved"),
			}
			k := inventory.PositionKey{SKU: s, Location: l}
			w.initial[k], w.stock[k] = b, maps.Clone(b)
		}
	}
	n := order.New{Channel: "web", Currency: "EUR", Method: rapid.SampledFrom([]order.Method{order.Ship, order.Pickup}).Draw(t, "method")}
	if n.Method == order.Pickup {
		n.PickupLocation = "dc"
	}
	for range rapid.IntRange(1, 4).Draw(t, "lines") {
		n.Lines = append(n.Lines, order.NewLine{
			SKU: rapid.SampledFrom([]string{"set", "peg", "tent", "rope"}).Draw(t, "sku"), Quantity: rapid.Int64Range(1, 6).Draw(t, "quantity"),
			UnitPrice: rapid.Int64Range(0, 999).Draw(t, "price"), Tax: rapid.Int64Range(0, 9).Draw(t, "tax"),
		})
	}
	if err := n.Validate(); err != nil {
		t.Fatalf("validate: %v", err)
	}
	w.commit([]order.Event{n.Capture(order.Captured{ID: "o1", At: noon, Parts: parts})})
	return w
}

// commit folds events as the engine does, and as a reader of the log does.
func (w *world) commit(events []order.Event) {
	next := fold(w.t, w.o, events...)
	decoded := fromJSON[[]order.Event](w.t, toJSON(w.t, events))
	if w.o != nil {
		record := fromJSON[*order.Order](w.t, toJSON(w.t, w.o))
		if got, want := toJSON(w.t, fold(w.t, record, decoded...)), toJSON(w.t, next); got != want {
			w.t.Fatalf("folded from the record:\n%s\nwant\n%s", got, want)
		}
	}
	w.replayed = fold(w.t, w.replayed, decoded...)
	if got, want := toJSON(w.t, w.replayed), toJSON(w.t, next); got != want {
		w.t.Fatalf("folded from the log:\n%s\nwant\n%s", got, want)
	}
	version := int64(1)
	if w.o != nil {
		version = w.o.Version + 1
	}
	_, err := order.FoldEach(w.o, events, version, noon, func(o *order.Order, e *order.Event) {
		for _, m := range order.Movements(o, e) {
			w.move(m)
		}
		w.countLost(o, e)
	})
	if err != nil {
		w.t.Fatalf("fold: %v", err)
	}
	w.o = next
	w.history[next] = toJSON(w.t, next)
}

func (w *world) move(m inventory.Movement) {
	if inventory.IsCapacity(m.SKU) {
		w.moveSlot(m)
		return
	}
	b := w.stock[inventory.PositionKey{SKU: m.SKU, Location: m.Location}]
	if err := m.Validate(); err != nil || b == nil {
		w.t.Fatalf("movement %+v: %v", m, err)
	}
	b[m.From] -= m.Quantity
	b[m.To] += m.Quantity
}

// moveSlot keeps what is taken of the slots of each location; nothing is ever given back twice.
func (w *world) moveSlot(m inventory.Movement) {
	k := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
	switch {
	case m.Validate() != nil:
		w.t.Fatalf("movement %+v: %v", m, m.Validate())
	case m.From == inventory.Free && m.To == inventory.Allocated:
		w.slots[k] += m.Quantity
	case m.From == inventory.Allocated && m.To == inventory.Free && m.Quantity <= w.slots[k]:
		w.slots[k] -= m.Quantity
	default:
		w.t.Fatalf("movement %+v of a slot of which %d are taken", m, w.slots[k])
	}
}

// checkSlots compares what is taken of each slot with what fulfillments still count in it.
func (w *world) checkSlots() {
	want := map[inventory.PositionKey]int64{}
	for i := range w.o.Fulfillments {
		f := &w.o.Fulfillments[i]
		var units, value int64
		for _, l := range f.Lines {
			units += l.Quantity
			value += l.Quantity * slotValue(w.o.Line(l.Line))
		}
		for _, u := range f.Capacity {
			k := inventory.PositionKey{SKU: u.Slot, Location: f.Location}
			switch {
			case strings.HasPrefix(u.Slot, "capacity/units/"):
				want[k] += units
			case strings.HasPrefix(u.Slot, "capacity/value/"):
				want[k] += value
			case units > 0:
				want[k]++
			}
		}
		for _, u := range w.o.HeldCapacity(f) {
			w.held[inventory.PositionKey{SKU: u.Slot, Location: f.Location}] += u.Quantity
		}
	}
	for k, n := range w.slots {
		if n != want[k] || n != w.held[k] {
			w.t.Fatalf("%v: %d are taken, the order has %d and says %d", k, n, want[k], w.held[k])
		}
	}
	clear(w.held)
}

// slotValue is what a unit counts against a capacity of money: edits do not change it.
func slotValue(l *order.Line) int64 {
	if l.SlotValue != nil {
		return *l.SlotValue
	}
	return l.UnitValue()
}

func (w *world) countLost(o *order.Order, e *order.Event) {
	if e.Type == order.EventFulfillmentLost {
		for _, q := range e.Lines {
			each(o.Line(q.Line), q.Quantity, func(sku string, n int64) {
				w.astray[inventory.PositionKey{SKU: sku, Location: o.Fulfillment(e.FulfillmentID).Location}] += n
			})
		}
	}
	if e.Type != order.EventFulfillmentRejected {
		return
	}
	wantLost := slices.Contains([]string{"out_of_stock", "not_found", "damaged"}, e.Reason)
	if e.Lost != wantLost {
		w.t.Fatalf("rejected for %q: lost %v", e.Reason, e.Lost)
	}
	for _, q := range e.Lines {
		if wantLost {
			each(o.Line(q.Line), q.Quantity, func(sku string, n int64) {
				w.lost[inventory.PositionKey{SKU: sku, Location: o.Fulfillment(e.FulfillmentID).Location}] += n
			})
		}
	}
}

func each(l *order.Line, q int64, f func(sku string, n int64)) {
	if l.SKU != "set" {
		f(l.SKU, q)
		return
	}
	f("peg", 2*q)
	f("tent", q)
}

// attempt runs a command's decision and commits it unless it is refused.
func (w *world) attempt(events []order.Event, err error) (refused bool) {
	if err != nil {
		var r *order.Refusal
		if !errors.As(err, &r) || r.Code == "" || r.Message == "" || events != nil {
			w.t.Fatalf("events %v with error %#v; want a refusal alone", events, err)
		}
		return true
	}
	if len(events) > 0 { // else its effect was there already
		w.commit(events)
	}
	return false
}

func (w *world) place(t *rapid.T) {
	w.t = t
	left := w.o.Unplaced()
	if len(left) == 0 {
		return
	}
	free := map[inventory.PositionKey]balances{}
	for k, b := range w.stock {
		free[k] = maps.Clone(b)
	}
	var placements []order.Placement
	for _, location := range locations {
		p := order.Placement{Location: location, Cost: 1, Promise: order.Promise{ShipBy: noon.Add(time.Hour)}}
		for i := range left {
			q := rapid.Int64Range(0, left[i].Quantity).Draw(t, "placed")
			held := rapid.Int64Range(0, q).Draw(t, "held")
			if q = w.give(free, location, left[i].Line, q, held); q > 0 {
				p.Lines = append(p.Lines, lq(left[i].Line, q))
				left[i].Quantity -= q
				if held = min(held, q); held > 0 {
					p.Reserved = append(p.Reserved, lq(left[i].Line, held))
				}
			}
		}
		for _, m := range order.Measures {
			for _, window := range []string{"2026-11-26", "2026-11-26T14"} {
				if load := w.o.Load(m, p.Lines); load > 0 && rapid.Bool().Draw(t, "limited") {
					p.Capacity = append(p.Capacity, order.CapacityUse{Slot: order.Slot(m, window), Quantity: load})
				}
			}
		}
		if len(p.Lines) > 0 {
			placements = append(placements, p)
		}
	}
	left = slices.DeleteFunc(left, func(q order.LineQuantity) bool { return q.Quantity == 0 })
	if rapid.Bool().Draw(t, "leave open") {
		left = nil
	}
	before := len(w.o.Fulfillments)
	events, err := w.o.Place(order.Plan{Placements: placements, Unplaced: left, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon.Add(time.Hour)}, w.o.UpdatedAt)
	if err != nil {
		t.Fatalf("place %+v, backorder %v: %v", placements, left, err)
	}
	if len(events) == 0 {
		return
	}
	w.commit(events)
	for _, f := range w.o.Fulfillments[before:] {
		if want := map[bool]order.FulfillmentStatus{true: order.FulfillmentHeld, false: order.FulfillmentOpen}[len(w.o.Holds) > 0]; f.Status != want {
			t.Fatalf("new fulfillment is %s, want %s", f.Status, want)
		}
	}
	if got := backordered(w.o); len(left) > 0 && got != units(left) {
		t.Fatalf("%d units backordered, want %d", got, units(left))
	}
}

// give takes units out of what is left at a location when they are all there.
func (w *world) give(free map[inventory.PositionKey]balances, location, line string, q, held int64) int64 {
	fits := true
	each(w.o.Line(line), 1, func(sku string, n int64) {
		b := free[inventory.PositionKey{SKU: sku, Location: location}]
		fits = fits && b[inventory.Free] >= n*(q-held) && b[inventory.Reserved] >= n*held
	})
	if !fits {
		return 0
	}
	each(w.o.Line(line), 1, func(sku string, n int64) {
		b := free[inventory.PositionKey{SKU: sku, Location: location}]
		b[inventory.Free] -= n * (q - held)
		b[inventory.Reserved] -= n * held
	})
	return q
}

func backordered(o *order.Order) (sum int64) {
	for _, l := range o.Lines {
		sum += l.Backordered
	}
	return sum
}

func units(lines []order.LineQuantity) (sum int64) {
	for _, q := range lines {
		sum += q.Quantity
	}
	return sum
}

// misfit plans what the order does not need; that is an error, never an event.
func (w *world) misfit(t *rapid.T) {
	w.t = t
	l := &w.o.Lines[0]
	unplaced := l.Open() + l.Backordered
	bad := rapid.SampledFrom([]order.LineQuantity{lq(l.ID, unplaced+1), lq(l.ID, 0), lq(l.ID, -1), lq("x", 1)}).Draw(t, "bad")
	var events []order.Event
	var err error
	if rapid.Bool().Draw(t, "backorder") {
		events, err = w.o.Place(order.Plan{Unplaced: []order.LineQuantity{bad}, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon}, noon)
	} else {
		events, err = w.o.Place(order.Plan{Placements: []order.Placement{at("dc", bad)}, Unplaced: nil, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon}, noon)
	}
	if err == nil || events != nil {
		t.Fatalf("a plan with %+v gave %v, %v", bad, events, err)
	}
}

func (w *world) drawLines(t *rapid.T, withShort bool) []order.LineQuantity {
	if rapid.IntRange(0, 2).Draw(t, "everything") > 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) order.LineQuantity {
		q := lq(rapid.SampledFrom([]string{"1", "1", "2", "3", "4", "x"}).Draw(t, "line"), rapid.Int64Range(-1, 4).Draw(t, "quantity"))
		if withShort {
			q.Short = rapid.Int64Range(-1, 2).Draw(t, "short")
		}
		return q
	}), 1, 2).Draw(t, "units")
}

func (w *world) step(t *rapid.T) {
	w.t = t
	ids := []string{"nowhere"}
	for _, f := range w.o.Fulfillments {
		ids = append(ids, f.ID)
	}
	id := ids[len(ids)-1]
	if rapid.IntRange(0, 3).Draw(t, "other") == 0 {
		id = rapid.SampledFrom(ids).Draw(t, "fulfillment")
	}
	s := order.Step{Command: rapid.SampledFrom(commands).Draw(t, "command"), Reason: rapid.SampledFrom(reasons).Draw(t, "reason")}
	s.At = noon
	if s.Command == "delay" {
		s.ExpectedAt = noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "delay")) * time.Hour)
	}
	s.Lines = w.drawLines(t, s.Command == "pick" || rapid.IntRange(0, 9).Draw(t, "odd") == 0)
	for range rapid.IntRange(0, 2).Draw(t, "parcels") {
		s.Parcels = append(s.Parcels, order.Parcel{Tracking: "T1"})
	}
	before := w.o
	f := before.Fulfillment(id)
	refused := w.attempt(before.Decide(id, s))
	if refused {
		return
	}
	if f == nil {
		t.Fatalf("%s on fulfillment %q of which there is none", s.Command, id)
	}
	w.checkStatuses(before, s.Command, id)
}

// checkStatuses asserts that only fulfillment id (empty: any) took a step, and a published one.
func (w *world) checkStatuses(before *order.Order, command, id string) {
	for i := range before.Fulfillments {
		f, from := &w.o.Fulfillments[i], before.Fulfillments[i].Status
		edge := slices.ContainsFunc(slices.Concat(order.Edges, order.Stays), func(e order.Edge) bool {
			return e.Command == command && e.From == from && (e.To == f.Status || from == f.Status)
		})
		was := before.Fulfillments[i]
		if (command == "pack" || command == "ship") && f.Status == from && f.ID == id {
			was.Parcels = f.Parcels // told of afterwards
		}
		same := toJSON(w.t, *f) == toJSON(w.t, was)
		if !same && (!edge || (id != "" && f.ID != id)) {
			w.t.Fatalf("%s on %q took fulfillment %s from %s to %s", command, id, f.ID, from, f.Status)
		}
	}
}

func (w *world) cancel(t *rapid.T) {
	w.t = t
	c := order.Cancellation{Lines: w.drawLines(t, false), Reason: "customer"}
	can := map[string]int64{}
	for _, l := range w.o.Lines {
		can[l.ID] = l.Open() + l.Backordered
	}
	for _, f := range w.o.Fulfillments {
		for _, fl := range f.Lines {
			if slices.Contains([]order.FulfillmentStatus{order.FulfillmentHeld, order.FulfillmentOpen, order.FulfillmentAccepted}, f.Status) {
				can[fl.Line] += fl.Quantity - fl.Picked
			}
		}
	}
	wantRefused, sum, seen := false, int64(0), map[string]bool{}
	for _, q := range c.Lines {
		wantRefused = wantRefused || q.Quantity < 1 || q.Quantity > can[q.Line] || seen[q.Line]
		seen[q.Line] = true
		sum += q.Quantity
	}
	if c.Lines == nil {
		for _, q := range can {
			sum += q
		}
		wantRefused = sum == 0
	}
	before := w.o
	if got := w.attempt(before.Cancel(c)); got != wantRefused {
		t.Fatalf("cancel %+v of %v: refused %v", c, can, got)
	} else if got {
		return
	}
	var cancelled int64
	for i := range w.o.Lines {
		cancelled += w.o.Lines[i].Cancelled - before.Lines[i].Cancelled
	}
	if cancelled != sum {
		t.Fatalf("cancelled %d units, want %d", cancelled, sum)
	}
	w.checkStatuses(before, "cancel", "")
}

// withdraw takes back what locations have not answered for: every such unit is open again, no other is touched.
func (w *world) withdraw(t *rapid.T) {
	w.t = t
	before := w.o
	location := rapid.SampledFrom([]string{"", "dc", "north"}).Draw(t, "from")
	want := map[string]int64{}
	for _, f := range before.Fulfillments {
		for _, fl := range f.Lines {
			if (f.Status == order.FulfillmentOpen || f.Status == order.FulfillmentHeld) && (location == "" || f.Location == location) {
				want[fl.Line] += fl.Quantity - fl.Picked
			}
		}
	}
	events := before.Withdraw(func(f *order.Fulfillment) bool { return location == "" || f.Location == location }, "decided again")
	if len(events) > 0 {
		w.commit(events)
	}
	for i, l := range w.o.Lines {
		if got := l.Open() - before.Lines[i].Open(); got != want[l.ID] || l.Allocated != before.Lines[i].Allocated-want[l.ID] {
			t.Fatalf("line %s: %d units open again, want %d", l.ID, got, want[l.ID])
		}
	}
	for i, f := range w.o.Fulfillments {
		if was := before.Fulfillments[i]; was.Status != order.FulfillmentOpen && was.Status != order.FulfillmentHeld && toJSON(t, f) != toJSON(t, was) {
			t.Fatalf("fulfillment %s was %s and changed", f.ID, was.Status)
		}
	}
}

// takeBack asks for everything that has not left: what nobody accepted is back at once, the rest when the location says so.
func (w *world) takeBack(t *rapid.T) {
	w.t = t
	then := rapid.SampledFrom([]string{order.ThenCancel, order.ThenRedecide}).Draw(t, "then")
	if events := w.o.TakeBack("changed", then, noon.Add(time.Hour)); len(events) > 0 {
		w.commit(events)
	}
	for i := range w.o.Fulfillments {
		f := &w.o.Fulfillments[i]
		var left int64
		for _, l := range f.Lines {
			left += l.Quantity - l.Shipped
		}
		switch f.Status {
		case order.FulfillmentOpen, order.FulfillmentHeld:
			if left != picked(f) {
				t.Fatalf("fulfillment %s is %s still", f.ID, f.Status)
			}
		case order.FulfillmentAccepted, order.FulfillmentPicked, order.FulfillmentPacked, order.FulfillmentReady:
			if f.Stop == nil || then == order.ThenCancel && f.Stop.Then != then {
				t.Fatalf("nobody is asked to stop %s, which is %s", f.ID, f.Status)
			}
		default:
			if f.Stop != nil {
				t.Fatalf("%s is %s and asked to stop", f.ID, f.Status)
			}
		}
	}
}

func picked(f *order.Fulfillment) (n int64) {
	for _, l := range f.Lines {
		n += l.Picked
	}
	return n
}

func (w *world) resource(t *rapid.T) {
	w.t = t
	if len(w.o.Fulfillments) == 0 {
		return
	}
	f := rapid.SampledFrom(w.o.Fulfillments).Draw(t, "fulfillment")
	exclude := rapid.Bool().Draw(t, "exclude")
	refused := w.attempt(w.o.Resource(f.ID, "overdue", exclude, noon))
	now := w.o.Fulfillment(f.ID)
	if open := f.Status == order.FulfillmentOpen || f.Status == order.FulfillmentHeld; open && (refused || exclude && !slices.Contains(w.o.Excluded, f.Location)) {
		t.Fatalf("%s was %s and was not taken back", f.ID, f.Status)
	} else if !open && !refused && now.Stop == nil {
		t.Fatalf("%s was %s and nobody is asked to stop it", f.ID, f.Status)
	}
}

// letGo releases what an undeliverable shipment holds.
func (w *world) letGo(t *rapid.T) {
	w.t = t
	if events := w.o.ReleaseHolds("", "test", ""); len(events) > 0 {
		w.commit(events)
	}
}

// check is what must hold after every command, refused or not.
func (w *world) check(t *rapid.T) {
	w.t = t
	for o, was := range w.history {
		if toJSON(t, o) != was {
			t.Fatalf("version %d was changed after the fact:\n%s\nwas\n%s", o.Version, toJSON(t, o), was)
		}
	}
	w.checkQuantities()
	w.checkStock()
	w.checkSlots()
	if want := statusOf(w.o); w.o.Status != want {
		t.Fatalf("status %s, want %s: %s", w.o.Status, want, toJSON(t, w.o))
	}
	if len(w.o.Unplaced()) == 0 && !w.o.RetryAt.IsZero() {
		t.Fatalf("the timer is set though nothing waits")
	}
}

func (w *world) checkQuantities() {
	type count struct{ here, shipped, cancelled int64 }
	counts := map[string]count{}
	for _, f := range w.o.Fulfillments {
		for _, l := range f.Lines {
			if l.Shipped < 0 || l.Shipped > l.Packed || l.Packed > l.Picked || l.Picked > l.Quantity {
				w.t.Fatalf("fulfillment %s: %+v", f.ID, l)
			}
			c := counts[l.Line]
			counts[l.Line] = count{c.here + l.Quantity - l.Shipped, c.shipped + l.Shipped, c.cancelled + l.Cancelled}
		}
	}
	for _, l := range w.o.Lines {
		c := counts[l.ID]
		if min(l.Open(), l.Backordered, l.Cancelled, l.Allocated, l.Fulfilled) < 0 ||
			l.Open()+l.Backordered+l.Allocated+l.Fulfilled+l.Cancelled != l.Quantity {
			w.t.Fatalf("line does not add up: %+v", l)
		}
		if l.Allocated != c.here || l.Fulfilled != c.shipped || l.Cancelled < c.cancelled {
			w.t.Fatalf("line %+v, its fulfillments say %+v", l, c)
		}
	}
}

// checkStock compares the journal with the counters of the order.
func (w *world) checkStock() {
	want := map[inventory.PositionKey]balances{}
	for k, b := range w.initial {
		want[k] = balances{inventory.Adjustment: w.lost[k], inventory.Shipped: w.astray[k]}
		var sum int64
		for _, n := range w.stock[k] {
			sum += n
		}
		if sum != b[inventory.Free]+b[inventory.Reserved] {
			w.t.Fatalf("%v: %d units, were %v", k, sum, b)
		}
	}
	for _, f := range w.o.Fulfillments {
		for _, fl := range f.Lines {
			each(w.o.Line(fl.Line), 1, func(sku string, n int64) {
				b := want[inventory.PositionKey{SKU: sku, Location: f.Location}]
				b[inventory.Allocated] += n * (fl.Quantity - fl.Picked)
				b[inventory.Picked] += n * (fl.Picked - fl.Shipped)
				b[inventory.Shipped] += n * fl.Shipped
				b[inventory.Adjustment] += n * fl.Short
			})
		}
	}
	for k, b := range want {
		for _, a := range []inventory.Account{inventory.Allocated, inventory.Picked, inventory.Shipped, inventory.Adjustment} {
			if w.stock[k][a] != b[a] {
				w.t.Fatalf("%v: %d units %s, the order says %d", k, w.stock[k][a], a, b[a])
			}
		}
		if min(w.stock[k][inventory.Free], w.stock[k][inventory.Reserved]) < 0 {
			w.t.Fatalf("%v was oversold: %v", k, w.stock[k])
		}
	}
}

// statusOf is the documented meaning of the statuses.
func statusOf(o *order.Order) order.Status {
	var open, back, with, left, live int64
	for _, l := range o.Lines {
		open, back, with = open+l.Open(), back+l.Backordered, with+l.Allocated
		left, live = left+l.Fulfilled, live+l.Quantity-l.Cancelled
	}
	onTheWay := slices.ContainsFunc(o.Fulfillments, func(f order.Fulfillment) bool { return f.Status == order.FulfillmentShipped })
	switch {
	case live == 0:
		return order.StatusCancelled
	case left == live && onTheWay:
		return order.StatusFulfilled
	case left == live:
		return order.StatusDelivered
	case back > 0:
		return order.StatusBackordered
	case left > 0:
		return order.StatusPartiallyFulfilled
	case with == live:
		return order.StatusAllocated
	}
	return order.StatusOpen
}

func TestOrderKeepsItsInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"place": w.place, "misfit": w.misfit, "step": w.step, "step again": w.step, "step once more": w.step,
			"cancel": w.cancel, "withdraw": w.withdraw, "take back": w.takeBack, "resource": w.resource, "let go": w.letGo, "": w.check,
		})
	})
}
