package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// maxFlowSteps bounds what flows may set off in one command: a flow whose actions cause the
// events that it acts on would never end.
const maxFlowSteps = 500

// The types of exceptions about flows themselves.
const (
	exceptionFlowLoop   = "flow_loop"
	exceptionFlowMissed = "flow_missed"
	exceptionFlowFailed = "flow_action_failed"
)

// react lets the flows of the order, its fulfillments and its returns take the events they have not seen.
func (c *change) react() error {
	for c.reacted < len(c.events) {
		if c.steps++; c.steps > maxFlowSteps {
			c.reacted = len(c.events)
			return c.raise(order.Exception{
				Type: exceptionFlowLoop, By: "core",
				Message: fmt.Sprintf("The flows did not come to rest after %d steps and were stopped", maxFlowSteps),
			})
		}
		e := c.events[c.reacted] // a copy: the list grows
		c.reacted++
		if err := c.take(&e); err != nil {
			return err
		}
	}
	return nil
}

// take hands one event to the flows that it concerns.
func (c *change) take(e *order.Event) error {
	if c.now.Flow == nil {
		if e.Type != order.EventCaptured {
			return c.takeReturn(e) // an order from before there were flows
		}
		if err := c.start(flow.SubjectOrder, ""); err != nil {
			return err
		}
	} else if err := c.step(flow.SubjectOrder, "", e.Type, e); err != nil {
		return err
	}
	switch {
	case e.Type == order.EventFulfillmentCreated:
		return c.start(flow.SubjectFulfillment, e.Fulfillment.ID)
	case e.FulfillmentID != "":
		return c.step(flow.SubjectFulfillment, e.FulfillmentID, e.Type, e)
	case strings.HasPrefix(e.Type, "exception."):
		return c.takeException(e)
	}
	return c.takeReturn(e)
}

// start begins the flow of the order (""), a fulfillment or a return.
func (c *change) start(subject, of string) error {
	f := c.flowFacts(subject, of, nil, policy.UsesOrder|policy.UsesSubject|policy.UsesLocation|policy.UsesReturned)
	kind := flow.KindOf(subject)
	if c.tx.e.Policies().UsesLines(kind) {
		f.Lines = c.flowLines(of)
	}
	x := c.tx.e.Flow(kind, f)
	if x == nil {
		return nil
	}
	m := x.Start(f, c.times(of))
	return c.moved(x, subject, of, &m, nil)
}

// step hands an event, which may be a timer's, to one flow.
func (c *change) step(subject, of, event string, e *order.Event) error {
	at := c.instance(of)
	if at == nil || !flow.Reaches(subject, event) && !strings.HasPrefix(event, "timer.") {
		return nil
	}
	x := c.tx.e.FlowByName(flow.KindOf(subject), at.Flow)
	if x == nil {
		return c.raise(about(subject, of, order.Exception{
			Type: exceptionFlowFailed, By: at.Flow, Message: fmt.Sprintf("The flow %s is not known any more; migrate the order to another one", at.Flow),
		}))
	}
	var f *policy.Facts
	if x.Guarded(at, event) {
		f = c.flowFacts(subject, of, e, x.Uses())
		f.Subject.Tries = x.Tries(at, event)
	}
	m, outcome := x.Step(at, event, f, c.times(of))
	if outcome == flow.Missed {
		if err := c.missed(x, subject, of, &m); err != nil {
			return err
		}
	}
	return c.moved(x, subject, of, &m, e)
}

// missed writes down an event that no transition took, and asks a person when the flow says so.
func (c *change) missed(x *flow.Compiled, subject, of string, m *flow.Move) error {
	err := c.add(order.Event{Type: order.EventFlowMissed, Moves: []order.FlowMove{{Of: of, From: m.From, Event: m.Event}}})
	if err != nil || !x.MissedException {
		return err
	}
	return c.raise(about(subject, of, order.Exception{
		Type: exceptionFlowMissed, By: "flow:" + x.Ref,
		Message: fmt.Sprintf("%s came in state %s of flow %s, which has no answer to it", m.Event, m.From, x.Ref),
	}))
}

