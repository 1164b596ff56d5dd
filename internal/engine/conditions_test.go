package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// inline opens a node that does nothing by itself: what it would do is done by tasks.
func inline(t *testing.T) *node {
	t.Helper()
	c := newClock()
	s := stores["sqlite"](t)()
	e, err := engine.Open(background, s, engine.Options{Clock: c.now, Inline: true})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Engine: e, tb: t, clock: c, store: s}
	t.Cleanup(n.close)
	return n
}

// tasks does everything that the node would do by itself, twice: one task may leave work for another.
func (n *node) tasks() {
	for range 2 {
		for _, k := range n.Tasks() {
			k.Do(background)
		}
	}
}

// twoLocations is an order of which L00 has two units of S0, and L01 one of S1; more of S0 is at both L00 and L02.
func twoLocations(t *testing.T) (n *node, o *order.Order) {
	n = inline(t)
	n.retailer(4, 2, 0)
	n.follows("ship-from-store.yaml")
	n.limit(network.Capacity{OrdersPerDay: ptr(int64(3))})
	n.stocked("S0", "L00", 4)
	n.stocked("S1", "L01", 4)
	b := basket("W-1", "S0", "S1")
	b.Lines[0].Quantity = 2
	o = n.capture(b)
	n.stocked("S0", "L02", 4) // where it goes
	n.stocked("S0", "L00", 1)
	if got := placesOf(o); got != "L00 open 1:2/0 | L01 open 2:1/0" {
		t.Fatalf("before: %s", got)
	}
	return n, o
}

// placesOf tells where an order's units are: location, state, and of each line the units and how many are picked.
func placesOf(o *order.Order) string {
	var out []string
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		s := f.Location + " " + string(f.Status)
		for _, l := range f.Lines {
			s += fmt.Sprintf(" %s:%d/%d", l.Line, l.Quantity, l.Picked)
		}
		if f.Stop != nil {
			s += " stopping"
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, " | ")
}

