package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// UnknownDistanceKm is what candidate.distance_km is when a distance is not known: half
// the equator, rounded up.
const UnknownDistanceKm = 20_038

// DefaultNow is the time of an example that names none: a Monday morning.
var DefaultNow = time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC)

// Given is what an example takes for granted.
type Given struct {
	Now       time.Time       `yaml:"now"` // default DefaultNow
	Order     GivenOrder      `yaml:"order"`
	Lines     []GivenLine     `yaml:"lines"`
	Locations []GivenLocation `yaml:"locations"`
	Returned  *GivenReturned  `yaml:"returned"`
	Exception *GivenException `yaml:"exception"`
	// Refused are locations that are not asked again; Forced is the only one that may be
	// used; Preferred win among equals.
	Refused   []string `yaml:"refused"`
	Forced    string   `yaml:"forced"`
	Preferred []string `yaml:"preferred"`
	// Wanted is when the customer wants it; absent: any time.
	Wanted time.Time `yaml:"wanted"`
}

// GivenOrder is the order of an example. What can be counted from the lines is.
type GivenOrder struct {
	Channel    string            `yaml:"channel"`  // default web
	Method     string            `yaml:"method"`   // default ship
	Service    string            `yaml:"service"`  // default any
	Currency   string            `yaml:"currency"` // default EUR
	Customer   string            `yaml:"customer"`
	Country    string            `yaml:"country"`
	PostalCode string            `yaml:"postal_code"`
	Region     string            `yaml:"region"`
	City       string            `yaml:"city"`
	Attributes map[string]string `yaml:"attributes"`
	PlacedAt   time.Time         `yaml:"placed_at"` // default now
	Attempt    int64             `yaml:"attempt"`
}

// GivenLine is one line and its article.
type GivenLine struct {
	SKU        string            `yaml:"sku"`
	Quantity   *int64            `yaml:"quantity"` // default 1
	UnitPrice  int64             `yaml:"unit_price"`
	WeightG    int64             `yaml:"weight_g"` // of one unit
	Category   string            `yaml:"category"`
	Tags       []string          `yaml:"tags"`
	Attributes map[string]string `yaml:"attributes"`
	ListPrice  int64             `yaml:"list_price"`
	Kit        bool              `yaml:"kit"`
}

// GivenLocation is one candidate.
type GivenLocation struct {
	ID           string   `yaml:"id"`
	Type         string   `yaml:"type"` // default dc
	Country      string   `yaml:"country"`
	PostalCode   string   `yaml:"postal_code"`
	Region       string   `yaml:"region"`
	City         string   `yaml:"city"`
	TimeZone     string   `yaml:"time_zone"`
	Tags         []string `yaml:"tags"`
	Capabilities []string `yaml:"capabilities"`
	Priority     int64    `yaml:"priority"`
	// DistanceKm is absent when it is not known.
	DistanceKm *float64 `yaml:"distance_km"`
	// Carrier is the charge for a parcel of any weight, plus CarrierPerKg for every kg
	// begun, minor units; absent: the charge is not known.
	Carrier      *int64 `yaml:"carrier"`
	CarrierPerKg int64  `yaml:"carrier_per_kg"`
	// Days from now until a parcel arrives; absent: not known.
	Days *int64 `yaml:"days"`
	// OrdersLeft, UnitsLeft and ValueLeft are what the location's capacity still admits; absent: any.
	OrdersLeft   *int64  `yaml:"orders_left"`
	UnitsLeft    *int64  `yaml:"units_left"`
	ValueLeft    *int64  `yaml:"value_left"`
	CapacityUsed float64 `yaml:"capacity_used"` // share, 0..1
	FailureRate  float64 `yaml:"failure_rate"`  // share, 0..1
	// Via is the pickup location that this one would ship to.
	Via string `yaml:"via"`
	// Stock is what it has, by SKU; absent: nothing.
	Stock map[string]GivenStock `yaml:"stock"`
}

// GivenStock is the position of one SKU.
type GivenStock struct {
	Available int64    `yaml:"available"` // for sourcing: units it may give; for availability: on hand less reserved and allocated
	OnHand    *int64   `yaml:"on_hand"`   // default available + safety
	Safety    int64    `yaml:"safety"`
	Velocity  float64  `yaml:"velocity"` // units a day
	Weeks     *float64 `yaml:"weeks_of_supply"`
	BrokenRun bool     `yaml:"broken_run"`
	Price     int64    `yaml:"opportunity_price"`
}

