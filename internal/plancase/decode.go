package plancase

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Decode reads one case and checks it. The error is a problem.Invalid.
func Decode(data []byte) (*Case, error) {
	var bad problem.Invalid
	if len(data) > MaxBytes {
		bad.Add("", problem.TooLong, "a case has at most %d bytes", MaxBytes)
		return nil, bad.Err()
	}
	c := &Case{}
	if err := json.Unmarshal(data, c); err != nil {
		var kind *json.UnmarshalTypeError
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &kind):
			bad.Add(kind.Field, problem.Malformed, "must be %s, not %s", called(kind.Type), kind.Value)
		case errors.As(err, &syntax):
			bad.Add("", problem.Malformed, "is not JSON at byte %d: %s", syntax.Offset, syntax)
		default:
			bad.Add("", problem.Malformed, "%s", err)
		}
		return nil, bad.Err()
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// called is how people call a Go type.
func called(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	}
	return "an integer"
}

// Validate reports every field that is wrong.
func (c *Case) Validate() error {
	var bad problem.Invalid
	bad.ID("id", c.ID)
	bad.Count("lines", len(c.Lines), MaxLines)
	bad.Count("locations", len(c.Locations), MaxLocations)
	if len(c.Lines) == 0 {
		bad.Add("lines", problem.Required, "a case has at least one line")
	}
	problem.OneOf(&bad, "line_split", c.LineSplit, Never, WhenNeeded, Always)
	if c.MaxShipments != nil {
		bad.Range("max_shipments", *c.MaxShipments, 0, MaxLocations)
	}
	bad.Range("min_shipment_value", c.MinShipmentValue, 0, MaxUnitAmount)
	bad.Range("min_remainder_value", c.MinRemainderValue, 0, MaxUnitAmount)
	if r := c.RateCard; r != nil {
		bad.Range("rate_card.base", r.Base, 0, MaxRate)
		bad.Range("rate_card.per_zone", r.PerZone, 0, MaxRate)
		bad.Range("rate_card.per_lb", r.PerLB, 0, MaxRate)
		bad.Range("rate_card.per_zone_lb", r.PerZoneLB, 0, MaxRate)
	}
	for i := range c.Lines[:min(len(c.Lines), MaxLines)] {
		c.Lines[i].validate(&bad, problem.At("lines", i))
	}
	ids := make(map[string]bool, len(c.Locations))
	for i := range c.Locations[:min(len(c.Locations), MaxLocations)] {
		l := &c.Locations[i]
		l.validate(&bad, i, len(c.Lines))
		if ids[l.ID] {
			bad.Add(problem.At("locations", i)+".id", problem.Duplicate, "%q is listed twice", l.ID)
		}
		ids[l.ID] = true
	}
	return bad.Err()
}

func (l *Line) validate(bad *problem.Invalid, at string) {
	bad.ID(at+".sku", l.SKU)
	bad.Range(at+".quantity", l.Quantity, 1, MaxQuantity)
	bad.Range(at+".unit_weight_g", l.UnitGrams, 0, MaxUnitAmount)
	bad.Range(at+".unit_cancel_cost", l.UnitCancelCost, -MaxUnitAmount, MaxUnitAmount)
	bad.Range(at+".unit_value", l.UnitValue, 0, MaxUnitAmount)
	bad.Range(at+".group", l.Group, 0, MaxLines)
}

// validate checks location i; it makes pointers only for what is wrong, because
// a case may have a million numbers.
func (l *Location) validate(bad *problem.Invalid, i, lines int) {
	field := func(name string) string { return "locations[" + strconv.Itoa(i) + "]." + name }
	if bad.ID("", l.ID); len(*bad) > 0 && (*bad)[len(*bad)-1].Pointer == "" {
		(*bad)[len(*bad)-1].Pointer = field("id")
	}
	check := func(name string, value, low, high int64) {
		if value < low || value > high {
			bad.Range(field(name), value, low, high)
		}
	}
	check("zone", l.Zone, 0, MaxZone)
	check("shipment_cost", l.ShipmentCost, -MaxShipmentAmount, MaxShipmentAmount)
	if l.MaxUnits != nil {
		check("max_units", *l.MaxUnits, 0, MaxAvailable)
	}
	if l.MaxValue != nil {
		check("max_value", *l.MaxValue, 0, MaxAvailable)
	}
	numbers := func(name string, list []int64, low, high int64) {
		if len(list) != lines {
			bad.Add(field(name), problem.Malformed, "has %d entries; there are %d lines", len(list), lines)
			return
		}
		for k, n := range list {
			if n < low || n > high {
				bad.Range(problem.At(field(name), k), n, low, high)
			}
		}
	}
	numbers("unit_cost", l.UnitCost, -MaxUnitAmount, MaxUnitAmount)
	numbers("available", l.Available, 0, MaxAvailable)
}
