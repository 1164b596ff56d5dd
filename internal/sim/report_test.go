package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/order"
)

var update = flag.Bool("update", false, "write the golden files anew")

func share(x float64) *float64 { return &x }

func sample() Report {
	return Report{
		OK: false, Problems: []string{"1 orders and the payment provider's ledger disagree"}, Seed: 9, Seconds: 61.5, Speed: 3600, OrdersPerS: 10.1,
		Began: monday, Ended: monday.AddDate(0, 0, 9),
		Notes:    []string{"not all of the stock was compared"},
		Captured: 619, States: map[order.Status]int64{order.StatusDelivered: 500, order.StatusBackordered: 9, order.StatusAllocated: 90, order.StatusCancelled: 20}, Interrupted: true,
		Shoppers:  Shoppers{Orders: 621, Pickup: 90, Marketplace: 88, Reserved: 260, Abandoned: 70, Repeated: 24, Cancelled: 25, Refused: 2, CancelledLate: 3, Asked: 160, Confirmed: 150, AsPromised: 149},
		Flow:      Flow{Delivered: 500, Fulfillments: 700, Rejections: 21, RejectedFor: map[string]int64{"too_busy": 7, "out_of_stock": 14}, ShortPicks: 5, Backordered: 12, ParcelsShipped: 560, ShippingCents: map[string]int64{"ground": 250_005, "express": 90_000}},
		SplitRate: .052, ShipmentsPerOrder: 1.06, RejectRate: .03,
		Outcome: Outcome{
			Rule: "main@1", Orders: 520, Shipments: 551, FromStores: 150, CarrierCents: 290_000, HandlingCents: 69_100, Waiting: 9,
			Promises: 500, Kept: 470, CostPerOrder: 690.58, ShipmentsPerOrder: 1.0596, KeptShare: .94, PromisedHours: 50.2, TookHours: 30.4,
		},
		KPIs: []kpi.Value{
			{KPI: "otif", Numerator: 470, Denominator: 500, Value: share(.94)},
			{KPI: "cost_per_order", Currency: "EUR", Numerator: 359_100, Denominator: 520, Value: share(690.58)},
			{KPI: "hold_time_p50"},
			{KPI: "placed_to_delivered_p90", Numerator: 500, Value: share(7000)},
			{KPI: "reject_reasons", Key: "out_of_stock", Numerator: 14, Denominator: 21, Value: share(.666667)},
			{KPI: "reject_reasons", Key: "too_busy", Numerator: 7, Denominator: 21, Value: share(.333333)},
		},
		Units:    Units{Opening: 150_000, Received: 300, Counted: -40, Shipped: 1200, OnHand: 149_060},
		Stock:    Stock{Positions: 33_836},
		Payments: Ledger{Authorised: 8_000_000, Captured: 7_000_000, Voided: 200_000, Open: 800_000, Accounts: 533, Operations: 1480, Declined: 9, Unclear: 31, Compared: 531, Differences: 1},
		Partners: Partners{Answers: 3000, Repeats: 60, OutOfTurn: 30, Outages: 50, Sales: 60, Counts: 10, Receipts: 4},
		Requests: 9000, Refused: map[string]int64{"wrong_state": 80}, Latency: map[string]Latency{"capture": {Requests: 533, P50MS: 1.2, P99MS: 9.8}},
	}
}

func TestReportText(t *testing.T) {
	alone, compared := sample(), sample()
	compared.Compare(&Report{
		Problems: []string{"1 positions are not the sum of their movements"}, Notes: []string{"something was not compared"},
		Outcome: Outcome{
			Rule: "nearest", Orders: 519, Shipments: 570, FromStores: 420, CarrierCents: 280_000, HandlingCents: 105_000, Waiting: 12,
			Promises: 500, Kept: 450, CostPerOrder: 741.81, ShipmentsPerOrder: 1.0983, KeptShare: .9, PromisedHours: 44, TookHours: 35.5,
		},
		KPIs: []kpi.Value{{KPI: "otif", Numerator: 450, Denominator: 500, Value: share(.9)}},
	})
	for name, r := range map[string]*Report{"report": &alone, "compared": &compared} {
		var text bytes.Buffer
		if err := r.Write(&text); err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/"+name+".txt", text.Bytes())
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/"+name+".json", append(data, '\n'))
	}
}

// golden compares with what a file holds.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(want, got) {
		t.Errorf("%s: %v; it is\n%s", file, err, got)
	}
}

// A line that wraps would leave a screen that is redrawn in place in ruins.
func TestStatusFitsTheTerminal(t *testing.T) {
	s := Status{Elapsed: 90 * time.Hour, Clock: time.Date(2026, 1, 5, 7, 0, 0, 0, time.UTC), Orders: MaxOrders, Report: sample(), PerSecond: 999.9, Baskets: 1e9}
	s.Report.Shoppers.Orders, s.Report.Shoppers.Refused, s.Report.Units.OnHand, s.Report.Requests = 1e12, 1e12, 1e15, 1e15
	s.Report.Outcome.CostPerOrder, s.Report.Outcome.ShipmentsPerOrder = 1e12, 1e6
	s.Report.Units.Shipped, s.Report.Units.Received, s.Report.Flow.Rejections = 1e15, 1e15, 1e15
	empty := Status{}
	if n := len(s.Lines()); n != len(empty.Lines()) {
		t.Errorf("%d lines, of an empty status %d", n, len(empty.Lines()))
	}
	for _, l := range s.Lines() {
		if utf8.RuneCountInString(l) > columns || strings.ContainsAny(l, "\n\r") {
			t.Errorf("%q does not fit", l)
		}
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	for i := range 1000 {
		l.add(time.Duration(i+1) * time.Millisecond)
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{.5, 500 * time.Millisecond}, {.99, 990 * time.Millisecond}, {1, time.Second}} {
		if got := l.quantile(c.q); got < c.want || float64(got) > float64(c.want)*latencyStep*latencyStep {
			t.Errorf("quantile %g: %s, want %s and at most two steps more", c.q, got, c.want)
		}
	}
	l.add(0)
	l.add(1 << 62)
}
