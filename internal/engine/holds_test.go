package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

const holding = `kind: holds
name: stops
holds:
  rules:
    - {name: risky, when: order.units > 4, type: fraud, reason: many units, expires_hours: 24, on_expiry: cancel}
    - {name: grace, when: order.units > 2, type: customer, reason: the customer may think again, expires_hours: 1, on_expiry: release}
    - {name: tariff, when: order.units == 2, type: export, reason: needs papers, expires_hours: 12, on_expiry: exception}
`

// stopped is a node with that policy, and a new order of some units that it stops.
func stopped(n *node) func(units int64) *order.Order {
	n.retailer(2, 1, 100)
	n.publish(policy.KindHolds, "stops", holding)
	return func(units int64) *order.Order {
		b := basket("", "S0")
		b.Lines[0].Quantity = units
		return n.capture(b)
	}
}

func holdsOf(o *order.Order) (types string) {
	for _, h := range o.Holds {
		types += h.Type + " "
	}
	return types
}

// A policy stops what its rules match, several at once, and each hold ends as its rule says.
func TestPolicyHoldsExpireAsTheirRuleSays(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		capture := stopped(n)
		free, grace, risky, papers := capture(1), capture(3), capture(5), capture(2)
		expect(t, "no rule matches", holdsOf(free)+string(free.Fulfillments[0].Status), "open")
		expect(t, "one rule", holdsOf(grace)+string(grace.Fulfillments[0].Status), "customer held")
		expect(t, "two rules", holdsOf(risky)+string(risky.Fulfillments[0].Status), "fraud customer held")
		expect(t, "a type of their own", holdsOf(papers)+string(papers.Fulfillments[0].Status), "export held")

		n.pass(time.Hour - time.Microsecond)
		expect(t, "just before", holdsOf(n.stored(grace.ID)), "customer ")
		n.pass(time.Microsecond)
		grace, risky = n.stored(grace.ID), n.stored(risky.ID)
		expect(t, "released by time", holdsOf(grace)+string(grace.Fulfillments[0].Status), "open")
		expect(t, "one of two ended", holdsOf(risky)+string(risky.Fulfillments[0].Status), "fraud held")

		n.pass(11 * time.Hour)
		papers = n.stored(papers.ID)
		expect(t, "nobody decided", holdsOf(papers)+string(papers.Fulfillments[0].Status), "export held")
		expectAll(t, "nobody decided", n.exceptions(papers.ID, ""), "hold_expired")

		n.pass(12 * time.Hour)
		risky = n.stored(risky.ID)
		expect(t, "cancelled by time", holdsOf(risky)+string(risky.Status), "cancelled")
		expect(t, "stock of the cancelled", risky.Lines[0].Cancelled, 5)
		n.sound()
	})
}

// A hold is released by who may release its type; of several, those that the caller may.
func TestHoldsAreReleasedByRight(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		o := stopped(n)(5)
		only := func(types ...string) func(string) bool {
			return func(typ string) bool {
				for _, x := range types {
					if x == typ {
						return true
					}
				}
				return false
			}
		}
		release := func(r engine.HoldRelease, may func(string) bool) string {
			reply, err := n.ReleaseHolds(background, o.ID, &r, may, engine.Meta{Actor: "ada"})
			var refused *order.Refusal
			if errors.As(err, &refused) {
				return refused.Code
			}
			if err != nil {
				t.Fatal(err)
			}
			now := reply.Value.(*order.Order)
			return holdsOf(now) + string(now.Fulfillments[0].Status)
		}
		expect(t, "no right to the type", release(engine.HoldRelease{Type: "fraud"}, only("customer")), engine.CodeNotPermitted)
		expect(t, "no right to any", release(engine.HoldRelease{}, only()), engine.CodeNotPermitted)
		expect(t, "no such hold", release(engine.HoldRelease{Type: "credit"}, nil), order.CodeUnknownHold)
		expect(t, "refusals change nothing", n.stored(o.ID).Version, o.Version)
		expect(t, "all that it may", release(engine.HoldRelease{}, only("customer")), "fraud held")
		expect(t, "the last", release(engine.HoldRelease{Type: "fraud", Reason: "called"}, only("fraud")), "open")
		n.pass(48 * time.Hour)
		expect(t, "its expiry is over", n.stored(o.ID).Lines[0].Cancelled, 0)
		n.sound()
	})
}
