package promise

import (
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// Limits of a calendar.
const (
	// maxCalendarEntries bounds what a Calendar remembers, about 150 bytes each. When
	// it is full it starts anew, which costs time and changes no answer.
	maxCalendarEntries = 50_000
	// backlogStep is what backlog is counted in, minutes, rounded up.
	backlogStep = 15
	// readyStep is what pickup times are rounded up to.
	readyStep = 15 * time.Minute
)

// Departure is when an order that comes now leaves a location with a service.
type Departure struct {
	Ships  network.Date // on the location's wall clock
	ShipBy time.Time    // the first instant after that date
	// ValidUntil is the first second at which a new order would leave later.
	ValidUntil time.Time
}

// Collection is when an order that comes now can be picked up at a location.
type Collection struct {
	Ready      time.Time // within opening hours
	ValidUntil time.Time // the first second at which a new order would be ready later
}

// Calendar answers when orders leave, and remembers the answers until they change.
// It may be used by several goroutines. A location that is edited is another
// value in the directory, and thus never answered from memory.
type Calendar struct {
	mu          sync.RWMutex
	departures  map[departureKey]remembered[Departure]
	collections map[collectionKey]remembered[Collection]
}

type departureKey struct {
	location *network.Location
	service  string
	carrier  Workdays // its value, so that equal settings share answers
	backlog  int64
}

type collectionKey struct {
	location *network.Location
	backlog  int64
}

// remembered is an answer for orders from a second to just before until.
type remembered[T any] struct {
	from, until int64
	answer      T
}

// NewCalendar returns a Calendar that remembers nothing yet.
func NewCalendar() *Calendar {
	return &Calendar{
		departures:  make(map[departureKey]remembered[Departure]),
		collections: make(map[collectionKey]remembered[Collection]),
	}
}

// Departure answers for an order that comes at now to a location whose queue takes
// backlog minutes of opening hours before it. The carrier picks up on its working
// days on which the location works. Returns network.ErrNeverOpen, and the error of
// an unknown time zone.
func (c *Calendar) Departure(l *network.Location, service string, carrier *Workdays, backlog int64, now time.Time) (Departure, error) {
	key := departureKey{l, service, *carrier, roundBacklog(backlog)}
	second := now.Unix()
	c.mu.RLock()
	r, ok := c.departures[key]
	c.mu.RUnlock()
	if ok && r.from <= second && second < r.until {
		return r.answer, nil
	}
	busy := delayed(l, key.backlog)
	d, err := departure(busy, service, carrier, now)
	if err != nil {
		return Departure{}, err
	}
	until := firstChange(second, d.ShipBy.Unix(), hint(l, service, d.Ships), func(t int64) bool {
		later, err := departure(busy, service, carrier, time.Unix(t, 0))
		return err != nil || later.Ships != d.Ships
	})
	d.ValidUntil = time.Unix(until, 0).UTC()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.departures) >= maxCalendarEntries {
		clear(c.departures)
	}
	c.departures[key] = remembered[Departure]{second, until, d}
	return d, nil
}

// Collection answers for an order that comes at now, like Departure. The time is
// rounded up to a quarter of an hour, and lies within opening hours.
func (c *Calendar) Collection(l *network.Location, backlog int64, now time.Time) (Collection, error) {
	key := collectionKey{l, roundBacklog(backlog)}
	second := now.Unix()
	c.mu.RLock()
	r, ok := c.collections[key]
	c.mu.RUnlock()
	if ok && r.from <= second && second < r.until {
		return r.answer, nil
	}
	busy := delayed(l, key.backlog)
	ready, err := collect(busy, now)
	if err != nil {
		return Collection{}, err
	}
	until := firstChange(second, ready.Unix()+1, 0, func(t int64) bool {
		later, err := collect(busy, time.Unix(t, 0))
		return err != nil || later.After(ready)
	})
	answer := Collection{Ready: ready.UTC(), ValidUntil: time.Unix(until, 0).UTC()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.collections) >= maxCalendarEntries {
		clear(c.collections)
	}
	c.collections[key] = remembered[Collection]{second, until, answer}
	return answer, nil
}

// departure asks the location, then waits for a day on which both work. Orders
// are dated by the second in which they come, so that answers change at seconds.
func departure(l *network.Location, service string, carrier *Workdays, t time.Time) (Departure, error) {
	zone, err := network.LoadZone(l.TimeZone)
	if err != nil {
		return Departure{}, err
	}
	ships, err := l.ShipDate(t.Truncate(time.Second), service)
	if err != nil {
		return Departure{}, err
	}
	for last := ships + maxIdleDays; ; {
		if carrier.Works(ships) {
			return Departure{Ships: ships, ShipBy: endOf(ships, zone)}, nil
		}
		opens, err := l.NextOpen((ships + 1).Start(zone))
		if err != nil {
			return Departure{}, err
		}
		if ships = network.DateOf(opens.In(zone).Date()); ships > last {
			return Departure{}, network.ErrNeverOpen
		}
	}
}

func collect(l *network.Location, t time.Time) (time.Time, error) {
	ready, err := l.Ready(t.Truncate(time.Second))
	if err != nil {
		return time.Time{}, err
	}
	if rounded := ready.Truncate(readyStep); rounded.Before(ready) {
		ready = rounded.Add(readyStep)
	}
	return l.NextOpen(ready)
}

// firstChange returns the first second after from at which changed is true. It is
// false at from, true at latest, and never goes back. The guess, when right, saves the search.
func firstChange(from, latest, guess int64, changed func(int64) bool) int64 {
	if from < guess && guess <= latest && changed(guess) && !changed(guess-1) {
		return guess
	}
	low, high := from, max(latest, from+1)
	for high-low > 1 {
		middle := low + (high-low)/2
		if changed(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// hint guesses that the cut-off of the ship date ends the answer.
func hint(l *network.Location, service string, ships network.Date) int64 {
	cutoff, ok := l.CutoffFor(service)
	zone, err := network.LoadZone(l.TimeZone)
	if !ok || err != nil {
		return 0
	}
	// On a day with a change of the clocks the guess may be an hour off; then it is not right.
	return ships.Start(zone).Unix() + int64(cutoff)*60 + 1
}

// delayed is the location with a queue before it.
func delayed(l *network.Location, backlog int64) *network.Location {
	if backlog == 0 {
		return l
	}
	busy := *l
	busy.ProcessingMinutes = min(busy.ProcessingMinutes+backlog, network.MaxProcessingMinutes)
	return &busy
}

func roundBacklog(minutes int64) int64 {
	minutes = min(max(minutes, 0), network.MaxProcessingMinutes)
	return (minutes + backlogStep - 1) / backlogStep * backlogStep
}

// endOf is the first instant after a date.
func endOf(d network.Date, zone *time.Location) time.Time { return (d + 1).Start(zone).UTC() }
