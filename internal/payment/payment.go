// Package payment decides what an order's payment providers are asked for: which
// amounts are authorized, captured, voided and refunded, over which of the order's
// tenders, and what an answer, or none, means.
//
// It promises that every decision is a pure function of the state, what the order
// wants of it and the time; that captures that may have taken effect never exceed their
// authorization, nor refunds their capture; that an operation keeps its id and its amount
// for ever, so that a provider which remembers ids does it at most once; that an outcome that
// nobody knows is asked for with the same id and never tried under another; and that what a
// provider did is booked even when it comes late or against what was asked.
//
// It does not call providers, know what goods an order has, read a clock or keep anything.
// No card number has a place here: tenders carry the provider's token.
package payment

import "time"

// The kinds of operations.
const (
	KindAuthorize = "authorize"
	KindCapture   = "capture"
	KindVoid      = "void" // gives up all or a part of what an authorization still holds
	KindRefund    = "refund"
)

// Kinds lists them.
var Kinds = []string{KindAuthorize, KindCapture, KindVoid, KindRefund}

// The states of an operation.
const (
	Pending   = "pending"   // asked for, no answer yet
	Unknown   = "unknown"   // the provider could not say what became of it
	Succeeded = "succeeded" // it took effect
	Declined  = "declined"
)

// States lists them.
var States = []string{Pending, Unknown, Succeeded, Declined}

// NotFound is the status of an outcome when the provider has never heard of the operation.
const NotFound = "not_found"

// Statuses lists those of an outcome.
var Statuses = []string{Succeeded, Declined, Unknown, NotFound}

// Limits.
const (
	// MaxOperations bounds those of one order: beyond it a person is asked and nothing more is requested.
	MaxOperations = 2000
	// MaxRefunds bounds the refunds of one order that were asked for by hand.
	MaxRefunds = 200
	// MaxAmount bounds an amount, minor units; as of package order.
	MaxAmount = int64(1) << 50
	// MaxTextBytes bounds each text of an outcome.
	MaxTextBytes = 500
)

// The types of tenders.
const (
	Card     = "card"
	GiftCard = "gift_card"
	Account  = "account"
	Cash     = "cash" // paid when the goods are handed over
	Other    = "other"
	Exchange = "exchange" // what returned goods are worth; see package order
)

// TenderTypes lists those that a policy speaks of.
var TenderTypes = []string{Card, GiftCard, Account, Cash, Other}

// Operation is one thing that a provider is asked for, or that was done elsewhere and is written down.
type Operation struct {
	// ID is the idempotency key: the order's id, "-p" and the count of the order's operations.
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Tender   string `json:"tender"`
	Provider string `json:"provider,omitempty"` // "": done elsewhere, by the channel or in the store
	Amount   int64  `json:"amount"`             // minor units; what is asked for, or took effect
	Currency string `json:"currency"`
	// Token is the tender's reference at the provider, of authorizations and of refunds.
	Token string `json:"token,omitempty"`
	// Parent is the authorization of a capture or void, or the capture of a refund; ParentRef is
	// the provider's own id of it.
	Parent    string `json:"parent,omitempty"`
	ParentRef string `json:"parent_ref,omitempty"`
	// Reference is the provider's own id of this operation.
	Reference string `json:"reference,omitempty"`
	State     string `json:"state"`
	// Attempts counts the inquiries made.
	Attempts    int       `json:"attempts,omitempty"`
	RequestedAt time.Time `json:"requested_at"`
	// AskAt is when the outcome is asked for if no answer came; zero: not by itself.
	AskAt time.Time `json:"ask_at,omitzero"`
	// ExpiresAt is when the provider lets go of an authorization.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// RenewAt is when an authorization is to be replaced; Renewing says that the time has come.
	RenewAt  time.Time `json:"renew_at,omitzero"`
	Renewing bool      `json:"renewing,omitempty"`
	// DoneAt is when the outcome was booked.
	DoneAt time.Time `json:"done_at,omitzero"`
	// For is the key of the refund that a refund pays; "": it gives back what is not due any more.
	For string `json:"for,omitempty"`
	// Requested is the amount that was asked for when the provider did another one.
	Requested int64 `json:"requested,omitempty"`
	// Released is what an authorization let go of by itself: it expired, or a void was declined.
	Released int64 `json:"released,omitempty"`
	// Code and Message say why it was declined, or why nobody knows.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// By is who wrote it down when no provider was asked.
	By string `json:"by,omitempty"`
}

// open reports whether the operation's outcome is not known yet.
func (o *Operation) open() bool { return o.State == Pending || o.State == Unknown }

// counts reports whether the operation took effect or may have.
func (o *Operation) counts() bool { return o.State == Succeeded || o.open() }

// Outcome is what a provider said of an operation.
type Outcome struct {
	Operation string `json:"operation"`
	Status    string `json:"status"` // succeeded, declined, unknown, not_found
	// Amount that took effect, minor units; 0: what was asked for.
	Amount    int64     `json:"amount,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Code      string    `json:"code,omitempty"`
	Message   string    `json:"message,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// At is when it happened at the provider.
	At time.Time `json:"at,omitzero"`
}

// Tender is a means of payment of the order, with the provider that acts for it.
type Tender struct {
	ID       string `json:"id"` // t1, t2 ...: its place among the order's tenders
	Type     string `json:"type"`
	Amount   int64  `json:"amount"` // the most that the customer agreed to pay with it, minor units
	Token    string `json:"token,omitempty"`
	Provider string `json:"provider,omitempty"` // "": what is asked of it is done elsewhere, and only written down
	// Short is by how much the provider authorized less than it was asked for.
	Short int64 `json:"short,omitempty"`
	// Stopped is the kind of operation that was declined last: no other of the kind is asked for before Retry.
	Stopped string `json:"stopped,omitempty"`
	// Declines counts those in a row.
	Declines int       `json:"declines,omitempty"`
	RetryAt  time.Time `json:"retry_at,omitzero"`
}

// Refund is money to be given back because somebody said so, or for goods that came back.
type Refund struct {
	Key    string    `json:"key"` // its own for ever: it is never paid twice
	Amount int64     `json:"amount"`
	Reason string    `json:"reason,omitempty"`
	Tender string    `json:"tender,omitempty"` // the only one that it is paid to; "": by the rules
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

// State is the payments of an order: the fold of its payment events.
type State struct {
	// Policy is the payment policy whose rules hold for the order, name@version.
	Policy     string      `json:"policy"`
	Rules      Rules       `json:"rules"`
	Tenders    []Tender    `json:"tenders"`
	Operations []Operation `json:"operations"`
	// Refunds are those that somebody asked for; those of returns are with the returns.
	Refunds []Refund `json:"refunds,omitempty"`
	// Taken counts the order's own tenders that are among Tenders.
	Taken int `json:"taken"`
	// CancelAt is when what can be is cancelled because payment was declined and not made good.
	CancelAt time.Time `json:"cancel_at,omitzero"`
	// Asked are what a flow asked for, of rules that leave it to flows.
	Asked Asked `json:"asked,omitzero"`
}

// Asked are the things that a flow asked for.
type Asked struct {
	Authorize bool `json:"authorize,omitempty"`
	Capture   bool `json:"capture,omitempty"`
}

// Plan begins the payments of an order, or adds tenders to them.
type Plan struct {
	Policy  string   `json:"policy,omitempty"`
	Rules   *Rules   `json:"rules,omitempty"`
	Tenders []Tender `json:"tenders"`
	Taken   int      `json:"taken,omitempty"` // see State
}
