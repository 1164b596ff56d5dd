package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// How partners fail.
const (
	// Of every outageEvery answers of a location's system, the last outageLength find it
	// down and come an hour later.
	outageEvery  = 400
	outageLength = 25
	lostShare    = .02 // answers whose confirmation is lost: sent again
	hastyShare   = .02 // shipped before picked and packed were reported; the reports come after
	// maxTries bounds how often one step is tried.
	maxTries = 50
)

// partnerCounts are what partners did.
type partnerCounts struct {
	answers, repeats, outOfTurn, outages, gaveUp atomic.Int64
}

// behaviour is how a kind of location works: hours from one step to the next,
// and shares of what goes wrong.
type behaviour struct {
	accept, pick, pack, ship, ready, collect [2]float64 // hours, from and to
	reject, short                            float64
	reasons                                  []string
}

var (
	warehouseBehaviour = behaviour{
		accept: [2]float64{.1, .6}, pick: [2]float64{.5, 2.5}, pack: [2]float64{.2, .8}, ship: [2]float64{.3, 1.5},
		reject: .003, short: .012, reasons: []string{"damaged", "not_found"},
	}
	storeBehaviour = behaviour{
		accept: [2]float64{.3, 2}, pick: [2]float64{.3, 3}, pack: [2]float64{.2, .8}, ship: [2]float64{.5, 3},
		ready: [2]float64{.1, .8}, collect: [2]float64{1, 9},
		reject: .06, short: .03, reasons: []string{"out_of_stock", "too_busy", "out_of_stock", "damaged"},
	}
)

// site is the system of all locations of one kind: a WMS, or what stores work with.
type site struct {
	w         *world
	name      string
	client    *client
	behaviour behaviour
	mu        sync.Mutex
	answers   map[string]int    // by location
	held      map[string]string // by fulfillment that is not to be begun yet: its location; used by the reader only
}

// maxHeld bounds the fulfillments of which a site remembers where they are; of others it asks.
const maxHeld = 100_000

// job is one fulfillment at a location.
type job struct {
	location *network.Location
	id       string
	c        chance // drawn from step by step, whatever the timing
	step     order.Fulfillment
	at       time.Time // when the location is where it is
	slow     float64   // how many times longer than usual the location takes
	short    string    // line that will not be found whole; empty: none
	hasty    bool
	reject   bool
	tries    int
}

// siteTypes are the events that sites follow.
const siteTypes = order.EventFulfillmentCreated + "," + order.EventFulfillmentReleased

// hear takes up a fulfillment when it is for a location of this kind, once nothing holds it.
func (s *site) hear(e *engine.Published) {
	var event order.Event
	if json.Unmarshal(e.Data, &event) != nil {
		return // the watcher reports what cannot be read
	}
	id, location := event.FulfillmentID, s.held[event.FulfillmentID]
	delete(s.held, id)
	if f := event.Fulfillment; f != nil {
		if id, location = f.ID, f.Location; f.Status == order.FulfillmentHeld {
			if s.held == nil || len(s.held) >= maxHeld {
				s.held = map[string]string{}
			}
			s.held[id] = location
			return
		}
	}
	if location == "" || s.serves(location) {
		at := e.Time
		s.w.agenda.at(at, func(ctx context.Context) { s.begin(ctx, id, at) })
	}
}

// serves reports whether the location is of this kind.
func (s *site) serves(location string) bool {
	l, ok := s.w.data.directory.Location(location)
	return ok && (l.Type == network.DC) == (s.name == "warehouse")
}

// begin reads the order and decides how this job will go, which the location heard of at a time.
func (s *site) begin(ctx context.Context, id string, at time.Time) {
	var o order.Order
	if !s.read(ctx, id, &o) || !s.serves(o.Fulfillment(id).Location) {
		return
	}
	f := o.Fulfillment(id)
	l, _ := s.w.data.directory.Location(f.Location)
	c := newChance(s.w.data.Seed, s.name, o.Channel, o.ExternalID, l.ID, f.Lines[0].Line)
	j := &job{location: l, id: id, c: c, step: *f, at: at, slow: s.w.data.slowness(l)}
	j.reject = c.happens(s.behaviour.reject)
	j.hasty = c.happens(hastyShare)
	if c.happens(s.behaviour.short) {
		j.short = f.Lines[0].Line
	}
	s.later(j, s.behaviour.accept)
}

