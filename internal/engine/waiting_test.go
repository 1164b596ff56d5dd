package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// otherwise is a sourcing policy that places by carrier charge and has a rest wait.
func otherwise(step int, action string) string {
	return fmt.Sprintf("kind: sourcing\nname: main\ndescription: step %d\nsourcing:\n  groups: [{name: all, cost: [{term: carrier}]}]\n  otherwise: {%s}\n", step, action)
}

// What no location has waits, and is cancelled at the policy's time unless it was released before.
func TestWhatWaitsIsCancelledInTime(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 2, 2)
		n.put(engine.Document{Kind: engine.KindSKU, ID: "none", Value: &catalog.SKU{SKU: "none"}})
		m := engine.Meta{Actor: "ada"}
		for step, action := range []string{"action: hold, queue: desk", "action: backorder", "action: preorder", "action: exception, queue: desk"} {
			n.publish(policy.KindSourcing, "main", otherwise(step, action+", cancel_after_hours: 48"))
			o := n.capture(basket("", "none"))
			if o.Waiting == nil || !o.Waiting.CancelAt.Equal(n.Now().Add(48*time.Hour)) || o.Status != order.StatusBackordered {
				t.Fatalf("%s: %s waits for %+v", action, o.Status, o.Waiting)
			}
			if r, err := n.Release(background, o.ID, m); err != nil || r.Value.(*order.Order).Waiting == nil {
				t.Errorf("%s: released in vain: %+v, %v", action, r, err)
			}
			n.clock.advance(48*time.Hour - time.Microsecond)
			n.FireTimersInOrder(background)
			if o = n.stored(o.ID); o.Status != order.StatusBackordered {
				t.Errorf("%s: %s before its time", action, o.Status)
			}
			n.clock.advance(time.Microsecond)
			n.FireTimersInOrder(background)
			if o = n.stored(o.ID); o.Status != order.StatusCancelled || o.Waiting != nil {
				t.Errorf("%s: %s at its time, waiting %+v", action, o.Status, o.Waiting)
			}
			var refusal *order.Refusal
			if _, err := n.Release(background, o.ID, m); !errors.As(err, &refusal) {
				t.Errorf("%s: released after it was cancelled: %v", action, err)
			}
		}
		n.equalsStore()
	})
}

// What a dry run says of an order is what capturing it does, kits by component as well.
func TestDryRunsAgreeWithCapture(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"whole":     "kind: sourcing\nname: main\nsourcing:\n  groups: [{name: all, cost: [{term: carrier}]}]\n",
		"component": "kind: sourcing\nname: main\nsourcing:\n  groups: [{name: all, limits: {kits: component}, cost: [{term: carrier}]}]\n",
	} {
		candidate, err := policy.CompileText([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		n := open(t, stores["sqlite"](t)(), newClock())
		n.retailer(2, 2, 3)
		ahead, err := n.Try(basket("", "K", "S0"), candidate)
		if err != nil {
			t.Fatal(err)
		}
		n.publish(policy.KindSourcing, "main", text)
		now, err := n.Try(basket("", "K", "S0"), nil)
		if err != nil {
			t.Fatal(err)
		}
		o := n.capture(basket("", "K", "S0"))
		for what, trial := range map[string]*engine.Trial{"candidate": ahead, "in force": now} {
			if len(trial.Order.Lines) != len(o.Lines) || len(trial.Order.Fulfillments) != len(o.Fulfillments) {
				t.Fatalf("%s, %s: tried %+v, captured %+v", name, what, trial.Order, o)
			}
			for i, f := range o.Fulfillments {
				if tried := trial.Order.Fulfillments[i]; tried.Location != f.Location || fmt.Sprint(tried.Lines) != fmt.Sprint(f.Lines) || tried.Cost != f.Cost {
					t.Errorf("%s, %s: tried %+v, captured %+v", name, what, tried, f)
				}
			}
		}
	}
}
