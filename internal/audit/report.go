package audit

import (
	"fmt"
	"time"
)

// maxExamples bounds the violations that a check tells in words; all are counted.
const maxExamples = 5

// Check is the result of checking one invariant. Number is its number in the
// list of invariants, which docs/verify.md repeats.
type Check struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Unit   string `json:"unit"` // of LookedAt
	// LookedAt counts the things the invariant was checked on. 0: the store has none.
	LookedAt   int64 `json:"looked_at"`
	Violations int64 `json:"violations"`
	// First are the first violations in words, at most five.
	First []string `json:"first,omitempty"`
	// Notes are no violations: what could not be looked at, or is worth knowing.
	Notes []string `json:"notes,omitempty"`
}

// add counts a violation and keeps its words while there is room.
func (c *Check) add(format string, args ...any) {
	c.Violations++
	if len(c.First) < maxExamples {
		c.First = append(c.First, fmt.Sprintf(format, args...))
	}
}

func (c *Check) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// Unchecked is an invariant that no look at a store can decide, or of something
// this version does not do.
type Unchecked struct {
	Number int    `json:"number"`
	Why    string `json:"why"`
}

// Report is the outcome of an audit.
type Report struct {
	// OK says that every check ran to its end and found no violation.
	OK bool `json:"ok"`
	// Heads is the last log sequence of each bucket in the state that was audited.
	Heads []int64 `json:"heads"`
	// Newest is the time of the newest row of the log, which is the time the audit goes by.
	Newest time.Time `json:"newest,omitzero"`
	Checks []*Check  `json:"checks"`
	// Incomplete says why the audit ended before its end. What it did not look at counts as wrong.
	Incomplete string      `json:"incomplete,omitempty"`
	Unchecked  []Unchecked `json:"unchecked"`
}

// checks are the results by what they are about, in the order of their numbers.
type checks struct {
	conservation, projection, buckets, oversell, leaks    Check
	endsOnce, wholeOrNothing, expiry                      Check
	picked, ranges, unique, partition, edges, liveness    Check
	cancelledOrShipped, locations, sums, fulfillments     Check
	atomicity, sequences, answers, timers, replay, device Check
	trail                                                 Check
	authorized, onceOnly, settled, refunds                Check
	hanging, unknowns                                     Check
}

