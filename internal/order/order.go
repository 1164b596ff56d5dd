// Package order is the order aggregate: what a customer bought, which locations
// fulfil it, and how its quantities move from ordered to delivered or cancelled.
//
// It promises that every change is a pure function: a command is decided
// against the current order and gives events (or one error that names what is
// wrong), and applying those events gives the next order. Stock movements are
// derived from the events, so stock and order can never tell different stories.
// The order is the fold of its events.
//
// It does not choose locations (package sourcing), know what is in stock
// (package inventory), read a clock, make ids, or keep anything.
package order

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/plant"
)

// Limits of one order.
const (
	MaxLines        = 500
	MaxFulfillments = 1000
	MaxLineQuantity = int64(1_000_000)
	MaxTenders      = 20
	MaxParcels      = 200
	MaxAttributes   = 50
	MaxTextBytes    = 500
	// MaxAmount bounds every amount in minor units so that sums cannot overflow.
	MaxAmount = int64(1) << 50
)

// Status of an order, derived from the quantities of its lines.
type Status string

// The statuses. An order with units in several places has the first of
// backordered, partially_fulfilled, allocated that applies.
const (
	StatusOpen               Status = "open"                // units that no location has yet
	StatusBackordered        Status = "backordered"         // units wait for stock
	StatusAllocated          Status = "allocated"           // all units are with locations
	StatusPartiallyFulfilled Status = "partially_fulfilled" // some units left, others are with locations
	StatusFulfilled          Status = "fulfilled"           // every unit left or was handed over
	StatusDelivered          Status = "delivered"           // every unit reached the customer
	StatusCancelled          Status = "cancelled"           // nothing was or will be delivered
)

// Final reports whether an order in the status has nothing left to happen.
func (s Status) Final() bool { return s == StatusDelivered || s == StatusCancelled }

// Method is how units reach the customer.
type Method string

// The methods.
const (
	Ship   Method = "ship"
	Pickup Method = "pickup"
)

// Customer identifies who ordered.
type Customer struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// Line is one thing bought. The counters partition the ordered quantity:
// quantity = open + backordered + allocated + fulfilled + cancelled, where open
// is what remains. All are stock units of the SKU (kits: number of kits).
type Line struct {
	ID         string `json:"id"`
	ExternalID string `json:"external_id,omitempty"`
	SKU        string `json:"sku"`
	Name       string `json:"name,omitempty"`
	Quantity   int64  `json:"quantity"`

	UnitPrice int64 `json:"unit_price"`         // minor units
	Discount  int64 `json:"discount,omitempty"` // of the whole line, ≥ 0
	Tax       int64 `json:"tax,omitempty"`      // of the whole line, ≥ 0
	Total     int64 `json:"total"`              // quantity × unit_price − discount (+ tax unless tax_included)

	// Parts are the components of one kit; empty when the SKU itself is stocked.
	Parts []inventory.Part `json:"parts,omitempty"`
	// Kit says which kit the line is a component of; nil: it was bought as it is.
	Kit *KitRef `json:"kit,omitempty"`
	// Gift says how the units are given away; nil: they are not.
	Gift *Gift `json:"gift,omitempty"`
	// SubstituteFor is the line whose units this one replaces; Consent, how the customer agreed.
	SubstituteFor string   `json:"substitute_for,omitempty"`
	Consent       *Consent `json:"consent,omitempty"`
	// SlotValue is what a unit counts against a capacity of money since the line was edited; nil: UnitValue.
	SlotValue *int64 `json:"slot_value,omitempty"`

	Cancelled   int64 `json:"cancelled"`
	Backordered int64 `json:"backordered"`
	Allocated   int64 `json:"allocated"`
	Fulfilled   int64 `json:"fulfilled"`
	Returned    int64 `json:"returned"`
}

// Open is the number of units that no location has and no backorder waits for.
func (l *Line) Open() int64 {
	return l.Quantity - l.Cancelled - l.Backordered - l.Allocated - l.Fulfilled
}

// stocked calls f for each stocked SKU behind q units of the line.
func (l *Line) stocked(q int64, f func(sku string, quantity int64)) {
	if len(l.Parts) == 0 {
		f(l.SKU, q)
		return
	}
	for i, p := range l.Parts {
		if i > 0 && plant.On(plant.KitWithoutParts) {
			return
		}
		f(p.SKU, p.Quantity*q)
	}
}

