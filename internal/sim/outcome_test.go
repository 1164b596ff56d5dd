package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"pgregory.net/rapid"
)

// captured is an order for one address with a fulfillment at the location.
func captured(d *Data, location string) (*order.Order, *order.Fulfillment) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) // a Monday
	to := address(cities[0], "Hauptstraße 1")
	o := &order.Order{
		ID: "o", CreatedAt: at, ShipTo: &to, Lines: []order.Line{{ID: "1", SKU: d.SKUs[0].SKU, Quantity: 2}},
		Fulfillments: []order.Fulfillment{{
			ID: "f1", Location: location, Method: order.Ship, Service: "ground", CreatedAt: at, Status: order.FulfillmentShipped,
			Promise: order.Promise{DeliverBy: at.Add(48 * time.Hour)}, Cost: 1,
		}},
	}
	return o, &o.Fulfillments[0]
}

func TestShipmentsCostTariffAndHandling(t *testing.T) {
	t.Parallel()
	d := Retailer(1)
	one := []order.LineQuantity{{Line: "1", Quantity: 1}}
	for _, c := range []struct {
		location         string
		method           order.Method
		charge, handling int64
		stores           int64
	}{
		{"store-berlin", order.Ship, 389, handlingAtStore, 1}, // zone 1, below 2 kg
		{"dc-nord", order.Ship, 469, handlingAtDC, 0},         // 247 km: zone 2
		{"dc-sued", order.Ship, 589, handlingAtDC, 0},         // 516 km: zone 3
		{"store-berlin", order.Pickup, 0, handlingAtStore, 1},
	} {
		w := newWatch(d)
		o, f := captured(d, c.location)
		f.Method = c.method
		got := w.leave(o, f, one)
		want := Outcome{Orders: 1, Shipments: 1, FromStores: c.stores, CarrierCents: c.charge, HandlingCents: c.handling}
		if got != c.charge || w.outcome != want {
			t.Errorf("%s, %s: %d cents, %+v; want %+v", c.location, c.method, got, w.outcome, want)
		}
		// A second shipment of the order is not a second order.
		o.Fulfillments = append(o.Fulfillments, *f)
		w.leave(o, &o.Fulfillments[1], one)
		if got := w.outcome.finished(0, 0, 0); got.Orders != 1 || got.ShipmentsPerOrder != 2 || got.CostPerOrder != float64(2*(c.charge+c.handling)) {
			t.Errorf("two shipments: %+v", got)
		}
	}
}

func TestPromisesAreMeasuredAgainstTheFirst(t *testing.T) {
	t.Parallel()
	d := Retailer(1)
	for _, c := range []struct {
		name   string
		after  time.Duration // from capture to delivery
		later  bool          // given to the location later, with a promise of its own
		waited bool
		kept   int64
	}{
		{name: "in time", after: 47 * time.Hour, kept: 1},
		{name: "at the last instant", after: 48 * time.Hour, kept: 1},
		{name: "too late", after: 48*time.Hour + time.Second},
		{name: "a second location in time", after: 48 * time.Hour, later: true, kept: 1},
		{name: "a second location by its own date only", after: 60 * time.Hour, later: true},
		{name: "stock was waited for, a new date was given", after: 60 * time.Hour, later: true, waited: true, kept: 1},
	} {
		w := newWatch(d)
		o, f := captured(d, "dc-nord")
		w.told[o.ID] = f.Promise.DeliverBy
		if c.later {
			f.CreatedAt = f.CreatedAt.Add(time.Second)
			f.Promise.DeliverBy = f.Promise.DeliverBy.Add(24 * time.Hour)
		}
		w.waited[o.ID] = c.waited
		w.arrive(o, f, o.CreatedAt.Add(c.after))
		if w.outcome.Promises != 1 || w.outcome.Kept != c.kept || w.took[0] != c.after.Hours() {
			t.Errorf("%s: %+v, took %v", c.name, w.outcome, w.took)
		}
	}
}

// Carriers deliver on working days, so many after the parcel left, and during the day.
func TestArrivals(t *testing.T) {
	t.Parallel()
	free := func(d network.Date) bool {
		for _, h := range holidays(2026) {
			if d == h {
				return true
			}
		}
		return d.Weekday() == time.Sunday
	}
	rapid.Check(t, func(t *rapid.T) {
		left := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 340*24*60).Draw(t, "minutes")) * time.Minute)
		transit, late := rapid.Int64Range(0, 3).Draw(t, "transit"), rapid.Int64Range(0, 2).Draw(t, "late")
		at := arrival(left, transit, late, newChance(rapid.Uint64().Draw(t, "seed"), "arrival"))
		if transit+late == 0 {
			if h := at.Sub(left).Hours(); h < 1 || h > 4 {
				t.Fatalf("%g hours by bicycle", h)
			}
			return
		}
		begin, end := left.In(berlin()), at.In(berlin())
		days := int64(0)
		last := network.DateOf(end.Year(), end.Month(), end.Day())
		for d := network.DateOf(begin.Year(), begin.Month(), begin.Day()).AddDays(1); d <= last; d = d.AddDays(1) {
			if !free(d) {
				days++
			}
		}
		if days != transit+late || free(last) || end.Hour() < 9 || end.Hour() >= 19 {
			t.Fatalf("left %s, %d days and %d late: there on %s", begin, transit, late, end)
		}
	})
}

// The retailer's policy must reckon with the handling that the report counts.
func TestPoliciesCompileAndKnowTheCosts(t *testing.T) {
	t.Parallel()
	for _, kind := range policyKinds {
		text, err := policyFiles.ReadFile("policies/" + kind + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		c, err := policy.CompileText(text)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if string(c.Kind) != kind || c.Name != policyName || len(c.Warnings) > 0 || len(c.Doc.Examples) < 2 {
			t.Errorf("%s: %s/%s, %d examples, warnings %v", kind, c.Kind, c.Name, len(c.Doc.Examples), c.Warnings)
		}
		if want := fmt.Sprintf("%d : %d", handlingAtStore, handlingAtDC); kind == "sourcing" && strings.Count(string(text), want) != 2 {
			t.Errorf("the pick terms are not %s", want)
		}
	}
}
