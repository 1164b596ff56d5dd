package order_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// life tells the events that are about the order as a whole.
func (s *story) life() {
	s.o = place(s.t, capture(s.t, newOrder(order.Ship, 2)), at("dc", lq("1", 2)))
	s.then(s.o.Hold(order.NewHold{Type: order.HoldFraud, Reason: "three cards in an hour", Owner: "risk", ExpiresAt: noon.Add(48 * time.Hour)}, "rule:velocity", noon))
	s.then([]order.Event{*s.o.Raise(order.Exception{
		Type: "hold_expired", Message: "The fraud hold has run out and nobody decided", By: "core", Data: map[string]string{"hold": "h1"},
	}, noon)}, nil)
	golden(s.t, "order_held", s.o)
	s.then([]order.Event{{Type: order.EventExceptionClaimed, ExceptionID: "e1", By: "ada"}}, nil)
	s.then([]order.Event{
		{Type: order.EventExceptionScheduled, ExceptionID: "e1", By: "fixes@2", At: noon.Add(30 * time.Minute)},
		s.o.Postpone("e1", "ada", "waits for the customer", noon.Add(4*time.Hour)),
		{Type: order.EventExceptionFixed, ExceptionID: "e1", Name: "wait", By: "ada", Rule: "hold-once"},
	}, nil)
	s.then(s.o.CloseException("e1", "ada", "the customer is known"))
	s.then(s.o.ReleaseHold("h1", "ada", "the customer is known"))
	was := s.o.Promise
	s.then([]order.Event{
		{Type: order.EventPromiseChanged, Promise: &order.Promise{DeliverBy: noon.Add(96 * time.Hour)}, Was: &was, Reason: "the carrier is late"},
		{Type: order.EventNoted, Note: &order.Note{By: "ada", At: noon, Text: "Called, no answer"}},
		{Type: order.EventTouched, Touch: &order.Touch{By: "ada", At: noon, Action: "releaseHold", Seconds: 90, Cause: "hold_expired"}},
		{Type: order.EventAttributeSet, Name: "segment", Value: "vip"},
		{Type: order.EventNotify, Name: "late", FulfillmentID: "o1-1"},
		{Type: order.EventBaseline, Baseline: &order.Baseline{
			Pin: 1, At: noon, Units: 2,
			Would: order.Opinion{Policy: "nearest@1", Cost: 900, Shipments: 2, Unplaced: 1, DeliverBy: noon.Add(72 * time.Hour), Locations: []string{"s1", "s2"}},
			Did:   order.Opinion{Policy: "cheapest@3", Cost: 650, Shipments: 1, DeliverBy: noon.Add(48 * time.Hour), Locations: []string{"dc"}},
		}},
		{Type: order.EventFlowMoved, Moves: []order.FlowMove{
			{From: "new", Event: order.EventHeld, To: &order.FlowState{Flow: "standard@1", State: "held", Since: noon, Timers: []order.FlowTimer{{Name: "review", At: noon.Add(time.Hour), Left: 2}}}},
			{Of: "o1-1", Event: order.EventFulfillmentCreated, To: &order.FlowState{Flow: "dc@4", State: "open", Since: noon}},
		}},
		{Type: order.EventFlowMissed, Moves: []order.FlowMove{{Of: "o1-1", From: "open", Event: order.EventFulfillmentDelayed}}},
		{Type: order.EventFlowMigrated, Moves: []order.FlowMove{{From: "held", Event: "migration", To: &order.FlowState{Flow: "standard@2", State: "on_hold", Since: noon}}}},
	}, nil)
	golden(s.t, "order_touched", s.o)
	s.trial()
}

// trial tells what is kept of an order in an experiment.
func (s *story) trial() {
	n := newOrder(order.Ship, 2)
	s.o = fold(s.t, nil, n.Capture(order.Captured{ID: "o1", At: noon, Parts: parts, Trial: func(o *order.Order) *order.Trial {
		return &order.Trial{Experiment: "x1", Group: order.GroupShadow}
	}}))
	if s.o.Trial == nil || s.o.Trial.Compared != nil {
		s.t.Fatalf("captured into the experiment as %+v", s.o.Trial)
	}
	was := s.o
	s.then([]order.Event{{Type: order.EventCompared, Compared: &order.Compared{
		Incumbent:  order.Opinion{Policy: "near@3", Cost: 495, Shipments: 1, DeliverBy: noon.Add(48 * time.Hour), Locations: []string{"dc"}},
		Challenger: order.Opinion{Policy: "cheap@1", Cost: 390, Shipments: 1, Unplaced: 1, Locations: []string{"north"}},
	}}}, nil)
	if was.Trial.Compared != nil {
		s.t.Error("an order that was there before is changed")
	}
	golden(s.t, "order_compared", s.o)
}

