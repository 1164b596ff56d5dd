package api

import (
	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/inventory"
)

func reservationRoutes() []Route {
	return []Route{
		{
			Method: "POST", Path: "/v1/reservations", ID: "createReservation", Tag: "reservations", Scope: auth.OrdersWrite, Status: 201,
			Summary: "Hold stock for a basket until it expires: all lines or nothing, unless partial is asked for",
			In:      inventory.NewReservation{}, Out: inventory.Reservation{}, Handle: (*Server).createReservation,
		},
		{Method: "GET", Path: "/v1/reservations/{id}", ID: "getReservation", Tag: "reservations", Scope: auth.OrdersRead, Status: 200, Summary: "Read a reservation", Out: inventory.Reservation{}, Handle: (*Server).getReservation},
		{
			Method: "POST", Path: "/v1/reservations/{id}/extend", ID: "extendReservation", Tag: "reservations", Scope: auth.OrdersWrite, Status: 200,
			Summary: "Make a reservation last for ttl_seconds from now", In: Extension{}, Out: inventory.Reservation{}, Handle: (*Server).extendReservation,
		},
		{
			Method: "POST", Path: "/v1/reservations/{id}/cancel", ID: "cancelReservation", Tag: "reservations", Scope: auth.OrdersWrite, Status: 200,
			Summary: "Give the held stock back", Out: inventory.Reservation{}, Handle: (*Server).cancelReservation,
		},
	}
}

// Extension asks for more time.
type Extension struct {
	TTLSeconds int64 `json:"ttl_seconds,omitempty"` // default 900
}

func (s *Server) createReservation(c *Call) error {
	var n inventory.NewReservation
	if err := c.Decode(&n); err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	return c.reply(s.engine.Reserve(ctx, &n, m))
}

func (s *Server) getReservation(c *Call) error {
	return s.document(c, s.engine.ReservationKey(c.R.PathValue("id")))
}

func (s *Server) extendReservation(c *Call) error {
	var x Extension
	if err := c.DecodeOptional(&x); err != nil {
		return err
	}
	if err := inventory.ValidateTTL(x.TTLSeconds); err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	return c.reply(s.engine.ExtendReservation(ctx, c.R.PathValue("id"), inventory.TTL(x.TTLSeconds), m))
}

func (s *Server) cancelReservation(c *Call) error {
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	return c.reply(s.engine.ReleaseReservation(ctx, c.R.PathValue("id"), m))
}
