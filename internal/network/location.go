package network

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/problem"
)

// LocationType says what kind of place a location is.
type LocationType string

// The types of location.
const (
	DC     LocationType = "dc"     // distribution centre
	Store  LocationType = "store"  // shop that also fulfils
	Vendor LocationType = "vendor" // supplier that ships to the customer itself
)

// Capability is something a location can do.
type Capability string

// The capabilities of locations.
const (
	CanShip   Capability = "ship"    // hands parcels to carriers
	CanPickup Capability = "pickup"  // hands orders to customers
	CanReturn Capability = "returns" // takes goods back
)

// Status says whether a location takes new work.
type Status string

// The statuses of a location.
const (
	Active    Status = "active"
	Suspended Status = "suspended" // gets no new work; what it accepted goes on, the rest is decided again elsewhere
)

// Limits of a location.
const (
	MaxNameBytes         = 500
	MaxTags              = 100
	MaxCutoffs           = 100
	MaxCapacity          = 1_000_000_000  // orders or units in a day or an hour
	MaxCapacityValue     = int64(1) << 50 // minor units in a day or an hour
	MaxProcessingMinutes = 90 * minutesPerDay
	MaxPriority          = 1_000_000
)

// Cutoff is the last time of day at which an order still ships the same day.
type Cutoff struct {
	// Service is a carrier service id; empty: every service without its own cut-off.
	Service string `json:"service,omitempty"`
	Time    Clock  `json:"time"`
}

// Capacity is how much work a location takes in each day and hour of its own
// wall clock. Nil: no limit; 0: none. What a fulfillment takes is counted when the
// location is given it, and given back with the units that do not leave the location.
type Capacity struct {
	OrdersPerDay  *int64 `json:"orders_per_day,omitempty"` // fulfillments
	OrdersPerHour *int64 `json:"orders_per_hour,omitempty"`
	UnitsPerDay   *int64 `json:"units_per_day,omitempty"` // of order lines; a kit is one
	UnitsPerHour  *int64 `json:"units_per_hour,omitempty"`
	// Value is in minor units of the order's currency, whichever it is: a location
	// that limits it should serve channels of one currency.
	ValuePerDay  *int64 `json:"value_per_day,omitempty"`
	ValuePerHour *int64 `json:"value_per_hour,omitempty"`
}

// IsLimited reports whether any limit is set.
func (c *Capacity) IsLimited() bool { return *c != Capacity{} }

func (c *Capacity) check(v *problem.Invalid) {
	for _, limit := range []struct {
		pointer string
		value   *int64
		most    int64
	}{
		{"capacity.orders_per_day", c.OrdersPerDay, MaxCapacity}, {"capacity.orders_per_hour", c.OrdersPerHour, MaxCapacity},
		{"capacity.units_per_day", c.UnitsPerDay, MaxCapacity}, {"capacity.units_per_hour", c.UnitsPerHour, MaxCapacity},
		{"capacity.value_per_day", c.ValuePerDay, MaxCapacityValue}, {"capacity.value_per_hour", c.ValuePerHour, MaxCapacityValue},
	} {
		if limit.value != nil {
			v.Range(limit.pointer, *limit.value, 0, limit.most)
		}
	}
}

// Location is anything that can fulfil.
type Location struct {
	ID       string       `json:"id"`
	Name     string       `json:"name,omitempty"`
	Type     LocationType `json:"type"`
	Address  Address      `json:"address"`
	TimeZone string       `json:"time_zone"` // IANA name; hours and cut-offs are on its wall clock
	// Calendar is when the location works; nil: always.
	Calendar     *Calendar    `json:"calendar,omitempty"`
	Cutoffs      []Cutoff     `json:"cutoffs,omitempty"`
	Capabilities []Capability `json:"capabilities"`
	Capacity     Capacity     `json:"capacity,omitzero"`
	// ProcessingMinutes is the working time from order to ready, in minutes of opening hours.
	ProcessingMinutes int64 `json:"processing_minutes,omitempty"`
	// Priority ranks locations that are otherwise equal; lower comes first.
	Priority int64    `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	// Status defaults to active.
	Status          Status `json:"status,omitempty"`
	SuspendedReason string `json:"suspended_reason,omitempty"`
}

// IsActive reports whether the location takes new work.
func (l *Location) IsActive() bool { return l.Status != Suspended }

// Can reports whether the location has the capability.
func (l *Location) Can(c Capability) bool { return slices.Contains(l.Capabilities, c) }

// Validate reports every field that is wrong.
func (l *Location) Validate() error {
	var v problem.Invalid
	v.ID("id", l.ID)
	v.Text("name", l.Name, MaxNameBytes)
	problem.OneOf(&v, "type", l.Type, DC, Store, Vendor)
	l.Address.ValidateInto(&v, "address")
	if l.TimeZone == "" {
		v.Add("time_zone", problem.Required, "is required; an IANA zone like Europe/Berlin")
	} else if _, err := LoadZone(l.TimeZone); err != nil {
		v.Add("time_zone", problem.Unknown, "is not an IANA zone like Europe/Berlin")
	}
	if l.Calendar != nil {
		v.Nest("calendar", l.Calendar.Validate())
	}
	l.checkCutoffs(&v)
	checkCapabilities(&v, "capabilities", l.Capabilities)
	l.Capacity.check(&v)
	v.Range("processing_minutes", l.ProcessingMinutes, 0, MaxProcessingMinutes)
	v.Range("priority", l.Priority, -MaxPriority, MaxPriority)
	v.IDs("tags", l.Tags, MaxTags)
	if l.Status != "" {
		problem.OneOf(&v, "status", l.Status, Active, Suspended)
	}
	v.Text("suspended_reason", l.SuspendedReason, MaxNameBytes)
	if l.SuspendedReason != "" && l.IsActive() {
		v.Add("suspended_reason", problem.Conflict, "belongs to a suspended location, but the status is active")
	}
	return v.Err()
}

func (l *Location) checkCutoffs(v *problem.Invalid) {
	v.Count("cutoffs", len(l.Cutoffs), MaxCutoffs)
	seen := make(map[string]bool, len(l.Cutoffs))
	for i, c := range l.Cutoffs {
		at := problem.At("cutoffs", i)
		if c.Service != "" {
			v.ID(at+".service", c.Service)
		}
		if seen[c.Service] {
			v.Add(at+".service", problem.Duplicate, "the service has its cut-off twice")
		}
		seen[c.Service] = true
		if c.Time <= 0 || !c.Time.Valid() {
			v.Add(at+".time", problem.Malformed, "must be a time of day from 00:01 to 24:00")
		}
	}
}

func checkCapabilities(v *problem.Invalid, pointer string, capabilities []Capability) {
	for i, c := range capabilities {
		at := problem.At(pointer, i)
		problem.OneOf(v, at, c, CanShip, CanPickup, CanReturn)
		if slices.Contains(capabilities[:i], c) {
			v.Add(at, problem.Duplicate, "%q is listed twice", c)
			return // a longer list than there are capabilities has one twice: bounded
		}
	}
}
