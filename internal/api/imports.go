package api

import (
	"errors"
	"mime"
	"net/http"
	"slices"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/intake"
	"github.com/orderly-oms/orderly/internal/partner/importer"
	"github.com/orderly-oms/orderly/internal/problem"
)

func importRoutes() []Route {
	files := []string{"text/csv", "application/jsonl"}
	out := []Route{{
		Method: "POST", Path: "/v1/import/orders", ID: "importOrders", Tag: "import", Scope: auth.OrdersWrite, Status: 200, MaxBytes: maxImportBytes,
		Summary: "Capture, cancel or shorten orders from the documents of another platform; each ends as done or as a rejection with its reason",
		Query: []Query{
			{Name: "format", Doc: "shopify or woocommerce"}, {Name: "channel", Doc: "channel id"},
			{Name: "topic", Doc: "what the platform said beside the body, like orders/create; default: told from the document"},
			{Name: "add_skus", Doc: "true: put SKUs that the catalog lacks into it"},
			{Name: "sku_from_id", Doc: "true: give lines without a SKU one made of the platform's id"},
		},
		RawIn: []string{"application/json"}, Out: intake.OrderReport{}, Handle: (*Server).importOrders,
	}}
	for _, table := range intake.Tables() {
		scope := auth.ReferenceWrite
		if table == "stock" || table == "supply" {
			scope = auth.InventoryWrite
		}
		out = append(out, Route{
			Method: "POST", Path: "/v1/import/" + table, ID: "import" + title(table), Tag: "import", Scope: scope, Status: 200, MaxBytes: maxImportBytes,
			Summary: "Import " + table + " from CSV or JSON Lines; the report names every rejected row", RawIn: files,
			Query: importQuery(table), Out: bulk.Report{}, Handle: func(s *Server, c *Call) error { return s.importFile(c, table) },
		})
	}
	return out
}

func importQuery(table string) []Query {
	if table != "stock" {
		return nil
	}
	return []Query{
		{Name: "complete", Doc: "true: positions of the file's locations that it does not list are empty"},
		{Name: "confirm", Doc: "true: apply the file even if it empties most of a location"},
	}
}

func (s *Server) importFile(c *Call, table string) error {
	media, _, err := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	formats := map[string]bulk.Format{"text/csv": bulk.CSV, "application/jsonl": bulk.JSONLines, "application/x-ndjson": bulk.JSONLines}
	format, ok := formats[media]
	if err != nil || !ok {
		return newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send text/csv with a header row, or application/jsonl")
	}
	report, err := intake.File(c.R.Context(), s.engine, table, http.MaxBytesReader(c.W, c.R.Body, maxImportBytes), intake.Options{
		Format: format, Complete: c.query("complete") == "true", Confirm: c.query("confirm") == "true", Meta: c.importMeta(),
	})
	if err != nil {
		return partly(err, report.Accepted)
	}
	return c.json(http.StatusOK, report)
}

// importMeta names the sender; imports are repeatable by their content and take no key.
func (c *Call) importMeta() engine.Meta { return engine.Meta{Actor: c.Principal.Name} }

// partly says that rows before an error took effect.
func partly(err error, accepted int) error {
	p := problemOf(err)
	if accepted > 0 && !intake.IsRefusedFile(err) {
		next := *p
		next.Detail += "; up to that point rows took effect, and the same file can be sent again"
		return &next
	}
	return p
}

func (s *Server) importOrders(c *Call) error {
	var bad problem.Invalid
	o := intake.OrderOptions{
		Format: c.query("format"), Channel: c.query("channel"), Topic: c.query("topic"),
		AddSKUs: c.query("add_skus") == "true", SKUFromID: c.query("sku_from_id") == "true", Meta: c.importMeta(),
	}
	if !slices.Contains(importer.Formats(), o.Format) {
		bad.Add("format", problem.Unknown, "%q is none of %v", o.Format, importer.Formats())
	}
	if _, ok := s.engine.Directory().Channel(o.Channel); !ok {
		bad.Add("channel", problem.Unknown, "there is no channel %q", o.Channel)
	}
	if t := c.R.Header.Get("X-Shopify-Topic"); t != "" && o.Topic == "" {
		o.Topic = t
	}
	if t := c.R.Header.Get("X-WC-Webhook-Topic"); t != "" && o.Topic == "" {
		o.Topic = t
	}
	if err := bad.Err(); err != nil {
		return err
	}
	report, err := intake.Orders(c.R.Context(), s.engine, http.MaxBytesReader(c.W, c.R.Body, maxImportBytes), o)
	if err != nil {
		return partly(unreadable(err), report.Created+report.Changed)
	}
	return c.json(http.StatusOK, report)
}

// unreadable makes errors of the importer that are about the input problems.
func unreadable(err error) error {
	for _, known := range []error{importer.ErrSyntax, importer.ErrTooLarge, importer.ErrTooMany, importer.ErrOptions} {
		if errors.Is(err, known) {
			return newProblem(http.StatusBadRequest, "unreadable_documents", err.Error())
		}
	}
	return err
}
