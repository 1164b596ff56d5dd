package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// FixEffect is what a fix means, or meant.
type FixEffect struct {
	Effect
	// Cost is what shipping costs more (negative: less), minor units, as it was expected when locations were chosen.
	Cost int64 `json:"cost"`
	// Cancelled are the units the customer does not get because of it.
	Cancelled []order.LineQuantity `json:"cancelled"`
	// Closes says that the exception is closed by it; else it comes back at Until.
	Closes bool      `json:"closes"`
	Until  time.Time `json:"until,omitzero"`
}

// FixResult is a fix, applied or simulated.
type FixResult struct {
	Exception string `json:"exception"`
	Fix       string `json:"fix"`
	Simulated bool   `json:"simulated,omitempty"`
	// Version is the order's (or the exception's, when it belongs to none) before the fix: the If-Match of an application that means just
	// what was simulated.
	Version int64     `json:"version"`
	Effect  FixEffect `json:"effect"`
}

// simulatedFix carries a result out of a command that is taken back.
type simulatedFix struct{ result *FixResult }

func (*simulatedFix) Error() string { return "this was a simulation" }

// errClosed says that an order has no such open exception.
func errClosed(id string) error {
	return &order.Refusal{Code: order.CodeUnknownException, Pointer: "exception", Message: fmt.Sprintf("exception %q is not open", id)}
}

// FixException applies a fix to an open exception, or says what that would mean: the same command, taken
// back. may says which rights the caller has for a fix; nil: all. The reply's value is a *FixResult. Errors: problem.Invalid,
// *order.Refusal, ErrNotFound, ErrVersion, those of Submit.
func (e *Engine) FixException(ctx context.Context, id, fix string, a exception.Args, simulate bool, may func(*order.Order, *order.Exception) error, m Meta) (*Reply, error) {
	if err := exception.Check(fix, &a); err != nil {
		return nil, err
	}
	if simulate {
		m.Key, m.Manual = nil, nil // nothing is done, by nobody
	}
	orderID, x, ok := splitException(id)
	if !ok {
		return e.fixStandalone(ctx, id, fix, a, simulate, m)
	}
	key := e.OrderKey(orderID)
	reply, err := e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		open := o.Exception(x)
		if open == nil {
			return nil, errClosed(id)
		}
		if may != nil {
			if err := may(o, open); err != nil {
				return nil, err
			}
		}
		if tx.manual != nil && tx.manual.Cause == "" {
			by := *tx.manual
			by.Cause = open.Type
			tx.manual = &by
		}
		c := tx.change(o)
		if err := c.fix(open, fix, a, m.who(), ""); err != nil {
			return nil, err
		}
		next, err := c.save()
		if err != nil {
			return nil, err
		}
		out := &FixResult{Exception: id, Fix: fix, Simulated: simulate, Version: o.Version, Effect: c.fixEffect(x)}
		if simulate {
			return nil, &simulatedFix{out}
		}
		reply := tx.okReply(next)
		reply.Value = out
		reply.Body, err = json.Marshal(out)
		return reply, err
	}})
	return unwrapSimulated(reply, err)
}

// unwrapSimulated is the answer to a simulation, or what it was given.
func unwrapSimulated(reply *Reply, err error) (*Reply, error) {
	var s *simulatedFix
	if errors.As(err, &s) {
		return &Reply{Status: http.StatusOK, Value: s.result}, nil
	}
	return reply, err
}

// fix does what a fix means. What refuses it does so before anything is done. rule is the rule that applies it; "": a person.
func (c *change) fix(x *order.Exception, fix string, a exception.Args, by, rule string) error {
	id, was := x.ID, *x
	p, err := exception.Begin(c.now, &was, fix, a, by, c.tx.Now)
	if err != nil {
		return err
	}
	if p.Refund != nil {
		events, err := c.now.Adjust(*p.Refund, by, c.tx.e.adjustmentLimit(c.now), c.tx.Now)
		if err != nil {
			return err
		}
		p.Events = append(p.Events, events...)
	}
	if p.Pay {
		events, err := c.payAgain()
		if err != nil {
			return err
		}
		p.Events = append(p.Events, events...)
	}
	if p.Force != nil {
		if err := c.checkForce(p.Force, p.Events); err != nil {
			return err
		}
	}
	if p.Retry {
		if err := c.checkRetry(rule == ""); err != nil {
			return err
		}
	}
	events := append([]order.Event{{Type: order.EventExceptionFixed, ExceptionID: id, By: by, Name: fix, Rule: rule, Reason: a.Reason}}, p.Events...)
	if err := c.add(events...); err != nil {
		return err
	}
	if p.Force != nil {
		if err := c.force(p.Force); err != nil {
			return err
		}
	}
	if p.Retry {
		if err := c.placeFor(rule == ""); err != nil {
			return err
		}
	}
	if p.Return != "" {
		if err := c.add(c.now.AdvanceReturn(p.Return, c.tx.Now)...); err != nil {
			return err
		}
	}
	if !p.Until.IsZero() {
		return c.add(c.now.Postpone(id, by, a.Reason, p.Until))
	}
	if c.now.Exception(id) == nil {
		return nil
	}
	closing, err := c.now.CloseException(id, by, p.Resolution)
	if err != nil {
		return err
	}
	return c.add(closing...)
}

