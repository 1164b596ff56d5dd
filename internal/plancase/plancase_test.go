package plancase_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/plancase"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

const valid = `{"id":"c","line_split":"always","max_shipments":2,"min_shipment_value":10,"min_remainder_value":20,
 "lines":[{"sku":"A","quantity":3,"unit_weight_g":100,"unit_cancel_cost":500,"unit_value":30,"group":1},{"sku":"B","quantity":2,"unit_cancel_cost":400,"unit_value":25}],
 "locations":[{"id":"shut","open":false,"shipment_cost":1,"unit_cost":[0,0],"available":[9,9]},
  {"id":"x","zone":3,"shipment_cost":50,"unit_cost":[1,-2],"available":[3,1],"max_units":9,"max_value":900},
  {"id":"y","zone":3,"open":true,"shipment_cost":60,"unit_cost":[1,2],"available":[0,4]}],
 "rate_card":{"base":10,"per_zone":2,"per_lb":5,"per_zone_lb":1}}`

func TestCaseBecomesTheProblem(t *testing.T) {
	t.Parallel()
	c, err := plancase.Decode([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	p, places := c.Problem()
	if p.Split != exact.SplitAlways || p.MaxShipments != 2 || p.MinShipmentValue != 10 || p.MinRemainderValue != 20 {
		t.Errorf("limits: %+v", p)
	}
	if want := (exact.Line{Quantity: 3, Unfilled: 500, Grams: 100, Value: 30, Group: 1}); p.Lines[0] != want {
		t.Errorf("line %+v, want %+v", p.Lines[0], want)
	}
	if fmt.Sprint(places) != "[1 2]" || len(p.Tariffs) != 1 || p.Locations[0].Tariff != 0 || p.Locations[1].Tariff != 0 {
		t.Errorf("places %v, %d tariffs", places, len(p.Tariffs))
	}
	if x, y := p.Locations[0], p.Locations[1]; x.MaxUnits != 9 || x.MaxValue != 900 || y.MaxUnits != exact.NoLimit || y.MaxValue != exact.NoLimit || x.Unit[1] != -2 {
		t.Errorf("locations %+v %+v", x, y)
	}
	// 10 + 2×3 + (5 + 1×3) × started pounds
	for grams, want := range map[int64]int64{0: 16, 1: 24, 454: 24, 455: 32, 908: 32, 909: 40} {
		if got, ok := p.Tariffs[0].Price(grams); got != want || !ok {
			t.Errorf("%d g cost %d, %v; want %d", grams, got, ok, want)
		}
	}
	if _, ok := p.Tariffs[0].Price(plancase.MaxShipmentGrams + 1); ok {
		t.Error("a shipment beyond every weight is taken")
	}
}

func TestPlanSaysWhatShipsAndWhatDoesNot(t *testing.T) {
	t.Parallel()
	c, err := plancase.Decode([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	var solver exact.Solver
	got, err := json.Marshal(c.Solve(&solver))
	if err != nil {
		t.Fatal(err)
	}
	// x: 50 + 3×1 − 2 + 16 + 8, and the other B from y: 60 + 2 + 16, whose weight is nothing.
	want := `{"id":"c","cost":153,"shipments":[{"location":"x","lines":[{"sku":"A","quantity":3},{"sku":"B","quantity":1}],"cost":75},` +
		`{"location":"y","lines":[{"sku":"B","quantity":1}],"cost":78}],"cancelled":[],"method":"exact"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBadCasesNameTheirFields(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ from, to, want string }{
		{`"id":"c"`, `"id":""`, "id required"},
		{`"line_split":"always"`, `"line_split":"sometimes"`, "line_split unknown"},
		{`"line_split":"always",`, ``, "line_split required"},
		{`"max_shipments":2`, `"max_shipments":-1`, "max_shipments out_of_range"},
		{`"min_shipment_value":10`, `"min_shipment_value":-1`, "min_shipment_value out_of_range"},
		{`"min_remainder_value":20`, `"min_remainder_value":-1`, "min_remainder_value out_of_range"},
		{`"sku":"B"`, `"sku":" B"`, "lines[1].sku malformed"},
		{`"quantity":3`, `"quantity":1000001`, "lines[0].quantity out_of_range"},
		{`"quantity":3`, `"quantity":1.5`, "lines.quantity malformed"},
		{`"unit_weight_g":100`, `"unit_weight_g":-1`, "lines[0].unit_weight_g out_of_range"},
		{`"unit_cancel_cost":400`, fmt.Sprintf(`"unit_cancel_cost":%d`, plancase.MaxUnitAmount+1), "lines[1].unit_cancel_cost out_of_range"},
		{`"unit_value":25`, `"unit_value":-1`, "lines[1].unit_value out_of_range"},
		{`"group":1`, `"group":-1`, "lines[0].group out_of_range"},
		{`"id":"x"`, `"id":""`, "locations[1].id required"},
		{`"id":"y"`, `"id":"x"`, "locations[2].id duplicate"},
		{`"zone":3`, `"zone":101`, "locations[1].zone out_of_range"},
		{`"shipment_cost":60`, fmt.Sprintf(`"shipment_cost":%d`, plancase.MaxShipmentAmount+1), "locations[2].shipment_cost out_of_range"},
		{`"unit_cost":[1,-2]`, `"unit_cost":[1]`, "locations[1].unit_cost malformed"},
		{`"unit_cost":[1,-2]`, fmt.Sprintf(`"unit_cost":[1,%d]`, -plancase.MaxUnitAmount-1), "locations[1].unit_cost[1] out_of_range"},
		{`"available":[0,4]`, `"available":[0,-4]`, "locations[2].available[1] out_of_range"},
		{`"max_units":9`, `"max_units":-1`, "locations[1].max_units out_of_range"},
		{`"max_value":900`, `"max_value":-1`, "locations[1].max_value out_of_range"},
		{`"base":10`, `"base":-1`, "rate_card.base out_of_range"},
		{`"per_zone":2`, `"per_zone":-1`, "rate_card.per_zone out_of_range"},
		{`"per_lb":5`, `"per_lb":1000001`, "rate_card.per_lb out_of_range"},
		{`"per_zone_lb":1`, `"per_zone_lb":-1`, "rate_card.per_zone_lb out_of_range"},
		{`"base":10,`, `"base":10`, " malformed"},
	} {
		if !strings.Contains(valid, tc.from) {
			t.Fatalf("%s is not in the case", tc.from)
		}
		_, err := plancase.Decode([]byte(strings.Replace(valid, tc.from, tc.to, 1)))
		var bad problem.Invalid
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", tc.to, err)
			continue
		}
		if got := bad[0].Pointer + " " + bad[0].Code; got != tc.want || len(bad) != 1 {
			t.Errorf("%s: %s and %d more, want %s", tc.to, got, len(bad)-1, tc.want)
		}
	}
}

// A case at every bound is accepted and can be searched.
func TestCaseAtItsBounds(t *testing.T) {
	t.Parallel()
	c := &plancase.Case{ID: "big", LineSplit: plancase.Never, RateCard: &plancase.RateCard{
		Base: plancase.MaxRate, PerZone: plancase.MaxRate, PerLB: plancase.MaxRate, PerZoneLB: plancase.MaxRate,
	}}
	l := plancase.Location{ID: "x", Zone: plancase.MaxZone, ShipmentCost: -plancase.MaxShipmentAmount}
	for i := range plancase.MaxLines {
		c.Lines = append(c.Lines, plancase.Line{
			SKU: fmt.Sprint(i), Quantity: plancase.MaxQuantity, UnitCancelCost: plancase.MaxUnitAmount, UnitValue: plancase.MaxUnitAmount,
		})
		l.UnitCost, l.Available = append(l.UnitCost, -plancase.MaxUnitAmount), append(l.Available, plancase.MaxAvailable)
	}
	c.Lines[0].UnitGrams = plancase.MaxShipmentGrams / plancase.MaxQuantity
	c.Locations = []plancase.Location{l}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	var solver exact.Solver
	if p := c.Solve(&solver); len(p.Cancelled) > 0 || len(p.Shipments) != 1 || p.Cost >= 0 {
		t.Errorf("cost %d, %d shipments, %d cancelled", p.Cost, len(p.Shipments), len(p.Cancelled))
	}
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	c, err := plancase.Decode([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	c.Lines = make([]plancase.Line, plancase.MaxLines+1)
	c.Locations = make([]plancase.Location, plancase.MaxLocations+1)
	var bad problem.Invalid
	if !errors.As(c.Validate(), &bad) || bad[0].Pointer != "lines" || bad[1].Pointer != "locations" || bad[0].Code != problem.TooLong {
		t.Errorf("%v", bad[:min(2, len(bad))])
	}
	if _, err := plancase.Decode(make([]byte, plancase.MaxBytes+1)); !errors.As(err, &bad) || bad[0].Code != problem.TooLong {
		t.Errorf("%v", err)
	}
}
