// Package history learns from what happened to orders: how often each location
// cannot do what it was given, how long it takes, how fast each SKU sells there,
// and how much of each SKU is ordered.
//
// A History folds the events of orders, command by command, in the order of the
// log. An observation counts half after HalfLifeDays, so that what a location was
// like last season gives way to what it is like now. Facts are what a History
// knows at one moment, under a version: they never change, they can be written as
// JSON and read again without loss, and a History goes on from them as if it had
// never stopped.
//
// It promises: the same events in the same order give the same Facts, byte for
// byte, however they were cut into calls and however often the fold was stopped
// and taken up again; memory is bounded (MaxLocations, MaxSKUs, MaxPairs), and what goes
// when a bound is met is what counts least.
//
// It does not predict: a rate is the past, drawn to the mean where there was
// little of it. It does not keep single orders, and knows neither seasons nor prices.
package history

import (
	"math"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// Limits and weights.
const (
	// HalfLifeDays is after how many days an observation counts half.
	HalfLifeDays = 28
	// MaxLocations, MaxSKUs and MaxPairs (of a SKU and a location) bound a History. When
	// one is met, the eighth of them that counts least is forgotten.
	MaxLocations = 20_000
	MaxSKUs      = 100_000
	MaxPairs     = 200_000
	// PriorLines is how many lines at the network's mean a location's own rate is mixed with.
	PriorLines = 50
	// MinDays is over how many days units are spread at least: what sold once yesterday does not sell daily.
	MinDays = 7
	// MaxStageHours bounds one duration: what took longer was forgotten, not slow.
	MaxStageHours = 60 * 24
)

const secondsPerDay = 24 * 60 * 60

// Day is a number of days since 1970-01-01, UTC.
type Day int32

// DayOf returns the day of a moment.
func DayOf(t time.Time) Day { return Day(math.Floor(float64(t.Unix()) / secondsPerDay)) }

// faded is the weight of an observation by its age in days; beyond the table it is nothing.
var faded = func() (w [32 * HalfLifeDays]float64) {
	for i := range w {
		w[i] = math.Exp2(-float64(i) / HalfLifeDays)
	}
	return w
}()

// weight is what an observation of a day counts on another, the same or a later one.
func weight(of, on Day) float64 {
	age := int(on) - int(of)
	if age < 0 || age >= len(faded) {
		return 0
	}
	return faded[age]
}

// sum is a total that fades. Its conversions keep processors that multiply and add in one
// step from rounding otherwise than those that do not.
type sum struct {
	total float64 // as of the day
	day   Day
}

// add counts n more on a day, which may lie before days that were counted already.
func (s *sum) add(day Day, n float64) {
	switch {
	case s.total == 0:
		s.total, s.day = n, day
	case day > s.day:
		s.total = float64(s.total*weight(s.day, day)) + n
		s.day = day
	default:
		s.total += float64(n * weight(day, s.day))
	}
}

// on is the total as of a day.
func (s sum) on(day Day) float64 {
	if day <= s.day {
		return s.total
	}
	return float64(s.total * weight(s.day, day))
}

// measure is one of the things counted per location.
type measure int

const (
	given       measure = iota // lines of fulfillments created
	picked                     // lines found in full
	rejected                   // lines refused
	short                      // lines picked with units missing
	accepts                    // fulfillments accepted
	acceptHours                // from created to accepted, in all
	ships                      // fulfillments that left or stood ready
	shipHours                  // from created to that, in all
	measures
)

// location is what happened at one.
type location struct {
	id   string
	sums [measures]sum
}

// failed and tried are lines the location could not do, and those whose outcome is known.
func (l *location) failed(on Day) float64 { return l.sums[rejected].on(on) + l.sums[short].on(on) }
func (l *location) tried(on Day) float64  { return l.failed(on) + l.sums[picked].on(on) }

// sku is what happened with one, everywhere.
type sku struct {
	id      string
	first   Day // when it was first ordered or shipped
	ordered sum // units
}

// pair names a SKU at a location by their places in the tables.
type pair struct{ sku, location int32 }

// History folds events. The zero value is not usable; see New. It is not safe for concurrent use.
type History struct {
	first, last  Day // days of the first and the newest observation; both 0: none
	observations int64

	locations  []location
	skus       []sku
	byLocation map[string]int32
	bySKU      map[string]int32
	shipped    map[pair]sum // units
	// bounds are MaxLocations, MaxSKUs and MaxPairs; tests meet smaller ones.
	bounds bounds
}

type bounds struct{ locations, skus, pairs int }

// New returns a History of nothing.
func New() *History {
	return &History{
		byLocation: map[string]int32{}, bySKU: map[string]int32{}, shipped: map[pair]sum{},
		bounds: bounds{MaxLocations, MaxSKUs, MaxPairs},
	}
}

// ID names the History among what is learned.
func (h *History) ID() string { return "history" }

// Observations is how many events were counted since the beginning.
func (h *History) Observations() int64 { return h.observations }

// Observe counts the events of one command, made at a time. o is the order after it, or any later
// state: what is read of it (the lines and their parts, where fulfillments are and when they
// began) does not change. Events that name what the order does not have are left out; of an
// order that is not known (nil), all but those that bring what they are about.
func (h *History) Observe(o *order.Order, events []order.Event, at time.Time) {
	day := DayOf(at)
	for i := range events {
		if h.observe(o, &events[i], day, at) {
			h.observations++
			h.seen(day)
		}
	}
}

func (h *History) seen(day Day) {
	if h.observations == 1 {
		h.first, h.last = day, day
	}
	h.first, h.last = min(h.first, day), max(h.last, day)
}

// observe counts one event; false: it says nothing that is learned.
func (h *History) observe(o *order.Order, e *order.Event, day Day, at time.Time) bool {
	switch e.Type {
	case order.EventCaptured:
		if e.Order == nil {
			return false
		}
		for i := range e.Order.Lines {
			h.ordered(&e.Order.Lines[i], day)
		}
		return true
	case order.EventFulfillmentCreated:
		if e.Fulfillment == nil {
			return false
		}
		h.count(e.Fulfillment.Location, given, day, float64(len(e.Fulfillment.Lines)))
		return true
	}
	if o == nil {
		return false
	}
	f := o.Fulfillment(e.FulfillmentID)
	if f == nil {
		return false
	}
	switch e.Type {
	case order.EventFulfillmentAccepted:
		h.took(f, accepts, acceptHours, day, at)
	case order.EventFulfillmentRejected:
		h.count(f.Location, rejected, day, float64(len(e.Lines)))
	case order.EventFulfillmentPicked:
		h.pickedLines(f.Location, e.Lines, day)
	case order.EventFulfillmentReady:
		h.took(f, ships, shipHours, day, at)
	case order.EventFulfillmentShipped:
		h.took(f, ships, shipHours, day, at)
		h.left(o, f.Location, e.Lines, day)
	case order.EventFulfillmentHandover: // when the customer came says nothing about the location
		h.left(o, f.Location, e.Lines, day)
	default:
		return false
	}
	return true
}

func (h *History) pickedLines(location string, lines []order.LineQuantity, day Day) {
	for _, q := range lines {
		if q.Short > 0 {
			h.count(location, short, day, 1)
		} else {
			h.count(location, picked, day, 1)
		}
	}
}

func (h *History) took(f *order.Fulfillment, n, hours measure, day Day, at time.Time) {
	h.count(f.Location, n, day, 1)
	h.count(f.Location, hours, day, min(max(at.Sub(f.CreatedAt).Hours(), 0), MaxStageHours))
}

func (h *History) count(id string, m measure, day Day, n float64) {
	h.locations[h.location(id)].sums[m].add(day, n)
}

// ordered counts the stocked units of a line that was bought.
func (h *History) ordered(l *order.Line, day Day) {
	units(l, l.Quantity, func(id string, n float64) {
		s := &h.skus[h.sku(id, day)]
		s.ordered.add(day, n)
		s.first = min(s.first, day)
	})
}

// left counts units that left a location.
func (h *History) left(o *order.Order, location string, lines []order.LineQuantity, day Day) {
	for _, q := range lines {
		l := o.Line(q.Line)
		if l == nil || q.Quantity <= 0 {
			continue
		}
		units(l, q.Quantity, func(id string, n float64) {
			s := h.sku(id, day)
			h.skus[s].first = min(h.skus[s].first, day)
			k := h.pair(id, location, day)
			total := h.shipped[k]
			total.add(day, n)
			h.shipped[k] = total
		})
	}
}

// units calls f for each stocked SKU behind n units of a line.
func units(l *order.Line, n int64, f func(sku string, n float64)) {
	if len(l.Parts) == 0 {
		f(l.SKU, float64(n))
		return
	}
	for _, p := range l.Parts {
		f(p.SKU, float64(p.Quantity*n))
	}
}

// location returns the place of a location, making room for it when it is new.
func (h *History) location(id string) int32 {
	if i, ok := h.byLocation[id]; ok {
		return i
	}
	if len(h.locations) >= h.bounds.locations {
		h.forgetLocations()
	}
	i := int32(len(h.locations))
	h.locations = append(h.locations, location{id: id})
	h.byLocation[id] = i
	return i
}

// sku returns the place of a SKU, making room for it when it is new.
func (h *History) sku(id string, day Day) int32 {
	if i, ok := h.bySKU[id]; ok {
		return i
	}
	if len(h.skus) >= h.bounds.skus {
		h.forgetSKUs()
	}
	i := int32(len(h.skus))
	h.skus = append(h.skus, sku{id: id, first: day})
	h.bySKU[id] = i
	return i
}

// pair returns the key of a SKU at a location, making room for it when it is new.
func (h *History) pair(id, at string, day Day) pair {
	l := h.location(at)
	k := pair{h.sku(id, day), l}
	if _, known := h.shipped[k]; !known && len(h.shipped) >= h.bounds.pairs {
		h.forgetPairs()
	}
	return k
}
