package experiment

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/stats"
)

// Metrics. Each is one number per order; a group's figure is their mean.
const (
	Cost        = "cost"         // what an order's shipments cost, minor units; in the shadow, what they are expected to
	Shipments   = "shipments"    // how many there were
	PromiseKept = "promise_kept" // 1 when everything arrived by the first promise, else 0
	Cancelled   = "cancelled"    // the part of the units that was cancelled
	Touches     = "touches"      // how often a person was needed
	PromiseDays = "promise_days" // from the order to its promise; in the shadow only
)

var (
	shareMetrics  = []string{Cost, Shipments, PromiseKept, Cancelled, Touches}
	shadowMetrics = []string{Cost, Shipments, PromiseDays}
)

// Metrics are those of a mode; nil of none that there is.
func Metrics(mode string) []string {
	switch mode {
	case Share:
		return shareMetrics
	case Shadow:
		return shadowMetrics
	}
	return nil
}

// Outcome is what a finished order came to.
type Outcome struct {
	Cost      int64 // of the shipments that left
	Shipments int64 // that left
	Promised  bool  // there was a promise for all units
	Kept      bool  // the first one was kept
	Units     int64
	Cancelled int64 // of them
	Touches   int64
}

// Tally is what the orders of one group came to.
type Tally struct {
	Captured int64 `json:"captured"` // orders in the group
	Finished int64 `json:"finished"` // of them, those delivered or cancelled
	// Cost and Shipments are of orders of which anything left; PromiseKept of those with a promise; the others of all that finished.
	Cost        stats.Group `json:"cost"`
	Shipments   stats.Group `json:"shipments"`
	PromiseKept stats.Group `json:"promise_kept"`
	Cancelled   stats.Group `json:"cancelled"`
	Touches     stats.Group `json:"touches"`
}

// Finish counts an order that is delivered or cancelled. Once per order.
func (t *Tally) Finish(o *Outcome) {
	t.Finished++
	if o.Shipments > 0 {
		t.Cost.Add(float64(o.Cost))
		t.Shipments.Add(float64(o.Shipments))
	}
	if o.Promised {
		kept := 0.0
		if o.Kept {
			kept = 1
		}
		t.PromiseKept.Add(kept)
	}
	if o.Units > 0 {
		t.Cancelled.Add(float64(o.Cancelled) / float64(o.Units))
	}
	t.Touches.Add(float64(o.Touches))
}

func (t *Tally) metric(name string) stats.Group {
	switch name {
	case Cost:
		return t.Cost
	case Shipments:
		return t.Shipments
	case PromiseKept:
		return t.PromiseKept
	case Cancelled:
		return t.Cancelled
	}
	return t.Touches
}

// Pair is a metric of the same orders as both policies have it.
type Pair struct {
	Incumbent  stats.Group `json:"incumbent"`
	Challenger stats.Group `json:"challenger"`
	Difference stats.Group `json:"difference"` // challenger − incumbent, order by order
}

func (p *Pair) add(incumbent, challenger float64) {
	p.Incumbent.Add(incumbent)
	p.Challenger.Add(challenger)
	p.Difference.Add(challenger - incumbent)
}

// Compared is what the challenger would have done, beside what was decided.
type Compared struct {
	Orders int64 `json:"orders"`
	// Same are orders where both choose the same locations; Worse and Better those of which the challenger would have left more
	// or fewer units with nobody, which are compared in nothing else.
	Same        int64 `json:"same"`
	Worse       int64 `json:"worse"`
	Better      int64 `json:"better"`
	Cost        Pair  `json:"cost"`
	Shipments   Pair  `json:"shipments"`
	PromiseDays Pair  `json:"promise_days"` // of orders that both promise
}

// Add counts one order.
func (c *Compared) Add(x *order.Compared, placedAt time.Time) {
	c.Orders++
	a, b := &x.Incumbent, &x.Challenger
	switch {
	case b.Unplaced > a.Unplaced:
		c.Worse++
		return
	case b.Unplaced < a.Unplaced:
		c.Better++
		return
	}
	if slices.Equal(a.Locations, b.Locations) {
		c.Same++
	}
	c.Cost.add(float64(a.Cost), float64(b.Cost))
	c.Shipments.add(float64(a.Shipments), float64(b.Shipments))
	if !a.DeliverBy.IsZero() && !b.DeliverBy.IsZero() {
		days := func(at time.Time) float64 { return at.Sub(placedAt).Hours() / 24 }
		c.PromiseDays.add(days(a.DeliverBy), days(b.DeliverBy))
	}
}

func (c *Compared) metric(name string) *Pair {
	switch name {
	case Cost:
		return &c.Cost
	case Shipments:
		return &c.Shipments
	}
	return &c.PromiseDays
}

// Counts is everything that was counted of one experiment.
type Counts struct {
	Incumbent  Tally    `json:"incumbent"`
	Challenger Tally    `json:"challenger"`
	Compared   Compared `json:"compared"`
}

// Of is the tally of a group.
func (c *Counts) Of(group string) *Tally {
	if group == order.GroupChallenger {
		return &c.Challenger
	}
	return &c.Incumbent
}
