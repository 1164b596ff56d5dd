package history

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Facts are what a History knows at one moment. They never change. Nil knows nothing.
type Facts struct {
	Version int64
	At      time.Time

	h      *History
	failed float64 // the network's failure rate
}

// Facts returns what is known now, under a version. The History may go on: nothing is shared.
func (h *History) Facts(version int64, at time.Time) *Facts {
	c := *h
	c.locations, c.skus = slices.Clone(h.locations), slices.Clone(h.skus)
	c.byLocation, c.bySKU, c.shipped = maps.Clone(h.byLocation), maps.Clone(h.bySKU), maps.Clone(h.shipped)
	return newFacts(&c, version, at)
}

func newFacts(h *History, version int64, at time.Time) *Facts {
	f := &Facts{Version: version, At: at.UTC(), h: h}
	var failed, tried float64
	// In the order of names, so that sums round alike on every node.
	for _, i := range h.locationsByName() {
		failed += h.locations[i].failed(f.day())
		tried += h.locations[i].tried(f.day())
	}
	if tried > 0 {
		f.failed = failed / tried
	}
	return f
}

func (f *Facts) day() Day { return max(DayOf(f.At), f.h.last) }

// Observations is how many events were counted since the beginning.
func (f *Facts) Observations() int64 {
	if f == nil {
		return 0
	}
	return f.h.observations
}

// Sizes is how many locations, SKUs, and pairs of both are known.
func (f *Facts) Sizes() (locations, skus, pairs int) {
	if f == nil {
		return 0, 0, 0
	}
	return len(f.h.locations), len(f.h.skus), len(f.h.shipped)
}

// NetworkFailureRate is the share of all lines given to locations, of those whose outcome is
// known, that were rejected or came up short; 0 to 1. 0: nothing is known.
func (f *Facts) NetworkFailureRate() float64 {
	if f == nil {
		return 0
	}
	return f.failed
}

// FailureRate is the share of lines that a location rejects or finds short, 0 to 1: its
// own, mixed with PriorLines lines at the network's. A location that is not known has the network's.
func (f *Facts) FailureRate(location string) float64 {
	if f == nil {
		return 0
	}
	i, ok := f.h.byLocation[location]
	if !ok {
		return f.failed
	}
	l := &f.h.locations[i]
	return (l.failed(f.day()) + float64(PriorLines*f.failed)) / (l.tried(f.day()) + PriorLines)
}

// Velocity is how many units of a SKU leave a location in a day; 0: none that are known.
func (f *Facts) Velocity(sku, location string) float64 {
	if f == nil {
		return 0
	}
	s, ok := f.h.bySKU[sku]
	if !ok {
		return 0
	}
	l, ok := f.h.byLocation[location]
	if !ok {
		return 0
	}
	total, ok := f.h.shipped[pair{s, l}]
	if !ok {
		return 0
	}
	return total.on(f.day()) / f.days(f.h.skus[s].first)
}

// Demand is how many units of a SKU are ordered in a day; 0: none that are known.
func (f *Facts) Demand(sku string) float64 {
	if f == nil {
		return 0
	}
	i, ok := f.h.bySKU[sku]
	if !ok {
		return 0
	}
	s := &f.h.skus[i]
	return s.ordered.on(f.day()) / f.days(s.first)
}

// days is how many days, each by what it still counts, units since the first one are
// spread over; the present day counts with the part of it that is over. At least MinDays full ones.
func (f *Facts) days(first Day) float64 {
	today := f.day()
	part := 1.0
	if DayOf(f.At) == today {
		part = float64(f.At.Unix()-int64(today)*secondsPerDay) / secondsPerDay
	}
	before := min(int(today-first), len(faded)-1)
	return max(fadedDays[before]+part, fadedDays[MinDays])
}

// fadedDays[n] is what n full days before the present one count together.
var fadedDays = func() (d [len(faded)]float64) {
	for i := 1; i < len(d); i++ {
		d[i] = d[i-1] + faded[i]
	}
	return d
}()

