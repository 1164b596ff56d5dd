package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/intake"
)

type importCommand struct {
	where    `embed:""`
	Table    string   `arg:"" help:"What the files hold: ${tables}, or orders."`
	Files    []string `arg:"" help:"Files; - is standard input." type:"path"`
	Format   string   `help:"csv or jsonl (default: by the file's ending); for orders shopify or woocommerce."`
	Complete bool     `help:"Stock: positions of the file's locations that it does not list are empty."`
	Confirm  bool     `help:"Stock: apply the file even if it empties most of a location."`
	Channel  string   `help:"Orders: the channel they come from."`
	Topic    string   `help:"Orders: what the platform said beside the body, like orders/create."`
	AddSKUs  bool     `help:"Orders: put SKUs that the catalog lacks into it." name:"add-skus"`
	FromID   bool     `help:"Orders: give lines without a SKU one made of the platform's id." name:"sku-from-id"`
	JSON     bool     `help:"Print the reports as JSON."`
}

// Run imports files into a store that is not being served; POST /v1/import/… does the same on a running node.
// Exit code 1 when anything was rejected.
func (c *importCommand) Run(ctx context.Context, m *Main) error {
	rejected := false
	err := withEngine(ctx, c.where, func(e *engine.Engine) error {
		for _, name := range c.Files {
			n, err := c.file(ctx, m, e, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			rejected = rejected || n > 0
		}
		return nil
	})
	if err == nil && rejected {
		return errQuiet
	}
	return err
}

func (c *importCommand) file(ctx context.Context, m *Main, e *engine.Engine, name string) (rejected int, err error) {
	var in io.Reader = m.Stdin
	if filepath.Base(name) != "-" {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		in = f
	}
	meta := engine.Meta{Actor: "import"}
	if c.Table == "orders" {
		return c.orders(ctx, m, e, name, in, meta)
	}
	format := bulk.Format(c.Format)
	if format == "" {
		format = bulk.JSONLines
		if strings.HasSuffix(name, ".csv") {
			format = bulk.CSV
		}
	}
	report, err := intake.File(ctx, e, c.Table, in, intake.Options{Format: format, Complete: c.Complete, Confirm: c.Confirm, Meta: meta})
	if c.JSON {
		return report.Rejected, errors.Join(json.NewEncoder(m.Stdout).Encode(report), err)
	}
	fmt.Fprintf(m.Stdout, "%s: %d %s accepted, %d rejected\n", name, report.Accepted, c.Table, report.Rejected)
	for _, x := range report.Errors {
		fmt.Fprintf(m.Stdout, "  line %d %s %s: %s\n", x.Line, x.ID, x.Pointer, x.Message)
	}
	if report.ErrorsOmitted > 0 {
		fmt.Fprintf(m.Stdout, "  and %d more\n", report.ErrorsOmitted)
	}
	return report.Rejected, err
}

func (c *importCommand) orders(ctx context.Context, m *Main, e *engine.Engine, name string, in io.Reader, meta engine.Meta) (int, error) {
	report, err := intake.Orders(ctx, e, in, intake.OrderOptions{
		Format: c.Format, Channel: c.Channel, Topic: c.Topic, AddSKUs: c.AddSKUs, SKUFromID: c.FromID, Meta: meta,
	})
	if c.JSON {
		return report.Rejected, errors.Join(json.NewEncoder(m.Stdout).Encode(report), err)
	}
	fmt.Fprintf(m.Stdout, "%s: %d created, %d known, %d changed, %d rejected\n", name, report.Created, report.Known, report.Changed, report.Rejected)
	for _, x := range report.Orders {
		fmt.Fprintf(m.Stdout, "  document %d: order %s %s as %s, %s\n", x.Index, x.ExternalID, x.Outcome, x.ID, x.Status)
	}
	for _, x := range report.Rejection {
		fmt.Fprintf(m.Stdout, "  document %d: order %s rejected: %s %s\n", x.Index, x.ExternalID, x.Pointer, x.Message)
	}
	return report.Rejected, err
}

type exportCommand struct {
	where  `embed:""`
	Table  string `arg:"" help:"What to write: ${tables}, or orders (JSON Lines)."`
	Format string `help:"csv or jsonl." default:"jsonl" enum:"csv,jsonl"`
}

// Run writes a table to standard output, in the form that import reads.
func (c *exportCommand) Run(ctx context.Context, m *Main) error {
	s, err := c.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return intake.Export(ctx, s, c.Table, bulk.Format(c.Format), m.Stdout)
}
