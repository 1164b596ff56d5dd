package exception

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// Plan is what a fix means. The engine carries it out in this sequence, in one command.
type Plan struct {
	// Events come first.
	Events []order.Event
	// Force, when not nil, gives units to one location.
	Force *Force
	// Retry looks for locations for all units that none has, and refuses the fix when it finds none.
	Retry bool
	// Refund, when not nil, gives money back, within what the policy lets be given without approval.
	Refund *order.NewAdjustment
	// Pay asks the payment provider again.
	Pay bool
	// Return, when not "", has the return go on by itself, to its refund or its end.
	Return string
	// Until, when not zero, sets the exception aside; else it is closed.
	Until time.Time
	// Resolution is said at the closing.
	Resolution string
}

// Force gives units to one location, whatever policies say.
type Force struct {
	Location string
	Service  string // "": the order's, else the cheapest
	Lines    []order.LineQuantity
	// Shipped says that it sent them already, in these parcels.
	Shipped bool
	Parcels []order.Parcel
}

// Begin gives what a fix means for an order and its open exception. by is who applies it. Returns a *order.Refusal
// when it does not fit, and problem.Invalid for arguments that Check refuses.
func Begin(o *order.Order, x *order.Exception, fix string, a Args, by string, now time.Time) (*Plan, error) {
	if err := Check(fix, &a); err != nil {
		return nil, err
	}
	p := &Plan{Resolution: cmp.Or(a.Reason, fix)}
	reason := cmp.Or(a.Reason, Lookup(x.Type).Title)
	var err error
	switch fix {
	case FixResource:
		p.Events, err = resource(o, x, reason, now)
	case FixRetrySourcing:
		p.Retry = true
		if len(o.Unplaced()) == 0 {
			err = refuse(order.CodeNothingToDo, "", "every unit is with a location, left, or is cancelled")
		}
	case FixWait:
		p.Until = a.until(DefaultWaitHours, now)
	case FixRemind:
		p.Until = a.until(DefaultRemindHours, now)
		p.Events, err = o.Remind(x.FulfillmentID, reason)
	case FixCancelUnits:
		p.Events, err = cancelUnits(o, x, a.Lines, reason, now)
	case FixReleaseHold:
		p.Events, err = releaseHold(o, x, a.Hold, by, reason)
	case FixReship, FixWriteOff:
		p.Events, err = lose(o, x, a.Lines, reason, fix == FixWriteOff)
	case FixChangeService:
		p.Events, err = o.Edit(&order.Edit{Service: a.Service, UnshippedOnly: true, Reason: reason}, order.Editing{At: now})
	case FixShipFrom:
		err = shipFrom(o, x, a, reason, now, p)
	case FixAcceptLateShip:
		err = acceptLateShip(o, x, a, p)
	case FixRestock:
		p.Return = x.ReturnID
		p.Events, err = o.Dispose(x.ReturnID, order.Disposal{Disposition: order.Restock})
	case FixCloseReturn:
		p.Return = x.ReturnID
		p.Events, err = o.CloseReturn(x.ReturnID, reason, now)
	case FixRefund:
		p.Refund = &order.NewAdjustment{Kind: order.AdjustAppeasement, Amount: a.Amount, Reason: reason}
	case FixRetryPayment:
		p.Pay = true
	}
	return p, err
}

func refuse(code, pointer, format string, args ...any) error {
	return &order.Refusal{Code: code, Pointer: pointer, Message: fmt.Sprintf(format, args...)}
}

// resource takes the fulfillment back, or everything that nobody has accepted.
func resource(o *order.Order, x *order.Exception, reason string, now time.Time) ([]order.Event, error) {
	if x.FulfillmentID != "" {
		return o.Resource(x.FulfillmentID, reason, true, now)
	}
	events := o.Withdraw(func(*order.Fulfillment) bool { return true }, reason)
	if len(events) == 0 {
		return nil, refuse(order.CodeNothingToDo, "", "no location has units that it has not accepted")
	}
	return events, nil
}