// LocationFacts is what is known of one location. Counts are lines and fulfillments, faded
// with their age; hours are means.
type LocationFacts struct {
	Location         string  `json:"location"`
	Given            float64 `json:"given"`
	Picked           float64 `json:"picked"`
	Rejected         float64 `json:"rejected"`
	Short            float64 `json:"short"`
	FailureRate      float64 `json:"failure_rate"`
	Accepted         float64 `json:"accepted"`
	HoursToAccept    float64 `json:"hours_to_accept"` // from created; 0 without any
	Shipped          float64 `json:"shipped"`
	HoursToShip      float64 `json:"hours_to_ship"`  // from created to shipped, or ready for pickup; 0 without any
	SKUs             int     `json:"skus,omitempty"` // with a velocity here
	UnitsShippedADay float64 `json:"units_shipped_a_day,omitempty"`
}

// Location returns what is known of a location; false: nothing.
func (f *Facts) Location(id string) (LocationFacts, bool) {
	if f == nil {
		return LocationFacts{}, false
	}
	i, ok := f.h.byLocation[id]
	if !ok {
		return LocationFacts{}, false
	}
	out := f.location(i)
	for _, m := range f.Movers(id, len(f.h.skus)) {
		out.SKUs++
		out.UnitsShippedADay += m.Velocity
	}
	return out, true
}

// Locations returns what is known of each location, by name, at most limit after a name; the
// sums over SKUs are left zero.
func (f *Facts) Locations(after string, limit int) []LocationFacts {
	out := []LocationFacts{}
	if f == nil {
		return out
	}
	for _, i := range f.h.locationsByName() {
		if len(out) < limit && f.h.locations[i].id > after {
			out = append(out, f.location(i))
		}
	}
	return out
}

func (f *Facts) location(i int32) LocationFacts {
	l, on := &f.h.locations[i], f.day()
	n := func(m measure) float64 { return l.sums[m].on(on) }
	mean := func(total, count measure) float64 {
		if n(count) == 0 {
			return 0
		}
		return n(total) / n(count)
	}
	return LocationFacts{
		Location: l.id, Given: n(given), Picked: n(picked), Rejected: n(rejected), Short: n(short), FailureRate: f.FailureRate(l.id),
		Accepted: n(accepts), HoursToAccept: mean(acceptHours, accepts), Shipped: n(ships), HoursToShip: mean(shipHours, ships),
	}
}

// Mover is a SKU with what leaves a location of it in a day.
type Mover struct {
	SKU      string  `json:"sku"`
	Velocity float64 `json:"units_a_day"`
}

// Movers returns the SKUs that leave a location fastest, at most limit; those equally fast by name.
func (f *Facts) Movers(location string, limit int) []Mover {
	out := []Mover{}
	if f == nil {
		return out
	}
	l, ok := f.h.byLocation[location]
	if !ok {
		return out
	}
	for k := range f.h.shipped {
		if k.location == l {
			id := f.h.skus[k.sku].id
			out = append(out, Mover{id, f.Velocity(id, location)})
		}
	}
	slices.SortFunc(out, func(a, b Mover) int {
		return cmp.Or(cmp.Compare(b.Velocity, a.Velocity), strings.Compare(a.SKU, b.SKU))
	})
	return out[:min(len(out), max(limit, 0))]
}

// Outlet is a location with what leaves it of a SKU in a day.
type Outlet struct {
	Location string  `json:"location"`
	Velocity float64 `json:"units_a_day"`
}

// Outlets returns the locations that a SKU leaves fastest, at most limit; those equally fast by name.
func (f *Facts) Outlets(sku string, limit int) []Outlet {
	out := []Outlet{}
	if f == nil {
		return out
	}
	s, ok := f.h.bySKU[sku]
	if !ok {
		return out
	}
	for i := range f.h.locations {
		if _, ok := f.h.shipped[pair{s, int32(i)}]; ok {
			id := f.h.locations[i].id
			out = append(out, Outlet{id, f.Velocity(sku, id)})
		}
	}
	slices.SortFunc(out, func(a, b Outlet) int {
		return cmp.Or(cmp.Compare(b.Velocity, a.Velocity), strings.Compare(a.Location, b.Location))
	})
	return out[:min(len(out), max(limit, 0))]
}

func (h *History) locationsByName() []int32 {
	return byName(len(h.locations), func(i int32) string { return h.locations[i].id })
}

func byName(n int, name func(i int32) string) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	slices.SortFunc(out, func(a, b int32) int { return strings.Compare(name(a), name(b)) })
	return out
}

