package folder

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// sheets are the rows of the files that a converter writes, by name, without the first row.
type sheets map[string][][]string

// heads are the columns that converters fill in.
var heads = map[string][]string{
	"settings.csv":      {"setting", "value"},
	"orders.csv":        {"order", "placed_at", "country", "postal_code", "city", "region", "latitude", "longitude", "service", "promised_by", "shipping", "customer"},
	"lines.csv":         {"order", "sku", "quantity", "unit_price"},
	"locations.csv":     {"location", "name", "type", "country", "postal_code", "city", "latitude", "longitude", "time_zone", "orders_per_day", "processing_minutes"},
	"shipments.csv":     {"order", "location", "shipped_at", "shipment", "sku", "quantity", "service", "cost"},
	"deliveries.csv":    {"order", "delivered_at", "shipment"},
	"cancellations.csv": {"order", "cancelled_at", "sku", "quantity", "reason"},
}

// write writes the files that have rows to a folder that is new or empty.
func (s sheets) write(dir string) error {
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return fmt.Errorf("the folder %s is not empty; name a new one, so that nothing is overwritten", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, rows := range s {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		w := csv.NewWriter(f)
		err = errors.Join(w.Write(heads[name]), w.WriteAll(rows), f.Close())
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

func (s sheets) add(name string, row ...string) { s[name] = append(s[name], row) }

// Converted says what a converter found, and what its source does not have.
type Converted struct {
	Orders, Locations int
	// Missing are sentences about what has to be added by hand, or is assumed without it.
	Missing []string
}

// FromExport writes a folder from what this program's API answers: pages or single documents of /v1/orders and
// /v1/locations, one after the other in any order, as JSON. Amounts become decimal. Errors name what cannot be read.
func FromExport(r io.Reader, dir string) (*Converted, error) {
	s, out := sheets{}, &Converted{}
	currency, pickups := "", 0
	var read func(raw json.RawMessage) error
	read = func(raw json.RawMessage) error {
		var kind struct {
			Items        []json.RawMessage `json:"items"`
			Lines        json.RawMessage   `json:"lines"`
			Capabilities json.RawMessage   `json:"capabilities"`
			ID           string            `json:"id"`
		}
		if err := json.Unmarshal(raw, &kind); err != nil {
			return err
		}
		switch {
		case kind.Items != nil:
			for _, x := range kind.Items {
				if err := read(x); err != nil {
					return err
				}
			}
		case kind.Lines != nil:
			var o order.Order
			if err := json.Unmarshal(raw, &o); err != nil {
				return fmt.Errorf("order %s: %w", kind.ID, err)
			}
			if currency == "" {
				currency = o.Currency
			}
			if o.Method == order.Pickup {
				pickups++
				return nil
			}
			out.Orders++
			return s.order(&o)
		case kind.Capabilities != nil:
			var l network.Location
			if err := json.Unmarshal(raw, &l); err != nil {
				return fmt.Errorf("location %s: %w", kind.ID, err)
			}
			out.Locations++
			s.location(&l)
		default:
			return fmt.Errorf("a document is neither an order (lines) nor a location (capabilities): %.80s", raw)
		}
		return nil
	}
	in := json.NewDecoder(bufio.NewReader(r))
	for n := 1; ; n++ {
		var raw json.RawMessage
		if err := in.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if err := read(raw); err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
	}
	if out.Orders == 0 {
		return nil, errors.New("there is no order in it; give the answers of GET /v1/orders, and of GET /v1/locations")
	}
	s.add("settings.csv", "currency", currency)
	out.lacks(len(s["locations.csv"]) == 0, "locations.csv: the export has no locations; add the answers of GET /v1/locations to the file, or write locations.csv")
	out.lacks(pickups > 0, fmt.Sprintf("%d orders for pickup: they are sent from nowhere, and are left out", pickups))
	out.lacks(len(s["cancellations.csv"]) > 0, "cancellations.csv: an order says how much of it was cancelled and not when; the time of its last change is written")
	out.lacks(true, "touches.csv: orders say how often people worked on them and not when; add it from the events order.touched")
	out.lacks(true, "stock.csv: orders do not say what was in stock; without it only what was shipped is taken to have been there")
	out.lacks(true, "rates.csv: orders do not say what other ways would have cost; without it a stated tariff is taken")
	return out, s.write(dir)
}

func (c *Converted) lacks(missing bool, sentence string) {
	if missing {
		c.Missing = append(c.Missing, sentence)
	}
}

func (s sheets) location(l *network.Location) {
	capacity := ""
	if n := l.Capacity.OrdersPerDay; n != nil {
		capacity = fmt.Sprint(*n)
	}
	lat, lon := degrees(&l.Address)
	s.add("locations.csv", l.ID, l.Name, string(l.Type), l.Address.Country, l.Address.PostalCode, l.Address.City, lat, lon, l.TimeZone, capacity, fmt.Sprint(l.ProcessingMinutes))
}

func degrees(a *network.Address) (lat, lon string) {
	if a.Latitude == nil || a.Longitude == nil {
		return "", ""
	}
	return strconv.FormatFloat(*a.Latitude, 'f', -1, 64), strconv.FormatFloat(*a.Longitude, 'f', -1, 64)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (s sheets) order(o *order.Order) error {
	to := o.ShipTo
	if to == nil {
		to = &network.Address{}
	}
	amount := func(n int64) string { return money.Format(n, o.Currency) }
	lat, lon := degrees(to)
	s.add("orders.csv", o.ID, stamp(o.PlacedAt), to.Country, to.PostalCode, to.City, to.Region, lat, lon, o.Service, stamp(o.Promise.DeliverBy), amount(o.Shipping), o.Customer.ID)
	sku := map[string]string{}
	for i := range o.Lines {
		l := &o.Lines[i]
		sku[l.ID] = l.SKU
		s.add("lines.csv", o.ID, l.SKU, fmt.Sprint(l.Quantity), amount(l.UnitPrice))
		if l.Cancelled > 0 {
			s.add("cancellations.csv", o.ID, stamp(o.UpdatedAt), l.SKU, fmt.Sprint(l.Cancelled), "")
		}
	}
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if f.ShippedAt.IsZero() {
			continue
		}
		cost := amount(f.Cost)
		for _, l := range f.Lines {
			if l.Shipped > 0 {
				s.add("shipments.csv", o.ID, f.Location, stamp(f.ShippedAt), f.ID, sku[l.Line], fmt.Sprint(l.Shipped), f.Service, cost)
				cost = "" // once for the shipment
			}
		}
		if !f.DeliveredAt.IsZero() {
			s.add("deliveries.csv", o.ID, stamp(f.DeliveredAt), f.ID)
		}
	}
	return nil
}

// FromShopify writes a folder from Shopify's export of orders as CSV, in which an order has one row per line item and
// its own columns in the first of them. The export knows no location addresses: those named in it are written with a country only.
func FromShopify(r io.Reader, dir string) (*Converted, error) {
	in := csv.NewReader(skipBOM(r))
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the first row: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		at[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, need := range []string{"name", "created at", "lineitem quantity", "lineitem sku"} {
		if _, ok := at[need]; !ok {
			return nil, fmt.Errorf("the first row has no column %q; export orders from Shopify as plain CSV with all columns", need)
		}
	}
	x := &shopify{s: sheets{}, at: at, out: &Converted{}, places: map[string]string{}}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := x.row(row); err != nil {
			line, _ := in.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if x.out.Orders == 0 {
		return nil, errors.New("there is no order in it")
	}
	for _, id := range slices.Sorted(keysOf(x.places)) {
		x.out.Locations++
		x.s.add("locations.csv", id, id, "store", x.places[id], "", "", "", "", "", "", "")
	}
	x.s.add("settings.csv", "currency", x.currency)
	x.out.lacks(len(x.places) == 0, "locations.csv: no order names a location; write the file before the folder is used")
	x.out.lacks(len(x.places) > 0, "the column Location may be where an order was taken and not where it was sent from; check shipments.csv")
	x.out.lacks(true, "locations.csv: Shopify's export has no addresses of locations; fill in postal_code, latitude and longitude")
	x.out.lacks(x.unplaced > 0, fmt.Sprintf("shipments.csv: of %d orders the export does not say which location sent them", x.unplaced))
	x.out.lacks(true, "deliveries.csv: Shopify's export does not say when parcels arrived; promises kept cannot be judged without")
	x.out.lacks(true, "stock.csv and rates.csv: not in the export; see what is assumed without them")
	return x.out, x.s.write(dir)
}

func keysOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func skipBOM(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = b.Discard(3) // it was peeked at
	}
	return b
}

// shopify is an export on its way through.
type shopify struct {
	s        sheets
	at       map[string]int
	out      *Converted
	places   map[string]string // country by location
	currency string
	unplaced int
	// of the order that rows belong to
	name, location, shipped, cancelled string
}

func (x *shopify) get(row []string, column string) string {
	if i, ok := x.at[column]; ok && i < len(row) {
		return strings.TrimSpace(row[i])
	}
	return ""
}

// shopifyTime is how the export writes times.
const shopifyTime = "2006-01-02 15:04:05 -0700"

func (x *shopify) moment(row []string, column string) (string, error) {
	text := x.get(row, column)
	if text == "" {
		return "", nil
	}
	t, err := time.Parse(shopifyTime, text)
	if err != nil {
		return "", fmt.Errorf("column %q: %q is no time like %s", column, text, shopifyTime)
	}
	return stamp(t), nil
}

func (x *shopify) row(row []string) error {
	name := strings.TrimLeft(x.get(row, "name"), "#") // a row that begins with # is a comment in the folder
	if name == "" {
		return errors.New("a row has no Name")
	}
	if name != x.name {
		if err := x.order(name, row); err != nil {
			return err
		}
	}
	sku, quantity := x.get(row, "lineitem sku"), x.get(row, "lineitem quantity")
	if sku == "" {
		sku = x.get(row, "lineitem name")
	}
	if sku == "" {
		return nil // a further payment of the order
	}
	x.s.add("lines.csv", name, sku, quantity, x.get(row, "lineitem price"))
	switch {
	case x.shipped == "" && x.cancelled != "":
		x.s.add("cancellations.csv", name, x.cancelled, sku, quantity, "")
	case x.shipped != "" && x.location != "" && x.get(row, "lineitem fulfillment status") != "pending":
		x.s.add("shipments.csv", name, x.location, x.shipped, "", sku, quantity, "", "")
	}
	return nil
}

// order reads what stands in the first row of an order.
func (x *shopify) order(name string, row []string) (err error) {
	x.name, x.out.Orders = name, x.out.Orders+1
	placed, err := x.moment(row, "created at")
	if err != nil {
		return err
	}
	if placed == "" {
		return fmt.Errorf("order %s has no Created at", name)
	}
	if x.shipped, err = x.moment(row, "fulfilled at"); err != nil {
		return err
	}
	if x.cancelled, err = x.moment(row, "cancelled at"); err != nil {
		return err
	}
	if x.currency == "" {
		x.currency = x.get(row, "currency")
	}
	country := x.get(row, "shipping country")
	if x.location = x.get(row, "location"); x.location != "" {
		x.location = strings.ReplaceAll(strings.ToLower(x.location), " ", "-")
		if x.places[x.location] == "" {
			x.places[x.location] = country
		}
	} else if x.shipped != "" {
		x.unplaced++
	}
	// The export puts an apostrophe before postal codes, so that spreadsheets keep their zeros.
	zip := strings.TrimPrefix(x.get(row, "shipping zip"), "'")
	x.s.add("orders.csv", name, placed, country, zip, x.get(row, "shipping city"), x.get(row, "shipping province"), "", "",
		"", "", x.get(row, "shipping"), "")
	return nil
}
