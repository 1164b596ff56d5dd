package engine

import (
	"cmp"
	"slices"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// Effect is what a change of an order means: for the customer's money, for stock, for the date, and for who works on it.
type Effect struct {
	Money   MoneyEffect   `json:"money"`
	Stock   []StockEffect `json:"stock"`
	Promise PromiseEffect `json:"promise"`
	// Plan lists the fulfillments there were, with what becomes of them, and the new ones.
	Plan []PlanEffect `json:"plan"`
	// Unplaced are the units that no location has afterwards.
	Unplaced []order.LineQuantity `json:"unplaced"`
	// Holds are those that stop the order because of it.
	Holds []order.Hold `json:"holds,omitempty"`
}

// MoneyEffect is in minor units of the order's currency.
type MoneyEffect struct {
	Currency string       `json:"currency"`
	Before   order.Totals `json:"before"` // what was bought, cancelled units included
	After    order.Totals `json:"after"`
	// DueBefore and DueAfter are what the customer pays: without what is cancelled, less adjustments.
	DueBefore int64 `json:"due_before"`
	DueAfter  int64 `json:"due_after"`
	// ToPay is due and no tender pays it; ToRefund is what tenders pay beyond what is due: it is
	// not captured or, when it was, given back. Both are 0 for an order that does not say how it is paid.
	ToPay    int64 `json:"to_pay"`
	ToRefund int64 `json:"to_refund"`
}

// StockEffect is what becomes of free stock.
type StockEffect struct {
	Location string `json:"location"`
	SKU      string `json:"sku"`
	Taken    int64  `json:"taken,omitempty"`    // units no longer free
	Released int64  `json:"released,omitempty"` // units that are free again
}

// PromiseEffect are the dates the customer knows, before and after.
type PromiseEffect struct {
	Before order.Promise `json:"before"`
	After  order.Promise `json:"after"`
}

// What becomes of a fulfillment.
const (
	PlanKept      = "kept"
	PlanNew       = "new"
	PlanReduced   = "reduced"   // some of its units are cancelled, or elsewhere
	PlanWithdrawn = "withdrawn" // all of its units are decided again
	PlanCancelled = "cancelled" // nothing of it is wanted any more
	PlanLost      = "lost"      // its units are sent again
	PlanStopping  = "stopping"  // its location is asked to stop; until it answers, it goes on
)

// PlanEffect is one fulfillment.
type PlanEffect struct {
	FulfillmentID string `json:"fulfillment_id"`
	Location      string `json:"location"`
	Change        string `json:"change"`
	// Lines are its units afterwards; of one that is to stop, those it is asked to.
	Lines  []order.LineQuantity `json:"lines"`
	Reason string               `json:"reason,omitempty"`
}

// effect is what the change means. It is saved already, or about to be.
func (c *change) effect() Effect {
	out := Effect{
		Money: moneyEffect(c.before, c.now), Stock: stockEffect(c.moves),
		Promise:  PromiseEffect{Before: c.before.Promise, After: c.now.Promise},
		Unplaced: c.now.Unplaced(), Plan: []PlanEffect{},
	}
	if out.Unplaced == nil {
		out.Unplaced = []order.LineQuantity{}
	}
	reasons := map[string]string{}
	for i := range c.events {
		if e := &c.events[i]; e.Type == order.EventFulfillmentCreated && e.Decision != nil {
			reasons[e.Fulfillment.ID] = e.Decision.Reason
		} else if e.FulfillmentID != "" && e.Reason != "" {
			reasons[e.FulfillmentID] = e.Reason
		}
		if h := c.events[i].Hold; h != nil && c.events[i].Type == order.EventHeld {
			out.Holds = append(out.Holds, *h)
		}
	}
	for i := range c.now.Fulfillments {
		f := &c.now.Fulfillments[i]
		if p, show := planEffect(c.before.Fulfillment(f.ID), f); show {
			p.Reason = reasons[f.ID]
			out.Plan = append(out.Plan, p)
		}
	}
	return out
}

// planEffect says what became of a fulfillment; not show: it was over before.
func planEffect(was, f *order.Fulfillment) (p PlanEffect, show bool) {
	p = PlanEffect{FulfillmentID: f.ID, Location: f.Location, Lines: []order.LineQuantity{}}
	var units, before, withdrawn, lost int64
	for i := range f.Lines {
		l := &f.Lines[i]
		units, withdrawn, lost = units+l.Quantity, withdrawn+l.Withdrawn, lost+l.Lost
		if l.Quantity > 0 {
			p.Lines = append(p.Lines, order.LineQuantity{Line: l.Line, Quantity: l.Quantity})
		}
		if was != nil {
			before += was.Lines[i].Quantity
			withdrawn -= was.Lines[i].Withdrawn
			lost -= was.Lines[i].Lost
		}
	}
	switch {
	case was == nil:
		p.Change = PlanNew
	case before == 0:
		return p, false
	case f.Stop != nil && (was.Stop == nil || !slices.Equal(was.Stop.Lines, f.Stop.Lines)):
		p.Change, p.Lines = PlanStopping, f.Stop.Lines
	case units == before:
		p.Change = PlanKept
	case units > 0:
		p.Change = PlanReduced
	case lost > 0:
		p.Change = PlanLost
	case withdrawn > 0:
		p.Change = PlanWithdrawn
	default:
		p.Change = PlanCancelled
	}
	return p, true
}

func moneyEffect(before, after *order.Order) MoneyEffect {
	m := MoneyEffect{Currency: after.Currency, Before: before.Totals, After: after.Totals, DueBefore: before.Owed(), DueAfter: after.Owed()}
	if len(after.Tenders) == 0 {
		return m
	}
	paid := int64(0)
	for _, t := range after.Tenders {
		paid += t.Amount
	}
	m.ToPay, m.ToRefund = max(m.DueAfter-paid, 0), max(paid-m.DueAfter, 0)
	return m
}

// stockEffect is what movements did to free stock, by location and SKU.
func stockEffect(moves []inventory.Movement) []StockEffect {
	net := map[inventory.PositionKey]int64{}
	for _, m := range moves {
		if inventory.IsCapacity(m.SKU) {
			continue
		}
		k := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
		if m.From == inventory.Free {
			net[k] += m.Quantity
		}
		if m.To == inventory.Free {
			net[k] -= m.Quantity
		}
	}
	out := []StockEffect{}
	for k, n := range net { // sorted below
		if n != 0 {
			out = append(out, StockEffect{Location: k.Location, SKU: k.SKU, Taken: max(n, 0), Released: max(-n, 0)})
		}
	}
	slices.SortFunc(out, func(a, b StockEffect) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.SKU, b.SKU))
	})
	return out
}
