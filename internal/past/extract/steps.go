package extract

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
)

// step writes an event that was not decided by looking for locations.
func (c *cutter) step(e *order.Event) error {
	next, moves, err := c.apply([]order.Event{*e})
	if err != nil {
		return err
	}
	c.now = next
	s := stepOf(e)
	if s == nil {
		if len(moves) == 0 {
			return nil
		}
		s = &past.Step{Kind: past.StepOther, Reason: e.Reason}
	}
	s.Order, s.Moves = c.number, moves
	if e.FulfillmentID != "" {
		s.Fulfillment = 1 + slices.IndexFunc(next.Fulfillments, func(f order.Fulfillment) bool { return f.ID == e.FulfillmentID })
	}
	return c.put(past.Entry{Step: s})
}

// stepOf is the step that an event is; nil: none.
func stepOf(e *order.Event) *past.Step {
	s := &past.Step{Reason: e.Reason, Lines: quantities(e.Lines, func(q order.LineQuantity) int64 { return q.Quantity })}
	switch e.Type {
	case order.EventFulfillmentAccepted:
		s.Kind = past.StepAccepted
	case order.EventFulfillmentRejected:
		s.Kind, s.Lost, s.Exclude = past.StepRejected, e.Lost, true
	case order.EventFulfillmentPicked:
		short := quantities(e.Lines, func(q order.LineQuantity) int64 { return q.Short })
		if len(short) == 0 {
			return nil
		}
		s.Kind, s.Lines, s.Lost, s.Exclude = past.StepRejected, short, true, true
	case order.EventFulfillmentShipped, order.EventFulfillmentHandover:
		s.Kind = past.StepShipped
	case order.EventFulfillmentDeliver:
		s.Kind = past.StepDelivered
	case order.EventFulfillmentCancel, order.EventCancelled:
		s.Kind = past.StepCancelled
	case order.EventFulfillmentWithdraw:
		s.Kind, s.Exclude = past.StepWithdrawn, e.Exclude
	case order.EventFulfillmentStopped:
		if s.Kind = past.StepWithdrawn; e.Then == order.ThenCancel {
			s.Kind = past.StepCancelled
		}
		s.Exclude = e.Exclude
	case order.EventFulfillmentUncollected, order.EventFulfillmentLost, order.EventFulfillmentUndeliverable:
		s.Kind = past.StepLost
	case order.EventTouched:
		return &past.Step{Kind: past.StepTouched, Seconds: e.Touch.Seconds, Reason: e.Touch.Cause}
	case order.EventExceptionOpened:
		return &past.Step{Kind: past.StepException, Reason: e.Exception.Type}
	default:
		return nil
	}
	return s
}

// quantities are the units of lines by one of their counts.
func quantities(lines []order.LineQuantity, of func(order.LineQuantity) int64) (out []order.LineQuantity) {
	for _, q := range lines {
		if n := of(q); n > 0 {
			out = append(out, order.LineQuantity{Line: q.Line, Quantity: n})
		}
	}
	return out
}

// sum is what movements do to each position, in the order of positions.
func sum(moves []inventory.Movement, safety map[inventory.PositionKey]int64, why string) []past.Stock {
	at := map[inventory.PositionKey]*past.Stock{}
	get := func(k inventory.PositionKey) *past.Stock {
		if at[k] == nil {
			at[k] = &past.Stock{PositionKey: k, Why: why}
		}
		return at[k]
	}
	for i := range moves {
		s := get(inventory.PositionKey{SKU: moves[i].SKU, Location: moves[i].Location})
		s.Delta = s.Plus(moves[i].Delta())
	}
	for k, n := range safety {
		get(k).Safety = &n
	}
	out := make([]past.Stock, 0, len(at))
	for _, s := range at {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b past.Stock) int {
		return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Location, b.Location))
	})
	return out
}

// pacer keeps to a number of rows a second.
type pacer struct {
	rate  int
	next  time.Time
	sleep func(context.Context, time.Duration) error
	now   func() time.Time
}

func newPacer(rate int) *pacer { return &pacer{rate: rate, sleep: sleep, now: time.Now} }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when so many more rows may be read.
func (p *pacer) wait(ctx context.Context, rows int) error {
	if p.rate <= 0 {
		return ctx.Err()
	}
	now := p.now()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(rows) * time.Second / time.Duration(p.rate))
	if d := p.next.Sub(now); d > 0 {
		return p.sleep(ctx, d)
	}
	return ctx.Err()
}