// Totals are the order's sums in minor units:
// total = subtotal − discount + shipping (+ tax unless tax_included).
type Totals struct {
	Subtotal int64 `json:"subtotal"` // Σ quantity × unit_price
	Discount int64 `json:"discount"` // Σ line discounts + order discount
	Shipping int64 `json:"shipping"`
	Tax      int64 `json:"tax"` // Σ line taxes + shipping tax
	Total    int64 `json:"total"`
}

// Tender is a means of payment. Reference is the provider's token; a card
// number is refused.
type Tender struct {
	Type      string `json:"type"` // card, gift_card, account, cash, other
	Amount    int64  `json:"amount"`
	Reference string `json:"reference,omitempty"`
}

// Promise is what the customer was told.
type Promise struct {
	ShipBy    time.Time `json:"ship_by,omitzero"`
	DeliverBy time.Time `json:"deliver_by,omitzero"` // pickup: ready by
	// Calendar is when the carrier's own days end, without what history added; delays count from it.
	Calendar time.Time `json:"calendar,omitzero"`
	// Probability of being kept, as it was when it was given, 0..1; 0: unknown.
	Probability float64 `json:"probability,omitempty"`
	// Policy is the promise policy that dated it, name@version.
	Policy string `json:"policy,omitempty"`
}

// Order is the aggregate, and at the same time its API representation.
type Order struct {
	ID         string `json:"id"`
	Version    int64  `json:"version"`
	Channel    string `json:"channel"`
	ExternalID string `json:"external_id,omitempty"`
	Status     Status `json:"status"`

	PlacedAt  time.Time `json:"placed_at"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	Currency          string           `json:"currency"`
	Method            Method           `json:"method"`
	Service           string           `json:"service,omitempty"`            // "carrier/service"
	PickupLocation    string           `json:"pickup_location,omitempty"`    // method pickup
	RequiredLocation  string           `json:"required_location,omitempty"`  // the only one that may fulfil
	PreferredLocation string           `json:"preferred_location,omitempty"` // wins among plans of equal cost
	WantedBy          time.Time        `json:"wanted_by,omitzero"`           // when the customer wants it
	Customer          Customer         `json:"customer,omitzero"`
	ShipTo            *network.Address `json:"ship_to,omitempty"`
	BillTo            *network.Address `json:"bill_to,omitempty"`

	Lines       []Line   `json:"lines"`
	TaxIncluded bool     `json:"tax_included,omitempty"`
	Discount    int64    `json:"discount,omitempty"` // of the order, beside the lines' own
	Shipping    int64    `json:"shipping,omitempty"`
	ShippingTax int64    `json:"shipping_tax,omitempty"`
	Totals      Totals   `json:"totals"`
	Tenders     []Tender `json:"tenders,omitempty"`
	// Balance is what the tenders do not pay since the order was edited; negative: what they pay too much.
	Balance     int64        `json:"balance,omitempty"`
	Adjustments []Adjustment `json:"adjustments,omitempty"`
	// Payment is what providers were asked for and did; nil: payments are handled elsewhere.
	Payment *payment.State `json:"payment,omitempty"`
	// AcceptSubstitutes says that the customer takes another article instead, at no higher price.
	AcceptSubstitutes bool `json:"accept_substitutes,omitempty"`

	Fulfillments []Fulfillment     `json:"fulfillments"`
	Promise      Promise           `json:"promise,omitzero"`
	Attributes   map[string]string `json:"attributes,omitempty"`
	Note         string            `json:"note,omitempty"`

	// Excluded lists locations that refused or could not find units of this order; it is not asked again.
	Excluded []string `json:"excluded,omitempty"`
	// Attempts counts how often units were given to locations.
	Attempts int `json:"attempts"`
	// Moves counts how often units were taken back from a location to decide again.
	Moves int `json:"moves,omitempty"`
	// RetryAt is when units that nobody has are looked for again.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Waiting says what units that no location has wait for; nil: for stock, or nothing waits.
	Waiting *Waiting `json:"waiting,omitempty"`
	// Holds are those that nobody has released yet, oldest first; HoldCount numbers all there were.
	Holds     []Hold `json:"holds,omitempty"`
	HoldCount int    `json:"hold_count,omitempty"`
	// Flow is where the order is in its lifecycle.
	Flow *FlowState `json:"flow,omitempty"`
	// Exceptions are the open ones, oldest first; ExceptionCount numbers all there were.
	Exceptions     []Exception `json:"exceptions,omitempty"`
	ExceptionCount int         `json:"exception_count,omitempty"`
	Notes          []Note      `json:"notes,omitempty"`
	// Returns are all returns there were, oldest first.
	Returns []Return `json:"returns,omitempty"`
	// ExchangedBy are orders that replace goods of this one; ExchangeOf is the order whose goods this one replaces.
	ExchangedBy []ExchangeRef `json:"exchanged_by,omitempty"`
	ExchangeOf  *ExchangeRef  `json:"exchange_of,omitempty"`
	// RuleFixes counts the fixes that each rule applied by itself.
	RuleFixes map[string]int `json:"rule_fixes,omitempty"`
	// Touches counts what people did about the order, TouchSeconds how long it took them.
	Touches      int   `json:"touches,omitempty"`
	TouchSeconds int64 `json:"touch_seconds,omitempty"`
	// Baseline is what the pinned baseline policy would have decided, beside what was decided; nil: none was pinned.
	Baseline *Baseline `json:"baseline,omitempty"`
	// Trial is the order's part in an experiment; nil: it is in none.
	Trial *Trial `json:"trial,omitempty"`
	// Fingerprint identifies the capture request, to tell a repeat from a reuse of the external id.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// FulfillmentStatus is where a fulfillment is in its life.
type FulfillmentStatus string

// The states of a fulfillment. Edges: see Edges.
const (
	FulfillmentHeld       FulfillmentStatus = "held"     // its stock is allocated; the location is not to work on it
	FulfillmentOpen       FulfillmentStatus = "open"     // sent to the location, not answered
	FulfillmentAccepted   FulfillmentStatus = "accepted" // the location will do it
	FulfillmentPicked     FulfillmentStatus = "picked"
	FulfillmentPacked     FulfillmentStatus = "packed"
	FulfillmentReady      FulfillmentStatus = "ready" // waits for the customer at the location
	FulfillmentShipped    FulfillmentStatus = "shipped"
	FulfillmentHandedOver FulfillmentStatus = "handed_over" // collected by the customer
	FulfillmentDelivered  FulfillmentStatus = "delivered"
	FulfillmentRejected   FulfillmentStatus = "rejected"  // the location kept nothing of it
	FulfillmentCancelled  FulfillmentStatus = "cancelled" // everything in it was cancelled
	FulfillmentLost       FulfillmentStatus = "lost"      // everything in it was lost, or came back undelivered
)

// FulfillmentLine counts the units of an order line in a fulfillment:
// quantity ≥ picked ≥ packed ≥ shipped; rejected, short, cancelled and withdrawn units have left quantity.
type FulfillmentLine struct {
	Line      string `json:"line"`
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"` // still to be, or being, fulfilled here
	Picked    int64  `json:"picked"`
	Packed    int64  `json:"packed"`
	Shipped   int64  `json:"shipped"` // or handed over
	Rejected  int64  `json:"rejected,omitempty"`
	Short     int64  `json:"short,omitempty"`
	Cancelled int64  `json:"cancelled,omitempty"`
	Withdrawn int64  `json:"withdrawn,omitempty"` // decided again, before it left
	Lost      int64  `json:"lost,omitempty"`      // left, and never reached the customer
}