// cancelUnits cancels the lines asked for, else what of the fulfillment is not picked, else what no location has.
func cancelUnits(o *order.Order, x *order.Exception, lines []order.LineQuantity, reason string, now time.Time) ([]order.Event, error) {
	if len(lines) == 0 && x.FulfillmentID != "" && o.Fulfillment(x.FulfillmentID) != nil {
		return o.CancelFulfillment(x.FulfillmentID, reason, now)
	}
	if len(lines) == 0 {
		if lines = o.Unplaced(); Lookup(x.Type).Concern != ConcernUnplaced {
			lines = nil // everything
		} else if len(lines) == 0 {
			return nil, refuse(order.CodeNothingToDo, "", "every unit is with a location, left, or is cancelled")
		}
	}
	return o.Cancel(order.Cancellation{Lines: lines, Reason: reason})
}

// HoldOf is the type of the holds that releasing for an exception would end; "" when there is no one answer.
func HoldOf(o *order.Order, x *order.Exception, asked string) string {
	if asked != "" {
		return asked
	}
	want := x.Data["hold"]
	typ := ""
	for i := range o.Holds {
		h := &o.Holds[i]
		if want != "" && (h.ID == want || h.Type == want) {
			return h.Type
		}
		if typ != "" && h.Type != typ {
			typ = "*"
		} else {
			typ = h.Type
		}
	}
	if typ == "*" {
		return ""
	}
	return typ
}

func releaseHold(o *order.Order, x *order.Exception, typ, by, reason string) ([]order.Event, error) {
	if len(o.Holds) == 0 {
		return nil, refuse(order.CodeUnknownHold, "", "the order has no hold in force")
	}
	if typ = HoldOf(o, x, typ); typ == "" {
		return nil, refuse(order.CodeUnknownHold, "hold", "the order has holds of several types; say which")
	}
	events := o.ReleaseHolds(typ, by, reason)
	if len(events) == 0 {
		return nil, refuse(order.CodeUnknownHold, "hold", "the order has no hold of type %q in force", typ)
	}
	return events, nil
}

// lose takes units that left for lost; they are sent again, or cancelled as well.
func lose(o *order.Order, x *order.Exception, lines []order.LineQuantity, reason string, cancel bool) ([]order.Event, error) {
	if f := o.Fulfillment(x.FulfillmentID); len(lines) == 0 && f != nil {
		for i := range f.Lines {
			if n := f.Lines[i].Shipped; n > 0 {
				lines = append(lines, order.LineQuantity{Line: f.Lines[i].Line, Quantity: n})
			}
		}
	}
	if len(lines) == 0 && cancel && len(o.Unplaced()) > 0 {
		return o.Cancel(order.Cancellation{Lines: o.Unplaced(), Reason: reason}) // they were taken for lost before
	}
	if len(lines) == 0 {
		return nil, refuse(order.CodeNothingToDo, "lines", "nothing of it is under way")
	}
	events, err := o.Reship(order.Reship{Lines: lines, Reason: reason})
	if err == nil && cancel {
		events = append(events, order.Event{Type: order.EventCancelled, Lines: lines, Reason: reason})
	}
	return events, err
}

// shipFrom gives units to one location: those asked for among what no location has, or those of the
// fulfillment, which is taken back for it.
func shipFrom(o *order.Order, x *order.Exception, a Args, reason string, now time.Time, p *Plan) error {
	p.Force = &Force{Location: a.Location, Service: a.Service, Lines: a.Lines}
	f := o.Fulfillment(x.FulfillmentID)
	if f != nil && (f.Status == order.FulfillmentOpen || f.Status == order.FulfillmentHeld) {
		if len(a.Lines) > 0 {
			return refuse(order.CodeNotAllowed, "lines", "a fulfillment moves as a whole; leave lines out")
		}
		events, err := o.Resource(f.ID, reason, false, now)
		if err != nil {
			return err
		}
		for i := range f.Lines {
			if n := f.Lines[i].Quantity; n > 0 {
				p.Force.Lines = append(p.Force.Lines, order.LineQuantity{Line: f.Lines[i].Line, Quantity: n})
			}
		}
		p.Events = events
		return nil
	}
	if len(a.Lines) == 0 {
		p.Force.Lines = o.Unplaced()
	}
	if len(p.Force.Lines) == 0 {
		return refuse(order.CodeNothingToDo, "", "every unit is with a location that works on it, left, or is cancelled; take it back first")
	}
	return nil
}

