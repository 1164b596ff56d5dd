package order_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// wantInvalid asserts that exactly the fields "pointer code" are refused, in this order.
func wantInvalid(t *testing.T, n *order.New, want ...string) {
	t.Helper()
	var got []string
	err := n.Validate()
	var bad problem.Invalid
	if err != nil && !errors.As(err, &bad) {
		t.Fatalf("error %#v", err)
	}
	for _, f := range bad {
		got = append(got, f.Pointer+" "+f.Code)
		if f.Message == "" || len(f.Message) > 500 {
			t.Errorf("message of %d bytes for %s", len(f.Message), f.Pointer)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestValidateNamesEveryField(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n+1) }
	wrong := int64(1)
	place := &network.Address{Country: "XX"}
	for name, c := range map[string]struct {
		change func(n *order.New)
		want   []string
	}{
		"valid":                   {func(n *order.New) {}, nil},
		"channel missing":         {func(n *order.New) { n.Channel = "" }, []string{"channel required"}},
		"channel long":            {func(n *order.New) { n.Channel = long(200) }, []string{"channel too_long"}},
		"external_id":             {func(n *order.New) { n.ExternalID = long(200) }, []string{"external_id too_long"}},
		"external_id with NUL":    {func(n *order.New) { n.ExternalID = "a\x00" }, []string{"external_id malformed"}},
		"placed_at early":         {func(n *order.New) { n.PlacedAt = time.Unix(-1, 0) }, []string{"placed_at out_of_range"}},
		"placed_at beyond 9999":   {func(n *order.New) { n.PlacedAt = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)) }, []string{"placed_at out_of_range"}},
		"currency":                {func(n *order.New) { n.Currency = "EURO" }, []string{"currency unknown_currency"}},
		"currency long":           {func(n *order.New) { n.Currency = long(100_000) }, []string{"currency unknown_currency"}},
		"method":                  {func(n *order.New) { n.Method = order.Method(long(100_000)) }, []string{"method unknown"}},
		"service":                 {func(n *order.New) { n.Service = long(200) }, []string{"service too_long"}},
		"pickup without location": {func(n *order.New) { n.Method = order.Pickup }, []string{"pickup_location required"}},
		"ship with location":      {func(n *order.New) { n.PickupLocation = "dc" }, []string{"pickup_location not_allowed"}},
		"pickup_location":         {func(n *order.New) { n.Method, n.PickupLocation = order.Pickup, long(200) }, []string{"pickup_location too_long"}},
		"shortage":                {func(n *order.New) { n.Shortage = "wait" }, []string{"shortage unknown"}},
		"note":                    {func(n *order.New) { n.Note = long(2000) }, []string{"note too_long"}},
		"note with line breaks":   {func(n *order.New) { n.Note = "ring\r\n\ttwice" }, nil},
		"note with NUL":           {func(n *order.New) { n.Note = "\x00" }, []string{"note malformed"}},
		"reservation_id":          {func(n *order.New) { n.ReservationID = long(200) }, []string{"reservation_id too_long"}},
		"customer": {func(n *order.New) {
			n.Customer = order.Customer{ID: long(200), Name: long(500), Email: long(500), Phone: long(100)}
		}, []string{"customer.id too_long", "customer.name too_long", "customer.email too_long", "customer.phone too_long"}},
		"addresses":      {func(n *order.New) { n.BillTo, n.ShipTo = place, place }, []string{"ship_to.country unknown", "bill_to.country unknown"}},
		"no lines":       {func(n *order.New) { n.Lines = nil }, []string{"lines required"}},
		"too many lines": {func(n *order.New) { n.Lines = make([]order.NewLine, order.MaxLines+1) }, []string{"lines too_many"}},
		"sku missing":    {func(n *order.New) { n.Lines[1].SKU = "" }, []string{"lines[1].sku required"}},
		"line texts": {func(n *order.New) {
			n.Lines = []order.NewLine{{SKU: long(200), ID: long(100), ExternalID: long(200), Name: long(500), Quantity: 1}}
		}, []string{"lines[0].sku too_long", "lines[0].id too_long", "lines[0].external_id too_long", "lines[0].name too_long"}},
		"line numbers":     {func(n *order.New) { l := &n.Lines[1]; l.Quantity, l.UnitPrice, l.Discount, l.Tax = 0, -1, -1, -1 }, []string{"lines[1].quantity out_of_range", "lines[1].unit_price out_of_range", "lines[1].discount out_of_range", "lines[1].tax out_of_range"}},
		"quantity":         {func(n *order.New) { n.Lines[0].Quantity, n.Lines[0].UnitPrice = order.MaxLineQuantity+1, 0 }, []string{"lines[0].quantity out_of_range"}},
		"unit price":       {func(n *order.New) { n.Lines[0].UnitPrice = order.MaxAmount/order.MaxLineQuantity + 1 }, []string{"lines[0].unit_price out_of_range"}},
		"tax":              {func(n *order.New) { n.Lines[0].Tax = order.MaxAmount + 1 }, []string{"lines[0].tax out_of_range"}},
		"id twice":         {func(n *order.New) { n.Lines[0].ID, n.Lines[1].ID = "a", "a" }, []string{"lines[1].id duplicate"}},
		"ids mixed":        {func(n *order.New) { n.Lines[1].ID = "a" }, []string{"lines mixed_ids"}},
		"amounts negative": {func(n *order.New) { n.Discount, n.Shipping, n.ShippingTax = -1, -1, -1 }, []string{"discount out_of_range", "shipping out_of_range", "shipping_tax out_of_range"}},
		"amounts large":    {func(n *order.New) { n.Discount, n.Shipping = order.MaxAmount+1, order.MaxAmount+1 }, []string{"discount out_of_range", "shipping out_of_range"}},
		"sum large":        {func(n *order.New) { n.Shipping = order.MaxAmount }, []string{"lines out_of_range"}},
		"line discount":    {func(n *order.New) { n.Lines[1].Discount = 301 }, []string{"lines[1].discount exceeds_price"}},
		"order discount":   {func(n *order.New) { n.Discount = 1000 }, []string{"discount exceeds_price"}},
		"total":            {func(n *order.New) { n.Total = &wrong }, []string{"total wrong_sum"}},
		"tender": {func(n *order.New) {
			n.Tenders = []order.Tender{{Type: long(100_000), Amount: -1, Reference: long(200)}}
		}, []string{"tenders[0].type unknown", "tenders[0].amount out_of_range", "tenders[0].reference too_long"}},
		"tenders":           {func(n *order.New) { n.Tenders = []order.Tender{{Type: "cash", Amount: 499}} }, []string{"tenders wrong_sum"}},
		"too many tenders":  {func(n *order.New) { n.Tenders = make([]order.Tender, order.MaxTenders+1) }, []string{"tenders too_many"}},
		"attribute key":     {func(n *order.New) { n.Attributes = map[string]string{long(100): "", "b\x00": ""} }, []string{"attributes malformed"}},
		"attribute value":   {func(n *order.New) { n.Attributes = map[string]string{"a": long(500)} }, []string{"attributes too_long"}},
		"attribute breaks":  {func(n *order.New) { n.Attributes = map[string]string{"gift": "Dear\nyou"} }, nil},
		"several at a time": {func(n *order.New) { n.Channel, n.Shortage, n.Lines[0].SKU = "", "x", "" }, []string{"channel required", "shortage unknown", "lines[0].sku required"}},
		"too many attributes": {func(n *order.New) {
			n.Attributes = map[string]string{}
			for i := range order.MaxAttributes + 1 {
				n.Attributes[fmt.Sprint(i)] = ""
			}
		}, []string{"attributes too_many"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newOrder("", 2, 3) // 200 + 300
			c.change(&n)
			wantInvalid(t, &n, c.want...)
		})
	}
}

