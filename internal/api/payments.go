package api

import (
	"context"
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

func paymentRoutes() []Route {
	return []Route{
		{
			Method: "GET", Path: "/v1/orders/{id}/payments", ID: "getOrderPayments", Tag: "payments", Scope: auth.OrdersRead, Status: 200,
			Summary: "An order's payments: where they stand, sums, tenders, and every operation a provider was asked for", Out: engine.OrderPayments{}, Handle: (*Server).orderPayments,
		},
		{
			Method: "GET", Path: "/v1/payments", ID: "listPayments", Tag: "payments", Scope: auth.OrdersRead, Status: 200,
			Summary: "Search payments, newest orders first; each with the operations that match. Pages may be shorter than the limit while there is a next one",
			Query: append([]Query{
				{Name: "standing", Doc: "of the order's payments, like authorized or declined"}, {Name: "state", Doc: "of an operation: pending, unknown, succeeded, declined"},
				{Name: "kind", Doc: "of an operation: authorize, capture, void, refund"}, {Name: "provider", Doc: "that acts"}, {Name: "channel", Doc: "channel id"},
			}, pageQuery...),
			Out: Page[engine.OrderPayments]{}, Handle: (*Server).listPayments,
		},
		{
			Method: "POST", Path: "/v1/orders/{id}/payments", ID: "addPayment", Tag: "payments", Scope: auth.PaymentsWrite, Status: 200,
			Summary: "Have another tender authorized for what is not covered, or write down money that was taken elsewhere, like cash in a store. Card numbers are refused: send the provider's token",
			In:      order.NewPayment{}, Out: order.Order{}, Handle: command(false, addPayment),
		},
		{
			Method: "POST", Path: "/v1/orders/{id}/payments/retry", ID: "retryPayments", Tag: "payments", Scope: auth.PaymentsWrite, Status: 200,
			Summary: "Ask the provider anew for what was declined, and now what became of operations that are unknown or were given up", Out: order.Order{}, Handle: command(true, retryPayments), In: PaymentRetry{},
		},
		{
			Method: "POST", Path: "/v1/orders/{id}/refunds", ID: "refundOrder", Tag: "payments", Scope: auth.ServiceAdjust, Status: 200,
			Summary: "Give back money that was captured, per tender in the order of the payment policy, or to one tender. With preview: which refunds it would mean, and nothing changes. Above the limit of the holds policy the right service:approve is needed",
			In:      engine.OrderRefund{}, Out: engine.RefundedOrder{}, Handle: command(false, refundOrder),
		},
		{
			Method: "POST", Path: "/v1/payments/{operation}/result", ID: "reportPayment", Tag: "payments", Scope: auth.PaymentsWrite, Status: 200,
			Summary: "What became of an operation, from the provider; the same once more changes nothing. What took effect is booked even when it comes late or contradicts, and a person is told",
			In:      PaymentResult{}, Out: order.Order{}, Handle: command(false, reportPayment),
		},
	}
}

// PaymentRetry has nothing to say.
type PaymentRetry struct{}

// PaymentResult is what a provider says of the operation in the path.
type PaymentResult struct {
	payment.Outcome
}

func (s *Server) orderPayments(c *Call) error {
	o, err := s.orderOf(c, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, engine.PaymentsOf(o))
}

func (s *Server) listPayments(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	standing, state, kind, provider := c.query("standing"), c.query("state"), c.query("kind"), c.query("provider")
	var bad problem.Invalid
	for _, x := range []struct {
		name, value string
		known       []string
	}{{"standing", standing, payment.Standings}, {"state", state, payment.States}, {"kind", kind, payment.Kinds}} {
		if x.value != "" {
			problem.OneOf(&bad, x.name, x.value, x.known...)
		}
	}
	if err := bad.Err(); err != nil {
		return err
	}
	q := store.Query{Kind: engine.KindOrder, Channel: c.query("channel"), Term: engine.PaymentTerm(provider), Before: c.query("cursor"), Limit: limit + 1}
	ctx, cancel := c.Context()
	defer cancel()
	records, err := s.engine.Store().Find(ctx, q)
	if err != nil {
		return err
	}
	out := Page[*engine.OrderPayments]{Items: []*engine.OrderPayments{}}
	if len(records) > limit {
		records = records[:limit]
		out.Next = records[limit-1].ID
	}
	for i := range records {
		en, err := engine.Decode(records[i])
		if err != nil {
			return err
		}
		p := engine.PaymentsOf(en.Value.(*order.Order))
		if standing != "" && p.Standing != standing || !p.Keep(state, kind, provider) {
			continue
		}
		out.Items = append(out.Items, p)
	}
	return c.json(http.StatusOK, out)
}

func addPayment(s *Server, ctx context.Context, c *Call, body *order.NewPayment, m engine.Meta) (*engine.Reply, error) {
	return s.engine.AddPayment(ctx, c.R.PathValue("id"), body, m)
}

func retryPayments(s *Server, ctx context.Context, c *Call, _ *PaymentRetry, m engine.Meta) (*engine.Reply, error) {
	return s.engine.RetryPayments(ctx, c.R.PathValue("id"), m)
}

func refundOrder(s *Server, ctx context.Context, c *Call, body *engine.OrderRefund, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Refund(ctx, c.R.PathValue("id"), body, auth.May(c.Principal.Scopes, auth.ServiceApprove), m)
}

func reportPayment(s *Server, ctx context.Context, c *Call, body *PaymentResult, m engine.Meta) (*engine.Reply, error) {
	id := c.R.PathValue("operation")
	if body.Operation != "" && body.Operation != id {
		var bad problem.Invalid
		bad.Add("operation", problem.Conflict, "the path names %.60q", id)
		return nil, bad.Err()
	}
	body.Operation = id
	of := engine.OrderOfOperation(id)
	if of == "" {
		return nil, engine.ErrNotFound
	}
	return s.engine.PaymentResult(ctx, of, body.Outcome, m)
}
