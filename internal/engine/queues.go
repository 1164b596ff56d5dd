package engine

import (
	"maps"

	"github.com/orderly-oms/orderly/internal/network"
)

const (
	// workdayMinutes is how long a location with a capacity per day is taken to work on it.
	workdayMinutes = 8 * 60
	// queueStep is what the length of a queue is told in, minutes, rounded up, so that
	// dates do not move with every order.
	queueStep = 15
)

// queues is the work that waits at each location, in minutes of its opening hours. It
// never changes. A location without a capacity is taken to keep up, and has none.
type queues map[string]int64

// of is the queue of a location.
func (q *queues) of(location string) int64 {
	if q == nil {
		return 0
	}
	return (*q)[location]
}

// minutes is how long a location takes for so many fulfillments.
func minutes(l *network.Location, fulfillments int64) int64 {
	var n int64
	switch c := &l.Capacity; {
	case c.OrdersPerHour != nil && *c.OrdersPerHour > 0:
		n = fulfillments * 60 / *c.OrdersPerHour
	case c.OrdersPerDay != nil && *c.OrdersPerDay > 0:
		n = fulfillments * workdayMinutes / *c.OrdersPerDay
	}
	return min((n+queueStep-1)/queueStep*queueStep, network.MaxProcessingMinutes)
}

// setQueues publishes the queues that follow from how many fulfillments wait where;
// the value stays the same as long as no queue changes.
func (e *Engine) setQueues(waiting map[string]int64) {
	next := queues{}
	d := e.Directory()
	for location, n := range waiting {
		if l, ok := d.Location(location); ok {
			if m := minutes(l, n); m > 0 {
				next[location] = m
			}
		}
	}
	if was := e.queues.Load(); was == nil || !maps.Equal(*was, next) {
		e.queues.Store(&next)
	}
}
