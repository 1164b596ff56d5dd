package bench

import (
	"bytes"
	"context"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// lifecycleRun takes whole orders from the basket to the customer. Each has
// eight durable steps (reserve, extend the reservation, capture it as an order,
// accept, pick, pack, ship, deliver) and one read; five of them repeat for
// each further fulfillment, should an order be split.
type lifecycleRun struct {
	orders   captureRun
	baskets  []journey
	extend   []byte // body
	ship     hole
	noFields []byte // body of a step that says nothing beyond its name
}

// journey is what one order sends, prebuilt.
type journey struct {
	reservation []byte // body
	capture     hole   // for the external id; its end has the hole for the reservation
	tail        hole
}

func (r *lifecycleRun) prepare(ctx context.Context, s *setup) error {
	sh := s.shop(orderLocations, orderPositions)
	r.orders = captureRun{head: s.head, shop: sh, run: runID()}
	r.extend, r.noFields = []byte(`{"ttl_seconds":1800}`), []byte("{}")
	r.ship = newHole(&order.Step{Parcels: []order.Parcel{{
		ID: "1", Carrier: carrierID, Service: serviceID, Tracking: placeholder, TrackingURL: "https://tracking.example.com/parcels", WeightG: 1250,
	}}})
	numbers := random(2)
	for range orderTemplates {
		lines := basket(numbers, sh)
		reservation := &inventory.NewReservation{Channel: channelID, TTLSeconds: 900, Reference: "basket-4711"}
		for _, l := range lines {
			reservation.Lines = append(reservation.Lines, inventory.NewReservationLine{SKU: sh.skuID(l.sku), Quantity: l.quantity})
		}
		n := newOrder(numbers, sh, lines)
		n.ExternalID, n.ReservationID = placeholder, placeholder
		j := journey{reservation: encode(reservation), capture: newHole(n)}
		before, after, _ := bytes.Cut(j.capture.after, []byte(placeholder))
		j.tail = hole{before, after}
		r.baskets = append(r.baskets, j)
	}
	if err := sh.open(ctx, s); err != nil {
		return err
	}
	return sh.receive(ctx, s, plentyUnits)
}

func (r *lifecycleRun) operation(i int) func(*client) error {
	t := &trip{run: r, client: i, at: i * len(r.baskets) / 7}
	return t.order
}

// trip is one client's way through the orders, with memory it reuses.
type trip struct {
	run        *lifecycleRun
	client     int
	at, number int
	external   []byte
	id         []byte // of the reservation, then of the order
	shipments  []string
}

// order takes one order from the basket to the customer. A step that is refused ends it;
// the refusal is among the errors.
func (t *trip) order(c *client) error {
	start := time.Now()
	j := &t.run.baskets[t.at%len(t.run.baskets)]
	t.external = t.run.orders.externalID(t.external[:0], t.client, t.number)
	t.at, t.number = t.at+1, t.number+1
	ok, err := t.place(c, j)
	if !ok || err != nil {
		return err
	}
	if ok, err = t.send(c, "GET", "/v1/orders/"+string(t.id)); !ok || err != nil {
		return err
	}
	for _, id := range t.shipments {
		for _, step := range []string{"accept", "pick", "pack", "ship", "deliver"} {
			parts := [][]byte{t.run.noFields}
			if step == "ship" {
				parts = [][]byte{t.run.ship.before, t.external, t.run.ship.after}
			}
			if ok, err = t.send(c, "POST", "/v1/fulfillments/"+id+"/"+step, parts...); !ok || err != nil {
				return err
			}
			c.durable++
		}
	}
	c.operations++
	c.whole.record(time.Since(start))
	return nil
}

// place reserves the basket and turns it into an order with fulfillments.
func (t *trip) place(c *client, j *journey) (ok bool, err error) {
	h := t.run.orders.head
	c.request = h.request(c.request[:0], "POST", "/v1/reservations", j.reservation)
	body, ok, err := c.call(c.request)
	if !ok || err != nil {
		return false, err
	}
	t.id = append(t.id[:0], stringAfter(body, `"id":"`)...)
	if ok, err = t.send(c, "POST", "/v1/reservations/"+string(t.id)+"/extend", t.run.extend); !ok || err != nil {
		return false, err
	}
	c.request = h.request(c.request[:0], "POST", "/v1/orders", j.capture.before, t.external, j.tail.before, t.id, j.tail.after)
	if body, ok, err = c.call(c.request); !ok || err != nil {
		return false, err
	}
	c.durable += 3
	t.id = append(t.id[:0], stringAfter(body, `"id":"`)...)
	if t.shipments = fulfillmentsOf(t.shipments[:0], body); len(t.shipments) == 0 {
		c.fail("order_without_fulfillment", 1)
		return false, nil
	}
	return true, nil
}

func (t *trip) send(c *client, method, path string, body ...[]byte) (bool, error) {
	c.request = t.run.orders.head.request(c.request[:0], method, path, body...)
	_, ok, err := c.call(c.request)
	return ok, err
}

// fulfillmentsOf appends the ids of an order's fulfillments. A fulfillment is the only
// object of the answer that begins with an id and goes on with its location.
func fulfillmentsOf(dst []string, body []byte) []string {
	at := bytes.Index(body, []byte(`"fulfillments":[`))
	if at < 0 {
		return dst
	}
	for rest := body[at:]; ; {
		id := stringAfter(rest, `{"id":"`)
		if id == nil {
			return dst
		}
		next := bytes.Index(rest, []byte(`{"id":"`)) + len(`{"id":"`) + len(id)
		rest = rest[next:]
		if bytes.HasPrefix(rest, []byte(`","location":"`)) {
			dst = append(dst, string(id))
		}
	}
}

func (r *lifecycleRun) figures(report *Report, t *tally) {
	f := &LifecycleFigures{
		Orders: t.operations, OrdersPS: perSecond(t.operations, t.elapsed), DurableSteps: t.durable, StepsPS: perSecond(t.durable, t.elapsed),
		OrderP50MS: ms(t.whole.quantile(.5)), OrderP99MS: ms(t.whole.quantile(.99)),
	}
	if t.operations > 0 {
		f.StepsPerOrder = float64(t.durable) / float64(t.operations)
	}
	report.Lifecycle = f
}
