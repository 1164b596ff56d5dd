// Package exception knows what can go wrong with orders and what can be done about it: the
// dictionary of exception types, what an open one puts at risk in money and promises, its rank in the
// queue, and the fixes, each as the events it means for an order.
//
// It promises that everything is a pure function of the order, the exception and the time
// given; that a rank never falls when money, promises or age rise; that a fix either
// gives events that the order accepts or says why it cannot; and that a type nobody knows
// (flows and policies may name their own) can be worked on as well.
//
// It does not look for locations or move stock (the engine carries fixes out), keep
// exceptions, read a clock, or decide that something is wrong: the order, its flow and the
// partners do.
package exception

import (
	"cmp"
	"slices"
	"strings"
)

// Concern says which money an exception is about.
type Concern string

// The concerns.
const (
	ConcernFulfillment Concern = "fulfillment" // units of the fulfillment that are not delivered
	ConcernUnplaced    Concern = "unplaced"    // units that no location has
	ConcernOrder       Concern = "order"       // everything of the order that is not delivered
	ConcernAmount      Concern = "amount"      // what the exception's data say
)

// Teams that own types of exceptions while no person does.
const (
	TeamOperations = "operations"
	TeamStores     = "stores"
	TeamCarriers   = "carriers"
	TeamService    = "customer_service"
	TeamPayments   = "payments"
	TeamFraud      = "fraud"
	TeamInventory  = "inventory"
	TeamReturns    = "returns"
	TeamIT         = "it"
)

// Type is what is known of one type of exception.
type Type struct {
	ID      string  `json:"id"`
	Title   string  `json:"title"`
	Meaning string  `json:"meaning"` // in a sentence: what happened
	Team    string  `json:"team"`    // owns it while no person does
	Concern Concern `json:"concern"`
	// Promise says that a date the customer knows is in danger.
	Promise bool `json:"promise"`
	// Seconds is what a person is stated to need for it, when nobody measured.
	Seconds int64 `json:"seconds"`
	// Fixes are those to suggest, best first.
	Fixes []string `json:"fixes"`
}

// Types lists the known types, by id.
func Types() []Type { return slices.Clone(types) }

// Lookup returns a type; one that is not known has a title made of its id, and the fixes that fit every exception.
func Lookup(id string) Type {
	if i, ok := slices.BinarySearchFunc(types, id, func(t Type, id string) int { return cmp.Compare(t.ID, id) }); ok {
		return types[i]
	}
	title := strings.ReplaceAll(id, "_", " ")
	if title != "" {
		title = strings.ToUpper(title[:1]) + title[1:]
	}
	return Type{
		ID: id, Title: title, Meaning: "A flow or a rule of this retailer asks for a person", Team: TeamOperations,
		Concern: ConcernFulfillment, Seconds: DefaultSeconds, Fixes: []string{FixWait, FixClose},
	}
}

// Known reports whether a type is in the dictionary.
func Known(id string) bool {
	_, ok := slices.BinarySearchFunc(types, id, func(t Type, id string) int { return cmp.Compare(t.ID, id) })
	return ok
}
