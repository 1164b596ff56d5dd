package sim

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/intake"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// shopperCounts are what shoppers did. All but the refusals repeat with the seed.
type shopperCounts struct {
	orders, market, pickup          atomic.Int64
	reserved, abandoned             atomic.Int64
	repeated, cancelled             atomic.Int64
	refused, unreserved, differed   atomic.Int64
	browsed, foundOut, cancelledOff atomic.Int64
	asked, confirmed, kept          atomic.Int64 // promises: asked for, confirmed, found in the order as confirmed
}

// traffic lets shoppers come, each when the clock says so, until all orders are placed or the context ends.
func (w *world) traffic(ctx context.Context) error {
	end := MaxOrders
	if w.opt.Orders > 0 {
		end = w.firstSeen + w.opt.Orders
	}
	var left atomic.Int64
	left.Store(int64(end - w.firstSeen))
	over := make(chan struct{})
	rhythm := newRhythm(w.began, w.opt.PerDay)
	var come func(index int)
	come = func(index int) {
		n := float64(index-w.firstSeen) + newChance(w.data.Seed, "arrival", strconv.Itoa(index)).between(0, .9)
		w.agenda.at(rhythm.at(n), func(ctx context.Context) {
			if index+1 < end {
				come(index + 1)
			}
			w.shopping(ctx, w.data.visit(index))
			if left.Add(-1) == 0 {
				close(over)
			}
		})
	}
	come(w.firstSeen)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-over:
		w.shut.Store(true)
		return nil
	}
}

// shopping is one shopper from the first look to the order.
func (w *world) shopping(ctx context.Context, v *visit) {
	w.look(ctx, v)
	if len(v.abandon) > 0 {
		w.shoppers.abandoned.Add(1)
		w.hold(ctx, v.abandon, abandonSeconds)
	}
	if v.order.Channel == marketChannel {
		w.orderAtMarket(ctx, v)
		return
	}
	n := v.order
	n.Tenders = w.bank.tokens(&n)
	var offer *inventory.Offer
	if v.ask {
		n.ReservationID, offer = w.choose(ctx, &n)
	}
	if v.reserve {
		w.shoppers.reserved.Add(1)
		if n.ReservationID = w.hold(ctx, n.Lines, reserveSeconds); n.ReservationID == "" {
			w.shoppers.unreserved.Add(1) // orders all the same, and waits for what is missing
		}
	}
	if n.Method == order.Pickup {
		w.shoppers.pickup.Add(1)
	}
	var o order.Order
	err := w.shop.post(ctx, "capture", "/v1/orders", &n, &o)
	w.ordered(ctx, err)
	if err != nil {
		return
	}
	w.care.asked(o.ID, askingShare, "where_is_my_order")
	if offer != nil {
		w.compareOffer(&o, offer)
	}
	if v.repeat {
		w.shoppers.repeated.Add(1)
		var again order.Order
		if err := w.shop.post(ctx, "", "/v1/orders", &n, &again); err == nil && again.ID != o.ID || err != nil && ctx.Err() == nil {
			w.shoppers.differed.Add(1)
		}
	}
	if v.cancel {
		w.agenda.in(v.cancelIn, func(ctx context.Context) { w.changeMind(ctx, v, o.ID) })
	}
}

// ordered counts an attempt.
func (w *world) ordered(ctx context.Context, err error) {
	var no *refusal
	if err == nil || ctx.Err() == nil {
		w.shoppers.orders.Add(1)
	}
	if errors.As(err, &no) && no.Status < 500 {
		w.shoppers.refused.Add(1)
	}
}

// look asks what there is.
func (w *world) look(ctx context.Context, v *visit) {
	q := api.AvailabilityRequest{Channel: v.order.Channel, Location: v.order.PickupLocation, Method: string(v.order.Method), Destination: v.order.ShipTo}
	for _, sku := range v.browse {
		q.Items = append(q.Items, api.AvailabilityItem{SKU: sku})
	}
	var answer api.AvailabilityAnswer
	if w.shop.post(ctx, "availability", "/v1/availability", &q, &answer) != nil {
		return // counted with the answers
	}
	for _, it := range answer.Items {
		if w.shoppers.browsed.Add(1); !it.Available {
			w.shoppers.foundOut.Add(1)
		}
	}
}

// hold reserves a basket; empty: it was refused.
func (w *world) hold(ctx context.Context, lines []order.NewLine, seconds int64) string {
	n := inventory.NewReservation{Channel: webChannel, TTLSeconds: seconds}
	for _, l := range lines {
		n.Lines = append(n.Lines, inventory.NewReservationLine{SKU: l.SKU, Quantity: l.Quantity})
	}
	var r inventory.Reservation
	if w.shop.post(ctx, "reserve", "/v1/reservations", &n, &r) != nil {
		return "" // counted with the answers
	}
	return r.ID
}

// orderAtMarket delivers the document of a marketplace, sometimes twice.
func (w *world) orderAtMarket(ctx context.Context, v *visit) {
	w.shoppers.market.Add(1)
	times := 1
	if v.repeat {
		w.shoppers.repeated.Add(1)
		times = 2
	}
	first, document := "", v.document(w.clock.Now())
	for i := range times {
		var report intake.OrderReport
		err := w.shop.post(ctx, "import", "/v1/import/orders"+query("format", "shopify", "channel", marketChannel), document, &report)
		if err == nil && len(report.Orders) == 0 {
			err = &refusal{Status: http.StatusConflict, Code: "rejected_document"}
			for _, x := range report.Rejection {
				if x.Code != engine.CodeOutOfStock { // the channel refuses what is short; all else is wrong
					w.watch.note("document of order %s rejected: %s %s %s", v.order.ExternalID, x.Code, x.Pointer, x.Message)
				}
			}
		}
		if i == 0 {
			w.ordered(ctx, err)
		}
		if err != nil {
			return
		}
		switch id := report.Orders[0].ID; {
		case i == 0:
			first = id
		case id != first:
			w.shoppers.differed.Add(1)
		}
	}
	if v.cancel {
		w.agenda.in(v.cancelIn, func(ctx context.Context) { w.changeMind(ctx, v, first) })
	}
}

// changeMind cancels an order, or a unit of it. It may come too late.
func (w *world) changeMind(ctx context.Context, v *visit, id string) {
	w.shoppers.cancelled.Add(1)
	c := order.Cancellation{Reason: "customer"}
	if v.partly {
		c.Lines = []order.LineQuantity{{Line: "1", Quantity: 1}}
	}
	if err := w.shop.post(ctx, "", "/v1/orders/"+id+"/cancel", &c, nil); err != nil {
		w.shoppers.cancelledOff.Add(1)
	}
}
