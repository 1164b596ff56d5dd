package folder

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
)

// take finds units of the order that are left: of an article, or all when sku is empty; all of them when quantity is 0.
func (o *csvOrder) take(r *row, sku string, quantity int64) []int64 {
	if quantity < 0 {
		r.wrong("quantity %d is below 0", quantity)
		return nil
	}
	parts := make([]int64, len(o.lines))
	want, got := quantity, int64(0)
	for i := range o.lines {
		x := &o.lines[i]
		if sku != "" && x.sku != sku {
			continue
		}
		n := x.left
		if quantity > 0 {
			n = min(n, want)
		}
		parts[i] = n
		want -= n
		got += n
	}
	if got == 0 || quantity > 0 && want > 0 {
		r.wrong("order %.60s has %d units of %s left, not %d", o.id, got, named(sku), quantity)
		return nil
	}
	for i, n := range parts {
		o.lines[i].left -= n
	}
	return parts
}

func named(sku string) string {
	if sku == "" {
		return "any article"
	}
	return sku
}

func (l *loader) shipment(r *row) {
	o := l.of(r)
	x := csvShipment{id: r.text("shipment"), location: r.text("location"), at: r.time("shipped_at"), service: r.text("service")}
	if l.located[x.location] == nil {
		r.wrong("location %.60q is not in locations.csv", x.location)
	}
	cost, charged := r.money("cost")
	quantity := r.number("quantity", 0)
	if r.text("quantity") != "" && quantity <= 0 {
		r.wrong("quantity %d is not above 0", quantity)
	}
	if r.bad != "" {
		return
	}
	if x.at.IsZero() {
		x.at = o.at.Add(24 * time.Hour)
	}
	if x.at.Before(o.at) {
		r.wrong("it left at %s, before order %.60s was placed", x.at.Format(time.RFC3339), o.id)
		return
	}
	if l.tariffs[x.service] == nil {
		x.service = o.service
	}
	at := slices.IndexFunc(o.shipments, func(s *csvShipment) bool {
		if x.id != "" || s.id != "" {
			return s.id == x.id
		}
		return s.location == x.location && s.at.Equal(x.at)
	})
	if at >= 0 && o.shipments[at].location != x.location {
		r.wrong("shipment %.60s left from another location in a row before", x.id)
		return
	}
	parts := o.take(r, r.text("sku"), quantity)
	if parts == nil {
		return
	}
	if at < 0 {
		x.parts = make([]int64, len(o.lines))
		o.shipments = append(o.shipments, &x)
		at = len(o.shipments) - 1
	}
	s := o.shipments[at]
	for i, n := range parts {
		s.parts[i] += n
	}
	if charged {
		s.cost, s.charged = s.cost+cost, true
	}
}

func (l *loader) delivery(r *row) {
	o, at, id := l.of(r), r.time("delivered_at"), r.text("shipment")
	if r.bad != "" {
		return
	}
	found, early := false, false
	for _, s := range o.shipments {
		switch {
		case id != "" && s.id != id:
		case at.Before(s.at):
			early = true
		case !s.delivered.IsZero() && id == "":
		default:
			s.delivered, found = at, true
		}
	}
	switch {
	case found:
	case early:
		r.wrong("order %.60s arrived before it left", o.id)
	case !l.absent["shipments.csv"]:
		r.wrong("order %.60s has no such shipment that has not arrived", o.id)
	}
}

func (l *loader) cancellation(r *row) {
	o := l.of(r)
	s := csvStep{at: r.time("cancelled_at"), kind: past.StepCancelled, reason: r.text("reason")}
	quantity := r.number("quantity", 0)
	if r.text("quantity") != "" && quantity <= 0 {
		r.wrong("quantity %d is not above 0", quantity)
	}
	if r.bad != "" {
		return
	}
	if s.at.Before(o.at) {
		r.wrong("order %.60s was cancelled before it was placed", o.id)
		return
	}
	if s.parts = o.take(r, r.text("sku"), quantity); s.parts != nil {
		o.steps = append(o.steps, s)
	}
}

func (l *loader) touch(r *row) {
	o := l.of(r)
	s := csvStep{at: r.time("at"), kind: past.StepTouched, seconds: r.number("seconds", 180), reason: r.text("reason")}
	if s.seconds < 0 || s.seconds > 7*86400 {
		r.wrong("seconds %d is not from 0 to a week", s.seconds)
	}
	if o != nil && s.at.Before(o.at) {
		r.wrong("somebody worked on order %.60s before it was placed", o.id)
	}
	if r.bad == "" {
		o.steps = append(o.steps, s)
	}
}
