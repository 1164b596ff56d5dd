package folder

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/past"
)

const shopifyExport = "\ufeff" + `Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Subtotal,Shipping,Taxes,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem fulfillment status,Shipping City,Shipping Zip,Shipping Province,Shipping Country,Cancelled at,Location
#1001,a@example.com,paid,2026-03-02 10:00:00 +0100,fulfilled,2026-03-03 15:00:00 +0100,EUR,40.00,4.90,0.00,44.90,2026-03-02 09:59:00 +0100,2,Shirt,10.00,SHI-1,fulfilled,Berlin,'01067,BE,DE,,Main Store
#1001,,,,,,,,,,,,1,Shoes,20.00,SHO-1,fulfilled,,,,,,
#1002,b@example.com,refunded,,unfulfilled,,EUR,10.00,4.90,0.00,14.90,2026-03-04 09:59:00 +0100,1,Shirt,10.00,SHI-1,pending,Hamburg,'20095,HH,DE,2026-03-04 12:00:00 +0100,Main Store
#1003,c@example.com,paid,,fulfilled,2026-03-05 15:00:00 +0100,EUR,10.00,4.90,0.00,14.90,2026-03-04 10:59:00 +0100,1,Shirt,10.00,SHI-1,fulfilled,Hamburg,'20095,HH,DE,,
`

func TestFromShopify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	c, err := FromShopify(strings.NewReader(shopifyExport), dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Orders != 3 || c.Locations != 1 || len(c.Missing) != 5 {
		t.Errorf("%+v", c)
	}
	contains(t, dir, "orders.csv", "1001,2026-03-02T08:59:00Z,DE,01067,Berlin")
	contains(t, dir, "lines.csv", "1001,SHO-1,1,20.00")
	contains(t, dir, "shipments.csv", "1001,main-store,2026-03-03T14:00:00Z,,SHI-1,2")
	contains(t, dir, "cancellations.csv", "1002,2026-03-04T11:00:00Z,SHI-1,1")
	h := converted(t, dir)
	if h.Orders != 3 {
		t.Errorf("%+v", h)
	}
	for _, bad := range []string{"a,b\n1,2\n", "Name,Created at,Lineitem quantity,Lineitem sku\n#1,yesterday,1,A\n"} {
		if _, err := FromShopify(strings.NewReader(bad), filepath.Join(t.TempDir(), "x")); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := FromShopify(strings.NewReader(shopifyExport), dir); err == nil {
		t.Error("a folder was overwritten")
	}
}

func TestFromExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	c, err := FromExport(strings.NewReader(`{"items":[{"id":"o1","channel":"web","currency":"EUR","method":"ship","placed_at":"2026-03-02T10:00:00Z","updated_at":"2026-03-05T10:00:00Z",
		"ship_to":{"country":"DE","postal_code":"10115","latitude":52.5,"longitude":13.4},"promise":{"deliver_by":"2026-03-05T20:00:00Z"},
		"lines":[{"id":"1","sku":"A","quantity":3,"unit_price":1250,"cancelled":1}],
		"fulfillments":[{"id":"o1-1","location":"s1","service":"ground","cost":490,"shipped_at":"2026-03-03T12:00:00Z","delivered_at":"2026-03-04T12:00:00Z","lines":[{"line":"1","sku":"A","quantity":2,"shipped":2}]}]}],"next":"x"}
		{"id":"s1","type":"store","time_zone":"Europe/Berlin","capabilities":["ship"],"address":{"country":"DE","postal_code":"20095"}}`), dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Orders != 1 || c.Locations != 1 {
		t.Errorf("%+v", c)
	}
	contains(t, dir, "shipments.csv", "o1,s1,2026-03-03T12:00:00Z,o1-1,A,2,ground,4.90")
	contains(t, dir, "deliveries.csv", "o1,2026-03-04T12:00:00Z,o1-1")
	contains(t, dir, "lines.csv", "o1,A,3,12.50")
	contains(t, dir, "cancellations.csv", "o1,2026-03-05T10:00:00Z,A,1")
	if h := converted(t, dir); h.Orders != 1 {
		t.Errorf("%+v", h)
	}
	for _, bad := range []string{"", `{"x":1}`, `{"items":[{"id":"o","lines":3}]}`, "{"} {
		if _, err := FromExport(strings.NewReader(bad), filepath.Join(t.TempDir(), "x")); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func contains(t *testing.T, dir, file, row string) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil || !strings.Contains(string(body), row) {
		t.Errorf("%s has no %q: %s %v", file, row, body, err)
	}
}

func converted(t *testing.T, dir string) *past.Header {
	t.Helper()
	w, _ := past.NewMemory()
	h, err := Convert(context.Background(), dir, w)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
