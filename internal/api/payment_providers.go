package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/partner/pay"
)

func paymentProviderRoutes() []Route {
	const base = "/v1/payment-providers"
	return []Route{
		{
			Method: "GET", Path: base, ID: "listPaymentProviders", Tag: "payments", Scope: auth.ReferenceRead, Status: 200,
			Summary: "List payment providers, without their secrets; there are at most 100",
			Out:     Page[*pay.Provider]{}, Handle: (*Server).listPaymentProviders,
		},
		{
			Method: "GET", Path: base + "/{id}", ID: "getPaymentProvider", Tag: "payments", Scope: auth.ReferenceRead, Status: 200,
			Summary: "Get a payment provider, without its secret", Out: pay.Provider{}, Handle: (*Server).getPaymentProvider,
		},
		{
			Method: "PUT", Path: base + "/{id}", ID: "putPaymentProvider", Tag: "payments", Scope: auth.Admin, Status: 200,
			Summary: "Say where a payment provider is reached; without a secret, the one before stays",
			In:      pay.Settings{}, Out: pay.Provider{}, Handle: command(false, putPaymentProvider),
		},
		{
			Method: "POST", Path: base + "/{id}/reconciliations", ID: "reconcilePayments", Tag: "payments", Scope: auth.PaymentsWrite, Status: 200,
			Summary: "Compare the books with the provider's report of a day that is over, now; each difference becomes one exception, however often it is done",
			In:      Reconcile{}, Out: pay.Reconciliation{}, Handle: (*Server).reconcilePayments,
		},
		{
			Method: "GET", Path: base + "/{id}/reconciliations/{day}", ID: "getReconciliation", Tag: "payments", Scope: auth.OrdersRead, Status: 200,
			Summary: "What came of comparing the books for a day, the last time it was done", Out: pay.Reconciliation{}, Handle: (*Server).getReconciliation,
		},
	}
}

// Reconcile asks for the books of a day to be compared.
type Reconcile struct {
	Day string `json:"day" doc:"a day in the provider's time zone, like 2026-11-25"`
}

func (s *Server) listPaymentProviders(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	all, err := s.providers.List(ctx)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Page[*pay.Provider]{Items: all})
}

func (s *Server) getPaymentProvider(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	p, err := s.providers.Get(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	c.W.Header()["Etag"] = []string{etag(p.Version)}
	return c.json(http.StatusOK, p)
}

func putPaymentProvider(s *Server, ctx context.Context, c *Call, n *pay.Settings, m engine.Meta) (*engine.Reply, error) {
	return s.providers.Put(ctx, c.R.PathValue("id"), *n, m)
}

func (s *Server) reconcilePayments(c *Call) error {
	var r Reconcile
	if err := c.Decode(&r); err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	out, err := s.books.Reconcile(ctx, c.R.PathValue("id"), r.Day, engine.Meta{Actor: c.Principal.Name})
	if bad := (*pay.ReportError)(nil); errors.As(err, &bad) {
		return newProblem(http.StatusBadGateway, "provider_unavailable", bad.Error()+"; nothing was compared, try again")
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

func (s *Server) getReconciliation(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	out, err := s.books.Last(ctx, c.R.PathValue("id"), c.R.PathValue("day"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}
