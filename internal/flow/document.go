// Package flow is the lifecycle of orders, fulfillments and returns as data: versioned YAML
// documents with states, events, guards, actions and timers, checked when they are saved.
//
// It promises that a document either compiles or is refused with problems that name state, line
// and column; that in a flow that compiles every state can be reached, every state that is not
// final has a way to a final one and a timer that leaves it or asks a person, and nothing in it
// can never happen; that the machine is a pure function of instance, event, facts and times, and
// says of every event whether it was taken, ignored on purpose, or missed.
//
// It does not carry actions out, know what the mechanics of an order allow (package order
// refuses what they do not), keep instances, read a clock, or store documents.
package flow

import (
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// The subjects of flows.
const (
	SubjectOrder       = "order"
	SubjectFulfillment = "fulfillment"
	SubjectReturn      = "return"
)

// Subjects lists them.
var Subjects = []string{SubjectOrder, SubjectFulfillment, SubjectReturn}

// KindOf is the kind of document of a subject's flows; "" for another word.
func KindOf(subject string) policy.Kind {
	switch subject {
	case SubjectOrder:
		return policy.KindOrderFlow
	case SubjectFulfillment:
		return policy.KindFulfillmentFlow
	case SubjectReturn:
		return policy.KindReturnFlow
	}
	return ""
}

// SubjectOf is the subject of a kind of document; "" for kinds that are not flows.
func SubjectOf(kind policy.Kind) string {
	for _, s := range Subjects {
		if KindOf(s) == kind {
			return s
		}
	}
	return ""
}

// Instance is where one subject is in its flow; it is kept with the order.
type Instance = order.FlowState

// Timer is an armed timer of an instance.
type Timer = order.FlowTimer

// Document is one flow as it is written, in YAML.
type Document struct {
	Kind        policy.Kind   `yaml:"kind"` // order_flow, fulfillment_flow or return_flow
	Name        string        `yaml:"name"` // an identifier, unique within the kind
	Description string        `yaml:"description"`
	Select      policy.Select `yaml:"select"`
	Flow        Flow          `yaml:"flow"`
	Examples    []Example     `yaml:"examples"`
}

// Flow is the lifecycle.
type Flow struct {
	// Start is the state that a subject begins in. Default: the first.
	Start  string  `yaml:"start"`
	States []State `yaml:"states"`
	// On are transitions from every state that is not final; the state's own come first.
	On []Transition `yaml:"on"`
	// Ignore are events that no state need care about; "prefix.*" means all that begin so.
	Ignore []string `yaml:"ignore"`
	// Missed: log (default) writes an event that no transition takes to the order's log;
	// exception asks a person as well.
	Missed string `yaml:"missed"`
	// Migrate says where subjects in states of earlier versions go that this one does not have.
	Migrate []Migrate `yaml:"migrate"`
}

// State is one state.
type State struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Final: nothing is left to happen.
	Final bool `yaml:"final"`
	// Awaits is who must act before anything happens: location, carrier, payment, customer, approver, stock, partner.
	Awaits string `yaml:"awaits"`
	// Enter are actions when the state is entered.
	Enter  []Action     `yaml:"enter"`
	Timers []StateTimer `yaml:"timers"`
	On     []Transition `yaml:"on"`
	// Ignore are events that this state need not care about.
	Ignore []string `yaml:"ignore"`
}

// Awaited lists what a state can await.
var Awaited = []string{"location", "carrier", "payment", "customer", "approver", "stock", "partner"}

// StateTimer fires the event timer.<name> while the subject stays in the state. Either After or At is given.
type StateTimer struct {
	Name string `yaml:"name"`
	// After is how long after the state was entered, like 30m, 4h, 7d or 1d12h.
	After string `yaml:"after"`
	// At is a date of the subject: promise.ship_by, promise.deliver_by, wanted_by, expected_at; of a return, return_by.
	At string `yaml:"at"`
	// Offset is added to At; it may be negative. Default: none.
	Offset string `yaml:"offset"`
	// Otherwise is how long after entering, when there is no such date. Required with At.
	Otherwise string `yaml:"otherwise"`
	// Every repeats the timer; Times is how often it fires in all. One interval after the last
	// time it fires timer.<name>.exhausted. Default of Times: as long as the state lasts.
	Every string `yaml:"every"`
	Times int64  `yaml:"times"`
}

