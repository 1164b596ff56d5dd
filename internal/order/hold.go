package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/problem"
)

// What a hold stops.
const (
	// BlocksRelease lets locations be chosen and stock be allocated, but no location is to work on it.
	BlocksRelease = "release"
	// BlocksSourcing leaves units with nobody.
	BlocksSourcing = "sourcing"
)

// What happens when a hold expires.
const (
	ExpiryRelease   = "release"   // the order goes on
	ExpiryCancel    = "cancel"    // what can still be stopped is cancelled
	ExpiryException = "exception" // a person is asked; the hold stays
)

// The types of holds that the product itself knows. Any other identifier is a custom type.
const (
	HoldFraud    = "fraud"
	HoldPayment  = "payment"
	HoldAddress  = "address"
	HoldCustomer = "customer" // grace period, or the customer's wish
	HoldCredit   = "credit"
	HoldApproval = "approval"
)

// HoldTypes lists them, for documentation.
var HoldTypes = []string{HoldFraud, HoldPayment, HoldAddress, HoldCustomer, HoldCredit, HoldApproval}

const (
	// DefaultHoldReview is when a hold that says nothing of its end becomes an exception.
	DefaultHoldReview = 72 * time.Hour
	// MaxHold bounds how long a hold may be placed for.
	MaxHold = 366 * 24 * time.Hour
)

// Hold stops an order. Several may be in force at once; it goes on when none is.
type Hold struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Blocks   string    `json:"blocks"`
	Reason   string    `json:"reason,omitempty"`
	Owner    string    `json:"owner,omitempty"` // person or team that decides about it
	By       string    `json:"by"`              // who placed it: a caller, a policy or a flow
	PlacedAt time.Time `json:"placed_at"`
	// ExpiresAt is when OnExpiry happens; every hold has one, so that none is forgotten.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	OnExpiry  string    `json:"on_expiry"`
}

