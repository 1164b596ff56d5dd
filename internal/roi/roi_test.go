package roi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/roi"
)

var update = flag.Bool("update", false, "write golden files")

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// delivered is an order of two units that was decided for 450 and would have been for 650, and arrived in time.
func delivered() *order.Order {
	return &order.Order{
		ID: "o1", CreatedAt: noon, Currency: "EUR", Method: order.Ship, Status: order.StatusDelivered, Touches: 1, TouchSeconds: 90,
		Lines: []order.Line{{ID: "1", Quantity: 2, Fulfilled: 2}},
		Fulfillments: []order.Fulfillment{
			{ID: "o1-1", Cost: 450, Status: order.FulfillmentDelivered, ShippedAt: noon.Add(time.Hour), DeliveredAt: noon.Add(30 * time.Hour)},
			{ID: "o1-2", Cost: 999, Status: order.FulfillmentRejected},
		},
		Baseline: &order.Baseline{
			Pin: 1, At: noon, Units: 2,
			Would: order.Opinion{Policy: "nearest@1", Cost: 650, Shipments: 2, DeliverBy: noon.Add(72 * time.Hour)},
			Did:   order.Opinion{Policy: "cheapest@3", Cost: 450, Shipments: 1, DeliverBy: noon.Add(48 * time.Hour)},
		},
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(o *order.Order)
		why    string
		real   int64
		judged bool
	}{
		"compared":                       {func(*order.Order) {}, "", 450, true},
		"sent again":                     {func(o *order.Order) { o.Fulfillments[1].ShippedAt = noon }, "", 1449, true},
		"on its way":                     {func(o *order.Order) { o.Status = order.StatusFulfilled }, roi.NotDone, 450, false},
		"cancelled":                      {func(o *order.Order) { o.Status = order.StatusCancelled }, roi.NotDelivered, 450, false},
		"cancelled in part":              {func(o *order.Order) { o.Lines[0].Cancelled = 1 }, roi.NotSame, 450, false},
		"a unit more":                    {func(o *order.Order) { o.Lines[0].Quantity++ }, roi.NotSame, 450, false},
		"nobody would have had it":       {func(o *order.Order) { o.Baseline.Would.Unplaced = 1 }, roi.NotByBaseline, 450, true},
		"nothing left":                   {func(o *order.Order) { o.Fulfillments = o.Fulfillments[1:] }, roi.NotSent, 0, false},
		"collected: its date is unknown": {func(o *order.Order) { o.Method = order.Pickup }, "", 450, false},
	} {
		o := delivered()
		c.change(o)
		l, ok := roi.LineOf(o)
		if !ok || l.NotCompared != c.why || l.Real != c.real || l.Arrived.IsZero() == c.judged {
			t.Errorf("%s: %+v", name, l)
		}
	}
	o := delivered()
	if o.Baseline = nil; o != nil {
		if _, ok := roi.LineOf(o); ok {
			t.Error("an order without a baseline has a line")
		}
	}
}

// drawLine is any line; drawn twice for the same order, its month and currency stay, as an order's do.
func drawLine(t *rapid.T, id string, at time.Time, currency string) roi.Line {
	n := rapid.Int64Range(0, 3)
	l := roi.Line{
		Order: id, At: at, Currency: currency, Pin: 1 + n.Draw(t, "pin")%2,
		NotCompared: rapid.SampledFrom([]string{"", "", roi.NotDone, roi.NotDelivered, roi.NotSame, roi.NotByBaseline, roi.NotSent}).Draw(t, "why"),
		Baseline:    rapid.Int64Range(0, 5000).Draw(t, "baseline"), Expected: rapid.Int64Range(0, 5000).Draw(t, "expected"),
		Real: rapid.Int64Range(0, 5000).Draw(t, "real"), BaselineShipments: n.Draw(t, "bs"), Shipments: n.Draw(t, "s"),
		BaselineUnplaced: n.Draw(t, "bu"), Unplaced: n.Draw(t, "u"), Touches: n.Draw(t, "t"), TouchSeconds: 30 * n.Draw(t, "ts"),
	}
	day := func(name string) time.Time {
		if d := n.Draw(t, name); d > 0 {
			return at.AddDate(0, 0, int(d))
		}
		return time.Time{}
	}
	l.BaselineBy, l.PromisedBy, l.Arrived = day("by"), day("promised"), day("arrived")
	return l
}

// Whatever the order in which orders change, and wherever the ledger was written down and taken up again or split
// between ledgers, its statements are those of the single orders as they are in the end.
func TestStatementsAreTheSumOfTheirOrders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ledgers := []*roi.Ledger{roi.New(), roi.New()}
		now := map[int]roi.Line{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, 9).Draw(t, "order")
			at, currency := noon.AddDate(0, i%3, 0), []string{"EUR", "CHF"}[i%2]
			l := drawLine(t, string(rune('a'+i)), at, currency)
			if was, known := now[i]; known {
				ledgers[i%2].Replace(was, l)
			} else {
				ledgers[i%2].Add(l)
			}
			now[i] = l
			if rapid.Bool().Draw(t, "cut") {
				body, err := ledgers[i%2].Encode()
				if err != nil {
					t.Fatal(err)
				}
				if ledgers[i%2], err = roi.Decode(body); err != nil {
					t.Fatal(err)
				}
			}
		}
		all := ledgers[0].Clone()
		all.Merge(ledgers[1])
		var lines []roi.Line
		for i := range 10 {
			if l, ok := now[9-i]; ok {
				lines = append(lines, l)
			}
		}
		for _, month := range []roi.Month{"2026-10", "2026-11", "2026-12", "2027-01"} {
			got, want := all.Statement(pins, month), roi.FromLines(lines, pins, month)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: the ledger says\n%+v\nits orders\n%+v", month, got, want)
			}
			for _, a := range got.Accounts {
				if a.Done != a.Cancelled+a.Changed+a.NotByBaseline+a.NotSent+a.Compared || a.Orders != a.Done+a.NotDone {
					t.Fatalf("orders are in none or in two of the groups: %+v", a.Sums)
				}
			}
			var text bytes.Buffer
			if err := got.WriteText(&text); err != nil || text.Len() == 0 {
				t.Fatal(err)
			}
		}
	})
}

