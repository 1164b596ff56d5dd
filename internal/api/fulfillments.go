package api

import (
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
	for _, step := range []struct{ command, summary string }{
		{"accept", "The location will do it"},
		{"reject", "The location will not do it, or not these lines; the units are placed elsewhere at once. Reasons out_of_stock, not_found and damaged also take the units out of the location's stock"},
		{"pick", "Units were taken from the shelf; short units were not found: they leave the location's stock and are placed elsewhere at once"},
		{"pack", "Everything picked is packed"},
		{"ship", "Parcels left, with tracking; without lines: everything"},
		{"ready", "An order for pickup waits for the customer"},
		{"handover", "The customer collected it"},
		{"deliver", "The carrier delivered it"},
	} {
		out = append(out, Route{
			Method: "POST", Path: "/v1/fulfillments/{id}/" + step.command, ID: step.command + "Fulfillment", Tag: "fulfillments",
			Scope: auth.FulfillWrite, Status: 200, Summary: step.summary, In: order.Step{}, Out: order.Order{},
			Handle: func(s *Server, c *Call) error { return s.stepFulfillment(c, step.command) },
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

func (s *Server) stepFulfillment(c *Call, command string) error {
	var step order.Step
	if err := c.DecodeOptional(&step); err != nil {
		return err
	}
	step.Command = command
	if err := step.Validate(); err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	return c.reply(s.engine.Step(ctx, c.R.PathValue("id"), step, m))
}
