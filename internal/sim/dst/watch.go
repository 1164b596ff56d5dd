package dst

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"hash/fnv"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// watch reads the log behind every step, as a partner with a cursor would. It folds what it reads,
// checks the invariants on what a commit touched, and tells the partners.
type watch struct {
	w        *World
	seqs     []int64
	versions map[store.Key]int64
	hash     hash.Hash
	rows     int64
	captured int

	orders       map[string]*tracked // by id
	sequence     []string            // ids, as captured
	external     map[string]string   // order by channel and external id
	reservations map[string]string   // the last event
	effects      map[string]bool     // actors of rows: keys of messages that moved goods
	stock        map[inventory.PositionKey]inventory.Delta

	touched      []inventory.PositionKey // since the last look
	touchedOrder []string
}

// tracked is an order as its events make it.
type tracked struct {
	key    store.Key
	now    *order.Order
	before *order.Order // nil: it is new
}

func newWatch(w *World) *watch {
	return &watch{
		w: w, seqs: make([]int64, len(w.disk.Heads())), versions: map[store.Key]int64{}, hash: fnv.New128a(),
		orders: map[string]*tracked{}, external: map[string]string{}, reservations: map[string]string{}, effects: map[string]bool{},
		stock: map[inventory.PositionKey]inventory.Delta{},
	}
}

// sum identifies the log.
func (x *watch) sum() string { return hex.EncodeToString(x.hash.Sum(nil)) }

// look reads what is new, over all buckets in the order in which it was committed: what one lane
// gives back another takes.
func (x *watch) look() {
	for _, bucket := range x.w.disk.Written(x.rows) {
		x.seqs[bucket]++
		x.row(int(bucket), x.w.disk.Row(int(bucket), x.seqs[bucket]))
	}
	for _, k := range x.touched {
		x.checkPosition(k)
	}
	for _, id := range x.touchedOrder {
		x.checkRecord(id)
	}
	x.touched, x.touchedOrder = x.touched[:0], x.touchedOrder[:0]
}

func (x *watch) row(bucket int, c *store.Commit) {
	x.rows++
	if c.Seq != x.seqs[bucket] || c.Stream.Bucket != bucket {
		fail(37, "sequences have no gaps", "row %d of bucket %d follows %d", c.Seq, bucket, x.seqs[bucket]-1)
	}
	if was := x.versions[c.Stream]; c.Version != was+1 {
		fail(37, "sequences have no gaps", "%s %s goes from version %d to %d", c.Stream.Kind, c.Stream.ID, was, c.Version)
	}
	x.versions[c.Stream] = c.Version
	if len(c.Movements) > 0 {
		x.effects[c.Actor] = true
	}
	if c.Actor == "" || c.Command == "" || c.Node == "" || c.Time.IsZero() {
		fail(54, "every row says who, when and by which command", "%s %s version %d", c.Stream.Kind, c.Stream.ID, c.Version)
	}
	x.note(c)
	for i := range c.Movements {
		x.move(c, &c.Movements[i])
	}
	switch c.Stream.Kind {
	case engine.KindOrder:
		x.orderRow(c)
	case engine.KindReservation:
		x.reservationRow(c)
	default:
		x.typesOf(c)
	}
}

// note adds a row to the hash of the log.
func (x *watch) note(c *store.Commit) {
	fmt.Fprintf(x.hash, "%d/%d %s %s %d %d %s %s %s %v\n", c.Stream.Bucket, c.Seq, c.Stream.Kind, c.Stream.ID, c.Version, c.Time.UnixMicro(), c.Actor, c.Command, c.Node, c.Movements)
	x.hash.Write(c.Events)
	if x.w.opt.Trace != nil {
		fmt.Fprintf(x.w.opt.Trace, "         log %d/%d %s %s v%d by %s: %s %v\n", c.Stream.Bucket, c.Seq, c.Stream.Kind, c.Stream.ID, c.Version, c.Actor, c.Events, c.Movements)
	}
}

// move folds a movement and checks what no moment may have.
func (x *watch) move(c *store.Commit, m *inventory.Movement) {
	k := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
	p := x.stock[k].Plus(m.Delta())
	x.stock[k] = p
	x.touched = append(x.touched, k)
	if p.OnHand < 0 || p.Reserved < 0 || p.Allocated < 0 || p.Picked < 0 || p.Picked > p.Allocated {
		fail(3, "no counter is negative", "%s at %s after %s %s version %d: %+v", m.SKU, m.Location, c.Stream.Kind, c.Stream.ID, c.Version, p)
	}
	if m.IsTake() && p.Available() < 0 {
		fail(4, "nothing is sold twice", "%s %s version %d takes %d of %s at %s, more than there is: %+v",
			c.Stream.Kind, c.Stream.ID, c.Version, m.Quantity, m.SKU, m.Location, p)
	}
}

func (x *watch) checkPosition(k inventory.PositionKey) {
	p := x.w.disk.Position(k)
	if have := (inventory.Delta{OnHand: p.OnHand, Reserved: p.Reserved, Allocated: p.Allocated, Picked: p.Picked}); have != x.stock[k] {
		fail(2, "positions are the sum of their journal", "%s at %s is stored as %+v, its movements make %+v", k.SKU, k.Location, have, x.stock[k])
	}
}

// typesOf counts the events of streams that are not followed.
func (x *watch) typesOf(c *store.Commit) {
	var events []struct {
		Type string `json:"type"`
	}
	if jsonenc.Unmarshal(c.Events, &events) == nil {
		for _, e := range events {
			x.w.cover.hit(eventTypes, e.Type)
		}
	}
}

