package sim

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// What the work on a shipment costs at a location, cents. It is a stated figure, the
// same whatever decides; the retailer's sourcing policy reckons with it too.
const (
	handlingAtDC    = 90
	handlingAtStore = 220
)

// Outcome is what a way of deciding comes to.
//
// Costs are what the carrier charges by its tariff for the units that left, and the
// stated handling of each shipment, pickups too. A promise is kept when the parcel is delivered, or the
// pickup ready, by the promise that the customer was given with the order: given to
// another location later, it is still measured against the first promise, except when
// units had to wait for stock.
type Outcome struct {
	Rule              string  `json:"rule"`   // what decides where orders ship from
	Orders            int64   `json:"orders"` // of which something left
	Shipments         int64   `json:"shipments"`
	FromStores        int64   `json:"from_stores"` // shipments, pickups included
	CarrierCents      int64   `json:"carrier_cents"`
	HandlingCents     int64   `json:"handling_cents"`
	Waiting           int64   `json:"waiting"` // orders left waiting for stock
	Promises          int64   `json:"promises"`
	Kept              int64   `json:"kept"`
	CostPerOrder      float64 `json:"cost_per_order"` // cents
	ShipmentsPerOrder float64 `json:"shipments_per_order"`
	KeptShare         float64 `json:"kept_share"`
	// PromisedHours and TookHours are medians over shipments, from capture.
	PromisedHours float64 `json:"promised_hours"`
	TookHours     float64 `json:"took_hours"`
}

// finished fills in what is calculated.
func (o Outcome) finished(waiting int64, promised, took float64) Outcome {
	o.Waiting, o.PromisedHours, o.TookHours = waiting, round(promised, 1), round(took, 1)
	if o.Orders > 0 {
		o.CostPerOrder = round(float64(o.CarrierCents+o.HandlingCents)/float64(o.Orders), 2)
	}
	o.ShipmentsPerOrder, o.KeptShare = ratio(o.Shipments, o.Orders), ratio(o.Kept, o.Promises)
	return o
}

// leave books what a shipment costs that has just left, and returns the carrier's charge.
func (w *watch) leave(o *order.Order, f *order.Fulfillment, lines []order.LineQuantity) (charge int64) {
	gone := 0
	for i := range o.Fulfillments {
		switch o.Fulfillments[i].Status {
		case order.FulfillmentShipped, order.FulfillmentDelivered, order.FulfillmentHandedOver:
			gone++
		}
	}
	if gone == 1 {
		w.outcome.Orders++
	}
	w.outcome.Shipments++
	l, ok := w.data.directory.Location(f.Location)
	if !ok {
		w.find("fulfillment %s is at the unknown location %q", f.ID, f.Location)
		return 0
	}
	handling := int64(handlingAtDC)
	if l.Type == network.Store {
		handling = handlingAtStore
		w.outcome.FromStores++
	}
	w.outcome.HandlingCents += handling
	if f.Method == order.Ship {
		charge = w.data.charge(o, f, l, lines)
	}
	w.outcome.CarrierCents += charge
	return charge
}

// charge is the carrier's bill for units of an order, by its own tariff.
func (d *Data) charge(o *order.Order, f *order.Fulfillment, from *network.Location, lines []order.LineQuantity) int64 {
	var grams int64
	for _, q := range lines {
		if l := o.Line(q.Line); l != nil {
			if s := d.bySKU[l.SKU]; s != nil {
				grams += s.WeightG * q.Quantity
			}
		}
	}
	quote, err := d.directory.Quote(f.Service, &from.Address, o.ShipTo, max(grams, 1))
	if err != nil {
		return f.Cost // a service of somebody else's, whose price only the server knows
	}
	return quote.Price
}

// arrive compares a delivery, or a pickup that is ready, with its promise.
func (w *watch) arrive(o *order.Order, f *order.Fulfillment, at time.Time) {
	by := w.promiseOf(o, f)
	if by.IsZero() {
		return
	}
	w.outcome.Promises++
	if !at.After(by) {
		w.outcome.Kept++
	}
	if len(w.took) < maxTook {
		w.took = append(w.took, at.Sub(o.CreatedAt).Hours())
		w.promised = append(w.promised, by.Sub(o.CreatedAt).Hours())
	}
}

