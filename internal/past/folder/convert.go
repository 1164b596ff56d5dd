package folder

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
)

// Convert reads a folder and writes its history, with one commit at the end. The header has what was
// missing and assumed.
func Convert(ctx context.Context, dir string, w past.Writer) (*past.Header, error) {
	l := newLoader(dir)
	if err := l.load(ctx); err != nil {
		return nil, err
	}
	slices.SortStableFunc(l.orders, func(a, b *csvOrder) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	begin := l.orders[0].at.Add(-time.Second)
	l.stockUp(begin)
	entries, err := l.documents(begin.Add(-time.Second))
	if err != nil {
		return nil, err
	}
	for _, s := range l.stock {
		entries = append(entries, past.Entry{At: s.at, Stock: []past.Stock{{
			PositionKey: s.key, Delta: inventory.Delta{OnHand: s.units}, Safety: s.safety, Why: s.why,
		}}})
	}
	unpriced := int64(0)
	for number, o := range l.orders {
		es, missed, err := l.life(int64(number), o)
		if err != nil {
			return nil, err
		}
		entries = append(entries, es...)
		unpriced += missed
	}
	if unpriced > 0 {
		l.find("rates.csv", "shipments have no cost and no rate fits them", "they cost nothing", unpriced, l.counts["shipments.csv"], "high", "every cost")
	}
	slices.SortStableFunc(entries, func(a, b past.Entry) int { return a.At.Compare(b.At) })
	for i := range entries {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := w.Write(&entries[i]); err != nil {
			return nil, err
		}
	}
	origin, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	h := &past.Header{
		Source: "csv", Origin: origin, Currency: l.currency, Orders: int64(len(l.orders)),
		From: entries[0].At, Until: entries[len(entries)-1].At, Quality: l.quality(),
	}
	return h, w.Commit(h)
}

// documents are what is known of the retailer from the beginning.
func (l *loader) documents(at time.Time) ([]past.Entry, error) {
	var entries []past.Entry
	var failed error
	put := func(kind, id string, doc any) {
		body, err := json.Marshal(doc)
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s %s: %w", kind, id, err)
		}
		entries = append(entries, past.Entry{At: at, Document: &past.Document{Kind: kind, ID: id, JSON: body}})
	}
	for i := range l.locations {
		put("location", l.locations[i].ID, &l.locations[i])
	}
	for i := range l.carriers {
		put("carrier", l.carriers[i].ID, &l.carriers[i])
	}
	put("network", "all", &network.Network{ID: "all", Rule: &network.Rule{}})
	channel := network.Channel{ID: l.channel, Type: network.Web, Currency: l.currency, Networks: []string{"all"}, Service: l.service}
	if err := channel.Validate(); err != nil {
		return nil, fmt.Errorf("settings.csv: channel: %w", err)
	}
	put("channel", l.channel, &channel)
	for _, id := range slices.Sorted(maps.Keys(l.skus)) {
		put("sku", id, l.skus[id])
	}
	return entries, failed
}

// stockUp dates the stock of the beginning, and adds what must have come because it was shipped.
func (l *loader) stockUp(begin time.Time) {
	type use struct {
		at    time.Time
		key   inventory.PositionKey
		units int64
	}
	var uses []use
	for i := range l.stock {
		if s := &l.stock[i]; s.at.Before(begin) {
			s.at = begin
		}
	}
	for _, s := range l.stock {
		uses = append(uses, use{s.at, s.key, s.units})
	}
	const week = 7 * 24 * time.Hour
	for _, o := range l.orders {
		for _, s := range o.shipments {
			for i, n := range s.parts {
				if n > 0 {
					uses = append(uses, use{o.at, inventory.PositionKey{SKU: o.lines[i].sku, Location: s.location}, -n})
				}
			}
		}
	}
	slices.SortStableFunc(uses, func(a, b use) int { return a.at.Compare(b.at) })
	has := map[inventory.PositionKey]int64{}
	added := map[inventory.PositionKey]map[int64]int64{} // by time, nanoseconds
	var short int64
	for _, u := range uses {
		has[u.key] += u.units
		if has[u.key] >= 0 {
			continue
		}
		at := u.at.UnixNano()
		if l.absent["stock.csv"] {
			at = begin.Add(u.at.Sub(begin) / week * week).UnixNano()
		}
		if added[u.key] == nil {
			added[u.key] = map[int64]int64{}
		}
		added[u.key][at] -= has[u.key]
		short -= has[u.key]
		has[u.key] = 0
	}
	keys := slices.SortedFunc(maps.Keys(added), func(a, b inventory.PositionKey) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.SKU, b.SKU))
	})
	for _, k := range keys {
		for _, at := range slices.Sorted(maps.Keys(added[k])) {
			l.stock = append(l.stock, stockRow{at: time.Unix(0, at).UTC(), key: k, units: added[k][at], why: "receipt"})
		}
	}
	if short > 0 && !l.absent["stock.csv"] {
		l.find("stock.csv", "units left, or were sold, that were not there", "they came at that moment", short, 0, "some", "availability later in the period")
	}
}

