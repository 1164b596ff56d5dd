package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/sim"
)

// demo runs the command and returns its report.
func demo(t *testing.T, args ...string) *sim.Report {
	t.Helper()
	var out, log bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
	if code := m.Run(t.Context(), append([]string{"demo", "--json"}, args...)); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, log.String(), out.String())
	}
	r := new(sim.Report)
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The report says that books kept from events agree with the server; verify says
// the same of the store behind it.
func TestDemoEndsConsistent(t *testing.T) {
	data := t.TempDir()
	r := demo(t, "--orders", "200", "--seed", "1", "--data", data)
	if !r.OK || r.Interrupted || r.Shoppers.Orders != 200 || r.Captured+r.Shoppers.Refused != 200 || r.Unsettled != 0 {
		t.Errorf("%+v", r)
	}
	if r.Stock.Positions < 30_000 || r.Payments.Compared < 150 || r.Flow.Delivered < 150 || r.Partners.Answers < 600 {
		t.Errorf("the run compared or did too little: %+v", r)
	}
	if s := r.Shoppers; s.Asked < 30 || s.Confirmed < s.Asked*8/10 || s.AsPromised != s.Confirmed {
		t.Errorf("%d shoppers asked for a promise, %d confirmed one and %d got it", s.Asked, s.Confirmed, s.AsPromised)
	}
	if r.Baseline == nil || r.Outcome.Rule != "main@1" || r.Baseline.Rule != "nearest" {
		t.Fatalf("outcomes %+v and %+v", r.Outcome, r.Baseline)
	}
	for _, o := range []*sim.Outcome{&r.Outcome, r.Baseline} {
		if o.Orders < 150 || o.Shipments < o.Orders || o.Promises < 150 || o.Kept*2 < o.Promises || o.CarrierCents < 300*o.Orders {
			t.Errorf("%s came to little: %+v", o.Rule, *o)
		}
	}
	if r.Outcome.CostPerOrder >= r.Baseline.CostPerOrder {
		t.Errorf("an order costs %.2f cents, %.2f under the nearest rule", r.Outcome.CostPerOrder, r.Baseline.CostPerOrder)
	}
	if u := r.Units; u.OnHand != u.Opening+u.Received+u.Counted-u.Shipped || u.Shipped == 0 {
		t.Errorf("units do not add up: %+v", u)
	}
	if p := r.Payments; p.Authorised != p.Captured+p.Voided+p.Open || p.Captured == 0 {
		t.Errorf("cents do not add up: %+v", p)
	}
	if p := r.Payments; p.Accounts < 150 || p.Operations < 2*p.Accounts-20 || p.Declined == 0 || p.Unclear == 0 || p.Open > p.Authorised/10 {
		t.Errorf("the payment provider had too little to do, or was left with too much: %+v", p)
	}
	var out, log bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
	if code := m.Run(t.Context(), []string{"verify", "--data", data}); code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", code, out.String(), log.String())
	}
}

// bought is what of an order depends on the seed alone.
type bought struct {
	Channel, PickupLocation, Service string
	Customer                         order.Customer
	Lines                            []order.NewLine
	Totals                           order.Totals
	Tenders                          []order.Tender
	Street                           string
}

// placed reads what shoppers ordered from a store.
func placed(t *testing.T, data string) map[string]bought {
	t.Helper()
	var out, log bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
	if code := m.Run(t.Context(), []string{"export", "orders", "--data", data}); code != 0 {
		t.Fatalf("exit code %d: %s", code, log.String())
	}
	orders := map[string]bought{}
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order.Order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		b := bought{Channel: o.Channel, PickupLocation: o.PickupLocation, Service: o.Service, Customer: o.Customer, Totals: o.Totals, Tenders: o.Tenders}
		for _, l := range o.Lines {
			b.Lines = append(b.Lines, order.NewLine{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Tax: l.Tax})
		}
		if o.ShipTo != nil {
			b.Street = o.ShipTo.Line1
		}
		orders[o.ExternalID] = b
	}
	return orders
}

