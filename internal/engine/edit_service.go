package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// CodeNotPermitted refuses what the caller has no right to.
const CodeNotPermitted = "not_permitted"

// AdjustOrder lowers what a customer pays. Above the limit of the holds policy in force it waits
// for approval, unless the caller may approve. The reply's value is the order.
func (e *Engine) AdjustOrder(ctx context.Context, id string, n *order.NewAdjustment, mayApprove bool, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) {
		limit := int64(-1)
		if !mayApprove {
			limit = e.adjustmentLimit(o)
		}
		return o.Adjust(*n, m.who(), limit, tx.Now)
	})
}

// DecideAdjustment approves or declines an adjustment that waits. The reply's value is the order.
func (e *Engine) DecideAdjustment(ctx context.Context, id, adjustment string, approve bool, reason string, m Meta) (*Reply, error) {
	if err := checkReason(reason); err != nil {
		return nil, err
	}
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) {
		return o.DecideAdjustment(adjustment, approve, m.who(), reason, tx.Now)
	})
}

// Reship sends units again that left and did not arrive as they should; they are placed in the same
// commit. The reply's value is an *EditedOrder.
func (e *Engine) Reship(ctx context.Context, id string, r *order.Reship, m Meta) (*Reply, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return e.serve(ctx, id, false, m, func(c *change) error {
		events, err := c.now.Reship(*r)
		if err != nil {
			return err
		}
		return c.add(events...)
	})
}

// Substitute replaces units of a line by another article that is there. The reply's value is an *EditedOrder.
func (e *Engine) Substitute(ctx context.Context, id string, s *order.Substitution, m Meta) (*Reply, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if !e.Catalog().Has(s.SKU) {
		var bad problem.Invalid
		bad.Add("sku", problem.Unknown, "the catalog has no SKU %q", s.SKU)
		return nil, bad.Err()
	}
	return e.serve(ctx, id, false, m, func(c *change) error {
		events, err := c.now.Substitute(*s, order.Editing{At: c.tx.Now, Parts: e.Parts})
		if err != nil {
			return err
		}
		if err := c.add(events...); err != nil {
			return err
		}
		if err := c.hold(); err != nil {
			return err
		}
		if err := c.settle(); err != nil {
			return err
		}
		l := &c.now.Lines[len(c.now.Lines)-1]
		if !c.now.Held(order.BlocksSourcing) && l.Allocated < l.Quantity {
			return &order.Refusal{Code: CodeOutOfStock, Pointer: "sku", Message: "of " + s.SKU + " there is not enough to replace the units"}
		}
		return nil
	})
}

// AddNote writes something down about an order. The reply's value is the order.
func (e *Engine) AddNote(ctx context.Context, id, text string, m Meta) (*Reply, error) {
	if err := order.CheckNote(text); err != nil {
		return nil, err
	}
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) {
		return o.AddNote(text, m.who(), tx.Now)
	})
}

// HoldOrder places a hold. The reply's value is the order.
func (e *Engine) HoldOrder(ctx context.Context, id string, n *order.NewHold, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) {
		return o.Hold(*n, m.who(), tx.Now)
	})
}

// HoldRelease asks for the end of holds: of one, of those of a type, or of all that the caller may release.
type HoldRelease struct {
	Hold   string `json:"hold,omitempty"` // its id
	Type   string `json:"type,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func (r *HoldRelease) validate() error {
	if r.Hold != "" && r.Type != "" {
		var bad problem.Invalid
		bad.Add("type", problem.Conflict, "name a hold or a type, not both")
		return bad.Err()
	}
	return checkReason(r.Reason)
}

// ReleaseHolds ends holds. Without any in force, and none named, it is Release. may says which
// types the caller may release; nil: all. The reply's value is the order.
func (e *Engine) ReleaseHolds(ctx context.Context, id string, r *HoldRelease, may func(typ string) bool, m Meta) (*Reply, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	key := e.OrderKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		c := tx.change(o)
		if len(o.Holds) == 0 && r.Hold == "" && r.Type == "" {
			err = c.lookAgain()
		} else {
			err = c.release(r, may, m.who())
		}
		if err != nil {
			return nil, err
		}
		next, err := c.save()
		if err != nil {
			return nil, err
		}
		return tx.okReply(next), nil
	}})
}

func notPermitted(what string) error {
	return &order.Refusal{Code: CodeNotPermitted, Message: "the key may not " + what}
}

// lookAgain looks for a location for units that wait.
func (c *change) lookAgain() error {
	if !anyUnplaced(c.now) {
		return &order.Refusal{Code: order.CodeNothingToDo, Message: "every unit is with a location, left, or is cancelled"}
	}
	return c.placeFor(true)
}

// release ends the holds that are asked for and that the caller may release.
func (c *change) release(r *HoldRelease, may func(typ string) bool, by string) error {
	asked, kept := 0, ""
	for _, h := range slices.Clone(c.now.Holds) {
		if r.Hold != "" && h.ID != r.Hold || r.Type != "" && h.Type != r.Type {
			continue
		}
		asked++
		if may != nil && !may(h.Type) {
			kept = h.Type
			continue
		}
		events, err := c.now.ReleaseHold(h.ID, by, r.Reason)
		if err != nil {
			return err
		}
		if err := c.add(events...); err != nil {
			return err
		}
	}
	switch {
	case asked == 0:
		return unknownHold(c.now.Holds)
	case len(c.events) == 0, kept != "" && (r.Hold != "" || r.Type != ""):
		return notPermitted("release a hold of type " + kept)
	}
	return nil
}

// who is who a command comes from: the person behind it, else the caller.
func (m Meta) who() string {
	if m.Manual != nil && m.Manual.Operator != "" {
		return m.Manual.Operator
	}
	return m.Actor
}

func checkReason(reason string) error {
	var bad problem.Invalid
	bad.Text("reason", reason, order.MaxTextBytes)
	return bad.Err()
}

// unknownHold refuses the release of a hold that is not in force, and names those that are.
func unknownHold(holds []order.Hold) error {
	names := make([]string, len(holds))
	for i := range holds {
		names[i] = holds[i].ID + " (" + holds[i].Type + ")"
	}
	in := "none is"
	if len(names) > 0 {
		in = "in force: " + strings.Join(names, ", ")
	}
	return &order.Refusal{Code: order.CodeUnknownHold, Message: "the order has no such hold in force; " + in}
}
