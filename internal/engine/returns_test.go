package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// takesBack changes what a location of the fixture can do.
func (n *node) takesBack(id string, tags []string, capabilities ...network.Capability) {
	n.tb.Helper()
	l, _ := n.Directory().Location(id)
	next := *l
	next.Tags, next.Capabilities = tags, append([]network.Capability{network.CanShip}, capabilities...)
	n.put(engine.Document{Kind: engine.KindLocation, ID: id, Value: &next})
}

func (n *node) route(r *engine.ReturnRequest) []engine.ReturnRoute {
	n.tb.Helper()
	routes, err := n.RouteReturn(n.tb.Context(), r)
	if err != nil {
		n.tb.Fatal(err)
	}
	return routes
}

func TestReturnsOfAnOrder(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(4, 3, 10) // L02 is nearest to the customer, then L03, L01, L00
	n.takesBack("L00", []string{"refurbish"}, network.CanReturn)
	n.takesBack("L01", nil, network.CanReturn)
	o := n.capture(basket("a", "S0", "S1", "S2"))
	ask := func(method, at string, lines ...engine.ReturnLine) *engine.ReturnRequest {
		return &engine.ReturnRequest{OrderID: o.ID, Method: method, Location: at, Lines: lines}
	}
	one := func(line, reason string) engine.ReturnLine {
		return engine.ReturnLine{Line: line, Quantity: 1, Reason: reason}
	}
	var bad problem.Invalid
	if _, err := n.RouteReturn(t.Context(), ask("", "", one("1", ""))); !errors.As(err, &bad) || !strings.Contains(bad.Error(), "0 units") {
		t.Errorf("units that did not leave come back: %v", err)
	}
	n.step(o.Fulfillments[0].ID, "ship", order.Step{})
	n.step(o.Fulfillments[0].ID, "deliver", order.Step{})
	n.clock.advance(50 * time.Hour)

	// The policy in force while none is published.
	if r := n.route(ask("", "", one("1", ""))); r[0].Location != "L01" || r[0].Rule != "by-mail" || r[0].Policy != "default@0" || *r[0].DistanceKm < 20 || r[0].SKU != "S0" {
		t.Errorf("by mail: %+v", r)
	}
	if r := n.route(ask("store", "L03", one("1", ""))); r[0].Location != "L03" || r[0].Rule != "handed-in" {
		t.Errorf("handed in: %+v", r)
	}
	n.publish(policy.KindReturns, "main", `kind: returns
name: main
returns:
  rules:
    - {name: cheap, when: 'returned.reason == "late" && line.value < 2500', to: keep}
    - {name: old, when: returned.days > 2, to: L00}
    - {name: broken, when: returned.reason == "broken", to: nearest, locations: {include: [refurbish]}}
    - {name: wrong, when: returned.reason == "wrong", to: origin}
    - {name: brought, when: returned.reason == "brought", to: received}
    - {name: gone, when: returned.reason == "gone", to: L77}
    - {name: nobody, when: returned.reason == "nobody", to: nearest, locations: {include: [none]}}
    - {name: fails, when: 'order.attributes["x"] == "y"', to: keep}
`)
	for reason, want := range map[string]string{
		"late": "cheap  the customer keeps it", "broken": "broken L00 the nearest", "brought": "brought L01 it was not handed in anywhere; the nearest",
		"wrong": "wrong L01 L02, where it came from, takes no returns; the nearest", "gone": "gone L01 there is no active location L77; the nearest",
		"nobody": "nobody  no location takes returns", "": "none L01 the nearest location that takes returns",
	} {
		r := n.route(ask("", "", one("2", reason)))[0]
		if got := r.Rule + " " + r.Location + " " + r.Reason; !strings.HasPrefix(got, want) || r.Policy != "main@1" || r.Keep != (want[:5] == "cheap") {
			t.Errorf("%q: %q %+v, want %q", reason, got, r, want)
		}
	}
	n.takesBack("L02", nil, network.CanReturn)
	if r := n.route(ask("", "", one("1", "wrong"), one("2", ""))); len(r) != 2 || r[0].Location != "L02" || r[0].Reason != "it goes back to where it came from" || r[1].Line != "2" {
		t.Errorf("back to its origin: %+v", r)
	}
	n.clock.advance(24 * time.Hour)
	if r := n.route(ask("", "", one("1", "wrong"))); r[0].Rule != "old" || r[0].Location != "L00" {
		t.Errorf("after three days: %+v", r)
	}
}