// TestLimitsAreInside has everything as large as it may be.
func TestLimitsAreInside(t *testing.T) {
	t.Parallel()
	n := newOrder(order.Ship, order.MaxLineQuantity)
	n.Lines[0].UnitPrice = order.MaxAmount / order.MaxLineQuantity
	wantInvalid(t, &n)
	n.Lines = slices.Repeat([]order.NewLine{{SKU: strings.Repeat("s", 200), Quantity: 1, UnitPrice: 1}}, order.MaxLines)
	for range order.MaxTenders {
		n.Tenders = append(n.Tenders, order.Tender{Type: "gift_card", Amount: order.MaxLines / order.MaxTenders})
	}
	n.Attributes = map[string]string{}
	for i := range order.MaxAttributes {
		n.Attributes[strings.Repeat("k", i)+"."] = strings.Repeat("v", order.MaxTextBytes)
	}
	n.PlacedAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	wantInvalid(t, &n)
}

func TestMoneySums(t *testing.T) {
	t.Parallel()
	base := func() order.New {
		return order.New{
			Channel: "web", Currency: "EUR",
			Lines:    []order.NewLine{{SKU: "a", Quantity: 3, UnitPrice: 1000, Discount: 300, Tax: 513}, {SKU: "b", Quantity: 1, UnitPrice: 250, Tax: 47}},
			Discount: 100, Shipping: 495, ShippingTax: 79,
		}
	}
	for included, want := range map[bool]order.Totals{
		false: {Subtotal: 3250, Discount: 400, Shipping: 495, Tax: 639, Total: 3984},
		true:  {Subtotal: 3250, Discount: 400, Shipping: 495, Tax: 639, Total: 3345},
	} {
		n := base()
		n.TaxIncluded, n.Total = included, &want.Total
		n.Tenders = []order.Tender{{Type: "gift_card", Amount: 1000}, {Type: "card", Amount: want.Total - 1000, Reference: "tok_1"}}
		o := capture(t, n)
		if o.Totals != want {
			t.Errorf("tax included %v: %+v, want %+v", included, o.Totals, want)
		}
		sum := n.Shipping - n.Discount
		if !included {
			sum += n.ShippingTax
		}
		for _, l := range o.Lines {
			sum += l.Total
		}
		if sum != want.Total {
			t.Errorf("tax included %v: lines lead to %d, want %d", included, sum, want.Total)
		}
		other := want.Total + 1
		n.Total = &other
		wantInvalid(t, &n, "total wrong_sum")
		n.Total, n.Tenders[0].Amount = nil, 999
		wantInvalid(t, &n, "tenders wrong_sum")
	}
	free := base()
	free.Lines[0].Discount, free.Lines[1].Discount, free.Shipping, free.Discount, free.TaxIncluded = 3000, 250, 0, 0, true
	if o := capture(t, free); o.Totals.Total != 0 || o.Lines[0].Total != 0 {
		t.Errorf("for nothing: %+v", o.Totals)
	}
}

