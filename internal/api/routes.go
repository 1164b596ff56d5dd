package api

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/auth"
)

// routes is the table of all operations.
func routes() []Route {
	return slices.Concat(
		orderRoutes(), servicingRoutes(), exceptionRoutes(), decisionRoutes(), priceRoutes(), returnRoutes(), paymentRoutes(), reoptimiseRoutes(), fulfillmentRoutes(), reservationRoutes(), availabilityRoutes(), promiseRoutes(), inventoryRoutes(),
		referenceRoutes(), importRoutes(), eventRoutes(), webhookRoutes(), policyRoutes(), flowRoutes(), experimentRoutes(), paymentProviderRoutes(), learnedRoutes(), kpiRoutes(), roiRoutes(), keyRoutes(), operationRoutes(),
		reassessmentRoutes(),
	)
}

var pageQuery = []Query{
	{Name: "limit", Doc: "page size, 1 to 200; default 50", Integer: true},
	{Name: "cursor", Doc: "the next field of the previous page"},
}

func operationRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/healthz", ID: "health", Tag: "operation", Summary: "Is the process alive", Scope: auth.Public, Out: Health{}, Status: 200, Handle: (*Server).health},
		{Method: "GET", Path: "/readyz", ID: "ready", Tag: "operation", Summary: "Can the node take traffic: the store answers and the node is not draining", Scope: auth.Public, Out: Health{}, Status: 200, Handle: (*Server).ready},
		{Method: "GET", Path: "/openapi.json", ID: "openapi", Tag: "operation", Summary: "This document", Scope: auth.Public, Status: 200, Handle: (*Server).openAPI, RawOut: []string{"application/json"}},
	}
}

// Health answers the probes.
type Health struct {
	Status string `json:"status"`
}

func (s *Server) health(c *Call) error { return c.json(200, Health{"ok"}) }

func (s *Server) ready(c *Call) error {
	if s.draining.Load() {
		return newProblem(503, "shutting_down", "the node finishes what it accepted and stops")
	}
	ctx, cancel := c.Context()
	defer cancel()
	if err := s.engine.Store().Check(ctx); err != nil {
		return newProblem(503, "store_unavailable", err.Error())
	}
	return c.json(200, Health{"ready"})
}

func (s *Server) openAPI(c *Call) error {
	c.raw(200, s.openapi)
	return nil
}