func (x *watch) orderRow(c *store.Commit) {
	var events []order.Event
	if err := jsonenc.Unmarshal(c.Events, &events); err != nil {
		fail(44, "the log can be read", "%s version %d: %v", c.Stream.ID, c.Version, err)
	}
	t := x.orders[c.Stream.ID]
	if t == nil {
		t = &tracked{key: c.Stream}
		x.orders[c.Stream.ID] = t
		x.sequence = append(x.sequence, c.Stream.ID)
		x.captured++
	}
	f := &follower{x: x, before: t.now, status: map[string]order.FulfillmentStatus{}}
	f.begin()
	next, err := order.FoldEach(t.now, events, c.Version, c.Time, f.event)
	if err != nil {
		fail(17, "orders are the fold of their events", "%s version %d: %v", c.Stream.ID, c.Version, err)
	}
	t.before, t.now = t.now, next
	x.checkMovements(c, f.moves)
	x.checkOrder(t.before, next, events)
	if t.before == nil {
		x.checkUnique(next)
	}
	x.w.cover.hit(orderStates, string(next.Status))
	x.touchedOrder = append(x.touchedOrder, next.ID)
	x.w.tell(next, events)
}

func (x *watch) checkUnique(o *order.Order) {
	if o.ExternalID == "" {
		return
	}
	key := o.Channel + "\x00" + o.ExternalID
	if other := x.external[key]; other != "" {
		fail(16, "an order exists once", "%s and %s are both %q of channel %s", other, o.ID, o.ExternalID, o.Channel)
	}
	x.external[key] = o.ID
}

// checkMovements compares the movements of a row with those its events mean.
func (x *watch) checkMovements(c *store.Commit, meant []inventory.Movement) {
	sum := map[inventory.PositionKey]inventory.Delta{}
	add := func(m *inventory.Movement, sign int64) {
		if m.From == inventory.Adjustment && m.To == inventory.Free { // found by the way: see inventory.Cover
			return
		}
		k, d := inventory.PositionKey{SKU: m.SKU, Location: m.Location}, m.Delta()
		if sign < 0 {
			d = inventory.Delta{}.Minus(d)
		}
		if sum[k] = sum[k].Plus(d); sum[k] == (inventory.Delta{}) {
			delete(sum, k)
		}
	}
	for i := range c.Movements {
		add(&c.Movements[i], 1)
	}
	for i := range meant {
		add(&meant[i], -1)
	}
	for k, d := range sum {
		fail(34, "events and movements tell the same story", "%s version %d moves %+v more of %s at %s than its events say", c.Stream.ID, c.Version, d, k.SKU, k.Location)
	}
}

// checkRecord compares a stored order with the fold of its events.
func (x *watch) checkRecord(id string) {
	o := x.orders[id].now
	r, ok := x.w.disk.Record(x.orders[id].key)
	if !ok {
		fail(34, "events and records tell the same story", "order %s is in the log and not stored", id)
	}
	if r.Version != o.Version {
		fail(34, "events and records tell the same story", "order %s is stored at version %d, its log ends with %d", id, r.Version, o.Version)
	}
	if o.Version%4 == 0 { // the audit at the end looks at all
		body, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		if !bytes.Equal(body, r.Body) {
			fail(44, "replaying the log gives the same bytes", "order %s is stored as\n%s\nand its events make\n%s", id, r.Body, body)
		}
	}
	if r.State != string(o.Status) {
		fail(34, "events and records tell the same story", "order %s is filed as %s and is %s", id, r.State, o.Status)
	}
	if !r.Wake.Equal(o.NextWake().Truncate(time.Microsecond)) {
		fail(41, "timers are armed", "order %s wants to be woken at %s, its timer is set to %s", id, o.NextWake(), r.Wake)
	}
	if !o.Status.Final() && r.Wake.IsZero() && !pending(o) {
		fail(19, "every order that is not final waits for something", "order %s is %s, with nothing that could change it", id, o.Status)
	}
}

// pending reports that a partner or a person has something to do about the order.
func pending(o *order.Order) bool {
	if len(o.Exceptions) > 0 || len(o.Holds) > 0 || o.Waiting != nil && slices.Contains([]string{order.WaitHold, order.WaitException}, o.Waiting.Action) {
		return true
	}
	return slices.ContainsFunc(o.Fulfillments, func(f order.Fulfillment) bool { return atWork(f.Status) })
}

// atWork reports a state that a partner is to report the end of.
func atWork(s order.FulfillmentStatus) bool {
	switch s {
	case order.FulfillmentOpen, order.FulfillmentAccepted, order.FulfillmentPicked, order.FulfillmentPacked, order.FulfillmentReady, order.FulfillmentShipped:
		return true
	}
	return false
}

func (x *watch) reservationRow(c *store.Commit) {
	var events []inventory.ReservationEvent
	if err := jsonenc.Unmarshal(c.Events, &events); err != nil {
		fail(44, "the log can be read", "%s version %d: %v", c.Stream.ID, c.Version, err)
	}
	for _, e := range events {
		x.w.cover.hit(eventTypes, e.Type)
		was := x.reservations[c.Stream.ID]
		if was != "" && was != inventory.EventReservationHeld && was != inventory.EventReservationExtended {
			fail(6, "a reservation ends once", "%s has %s after %s", c.Stream.ID, e.Type, was)
		}
		x.reservations[c.Stream.ID] = e.Type
	}
}
