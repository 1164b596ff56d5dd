package inventory

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of one reservation.
const (
	MaxReservationLines = 200
	MinReservationTTL   = time.Second
	MaxReservationTTL   = 7 * 24 * time.Hour
	// DefaultReservationTTL is how long a basket holds stock unless it asks otherwise.
	DefaultReservationTTL = 15 * time.Minute
)

// ReservationStatus is where a reservation is in its life. It ends exactly once.
type ReservationStatus string

// The states of a reservation.
const (
	ReservationHeld     ReservationStatus = "held"
	ReservationClaimed  ReservationStatus = "claimed"  // became part of an order
	ReservationReleased ReservationStatus = "released" // given back
	ReservationExpired  ReservationStatus = "expired"
)

// The types of reservation events.
const (
	EventReservationHeld     = "reservation.held"
	EventReservationExtended = "reservation.extended"
	EventReservationClaimed  = "reservation.claimed"
	EventReservationReleased = "reservation.released"
	EventReservationExpired  = "reservation.expired"
)

// NewReservation is the request to hold stock for a basket.
type NewReservation struct {
	Channel    string               `json:"channel"`
	Location   string               `json:"location,omitempty"` // hold here only; default: the channel's locations
	Lines      []NewReservationLine `json:"lines"`
	TTLSeconds int64                `json:"ttl_seconds,omitempty"` // default 900, 1..604800
	Partial    bool                 `json:"partial,omitempty"`     // hold what there is instead of all or nothing
	Reference  string               `json:"reference,omitempty"`   // the basket's id, for people
}

// NewReservationLine is a line of NewReservation.
type NewReservationLine struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Validate reports every field that is wrong in itself.
func (n *NewReservation) Validate() error {
	var bad problem.Invalid
	bad.ID("channel", n.Channel)
	if n.Location != "" {
		bad.ID("location", n.Location)
	}
	if len(n.Lines) == 0 || len(n.Lines) > MaxReservationLines {
		bad.Add("lines", "out_of_range", "between 1 and %d lines, got %d", MaxReservationLines, len(n.Lines))
		return bad.Err()
	}
	for i, l := range n.Lines {
		bad.ID(problem.At("lines", i)+".sku", l.SKU)
		if l.Quantity < 1 || l.Quantity > 1_000_000 {
			bad.Add(fmt.Sprintf("lines[%d].quantity", i), "out_of_range", "must be between 1 and 1000000, got %d", l.Quantity)
		}
	}
	checkTTL(&bad, n.TTLSeconds)
	bad.Text("reference", n.Reference, 200)
	return bad.Err()
}

func checkTTL(bad *problem.Invalid, seconds int64) {
	if seconds != 0 && (seconds < int64(MinReservationTTL/time.Second) || seconds > int64(MaxReservationTTL/time.Second)) {
		bad.Add("ttl_seconds", "out_of_range", "must be between %d and %d, got %d", MinReservationTTL/time.Second, MaxReservationTTL/time.Second, seconds)
	}
}

// ValidateTTL checks the time a reservation is extended by; 0 means the default.
func ValidateTTL(seconds int64) error {
	var bad problem.Invalid
	checkTTL(&bad, seconds)
	return bad.Err()
}

// TTL returns the duration for a ttl_seconds field, whose zero is the default.
func TTL(seconds int64) time.Duration {
	if seconds == 0 {
		return DefaultReservationTTL
	}
	return time.Duration(seconds) * time.Second
}

// Hold is stock of one location held for a line of a reservation. Quantity
// counts units of the line's SKU (kits: kits).
type Hold struct {
	Line     int    `json:"line"` // index into lines
	Location string `json:"location"`
	Quantity int64  `json:"quantity"`
}

// ReservationLine is a line of a reservation.
type ReservationLine struct {
	SKU       string `json:"sku"`
	Requested int64  `json:"requested"`
	Held      int64  `json:"held"`
	Parts     []Part `json:"parts,omitempty"`
}

