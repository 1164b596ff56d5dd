package engine

import (
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// promise says when a location that gets lines now lets them go and when they
// arrive, and what carrying them costs (minor units). What cannot be known (a location that
// never opens, no rate for the destination) stays zero: nothing is promised then.
func (e *Engine) promise(d *network.Directory, o *order.Order, location string, lines []order.LineQuantity, now time.Time) (p order.Promise, cost int64) {
	l, ok := d.Location(location)
	if !ok {
		return p, 0
	}
	if o.Method == order.Pickup {
		if ready, err := l.Ready(now); err == nil {
			p.ShipBy, p.DeliverBy = ready.UTC(), ready.UTC()
		}
		return p, 0
	}
	zone, err := network.LoadZone(l.TimeZone)
	if err != nil {
		return p, 0
	}
	ships, err := l.ShipDate(now, o.Service)
	if err != nil {
		return p, 0
	}
	p.ShipBy = endOf(ships, zone)
	if o.ShipTo == nil {
		return p, 0
	}
	quote, err := d.Quote(o.Service, &l.Address, o.ShipTo, e.grams(o, lines))
	if err != nil {
		return p, 0
	}
	p.DeliverBy = endOf(ships.AddDays(int(quote.TransitDays)), zone)
	return p, quote.Price
}

// endOf is the first instant after a date.
func endOf(d network.Date, zone *time.Location) time.Time { return d.AddDays(1).Start(zone).UTC() }

// grams is the weight of lines; SKUs without a weight count nothing.
func (e *Engine) grams(o *order.Order, lines []order.LineQuantity) int64 {
	cat := e.Catalog()
	var sum int64
	for _, q := range lines {
		l := o.Line(q.Line)
		if s, ok := cat.Get(l.SKU); ok && (s.WeightG > 0 || len(l.Parts) == 0) {
			sum += s.WeightG * q.Quantity
			continue
		}
		for _, p := range l.Parts {
			if s, ok := cat.Get(p.SKU); ok {
				sum += s.WeightG * p.Quantity * q.Quantity
			}
		}
	}
	return sum
}
