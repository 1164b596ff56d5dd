package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/promise"
)

const (
	// delaysEvery is how many snapshot intervals lie between two snapshots of delays: they
	// change slowly, and each new one has every remembered arrival calculated anew.
	delaysEvery = 20
	// maxParcels bounds the fulfillments under way to customers, maxWork those at locations, that
	// are known one by one: about 150 bytes each. Beyond it those that begin are not
	// followed; their deliveries still count.
	maxParcels = 50_000
	maxWork    = 20_000
	// parcelReach is how long after its deadline a parcel counts as under way: later nobody will
	// report its delivery.
	parcelReach = 14 * 24 * time.Hour
	// workReach is how long a fulfillment counts as being worked on.
	workReach = 30 * 24 * time.Hour
)

// parcel is a fulfillment under way to the customer.
type parcel struct {
	ID       string      `json:"id"` // order/fulfillment
	Key      promise.Key `json:"key"`
	Deadline time.Time   `json:"deadline"` // by the calendar alone
}

// work is a fulfillment at a location, with when its stages began; zero: not yet.
type work struct {
	ID       string                          `json:"id"`
	Location string                          `json:"location"`
	Began    [promise.StageShipped]time.Time `json:"began"` // open, accepted, picked, packed
}

// delayLearner learns how late deliveries come and how long work at locations takes.
// What is under way counts as taking at least so long, as of the snapshot.
type delayLearner struct {
	delays  *promise.Delays
	stages  *promise.Stages
	parcels map[string]parcel
	works   map[string]work

	late *promise.Delays // of the snapshot
	busy *promise.Stages
}

func newDelayLearner() *delayLearner {
	return &delayLearner{delays: promise.NewDelays(0), stages: promise.NewStages(0), parcels: map[string]parcel{}, works: map[string]work{}}
}

func (d *delayLearner) id() string { return LearnedDelays }

// dateOf is a moment's day in UTC.
func dateOf(at time.Time) network.Date {
	year, month, day := at.UTC().Date()
	return network.DateOf(year, month, day)
}

func (d *delayLearner) observe(x *lesson) {
	o, events, at := x.order, x.events, x.at
	d.delays.Advance(dateOf(at))
	d.stages.Advance(dateOf(at))
	for i := range events {
		e := &events[i]
		f := e.Fulfillment
		if e.Type != order.EventFulfillmentCreated {
			f = o.Fulfillment(e.FulfillmentID)
		}
		if f == nil {
			continue
		}
		id := o.ID + "/" + f.ID
		switch e.Type {
		case order.EventFulfillmentCreated:
			d.begin(id, f.Location, at)
		case order.EventFulfillmentAccepted:
			d.enter(id, promise.StageAccepted, at)
		case order.EventFulfillmentPicked:
			d.enter(id, promise.StagePicked, at)
			d.forgetGone(id, f)
		case order.EventFulfillmentPacked:
			d.enter(id, promise.StagePacked, at)
		case order.EventFulfillmentRejected, order.EventFulfillmentCancel, order.EventFulfillmentWithdraw:
			d.forgetGone(id, f)
		case order.EventFulfillmentReady, order.EventFulfillmentHandover:
			d.done(id, at)
		case order.EventFulfillmentShipped:
			d.done(id, at)
			d.send(id, f)
		case order.EventFulfillmentDeliver:
			d.delivered(id, f, at)
		}
	}
}

// begin notes a fulfillment that a location was given.
func (d *delayLearner) begin(id, location string, at time.Time) {
	if len(d.works) >= maxWork {
		maps.DeleteFunc(d.works, func(_ string, w work) bool { return at.Sub(w.Began[promise.StageOpen]) > workReach })
	}
	if len(d.works) < maxWork {
		d.works[id] = work{ID: id, Location: location, Began: [promise.StageShipped]time.Time{at}}
	}
}

// enter notes when a stage began, once.
func (d *delayLearner) enter(id string, s promise.Stage, at time.Time) {
	if w, ok := d.works[id]; ok && w.Began[s].IsZero() {
		w.Began[s] = at
		d.works[id] = w
	}
}

// done counts a fulfillment that left or stands ready.
func (d *delayLearner) done(id string, at time.Time) {
	w, ok := d.works[id]
	if !ok {
		return // known already, or not followed
	}
	for s, began := range w.Began {
		if !began.IsZero() {
			d.stages.Done(w.Location, promise.Stage(s), max(at.Sub(began), 0))
		}
	}
	delete(d.works, id)
}