// moved keeps a step of a flow and carries its actions out.
func (c *change) moved(x *flow.Compiled, subject, of string, m *flow.Move, e *order.Event) error {
	if m.Failed != nil {
		c.tx.e.log.Warn("a flow could not evaluate something", "flow", x.Ref, "order", c.now.ID, "error", m.Failed)
	}
	if m.Changed {
		if err := c.own(); err != nil {
			return err
		}
		to := m.To
		c.now.SetFlow(of, &to)
		c.flows = append(c.flows, order.FlowMove{Of: of, From: m.From, Event: m.Event, To: &to})
	}
	for i := range m.Actions {
		if err := c.act(x, subject, of, &m.Actions[i]); err != nil {
			return err
		}
	}
	return nil
}

// own makes sure that the order may be changed in place.
func (c *change) own() error {
	if c.now != c.before {
		return nil
	}
	next, err := order.FoldEach(c.before, nil, c.version(), c.tx.Now, nil)
	c.now = next
	return err
}

// act carries an action out. What the state of the order does not allow is work for a person.
func (c *change) act(x *flow.Compiled, subject, of string, a *flow.Act) error {
	events, err := c.actEvents(x, subject, of, a)
	var no *order.Refusal
	if errors.As(err, &no) {
		if no.Code == order.CodeNothingToDo || a.Do == flow.DoHold && no.Code == order.CodeWrongState {
			return nil
		}
		return c.raise(about(subject, of, order.Exception{
			Type: exceptionFlowFailed, By: "flow:" + x.Ref,
			Message: fmt.Sprintf("Flow %s could not %s: %s", x.Ref, strings.ReplaceAll(a.Do, "_", " "), no.Message),
		}))
	}
	if err != nil {
		return err
	}
	if err := c.add(events...); err != nil || a.Do != flow.DoCancel || subject != flow.SubjectReturn || len(events) == 0 {
		return err
	}
	return c.advanceReturn(of)
}

// about names the subject of an exception.
func about(subject, of string, x order.Exception) order.Exception {
	switch subject {
	case flow.SubjectFulfillment:
		x.FulfillmentID = of
	case flow.SubjectReturn:
		x.ReturnID = of
	}
	return x
}

func (c *change) actEvents(x *flow.Compiled, subject, of string, a *flow.Act) ([]order.Event, error) {
	o, by := c.now, "flow:"+x.Ref
	fulfillment, back := of, ""
	if subject != flow.SubjectFulfillment {
		fulfillment = ""
	}
	if subject == flow.SubjectReturn {
		back = of
	}
	switch a.Do {
	case flow.DoHold:
		n := order.NewHold{Type: a.Type, Blocks: a.Blocks, Reason: a.Reason, Owner: a.Owner, OnExpiry: a.Expiry}
		if a.For > 0 {
			n.ExpiresAt = c.tx.Now.Add(a.For)
		}
		return o.Hold(n, by, c.tx.Now)
	case flow.DoReleaseHold:
		return o.ReleaseHolds(a.Type, by, a.Reason), nil
	case flow.DoException:
		return single(o.Raise(about(subject, of, order.Exception{Type: a.Type, Message: a.Reason, Owner: a.Owner, By: by}), c.tx.Now)), nil
	case flow.DoCloseException:
		return o.CloseExceptions(a.Type, of, by, a.Reason), nil
	case flow.DoNotify:
		return []order.Event{{Type: order.EventNotify, Name: a.Name, Value: a.Value, FulfillmentID: fulfillment, ReturnID: back}}, nil
	case flow.DoSet:
		return []order.Event{{Type: order.EventAttributeSet, Name: a.Name, Value: a.Value}}, nil
	case flow.DoRemind:
		return []order.Event{{Type: order.EventFulfillmentReminded, FulfillmentID: fulfillment, Reason: a.Reason}}, nil
	case flow.DoResource:
		return o.Resource(fulfillment, a.Reason, a.Exclude, c.tx.Now)
	case flow.DoUncollected:
		return o.Decide(fulfillment, order.Step{Command: "uncollected", Reason: a.Reason, At: c.tx.Now})
	case flow.DoCancel:
		if fulfillment != "" {
			return o.CancelFulfillment(fulfillment, a.Reason, c.tx.Now)
		}
		if back != "" {
			return o.CancelReturn(back, a.Reason)
		}
		n := order.Cancellation{Reason: a.Reason}
		if a.Waiting {
			if n.Lines = o.Unplaced(); len(n.Lines) == 0 {
				return nil, nil
			}
		}
		return o.Cancel(n)
	case flow.DoAuthorize, flow.DoCapture:
		return o.AskPayments(a.Do)
	case flow.DoVoid:
		return nil, nil // what is not needed any more is let go of by itself, with the change that the flow reacts to
	case flow.DoRefund:
		if a.Amount == 0 || o.Payment == nil {
			return nil, nil // what was captured and is not due is given back by itself
		}
		return o.AskRefund(order.NewRefund{Amount: a.Amount, Reason: a.Reason}, by, c.tx.Now)
	case flow.DoRelease:
		if c.placed || !anyUnplaced(o) || o.Held(order.BlocksSourcing) {
			return nil, nil
		}
		return nil, c.place()
	}
	return nil, fmt.Errorf("engine: flow %s asks for %q, which nothing carries out", x.Ref, a.Do)
}

