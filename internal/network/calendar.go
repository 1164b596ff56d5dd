package network

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of a calendar.
const (
	MaxIntervalsPerDay = 8
	MaxExceptions      = 1000
)

// Interval is a time of one day during which a location is open, from Opens
// until just before Closes on the wall clock of the location. Hours past midnight
// are two intervals: until "24:00", and from "00:00" on the next day.
type Interval struct {
	Opens  Clock `json:"opens"`
	Closes Clock `json:"closes"`
}

// Week is the usual hours, by day of the week; a day without intervals is closed.
type Week struct {
	Monday    []Interval `json:"monday,omitempty"`
	Tuesday   []Interval `json:"tuesday,omitempty"`
	Wednesday []Interval `json:"wednesday,omitempty"`
	Thursday  []Interval `json:"thursday,omitempty"`
	Friday    []Interval `json:"friday,omitempty"`
	Saturday  []Interval `json:"saturday,omitempty"`
	Sunday    []Interval `json:"sunday,omitempty"`
}

// weekdays in the order of the working week, as texts and reports list them.
var weekdays = [7]time.Weekday{
	time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday,
}

// weekdayNames are the JSON names, indexed by time.Weekday.
var weekdayNames = [7]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// On returns where the intervals of a weekday are kept.
func (w *Week) On(d time.Weekday) *[]Interval {
	return [7]*[]Interval{
		&w.Sunday, &w.Monday, &w.Tuesday, &w.Wednesday, &w.Thursday, &w.Friday, &w.Saturday,
	}[d]
}

// Exception replaces the usual hours on one date. Either Closed or Hours.
type Exception struct {
	Date   Date       `json:"date"`
	Closed bool       `json:"closed,omitempty"`
	Hours  []Interval `json:"hours,omitempty"`
}

// Calendar says when a location works, on its own wall clock.
type Calendar struct {
	Hours      Week        `json:"hours"`
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// Validate reports every interval and exception that is wrong, and a calendar
// that never opens.
func (c *Calendar) Validate() error {
	var v problem.Invalid
	opens := false
	for _, d := range weekdays {
		intervals := *c.Hours.On(d)
		checkIntervals(&v, "hours."+weekdayNames[d], intervals)
		opens = opens || len(intervals) > 0
	}
	v.Count("exceptions", len(c.Exceptions), MaxExceptions)
	seen := make(map[Date]bool, len(c.Exceptions))
	for i, e := range c.Exceptions {
		at := problem.At("exceptions", i)
		switch {
		case e.Date == 0:
			v.Add(at+".date", problem.Required, "is required")
		case e.Date < 0:
			v.Add(at+".date", problem.Malformed, "is not a date like 2026-12-24")
		case seen[e.Date]:
			v.Add(at+".date", problem.Duplicate, "%s is listed twice", e.Date)
		}
		seen[e.Date] = true
		if e.Closed == (len(e.Hours) > 0) {
			v.Add(at+".hours", problem.Conflict, "an exception is either closed or has hours")
		}
		checkIntervals(&v, at+".hours", e.Hours)
		opens = opens || len(e.Hours) > 0
	}
	if !opens {
		v.Add("hours", problem.Required, "never opens; leave the calendar out for always open, or suspend the location")
	}
	return v.Err()
}

// checkIntervals wants intervals in order, apart from each other.
func checkIntervals(v *problem.Invalid, pointer string, intervals []Interval) {
	v.Count(pointer, len(intervals), MaxIntervalsPerDay)
	last := Clock(0)
	for i, in := range intervals {
		at := problem.At(pointer, i)
		if !in.Opens.Valid() {
			v.Add(at+".opens", problem.Malformed, "must be a time of day from 00:00 to 24:00")
		}
		if !in.Closes.Valid() {
			v.Add(at+".closes", problem.Malformed, "must be a time of day from 00:00 to 24:00")
		}
		if !in.Opens.Valid() || !in.Closes.Valid() {
			continue
		}
		if in.Opens >= in.Closes {
			v.Add(at, problem.OutOfRange, "closes at %s, not after it opens at %s; hours past midnight are two intervals, until 24:00 and from 00:00", in.Closes, in.Opens)
		} else if in.Opens < last {
			v.Add(at, problem.Conflict, "begins at %s, before the one listed ahead of it ends", in.Opens)
		}
		last = max(last, in.Closes)
	}
}

// wholeDay is the hours of a location without a calendar.
var wholeDay = []Interval{{Opens: 0, Closes: EndOfDay}}

// on returns the intervals of a date. A nil calendar is always open.
func (c *Calendar) on(d Date) []Interval {
	if c == nil {
		return wholeDay
	}
	if i := slices.IndexFunc(c.Exceptions, func(e Exception) bool { return e.Date == d }); i >= 0 {
		return c.Exceptions[i].Hours
	}
	return *c.Hours.On(d.Weekday())
}
