package network

import (
	"errors"
	"time"
)

// maxSearchDays bounds every search for a day on which a location works.
const maxSearchDays = 366

// Errors of the questions about time, to be tested with errors.Is.
var (
	// ErrNeverOpen: the location does not work enough within maxSearchDays.
	ErrNeverOpen = errors.New("the location does not open within 366 days")

	errZone = errors.New("not an IANA time zone")
)

// span is a time the location works, in Unix seconds, the end excluded.
type span struct{ opens, closes int64 }

// spans returns when the location works on a date, in order and without overlap.
// An interval begins at the first and ends at the last occurrence of its wall
// clock times, so an hour that comes twice is worked twice; of an interval in the
// gap when clocks are put forward nothing remains. The result is at most
// MaxIntervalsPerDay long and reuses buffer.
func (l *Location) spans(d Date, day day, buffer []span) []span {
	buffer = buffer[:0]
	for _, in := range l.Calendar.on(d) {
		end := latest
		if in.Closes == EndOfDay {
			end = earliest // midnight belongs to the next date, whose own hours follow
		}
		s := span{day.instant(in.Opens, earliest), day.instant(in.Closes, end)}
		if n := len(buffer); n > 0 && s.opens < buffer[n-1].closes {
			s.opens = buffer[n-1].closes
		}
		if s.opens < s.closes {
			buffer = append(buffer, s)
		}
	}
	return buffer
}

// walk calls visit with the working times of each date from the one of t until
// visit returns true or maxSearchDays have passed; then it returns ErrNeverOpen.
func (l *Location) walk(t time.Time, visit func(d Date, day day, spans []span) (done bool)) error {
	zone, err := LoadZone(l.TimeZone)
	if err != nil {
		return err
	}
	var buffer [MaxIntervalsPerDay]span
	first := DateOf(t.In(zone).Date())
	for d := first; d <= first+maxSearchDays; d++ {
		if len(l.Calendar.on(d)) == 0 {
			continue
		}
		day := newDay(d, zone)
		if spans := l.spans(d, day, buffer[:]); len(spans) > 0 && visit(d, day, spans) {
			return nil
		}
	}
	return ErrNeverOpen
}

// IsOpen reports whether the location works at t.
func (l *Location) IsOpen(t time.Time) bool {
	next, err := l.NextOpen(t)
	return err == nil && next.Equal(t)
}

// NextOpen returns t when the location works at t, else the next instant at
// which it opens. Returns ErrNeverOpen.
func (l *Location) NextOpen(t time.Time) (time.Time, error) {
	next, now := t, t.Unix()
	err := l.walk(t, func(_ Date, _ day, spans []span) bool {
		for _, s := range spans {
			if now < s.opens {
				next = time.Unix(s.opens, 0).In(t.Location())
				return true
			}
			if now < s.closes {
				return true
			}
		}
		return false
	})
	return next, err
}

// Ready returns when an order that comes at t is ready: after ProcessingMinutes
// of opening hours. Returns ErrNeverOpen.
func (l *Location) Ready(t time.Time) (time.Time, error) {
	processing := l.ProcessingMinutes * 60
	if processing == 0 {
		return l.NextOpen(t)
	}
	ready := t
	from := t.Add(time.Second - 1).Unix() // a second begun is not worked any more
	err := l.walk(t, func(_ Date, _ day, spans []span) bool {
		for _, s := range spans {
			worked := s.closes - max(s.opens, from)
			if worked >= processing {
				ready = time.Unix(s.closes-worked+processing, 0).In(t.Location())
				return true
			}
			processing -= max(worked, 0)
		}
		return false
	})
	return ready, err
}

// CutoffFor returns the last time of day at which an order for the service still
// ships the same day: the service's own cut-off, else the general one. Without
// either (ok false) orders ship until the location closes.
func (l *Location) CutoffFor(service string) (c Clock, ok bool) {
	for _, cutoff := range l.Cutoffs {
		if cutoff.Service == service {
			return cutoff.Time, true
		}
		if cutoff.Service == "" {
			c, ok = cutoff.Time, true
		}
	}
	return c, ok
}

// ShipDate returns the local date on which an order that comes at t leaves with
// the service: the first day the location works on which t is not past the
// cut-off (of a wall clock time that comes twice, the first) and on which the
// order is ready before the location closes. Returns ErrNeverOpen.
func (l *Location) ShipDate(t time.Time, service string) (Date, error) {
	ready, err := l.Ready(t)
	if err != nil {
		return 0, err
	}
	cutoff, hasCutoff := l.CutoffFor(service)
	var ships Date
	err = l.walk(t, func(d Date, day day, spans []span) bool {
		closes := time.Unix(spans[len(spans)-1].closes, 0)
		if ready.After(closes) || (hasCutoff && t.After(time.Unix(day.instant(cutoff, earliest), 0))) {
			return false
		}
		ships = d
		return true
	})
	return ships, err
}