func TestCardNumbersAreRefused(t *testing.T) {
	t.Parallel()
	for reference, card := range map[string]bool{
		"4111111111111111": true, "4111 1111 1111 1111": true, "4111-1111-1111-1111": true, "378282246310005": true,
		"5555555555554444": true, "4222222222222": true, "6304000000000000": true, "4000000000000000006": true,
		"4111111111111112": false, "tok_4111111111111111": false, "4111111111111111x": false, "pi_3MtwBwLkdIwHu7ix28a3tqPa": false,
		"": false, "123456789012": false, "00000000000000000000": false, "PSP-4111-1111-1111-1111": false,
	} {
		n := newOrder(order.Ship, 1)
		n.Tenders = []order.Tender{{Type: "card", Amount: 100, Reference: reference}}
		if card {
			wantInvalid(t, &n, "tenders[0].reference card_number")
		} else {
			wantInvalid(t, &n)
		}
	}
}

func TestCaptureDefaults(t *testing.T) {
	t.Parallel()
	n := newOrder(order.Ship, slices.Repeat([]int64{2}, 120)...)
	o := capture(t, n)
	for i, l := range o.Lines {
		if l.ID != fmt.Sprint(i+1) || l.Open() != 2 || l.Total != 200 {
			t.Fatalf("line %d: %+v", i, l)
		}
	}
	if !o.PlacedAt.Equal(noon) || o.Status != order.StatusOpen || o.Version != 1 || o.ID != "o1" || o.Fulfillments == nil {
		t.Errorf("order %+v", o)
	}
	n = newOrder(order.Ship, 1, 1)
	n.Lines[0].ID, n.Lines[1].ID = "x", "1"
	n.PlacedAt = time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 7200))
	o = capture(t, n)
	if o.Lines[0].ID != "x" || o.Lines[1].ID != "1" {
		t.Errorf("own ids became %q and %q", o.Lines[0].ID, o.Lines[1].ID)
	}
	if got := toJSON(t, o.PlacedAt); got != `"2026-02-28T23:00:00Z"` {
		t.Errorf("placed at %s, want UTC", got)
	}
}

// TestStepAndCancellationLimits: what a command may carry is bounded.
func TestStepAndCancellationLimits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2001)
	s := order.Step{
		Reason: long, Lines: make([]order.LineQuantity, order.MaxLines+1),
		Parcels: []order.Parcel{{ID: long, Carrier: long, Service: long, Tracking: long, TrackingURL: long, WeightG: -1, Lines: make([]order.LineQuantity, order.MaxLines+1)}},
	}
	check := func(err error, want ...string) {
		t.Helper()
		var bad problem.Invalid
		errors.As(err, &bad)
		var got []string
		for _, f := range bad {
			got = append(got, f.Pointer+" "+f.Code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check(s.Validate(), "reason too_long", "lines too_long", "parcels[0].id too_long", "parcels[0].carrier too_long", "parcels[0].service too_long",
		"parcels[0].tracking too_long", "parcels[0].tracking_url too_long", "parcels[0].weight_g out_of_range", "parcels[0].lines too_long")
	check((&order.Step{Parcels: make([]order.Parcel, order.MaxParcels+1)}).Validate(), "parcels too_long")
	check((&order.Step{Parcels: make([]order.Parcel, order.MaxParcels)}).Validate())
	check((&order.Cancellation{Reason: long, Lines: make([]order.LineQuantity, order.MaxLines+1)}).Validate(), "reason too_long", "lines too_long")
}
