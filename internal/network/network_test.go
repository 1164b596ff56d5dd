package network_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

func ptr[T any](v T) *T { return &v }

func pointers(err error) string {
	var v problem.Invalid
	errors.As(err, &v)
	var list []string
	for _, f := range v {
		list = append(list, f.Pointer+":"+f.Code)
	}
	return strings.Join(list, " ")
}

func TestLocationNamesEveryBadField(t *testing.T) {
	t.Parallel()
	const document = `{"id":"","type":"shop","address":{"country":"de","email":"x","latitude":91,"longitude":-181},
		"time_zone":"Local","capabilities":["ship","ship","fly"],"capacity":{"orders_per_day":-1,"units_per_hour":1000000001,"value_per_day":1125899906842625,"value_per_hour":1125899906842624},"processing_minutes":-1,
		"cutoffs":[{"time":"25:00"},{"time":"12:00"}],"tags":["a","a"],"status":"closed","suspended_reason":"fire",
		"calendar":{"hours":{"monday":[{"opens":"9:00","closes":"12:00"},{"opens":"13:00","closes":"12:00"}],
		"tuesday":[{"opens":"09:00","closes":"12:00"},{"opens":"11:00","closes":"13:00"}]},
		"exceptions":[{"date":"24.12.2026","closed":true},{"date":"2026-12-25","closed":true,"hours":[{"opens":"09:00","closes":"10:00"}]},{"date":"2026-12-25","closed":true},{}]}}`
	var l network.Location
	if err := json.Unmarshal([]byte(document), &l); err != nil {
		t.Fatal(err)
	}
	want := "id:required type:unknown address.country:unknown address.email:malformed address.latitude:out_of_range address.longitude:out_of_range " +
		"time_zone:unknown calendar.hours.monday[0].opens:malformed calendar.hours.monday[1]:out_of_range calendar.hours.tuesday[1]:conflict " +
		"calendar.exceptions[0].date:malformed calendar.exceptions[1].hours:conflict calendar.exceptions[2].date:duplicate " +
		"calendar.exceptions[3].date:required calendar.exceptions[3].hours:conflict " +
		"cutoffs[0].time:malformed cutoffs[1].service:duplicate capabilities[1]:duplicate capacity.orders_per_day:out_of_range capacity.units_per_hour:out_of_range capacity.value_per_day:out_of_range " +
		"processing_minutes:out_of_range tags[1]:duplicate status:unknown suspended_reason:conflict"
	if got := pointers(l.Validate()); got != want {
		t.Errorf("bad fields\n got %s\nwant %s", got, want)
	}
}