// life is the entries of an order; missed counts shipments without any price.
func (l *loader) life(number int64, o *csvOrder) (entries []past.Entry, missed int64, err error) {
	n := order.New{
		Channel: l.channel, ExternalID: o.id, PlacedAt: o.at, Currency: l.currency, Method: order.Ship, Service: o.service,
		Customer: order.Customer{ID: o.customer}, ShipTo: &o.shipTo, Shipping: o.shipping,
	}
	for _, x := range o.lines {
		n.Lines = append(n.Lines, order.NewLine{SKU: x.sku, Quantity: x.quantity, UnitPrice: x.price})
	}
	if err := n.Validate(); err != nil {
		return nil, 0, fmt.Errorf("orders.csv: order %.60s: %w; correct it, or take it away with its lines", o.id, err)
	}
	state := n.Capture(order.Captured{ID: o.id, At: o.at, Parts: func(string) []inventory.Part { return nil }}).Order
	d := &past.Decision{Order: number, First: true, State: state}
	entries = append(entries, past.Entry{At: o.at, Decision: d})
	slices.SortStableFunc(o.shipments, func(a, b *csvShipment) int { return a.at.Compare(b.at) })
	last := o.at
	step := func(at time.Time, s past.Step) {
		s.Order = number
		entries = append(entries, past.Entry{At: at, Step: &s})
		if at.After(last) {
			last = at
		}
	}
	arrived := len(o.shipments) > 0
	for i, s := range o.shipments {
		if !s.charged {
			price, ok := l.price(o, s)
			if s.cost = price; !ok {
				missed++
			}
		}
		lines := lineQuantities(s.parts)
		d.Placed = append(d.Placed, past.Placed{Location: s.location, Service: s.service, Lines: lines, Cost: s.cost, Promise: order.Promise{DeliverBy: o.promised}})
		d.Moves = append(d.Moves, moves(o, s, inventory.Free, inventory.Allocated)...)
		step(s.at, past.Step{Kind: past.StepShipped, Fulfillment: i + 1, Lines: lines, Moves: moves(o, s, inventory.Allocated, inventory.Shipped)})
		if arrived = arrived && !s.delivered.IsZero(); !s.delivered.IsZero() {
			step(s.delivered, past.Step{Kind: past.StepDelivered, Fulfillment: i + 1})
		}
	}
	for _, s := range o.steps {
		step(s.at, past.Step{Kind: s.kind, Lines: lineQuantities(s.parts), Seconds: s.seconds, Reason: s.reason})
	}
	left := make([]int64, len(o.lines))
	open := false
	for i, x := range o.lines {
		left[i] = x.quantity
		for _, s := range o.shipments {
			left[i] -= s.parts[i]
		}
		open = open || x.left > 0
	}
	if !l.absent["shipments.csv"] {
		d.Unplaced = lineQuantities(left)
	}
	if !open && (arrived || len(o.shipments) == 0) {
		step(last, past.Step{Kind: past.StepDone})
	}
	return entries, missed, nil
}

// price is what the rates say that a shipment costs.
func (l *loader) price(o *csvOrder, s *csvShipment) (int64, bool) {
	var grams int64
	for i, n := range s.parts {
		grams += n * l.skus[o.lines[i].sku].WeightG
	}
	q, err := l.tariffs[s.service].Quote(&l.located[s.location].Address, &o.shipTo, grams)
	return q.Price, err == nil
}

func lineQuantities(parts []int64) []order.LineQuantity {
	var lines []order.LineQuantity
	for i, n := range parts {
		if n > 0 {
			lines = append(lines, order.LineQuantity{Line: strconv.Itoa(i + 1), Quantity: n})
		}
	}
	return lines
}

func moves(o *csvOrder, s *csvShipment, from, to inventory.Account) []inventory.Movement {
	var m []inventory.Movement
	for i, n := range s.parts {
		if n > 0 {
			m = append(m, inventory.Movement{SKU: o.lines[i].sku, Location: s.location, From: from, To: to, Quantity: n})
		}
	}
	return m
}