// forgetGone lets go of a fulfillment of which nothing is left.
func (d *delayLearner) forgetGone(id string, f *order.Fulfillment) {
	if f.Status == order.FulfillmentRejected || f.Status == order.FulfillmentCancelled {
		delete(d.works, id)
	}
}

// delayKey is what the delay of a fulfillment belongs to; false: it has no deadline to be late for.
func delayKey(f *order.Fulfillment) (promise.Key, bool) {
	k := promise.Key{Location: f.Location, Service: f.Service, Zone: f.Zone}
	return k, f.Method == order.Ship && f.Service != "" && !f.Promise.Calendar.IsZero()
}

// send notes a fulfillment that is under way.
func (d *delayLearner) send(id string, f *order.Fulfillment) {
	if k, ok := delayKey(f); ok && len(d.parcels) < maxParcels {
		d.parcels[id] = parcel{ID: id, Key: k, Deadline: f.Promise.Calendar}
	}
}

// delivered counts a delivery.
func (d *delayLearner) delivered(id string, f *order.Fulfillment, at time.Time) {
	delete(d.parcels, id)
	if k, ok := delayKey(f); ok {
		d.delays.Delivered(k, at.Sub(f.Promise.Calendar))
	}
}

// delayState is all that the learner knows.
type delayState struct {
	Delays  promise.Snapshot `json:"delays"`
	Stages  promise.Snapshot `json:"stages"`
	At      time.Time        `json:"at"`
	Parcels []parcel         `json:"parcels"` // by id
	Work    []work           `json:"work"`    // by id
}

func (d *delayLearner) encode(version int64, at time.Time) ([]byte, error) {
	maps.DeleteFunc(d.parcels, func(_ string, p parcel) bool { return at.Sub(p.Deadline) > parcelReach })
	maps.DeleteFunc(d.works, func(_ string, w work) bool { return at.Sub(w.Began[promise.StageOpen]) > workReach })
	s := delayState{Delays: d.delays.Snapshot(version), Stages: d.stages.Snapshot(version), At: at, Parcels: []parcel{}, Work: []work{}}
	for _, id := range slices.Sorted(maps.Keys(d.parcels)) {
		s.Parcels = append(s.Parcels, d.parcels[id])
	}
	for _, id := range slices.Sorted(maps.Keys(d.works)) {
		s.Work = append(s.Work, d.works[id])
	}
	if err := d.sum(&s); err != nil {
		return nil, err
	}
	return json.Marshal(&s)
}

// sum makes what decisions read: what came, and what is under way, as of a state.
func (d *delayLearner) sum(s *delayState) error {
	delays, err := promise.Restore(s.Delays)
	if err != nil {
		return fmt.Errorf("delays: %w", err)
	}
	stages, err := promise.RestoreStages(s.Stages)
	if err != nil {
		return fmt.Errorf("stages: %w", err)
	}
	under := promise.NewDelays(0)
	under.Advance(dateOf(s.At))
	for i := range s.Parcels {
		under.Open(s.Parcels[i].Key, s.At.Sub(s.Parcels[i].Deadline))
	}
	begun := promise.NewStages(0)
	begun.Advance(dateOf(s.At))
	for i := range s.Work {
		for stage, began := range s.Work[i].Began {
			if !began.IsZero() {
				begun.Open(s.Work[i].Location, promise.Stage(stage), max(s.At.Sub(began), 0))
			}
		}
	}
	d.late, d.busy = promise.Merge(delays, under), promise.MergeStages(stages, begun)
	return nil
}

func (d *delayLearner) restore(body []byte) error {
	var s delayState
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	var err error
	if d.delays, err = promise.Restore(s.Delays); err != nil {
		return fmt.Errorf("delays: %w", err)
	}
	if d.stages, err = promise.RestoreStages(s.Stages); err != nil {
		return fmt.Errorf("stages: %w", err)
	}
	for _, p := range s.Parcels {
		d.parcels[p.ID] = p
	}
	for _, w := range s.Work {
		d.works[w.ID] = w
	}
	return d.sum(&s)
}

func (d *delayLearner) publish(into *lore) { into.late, into.work = d.late, d.busy }
