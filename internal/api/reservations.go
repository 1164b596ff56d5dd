package api

import (
	"context"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
)

func reservationRoutes() []Route {
	return []Route{
		{
			Method: "POST", Path: "/v1/reservations", ID: "createReservation", Tag: "reservations", Scope: auth.OrdersWrite, Status: 201,
			Summary: "Hold stock for a basket until it expires: all lines or nothing, unless partial is asked for",
			In:      inventory.NewReservation{}, Out: inventory.Reservation{}, Handle: command(false, createReservation),
		},
		{Method: "GET", Path: "/v1/reservations/{id}", ID: "getReservation", Tag: "reservations", Scope: auth.OrdersRead, Status: 200, Summary: "Read a reservation", Out: inventory.Reservation{}, Handle: (*Server).getReservation},
		{
			Method: "POST", Path: "/v1/reservations/{id}/extend", ID: "extendReservation", Tag: "reservations", Scope: auth.OrdersWrite, Status: 200,
			Summary: "Make a reservation last for ttl_seconds from now", In: Extension{}, Out: inventory.Reservation{}, Handle: command(true, extendReservation),
		},
		{
			Method: "POST", Path: "/v1/reservations/{id}/cancel", ID: "cancelReservation", Tag: "reservations", Scope: auth.OrdersWrite, Status: 200,
			Summary: "Give the held stock back", Out: inventory.Reservation{}, Handle: command(true, cancelReservation),
		},
	}
}

// Extension asks for more time.
type Extension struct {
	TTLSeconds int64 `json:"ttl_seconds,omitempty"` // default 900
}

func (s *Server) getReservation(c *Call) error {
	return s.document(c, s.engine.ReservationKey(c.R.PathValue("id")))
}

func createReservation(s *Server, ctx context.Context, _ *Call, n *inventory.NewReservation, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Reserve(ctx, n, m)
}

func extendReservation(s *Server, ctx context.Context, c *Call, x *Extension, m engine.Meta) (*engine.Reply, error) {
	if err := inventory.ValidateTTL(x.TTLSeconds); err != nil {
		return nil, err
	}
	return s.engine.ExtendReservation(ctx, c.R.PathValue("id"), inventory.TTL(x.TTLSeconds), m)
}

func cancelReservation(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.engine.ReleaseReservation(ctx, c.R.PathValue("id"), m)
}