// A hold stops what locations were sent; the last one that ends lets it go. One that is
// forgotten turns into an exception, or does what it was to do.
func TestHolds(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, newOrder(order.Ship, 2)), at("dc", lq("1", 2)))
	hold := func(n order.NewHold) {
		t.Helper()
		events, err := o.Hold(n, "ada", noon)
		if err != nil {
			t.Fatal(err)
		}
		o = fold(t, o, events...)
	}
	hold(order.NewHold{Type: order.HoldFraud})
	hold(order.NewHold{Type: order.HoldAddress, Blocks: order.BlocksSourcing, ExpiresAt: noon.Add(time.Hour), OnExpiry: order.ExpiryRelease})
	if f := o.Fulfillments[0]; f.Status != order.FulfillmentHeld || !o.Held(order.BlocksSourcing) || !o.NextWake().Equal(noon.Add(time.Hour)) {
		t.Fatalf("fulfillment %s, next wake %s", f.Status, o.NextWake())
	}
	if _, err := o.Decide("o1-1", order.Step{Command: "accept"}); err == nil {
		t.Error("a location accepted what is held")
	}
	events, err := o.ExpireHolds(noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if o = fold(t, o, events...); len(o.Holds) != 1 || o.Fulfillments[0].Status != order.FulfillmentHeld {
		t.Fatalf("%d holds are left, the fulfillment is %s", len(o.Holds), o.Fulfillments[0].Status)
	}
	later := noon.Add(order.DefaultHoldReview)
	if events, err = o.ExpireHolds(later); err != nil {
		t.Fatal(err)
	}
	if o = fold(t, o, events...); len(o.Exceptions) != 1 || len(o.Holds) != 1 || !o.Holds[0].ExpiresAt.After(later) {
		t.Fatalf("a forgotten hold: %+v, %+v", o.Exceptions, o.Holds)
	}
	if events, err = o.ReleaseHold("h1", "ada", "known"); err != nil {
		t.Fatal(err)
	}
	if o = fold(t, o, events...); len(o.Holds) != 0 || o.Fulfillments[0].Status != order.FulfillmentOpen {
		t.Errorf("after the last hold: %d holds, fulfillment %s", len(o.Holds), o.Fulfillments[0].Status)
	}
	if _, err := o.ReleaseHold("h1", "ada", "known"); err == nil {
		t.Error("a hold was released twice")
	}
}

// A fulfillment made while a hold is in force begins held; a hold that ends the order cancels what
// can still be stopped.
func TestHoldFromTheStart(t *testing.T) {
	t.Parallel()
	o := capture(t, newOrder(order.Ship, 2))
	events, err := o.Hold(order.NewHold{Type: order.HoldApproval, ExpiresAt: noon.Add(time.Hour), OnExpiry: order.ExpiryCancel}, "flow", noon)
	if err != nil {
		t.Fatal(err)
	}
	o = place(t, fold(t, o, events...), at("dc", lq("1", 2)))
	if s := o.Fulfillments[0].Status; s != order.FulfillmentHeld {
		t.Fatalf("it begins %s", s)
	}
	if events, err = o.ExpireHolds(noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if o = fold(t, o, events...); o.Status != order.StatusCancelled || len(o.Holds) != 0 {
		t.Errorf("after the expiry: %s with %d holds", o.Status, len(o.Holds))
	}
}

// One exception of a type about one fulfillment is open at a time.
func TestRaiseOnce(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, newOrder(order.Ship, 2)), at("dc", lq("1", 2)))
	x := order.Exception{Type: "acceptance_overdue", FulfillmentID: "o1-1", Message: "late"}
	o = fold(t, o, *o.Raise(x, noon))
	if o.Raise(x, noon) != nil {
		t.Error("it was raised twice")
	}
	other := x
	other.FulfillmentID = ""
	if e := o.Raise(other, noon); e == nil || e.Exception.ID != "e2" {
		t.Errorf("about something else: %+v", e)
	}
	o = fold(t, o, o.CloseExceptions("acceptance_overdue", "o1-1", "ada", "done")...)
	if e := o.Raise(x, noon); e == nil || e.Exception.ID != "e2" {
		t.Errorf("after it was closed: %+v", e)
	}
}
