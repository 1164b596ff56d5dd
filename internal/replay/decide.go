package replay

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// made reports that locations were looked for: an order that is held at its capture waits without.
func made(d *past.Decision) bool { return len(d.Hashes)+len(d.Placed)+len(d.Unplaced) > 0 }

// decision is a moment at which units are to be placed.
func (w *world) decision(d *past.Decision, at time.Time) error {
	if d.First {
		w.seen++
		return w.capture(d, at)
	}
	o := w.orders[d.Order]
	if o == nil {
		return nil
	}
	if !o.on {
		w.later(o, d)
		return nil
	}
	o.state = d.State
	return w.place(o, d, at)
}

// capture takes an order, or leaves it out, or has it come more often, as the scenario scales demand.
func (w *world) capture(d *past.Decision, at time.Time) error {
	times := w.sc.Changes.times(d.State, w.o.Seed)
	for i := range times {
		o := &life{number: d.Order, id: d.State.ID, at: at, on: true, state: d.State}
		o.counted = w.counts(at) && (d.State.Currency == w.header.Currency || w.header.Currency == "")
		if i > 0 {
			w.copies++
			o.number, o.id = -w.copies, fmt.Sprintf("%s~%d", o.id, i+1)
			again := *d.State
			again.ID = o.id
			o.state = &again
			copied := *d
			copied.Moves, copied.Placed, copied.Hashes = nil, nil, nil
			copied.Unplaced = again.Unplaced()
			w.orders[o.number] = o
			if err := w.place(o, &copied, at); err != nil {
				return err
			}
			continue
		}
		w.orders[o.number] = o
		if err := w.place(o, d, at); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) counts(at time.Time) bool {
	return (w.o.From.IsZero() || !at.Before(w.o.From)) && (w.o.Until.IsZero() || at.Before(w.o.Until))
}

// place decides what is to be placed of an order on course, or takes what the record has.
func (w *world) place(o *life, d *past.Decision, at time.Time) error {
	if !made(d) {
		return nil
	}
	if w.sc.Recorded || d.Joint || !o.counted {
		if d.Joint && w.identical && o.counted {
			w.out.Identity.Joint++
		}
		w.adopt(o, d, nil, at)
		return nil
	}
	if w.identical && d.State.Trial != nil && d.State.Trial.Group == order.GroupChallenger {
		w.out.Identity.Unrecorded++ // the challenger of an experiment is not in the history
		w.adopt(o, d, nil, at)
		return nil
	}
	a, err := w.ask(o, d.State, d, at)
	if o.number < 0 {
		a, err = w.ask(o, o.state, d, at)
	}
	if err != nil {
		return w.fail(o, err)
	}
	if w.identical {
		if err := w.compare(o, d, a, at); err != nil {
			return err
		}
	}
	if o.number >= 0 && !w.rules.drawsAt(d.Placed) && sameCourse(d, a) {
		w.adopt(o, d, a, at)
		return nil
	}
	o.on = false
	return w.diverge(o, d, a, at)
}

// ask has a decision made, and counts what it says.
func (w *world) ask(o *life, state *order.Order, d *past.Decision, at time.Time) (*engine.Answer, error) {
	known := true
	if d != nil && len(w.sc.Policies) == 0 {
		known = w.desk.UseFacts(d.Facts)
	} else {
		w.desk.UseNewest()
	}
	q := engine.Ask{Order: state, At: at}
	if d != nil {
		q.Asked, q.Reject = d.Asked, d.Reject
		if len(d.Held) > 0 {
			q.Held = new(inventory.Reservation)
			if err := json.Unmarshal(d.Held, q.Held); err != nil {
				return nil, err
			}
			if !w.identical {
				q.Held.Offer = nil // what was promised then followed from the rules of then
			}
		}
		if !known && w.identical {
			w.out.Identity.Unrecorded++
		}
	}
	began := w.tally.clock()
	a, err := w.desk.Decide(q)
	w.tally.took(began)
	if err != nil {
		return nil, err
	}
	w.out.Decisions++
	w.tally.rules(a.Decisions)
	if !o.decided && w.explain[o.number] {
		o.why = w.explanation(state, a)
	}
	return a, nil
}

func (w *world) explanation(o *order.Order, a *engine.Answer) (out []string) {
	digits, _ := money.Exponent(o.Currency)
	for _, d := range a.Decisions {
		out = append(out, sourcing.Explain(d, digits)...)
	}
	return out
}

// sameCourse reports that an answer gives the same units to the same locations with the same services as the record.
func sameCourse(d *past.Decision, a *engine.Answer) bool {
	if a.Refused {
		return false
	}
	i := 0
	for k := range a.Events {
		f := a.Events[k].Fulfillment
		if a.Events[k].Type != order.EventFulfillmentCreated {
			continue
		}
		if i >= len(d.Placed) {
			return false
		}
		p := &d.Placed[i]
		if p.Location != f.Location || p.Service != f.Service || p.Via != f.Via || len(p.Lines) != len(f.Lines) {
			return false
		}
		for j, l := range f.Lines {
			if p.Lines[j].Line != l.Line || p.Lines[j].Quantity != l.Quantity {
				return false
			}
		}
		i++
	}
	if i != len(d.Placed) {
		return false
	}
	var was, is int64
	for _, q := range d.Unplaced {
		was += q.Quantity
	}
	for _, q := range a.Unplaced {
		is += q.Quantity
	}
	return was == is
}

// compare says whether a decision was repeated byte for byte.
func (w *world) compare(o *life, d *past.Decision, a *engine.Answer, at time.Time) error {
	id := w.out.Identity
	id.Decisions++
	var sums []uint64
	for i := range a.Events {
		body, err := w.desk.Encode(&a.Events[i])
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		sums = append(sums, binary.BigEndian.Uint64(sum[:]))
	}
	same := len(sums) == len(d.Hashes)
	for i := 0; same && i < len(sums); i++ {
		same = sums[i] == d.Hashes[i]
	}
	placed := placedOf(a.Events)
	cost := slices.EqualFunc(placed, d.Placed, func(x, y past.Placed) bool { return x.Cost == y.Cost })
	if same {
		id.Same++
	}
	if cost {
		id.SameCost++
	}
	if same && cost || len(id.Differences) >= MaxDifferences {
		return nil
	}
	x := Difference{Order: o.id, At: at, Recorded: say(d.Placed, d.Unplaced), Replayed: say(placed, a.Unplaced), Bucket: d.Bucket, Sequence: d.Seq}
	if x.Recorded == x.Replayed {
		x.Replayed += "; the same, with another explanation or other dates"
	}
	id.Differences = append(id.Differences, x)
	return nil
}

func placedOf(events []order.Event) (out []past.Placed) {
	for i := range events {
		if f := events[i].Fulfillment; events[i].Type == order.EventFulfillmentCreated {
			p := past.Placed{Location: f.Location, Service: f.Service, Via: f.Via, Cost: f.Cost, Promise: f.Promise}
			for _, l := range f.Lines {
				p.Lines = append(p.Lines, order.LineQuantity{Line: l.Line, Quantity: l.Quantity})
			}
			out = append(out, p)
		}
	}
	return out
}

// say is who got what, for how much.
func say(placed []past.Placed, unplaced []order.LineQuantity) string {
	var b bytes.Buffer
	for i := range placed {
		p := &placed[i]
		fmt.Fprintf(&b, "%s sends %s", p.Location, sayLines(p.Lines))
		if p.Service != "" {
			fmt.Fprintf(&b, " with %s", p.Service)
		}
		fmt.Fprintf(&b, " for %d", p.Cost)
		if t := p.Promise.DeliverBy; !t.IsZero() {
			fmt.Fprintf(&b, " by %s", t.UTC().Format("2006-01-02 15:04"))
		}
		b.WriteString("; ")
	}
	if len(unplaced) > 0 {
		fmt.Fprintf(&b, "nobody has %s; ", sayLines(unplaced))
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func sayLines(lines []order.LineQuantity) string {
	parts := make([]string, len(lines))
	for i, q := range lines {
		parts[i] = fmt.Sprintf("%d of line %s", q.Quantity, q.Line)
	}
	return strings.Join(parts, ", ")
}