func newChecks() *checks {
	return &checks{
		conservation:       Check{Number: 1, Name: "every movement has two sides; each SKU's accounts sum to zero", Unit: "movements"},
		projection:         Check{Number: 2, Name: "positions are the sum of their journal, which has no gaps", Unit: "positions"},
		buckets:            Check{Number: 3, Name: "no counter of a position is negative, at any time", Unit: "movements"},
		oversell:           Check{Number: 4, Name: "no unit was promised that was not free, at any time", Unit: "takes"},
		leaks:              Check{Number: 5, Name: "reserved and allocated units belong to a reservation or a fulfillment", Unit: "positions"},
		endsOnce:           Check{Number: 6, Name: "a reservation ends at most once", Unit: "reservations"},
		wholeOrNothing:     Check{Number: 7, Name: "a reservation holds everything unless less was asked for", Unit: "reservations"},
		expiry:             Check{Number: 9, Name: "no hold ends before its expiry or outlives it", Unit: "reservations"},
		picked:             Check{Number: 10, Name: "shipped ≤ packed ≤ picked ≤ quantity, returned ≤ shipped", Unit: "fulfillment lines"},
		ranges:             Check{Number: 15, Name: "quantities and amounts are within their bounds", Unit: "values"},
		unique:             Check{Number: 16, Name: "an order exists once per channel and external id", Unit: "orders"},
		partition:          Check{Number: 17, Name: "line quantities add up after every command", Unit: "commands"},
		edges:              Check{Number: 18, Name: "fulfillments only took published steps; ended orders stay ended", Unit: "steps"},
		liveness:           Check{Number: 19, Name: "every order that is not final waits for something that comes", Unit: "orders"},
		cancelledOrShipped: Check{Number: 20, Name: "no unit is both cancelled and shipped", Unit: "lines"},
		locations:          Check{Number: 21, Name: "fulfillments are at locations that exist", Unit: "fulfillments"},
		sums:               Check{Number: 23, Name: "an order's amounts add up to its total", Unit: "orders"},
		fulfillments:       Check{Number: 25, Name: "no unit is in two fulfillments", Unit: "lines"},
		authorized:         Check{Number: 26, Name: "captured and voided ≤ authorized, for each authorization, at any time", Unit: "authorizations"},
		onceOnly:           Check{Number: 27, Name: "payment operations are numbered, each with one id and amount", Unit: "operations"},
		settled:            Check{Number: 28, Name: "what is due was asked for; what was delivered is captured", Unit: "orders"},
		refunds:            Check{Number: 29, Name: "refunded ≤ captured, for each capture; no refund is paid twice", Unit: "captures"},
		hanging:            Check{Number: 30, Name: "nothing stays authorized of an order that is final and paid", Unit: "orders"},
		unknowns:           Check{Number: 31, Name: "an operation without an answer is asked for, or a person was", Unit: "operations"},
		atomicity:          Check{Number: 34, Name: "events, records and movements tell the same story", Unit: "log rows"},
		sequences:          Check{Number: 37, Name: "log and streams count without gaps", Unit: "log rows"},
		answers:            Check{Number: 38, Name: "remembered answers are whole", Unit: "answers"},
		timers:             Check{Number: 41, Name: "timers fire", Unit: "timers"},
		replay:             Check{Number: 44, Name: "replaying the log gives the stored documents, byte for byte, twice", Unit: "documents"},
		device:             Check{Number: 48, Name: "the database's own checks find nothing", Unit: "tests"},
		trail:              Check{Number: 54, Name: "every log row says who, when and by which command", Unit: "log rows"},
	}
}

func (c *checks) list() []*Check {
	return []*Check{
		&c.conservation, &c.projection, &c.buckets, &c.oversell, &c.leaks, &c.endsOnce, &c.wholeOrNothing, &c.expiry,
		&c.picked, &c.ranges, &c.unique, &c.partition, &c.edges, &c.liveness, &c.cancelledOrShipped, &c.locations, &c.sums,
		&c.fulfillments, &c.authorized, &c.onceOnly, &c.settled, &c.refunds, &c.hanging, &c.unknowns, &c.atomicity, &c.sequences, &c.answers, &c.timers, &c.replay, &c.device, &c.trail,
	}
}

// unchecked are the invariants that this audit does not decide.
var unchecked = []Unchecked{
	{8, "linearizability shows in the order of answers, not in the store"},
	{11, "needs the feeding system's own stock to compare with"},
	{12, "needs answers to availability questions; buffers are not stored with what they shaped"},
	{13, "transfers are not built"},
	{14, "serial numbers and lots are not built"},
	{22, "notifications and exceptions are not built"},
	{24, "a lost update shows in the requests, not in the store"},
	{32, "needs the providers' reports; see POST /v1/payment-providers/{id}/reconciliations"},
	{33, "card numbers are refused in every text of a payment; the files are not searched for them"},
	{35, "needs what the receivers got"}, {36, "needs what the receivers got"},
	{39, "needs the messages in another order"}, {40, "needs load"},
	{42, "needs a paused node"}, {43, "sagas are not built"},
	{45, "needs logs of other versions"},
	{46, "needs what was acknowledged, and a crash"}, {47, "needs a crash"}, {49, "needs a failing device"},
	{50, "needs a restore"}, {51, "needs a store of another version"}, {52, "needs time"},
	{53, "needs the readers' answers"},
	{55, "the log has no hash chain"},
	{56, "needs a twin run"}, {57, "is about the API"}, {58, "erasure is not built"}, {59, "is about logs and answers"}, {60, "is about exports"},
}
