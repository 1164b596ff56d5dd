package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/partner/pay"
)

type reconcileCommand struct {
	policyWhere `embed:""`
	Provider    string `help:"Id of the payment provider." required:"" placeholder:"ID"`
	Day         string `help:"Which day, in the provider's time zone; default: yesterday, in UTC." placeholder:"2026-11-25"`
	JSON        bool   `help:"Print JSON."`
}

// Run compares the books with a provider's report; exit code 1 when they differ.
func (c *reconcileCommand) Run(ctx context.Context, m *Main) error {
	if c.Day == "" {
		c.Day = time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	}
	out, err := c.reconcile(ctx, m)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(m.Stdout).Encode(out)
	} else {
		m.printReconciliation(out)
	}
	if err == nil && out.Count > 0 {
		err = errQuiet
	}
	return err
}

func (c *reconcileCommand) reconcile(ctx context.Context, m *Main) (out *pay.Reconciliation, err error) {
	if c.Target == "" {
		err = withEngine(ctx, c.where, func(e *engine.Engine) error {
			log := slog.New(slog.NewTextHandler(m.Stderr, nil))
			out, err = pay.NewBooks(e, pay.Options{Log: log}).Reconcile(ctx, c.Provider, c.Day, operator)
			if errors.Is(err, engine.ErrNotFound) {
				return fmt.Errorf("there is no payment provider %q", c.Provider)
			}
			return err
		})
		return out, err
	}
	if c.Data != "" || c.Database != "" {
		return nil, errors.New("name a server with --target or a store with --data or --database, not both")
	}
	out = new(pay.Reconciliation)
	r := &remotePolicies{base: strings.TrimSuffix(c.Target, "/"), key: c.Key, client: &http.Client{Timeout: 10 * time.Minute}}
	return out, r.do(ctx, "POST", "/v1/payment-providers/"+url.PathEscape(c.Provider)+"/reconciliations", api.Reconcile{Day: c.Day}, out)
}

func (m *Main) printReconciliation(r *pay.Reconciliation) {
	fmt.Fprintf(m.Stdout, "%s, %s: %d entries, %d agree, %d were news, %d differ\n", r.Provider, r.Day, r.Entries, r.Matched, r.Booked, r.Count)
	for _, currency := range slices.Sorted(maps.Keys(r.Theirs)) {
		for _, kind := range slices.Sorted(maps.Keys(r.Theirs[currency])) {
			fmt.Fprintf(m.Stdout, "  %s %-10s theirs %12d  ours %12d\n", currency, kind, r.Theirs[currency][kind], r.Ours[currency][kind])
		}
	}
	for _, d := range r.Differences {
		fmt.Fprintf(m.Stdout, "  %s: %s\n", d.What, d.Message)
	}
}
