// Package kpi measures how orders went: a dictionary of measures with exact definitions, and
// the counters that they are calculated from.
//
// A Case follows one order through its events, and says to Counters what is to be counted
// when. Counters are sums by day, channel, location and currency: the order in which orders
// are counted does not matter, Counters of parts of a log add up to those of the
// whole (Add), and a Case that is dropped and rebuilt from the order's events counts what
// follows as if it had been kept. Durations are kept as sketches whose quantiles are off by at
// most MaxQuantileError. A Definition says what a KPI means and which counters it divides;
// Ask calculates all of them from one table, so none can mean one thing here and another there.
//
// It promises: the same events give the same counters, whoever counts them and however often
// the count was stopped and taken up again; memory is bounded (RetentionDays, MaxEntries, MaxKeys), and
// what a bound takes away is the detail of old days, never a total of a day that is kept.
//
// It does not predict, compare with targets, keep single orders, or read a clock. Days are
// those of UTC. Amounts of different currencies are never added up.
package kpi

import (
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// Limits of Counters.
const (
	// RetentionDays is how many days are kept, the newest one included.
	RetentionDays = 400
	// DetailDays is how many of them tell locations apart; in older ones all locations are counted as Everywhere.
	DetailDays = 35
	// MaxEntries bounds the numbers kept, about 8 bytes each. Beyond it the oldest days with locations
	// lose them, and then the oldest days go.
	MaxEntries = 4_000_000
	// MaxKeys bounds the reasons, types and causes of one kind that are told apart; further ones are OtherKey.
	MaxKeys = 200
	// MaxKeyBytes is how much of a reason is kept.
	MaxKeyBytes = 80
)

const (
	// Everywhere is the location of days older than DetailDays.
	Everywhere = "*"
	// Nowhere is the location of orders that no location has had units of.
	Nowhere = ""
	// OtherKey is what reasons beyond MaxKeys are counted as.
	OtherKey = "(other)"
	// NoKey is a reason or cause that was not given.
	NoKey = "(none)"
)

// DayOf returns the day of a moment, in UTC.
func DayOf(t time.Time) network.Date {
	year, month, day := t.UTC().Date()
	return network.DateOf(year, month, day)
}

// count is something that is added up.
type count uint8

// The counts. Their names are stored: add at the end of the list, never rename.
const (
	ordersCaptured count = iota
	ordersLeft           // of those captured on the day, how many are no longer to be worked on
	ordersDecided
	ordersBackordered
	unitsDecided
	unitsPlacedAtOnce
	ordersShipped
	ordersSplit
	shipments
	shippingCost
	ordersCompleted
	ordersDelivered
	ordersCancelled
	ordersServed
	ordersPromised
	ordersKept
	ordersKeptLast
	ordersMoved
	ordersInFull
	ordersOnTimeInFull
	ordersPerfect
	ordersUntouched
	touchesCompleted
	touchSecondsCompleted
	unitsWanted
	unitsDelivered
	fulfillmentsCreated
	unitsRejected
	unitsPicked
	unitsShort
	unitsShipped
	unitsLost
	unitsReturned
	touches
	touchSeconds
	exceptionsOpened
	holdsPlaced
	unitsCancelled
	events
	counts
)

var countNames = [counts]string{
	"orders_captured", "orders_left", "orders_decided", "orders_backordered", "units_decided", "units_placed_at_once",
	"orders_shipped", "orders_split", "shipments", "shipping_cost", "orders_completed", "orders_delivered", "orders_cancelled",
	"orders_served", "orders_promised", "orders_kept", "orders_kept_last", "orders_moved", "orders_in_full", "orders_on_time_in_full", "orders_perfect",
	"orders_untouched", "touches_completed", "touch_seconds_completed", "units_wanted", "units_delivered",
	"fulfillments_created", "units_rejected", "units_picked", "units_short", "units_shipped", "units_lost", "units_returned",
	"touches", "touch_seconds", "exceptions_opened", "holds_placed", "units_cancelled", "events",
}

func (c count) String() string { return countNames[c] }

// kind is what keys of a counted thing are of.
type kind uint8

// The kinds. Their names are stored.
const (
	byEvent kind = iota
	byCancelReason
	byRejectReason
	byExceptionType
	byTouchCause
	byTouchAction
	byHoldType
	kinds
)

var kindNames = [kinds]string{"event", "cancel_reason", "reject_reason", "exception_type", "touch_cause", "touch_action", "hold_type"}

func (k kind) String() string { return kindNames[k] }

// stage is a duration that is measured.
type stage uint8

// The stages. Their names are stored.
const (
	placedToSourced stage = iota
	sourcedToAccepted
	acceptedToPicked
	pickedToPacked
	packedToShipped
	shippedToDelivered
	packedToReady
	readyToCollected
	placedToDelivered
	heldTime
	exceptionTime
	stages
)

var stageNames = [stages]string{
	"placed_to_sourced", "sourced_to_accepted", "accepted_to_picked", "picked_to_packed", "packed_to_shipped", "shipped_to_delivered",
	"packed_to_ready", "ready_to_collected", "placed_to_delivered", "hold_time", "exception_time",
}

func (s stage) String() string { return stageNames[s] }