// checkRetry refuses to look for locations again while none has any of the units, or a hold keeps them back.
func (c *change) checkRetry(asked bool) error {
	if c.now.Held(order.BlocksSourcing) {
		return &order.Refusal{Code: order.CodeOnHold, Message: "a hold keeps the units from being sourced; release it first"}
	}
	e := c.tx.e
	p := &placing{e: e, book: c.tx.Book(), now: c.tx.Now, s: e.sources(c.now, c.tx.Now), o: c.now, asked: asked}
	placed, err := p.run(nil)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(placed.events, func(e order.Event) bool { return e.Type == order.EventFulfillmentCreated }) {
		return nil
	}
	return &order.Refusal{Code: CodeOutOfStock, Message: "no location can fulfil any of the units now"}
}

// freed is what events give back to a location's free stock, by SKU.
func freed(o *order.Order, events []order.Event, location string) map[string]int64 {
	out := map[string]int64{}
	for i := range events {
		for _, m := range order.Movements(o, &events[i]) {
			if m.Location == location && m.To == inventory.Free {
				out[m.SKU] += m.Quantity
			}
		}
	}
	return out
}

// checkForce refuses a location that does not exist, cannot do it, or does not have the units.
func (c *change) checkForce(f *exception.Force, before []order.Event) error {
	e, o := c.tx.e, c.now
	l, ok := e.Directory().Location(f.Location)
	if !ok {
		var bad problem.Invalid
		bad.Add("location", problem.Unknown, "there is no location %.60q", f.Location)
		return bad.Err()
	}
	if !f.Shipped {
		if o.Held(order.BlocksSourcing) {
			return &order.Refusal{Code: order.CodeOnHold, Message: "a hold keeps the units from being sourced; release it first"}
		}
		if !e.sources(o, c.tx.Now).has(l.ID) {
			return &order.Refusal{Code: order.CodeNotAllowed, Pointer: "location", Message: fmt.Sprintf("%s is closed, not in the channel's networks, or does not fulfil by %s", l.ID, o.Method)}
		}
		if f.Service != "" && !slices.Contains(serviceIDs(e.Directory(), ""), f.Service) {
			if _, known := e.Directory().Tariff(f.Service); !known {
				var bad problem.Invalid
				bad.Add("service", problem.Unknown, "there is no service %.60q", f.Service)
				return bad.Err()
			}
		}
	}
	back := freed(o, before, l.ID)
	needs := map[string]int64{}
	for i, q := range f.Lines {
		line := o.Line(q.Line)
		if line == nil || q.Quantity > line.Quantity {
			return &order.Refusal{Code: order.CodeUnknownLine, Pointer: problem.At("lines", i) + ".line", Message: fmt.Sprintf("line %.60q is unknown or has fewer units", q.Line)}
		}
		eachStocked(line.SKU, line.Parts, q.Quantity, func(sku string, n int64) { needs[sku] += n })
	}
	for _, q := range f.Lines {
		var short error
		line := o.Line(q.Line)
		eachStocked(line.SKU, line.Parts, 1, func(sku string, _ int64) {
			p, _ := c.tx.Book().Get(inventory.PositionKey{SKU: sku, Location: l.ID})
			if has := p.Available() + back[sku]; has < needs[sku] {
				short = &order.Refusal{Code: CodeOutOfStock, Pointer: "location", Message: fmt.Sprintf("%s has %d units of %s free, %d are needed", l.ID, max(has, 0), sku, needs[sku])}
			}
		})
		if short != nil {
			return short
		}
	}
	return nil
}

