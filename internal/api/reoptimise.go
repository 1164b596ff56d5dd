package api

import (
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
)

func reoptimiseRoutes() []Route {
	return []Route{{
		Method: "POST", Path: "/v1/sourcing/reoptimise", ID: "reoptimiseSourcing", Tag: "sourcing", Scope: auth.OrdersWrite, Status: http.StatusOK,
		Summary: "Decide open orders again, jointly, as far as no location has accepted them: they leave closed locations, and move where that saves more than the change costs. Sent again it decides anew",
		In:      engine.Reoptimise{}, Out: engine.Reoptimised{}, Handle: (*Server).reoptimise,
	}}
}

func (s *Server) reoptimise(c *Call) error {
	var in engine.Reoptimise
	if err := c.DecodeOptional(&in); err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	out, err := s.engine.Reoptimise(ctx, &in, m)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}
