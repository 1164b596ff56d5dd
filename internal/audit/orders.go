package audit

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// orderFolder replays an order, twice.
type orderFolder struct {
	*auditor
	key        store.Key
	now, again *order.Order
	bad        bool // it cannot be replayed any further
}

func (f *orderFolder) row(c *store.Commit) {
	if f.bad {
		return
	}
	list, ok := events[order.Event](f.auditor, c)
	if !ok {
		f.bad = true
		return
	}
	f.partition.LookedAt++
	var meant []inventory.Movement
	next, err := order.FoldEach(f.now, list, c.Version, c.Time, func(o *order.Order, e *order.Event) {
		meant = append(meant, order.Movements(o, e)...)
	})
	if err == nil {
		f.again, err = order.Fold(f.again, list, c.Version, c.Time)
	}
	if err != nil {
		f.partition.add("order %s cannot follow its events of version %d (log row %d/%d): %v", f.key.ID, c.Version, c.Stream.Bucket, c.Seq, err)
		f.bad = true
		return
	}
	f.checkSteps(c, next, list)
	f.checkOrder(next)
	f.checkMoves(c, meant)
	f.now = next
}

// commands are the commands behind the events of a fulfillment.
var commands = map[string]string{
	order.EventFulfillmentAccepted: "accept", order.EventFulfillmentRejected: "reject", order.EventFulfillmentPicked: "pick",
	order.EventFulfillmentPacked: "pack", order.EventFulfillmentShipped: "ship", order.EventFulfillmentReady: "ready",
	order.EventFulfillmentHandover: "handover", order.EventFulfillmentDeliver: "deliver", order.EventFulfillmentCancel: "cancel",
	order.EventFulfillmentHeld: "hold", order.EventFulfillmentReleased: "release",
}

// taken are events that change a fulfillment and are no published step of its own.
var taken = []string{
	order.EventFulfillmentWithdraw, order.EventFulfillmentStopped, order.EventFulfillmentUncollected, order.EventFulfillmentLost, order.EventFulfillmentUndeliverable,
}

// checkSteps compares what a log row did with the published state machine. A
// command may come with steps that it implies; its own event is the last.
func (f *orderFolder) checkSteps(c *store.Commit, next *order.Order, list []order.Event) {
	last := map[string]string{}                 // command by fulfillment
	var made map[string]order.FulfillmentStatus // what fulfillments of this row begin as
	var released map[string]bool                // that went on in this row
	// An order whose units are sent again is open again.
	reopened := slices.ContainsFunc(list, func(e order.Event) bool { return e.Type == order.EventFulfillmentLost })
	for i := range list {
		e := &list[i]
		if command := commands[e.Type]; command == "hold" && last[e.FulfillmentID] == "release" {
			delete(last, e.FulfillmentID) // one hold took the place of another: it is held as before
		} else if command != "" {
			if last[e.FulfillmentID] == "release" {
				if released == nil {
					released = map[string]bool{}
				}
				released[e.FulfillmentID] = true
			}
			last[e.FulfillmentID] = command
		} else if slices.Contains(taken, e.Type) {
			delete(last, e.FulfillmentID) // it ends otherwise than its last step says
		}
		if f.now != nil && f.now.Status.Final() && !reopened && (commands[e.Type] != "" || e.Type == order.EventFulfillmentCreated ||
			e.Type == order.EventBackordered || e.Type == order.EventCancelled) {
			f.edges.add("order %s was %s and has %s after it, at version %d", f.key.ID, f.now.Status, e.Type, c.Version)
		}
		if e.Type == order.EventFulfillmentCreated && e.Fulfillment.Status != order.FulfillmentOpen && e.Fulfillment.Status != order.FulfillmentHeld {
			f.edges.add("fulfillment %s begins as %s, at version %d", e.Fulfillment.ID, e.Fulfillment.Status, c.Version)
		}
		if e.Type == order.EventFulfillmentCreated {
			if made == nil {
				made = map[string]order.FulfillmentStatus{}
			}
			made[e.Fulfillment.ID] = e.Fulfillment.Status
		}
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		f.edges.LookedAt++
		from := made[id] // by this very row
		if f.now != nil {
			if was := f.now.Fulfillment(id); was != nil {
				from = was.Status
			}
		}
		if released[id] && from == order.FulfillmentHeld {
			from = order.FulfillmentOpen
		}
		to := next.Fulfillment(id).Status
		published := slices.ContainsFunc(order.Edges, func(e order.Edge) bool {
			return e.Command == last[id] && e.From == from && (e.To == to || from == to)
		})
		if !published {
			f.edges.add("%s took fulfillment %s from %s to %s at version %d, which is no published step", last[id], id, from, to, c.Version)
		}
	}
}

// checkOrder checks what must hold after every command. It is given replayed
// orders, and stored ones that differ from their replay.
func (f *orderFolder) checkOrder(o *order.Order) {
	placed := make(map[string]int64, len(o.Lines)) // units in fulfillments, by line
	ids := make(map[string]bool, len(o.Fulfillments))
	for i := range o.Fulfillments {
		u := &o.Fulfillments[i]
		if ids[u.ID] || !strings.HasPrefix(u.ID, o.ID+"-") {
			f.fulfillments.add("order %s has fulfillment %s twice or from another order", o.ID, u.ID)
		}
		ids[u.ID] = true
		for _, l := range u.Lines {
			f.picked.LookedAt++
			placed[l.Line] += l.Quantity
			if l.Shipped < 0 || l.Shipped > l.Packed || l.Packed > l.Picked || l.Picked > l.Quantity {
				f.picked.add("fulfillment %s line %s, version %d: quantity %d, picked %d, packed %d, shipped %d",
					u.ID, l.Line, o.Version, l.Quantity, l.Picked, l.Packed, l.Shipped)
			}
		}
	}
	for i := range o.Lines {
		f.checkLine(o, &o.Lines[i], placed[o.Lines[i].ID])
	}
	f.checkPayments(o)
}