// sortedPairs returns the pairs by name of the SKU and of the location.
func (f *Facts) sortedPairs() []pair {
	h := f.h
	out := make([]pair, 0, len(h.shipped))
	for k := range h.shipped {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b pair) int {
		return cmp.Or(strings.Compare(h.skus[a.sku].id, h.skus[b.sku].id), strings.Compare(h.locations[a.location].id, h.locations[b.location].id))
	})
	return out
}

// document is how Facts are written. Numbers are written with all their digits.
type document struct {
	Version      int64              `json:"version"`
	At           time.Time          `json:"at"`
	First        Day                `json:"first_day"`
	Last         Day                `json:"last_day"`
	Observations int64              `json:"observations"`
	Locations    []locationDocument `json:"locations"` // by name
	SKUs         []skuDocument      `json:"skus"`      // by name
}

type locationDocument struct {
	ID   string               `json:"id"`
	Sums [measures]sumNumbers `json:"sums"` // given, picked, rejected, short, accepts, accept hours, ships, ship hours
}

type skuDocument struct {
	ID      string     `json:"id"`
	First   Day        `json:"first_day"`
	Ordered sumNumbers `json:"ordered"`
	// At are [place among the locations, units, as of the day], by place.
	At [][3]float64 `json:"at,omitempty"`
}

type sumNumbers [2]float64 // total, as of the day

func numbers(s sum) sumNumbers { return sumNumbers{s.total, float64(s.day)} }

func (n sumNumbers) sum() sum { return sum{n[0], Day(n[1])} }

// MarshalJSON writes everything there is. The same Facts are always the same bytes.
func (f *Facts) MarshalJSON() ([]byte, error) {
	h := f.h
	d := document{
		Version: f.Version, At: f.At, First: h.first, Last: h.last, Observations: h.observations,
		Locations: make([]locationDocument, 0, len(h.locations)), SKUs: make([]skuDocument, 0, len(h.skus)),
	}
	places := make([]float64, len(h.locations))
	for n, i := range h.locationsByName() {
		places[i] = float64(n)
		l := locationDocument{ID: h.locations[i].id}
		for m, s := range h.locations[i].sums {
			l.Sums[m] = numbers(s)
		}
		d.Locations = append(d.Locations, l)
	}
	pairs := f.sortedPairs()
	for _, i := range byName(len(h.skus), func(i int32) string { return h.skus[i].id }) {
		s := skuDocument{ID: h.skus[i].id, First: h.skus[i].first, Ordered: numbers(h.skus[i].ordered)}
		for len(pairs) > 0 && pairs[0].sku == i {
			total := h.shipped[pairs[0]]
			s.At = append(s.At, [3]float64{places[pairs[0].location], total.total, float64(total.day)})
			pairs = pairs[1:]
		}
		d.SKUs = append(d.SKUs, s)
	}
	return json.Marshal(&d)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *Facts) UnmarshalJSON(body []byte) error {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	h := New()
	h.first, h.last, h.observations = d.First, d.Last, d.Observations
	for i := range d.Locations {
		l := location{id: d.Locations[i].ID}
		for m, n := range d.Locations[i].Sums {
			l.sums[m] = n.sum()
		}
		h.byLocation[l.id] = int32(i)
		h.locations = append(h.locations, l)
	}
	for i := range d.SKUs {
		s := &d.SKUs[i]
		h.bySKU[s.ID] = int32(i)
		h.skus = append(h.skus, sku{id: s.ID, first: s.First, ordered: s.Ordered.sum()})
		for _, at := range s.At {
			if place := int(at[0]); place < 0 || place >= len(h.locations) {
				return fmt.Errorf("history: SKU %q is at location %d of %d", s.ID, place, len(h.locations))
			}
			h.shipped[pair{int32(i), int32(at[0])}] = sum{at[1], Day(at[2])}
		}
	}
	if len(h.byLocation) != len(h.locations) || len(h.bySKU) != len(h.skus) {
		return fmt.Errorf("history: a location or a SKU is there twice")
	}
	*f = *newFacts(h, d.Version, d.At)
	return nil
}

// Snapshot writes what is known now, under a version: Facts as JSON.
func (h *History) Snapshot(version int64, at time.Time) ([]byte, error) {
	return json.Marshal(newFacts(h, version, at))
}

// Restore goes on from a snapshot. On error nothing changes.
func (h *History) Restore(snapshot []byte) error {
	var f Facts
	if err := json.Unmarshal(snapshot, &f); err != nil {
		return err
	}
	keep := h.bounds
	*h = *f.h
	h.bounds = keep
	return nil
}
