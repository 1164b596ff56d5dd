// Package plant is a list of bugs that an order management system can have, each of which can be
// put into this one on purpose, to show that the simulator and the tests would find it.
//
// A program built without the tag "plants" has none of them: On is false there at compile
// time, and the code behind it is left out. Built with the tag, exactly one bug can be in
// force at a time: the one that the variable ORDERLY_PLANT names, or the last one given to Set.
// The places of the bugs are one-line conditions in the code that would have them; what
// the code does without the bug is written beside it.
//
// It does not say what finds a bug: the test of this package does, and it fails when nothing does.
// docs/simulation.md has the figures.
package plant

import "slices"

// Bug is one of Bugs.
type Bug string

// Stock.
const (
	// CheckThenAct: a node looks whether there is enough, and commits without a guard that there still is.
	CheckThenAct Bug = "check-then-act"
	// DoubleRelease: an order that claims a reservation gives back what it takes along, too.
	DoubleRelease Bug = "double-release"
	// ExpiryKeepsStock: a reservation expires and its units stay reserved.
	ExpiryKeepsStock Bug = "expiry-keeps-stock"
	// MovementTwice: a movement is entered once and applied twice.
	MovementTwice Bug = "movement-twice"
	// ShortPickKeepsStock: units that were not found stay allocated.
	ShortPickKeepsStock Bug = "short-pick-keeps-stock"
	// KitWithoutParts: of a kit only the first component moves.
	KitWithoutParts Bug = "kit-without-parts"
	// CountOverwrites: a count that arrives late undoes what moved since.
	CountOverwrites Bug = "count-overwrites"
	// StaleCount: a node applies a count to stock that another node has changed already.
	StaleCount Bug = "stale-count"
)

// Orders.
const (
	// CancelShipped: units that are picked, or have left, can be cancelled.
	CancelShipped Bug = "cancel-shipped"
	// HoldIgnored: what is sourced while a hold is in force is sent to its location at once.
	HoldIgnored Bug = "hold-ignored"
	// RefusedAskedAgain: a location that refused units is given them again.
	RefusedAskedAgain Bug = "refused-asked-again"
	// PromiseMovesSilently: the customer is not told of another date.
	PromiseMovesSilently Bug = "promise-moves-silently"
	// LateSwallowed: a shipment of what was taken back is answered as done, and nobody hears of it.
	LateSwallowed Bug = "late-swallowed"
	// StopAnsweredTwice: a request to stop stays open when it is answered.
	StopAnsweredTwice Bug = "stop-answered-twice"
	// OverReturn: units that are on one return can be put on another.
	OverReturn Bug = "over-return"
	// ReceiptTwice: goods that come back are booked again when the message about them comes again.
	ReceiptTwice Bug = "receipt-twice"
	// StaleAccepted: a command for an old version of an order is carried out.
	StaleAccepted Bug = "stale-accepted"
	// CentLost: what is divided over lines does not add up to what was divided.
	CentLost Bug = "cent-lost"
)

// Payments.
const (
	// CaptureNewID: a capture that a provider does not know of yet is asked for again under another id.
	CaptureNewID Bug = "capture-new-id"
	// UnknownIsFree: what a capture or void of unknown outcome may have taken of an authorization is taken again.
	UnknownIsFree Bug = "unknown-is-free"
	// RefundTwice: a refund that is under way is asked for once more.
	RefundTwice Bug = "refund-twice"
)

// Messages, commits and nodes.
const (
	// KeyIgnored: answers are not remembered under idempotency keys.
	KeyIgnored Bug = "key-ignored"
	// KeyForgotten: answers are forgotten while senders still repeat.
	KeyForgotten Bug = "key-forgotten"
	// DuplicateOrder: the channel's own id of an order is not unique.
	DuplicateOrder Bug = "duplicate-order"
	// EventLostOnCrash: state first, then the events, in two transactions.
	EventLostOnCrash Bug = "event-lost-on-crash"
	// AckBeforeDurable: an answer leaves although the commit failed.
	AckBeforeDurable Bug = "ack-before-durable"
	// UnknownIsFailure: a commit of unknown outcome is taken for one that failed.
	UnknownIsFailure Bug = "unknown-is-failure"
	// FailedCommitStays: memory keeps what a failed commit decided.
	FailedCommitStays Bug = "failed-commit-stays"
	// RefusalStays: memory keeps what a refused command did before it was refused.
	RefusalStays Bug = "refusal-stays"
	// StaleReadDecides: a node refuses because of what another node has changed already.
	StaleReadDecides Bug = "stale-read-decides"
	// CursorSkips: a node that follows the log passes over what another one committed before its own.
	CursorSkips Bug = "cursor-skips"
	// PoisonSwallowed: a message that cannot be delivered is dropped, with no trace.
	PoisonSwallowed Bug = "poison-swallowed"
	// WakeLost: an order that changes keeps the timer it had.
	WakeLost Bug = "wake-lost"
	// StockWakesNobody: stock that comes in is not told to those who wait for it.
	StockWakesNobody Bug = "stock-wakes-nobody"
	// TimerLostOnRestart: timers of before a restart do not fire.
	TimerLostOnRestart Bug = "timer-lost-on-restart"
)

// Bugs lists all of them.
var Bugs = []Bug{
	CheckThenAct, DoubleRelease, ExpiryKeepsStock, MovementTwice, ShortPickKeepsStock, KitWithoutParts, CountOverwrites, StaleCount,
	CancelShipped, HoldIgnored, RefusedAskedAgain, PromiseMovesSilently, LateSwallowed, StopAnsweredTwice, OverReturn, ReceiptTwice, StaleAccepted, CentLost,
	CaptureNewID, UnknownIsFree, RefundTwice,
	KeyIgnored, KeyForgotten, DuplicateOrder, EventLostOnCrash, AckBeforeDurable, UnknownIsFailure, FailedCommitStays, RefusalStays,
	StaleReadDecides, CursorSkips, PoisonSwallowed, WakeLost, StockWakesNobody, TimerLostOnRestart,
}

// Known reports whether there is such a bug.
func (b Bug) Known() bool { return slices.Contains(Bugs, b) }