func (f *orderFolder) checkLine(o *order.Order, l *order.Line, placed int64) {
	f.ranges.LookedAt++
	f.cancelledOrShipped.LookedAt++
	f.fulfillments.LookedAt++
	if l.Quantity < 1 || l.Quantity > order.MaxLineQuantity || max(l.UnitPrice, l.Discount, l.Tax, l.Total) > order.MaxAmount || min(l.UnitPrice, l.Discount, l.Tax) < 0 {
		f.ranges.add("order %s line %s, version %d: quantity %d or an amount is out of bounds", o.ID, l.ID, o.Version, l.Quantity)
	}
	if min(l.Open(), l.Cancelled, l.Backordered, l.Allocated, l.Fulfilled) < 0 {
		f.partition.add("order %s line %s, version %d: quantity %d ≠ open %d + backordered %d + allocated %d + fulfilled %d + cancelled %d with none below zero",
			o.ID, l.ID, o.Version, l.Quantity, l.Open(), l.Backordered, l.Allocated, l.Fulfilled, l.Cancelled)
	}
	if l.Cancelled+l.Fulfilled > l.Quantity {
		f.cancelledOrShipped.add("order %s line %s, version %d: of %d units %d are cancelled and %d shipped", o.ID, l.ID, o.Version, l.Quantity, l.Cancelled, l.Fulfilled)
	}
	if l.Returned < 0 || l.Returned > l.Fulfilled {
		f.picked.add("order %s line %s, version %d: %d units returned, %d were shipped", o.ID, l.ID, o.Version, l.Returned, l.Fulfilled)
	}
	if placed != l.Allocated+l.Fulfilled {
		f.fulfillments.add("order %s line %s, version %d: fulfillments have %d units, the line gave them %d", o.ID, l.ID, o.Version, placed, l.Allocated+l.Fulfilled)
	}
}

// checkSums checks the amounts of an order.
func (f *orderFolder) checkSums(o *order.Order) {
	var t order.Totals
	lines := true
	for i := range o.Lines {
		l := &o.Lines[i]
		total := l.UnitPrice*l.Quantity - l.Discount
		if !o.TaxIncluded {
			total += l.Tax
		}
		lines = lines && total == l.Total
		t.Subtotal += l.UnitPrice * l.Quantity
		t.Discount += l.Discount
		t.Tax += l.Tax
	}
	t.Discount += o.Discount
	t.Tax += o.ShippingTax
	t.Shipping = o.Shipping
	t.Total = t.Subtotal - t.Discount + t.Shipping
	if !o.TaxIncluded {
		t.Total += t.Tax
	}
	paid := t.Total
	if len(o.Tenders) > 0 {
		paid = 0
		for _, p := range o.Tenders {
			paid += p.Amount
		}
		paid += o.Balance
	}
	if !lines || t != o.Totals || paid != t.Total {
		f.sums.add("order %s: its lines give %+v, it says %+v; its tenders pay %d", o.ID, t, o.Totals, paid)
	}
}

func (f *orderFolder) end(r *store.Record) {
	if r == nil {
		f.atomicity.add("order %s is in the log but not stored", f.key.ID)
	}
	if f.bad || f.now == nil {
		return
	}
	o := f.now
	f.sums.LookedAt++
	f.checkSums(o)
	f.checkPaid(o)
	f.hold(o)
	if r == nil {
		return
	}
	f.checkUnique(r)
	if !f.checkBody(r, o, f.again) {
		var stored order.Order
		if jsonenc.Unmarshal(r.Body, &stored) == nil {
			f.checkOrder(&stored)
			f.checkSums(&stored)
		}
	}
	f.checkColumns(r, string(o.Status), o.Channel, o.ExternalID, o.CreatedAt)
	f.checkLiveness(o, r)
}

// hold notes what the order's fulfillments have of each position, stock and capacity.
func (f *orderFolder) hold(o *order.Order) {
	for i := range o.Fulfillments {
		u := &o.Fulfillments[i]
		f.locations.LookedAt++
		if _, known := f.used[u.Location]; !known {
			f.used[u.Location] = u.ID
		}
		for _, l := range u.Lines {
			allocated, picked := l.Quantity-l.Shipped, l.Picked-l.Shipped
			line := o.Line(l.Line)
			if line == nil || allocated == 0 {
				continue
			}
			parts := line.Parts
			if len(parts) == 0 {
				parts = []inventory.Part{{SKU: line.SKU, Quantity: 1}}
			}
			for _, p := range parts {
				w := &f.stock.at(inventory.PositionKey{SKU: p.SKU, Location: u.Location}).wanted
				w.Allocated += allocated * p.Quantity
				w.Picked += picked * p.Quantity
			}
		}
		for _, use := range o.HeldCapacity(u) {
			f.stock.at(inventory.PositionKey{SKU: use.Slot, Location: u.Location}).wanted.Allocated += use.Quantity
		}
	}
}

func (f *orderFolder) checkUnique(r *store.Record) {
	f.unique.LookedAt++
	if r.ExternalID == "" {
		return
	}
	sum := sha256.Sum256([]byte(r.Channel + "\x00" + r.ExternalID))
	key := [16]byte(sum[:])
	if _, twice := f.external[key]; twice {
		f.unique.add("order %s is another one with external id %q of channel %q", r.ID, r.ExternalID, r.Channel)
	}
	f.external[key] = struct{}{}
}

// sameTime compares to the microsecond, which every store keeps.
func sameTime(a, b time.Time) bool {
	return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
}