func single(e *order.Event) []order.Event {
	if e == nil {
		return nil
	}
	return []order.Event{*e}
}

// raise opens an exception unless it is open.
func (c *change) raise(x order.Exception) error { return c.add(single(c.now.Raise(x, c.tx.Now))...) }

// instance is where the order (""), a fulfillment or a return is in its flow; nil: in none.
func (c *change) instance(of string) *order.FlowState { return c.now.FlowOf(of) }

// times are the dates that the timers of a subject go by.
func (c *change) times(of string) flow.Times {
	t := flow.Times{Now: c.tx.Now, WantedBy: c.now.WantedBy, ShipBy: c.now.Promise.ShipBy, DeliverBy: c.now.Promise.DeliverBy}
	if f := c.now.Fulfillment(of); of != "" && f != nil {
		t.ShipBy, t.DeliverBy, t.ExpectedAt = f.Promise.ShipBy, f.Promise.DeliverBy, f.ExpectedAt
	}
	if r := c.now.Return(of); of != "" && r != nil {
		t.ShipBy, t.DeliverBy, t.ReturnBy = time.Time{}, time.Time{}, r.ExpiresAt
	}
	return t
}

// flowFacts gathers what the conditions of a flow may read of a subject.
func (c *change) flowFacts(subject, of string, e *order.Event, reads policy.Uses) *policy.Facts {
	o := c.now
	f := &policy.Facts{Now: c.tx.Now}
	if reads&policy.UsesOrder != 0 {
		x := orderFacts(o)
		f.Order = &x
	}
	s := &policy.Subject{Status: string(o.Status), Method: string(o.Method), Attempts: int64(o.Attempts), Payment: paymentState(o), Value: o.Totals.Total}
	f.Subject = s
	if e != nil {
		s.Reason = e.Reason
	}
	if at := c.instance(of); at != nil {
		s.State, s.Hours = at.State, int64(c.tx.Now.Sub(at.Since)/time.Hour)
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		s.Units += l.Quantity - l.Cancelled
		s.UnitsOpen += l.Open()
		s.UnitsBackordered += l.Backordered
	}
	promise := o.Promise.DeliverBy
	if u := o.Fulfillment(of); of != "" && u != nil {
		promise = u.Promise.DeliverBy
		c.fulfillmentFacts(f, u, reads)
	}
	if r := o.Return(of); of != "" && r != nil {
		promise = time.Time{}
		c.returnFacts(f, r, reads)
	}
	if !promise.IsZero() {
		s.Promised, s.PromiseHours = true, int64(promise.Sub(c.tx.Now).Hours())
	}
	for i := range o.Holds {
		if !slices.Contains(s.Holds, o.Holds[i].Type) {
			s.Holds = append(s.Holds, o.Holds[i].Type)
		}
	}
	for i := range o.Exceptions {
		if x := &o.Exceptions[i]; (of == "" || x.FulfillmentID == of || x.ReturnID == of) && !slices.Contains(s.Exceptions, x.Type) {
			s.Exceptions = append(s.Exceptions, x.Type)
		}
	}
	return f
}

