package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/roi"
)

type roiCommand struct {
	policyWhere `embed:""`
	Month       string `help:"Which month, in UTC; default: the present one." placeholder:"2026-11"`
	JSON        bool   `help:"Print JSON."`
}

// Run prints a month's statement.
func (c *roiCommand) Run(ctx context.Context, m *Main) error {
	month := roi.Month(c.Month)
	if month == "" {
		month = roi.MonthOf(time.Now())
	}
	if _, err := month.Begin(); err != nil {
		return err
	}
	out, err := c.statement(ctx, month)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(m.Stdout).Encode(out)
	}
	if out.Behind {
		fmt.Fprintln(m.Stdout, "The log has not been counted to its end yet; ask again in a moment.")
	}
	if !out.Over {
		fmt.Fprintf(m.Stdout, "The month is not over; counted at %s.\n", out.At.Format(time.RFC3339))
	}
	return out.Statement.WriteText(m.Stdout)
}

// statement asks a server, or counts what is in a store.
func (c *roiCommand) statement(ctx context.Context, month roi.Month) (out *api.ROI, err error) {
	if c.Target != "" {
		if c.Data != "" || c.Database != "" {
			return nil, errors.New("name a server with --target or a store with --data or --database, not both")
		}
		out = &api.ROI{Statement: new(roi.Statement)}
		r := &remotePolicies{base: strings.TrimSuffix(c.Target, "/"), key: c.Key, client: &http.Client{Timeout: time.Minute}}
		return out, r.do(ctx, "GET", "/v1/roi?month="+url.QueryEscape(string(month)), nil, out)
	}
	err = withEngine(ctx, c.where, func(e *engine.Engine) error {
		if err := e.LearnNow(ctx); err != nil {
			return err
		}
		out, err = api.StatementOf(ctx, e, month)
		return err
	})
	return out, err
}