// read asks for the order of a fulfillment.
func (s *site) read(ctx context.Context, id string, o *order.Order) bool {
	err := s.client.get(ctx, "/v1/orders/"+engine.OrderOfFulfillment(id), o)
	return err == nil && o.Fulfillment(id) != nil
}

// later does the next step after some hours, when the location works.
func (s *site) later(j *job, hours [2]float64) {
	worked := j.c.between(hours[0], hours[1]) * j.slow
	j.at = nextOpen(j.location, j.at.Add(time.Duration(worked*float64(time.Hour))))
	s.w.agenda.at(j.at, func(ctx context.Context) { s.next(ctx, j) })
}

// nextOpen is when the location works, from a moment on; one that never does works at once.
func nextOpen(l *network.Location, t time.Time) time.Time {
	if open, err := l.NextOpen(t); err == nil {
		return open
	}
	return t
}

// down reports whether the system of a location has an outage at this answer.
func (s *site) down(location string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = map[string]int{}
	}
	s.answers[location]++
	return s.answers[location]%outageEvery >= outageEvery-outageLength
}

// next takes the step that the job's state asks for.
func (s *site) next(ctx context.Context, j *job) {
	if j.tries++; j.tries > maxTries {
		s.w.partners.gaveUp.Add(1)
		return
	}
	if s.down(j.location.ID) {
		s.w.partners.outages.Add(1)
		s.later(j, [2]float64{.9, 1.2})
		return
	}
	b := &s.behaviour
	pickup := j.step.Method == order.Pickup
	switch j.step.Status {
	case order.FulfillmentOpen:
		if j.reject {
			s.answer(ctx, j, "reject", order.Step{Reason: pick(j.c, b.reasons)}, b.pick)
			return
		}
		s.answer(ctx, j, "accept", order.Step{}, b.pick)
	case order.FulfillmentAccepted:
		if j.hasty && !pickup {
			s.hasty(ctx, j)
			return
		}
		s.answer(ctx, j, "pick", s.pick(j), b.pack)
	case order.FulfillmentPicked:
		if pickup {
			s.answer(ctx, j, "ready", order.Step{}, b.collect)
			return
		}
		s.answer(ctx, j, "pack", order.Step{}, b.ship)
	case order.FulfillmentPacked:
		s.answer(ctx, j, "ship", s.parcels(j), b.ship)
	case order.FulfillmentReady:
		s.answer(ctx, j, "handover", order.Step{}, b.ship)
	}
}

// pick reports what was taken from the shelf.
func (s *site) pick(j *job) order.Step {
	var step order.Step
	for _, l := range j.step.Lines {
		left := l.Quantity - l.Picked
		if left <= 0 {
			continue
		}
		q := order.LineQuantity{Line: l.Line, Quantity: left}
		if l.Line == j.short {
			q.Quantity, q.Short = left-1, 1
			step.Reason, j.short = pick(j.c, []string{"not_found", "damaged"}), ""
		}
		step.Lines = append(step.Lines, q)
	}
	return step
}

// parcels labels what leaves: one parcel for each begun 20 kg, at most 20.
func (s *site) parcels(j *job) order.Step {
	var grams int64
	for _, l := range j.step.Lines {
		if sku := s.w.data.bySKU[l.SKU]; sku != nil {
			grams += sku.WeightG * l.Quantity
		}
	}
	n := min(1+grams/20_000, 20)
	carrier := ""
	if t, ok := s.w.data.directory.Tariff(j.step.Service); ok {
		carrier = carrierOf(s.w.data, t.Service().ID)
	}
	var step order.Step
	for i := range n {
		tracking := fmt.Sprintf("%s%012d", strings.ToUpper(carrier[:min(2, len(carrier))]), j.c.whole(1, 999_999_999_999))
		step.Parcels = append(step.Parcels, order.Parcel{
			ID: fmt.Sprint(i + 1), Carrier: carrier, Service: j.step.Service, Tracking: tracking, WeightG: grams/n + 150,
			TrackingURL: "https://tracking.example/" + tracking,
		})
	}
	return step
}

func carrierOf(d *Data, service string) string {
	for i := range d.Carriers {
		for _, s := range d.Carriers[i].Services {
			if s.ID == service {
				return d.Carriers[i].ID
			}
		}
	}
	return ""
}

// begun are the states of a fulfillment before it leaves.
var begun = []order.FulfillmentStatus{order.FulfillmentOpen, order.FulfillmentAccepted, order.FulfillmentPicked, order.FulfillmentPacked}

