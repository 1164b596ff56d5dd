package engine

import (
	"context"
	"fmt"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// BlindReturn is goods that arrived without a return at hand: they name their order, or the
// channel's own id of it, or the tracking number they came with.
type BlindReturn struct {
	OrderID    string `json:"order_id,omitempty"`
	Channel    string `json:"channel,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Tracking   string `json:"tracking,omitempty"`
	// Method is store (default) or mail.
	Method string `json:"method,omitempty"`
	Note   string `json:"note,omitempty"`
	order.Receipt
}

func (b *BlindReturn) validate() error {
	var bad problem.Invalid
	bad.Nest("", b.Receipt.Validate())
	if b.Method == "" {
		b.Method = order.ReturnAtStore
	}
	problem.OneOf(&bad, "method", b.Method, order.ReturnByMail, order.ReturnAtStore)
	bad.Text("order_id", b.OrderID, 200)
	bad.Text("channel", b.Channel, 200)
	bad.Text("external_id", b.ExternalID, 200)
	bad.Text("tracking", b.Tracking, 200)
	bad.Text("note", b.Note, order.MaxTextBytes)
	switch {
	case (b.Channel == "") != (b.ExternalID == ""):
		bad.Add("external_id", problem.Required, "the channel and its own id go together")
	case b.OrderID == "" && b.ExternalID == "" && b.Tracking == "":
		bad.Add("order_id", problem.Required, "say whose goods they are: the order, the channel's id of it, or a tracking number")
	case len(b.Lines) == 0 && b.Tracking == "":
		bad.Add("lines", problem.Required, "say what arrived")
	}
	return bad.Err()
}

// returnTerm is the search term of the return with a tracking number.
const returnTerm = "return:"

// returnTerms are the search terms of tracking numbers that an order's returns have since before.
func returnTerms(before, next *order.Order) (terms []string) {
	for i := range next.Returns {
		r := &next.Returns[i]
		if r.Tracking == "" {
			continue
		}
		if before != nil {
			if was := before.Return(r.ID); was != nil && was.Tracking == r.Tracking {
				continue
			}
		}
		terms = append(terms, returnTerm+r.Tracking)
	}
	return terms
}

// identify finds the order of goods that arrived, and the return when they are known to be of one.
func (e *Engine) identify(ctx context.Context, b *BlindReturn) (id, back string, err error) {
	q := store.Query{Kind: KindOrder, Channel: b.Channel, ExternalID: b.ExternalID, Limit: 1}
	if b.OrderID == "" && b.ExternalID == "" {
		q = store.Query{Kind: KindOrder, Term: returnTerm + b.Tracking, Limit: 1}
	}
	var o *order.Order
	if b.OrderID != "" {
		if o, err = e.loadOrder(ctx, b.OrderID); err != nil {
			return "", "", err
		}
	} else {
		records, err := e.store.Find(ctx, q)
		if err != nil {
			return "", "", err
		}
		if len(records) == 0 {
			if b.ExternalID != "" {
				return "", "", &Missing{fmt.Sprintf("order %.60q of channel %.60q", b.ExternalID, b.Channel)}
			}
			return "", "", &Missing{fmt.Sprintf("return with the tracking number %.60q; find the order and say which of its lines came", b.Tracking)}
		}
		en, err := decode(records[0])
		if err != nil {
			return "", "", err
		}
		o = en.Value.(*order.Order)
	}
	for i := range o.Returns {
		if r := &o.Returns[i]; b.Tracking != "" && r.Tracking == b.Tracking {
			back = r.ID
		}
	}
	if back == "" && len(b.Lines) == 0 {
		return "", "", &Missing{fmt.Sprintf("return of the order with the tracking number %.60q; say in lines what came", b.Tracking)}
	}
	return o.ID, back, nil
}

// ReceiveBlind books goods that arrived without a return at hand. They count for the return with their tracking
// number; else for returns of their order that wait for them, and what is left opens a return of its own. What the policy would have
// refused waits for somebody's decision. The reply's value is a *ReturnAnswer. Errors: problem.Invalid, *order.Refusal, ErrNotFound, those of Submit.
func (e *Engine) ReceiveBlind(ctx context.Context, b *BlindReturn, m Meta) (*Reply, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	if err := e.checkPlace("location", b.Location); err != nil {
		return nil, err
	}
	id, back, err := e.identify(ctx, b)
	if err != nil {
		return nil, err
	}
	if back != "" {
		return e.ReceiveReturn(ctx, back, &b.Receipt, m)
	}
	needs, err := e.replacements(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.returnCommand(ctx, id, needs, m, func(c *change, out *ReturnAnswer) (string, error) {
		return c.blind(b, m.who(), out)
	})
}

// blind books goods of an order.
func (c *change) blind(b *BlindReturn, by string, out *ReturnAnswer) (string, error) {
	if id := c.now.Booked(b.MessageID); id != "" {
		return id, nil
	}
	awaited, rest, err := c.now.Awaited(b.Lines)
	if err != nil {
		return "", err
	}
	last := ""
	for _, a := range awaited {
		last = a.Return
		if err := c.receive(a.Return, &order.Receipt{Location: b.Location, MessageID: b.MessageID, Lines: a.Lines}); err != nil {
			return "", err
		}
	}
	if len(rest) == 0 {
		return last, nil
	}
	n := &order.NewReturn{Method: b.Method, Note: b.Note, Tracking: b.Tracking}
	if b.Method == order.ReturnAtStore {
		n.Location = b.Location
	}
	for _, l := range rest {
		n.Lines = append(n.Lines, order.NewReturnLine{Line: l.Line, Quantity: l.Quantity, Reason: l.Reason, Condition: l.Condition})
	}
	d, err := c.tx.e.judgeReturn(c.now, n, by, c.tx.Now)
	if err != nil {
		return "", err
	}
	out.Decision = d
	d.Return.Blind = true
	for i := range d.Return.Lines {
		l := &d.Return.Lines[i]
		l.Keep, l.Inspect = false, l.Inspect || l.Refused != "" // the goods are there
	}
	events, err := c.now.OpenReturn(d.Return, c.tx.Now)
	if err != nil {
		return "", err
	}
	id := events[0].ReturnID
	if err := c.add(events...); err != nil {
		return "", err
	}
	return id, c.receive(id, &order.Receipt{Location: b.Location, MessageID: b.MessageID, Lines: rest})
}

// receive books goods of one return and does what follows.
func (c *change) receive(id string, r *order.Receipt) error {
	events, err := c.now.Receive(id, *r, c.tx.Now)
	if err != nil || len(events) == 0 {
		return err
	}
	wantDispositions(events, r)
	if err := c.add(events...); err != nil {
		return err
	}
	if err := c.disposeByPolicy(id, events); err != nil {
		return err
	}
	return c.advanceReturn(id)
}
