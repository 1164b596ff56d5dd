package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// Without any published flow a forgotten order raises an exception at every step, and the steps close them.
func TestDefaultFlowsForgetNothing(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 1, 5)
		m := engine.Meta{Actor: "store"}
		o := n.capture(basket("W-1", "S0"))
		f := o.Fulfillments[0]
		if o.Flow == nil || o.Flow.State != "working" || f.Flow == nil || f.Flow.State != "open" || o.NextWake().IsZero() {
			t.Fatalf("after capture: order %+v, fulfillment %+v", o.Flow, f.Flow)
		}
		overdue := func(wait time.Duration, want string) {
			t.Helper()
			n.clock.advance(wait)
			n.FireTimersInOrder(background)
			o := n.stored(o.ID)
			if !slices.ContainsFunc(o.Exceptions, func(x order.Exception) bool { return x.Type == want }) {
				t.Fatalf("no exception %s but %+v, flow %+v", want, o.Exceptions, o.Fulfillments[0].Flow)
			}
			if !o.NextWake().After(n.Now()) {
				t.Errorf("it wants to be woken at %s, which is past", o.NextWake())
			}
		}
		step := func(command string) {
			t.Helper()
			if _, err := n.Step(background, f.ID, order.Step{Command: command}, m); err != nil {
				t.Fatal(err)
			}
		}
		overdue(25*time.Hour, "acceptance_overdue")
		step("accept")
		if o := n.stored(o.ID); len(o.Exceptions) != 0 {
			t.Errorf("accepted, but still open: %+v", o.Exceptions)
		}
		overdue(10*24*time.Hour, "shipment_overdue")
		step("ship")
		overdue(20*24*time.Hour, "delivery_overdue")
		step("deliver")
		end := n.stored(o.ID)
		if len(end.Exceptions) != 0 || end.Flow.State != "done" || end.Fulfillments[0].Flow.State != "delivered" || !end.NextWake().IsZero() {
			t.Errorf("delivered: %+v, order %+v, fulfillment %+v, wake %s", end.Exceptions, end.Flow, end.Fulfillments[0].Flow, end.NextWake())
		}
		n.equalsStore()
	})
}

// A flow decides what a hold stops, who is asked and when, and orders in flight stay on their version.
func TestFlowHoldsForApproval(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 1, 5)
		n.publish(policy.KindOrderFlow, "b2b", `
kind: order_flow
name: b2b
flow:
  ignore: ["order.*", "payment.*"]
  states:
    - name: asked
      awaits: approver
      enter: [hold: {type: approval, blocks: sourcing, expires: 10d, owner: buyer}]
      timers: [{name: answer, after: 2d, every: 2d}]
      on:
        - {event: timer.answer, do: [exception: {type: approval_overdue, message: "nobody approved for {subject.hours} hours"}]}
        - {event: order.hold_released, when: size(subject.holds) == 0, to: going, do: [close_exception: {type: approval_overdue, resolution: approved}]}
    - name: going
      awaits: location
      timers: [{name: slow, after: 30d, every: 30d}]
      on:
        - {event: fulfillment.delivered, when: subject.status == "delivered", to: done}
        - {event: timer.slow, do: [exception: {type: slow, message: "slow"}]}
    - {name: done, final: true}
`)
		m := engine.Meta{Actor: "api", Manual: &engine.Manual{Operator: "ada", Action: "releaseHold", Seconds: 30, Cause: "approval"}}
		o := n.capture(basket("W-1", "S0"))
		if len(o.Holds) != 1 || len(o.Fulfillments) != 0 || o.Status != order.StatusOpen || o.Flow.Flow != "b2b@1" {
			t.Fatalf("captured: holds %+v, %d fulfillments, %s, flow %+v", o.Holds, len(o.Fulfillments), o.Status, o.Flow)
		}
		n.clock.advance(49 * time.Hour)
		n.FireTimersInOrder(background)
		if o = n.stored(o.ID); len(o.Exceptions) != 1 || o.Exceptions[0].Message != "nobody approved for 49 hours" {
			t.Fatalf("two days later: %+v", o.Exceptions)
		}
		release := func(o *order.Order) ([]order.Event, error) { return o.ReleaseHold("h1", "ada", "approved") }
		if _, err := n.Change(background, o.ID, m, release); err != nil {
			t.Fatal(err)
		}
		o = n.stored(o.ID)
		if len(o.Holds)+len(o.Exceptions) != 0 || len(o.Fulfillments) != 1 || o.Fulfillments[0].Status != order.FulfillmentOpen || o.Flow.State != "going" {
			t.Errorf("approved: %+v %+v %+v %+v", o.Holds, o.Exceptions, o.Fulfillments, o.Flow)
		}
		if o.Touches != 1 || o.TouchSeconds != 30 {
			t.Errorf("%d touches, %d s", o.Touches, o.TouchSeconds)
		}
		n.equalsStore()
	})
}