// GivenReturned is a return.
type GivenReturned struct {
	Reason    string `yaml:"reason"`
	Condition string `yaml:"condition"`
	Method    string `yaml:"method"`   // default mail
	Quantity  *int64 `yaml:"quantity"` // default 1
	Days      int64  `yaml:"days"`
}

// Time is when the example happens.
func (g *Given) Time() time.Time {
	if g.Now.IsZero() {
		return DefaultNow
	}
	return g.Now
}

// OrderFacts are the order's facts.
func (g *Given) OrderFacts() *Order {
	o := &g.Order
	out := &Order{
		Channel: cmp.Or(o.Channel, "web"), Method: cmp.Or(o.Method, "ship"), Service: o.Service, Currency: cmp.Or(o.Currency, "EUR"),
		Customer: o.Customer, Country: o.Country, PostalCode: o.PostalCode, Region: o.Region, City: o.City,
		Attributes: o.Attributes, PlacedAt: o.PlacedAt, Attempt: o.Attempt, Lines: int64(len(g.Lines)),
	}
	if out.PlacedAt.IsZero() {
		out.PlacedAt = g.Time()
	}
	for i := range g.Lines {
		l, _ := g.LineFacts(i)
		out.Value += l.Value
		out.Units += l.Quantity
		out.WeightG += l.WeightG
	}
	return out
}

// LineFacts are the facts of line i and its article.
func (g *Given) LineFacts(i int) (*Line, *SKU) {
	l := &g.Lines[i]
	quantity := int64(1)
	if l.Quantity != nil {
		quantity = *l.Quantity
	}
	line := &Line{SKU: l.SKU, Quantity: quantity, UnitPrice: l.UnitPrice, Value: quantity * l.UnitPrice, WeightG: quantity * l.WeightG}
	return line, &SKU{
		ID: l.SKU, Category: l.Category, Tags: l.Tags, Attributes: l.Attributes, WeightG: l.WeightG, Price: cmp.Or(l.ListPrice, l.UnitPrice), Kit: l.Kit,
	}
}

// ReturnedFacts are the facts of what is returned; Returned must not be nil.
func (g *Given) ReturnedFacts() *Returned {
	r := g.Returned
	out := &Returned{Reason: r.Reason, Condition: r.Condition, Method: cmp.Or(r.Method, "mail"), Quantity: 1, Days: r.Days}
	if r.Quantity != nil {
		out.Quantity = *r.Quantity
	}
	return out
}

// LocationFacts are the facts of location i.
func (g *Given) LocationFacts(i int) *Location {
	l := &g.Locations[i]
	return &Location{
		ID: l.ID, Type: cmp.Or(l.Type, "dc"), Country: l.Country, PostalCode: l.PostalCode, Region: l.Region, City: l.City,
		TimeZone: l.TimeZone, Tags: l.Tags, Capabilities: l.Capabilities, Priority: l.Priority,
	}
}

// CandidateFacts are the facts of location i as a candidate, as far as they do not
// depend on what is left to place.
func (g *Given) CandidateFacts(i int) Candidate {
	l := &g.Locations[i]
	c := Candidate{
		DistanceKm: UnknownDistanceKm, OrdersLeft: -1, DaysToDeliver: -1, CapacityUsed: l.CapacityUsed, FailureRate: l.FailureRate,
		Preferred: slices.Contains(g.Preferred, l.ID),
	}
	if l.DistanceKm != nil {
		c.DistanceKm, c.DistanceKnown = *l.DistanceKm, true
	}
	if l.OrdersLeft != nil {
		c.OrdersLeft = *l.OrdersLeft
	}
	if l.Carrier != nil {
		var grams, has, wants int64
		for line := range g.Lines {
			x, sku := g.LineFacts(line)
			grams += min(x.Quantity, l.Stock[x.SKU].Available) * sku.WeightG
			has += min(x.Quantity, l.Stock[x.SKU].Available)
			wants += x.Quantity
		}
		c.Carrier = l.Charge(grams)
	}
	if l.Days != nil {
		c.DaysToDeliver = *l.Days
		if late := g.Time().AddDate(0, 0, int(*l.Days)).Sub(g.Wanted); !g.Wanted.IsZero() && late > 0 {
			c.DaysLate = int64((late + 24*time.Hour - 1) / (24 * time.Hour))
		}
	}
	return c
}