func TestLocationJSONRoundTrip(t *testing.T) {
	t.Parallel()
	l := network.Location{
		ID: "dc1", Type: network.DC, TimeZone: "Europe/Berlin", Calendar: hours(t, "mon-fri 09:00-18:00; sun 00:00-24:00", "2026-12-25 closed"),
		Address:      network.Address{Country: "DE", Latitude: ptr(52.5), Longitude: ptr(13.4)},
		Capabilities: []network.Capability{network.CanShip}, Cutoffs: []network.Cutoff{{Time: 840}},
		Capacity: network.Capacity{OrdersPerDay: ptr(int64(0))},
	}
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var back network.Location
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(l, back) {
		t.Errorf("%s\ncame back as %+v, %v", text, back, err)
	}
	for _, part := range []string{`"orders_per_day":0`, `"opens":"09:00"`, `"closes":"24:00"`, `"date":"2026-12-25","closed":true`, `"time":"14:00"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is missing in %s", part, text)
		}
	}
}

func TestChannelNetworkAndCarrierNameEveryBadField(t *testing.T) {
	t.Parallel()
	channel := network.Channel{Type: "shop", Currency: "XXX", Networks: []string{"", "a", "a"}, Buffer: -1, Shortage: "wait", Service: " s"}
	want := "id:required type:unknown currency:unknown networks[0]:required networks[2]:duplicate buffer:out_of_range shortage:unknown service:malformed"
	if got := pointers(channel.Validate()); got != want {
		t.Errorf("channel: %s", got)
	}
	bad := network.Network{ID: "n", Locations: []string{"a"}, Rule: &network.Rule{}}
	if got := pointers(bad.Validate()) + " " + pointers((&network.Network{ID: "n"}).Validate()); got != "rule:conflict locations:required" {
		t.Errorf("network: %s", got)
	}
	bad = network.Network{ID: "n", Rule: &network.Rule{Types: []network.LocationType{"x"}, Countries: []string{"XX"}, Regions: []string{""}, Capabilities: []network.Capability{"fly"}}}
	if got := pointers(bad.Validate()); got != "rule.types[0]:unknown rule.countries[0]:unknown rule.regions[0]:required rule.capabilities[0]:unknown" {
		t.Errorf("rule: %s", got)
	}
	carrier := network.Carrier{ID: "c", Services: []network.Service{{ID: "s", Currency: "EUR"}, {
		ID: "s", Currency: "EUR",
		Zones:         []network.ZoneRule{{OriginPostalPrefix: "1", Zone: 9}, {DestinationCountry: "DE", Zone: 1}, {DestinationCountry: "DE", Zone: 1}},
		DistanceBands: []network.DistanceBand{{Zone: 1}, {UpToKM: ptr(int64(10)), Zone: 1}, {UpToKM: ptr(int64(10)), Zone: 1}},
		Rates: []network.Rate{
			{Zone: 1, TransitDays: -1, Brackets: []network.Bracket{{UpToGrams: 5, Price: -1}, {UpToGrams: 5}}, PerExtraKG: ptr(int64(-1))},
			{Zone: 1},
		},
	}}}
	want = "services[0].rates:required services[0].zones:required services[1].id:duplicate " +
		"services[1].rates[0].transit_days:out_of_range services[1].rates[0].brackets[0].price:out_of_range services[1].rates[0].brackets[1].up_to_grams:out_of_range " +
		"services[1].rates[0].per_extra_kg:out_of_range services[1].rates[1].zone:duplicate services[1].rates[1].brackets:required " +
		"services[1].zones[0].origin_country:required services[1].zones[0].zone:unknown services[1].zones[2]:duplicate " +
		"services[1].distance_bands[0].up_to_km:required services[1].distance_bands[2].up_to_km:out_of_range"
	if got := pointers(carrier.Validate()); got != want {
		t.Errorf("carrier\n got %s\nwant %s", got, want)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := network.Channel{ID: "web", Type: network.Web, Currency: "EUR"}
	if err := c.Validate(); err != nil || !c.IsActive() || c.OnShortage() != network.Backorder {
		t.Errorf("%v, active %v, shortage %v", err, c.IsActive(), c.OnShortage())
	}
	if c.Active, c.Shortage = ptr(false), network.Reject; c.IsActive() || c.OnShortage() != network.Reject {
		t.Error("defaults win over what is set")
	}
}

func TestWeekTextRoundTrip(t *testing.T) {
	t.Parallel()
	interval := rapid.Custom(func(t *rapid.T) []network.Interval {
		marks := rapid.SliceOfNDistinct(rapid.IntRange(0, 1440), 0, 6, rapid.ID[int]).Draw(t, "marks")
		slices.Sort(marks)
		var in []network.Interval
		for i := 0; i+1 < len(marks); i += 2 {
			in = append(in, network.Interval{Opens: network.Clock(marks[i]), Closes: network.Clock(marks[i+1])})
		}
		return in
	})
	rapid.Check(t, func(t *rapid.T) {
		pick := rapid.SliceOfN(interval, 3, 3).Draw(t, "hours")
		day := func() []network.Interval { return pick[rapid.IntRange(0, 2).Draw(t, "day")] }
		week := network.Week{Monday: day(), Tuesday: day(), Wednesday: day(), Thursday: day(), Friday: day(), Saturday: day(), Sunday: day()}
		text := network.FormatWeek(week)
		back, err := network.ParseWeek(text)
		if err != nil || !reflect.DeepEqual(week, back) {
			t.Fatalf("%+v -> %q -> %+v, %v", week, text, back, err)
		}
	})
}

func TestWeekText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mon-fri 09:00-18:00; sat 10:00-16:00":             "mon-fri 09:00-18:00; sat 10:00-16:00",
		"sat,sun 10:00-16:00;MON 09:00-12:00 ,13:00-18:00": "mon 09:00-12:00,13:00-18:00; sat-sun 10:00-16:00",
		"sat-mon 10:00-16:00":                              "mon 10:00-16:00; sat-sun 10:00-16:00",
		"":                                                 "",
	} {
		week, err := network.ParseWeek(text)
		if got := network.FormatWeek(week); err != nil || got != want {
			t.Errorf("%q reads as %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"mon", "mon 9:00-18:00", "mo 09:00-18:00", "mon 09:00", "mon 09:00-18:00; mon-tue 10:00-11:00", "09:00-18:00", "mon 09:00-24:01"} {
		if week, err := network.ParseWeek(text); err == nil {
			t.Errorf("%q was read as %+v", text, week)
		}
	}
	for _, text := range []string{"2026-02-30 closed", "closed", "2026-12-24", "2026-12-24 shut"} {
		if e, err := network.ParseExceptions(text); err == nil {
			t.Errorf("%q was read as %+v", text, e)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	place := func(lat, long float64) *network.Address { return &network.Address{Latitude: &lat, Longitude: &long} }
	for _, tt := range []struct {
		a, b *network.Address
		want float64
	}{
		{place(52.52, 13.405), place(48.137, 11.575), 504.4}, // Berlin, Munich
		{place(0, 0), place(0, 180), math.Pi * 6371},
		{place(-90, 0), place(90, 77), math.Pi * 6371},
		{place(10, 179.9), place(10, -179.9), 21.9},
		{place(1, 2), place(1, 2), 0},
	} {
		if got, ok := network.Distance(tt.a, tt.b); !ok || math.Abs(got-tt.want) > 0.2 {
			t.Errorf("Distance = %g, %v; want %g", got, ok, tt.want)
		}
	}
	if _, ok := network.Distance(place(1, 2), &network.Address{}); ok {
		t.Error("an unknown place has a distance")
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := network.Date(rapid.Int32Range(1, 100_000).Draw(t, "date"))
		back, err := network.ParseDate(d.String())
		if err != nil || back != d {
			t.Fatalf("%s came back as %s, %v", d, back, err)
		}
		berlin, _ := network.LoadZone("Europe/Berlin")
		if start := d.Start(berlin); network.DateOf(start.Date()) != d || start.Weekday() != d.Weekday() {
			t.Fatalf("%s starts %v, a %v", d, start, d.Weekday())
		}
		if y, m, day := d.Start(berlin).Date(); network.DateOf(y, m, day+1) != d.AddDays(1) {
			t.Fatalf("the day after %s", d)
		}
	})
	for _, s := range []string{"", "1970-01-01", "2026-2-3", "2026-02-30", fmt.Sprint(20261224)} {
		if d, err := network.ParseDate(s); err == nil {
			t.Errorf("%q was read as %v", s, d)
		}
	}
}