// hasty ships at once and reports picking and packing afterwards: the reports
// come out of turn and change nothing.
func (s *site) hasty(ctx context.Context, j *job) {
	j.hasty = false
	s.answer(ctx, j, "ship", s.parcels(j), s.behaviour.ship)
	for _, command := range []string{"pick", "pack"} {
		var o order.Order
		err := s.client.post(ctx, "", s.path(j, command), nil, &o)
		s.w.partners.outOfTurn.Add(1)
		if err != nil || j.step.Status != order.FulfillmentShipped {
			continue
		}
		if f := o.Fulfillment(j.id); slices.Contains(begun, f.Status) {
			s.w.watch.note("%s of %s made it %s after it had shipped", command, j.id, f.Status)
		}
	}
}

func (s *site) path(j *job, command string) string { return "/v1/fulfillments/" + j.id + "/" + command }

// answer reports a step and plans the next. A refused one means that the
// location's picture is old: it reads the fulfillment again and goes on from there.
func (s *site) answer(ctx context.Context, j *job, command string, step order.Step, then [2]float64) {
	var o order.Order
	s.w.partners.answers.Add(1)
	key := ""
	lost := j.c.happens(lostShare)
	if lost && j.c.happens(.5) {
		key = "demo-" + j.id + "-" + command + "-" + fmt.Sprint(j.tries)
	}
	q := request{name: "step", method: http.MethodPost, path: s.path(j, command), key: key, body: &step}
	err := s.client.do(ctx, q, &o)
	if lost { // sent again, with a key that makes it the same request, or without
		s.w.partners.repeats.Add(1)
		var again order.Order
		if second := s.client.do(ctx, q, &again); key != "" && err == nil && (second != nil || again.Version != o.Version) && ctx.Err() == nil {
			s.w.watch.note("%s of %s repeated with its key: %v, version %d instead of %d", command, j.id, second, again.Version, o.Version)
		}
	}
	var no *refusal
	if err != nil && (ctx.Err() != nil || !errors.As(err, &no)) {
		return
	}
	if err != nil && !s.read(ctx, j.id, &o) {
		return
	}
	j.step = *o.Fulfillment(j.id)
	switch j.step.Status {
	case order.FulfillmentShipped, order.FulfillmentDelivered, order.FulfillmentHandedOver, order.FulfillmentRejected, order.FulfillmentCancelled:
		return
	}
	s.later(j, then)
}

// courier is the system of all carriers: it delivers what was shipped.
type courier struct {
	w      *world
	client *client
}

// hear takes up a shipment.
func (k *courier) hear(e *engine.Published) {
	var event order.Event
	if json.Unmarshal(e.Data, &event) != nil {
		return // the watcher reports what cannot be read
	}
	k.w.agenda.at(e.Time, func(ctx context.Context) { k.carry(ctx, event.FulfillmentID) })
}

// carry delivers after the transit days of the service and the distance.
func (k *courier) carry(ctx context.Context, id string) {
	var o order.Order
	if k.client.get(ctx, "/v1/orders/"+engine.OrderOfFulfillment(id), &o) != nil {
		return
	}
	f := o.Fulfillment(id)
	if f == nil || f.Status != order.FulfillmentShipped {
		return
	}
	c := newChance(k.w.data.Seed, "carrier", o.Channel, o.ExternalID, f.Location, f.Lines[0].Line)
	days, zone := int64(1), int64(1)
	if l, ok := k.w.data.directory.Location(f.Location); ok && o.ShipTo != nil {
		if quote, err := k.w.data.directory.Quote(f.Service, &l.Address, o.ShipTo, 1000); err == nil {
			days, zone = quote.TransitDays, quote.Zone
		}
	}
	late := int64(0)
	if c.happens(k.w.data.lateRisk(f.Service, zone, o.ShipTo)) {
		if late = 1; c.happens(veryLateShare) {
			late = 2
		}
	}
	if late > 0 {
		k.w.care.asked(o.ID, lateShare, "late_delivery")
	}
	k.w.agenda.at(arrival(f.ShippedAt, days, late, c), func(ctx context.Context) {
		k.w.partners.answers.Add(1)
		err := k.client.post(ctx, "step", "/v1/fulfillments/"+id+"/deliver", nil, nil)
		if c.happens(lostShare) && err == nil { // scanned twice: refused, nothing changes
			k.w.partners.repeats.Add(1)
			k.client.post(ctx, "", "/v1/fulfillments/"+id+"/deliver", nil, nil)
		}
	})
}