// Reservation holds stock for a basket until it is claimed, released or expires.
type Reservation struct {
	ID        string            `json:"id"`
	Version   int64             `json:"version"`
	Channel   string            `json:"channel"`
	Status    ReservationStatus `json:"status"`
	Lines     []ReservationLine `json:"lines"`
	Holds     []Hold            `json:"holds"`
	ExpiresAt time.Time         `json:"expires_at"`
	CreatedAt time.Time         `json:"created_at"`
	OrderID   string            `json:"order_id,omitempty"` // once claimed
	Reference string            `json:"reference,omitempty"`
	Partial   bool              `json:"partial,omitempty"` // less than requested was accepted
	// Offer, when not nil, is the promise that the stock is held for.
	Offer *Offer `json:"offer,omitempty"`
}

// Offer is a promise that was confirmed: the order that claims the reservation
// gets exactly these shipments and dates.
type Offer struct {
	Option         string `json:"option"` // id of the promise option
	Method         string `json:"method"` // ship, pickup
	Service        string `json:"service,omitempty"`
	PickupLocation string `json:"pickup_location,omitempty"`
	// PostalCode and Country are those of the destination it was made for.
	PostalCode string          `json:"postal_code,omitempty"`
	Country    string          `json:"country,omitempty"`
	Shipments  []OfferShipment `json:"shipments"`
	// KitsApart tells that kits were planned by component; the order takes them apart likewise.
	KitsApart bool `json:"kits_apart,omitempty"`
	// Policy is the promise policy that dated it, name@version.
	Policy string `json:"policy,omitempty"`
	// Decision is why, as the sourcing decision is kept with orders.
	Decision json.RawMessage `json:"decision,omitempty"`
}

// OfferShipment is what one location was planned to do.
type OfferShipment struct {
	Location  string    `json:"location"`
	Service   string    `json:"service,omitempty"`
	Via       string    `json:"via,omitempty"`
	Cost      int64     `json:"cost,omitempty"` // the carrier's charge, minor units
	ShipBy    time.Time `json:"ship_by,omitzero"`
	DeliverBy time.Time `json:"deliver_by,omitzero"`
	// Zone is the carrier's; Calendar when its own days end, without what history added.
	Zone     int64     `json:"zone,omitempty"`
	Calendar time.Time `json:"calendar,omitzero"`
	// Probability of being there by DeliverBy, as it was when it was confirmed, 0..1.
	Probability float64 `json:"probability,omitempty"`
}

// ReservationEvent is one fact about a reservation.
type ReservationEvent struct {
	Type        string       `json:"type"`
	Reservation *Reservation `json:"reservation,omitempty"` // held
	ExpiresAt   time.Time    `json:"expires_at,omitzero"`   // extended
	OrderID     string       `json:"order_id,omitempty"`    // claimed
}

// Apply returns the reservation after the event (r is nil before it is held).
// An event that cannot follow is an error: a reservation is held once and ends once.
func (r *Reservation) Apply(e ReservationEvent, version int64) (*Reservation, error) {
	if e.Type == EventReservationHeld {
		if r != nil || e.Reservation == nil {
			return nil, fmt.Errorf("inventory: %s on a reservation that exists, or without its reservation", e.Type)
		}
		next := *e.Reservation
		next.Version = version
		return &next, nil
	}
	if r == nil || r.Status != ReservationHeld {
		return nil, fmt.Errorf("inventory: %s on a reservation that is not held", e.Type)
	}
	next := *r
	next.Version = version
	switch e.Type {
	case EventReservationExtended:
		next.ExpiresAt = e.ExpiresAt
	case EventReservationClaimed:
		next.Status, next.OrderID = ReservationClaimed, e.OrderID
	case EventReservationReleased:
		next.Status = ReservationReleased
	case EventReservationExpired:
		next.Status = ReservationExpired
	default:
		return nil, fmt.Errorf("inventory: unknown event %q", e.Type)
	}
	return &next, nil
}

// Movements returns the stock movements that take (toReserved) or give back the
// holds of the reservation.
func (r *Reservation) Movements(toReserved bool, reason string) []Movement {
	from, to := Reserved, Free
	if toReserved {
		from, to = Free, Reserved
	}
	var out []Movement
	for _, h := range r.Holds {
		l := &r.Lines[h.Line]
		if len(l.Parts) == 0 {
			out = append(out, Movement{SKU: l.SKU, Location: h.Location, From: from, To: to, Quantity: h.Quantity, Reason: reason})
			continue
		}
		for _, p := range l.Parts {
			out = append(out, Movement{SKU: p.SKU, Location: h.Location, From: from, To: to, Quantity: p.Quantity * h.Quantity, Reason: reason})
		}
	}
	return out
}