// force gives units to one location, and books that it shipped them when it did.
func (c *change) force(f *exception.Force) error {
	e := c.tx.e
	s := e.sources(c.now, c.tx.Now)
	p := &placing{e: e, tx: c.tx, book: c.tx.Book(), now: c.tx.Now, s: s, o: c.now}
	of := orderFacts(c.now)
	p.rules = e.promiseRules(&of, c.tx.Now)
	pl := order.Placement{
		Location: f.Location, Lines: f.Lines, Service: cmp.Or(f.Service, c.now.Service),
		Decision: order.Decision{Rule: "person", Candidates: 1, Reason: "the location was named"},
	}
	at := s.at(f.Location)
	if at >= 0 && s.via != nil && s.via[at] {
		pl.Via = c.now.PickupLocation
	}
	if pl.Service == "" && at >= 0 {
		pl.Service = cheapest(s.legs[at], p.grams(f.Lines))
	}
	p.date(&pl)
	pl.Cost = p.charge(&pl)
	if at >= 0 {
		var err error
		if pl.Capacity, err = c.tx.useCapacity(s.locations[at], c.now, pl.Lines, true); err != nil {
			return err
		}
	}
	events, err := c.now.Place(order.Plan{Placements: []order.Placement{pl}}, c.tx.Now)
	if err != nil {
		return err
	}
	if err := c.add(events...); err != nil {
		return err
	}
	if !f.Shipped {
		return nil
	}
	made := &c.now.Fulfillments[len(c.now.Fulfillments)-1]
	if made.Status == order.FulfillmentHeld { // it is gone: no hold can stop it
		if err := c.add(order.Event{Type: order.EventFulfillmentReleased, FulfillmentID: made.ID}); err != nil {
			return err
		}
	}
	events, err = c.now.Decide(c.now.Fulfillments[len(c.now.Fulfillments)-1].ID, order.Step{Command: "ship", Parcels: f.Parcels, Reason: "it was shipped before it was known"})
	if err != nil {
		return err
	}
	return c.add(events...)
}

// cheapest is the service that charges least for a parcel; "" when none goes.
func cheapest(legs []network.Leg, grams int64) string {
	best, least := "", int64(0)
	for i := range legs {
		if price, ok := legs[i].Rate.Price(grams); ok && (best == "" || price < least) {
			best, least = legs[i].Service, price
		}
	}
	return best
}

// grams is what lines weigh.
func (p *placing) grams(lines []order.LineQuantity) (grams int64) {
	for _, q := range lines {
		grams += p.e.unitGrams(p.o.Line(q.Line)) * q.Quantity
	}
	return grams
}

// fixEffect is what the change means as a fix of an exception.
func (c *change) fixEffect(id string) FixEffect {
	out := FixEffect{Effect: c.effect(), Cancelled: []order.LineQuantity{}}
	out.Cost = shippingCost(c.now) - shippingCost(c.before)
	for i := range c.now.Lines {
		l := &c.now.Lines[i]
		gone := l.Cancelled
		if was := c.before.Line(l.ID); was != nil {
			gone -= was.Cancelled
		}
		if gone > 0 {
			out.Cancelled = append(out.Cancelled, order.LineQuantity{Line: l.ID, Quantity: gone})
		}
	}
	x := c.now.Exception(id)
	if out.Closes = x == nil; x != nil {
		out.Until = x.Until
	}
	return out
}

// shippingCost is what the order's shipments are expected to cost, those that were lost included.
func shippingCost(o *order.Order) (sum int64) {
	for i := range o.Fulfillments {
		switch f := &o.Fulfillments[i]; f.Status {
		case order.FulfillmentRejected, order.FulfillmentCancelled:
		default:
			sum += f.Cost
		}
	}
	return sum
}

// splitException takes the id of an order's exception apart: "<order>-e<number>".
func splitException(id string) (orderID, x string, ok bool) {
	const maxDigits = 6 // the last part of a UUID, which can look the same, has more
	at := strings.LastIndex(id, "-e")
	if at <= 0 {
		return "", "", false
	}
	number := id[at+2:]
	if number == "" || len(number) > maxDigits || strings.Trim(number, "0123456789") != "" {
		return "", "", false
	}
	return id[:at], id[at+1:], true
}

// exceptionID is the id under which an order's exception is known outside.
func exceptionID(o *order.Order, x *order.Exception) string { return o.ID + "-" + x.ID }

// ExceptionKey returns the key of an exception that belongs to no order.
func (e *Engine) ExceptionKey(id string) store.Key { return e.key(KindException, id) }

// payAgain has the payment provider asked again.
func (c *change) payAgain() ([]order.Event, error) { return c.now.RetryPayments(c.tx.Now) }