// Parcel is one box with its label.
type Parcel struct {
	ID          string         `json:"id,omitempty"`
	Carrier     string         `json:"carrier,omitempty"`
	Service     string         `json:"service,omitempty"`
	Tracking    string         `json:"tracking,omitempty"`
	TrackingURL string         `json:"tracking_url,omitempty"`
	WeightG     int64          `json:"weight_g,omitempty"`
	Lines       []LineQuantity `json:"lines,omitempty"`
}

// Fulfillment is the part of an order that one location ships or hands over.
type Fulfillment struct {
	ID       string `json:"id"`
	Location string `json:"location"`
	Method   Method `json:"method"`
	Service  string `json:"service,omitempty"`
	// Zone is the carrier's for the way, as its tariff counts them.
	Zone int64 `json:"zone,omitempty"`
	// Via is the pickup location that it is shipped to; the customer collects it there.
	Via     string            `json:"via,omitempty"`
	Status  FulfillmentStatus `json:"status"`
	Lines   []FulfillmentLine `json:"lines"`
	Parcels []Parcel          `json:"parcels,omitempty"`
	Promise Promise           `json:"promise,omitzero"`
	// Cost is the expected cost of the shipment in minor units of the order's currency.
	Cost int64 `json:"cost,omitempty"`
	// Capacity is what it took of the location's capacity when it was created; see HeldCapacity.
	Capacity    []CapacityUse `json:"capacity,omitempty"`
	CreatedAt   time.Time     `json:"created_at"`
	AcceptedAt  time.Time     `json:"accepted_at,omitzero"`
	ShippedAt   time.Time     `json:"shipped_at,omitzero"`
	DeliveredAt time.Time     `json:"delivered_at,omitzero"`
	// CustomerAt is when the customer said that they came for it.
	CustomerAt time.Time `json:"customer_at,omitzero"`
	Reason     string    `json:"reason,omitempty"` // of the last rejection, short pick or cancellation
	// ExpectedAt is when the carrier expects to deliver it, when that is not the promise.
	ExpectedAt time.Time `json:"expected_at,omitzero"`
	// Stop is what the location was asked to stop and has not answered.
	Stop *StopRequest `json:"stop,omitempty"`
	// ShipTo is where it goes when the order has another address by now.
	ShipTo *network.Address `json:"ship_to,omitempty"`
	// StopAnswer is what the location answered to the last such request: AnswerStopped or AnswerRefused.
	StopAnswer string `json:"stop_answer,omitempty"`
	// Undeliverable says that it is lost because it came back, and not on its way.
	Undeliverable bool `json:"undeliverable,omitempty"`
	// Flow is where the fulfillment is in its lifecycle.
	Flow *FlowState `json:"flow,omitempty"`
}

