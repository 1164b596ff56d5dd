package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/promise"
)

// LookAtLog is one look of the worker that learns.
func (e *Engine) LookAtLog(ctx context.Context) { e.learning.run(ctx) }

// KeptInTime is the learned share of deliveries that come by the calendar's deadline.
func (e *Engine) KeptInTime(k promise.Key) float64 { return e.lore().delays().Probability(k, 0, 1) }

// StageCurve is what was learned of a stage at a location.
func (e *Engine) StageCurve(location string, s promise.Stage) *promise.Curve {
	return e.lore().stages().Curve(location, s)
}

// ParcelsUnderWay is how many parcels this node's learner follows.
func (e *Engine) ParcelsUnderWay() int {
	for _, s := range e.learning.studies {
		if d, ok := s.learner.(*delayLearner); ok {
			return len(d.parcels)
		}
	}
	return 0
}

// Bounds of what is followed one by one.
const (
	MaxParcels = maxParcels
	MaxWork    = maxWork
)

// FillDelayLearner lets a learner observe more work and parcels than it follows, and returns how many it does.
func FillDelayLearner(beyond int) (parcels, work int) {
	d := newDelayLearner()
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	f := order.Fulfillment{Location: "L", Method: order.Ship, Service: "c/s", Promise: order.Promise{Calendar: at}}
	for i := range maxWork + beyond {
		d.begin(fmt.Sprint(i), "L", at)
	}
	for i := range maxParcels + beyond {
		d.send(fmt.Sprint(i), &f)
	}
	return len(d.parcels), len(d.works)
}

// Observed is how many commands on orders this node's history observed.
func (e *Engine) Observed() int64 { return e.learning.studies[0].observed }
