package network

import (
	"sync"
	"time"
	_ "time/tzdata" // for machines without a zone database
)

// zones keeps loaded zones by name; it cannot outgrow the zone database.
var zones sync.Map // string -> *time.Location

// LoadZone returns the IANA zone of a name. "" and "Local" are refused, because
// what they mean depends on the machine.
func LoadZone(name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	if name == "" || name == "Local" {
		return nil, errZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errZone
	}
	zones.Store(name, zone)
	return zone, nil
}

// which of two instants a wall clock time stands for when clocks are put back.
type which bool

const (
	earliest which = false
	latest   which = true
)

// day converts wall clock times of one date in one zone to instants. Most days
// have one offset from UTC, found once; on and around a day with a change of
// offset each time is looked at by itself.
type day struct {
	zone          *time.Location
	midnight      int64 // of the date as if in UTC, Unix seconds
	before, after int64 // offsets from UTC well before and well after the day, seconds
}

// newDay prepares the conversion. The margin of 25 h on both sides covers
// every offset from UTC; no zone has changed its offset twice within such a time.
func newDay(d Date, zone *time.Location) day {
	const margin = 25 * 60 * 60
	midnight := int64(d) * secondsPerDay
	return day{
		zone:     zone,
		midnight: midnight,
		before:   offset(zone, midnight-margin),
		after:    offset(zone, midnight+secondsPerDay+margin),
	}
}

// offset is the zone's distance from UTC at an instant, in seconds.
func offset(zone *time.Location, unix int64) int64 {
	_, seconds := time.Unix(unix, 0).In(zone).Zone()
	return int64(seconds)
}

// instant returns the Unix second at which the wall clock shows c. When clocks
// are put back over c it comes twice, and w chooses. When clocks are put forward
// over c it never comes, and the instant of the change stands for it.
func (d day) instant(c Clock, w which) int64 {
	wall := d.midnight + int64(c)*60
	if d.before == d.after {
		return wall - d.before
	}
	first, second := wall-d.before, wall-d.after
	firstComes, secondComes := offset(d.zone, first) == d.before, offset(d.zone, second) == d.after
	switch {
	case firstComes && secondComes && w == latest:
		return max(first, second)
	case firstComes && secondComes:
		return min(first, second)
	case firstComes:
		return first
	case secondComes:
		return second
	}
	change, _ := time.Unix(first, 0).In(d.zone).ZoneBounds()
	return change.Unix()
}
