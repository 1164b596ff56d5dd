package promise

import (
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

const day = 24 * time.Hour

// Arrival is when what leaves a location reaches its destination.
type Arrival struct {
	ShipBy time.Time
	// Calendar is the deadline by the carrier's own days, without history: the first
	// instant after the date, in the zone of the location that ships.
	Calendar time.Time
	// From and To are the first and the last date offered, DeliverBy the first
	// instant after To.
	From, To  network.Date
	DeliverBy time.Time
	// Probability of being there before DeliverBy, and the level of history that said so (see Delays).
	Probability float64
	Level       string
	ValidUntil  time.Time
}

// Slack is how late after the carrier's deadline it may come and still keep the promise.
func (a *Arrival) Slack() time.Duration { return a.DeliverBy.Sub(a.Calendar) }

// Shipping is what an arrival is found from.
type Shipping struct {
	From    *network.Location
	Service string
	// Zone and TransitDays are the tariff's (network.Leg).
	Zone, TransitDays int64
	Backlog           int64 // minutes of opening hours before this order
}

// Arrive dates a shipment of an order that comes at now. Transit days are counted on the
// carrier's working days, then the settings' quantile of learned delays is added and the
// extra days; the result is a day on which the carrier delivers. Returns the
// errors of Calendar.Departure. Learned may be nil.
func (c *Calendar) Arrive(s Shipping, set *Settings, learned *Delays, now time.Time) (Arrival, error) {
	d, err := c.Departure(s.From, s.Service, set.Carrier, s.Backlog, now)
	if err != nil {
		return Arrival{}, err
	}
	zone, err := network.LoadZone(s.From.TimeZone)
	if err != nil {
		return Arrival{}, err
	}
	to := set.Carrier.Add(d.Ships, s.TransitDays)
	a := Arrival{ShipBy: d.ShipBy, Calendar: endOf(to, zone), ValidUntil: d.ValidUntil}
	curve := learned.Curve(Key{s.From.ID, s.Service, s.Zone}, set.MinObservations)
	if late := curve.Quantile(set.Quantile); late > 0 {
		// The promise ends a day, so part of a day late is the whole next day.
		to = set.Carrier.Next(to + network.Date((late+day-1)/day))
	}
	if set.ExtraDays > 0 {
		to = set.Carrier.Add(to, set.ExtraDays)
	}
	a.To, a.From, a.DeliverBy = to, to, endOf(to, zone)
	if set.WindowDays > 0 {
		a.From = max(set.Carrier.Back(to, set.WindowDays), d.Ships)
	}
	a.Level = curve.Level
	a.Probability = curve.Probability(a.Slack())
	return a, nil
}

// SameDay reports whether the shipment arrives on the date on which the order came, as the
// location's wall clock shows it.
func (a *Arrival) SameDay(l *network.Location, now time.Time) bool {
	zone, err := network.LoadZone(l.TimeZone)
	return err == nil && a.To == network.DateOf(now.In(zone).Date())
}

// Forward is when goods that arrive at a pickup location by a deadline can be
// collected there: after its processing time, within its opening hours.
func Forward(store *network.Location, arrives time.Time) (time.Time, error) {
	ready, err := collect(store, arrives)
	return ready.UTC(), err
}
