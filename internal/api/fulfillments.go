package api

import (
	"context"
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

func fulfillmentRoutes() []Route {
	out := []Route{{
		Method: "GET", Path: "/v1/fulfillments/{id}", ID: "getFulfillment", Tag: "fulfillments", Scope: auth.OrdersRead, Status: 200,
		Summary: "Read a fulfillment", Out: order.Fulfillment{}, Handle: (*Server).getFulfillment,
	}}
	for _, known := range []struct{ command, summary string }{
		{"accept", "The location will do it"},
		{"reject", "The location will not do it, or not these lines; the units are placed elsewhere at once. Reasons out_of_stock, not_found and damaged also take the units out of the location's stock"},
		{"pick", "Units were taken from the shelf; short units were not found: they leave the location's stock and are placed elsewhere at once"},
		{"pack", "Everything picked is packed"},
		{"ship", "Parcels left, with tracking; without lines: everything"},
		{"ready", "An order for pickup waits for the customer"},
		{"handover", "The customer collected it"},
		{"deliver", "The carrier delivered it"},
		{"stopped", "The location stopped units as it was asked to, and put back what was picked; without lines: all it was asked to stop"},
		{"refuse_stop", "The location will not stop what it was asked to; it goes on"},
		{"uncollected", "The customer did not come for units that waited: they are cancelled, and stock again where they waited"},
		{"delay", "It is expected later, at expected_at; past the order's promise the customer is given a new one"},
		{"lose", "The carrier lost units on their way: they are placed again at once"},
		{"arrive", "The customer is there to collect it; reason says where they wait, like a parking bay"},
		{"undeliverable", "Units came back: they are stock of their location again, and wait with an address hold"},
	} {
		out = append(out, Route{
			Method: "POST", Path: "/v1/fulfillments/{id}/" + known.command, ID: known.command + "Fulfillment", Tag: "fulfillments",
			Scope: auth.FulfillWrite, Status: 200, Summary: known.summary, In: order.Step{}, Out: order.Order{},
			Handle: step(known.command),
		})
	}
	return out
}

func (s *Server) getFulfillment(c *Call) error {
	id := c.R.PathValue("id")
	r, err := s.loadOne(c, s.engine.OrderKey(engine.OrderOfFulfillment(id)))
	if err != nil {
		return err
	}
	en, err := engine.Decode(*r)
	if err != nil {
		return err
	}
	f := en.Value.(*order.Order).Fulfillment(id)
	if f == nil {
		return engine.ErrNotFound
	}
	c.W.Header()["Etag"] = []string{etag(r.Version)}
	return c.json(http.StatusOK, f)
}

// step makes the handler of one step of a fulfillment.
func step(name string) func(*Server, *Call) error {
	return command(true, func(s *Server, ctx context.Context, c *Call, body *order.Step, m engine.Meta) (*engine.Reply, error) {
		body.Command = name
		if err := body.Validate(); err != nil {
			return nil, err
		}
		return s.engine.Step(ctx, c.R.PathValue("id"), *body, m)
	})
}
