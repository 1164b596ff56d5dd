package intake_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/intake"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

var ctx = context.Background()

func open(t *testing.T) *engine.Engine {
	t.Helper()
	s, err := sqlite.Open(ctx, t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(ctx, s, engine.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	t.Cleanup(func() {
		e.Close()
		s.Close()
	})
	return e
}

func load(t *testing.T, e *engine.Engine, table, file string, o intake.Options) (bulk.Report, error) {
	t.Helper()
	o.Format = bulk.JSONLines
	return intake.File(ctx, e, table, strings.NewReader(file), o)
}

func accept(t *testing.T, e *engine.Engine, table, file string) {
	t.Helper()
	if r, err := load(t, e, table, file, intake.Options{}); err != nil || r.Rejected > 0 {
		t.Fatalf("%s: %+v, %v", table, r, err)
	}
}

const location = `{"id":"dc1","type":"dc","time_zone":"UTC","capabilities":["ship"],"address":{"country":"US"}}`

func TestKitAfterItsComponentsInOneFile(t *testing.T) {
	e := open(t)
	r, err := load(t, e, "catalog", `{"sku":"a"}
{"sku":"kit","components":[{"sku":"a","quantity":2}]}
{"sku":"other","components":[{"sku":"kit","quantity":1}]}
{"sku":"bad","gtin":"123"}`, intake.Options{})
	if err != nil || r.Accepted != 2 || r.Rejected != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Errors[0].Line != 3 || r.Errors[1].Line != 4 {
		t.Fatalf("%+v", r.Errors)
	}
}

func TestStockFileThatEmptiesALocationChangesNothing(t *testing.T) {
	e := open(t)
	accept(t, e, "locations", location)
	var skus, full, empty strings.Builder
	for i := range 30 {
		id := string(rune('a'+i%26)) + string(rune('a'+i/26))
		skus.WriteString(`{"sku":"` + id + `"}` + "\n")
		full.WriteString(`{"sku":"` + id + `","location":"dc1","on_hand":5}` + "\n")
		empty.WriteString(`{"sku":"` + id + `","location":"dc1","on_hand":0}` + "\n")
	}
	accept(t, e, "catalog", skus.String())
	accept(t, e, "stock", full.String())
	_, err := load(t, e, "stock", empty.String(), intake.Options{})
	var refusal *order.Refusal
	if !errors.As(err, &refusal) || refusal.Code != engine.CodeWouldZeroStock {
		t.Fatalf("%v", err)
	}
	total := func() (sum int64) {
		e.Book().EachAll(func(p inventory.Position) bool { sum += p.OnHand; return true })
		return sum
	}
	if total() != 150 {
		t.Fatalf("a stopped file left %d units", total())
	}
	if _, err := load(t, e, "stock", empty.String(), intake.Options{Confirm: true}); err != nil || total() != 0 {
		t.Fatalf("confirmed: %v, %d units left", err, total())
	}
}

func TestExportReadsBack(t *testing.T) {
	a, b := open(t), open(t)
	accept(t, a, "locations", location)
	accept(t, a, "catalog", `{"sku":"a","weight_g":5}`+"\n"+`{"sku":"kit","components":[{"sku":"a","quantity":2}]}`)
	accept(t, a, "channels", `{"id":"web","type":"web","currency":"USD"}`)
	accept(t, a, "stock", `{"sku":"a","location":"dc1","on_hand":7}`)
	for _, table := range []string{"locations", "channels", "catalog", "stock"} {
		var first, second bytes.Buffer
		if err := intake.Export(ctx, a.Store(), table, bulk.JSONLines, &first); err != nil {
			t.Fatal(err)
		}
		accept(t, b, table, first.String())
		if err := intake.Export(ctx, b.Store(), table, bulk.JSONLines, &second); err != nil {
			t.Fatal(err)
		}
		if first.Len() == 0 || first.String() != second.String() {
			t.Errorf("%s:\n%s\nread back:\n%s", table, first.String(), second.String())
		}
	}
}

// TestPlatformDocuments reads what the platforms publish: every document ends
// as an order or as a rejection that says why, and a second reading changes nothing.
func TestPlatformDocuments(t *testing.T) {
	for format, pattern := range map[string]string{"shopify": "shopify/webhooks-2026-04/orders/*.json", "woocommerce": "woocommerce/v3_orders*.json"} {
		t.Run(format, func(t *testing.T) {
			e := open(t)
			accept(t, e, "locations", location)
			accept(t, e, "channels", `{"id":"shop","type":"web","currency":"USD"}`)
			files, err := filepath.Glob("../../../shared/payloads/" + pattern)
			if err != nil || len(files) == 0 {
				t.Fatalf("no documents: %v", err)
			}
			orders := 0
			for round := range 2 {
				for _, file := range files {
					r := importFile(t, e, format, file)
					if r.Created+r.Known+r.Changed+r.Rejected == 0 {
						t.Errorf("%s ended as nothing", file)
					}
					for _, x := range r.Rejection {
						if x.Code == "" || x.Message == "" {
							t.Errorf("%s: rejection without a reason: %+v", file, x)
						}
					}
					if round == 1 && r.Created > 0 {
						t.Errorf("%s created an order again", file)
					}
					orders += r.Created + r.Changed
				}
			}
			if orders == 0 {
				t.Error("no document became an order")
			}
			var out bytes.Buffer
			if err := intake.Export(ctx, e.Store(), "orders", bulk.JSONLines, &out); err != nil {
				t.Fatal(err)
			}
			if format == "shopify" && !strings.Contains(out.String(), `"external_id":"820982911946154508"`) {
				t.Errorf("the identifier lost digits: %s", out.String())
			}
		})
	}
}

func importFile(t *testing.T, e *engine.Engine, format, file string) *intake.OrderReport {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := intake.Orders(ctx, e, f, intake.OrderOptions{Format: format, Channel: "shop", AddSKUs: true, SKUFromID: true})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return r
}