// The dates of timers.
const (
	AtShipBy    = "promise.ship_by"
	AtDeliverBy = "promise.deliver_by"
	AtWantedBy  = "wanted_by"
	AtExpected  = "expected_at"
	AtReturnBy  = "return_by" // what has not come back by then is not waited for
)

// Dates lists those that the subjects' flows know.
var Dates = map[string][]string{
	SubjectOrder:       {AtShipBy, AtDeliverBy, AtWantedBy},
	SubjectFulfillment: {AtShipBy, AtDeliverBy, AtWantedBy, AtExpected},
	SubjectReturn:      {AtReturnBy},
}

// Transition is what an event does. Of several for one event the first whose condition holds is taken.
type Transition struct {
	// Event is a type of event, timer.<name>, timer.<name>.exhausted, or enter: at once when
	// the state is entered. Events lists several for which it is the same.
	Event  string   `yaml:"event"`
	Events []string `yaml:"events"`
	// When is CEL over order, subject, now; fulfillment flows also location, return flows returned.
	When string `yaml:"when"`
	// To is the next state; the state itself begins it anew. Default: stay, with timers as they are.
	To string `yaml:"to"`
	// Reopen allows a transition out of a final state.
	Reopen bool     `yaml:"reopen"`
	Do     []Action `yaml:"do"`
}

// events lists those that the transition is for.
func (t *Transition) events() []string {
	if len(t.Events) > 0 {
		return t.Events
	}
	return []string{t.Event}
}

// Migrate maps a state of earlier versions.
type Migrate struct {
	From string `yaml:"from"` // state of the earlier version
	To   string `yaml:"to"`   // state of this one
	// Versions bounds the earlier versions that it is about, like "1-3" or "2". Default: all.
	Versions string `yaml:"versions"`
}

// Example is a story with what must come of it.
type Example struct {
	Name  string `yaml:"name"`
	Given Given  `yaml:"given"`
	Steps []Step `yaml:"steps"`
}

// Given are the facts of an example.
type Given struct {
	Order    policy.GivenOrder     `yaml:"order"`
	Lines    []policy.GivenLine    `yaml:"lines"`
	Location *policy.GivenLocation `yaml:"location"`
	Returned *policy.GivenReturned `yaml:"returned"`
	Subject  GivenSubject          `yaml:"subject"`
	Dates    map[string]string     `yaml:"dates"` // date of a timer → how long after the start
}

// GivenSubject are the facts of the subject; what is left out keeps its value from the step before.
type GivenSubject struct {
	Status           *string  `yaml:"status"`
	Reason           *string  `yaml:"reason"`
	Payment          *string  `yaml:"payment"`
	Method           *string  `yaml:"method"`
	Via              *string  `yaml:"via"`
	Attempts         *int64   `yaml:"attempts"`
	Units            *int64   `yaml:"units"`
	UnitsOpen        *int64   `yaml:"units_open"`
	UnitsBackordered *int64   `yaml:"units_backordered"`
	Value            *int64   `yaml:"value"`
	Holds            []string `yaml:"holds"`
	Exceptions       []string `yaml:"exceptions"`
}

// Step is one thing that happens in an example: an event, or time that passes while the timers
// that come due fire.
type Step struct {
	Event string `yaml:"event"`
	Wait  string `yaml:"wait"`
	// Subject changes facts before it.
	Subject GivenSubject `yaml:"subject"`
	Expect  Expectation  `yaml:"expect"`
}

// Expectation is what must have come of a step; what is left out is not compared.
type Expectation struct {
	State string `yaml:"state"`
	// Do lists the actions in a line each, like "exception acceptance_overdue".
	Do *[]string `yaml:"do"`
	// Outcome of an event: moved, stayed, ignored, missed.
	Outcome string `yaml:"outcome"`
}
