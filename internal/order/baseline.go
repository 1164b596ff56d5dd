package order

import (
	"fmt"
	"time"
)

// EventBaseline books what the pinned baseline policy would have decided beside what was decided, the first time
// that locations were looked for. It changes nothing but the order's Baseline.
const EventBaseline = "order.baseline"

// Baseline is what the pinned baseline would have done with an order beside what was done with it.
type Baseline struct {
	// Pin is the version of the baseline that was asked: what it states of costs counts for the order.
	Pin int64     `json:"pin"`
	At  time.Time `json:"at"`
	// Units are those that were to be placed.
	Units int64 `json:"units"`
	// Would is the baseline's decision, Did the one that was made, both on the facts of the same moment.
	Would Opinion `json:"would"`
	Did   Opinion `json:"did"`
}

func (o *Order) applyBaseline(e *Event) error {
	if e.Baseline == nil {
		return fmt.Errorf("order: %s without its baseline", e.Type)
	}
	b := *e.Baseline
	o.Baseline = &b
	return nil
}
