package api

import (
	"context"
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

func returnRoutes() []Route {
	const at = "/v1/returns/{id}/"
	return []Route{
		{
			Method: "POST", Path: "/v1/returns/route", ID: "routeReturn", Tag: "orders", Scope: auth.OrdersRead, Status: 200,
			Summary: "Where returned goods are to go, by the returns policy in force: lines of an order, or any articles; nothing is changed",
			In:      engine.ReturnRequest{}, Out: ReturnRoutes{}, Handle: (*Server).routeReturn,
		},
		{
			Method: "POST", Path: "/v1/orders/{id}/returns", ID: "authorizeReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 201,
			Summary: "Authorise a return by the policy in force. With preview: whether it is allowed, fees, refund and route, and nothing changes. What the policy refuses needs the right returns:override and a reason",
			In:      AuthorizeReturn{}, Out: engine.ReturnAnswer{}, Handle: command(false, authorizeReturn),
		},
		{
			Method: "GET", Path: "/v1/orders/{id}/returns", ID: "listReturns", Tag: "returns", Scope: auth.OrdersRead, Status: 200,
			Summary: "The returns of an order, oldest first", Out: Returns{}, Handle: (*Server).listReturns,
		},
		{
			Method: "POST", Path: "/v1/orders/{id}/exchanges", ID: "exchangeOrder", Tag: "returns", Scope: auth.ReturnsWrite, Status: 201,
			Summary: "Take goods back and send others: opens the return and captures the order that replaces them, in one command. With reason warranty the new goods cost nothing, and the old ones need not come back",
			In:      order.NewExchange{}, Out: engine.ReturnAnswer{}, Handle: command(false, exchangeOrder),
		},
		{
			Method: "POST", Path: "/v1/returns", ID: "receiveBlindReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 201,
			Summary: "Goods arrived without a return at hand: by order, by the channel's id of it, or by tracking number. Returns that wait for them get them first; the rest opens a return of its own",
			In:      engine.BlindReturn{}, Out: engine.ReturnAnswer{}, Handle: command(false, receiveBlind),
		},
		{
			Method: "GET", Path: "/v1/returns/{id}", ID: "getReturn", Tag: "returns", Scope: auth.OrdersRead, Status: 200,
			Summary: "Read a return", Out: order.Return{}, Handle: (*Server).getReturn,
		},
		{
			Method: "POST", Path: at + "send", ID: "sendReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 200,
			Summary: "A carrier has the goods", In: SentReturn{}, Out: engine.ReturnAnswer{}, Handle: command(true, sendReturn),
		},
		{
			Method: "POST", Path: at + "receive", ID: "receiveReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 200,
			Summary: "Goods arrived, at any location; without lines: all that was expected. A repeat changes nothing; what nobody expects becomes an exception",
			In:      order.Receipt{}, Out: engine.ReturnAnswer{}, Handle: command(false, receiveReturn),
		},
		{
			Method: "POST", Path: at + "inspect", ID: "inspectReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 200,
			Summary: "Accept or reject what arrived; without lines: all is accepted. Rejected units go back to the customer and are not refunded",
			In:      order.Inspection{}, Out: engine.ReturnAnswer{}, Handle: command(true, inspectReturn),
		},
		{
			Method: "POST", Path: at + "dispose", ID: "disposeReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 200,
			Summary: "What becomes of accepted units: restock, refurbish, scrap or vendor", In: order.Disposal{}, Out: engine.ReturnAnswer{}, Handle: command(false, disposeReturn),
		},
		{
			Method: "POST", Path: at + "cancel", ID: "cancelReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 200,
			Summary: "End a return of which nothing came and nothing was refunded", In: ReturnEnd{}, Out: engine.ReturnAnswer{}, Handle: command(true, endReturn((*engine.Engine).CancelReturn)),
		},
		{
			Method: "POST", Path: at + "close", ID: "closeReturn", Tag: "returns", Scope: auth.ReturnsWrite, Status: 200,
			Summary: "End a return: what has not come is not waited for", In: ReturnEnd{}, Out: engine.ReturnAnswer{}, Handle: command(true, endReturn((*engine.Engine).CloseReturn)),
		},
	}
}

// ReturnRoutes answers in the order of the lines.
type ReturnRoutes struct {
	Lines []engine.ReturnRoute `json:"lines"`
}

// AuthorizeReturn asks for a return.
type AuthorizeReturn struct {
	order.NewReturn
	// Preview says what the policy means for the return, and changes nothing.
	Preview bool `json:"preview,omitempty"`
}

// Returns are those of an order.
type Returns struct {
	Items []order.Return `json:"items"`
}

// SentReturn is how goods are on their way; default: as the return says.
type SentReturn struct {
	Carrier  string `json:"carrier,omitempty"`
	Tracking string `json:"tracking,omitempty"`
}

// ReturnEnd says why a return ends.
type ReturnEnd struct {
	Reason string `json:"reason,omitempty"`
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

func mayOverride(c *Call) bool { return auth.May(c.Principal.Scopes, auth.ReturnsOverride) }

func authorizeReturn(s *Server, ctx context.Context, c *Call, body *AuthorizeReturn, m engine.Meta) (*engine.Reply, error) {
	id := c.R.PathValue("id")
	if body.Preview {
		answer, err := s.engine.PreviewReturn(ctx, id, &body.NewReturn)
		if err != nil {
			return nil, err
		}
		return &engine.Reply{Status: http.StatusOK, Value: answer}, nil
	}
	return s.engine.AuthorizeReturn(ctx, id, &body.NewReturn, mayOverride(c), m)
}

func exchangeOrder(s *Server, ctx context.Context, c *Call, body *order.NewExchange, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Exchange(ctx, c.R.PathValue("id"), body, mayOverride(c), m)
}

func receiveBlind(s *Server, ctx context.Context, _ *Call, body *engine.BlindReturn, m engine.Meta) (*engine.Reply, error) {
	return s.engine.ReceiveBlind(ctx, body, m)
}

func sendReturn(s *Server, ctx context.Context, c *Call, body *SentReturn, m engine.Meta) (*engine.Reply, error) {
	return s.engine.SendReturn(ctx, c.R.PathValue("id"), body.Carrier, body.Tracking, m)
}

func receiveReturn(s *Server, ctx context.Context, c *Call, body *order.Receipt, m engine.Meta) (*engine.Reply, error) {
	return s.engine.ReceiveReturn(ctx, c.R.PathValue("id"), body, m)
}

func inspectReturn(s *Server, ctx context.Context, c *Call, body *order.Inspection, m engine.Meta) (*engine.Reply, error) {
	return s.engine.InspectReturn(ctx, c.R.PathValue("id"), body, mayOverride(c), m)
}

func disposeReturn(s *Server, ctx context.Context, c *Call, body *order.Disposal, m engine.Meta) (*engine.Reply, error) {
	return s.engine.DisposeReturn(ctx, c.R.PathValue("id"), body, m)
}

func endReturn(end func(*engine.Engine, context.Context, string, string, engine.Meta) (*engine.Reply, error)) func(*Server, context.Context, *Call, *ReturnEnd, engine.Meta) (*engine.Reply, error) {
	return func(s *Server, ctx context.Context, c *Call, body *ReturnEnd, m engine.Meta) (*engine.Reply, error) {
		return end(s.engine, ctx, c.R.PathValue("id"), body.Reason, m)
	}
}

// orderOf reads an order from the store.
func (s *Server) orderOf(c *Call, id string) (*order.Order, error) {
	r, err := s.loadOne(c, s.engine.OrderKey(id))
	if err != nil {
		return nil, err
	}
	en, err := engine.Decode(*r)
	if err != nil {
		return nil, err
	}
	return en.Value.(*order.Order), nil
}

func (s *Server) listReturns(c *Call) error {
	o, err := s.orderOf(c, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	out := Returns{Items: o.Returns}
	if out.Items == nil {
		out.Items = []order.Return{}
	}
	return c.json(http.StatusOK, out)
}

func (s *Server) getReturn(c *Call) error {
	id := c.R.PathValue("id")
	o, err := s.orderOf(c, engine.OrderOfFulfillment(id))
	if err != nil {
		return err
	}
	r := o.Return(id)
	if r == nil {
		return engine.ErrNotFound
	}
	return c.json(http.StatusOK, r)
}