func (c *change) fulfillmentFacts(f *policy.Facts, u *order.Fulfillment, reads policy.Uses) {
	s := f.Subject
	s.Status, s.Method, s.Via = string(u.Status), string(u.Method), u.Via
	s.Units, s.Value = 0, 0
	for i := range u.Lines {
		s.Units += u.Lines[i].Quantity
		if l := c.now.Line(u.Lines[i].Line); l != nil {
			s.Value += l.UnitValue() * u.Lines[i].Quantity
		}
	}
	if reads&policy.UsesLocation == 0 {
		return
	}
	f.Location = c.tx.e.placesOf(c.tx.e.Directory())[u.Location]
}

// paymentState is the order's, as conditions read it.
func paymentState(o *order.Order) string { return o.PaymentStanding() }

// wakeOrder does what the time has come for: what waited too long is cancelled, holds end, stop
// requests that nobody answered and timers of flows fire, and stock is looked for.
func (e *Engine) wakeOrder(tx *Tx, en *Entry) (*Reply, error) {
	o := en.Value.(*order.Order)
	c := tx.change(o)
	if err := c.add(o.Overdue(tx.Now)...); err != nil {
		return nil, err
	}
	for range order.MaxHolds {
		events, err := c.now.ExpireHolds(tx.Now)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			break
		}
		if err := c.add(events...); err != nil {
			return nil, err
		}
	}
	if err := c.add(c.now.StopsDue(tx.Now)...); err != nil {
		return nil, err
	}
	if err := c.wakeReturns(); err != nil {
		return nil, err
	}
	if err := c.fire(); err != nil {
		return nil, err
	}
	if err := c.fixDue(); err != nil {
		return nil, err
	}
	if err := c.wakeStock(); err != nil {
		return nil, err
	}
	_, err := c.save()
	return &Reply{}, err
}

// fire lets the timers of all flows that are due take effect.
func (c *change) fire() error {
	if err := c.react(); err != nil {
		return err
	}
	if err := c.fireOf(flow.SubjectOrder, ""); err != nil {
		return err
	}
	for i := 0; i < len(c.now.Fulfillments); i++ {
		if err := c.fireOf(flow.SubjectFulfillment, c.now.Fulfillments[i].ID); err != nil {
			return err
		}
	}
	for i := 0; i < len(c.now.Returns); i++ {
		if err := c.fireOf(flow.SubjectReturn, c.now.Returns[i].ID); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) fireOf(subject, of string) error {
	for range maxFlowSteps {
		at := c.instance(of)
		if at == nil || len(at.Timers) == 0 {
			return nil
		}
		x := c.tx.e.FlowByName(flow.KindOf(subject), at.Flow)
		if x == nil {
			return c.step(subject, of, "timer.unknown", nil) // which says so
		}
		event, due := x.Due(at, c.tx.Now)
		if !due {
			return nil
		}
		if err := c.step(subject, of, event, nil); err != nil {
			return err
		}
		if err := c.react(); err != nil {
			return err
		}
	}
	return nil
}

// wakeStock looks for units that wait once their time has come. While a hold keeps them from being
// sourced, the next look is put off.
func (c *change) wakeStock() error {
	o := c.now
	if o.RetryAt.IsZero() || o.RetryAt.After(c.tx.Now) || !anyUnplaced(o) {
		return nil
	}
	if o.Held(order.BlocksSourcing) {
		return c.add(order.Event{Type: order.EventRetryScheduled, At: c.tx.e.retryAt(o, o.Unplaced(), c.tx.Now)})
	}
	return c.place()
}
