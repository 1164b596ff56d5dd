package dst

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

// sendBack is a customer who gives something back: announced, not announced, or for something else.
func (w *World) sendBack(id string) {
	o := w.watch.orders[id].now
	lines := w.left(o)
	if len(lines) == 0 {
		return
	}
	n := order.NewReturn{Method: choose(w, order.ReturnByMail, order.ReturnByMail, order.ReturnAtStore)}
	for _, q := range lines {
		n.Lines = append(n.Lines, order.NewReturnLine{Line: q.Line, Quantity: q.Quantity, Reason: choose(w, "size", "damaged", "unwanted")})
	}
	switch {
	case w.chance(.2):
		w.blind(o, lines)
	case w.chance(.3):
		w.exchange(o, n)
	default:
		m := func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
			r := n
			return e.AuthorizeReturn(ctx, id, &r, true, m)
		}
		w.about("authorize-return", o, m)
	}
	w.in(w.between(time.Hour, 30*time.Hour), func() { w.goodsBack(id) })
}

// blind is goods at the counter that nobody announced.
func (w *World) blind(o *order.Order, lines []order.LineQuantity) {
	b := engine.BlindReturn{OrderID: o.ID}
	b.Location, b.MessageID = w.anyRoom().id, fmt.Sprintf("blind-%d", w.messages)
	for _, q := range lines {
		b.Lines = append(b.Lines, order.ReceivedLine{Line: q.Line, Quantity: q.Quantity})
	}
	w.about("receive-blind", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		again := b
		return e.ReceiveBlind(ctx, &again, m)
	})
}

// exchange has goods replaced, now or when the old ones are back.
func (w *World) exchange(o *order.Order, back order.NewReturn) {
	x := order.NewExchange{Return: back, When: choose(w, order.ExchangeNow, order.ExchangeOnReceipt)}
	l := order.NewLine{SKU: w.anySKU(), Quantity: 1, UnitPrice: w.whole(1, 3000)}
	if w.chance(.2) {
		x.Reason, l.UnitPrice = order.ReasonWarranty, 0
	} else {
		x.Tenders = []order.Tender{{Type: "card", Amount: l.UnitPrice, Reference: "tok"}}
	}
	x.Lines = []order.NewLine{l}
	w.about("exchange", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		again := x
		return e.Exchange(ctx, o.ID, &again, true, m)
	})
}

// goodsBack takes the returns of an order a step further, and comes back while any is open.
func (w *World) goodsBack(id string) {
	o := w.watch.orders[id].now
	open := false
	for i := range o.Returns {
		r := &o.Returns[i]
		if r.Status.Final() || w.kept(r.ID) {
			continue
		}
		open = true
		w.returnStep(o, r)
	}
	if open {
		w.in(w.between(6*time.Hour, 60*time.Hour), func() { w.goodsBack(id) })
	}
}

func (w *World) returnStep(o *order.Order, r *order.Return) {
	id := r.ID
	switch r.Status {
	case order.ReturnAuthorized, order.ReturnInTransit:
		if w.chance(.1) {
			w.about("cancel-return", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
				return e.CancelReturn(ctx, id, "kept", m)
			})
			return
		}
		if r.Status == order.ReturnAuthorized && r.Method == order.ReturnByMail && w.chance(.7) {
			w.about("send-return", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
				return e.SendReturn(ctx, id, "c", "R-"+id, m)
			})
			return
		}
		w.receiveReturn(o, r)
	case order.ReturnReceived:
		if r.Expected() > 0 && w.chance(.4) {
			w.receiveReturn(o, r)
			return
		}
		w.inspect(o, r)
	case order.ReturnInspected:
		d := order.Disposal{Disposition: choose(w, order.Dispositions...)}
		w.about("dispose-return", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.DisposeReturn(ctx, id, &d, m) })
	default:
		w.about("close-return", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.CloseReturn(ctx, id, "done", m) })
	}
}

// receiveReturn is a parcel at a location: all that was announced, some of it, or more.
func (w *World) receiveReturn(o *order.Order, r *order.Return) {
	in := order.Receipt{Location: w.anyRoom().id, MessageID: fmt.Sprintf("receipt-%d", w.messages)}
	if w.chance(.4) {
		l := choose(w, r.Lines...)
		in.Lines = []order.ReceivedLine{{Line: l.Line, Quantity: w.whole(1, max(l.Quantity, 1)), Condition: choose(w, "", "damaged")}}
	}
	id := r.ID
	w.about("receive-return", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		again := in
		return e.ReceiveReturn(ctx, id, &again, m)
	})
}

// inspect looks at what arrived; some of it is not accepted. With nothing more to look at it is closed.
func (w *World) inspect(o *order.Order, r *order.Return) {
	var in order.Inspection
	id, some := r.ID, false
	for i := range r.Lines {
		l := &r.Lines[i]
		if n := l.ToInspect(); n > 0 {
			some = true
			if w.chance(.3) {
				bad := w.whole(0, n)
				in.Lines = append(in.Lines, order.InspectedLine{Line: l.Line, Location: l.At, Accepted: n - bad, Rejected: bad})
			}
		}
	}
	if !some {
		w.about("close-return", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
			return e.CloseReturn(ctx, id, "the rest never came", m)
		})
		return
	}
	w.about("inspect-return", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		again := in
		return e.InspectReturn(ctx, id, &again, true, m)
	})
}

// kept reports whether the customer keeps what was announced after all, or the carrier lost it.
func (w *World) kept(id string) bool {
	keeps, known := w.keeps[id]
	if !known {
		keeps = w.chance(.1)
		w.keeps[id] = keeps
	}
	return keeps
}
