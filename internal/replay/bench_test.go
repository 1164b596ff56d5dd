package replay_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/replay"
)

var benchOrders = flag.Int64("orders", 50_000, "orders of the history that BenchmarkReplay replays")

const (
	benchLocations = 25
	benchSKUs      = 2000
)

// cheapest goes by what carriers charge.
const cheapest = `kind: sourcing
name: cheap
sourcing:
  groups:
    - name: all
      cost:
        - {term: carrier}
`

// BenchmarkReplay replays a history of 25 locations and orders of 2 lines on average, with shipping and delivery, once
// with the rules that were in force and once with others, each alone.
// A million orders: go test -run '^$' -bench Replay -benchtime 1x ./internal/replay -args -orders 1000000
func BenchmarkReplay(b *testing.B) {
	open := benchHistory(b, *benchOrders)
	debug.SetGCPercent(400)
	for _, sc := range []replay.Scenario{{Name: "same"}, {Name: "cheapest", Policies: []string{cheapest}}} {
		b.Run(sc.Name, func(b *testing.B) {
			for b.Loop() {
				r, err := replay.Run(context.Background(), open, []replay.Scenario{sc}, replay.Options{Parallel: 1})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(r[0].Total.Orders)/r[0].Took.Seconds(), "orders/s")
				b.ReportMetric(float64(r[0].DecideP50.Microseconds()), "µs/decision")
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapSys)/(1<<20), "MB")
			}
		})
	}
}

func benchHistory(b *testing.B, orders int64) replay.Open {
	path := filepath.Join(b.TempDir(), "bench.orh")
	w, err := past.Create(path, past.Header{Source: "log", Origin: "bench", Currency: "EUR", Recorded: false})
	if err != nil {
		b.Fatal(err)
	}
	dice, now := rand.New(rand.NewPCG(3, 4)), time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	write := func(e past.Entry) {
		if e.At.IsZero() {
			e.At = now
		}
		if err := w.Write(&e); err != nil {
			b.Fatal(err)
		}
	}
	benchNetwork(dice, write)
	start := now
	var ships, arrives []past.Entry
	flush := func(queue *[]past.Entry, to time.Time) {
		for len(*queue) > 0 && !(*queue)[0].At.After(to) {
			write((*queue)[0])
			*queue = (*queue)[1:]
		}
	}
	gap := 90 * 24 * time.Hour / time.Duration(orders)
	for n := range orders {
		now = start.Add(time.Hour + time.Duration(n)*gap)
		for len(ships)+len(arrives) > 0 {
			next := now
			if len(ships) > 0 && ships[0].At.Before(next) {
				next = ships[0].At
			}
			if len(arrives) > 0 && arrives[0].At.Before(next) {
				next = arrives[0].At
			}
			if next.Equal(now) {
				break
			}
			flush(&ships, next)
			flush(&arrives, next)
		}
		o := benchOrder(dice, n, now)
		from := fmt.Sprintf("l%02d", dice.IntN(benchLocations))
		d := &past.Decision{Order: n, First: true, State: o}
		p := past.Placed{Location: from, Service: "ground", Cost: 500, Promise: order.Promise{
			ShipBy: now.Add(24 * time.Hour), DeliverBy: now.Add(72 * time.Hour), Calendar: now.Add(72 * time.Hour),
		}}
		for _, l := range o.Lines {
			p.Lines = append(p.Lines, order.LineQuantity{Line: l.ID, Quantity: l.Quantity})
			d.Moves = append(d.Moves, inventory.Movement{SKU: l.SKU, Location: from, From: inventory.Free, To: inventory.Allocated, Quantity: l.Quantity})
		}
		d.Placed = []past.Placed{p}
		write(past.Entry{Decision: d})
		out := past.Entry{At: now.Add(20 * time.Hour), Step: &past.Step{Order: n, Kind: past.StepShipped, Fulfillment: 1}}
		for _, m := range d.Moves {
			m.From, m.To = inventory.Allocated, inventory.Shipped
			out.Step.Moves = append(out.Step.Moves, m)
		}
		ships = append(ships, out)
		arrives = append(arrives, past.Entry{At: now.Add(60 * time.Hour), Step: &past.Step{Order: n, Kind: past.StepDelivered, Fulfillment: 1}},
			past.Entry{At: now.Add(60 * time.Hour), Step: &past.Step{Order: n, Kind: past.StepDone}})
	}
	if err := w.Commit(&past.Header{Source: "log", Origin: "bench", Currency: "EUR", Orders: orders, From: start, Until: now}); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return func() (past.Reader, error) { return past.Open(path) }
}

func benchNetwork(dice *rand.Rand, write func(past.Entry)) {
	doc := func(kind, id, body string) {
		write(past.Entry{Document: &past.Document{Kind: kind, ID: id, JSON: []byte(body)}})
	}
	doc("channel", "web", `{"id":"web","currency":"EUR","networks":["all"],"service":"ground"}`)
	doc("carrier", "post", `{"id":"post","services":[{"id":"ground","currency":"EUR","distance_bands":[{"up_to_km":150,"zone":1},{"zone":2}],
		"rates":[{"zone":1,"transit_days":1,"brackets":[{"up_to_grams":31500,"price":400}]},{"zone":2,"transit_days":2,"brackets":[{"up_to_grams":31500,"price":700}]}]}]}`)
	ids := ""
	for i := range benchLocations {
		id := fmt.Sprintf("l%02d", i)
		doc("location", id, location(id, fmt.Sprintf("%05d", 10000+i*3000), 48+6*dice.Float64(), 7+7*dice.Float64()))
		if i > 0 {
			ids += ","
		}
		ids += fmt.Sprintf("%q", id)
	}
	doc("network", "all", `{"id":"all","locations":[`+ids+`]}`)
	var stock []past.Stock
	for i := range benchSKUs {
		sku := fmt.Sprintf("SKU-%04d", i)
		doc("sku", sku, fmt.Sprintf(`{"sku":%q,"weight_g":500,"price":{"amount":2000,"currency":"EUR"}}`, sku))
		for k := range benchLocations {
			stock = append(stock, past.Stock{PositionKey: inventory.PositionKey{SKU: sku, Location: fmt.Sprintf("l%02d", k)}, Delta: inventory.Delta{OnHand: 1_000_000}, Why: "receipt"})
		}
	}
	write(past.Entry{Stock: stock})
}

func benchOrder(dice *rand.Rand, n int64, now time.Time) *order.Order {
	lat, lon := 48+6*dice.Float64(), 7+7*dice.Float64()
	o := &order.Order{
		ID: fmt.Sprintf("%08d", n), Channel: "web", Currency: "EUR", Method: order.Ship, Service: "ground", PlacedAt: now, CreatedAt: now, Version: 1,
		ShipTo: &network.Address{Country: "DE", PostalCode: fmt.Sprintf("%05d", dice.IntN(99999)), Latitude: &lat, Longitude: &lon}, Fulfillments: []order.Fulfillment{},
	}
	for i := range 1 + dice.IntN(3) {
		o.Lines = append(o.Lines, order.Line{ID: fmt.Sprint(i + 1), SKU: fmt.Sprintf("SKU-%04d", (dice.IntN(benchSKUs/3)*3+i)%benchSKUs), Quantity: 1, UnitPrice: 2000, Total: 2000})
	}
	return o
}
