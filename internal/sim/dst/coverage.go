package dst

import (
	"cmp"
	"maps"
	"slices"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// The kinds of things that runs reach.
const (
	orderStates       = "order states"
	fulfillmentStates = "fulfillment states"
	edges             = "edges"
	eventTypes        = "event types"
	exceptions        = "exception types"
	operations        = "operations"
	refusals          = "refusals"
	faults            = "faults"
	flowStates        = "flow states"
	flowSteps         = "flow transitions"
	holdTypes         = "hold types"
	returnStates      = "return states"
	edits             = "edits"
	fixed             = "fixes"
	payments          = "payments"
)

// Coverage counts what runs reached.
type Coverage struct {
	Reached map[string]map[string]int64 // by kind and name
}

func newCoverage() *Coverage { return &Coverage{Reached: map[string]map[string]int64{}} }

func (c *Coverage) hit(kind, name string) {
	m := c.Reached[kind]
	if m == nil {
		m = map[string]int64{}
		c.Reached[kind] = m
	}
	m[name]++
}

// Add counts another run's.
func (c *Coverage) Add(o *Coverage) {
	for kind, m := range o.Reached {
		for name, n := range m {
			if c.Reached[kind] == nil {
				c.Reached[kind] = map[string]int64{}
			}
			c.Reached[kind][name] += n
		}
	}
}

// Part is the coverage of one kind of things.
type Part struct {
	Kind    string           `json:"kind"`
	Known   int              `json:"known"`   // 0: there is no list of all
	Met     int              `json:"met"`     // how many of those
	Reached map[string]int64 `json:"reached"` // how often
	Missed  []string         `json:"missed"`  // known and never reached
}

// Report lists every kind with what was never reached.
func (c *Coverage) Report() []Part {
	all := vocabulary()
	var out []Part
	for _, kind := range []string{orderStates, fulfillmentStates, edges, returnStates, flowStates, flowSteps, holdTypes, eventTypes, exceptions,
		fixed, edits, payments, operations, refusals, faults} {
		p := Part{Kind: kind, Known: len(all[kind]), Reached: c.Reached[kind], Missed: []string{}}
		if p.Reached == nil {
			p.Reached = map[string]int64{}
		}
		for _, name := range all[kind] {
			if p.Reached[name] == 0 {
				p.Missed = append(p.Missed, name)
			} else {
				p.Met++
			}
		}
		out = append(out, p)
	}
	return out
}

// Sorted is a part's names, most frequent first.
func (p *Part) Sorted() []string {
	return slices.SortedFunc(maps.Keys(p.Reached), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.Reached[b], p.Reached[a]), cmp.Compare(a, b))
	})
}

// vocabulary is everything that could be reached, where there is a list of it.
func vocabulary() map[string][]string {
	v := map[string][]string{
		orderStates: {
			string(order.StatusOpen), string(order.StatusBackordered), string(order.StatusAllocated), string(order.StatusPartiallyFulfilled),
			string(order.StatusFulfilled), string(order.StatusDelivered), string(order.StatusCancelled),
		},
		fulfillmentStates: {
			string(order.FulfillmentHeld), string(order.FulfillmentOpen), string(order.FulfillmentAccepted), string(order.FulfillmentPicked),
			string(order.FulfillmentPacked), string(order.FulfillmentReady), string(order.FulfillmentShipped), string(order.FulfillmentHandedOver),
			string(order.FulfillmentDelivered), string(order.FulfillmentRejected), string(order.FulfillmentCancelled), string(order.FulfillmentLost),
		},
		eventTypes: slices.Concat(order.EventTypes, engine.InventoryEventTypes, engine.CapacityEventTypes, engine.RelocationEventTypes, []string{
			inventory.EventReservationHeld, inventory.EventReservationExtended, inventory.EventReservationClaimed,
			inventory.EventReservationReleased, inventory.EventReservationExpired,
		}),
		faults: {"killed", "clock_jump", "another_node_first", "message_late", "message_twice", "message_lost", "answer_lost", "location_silent", "partner_slow", "payment_never_arrived", "payment_answer_lost"},
		returnStates: {
			string(order.ReturnAuthorized), string(order.ReturnInTransit), string(order.ReturnReceived), string(order.ReturnInspected),
			string(order.ReturnDisposed), string(order.ReturnClosed), string(order.ReturnCancelled), string(order.ReturnExpired),
		},
		holdTypes: order.HoldTypes,
		edits:     {"quantity", "remove", "add", "address", "price", "method", "attributes", "wanted"},
	}
	for _, t := range exception.Types() {
		v[exceptions] = append(v[exceptions], t.ID)
		for _, f := range t.Fixes {
			if !slices.Contains(v[fixed], f) {
				v[fixed] = append(v[fixed], f)
			}
		}
	}
	for _, kind := range payment.Kinds {
		for _, status := range payment.Statuses {
			v[payments] = append(v[payments], kind+" "+status)
		}
	}
	for _, e := range flow.Library() {
		addFlow(v, e.Flow)
	}
	for _, e := range order.Edges {
		if name := edgeName(e.From, e.To); !slices.Contains(v[edges], name) {
			v[edges] = append(v[edges], name)
		}
	}
	for _, f := range memory.Faults() {
		v[faults] = append(v[faults], f.String())
	}
	return v
}

func edgeName(from, to order.FulfillmentStatus) string { return string(from) + " → " + string(to) }

// addFlow adds the states and transitions of a flow but those on entering, which count under the event that led there.
func addFlow(v map[string][]string, c *flow.Compiled) {
	name := string(c.Policy.Kind) + " " + c.Name
	for i := range c.Doc.Flow.States {
		s := &c.Doc.Flow.States[i]
		v[flowStates] = append(v[flowStates], name+" "+s.Name)
		for k := range s.On {
			t := &s.On[k]
			for _, e := range append(slices.Clone(t.Events), t.Event) {
				step := name + " " + s.Name + ": " + e
				if e != "" && e != "enter" && t.To != "" && !slices.Contains(v[flowSteps], step) {
					v[flowSteps] = append(v[flowSteps], step)
				}
			}
		}
	}
}