// promiseOf is what the customer was told of a fulfillment: with the order, or when
// stock that was waited for had come.
func (w *watch) promiseOf(o *order.Order, f *order.Fulfillment) time.Time {
	if first := w.told[o.ID]; givenLater(o, f) && !first.IsZero() && !w.waited[o.ID] {
		return first
	}
	return f.Promise.DeliverBy
}

// Compare sets the report of the same shoppers under the nearest rule beside this one.
// What was wrong there is wrong here too.
func (r *Report) Compare(nearest *Report) {
	outcome := nearest.Outcome
	r.Baseline, r.BaselineKPIs = &outcome, nearest.KPIs
	for _, p := range nearest.Problems {
		r.Problems = append(r.Problems, "under the nearest rule: "+p)
	}
	for _, n := range nearest.Notes {
		r.Notes = append(r.Notes, "under the nearest rule: "+n)
	}
	r.OK = len(r.Problems) == 0
}

// measures of an outcome in the sequence of the report.
var measures = []struct {
	name   string
	value  func(*Outcome) float64
	format string // of a value
	change string // of a difference; percent: of the baseline's value
}{
	{"cost per order, EUR", func(o *Outcome) float64 { return o.CostPerOrder / 100 }, "%.2f", "percent"},
	{"  carrier", func(o *Outcome) float64 { return perOrder(o, o.CarrierCents) }, "%.2f", "%+.2f"},
	{"  handling", func(o *Outcome) float64 { return perOrder(o, o.HandlingCents) }, "%.2f", "%+.2f"},
	{"shipments per order", func(o *Outcome) float64 { return o.ShipmentsPerOrder }, "%.3f", "percent"},
	{"promise kept, %", func(o *Outcome) float64 { return 100 * o.KeptShare }, "%.1f", "%+.1f"},
	{"promised, median hours", func(o *Outcome) float64 { return o.PromisedHours }, "%.1f", "%+.1f"},
	{"taken, median hours", func(o *Outcome) float64 { return o.TookHours }, "%.1f", "%+.1f"},
	{"from stores, %", func(o *Outcome) float64 { return 100 * ratio(o.FromStores, o.Shipments) }, "%.1f", "%+.1f"},
	{"orders shipped", func(o *Outcome) float64 { return float64(o.Orders) }, "%.0f", "%+.0f"},
	{"orders left waiting", func(o *Outcome) float64 { return float64(o.Waiting) }, "%.0f", "%+.0f"},
}

// perOrder is euros an order.
func perOrder(o *Outcome, cents int64) float64 {
	return float64(cents) / 100 / float64(max(o.Orders, 1))
}

// writeOutcome prints the outcome, beside the baseline when there is one.
func (r *Report) writeOutcome(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\ndecided by\t%s\t", r.Outcome.Rule)
	if r.Baseline != nil {
		fmt.Fprintf(out, "%s\tdifference\t", r.Baseline.Rule)
	}
	fmt.Fprintln(out)
	for _, m := range measures {
		a := m.value(&r.Outcome)
		fmt.Fprintf(out, "%s\t"+m.format+"\t", m.name, a)
		if r.Baseline != nil {
			b := m.value(r.Baseline)
			fmt.Fprintf(out, m.format+"\t%s\t", b, difference(a, b, m.change))
		}
		fmt.Fprintln(out)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "cost: carriers' tariffs and handling of %s a shipment at DCs, %s at stores; promises: against the date first given\n\n", euros(handlingAtDC), euros(handlingAtStore))
	return err
}

// difference of a value to the baseline's.
func difference(a, b float64, format string) string {
	if format != "percent" {
		return fmt.Sprintf(format, a-b)
	}
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%+.1f %%", 100*(a-b)/b)
}