// LineQuantity is a number of units of an order line.
type LineQuantity struct {
	Line     string `json:"line"`
	Quantity int64  `json:"quantity"`
	// Short, in a pick, are units the location could not find.
	Short int64 `json:"short,omitempty"`
	// Picked, of units that were stopped, are those that had been picked. Not for requests.
	Picked int64 `json:"picked,omitempty"`
}

// Fulfillment returns the fulfillment with the id, or nil.
func (o *Order) Fulfillment(id string) *Fulfillment {
	for i := range o.Fulfillments {
		if o.Fulfillments[i].ID == id {
			return &o.Fulfillments[i]
		}
	}
	return nil
}

// Line returns the line with the id, or nil.
func (o *Order) Line(id string) *Line {
	for i := range o.Lines {
		if o.Lines[i].ID == id {
			return &o.Lines[i]
		}
	}
	return nil
}

// line returns the fulfillment's line for an order line, or nil.
func (f *Fulfillment) line(id string) *FulfillmentLine {
	for i := range f.Lines {
		if f.Lines[i].Line == id {
			return &f.Lines[i]
		}
	}
	return nil
}

// clone copies what Apply may change, so that a decided order never changes
// under a reader that still holds the order before it.
func (o *Order) clone() *Order {
	c := *o
	c.Lines = append([]Line(nil), o.Lines...)
	c.Fulfillments = make([]Fulfillment, len(o.Fulfillments), len(o.Fulfillments)+1)
	copy(c.Fulfillments, o.Fulfillments)
	for i := range c.Fulfillments {
		f := &c.Fulfillments[i]
		f.Lines = append([]FulfillmentLine(nil), f.Lines...)
	}
	c.Excluded = append([]string(nil), o.Excluded...)
	c.Holds = slices.Clone(o.Holds)
	c.Exceptions = slices.Clone(o.Exceptions)
	c.Returns = cloneReturns(o.Returns)
	if o.Payment != nil {
		c.Payment = o.Payment.Clone()
	}
	return &c
}

// Unplaced returns the units that no location has: open and backordered ones.
func (o *Order) Unplaced() []LineQuantity {
	var out []LineQuantity
	for i := range o.Lines {
		l := &o.Lines[i]
		if q := l.Open() + l.Backordered; q > 0 {
			out = append(out, LineQuantity{Line: l.ID, Quantity: q})
		}
	}
	return out
}

// derive sets the status from the quantities.
func (o *Order) derive() {
	var live, open, back, fulfilled int64
	for i := range o.Lines {
		l := &o.Lines[i]
		live += l.Quantity - l.Cancelled
		open += l.Open()
		back += l.Backordered
		fulfilled += l.Fulfilled
	}
	switch {
	case live == 0:
		o.Status = StatusCancelled
	case fulfilled == live && o.delivered():
		o.Status = StatusDelivered
	case fulfilled == live:
		o.Status = StatusFulfilled
	case back > 0:
		o.Status = StatusBackordered
	case fulfilled > 0:
		o.Status = StatusPartiallyFulfilled
	case open == 0:
		o.Status = StatusAllocated
	default:
		o.Status = StatusOpen
	}
}

func (o *Order) delivered() bool {
	for i := range o.Fulfillments {
		switch o.Fulfillments[i].Status {
		case FulfillmentDelivered, FulfillmentHandedOver, FulfillmentRejected, FulfillmentCancelled, FulfillmentLost:
		default:
			return false
		}
	}
	return true
}