func ptr[T any](v T) *T { return &v }

var pins = []roi.Pin{
	{Version: 1, From: noon.AddDate(0, -2, 0), By: "ada", Sourcing: "nearest@1", Currency: "EUR", MinuteCost: 60, MonthlyCost: 1000},
	{Version: 2, From: noon, By: "ada", Sourcing: "nearest@2", Currency: "EUR", MinuteCost: 90, MonthlyCost: 5000, TouchesPerOrder: ptr(2.5), MinutesPerTouch: 3},
}

// year is three months of orders in two currencies, of which the first has too few.
func year() (lines []roi.Line) {
	add := func(n int, month int, currency string, change func(i int, l *roi.Line)) {
		for i := range n {
			o := delivered()
			o.CreatedAt, o.Currency = noon.AddDate(0, month, 0), currency
			l, _ := roi.LineOf(o)
			change(i, &l)
			lines = append(lines, l)
		}
	}
	add(20, -2, "EUR", func(int, *roi.Line) {})
	add(200, -1, "EUR", func(i int, l *roi.Line) { l.Touches = int64(i % 2) })
	add(400, 0, "EUR", func(i int, l *roi.Line) {
		l.Pin = 2
		switch {
		case i%40 == 0:
			l.NotCompared, l.Arrived = roi.NotDone, time.Time{}
		case i%41 == 0:
			l.NotCompared, l.Arrived = roi.NotDelivered, time.Time{}
		case i%10 == 0:
			l.Real += 450
			l.Shipments++
			l.Arrived = l.Arrived.AddDate(0, 0, 1)
		}
	})
	add(150, 0, "CHF", func(_ int, l *roi.Line) { l.Real = 700; l.Pin = 2 })
	return lines
}

// The statements that people read.
func TestStatementText(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	for _, month := range []roi.Month{"2026-08", "2026-09", "2026-10", "2026-11"} {
		if err := roi.FromLines(year(), pins, month).WriteText(&text); err != nil {
			t.Fatal(err)
		}
		text.WriteString("\n--\n\n")
	}
	path := filepath.Join("testdata", "statements.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text.Bytes(), want) {
		t.Errorf("statements read differently:\n%s", text.String())
	}
}

// The statement as the API shows it: fields are added, never renamed.
func TestStatementJSON(t *testing.T) {
	t.Parallel()
	body, err := json.MarshalIndent(roi.FromLines(year(), pins, "2026-11"), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "statement.json")
	if *update {
		if err := os.WriteFile(path, append(body, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(body, '\n'), want) {
		t.Errorf("the statement changed:\n%s", body)
	}
}

// What is concluded by hand: 200 orders a month ago saved 2.00 each.
func TestStatementByHand(t *testing.T) {
	t.Parallel()
	s := roi.FromLines(year(), pins, "2026-10")
	a := s.Accounts[0]
	if a.Saved != 200*200 || *a.SavedShare != 200.0/650 || a.Gap != 0 || *a.KeptShare != 1 || *a.DaysEarlier != 1 || a.TooFew {
		t.Errorf("%+v", a)
	}
	if *a.Work != 200*90 || a.WorkSaved != nil || *a.Net != 200*200-1000 { // 90 seconds at 0.60 a minute; September has too few orders to compare with
		t.Errorf("work %d, net %d", *a.Work, *a.Net)
	}
	if n := roi.FromLines(year(), pins, "2026-09").Accounts[0]; !n.TooFew || !strings.Contains(roi.FromLines(year(), pins, "2026-09").Headline[0], "too few") {
		t.Errorf("20 orders were enough: %+v", n)
	}
	november := roi.FromLines(year(), pins, "2026-11").Accounts
	if len(november) != 2 || november[0].Currency != "EUR" || november[1].Saved >= 0 || november[1].Spent != nil || november[1].Work != nil {
		t.Errorf("%+v", november)
	}
	if b := november[0]; *b.TouchesSaved != 2.5*float64(b.Done)-float64(b.Touches) {
		t.Errorf("touches saved %v of %d orders", *b.TouchesSaved, b.Done)
	}
}

func TestLedgersOfOtherFormatsAreRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", `{"format":99,"cells":[]}`} {
		if _, err := roi.Decode([]byte(body)); err == nil {
			t.Errorf("%q was read", body)
		}
	}
	if _, err := roi.Month("2026-13").Begin(); err == nil || !roi.Month("x").End().IsZero() {
		t.Error("2026-13 is a month")
	}
}