// acceptLateShip books a shipment of units that were taken back meanwhile: they come from what no location has, then
// from what others have not accepted.
func acceptLateShip(o *order.Order, x *order.Exception, a Args, p *Plan) error {
	f := o.Fulfillment(x.FulfillmentID)
	if f == nil {
		return refuse(order.CodeNoFulfillment, "", "the exception names no fulfillment of the order")
	}
	if f.Method == order.Pickup || f.Via != "" {
		return refuse(order.CodeWrongMethod, "", "the fulfillment was for pickup; only shipments can be booked afterwards")
	}
	if c := x.Data["command"]; c != "" && c != "ship" && c != "deliver" {
		return refuse(order.CodeNotAllowed, "", "the message was %s; only a shipment can be booked afterwards", c)
	}
	lines := a.Lines
	if len(lines) == 0 {
		lines = parseLines(x.Data["lines"])
	}
	if len(lines) == 0 {
		for i := range f.Lines {
			l := &f.Lines[i]
			if n := l.Withdrawn + l.Rejected + l.Cancelled; n > 0 {
				lines = append(lines, order.LineQuantity{Line: l.Line, Quantity: n})
			}
		}
	}
	if len(lines) == 0 {
		return refuse(order.CodeNothingToDo, "lines", "say which units it shipped")
	}
	for i, q := range lines {
		if o.Line(q.Line) == nil || slices.ContainsFunc(lines[:i], func(r order.LineQuantity) bool { return r.Line == q.Line }) {
			return refuse(order.CodeUnknownLine, "lines", "line %.60q is unknown or named twice", q.Line)
		}
	}
	events, err := release(o, lines)
	if err != nil {
		return err
	}
	p.Events = events
	p.Force = &Force{Location: f.Location, Service: f.Service, Lines: lines, Shipped: true}
	for t := range strings.SplitSeq(x.Data["tracking"], ",") {
		if t != "" {
			p.Force.Parcels = append(p.Force.Parcels, order.Parcel{Tracking: t})
		}
	}
	return nil
}

// release takes fulfillments back that nobody has accepted, latest first, until the lines are free.
func release(o *order.Order, lines []order.LineQuantity) ([]order.Event, error) {
	missing := map[string]int64{}
	short := func() string {
		for _, q := range lines {
			if missing[q.Line] > 0 {
				return q.Line
			}
		}
		return ""
	}
	for _, q := range lines {
		l := o.Line(q.Line)
		missing[q.Line] = q.Quantity - l.Open() - l.Backordered
	}
	back := map[string]bool{}
	for i := len(o.Fulfillments) - 1; i >= 0 && short() != ""; i-- {
		g := &o.Fulfillments[i]
		if g.Status != order.FulfillmentOpen && g.Status != order.FulfillmentHeld {
			continue
		}
		for _, l := range g.Lines {
			if missing[l.Line] > 0 && l.Quantity > 0 {
				back[g.ID] = true
			}
		}
		if back[g.ID] {
			for _, l := range g.Lines {
				missing[l.Line] -= l.Quantity
			}
		}
	}
	if line := short(); line != "" {
		return nil, refuse(order.CodeTooMany, "lines", "units of line %s that it shipped are cancelled, or others work on them or have shipped them", line)
	}
	return o.Withdraw(func(g *order.Fulfillment) bool { return back[g.ID] }, "shipped from elsewhere"), nil
}

// parseLines reads lines as exceptions keep them: "1:2,3:1".
func parseLines(text string) (lines []order.LineQuantity) {
	for part := range strings.SplitSeq(text, ",") {
		line, units, ok := strings.Cut(part, ":")
		n, err := strconv.ParseInt(units, 10, 64)
		if ok && err == nil && n > 0 && n <= order.MaxLineQuantity {
			lines = append(lines, order.LineQuantity{Line: line, Quantity: n})
		}
	}
	return lines
}