// TestConditionsTouchOnlyWhatTheyConcern: each condition, before, during and after picking, changes the
// fulfillment it is about, and no other one; what is picked stays; who refused is not asked again.
func TestConditionsTouchOnlyWhatTheyConcern(t *testing.T) {
	t.Parallel()
	elsewhere := network.Address{Name: "Ada", Line1: "Weg 1", City: "Bremen", PostalCode: "28195", Country: "DE", Latitude: ptr(53.0), Longitude: ptr(9.0)}
	conditions := []struct {
		name string
		do   func(n *node, o *order.Order, f string) error
		want [4]string // before, during and after picking, and once it left
	}{
		{"the location rejects", step("reject", order.Step{Reason: "no_capacity"}), [4]string{
			"L00 rejected 1:0/0 | L01 open 2:1/0 | L02 open 1:2/0",
			"L00 picked 1:1/1 | L01 open 2:1/0 | L02 open 1:1/0",
			"refused wrong_state",
			"refused wrong_state",
		}},
		{"one unit is not found", step("pick", order.Step{Lines: []order.LineQuantity{{Line: "1", Short: 1}}}), [4]string{
			"L00 accepted 1:1/0 | L01 open 2:1/0 | L02 open 1:1/0",
			"L00 picked 1:1/1 | L01 open 2:1/0 | L02 open 1:1/0",
			"refused wrong_state",
			"refused wrong_state",
		}},
		{"the location closes", func(n *node, _ *order.Order, _ string) error {
			n.status("L00", network.Suspended)
			return nil
		}, [4]string{
			"L00 cancelled 1:0/0 | L01 open 2:1/0 | L02 open 1:2/0",
			"L00 accepted 1:2/1 | L01 open 2:1/0",
			"L00 picked 1:2/2 | L01 open 2:1/0",
			"L00 shipped 1:2/2 | L01 open 2:1/0",
		}},
		{"the capacity is cut", func(n *node, _ *order.Order, _ string) error {
			n.limit(network.Capacity{OrdersPerDay: ptr(int64(0))})
			n.FireTimersInOrder(background)
			return nil
		}, [4]string{
			"L00 cancelled 1:0/0 | L01 open 2:1/0 | L02 open 1:2/0",
			"L00 accepted 1:2/1 | L01 open 2:1/0",
			"L00 picked 1:2/2 | L01 open 2:1/0",
			"L00 shipped 1:2/2 | L01 open 2:1/0",
		}},
		{"it does not answer", func(n *node, o *order.Order, _ string) error {
			at := slices.IndexFunc(o.Fulfillments, func(f order.Fulfillment) bool { return f.Location == "L01" })
			n.step(o.Fulfillments[at].ID, "accept", order.Step{})
			n.passes(4*time.Hour, 30*time.Minute)
			return nil
		}, [4]string{
			"L00 cancelled 1:0/0 | L01 accepted 2:1/0 | L02 open 1:2/0",
			"L00 accepted 1:2/1 | L01 accepted 2:1/0",
			"L00 picked 1:2/2 | L01 accepted 2:1/0",
			"L00 shipped 1:2/2 | L01 accepted 2:1/0",
		}},
		{"more stock comes in", func(n *node, _ *order.Order, _ string) error {
			n.stocked("S0", "L00", 5)
			n.stocked("S1", "L00", 5)
			n.stocked("S1", "L02", 5)
			return nil
		}, [4]string{
			"L00 open 1:2/0 | L01 open 2:1/0",
			"L00 accepted 1:2/1 | L01 open 2:1/0",
			"L00 picked 1:2/2 | L01 open 2:1/0",
			"L00 shipped 1:2/2 | L01 open 2:1/0",
		}},
		{"the rest is not found and then comes in", func(n *node, o *order.Order, f string) error {
			n.stocked("S0", "L02", -4)
			if _, err := n.Step(background, f, order.Step{Command: "pick", Lines: []order.LineQuantity{{Line: "1", Short: 1}}}, engine.Meta{Actor: "test"}); err != nil {
				return err
			}
			n.tasks()
			if o = n.stored(o.ID); o.Lines[0].Backordered != 1 {
				return fmt.Errorf("nobody has it, and %d wait", o.Lines[0].Backordered)
			}
			n.stocked("S0", "L03", 1)
			return nil
		}, [4]string{
			"L00 accepted 1:1/0 | L01 open 2:1/0 | L03 open 1:1/0",
			"L00 picked 1:1/1 | L01 open 2:1/0 | L03 open 1:1/0",
			"refused wrong_state",
			"refused wrong_state",
		}},
		{"four of five units are damaged", func(n *node, _ *order.Order, _ string) error {
			_, err := n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "S0", Location: "L00", Quantity: -4}}, Reason: "damaged"}, engine.Meta{Actor: "test"})
			return err
		}, [4]string{
			"L00 open 1:1/0 | L01 open 2:1/0 | L02 open 1:1/0",
			"L00 accepted 1:2/1 stopping | L01 open 2:1/0",
			"L00 picked 1:2/2 | L01 open 2:1/0",
			"refused negative_stock",
		}},
		{"the address changes", func(n *node, o *order.Order, _ string) error {
			_, err := n.Edit(background, o.ID, &engine.OrderEdit{Edit: order.Edit{ShipTo: &elsewhere}}, engine.Meta{Actor: "test"})
			return err
		}, [4]string{
			"L00 cancelled 1:0/0 | L01 cancelled 2:0/0 | L01 open 2:1/0 | L02 open 1:2/0",
			"L00 accepted 1:2/1 stopping | L01 cancelled 2:0/0 | L01 open 2:1/0",
			"L00 picked 1:2/2 stopping | L01 cancelled 2:0/0 | L01 open 2:1/0",
			"refused already_shipped",
		}},
		{"the carrier is late", step("delay", order.Step{ExpectedAt: newClock().now().Add(99 * time.Hour)}), [4]string{
			"L00 open 1:2/0 | L01 open 2:1/0",
			"L00 accepted 1:2/1 | L01 open 2:1/0",
			"L00 picked 1:2/2 | L01 open 2:1/0",
			"L00 shipped 1:2/2 | L01 open 2:1/0",
		}},
		{"the carrier loses it", step("lose", order.Step{}), [4]string{
			"refused wrong_state",
			"refused wrong_state",
			"refused wrong_state",
			"L00 lost 1:0/0 | L01 open 2:1/0 | L02 open 1:2/0",
		}},
	}
	stages := []struct {
		name  string
		reach func(n *node, f string)
	}{
		{"before", func(*node, string) {}},
		{"during", func(n *node, f string) {
			n.step(f, "accept", order.Step{})
			n.step(f, "pick", order.Step{Lines: []order.LineQuantity{{Line: "1", Quantity: 1}}})
		}},
		{"after", func(n *node, f string) { n.step(f, "pick", order.Step{}) }},
		{"long after", func(n *node, f string) { n.step(f, "ship", order.Step{}) }},
	}
	for _, c := range conditions {
		for i, s := range stages {
			t.Run(c.name+", "+s.name+" picking", func(t *testing.T) {
				t.Parallel()
				n, o := twoLocations(t)
				f := o.Fulfillments[slices.IndexFunc(o.Fulfillments, func(f order.Fulfillment) bool { return f.Location == "L00" })].ID
				s.reach(n, f)
				err := c.do(n, o, f)
				n.tasks()
				got := placesOf(n.stored(o.ID))
				if err != nil {
					got = "refused " + code(err)
				}
				if want := c.want[i]; got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				n.audited()
			})
		}
	}
}

func step(command string, s order.Step) func(*node, *order.Order, string) error {
	s.Command = command
	return func(n *node, _ *order.Order, f string) error {
		_, err := n.Step(background, f, s, engine.Meta{Actor: "test"})
		return err
	}
}
