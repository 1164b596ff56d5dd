package api

import (
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
)

func returnRoutes() []Route {
	return []Route{{
		Method: "POST", Path: "/v1/returns/route", ID: "routeReturn", Tag: "orders", Scope: auth.OrdersRead, Status: 200,
		Summary: "Where returned goods are to go, by the returns policy in force: lines of an order, or any articles; nothing is changed",
		In:      engine.ReturnRequest{}, Out: ReturnRoutes{}, Handle: (*Server).routeReturn,
	}}
}

// ReturnRoutes answers in the order of the lines.
type ReturnRoutes struct {
	Lines []engine.ReturnRoute `json:"lines"`
}

func (s *Server) routeReturn(c *Call) error {
	var in engine.ReturnRequest
	if err := c.Decode(&in); err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	lines, err := s.engine.RouteReturn(ctx, &in)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, ReturnRoutes{lines})
}