// NewHold asks for a hold.
type NewHold struct {
	Type   string `json:"type"`
	Blocks string `json:"blocks,omitempty"` // default: release
	Reason string `json:"reason,omitempty"`
	Owner  string `json:"owner,omitempty"`
	// ExpiresAt must lie ahead; default: DefaultHoldReview from now.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	OnExpiry  string    `json:"on_expiry,omitempty"` // default: exception
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (h *NewHold) Validate() error {
	var bad problem.Invalid
	bad.ID("type", h.Type)
	bad.Text("owner", h.Owner, 200)
	text(&bad, "reason", h.Reason, MaxTextBytes)
	if !slices.Contains([]string{"", BlocksRelease, BlocksSourcing}, h.Blocks) {
		bad.Add("blocks", problem.Unknown, "%.60q is neither release nor sourcing", h.Blocks)
	}
	if !slices.Contains([]string{"", ExpiryRelease, ExpiryCancel, ExpiryException}, h.OnExpiry) {
		bad.Add("on_expiry", problem.Unknown, "%.60q is none of release, cancel, exception", h.OnExpiry)
	}
	return bad.Err()
}

// Hold gives the events that place a hold, and take back what locations were sent and have
// not accepted. A hold of a type that is in force already is another one. Returns a
// *Refusal when nothing is left to hold, at the limit, or for an expiry that is past.
func (o *Order) Hold(n NewHold, by string, at time.Time) ([]Event, error) {
	switch {
	case o.Status.Final() || o.Status == StatusFulfilled:
		return nil, refuse(CodeWrongState, "", "the order is %s; nothing is left to hold", o.Status)
	case len(o.Holds) >= MaxHolds:
		return nil, refuse(CodeTooMany, "", "the order has %d holds already", len(o.Holds))
	case !n.ExpiresAt.IsZero() && (!n.ExpiresAt.After(at) || n.ExpiresAt.Sub(at) > MaxHold):
		return nil, refuse(CodeNotAllowed, "expires_at", "the expiry must lie ahead, by at most %d days", int(MaxHold.Hours()/24))
	}
	h := Hold{
		ID: number("h", o.HoldCount+1), Type: n.Type, Blocks: n.Blocks, Reason: n.Reason, Owner: n.Owner,
		By: by, PlacedAt: at, ExpiresAt: n.ExpiresAt.UTC(), OnExpiry: n.OnExpiry,
	}
	if h.Blocks == "" {
		h.Blocks = BlocksRelease
	}
	if h.OnExpiry == "" {
		h.OnExpiry = ExpiryException
	}
	if n.ExpiresAt.IsZero() {
		h.ExpiresAt = at.Add(DefaultHoldReview)
	}
	events := []Event{{Type: EventHeld, Hold: &h}}
	for i := range o.Fulfillments {
		if f := &o.Fulfillments[i]; f.Status == FulfillmentOpen {
			events = append(events, Event{Type: EventFulfillmentHeld, FulfillmentID: f.ID, Reason: h.Type})
		}
	}
	return events, nil
}

// ReleaseHold gives the events that end a hold, and send to the locations what no other
// hold keeps back. Returns a *Refusal for a hold that is not in force.
func (o *Order) ReleaseHold(id, by, reason string) ([]Event, error) {
	at := slices.IndexFunc(o.Holds, func(h Hold) bool { return h.ID == id })
	if at < 0 {
		return nil, refuse(CodeUnknownHold, "hold", "the order has no hold %q in force", id)
	}
	events := []Event{{Type: EventHoldReleased, HoldID: id, By: by, Reason: reason}}
	if len(o.Holds) > 1 {
		return events, nil
	}
	for i := range o.Fulfillments {
		if f := &o.Fulfillments[i]; f.Status == FulfillmentHeld {
			events = append(events, Event{Type: EventFulfillmentReleased, FulfillmentID: f.ID})
		}
	}
	return events, nil
}

// ReleaseHolds ends every hold of a type ("": of all types), as ReleaseHold does.
func (o *Order) ReleaseHolds(typ, by, reason string) []Event {
	var ids []string
	for i := range o.Holds {
		if typ == "" || o.Holds[i].Type == typ {
			ids = append(ids, o.Holds[i].ID)
		}
	}
	var events []Event
	for _, id := range ids {
		events = append(events, Event{Type: EventHoldReleased, HoldID: id, By: by, Reason: reason})
	}
	if len(ids) > 0 && len(ids) == len(o.Holds) {
		for i := range o.Fulfillments {
			if f := &o.Fulfillments[i]; f.Status == FulfillmentHeld {
				events = append(events, Event{Type: EventFulfillmentReleased, FulfillmentID: f.ID})
			}
		}
	}
	return events
}

// ExpireHolds gives what the expiry of holds means at a time; nil when none expires.
func (o *Order) ExpireHolds(now time.Time) ([]Event, error) {
	for i := range o.Holds {
		h := &o.Holds[i]
		if h.ExpiresAt.IsZero() || h.ExpiresAt.After(now) {
			continue
		}
		switch h.OnExpiry {
		case ExpiryRelease:
			return o.ReleaseHold(h.ID, "timer", "the hold expired")
		case ExpiryCancel:
			return o.expireCancel(h)
		}
		again := *h
		again.ExpiresAt = now.Add(DefaultHoldReview) // it is asked again, should the exception be closed without a decision
		events := []Event{{Type: EventHoldReleased, HoldID: h.ID, By: "timer", Reason: "renewed"}, {Type: EventHeld, Hold: &again}}
		if x := o.Raise(Exception{Type: "hold_expired", Message: fmt.Sprintf("The %s hold of %s has run out and nobody decided", h.Type, h.PlacedAt.Format(time.DateOnly)), By: h.By}, now); x != nil {
			events = append(events, *x)
		}
		return events, nil
	}
	return nil, nil
}

// expireCancel cancels what can be stopped and ends the hold; what cannot goes on.
func (o *Order) expireCancel(h *Hold) ([]Event, error) {
	var events []Event
	if len(o.cancellable()) > 0 {
		var err error
		if events, err = o.Cancel(Cancellation{Reason: "the " + h.Type + " hold expired"}); err != nil {
			return nil, err
		}
	}
	return append(events, Event{Type: EventHoldReleased, HoldID: h.ID, By: "timer", Reason: "the hold expired"}), nil
}

// Held reports whether a hold blocks sourcing (BlocksSourcing) or release: a hold that blocks sourcing blocks both.
func (o *Order) Held(what string) bool {
	for i := range o.Holds {
		if o.Holds[i].Blocks == what || what == BlocksRelease {
			return true
		}
	}
	return false
}

// first is the state that a fulfillment begins in.
func (o *Order) first() FulfillmentStatus {
	if len(o.Holds) > 0 && !plant.On(plant.HoldIgnored) {
		return FulfillmentHeld
	}
	return FulfillmentOpen
}
