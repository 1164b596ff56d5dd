package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/network"
)

const (
	// workdayMinutes is how long a location with a capacity per day is taken to work on it.
	workdayMinutes = 8 * 60
	// queueStep is what the length of a queue is told in, minutes, rounded up, so that
	// dates do not move with every order.
	queueStep = 15
)

// queuesEvery is how long queues stay as they are, so that they are in the log now and then and not with every order.
const queuesEvery = 30 * time.Second

// queues is the work that waits at each location, in minutes of its opening hours. It
// never changes. A location without a capacity is taken to keep up, and has none.
//
// What decisions read is in the log before they read it, and they name its version: a replay must date as they did. Each
// node counts for itself; its versions are milliseconds, so that no two nodes give the same one to different queues.
type queues struct {
	minutes map[string]int64
	version int64
	name    string // as decisions name it
}

// of is the queue of a location.
func (q *queues) of(location string) int64 {
	if q == nil {
		return 0
	}
	return q.minutes[location]
}

func newQueues(version int64, minutes map[string]int64) *queues {
	return &queues{minutes, version, fmt.Sprintf("%s@%d", LearnedQueues, version)}
}

// readQueues reads what keepQueues wrote.
func readQueues(version int64, state []byte) (*queues, error) {
	var minutes map[string]int64
	if err := jsonenc.Unmarshal(state, &minutes); err != nil {
		return nil, fmt.Errorf("reading the queues of version %d: %w", version, err)
	}
	return newQueues(version, minutes), nil
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

// keepQueues puts the queues in force that follow from how many fulfillments wait where, once they are in the log. The caller
// holds nothing that a command may wait for.
func (e *Engine) keepQueues(ctx context.Context, waiting map[string]int64) {
	next := map[string]int64{}
	d := e.Directory()
	for location, n := range waiting {
		if l, ok := d.Location(location); ok {
			if m := minutes(l, n); m > 0 {
				next[location] = m
			}
		}
	}
	was, now := e.queues.Load(), e.Now()
	if was == nil && len(next) == 0 || was != nil && maps.Equal(was.minutes, next) {
		return
	}
	if was != nil && now.Sub(time.UnixMilli(was.version)) < queuesEvery || !e.keeping.CompareAndSwap(false, true) {
		return // the next look does it
	}
	defer e.keeping.Store(false)
	q := newQueues(now.UnixMilli(), next)
	state, err := json.Marshal(q.minutes)
	if err != nil {
		panic(err) // numbers by text
	}
	key := learnedVersionKey(LearnedQueues, q.version)
	_, err = e.Submit(ctx, &Command{Stream: key, Actor: "queues", Decide: func(tx *Tx) (*Reply, error) {
		if tx.Entry(key) != nil {
			return nil, ErrVersion // of another node
		}
		return &Reply{}, tx.archive(&learnedRecord{ID: LearnedQueues, Version: q.version, At: tx.Now, State: state})
	}})
	if err != nil {
		if !errors.Is(err, ErrClosed) && ctx.Err() == nil {
			e.log.Warn("could not write down what waits at locations; it is tried again", "error", err)
		}
		return
	}
	e.decide.Lock()
	defer e.decide.Unlock()
	e.queues.Store(q)
}