// Charge is what the carrier takes for a parcel, minor units; Carrier must not be nil.
func (l *GivenLocation) Charge(grams int64) int64 {
	return *l.Carrier + (grams+999)/1000*l.CarrierPerKg
}

// StockFacts are the facts of the position of line's SKU at location i.
func (g *Given) StockFacts(i, line int) Stock {
	s := g.Locations[i].Stock[g.Lines[line].SKU]
	out := Stock{
		Available: s.Available, OnHand: s.Available + s.Safety, Safety: s.Safety, Velocity: s.Velocity, BrokenRun: s.BrokenRun, Price: s.Price,
		WeeksOfSupply: 9999,
	}
	if s.OnHand != nil {
		out.OnHand = *s.OnHand
	}
	switch {
	case s.Weeks != nil:
		out.WeeksOfSupply = *s.Weeks
	case s.Velocity > 0:
		out.WeeksOfSupply = float64(s.Available) / (7 * s.Velocity)
	}
	return out
}

// givenFacts checks the facts of an example.
func (c *compiler) givenFacts(at string, g *Given) {
	amount := func(pointer string, v int64) { c.within(pointer, v, 0, maxUnits) }
	skus := map[string]bool{}
	for i := range g.Lines {
		l, p := &g.Lines[i], problem.At(at+".lines", i)
		if l.SKU == "" {
			c.add(p+".sku", problem.Required, "is required")
		} else if skus[l.SKU] {
			c.add(p+".sku", problem.Duplicate, "%q has a line already", clip(l.SKU))
		}
		skus[l.SKU] = true
		if l.Quantity != nil {
			c.within(p+".quantity", *l.Quantity, 1, maxExampleUnits)
		}
		c.within(p+".unit_price", l.UnitPrice, 0, maxUnits)
		amount(p+".weight_g", l.WeightG)
		amount(p+".list_price", l.ListPrice)
	}
	ids := map[string]bool{}
	for i := range g.Locations {
		l, p := &g.Locations[i], problem.At(at+".locations", i)
		if l.ID == "" {
			c.add(p+".id", problem.Required, "is required")
		} else if ids[l.ID] {
			c.add(p+".id", problem.Duplicate, "%q is there already", clip(l.ID))
		}
		ids[l.ID] = true
		c.givenLocation(p, l)
	}
	if c.doc.Kind == KindReturns && g.Returned == nil {
		c.add(at+".returned", problem.Required, "an example of a returns policy says what is returned")
	}
	if c.doc.Kind == KindExceptions && (g.Exception == nil || g.Exception.Type == "") {
		c.add(at+".exception.type", problem.Required, "an example of an exceptions policy has an exception with its type")
	}
	if c.doc.Kind == KindAvailability && (len(g.Lines) != 1 || len(g.Locations) != 1) {
		c.add(at, problem.Required, "an example of an availability policy has one line and one location")
	}
	if c.doc.Kind == KindSourcing && len(g.Lines) == 0 {
		c.add(at+".lines", problem.Required, "an example of a sourcing policy has lines")
	}
}

const maxExampleUnits = 1_000_000

func (c *compiler) givenLocation(at string, l *GivenLocation) {
	for _, x := range []struct {
		name string
		v    *int64
	}{{"carrier", l.Carrier}, {"orders_left", l.OrdersLeft}, {"units_left", l.UnitsLeft}, {"value_left", l.ValueLeft}, {"days", l.Days}} {
		if x.v != nil {
			c.within(at+"."+x.name, *x.v, 0, maxUnits)
		}
	}
	c.within(at+".carrier_per_kg", l.CarrierPerKg, 0, maxUnits)
	c.share(at+".capacity_used", l.CapacityUsed, 0, 1)
	c.share(at+".failure_rate", l.FailureRate, 0, 1)
	if l.DistanceKm != nil {
		c.share(at+".distance_km", *l.DistanceKm, 0, maxKm)
	}
	if l.Days != nil {
		c.within(at+".days", *l.Days, 0, maxDays)
	}
	for _, sku := range sortedKeys(l.Stock) {
		s, p := l.Stock[sku], fmt.Sprintf("%s.stock.%s", at, sku)
		c.within(p+".available", s.Available, 0, maxUnits)
		c.within(p+".safety", s.Safety, 0, maxUnits)
	}
}