func TestReturnsAreRefused(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 1, 10)
	line := engine.ReturnLine{SKU: "S0", Quantity: 1}
	for want, r := range map[string]engine.ReturnRequest{
		"order_id":            {Lines: []engine.ReturnLine{line}},
		"lines":               {Channel: "web"},
		"channel":             {Channel: "none", Lines: []engine.ReturnLine{line}},
		"method":              {Channel: "web", Method: "pigeon", Lines: []engine.ReturnLine{line}},
		"location":            {Channel: "web", Location: "L00", Lines: []engine.ReturnLine{line}},
		"no location \"L9\"":  {Channel: "web", Method: "store", Location: "L9", Lines: []engine.ReturnLine{line}},
		"lines[0].quantity":   {Channel: "web", Lines: []engine.ReturnLine{{SKU: "S0"}}},
		"lines[0].sku":        {Channel: "web", Lines: []engine.ReturnLine{{SKU: "none", Quantity: 1}}},
		"lines[0].line":       {Channel: "web", Lines: []engine.ReturnLine{{SKU: "S0", Line: "1", Quantity: 1}}},
		"from.country":        {Channel: "web", From: &network.Address{}, Lines: []engine.ReturnLine{line}},
		"lines[0].unit_price": {Channel: "web", Lines: []engine.ReturnLine{{SKU: "S0", Quantity: 1, UnitPrice: -1}}},
		"at most 500":         {Channel: "web", Lines: make([]engine.ReturnLine, engine.MaxReturnLines+1)},
	} {
		var bad problem.Invalid
		if _, err := n.RouteReturn(t.Context(), &r); !errors.As(err, &bad) || !strings.Contains(bad.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := n.RouteReturn(t.Context(), &engine.ReturnRequest{OrderID: "none", Lines: []engine.ReturnLine{{Line: "1", Quantity: 1}}}); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("an order that is not there: %v", err)
	}
}

// The nearest location is the least by distance, unknown last, then id, of those that may.
func TestReturnsGoToTheNearest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		n := open(t, stores["sqlite"](t)(), newClock())
		defer n.close()
		n.retailer(0, 1, 0)
		north := rapid.SampledFrom([]*float64{nil, ptr(50.0), ptr(51.0), ptr(53.0)})
		best, least := "", 0.0
		for i := range rapid.IntRange(1, 5).Draw(r, "locations") {
			id := fmt.Sprintf("L%d", i)
			l := &network.Location{ID: id, Type: network.Store, TimeZone: "UTC", Address: network.Address{Country: "DE", Latitude: north.Draw(r, "latitude")}}
			l.Capabilities = []network.Capability{network.CanShip}
			km := 1e9
			if l.Address.Latitude != nil {
				l.Address.Longitude = ptr(10.0)
				km = *l.Address.Latitude - 50
			}
			returns, suspended, tagged := rapid.Bool().Draw(r, "returns"), rapid.Bool().Draw(r, "suspended"), rapid.Bool().Draw(r, "tagged")
			if returns {
				l.Capabilities = append(l.Capabilities, network.CanReturn)
			}
			if suspended {
				l.Status = network.Suspended
			}
			if tagged {
				l.Tags = []string{"t"}
			}
			n.put(engine.Document{Kind: engine.KindLocation, ID: id, Value: l})
			if returns && !suspended && tagged && (best == "" || km < least) {
				best, least = id, km
			}
		}
		n.publish(policy.KindReturns, "main", "kind: returns\nname: main\nreturns: {rules: [{name: all, to: nearest, locations: {include: [t]}}]}\n")
		got := n.route(&engine.ReturnRequest{Channel: "web", From: &network.Address{Country: "DE", Latitude: ptr(50.0), Longitude: ptr(10.0)}, Lines: []engine.ReturnLine{{SKU: "S0", Quantity: 1}}})
		if got[0].Location != best || (got[0].DistanceKm != nil) != (best != "" && least < 1e9) {
			r.Fatalf("%+v, want %q", got[0], best)
		}
	})
}
