package engine

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// OrderEdit is a request to edit an order.
type OrderEdit struct {
	order.Edit
	// Preview says what the edit would mean, and changes nothing. Submitted with the preview's
	// version in If-Match, it means just that, or is refused because something else happened.
	Preview bool `json:"preview,omitempty"`
}

// EditedOrder is an order after an edit, or as a preview says it would be, with what the edit means.
type EditedOrder struct {
	Order   *order.Order `json:"order"`
	Preview bool         `json:"preview,omitempty"`
	// Version is what the edit was made from: the If-Match of a submission after a preview.
	Version int64  `json:"version"`
	Effect  Effect `json:"effect"`
}

// previewed carries a preview out of a command that is taken back.
type previewed struct{ answer any }

func (*previewed) Error() string { return "this was a preview" }

// answerOf is what a command that may be a preview answers.
func answerOf(reply *Reply, err error) (*Reply, error) {
	var p *previewed
	if errors.As(err, &p) {
		return &Reply{Status: http.StatusOK, Value: p.answer}, nil
	}
	return reply, err
}

// Edit changes an order before it leaves, or says what that would mean. The reply's value is an
// *EditedOrder. Errors: problem.Invalid, *order.Refusal, ErrVersion, those of Submit.
func (e *Engine) Edit(ctx context.Context, id string, in *OrderEdit, m Meta) (*Reply, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	return e.serve(ctx, id, in.Preview, m, func(c *change) error {
		if err := e.checkEdit(c.now, &in.Edit); err != nil {
			return err
		}
		events, err := c.now.Edit(&in.Edit, e.editing(c, &in.Edit))
		if err != nil {
			return err
		}
		if err := c.add(events...); err != nil {
			return err
		}
		if err := c.planPayments(); err != nil {
			return err
		}
		return c.hold()
	})
}

// serve runs one change of customer service and answers with what it means; a preview is the same,
// and taken back.
func (e *Engine) serve(ctx context.Context, id string, preview bool, m Meta, decide func(*change) error) (*Reply, error) {
	if preview {
		m.Key, m.Manual = nil, nil // nothing is done, by nobody
	}
	key := e.OrderKey(id)
	reply, err := e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		c := tx.change(o)
		if err := decide(c); err != nil {
			return nil, err
		}
		next, err := c.save()
		if err != nil {
			return nil, err
		}
		out := &EditedOrder{Order: next, Preview: preview, Version: o.Version, Effect: c.effect()}
		if preview {
			return nil, &previewed{out}
		}
		reply := tx.okReply(next)
		reply.Value = out
		reply.Body, err = json.Marshal(out)
		return reply, err
	}})
	return answerOf(reply, err)
}

// checkEdit names what the edit refers to and does not exist, and fills in the service of an order
// that is to be shipped after all.
func (e *Engine) checkEdit(o *order.Order, in *order.Edit) error {
	d, cat := e.Directory(), e.Catalog()
	var bad problem.Invalid
	if in.PickupLocation != "" {
		if l, ok := d.Location(in.PickupLocation); !ok || !l.Can(network.CanPickup) {
			bad.Add("pickup_location", problem.Unknown, "%q is no location with pickup", in.PickupLocation)
		}
	}
	for i := range in.Add {
		if !cat.Has(in.Add[i].SKU) {
			bad.Add(problem.At("add", i)+".sku", problem.Unknown, "the catalog has no SKU %q", in.Add[i].SKU)
		}
	}
	if ch, ok := d.Channel(o.Channel); ok && in.Method == order.Ship && o.Service == "" && in.Service == "" {
		in.Service = ch.Service
	}
	return bad.Err()
}

// editing are the facts that an edit of the order needs.
func (e *Engine) editing(c *change, in *order.Edit) order.Editing {
	with := order.Editing{At: c.tx.Now, Parts: e.Parts}
	if !slices.ContainsFunc(in.Add, func(l order.NewLine) bool { return e.Parts(l.SKU) != nil }) {
		return with
	}
	compiled, _ := e.sourcingPolicy(c.now, nil, c.tx.Now)
	if slices.ContainsFunc(compiled.Sourcing.Groups, func(g policy.CompiledGroup) bool { return g.Limits.Kits == "component" }) {
		with.Weigh = e.listPrice
	}
	return with
}