// Two runs of a seed have the same shoppers with the same orders. What depends on
// who comes first (places, refusals for shortage, backorders) may differ.
func TestDemoRepeatsWithItsSeed(t *testing.T) {
	folders := []string{t.TempDir(), t.TempDir()}
	var shoppers [2]sim.Shoppers
	var orders [2]map[string]bought
	for i, data := range folders {
		r := demo(t, "--orders", "60", "--seed", "5", "--no-baseline", "--data", data)
		s := r.Shoppers
		shoppers[i] = sim.Shoppers{Orders: s.Orders, Pickup: s.Pickup, Marketplace: s.Marketplace, Reserved: s.Reserved, Abandoned: s.Abandoned, Looked: s.Looked}
		orders[i] = placed(t, data)
	}
	if shoppers[0] != shoppers[1] || shoppers[0].Orders != 60 {
		t.Errorf("shoppers did %+v, then %+v", shoppers[0], shoppers[1])
	}
	both := 0
	for id, b := range orders[0] {
		again, ok := orders[1][id]
		if !ok {
			if b.Channel != "marketplace" { // only there a shortage refuses an order
				t.Errorf("order %s was placed once", id)
			}
			continue
		}
		if both++; !reflect.DeepEqual(b, again) {
			t.Errorf("order %s: %+v, then %+v", id, b, again)
		}
	}
	if both < 50 {
		t.Errorf("only %d orders in both runs", both)
	}
	// On the same store the sequence goes on instead of beginning anew.
	r := demo(t, "--orders", "10", "--seed", "5", "--no-baseline", "--data", folders[0])
	if r.Baseline != nil {
		t.Errorf("a baseline that nobody wanted: %+v", r.Baseline)
	}
	if len(placed(t, folders[0]))+int(r.Shoppers.Refused) < len(orders[0])+10 {
		t.Errorf("the second run on a store placed orders of the first again: %+v", r.Shoppers)
	}
}

// A run on a store goes on after the last thing in its log; one on a new store ends about now.
func TestDemosClockGoesOn(t *testing.T) {
	now := time.Date(2026, 11, 26, 17, 0, 0, 0, time.UTC) // a Thursday
	if at := demoBegin(now, 20_000, 400); !at.Equal(time.Date(2026, 9, 7, 5, 0, 0, 0, time.UTC)) {
		t.Errorf("50 days of orders begin at %s", at)
	}
	if at := demoBegin(now, 0, 400); at.Weekday() != time.Monday || now.Sub(at) < demoWeeks*7*24*time.Hour {
		t.Errorf("a demo without end begins at %s", at)
	}
	data := t.TempDir()
	first := demo(t, "--orders", "20", "--no-baseline", "--data", data)
	second := demo(t, "--orders", "20", "--no-baseline", "--data", data)
	if !second.Began.After(first.Ended) || first.Ended.Sub(first.Began) < 24*time.Hour {
		t.Errorf("the first run goes from %s to %s, the second begins at %s", first.Began, first.Ended, second.Began)
	}
	log := (&demoCommand{where: where{Data: data}})
	clock, err := log.clock(t.Context(), log.where)
	if err != nil || clock.Now().Before(second.Ended) || clock.Now().After(second.Ended.Add(time.Hour)) {
		t.Errorf("after %s a run would begin at %v (%v)", second.Ended, clock, err)
	}
}

func TestDemosPoliciesPassTheirExamples(t *testing.T) {
	files, err := filepath.Glob("../../internal/sim/policies/*.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("%v, %v", files, err)
	}
	candidates, err := filepath.Glob("../../examples/reassess/*.yaml")
	if err != nil || len(candidates) != 2 {
		t.Fatalf("%v, %v", candidates, err)
	}
	files = append(files, candidates...)
	for _, command := range []string{"check", "test"} {
		var out, log bytes.Buffer
		m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
		if code := m.Run(t.Context(), append([]string{"policy", command}, files...)); code != 0 || strings.Contains(out.String(), "warning") {
			t.Errorf("%s: exit code %d\n%s%s", command, code, out.String(), log.String())
		}
	}
}

// watcher is a standard output that calls f at the first line with the text.
type watcher struct {
	bytes.Buffer
	text string
	f    func()
}

func (w *watcher) Write(p []byte) (int, error) {
	if n, err := w.Buffer.Write(p); err != nil || !strings.Contains(string(p), w.text) {
		return n, err
	}
	w.f()
	return len(p), nil
}

func TestDemoStopsAndCleansUp(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	out := &watcher{text: "API key", f: cancel}
	var log bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: out, Stderr: &log}
	if code := m.Run(ctx, []string{"demo"}); code != 0 || !strings.Contains(out.String(), ", stopped") {
		t.Errorf("exit code %d\n%s\n%s", code, out.String(), log.String())
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("the temporary folder still has %v (%v)", left, err)
	}
}

func TestDemoRefusesSillyOptions(t *testing.T) {
	for _, args := range [][]string{{"--orders", "-1"}, {"--per-day", "0"}, {"--speed", "0"}, {"--speed", "1e9"}} {
		var out, log bytes.Buffer
		m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
		if code := m.Run(t.Context(), append([]string{"demo", "--data", t.TempDir()}, args...)); code == 0 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
