package replay_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/stats"
)

// shop is a retailer whose history a test writes: three locations around Germany, ten articles.
type shop struct {
	t     *testing.T
	w     past.Writer
	open  replay.Open
	desk  *engine.Desk
	dice  *rand.Rand
	now   time.Time
	count int64
	todo  []past.Entry // of later moments
}

const nearest = `kind: sourcing
name: near
sourcing:
  groups:
    - name: all
      sort: [{by: distance}]
`

func newShop(t *testing.T, seed uint64) *shop {
	w, open := past.NewMemory()
	s := &shop{t: t, w: w, open: open, desk: engine.NewDesk(), dice: rand.New(rand.NewPCG(seed, 2)), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	for _, d := range []struct{ kind, id, body string }{
		{"channel", "web", `{"id":"web","currency":"EUR","networks":["all"],"service":"ground"}`},
		{"carrier", "post", `{"id":"post","services":[{"id":"ground","currency":"EUR",
			"distance_bands":[{"up_to_km":150,"zone":1},{"zone":2}],
			"rates":[{"zone":1,"transit_days":1,"brackets":[{"up_to_grams":31500,"price":400}]},{"zone":2,"transit_days":2,"brackets":[{"up_to_grams":31500,"price":700}]}]}]}`},
		{"location", "berlin", location("berlin", "10115", 52.5, 13.4)},
		{"location", "hamburg", location("hamburg", "20095", 53.5, 10)},
		{"location", "munich", location("munich", "80331", 48.1, 11.6)},
		{"network", "all", `{"id":"all","locations":["berlin","hamburg","munich"]}`},
	} {
		s.write(past.Entry{Document: &past.Document{Kind: d.kind, ID: d.id, JSON: []byte(d.body)}})
		s.put(d.kind, d.body)
	}
	var stock []past.Stock
	for i := range 10 {
		sku := fmt.Sprintf("A%d", i)
		body := fmt.Sprintf(`{"sku":%q,"weight_g":500,"price":{"amount":2000,"currency":"EUR"}}`, sku)
		s.write(past.Entry{Document: &past.Document{Kind: "sku", ID: sku, JSON: []byte(body)}})
		s.put("sku", body)
		for _, l := range []string{"berlin", "hamburg", "munich"} {
			stock = append(stock, past.Stock{PositionKey: inventory.PositionKey{SKU: sku, Location: l}, Delta: inventory.Delta{OnHand: 400}, Why: "receipt"})
		}
	}
	s.write(past.Entry{Stock: stock})
	for _, x := range stock {
		s.desk.Book().Apply(x.PositionKey, x.Delta)
	}
	return s
}

func location(id, postal string, lat, lon float64) string {
	return fmt.Sprintf(`{"id":%q,"type":"store","time_zone":"Europe/Berlin","capabilities":["ship"],
		"address":{"country":"DE","postal_code":%q,"latitude":%g,"longitude":%g}}`, id, postal, lat, lon)
}

func (s *shop) put(kind, body string) {
	v, err := engine.ReadDocument(kind, []byte(body))
	if err != nil {
		s.t.Fatal(err)
	}
	s.desk.Put(v)
}

func (s *shop) write(e past.Entry) {
	s.t.Helper()
	if e.At.IsZero() {
		e.At = s.now
	}
	if err := s.w.Write(&e); err != nil {
		s.t.Fatal(err)
	}
}

// pass brings the shop to a moment, with what is to be written on the way.
func (s *shop) pass(to time.Time) {
	slices.SortStableFunc(s.todo, func(a, b past.Entry) int { return a.At.Compare(b.At) })
	for len(s.todo) > 0 && !s.todo[0].At.After(to) {
		s.write(s.todo[0])
		for _, m := range s.todo[0].Step.Moves {
			s.desk.Book().Apply(inventory.PositionKey{SKU: m.SKU, Location: m.Location}, m.Delta())
		}
		s.todo = s.todo[1:]
	}
	s.now = to
}

var cities = []struct {
	postal   string
	lat, lon float64
}{{"14467", 52.4, 13.1}, {"22767", 53.6, 9.9}, {"85354", 48.4, 11.7}, {"50667", 50.9, 6.9}}

// order has an order come, decided by the desk, that leaves the next day and arrives a day or two later.
func (s *shop) order() {
	c := cities[s.dice.IntN(len(cities))]
	o := &order.Order{
		ID: fmt.Sprintf("o%d", s.count), Channel: "web", Currency: "EUR", Method: order.Ship, Service: "ground", PlacedAt: s.now, CreatedAt: s.now,
		ShipTo: &network.Address{Country: "DE", PostalCode: c.postal, Latitude: &c.lat, Longitude: &c.lon}, Fulfillments: []order.Fulfillment{}, Version: 1,
		Lines: []order.Line{{ID: "1", SKU: fmt.Sprintf("A%d", s.dice.IntN(10)), Quantity: 1 + s.dice.Int64N(2), UnitPrice: 2000, Total: 2000}},
	}
	a, err := s.desk.Decide(engine.Ask{Order: o, At: s.now})
	if err != nil {
		s.t.Fatal(err)
	}
	_, moves, err := a.Fold()
	if err != nil {
		s.t.Fatal(err)
	}
	d := &past.Decision{Order: s.count, First: true, State: o, Moves: moves, Unplaced: a.Unplaced}
	s.count++
	for i := range a.Events {
		body, err := s.desk.Encode(&a.Events[i])
		if err != nil {
			s.t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		d.Hashes = append(d.Hashes, binary.BigEndian.Uint64(sum[:]))
		if f := a.Events[i].Fulfillment; f != nil {
			p := past.Placed{Location: f.Location, Service: f.Service, Cost: f.Cost, Promise: f.Promise, Lines: []order.LineQuantity{{Line: "1", Quantity: f.Lines[0].Quantity}}}
			d.Placed = append(d.Placed, p)
			leaves := s.now.Add(20 * time.Hour)
			s.todo = append(s.todo,
				past.Entry{At: leaves, Step: &past.Step{Order: d.Order, Kind: past.StepShipped, Fulfillment: len(d.Placed), Moves: []inventory.Movement{
					{SKU: o.Lines[0].SKU, Location: f.Location, From: inventory.Allocated, To: inventory.Shipped, Quantity: f.Lines[0].Quantity},
				}}},
				past.Entry{At: leaves.Add(time.Duration(20+s.dice.IntN(40)) * time.Hour), Step: &past.Step{Order: d.Order, Kind: past.StepDelivered, Fulfillment: len(d.Placed)}},
			)
		}
	}
	for _, m := range moves {
		s.desk.Book().Apply(inventory.PositionKey{SKU: m.SKU, Location: m.Location}, m.Delta())
	}
	s.write(past.Entry{Decision: d})
}

// history writes so many days of orders.
func history(t *testing.T, days, perDay int) replay.Open { return seeded(t, 1, days, perDay) }

func seeded(t *testing.T, seed uint64, days, perDay int) replay.Open {
	s := newShop(t, seed)
	start := s.now.Add(time.Hour)
	for day := range days {
		for i := range perDay {
			s.pass(start.AddDate(0, 0, day).Add(time.Duration(i) * 8 * time.Hour / time.Duration(perDay)))
			s.order()
		}
	}
	s.pass(start.AddDate(0, 0, days+5))
	if err := s.w.Commit(&past.Header{Source: "log", Currency: "EUR", Orders: s.count, From: start, Until: s.now, Recorded: true}); err != nil {
		t.Fatal(err)
	}
	return s.open
}

func run(t *testing.T, open replay.Open, o replay.Options, scenarios ...replay.Scenario) []*replay.Result {
	t.Helper()
	o.KeepOrders = true
	out, err := replay.Run(context.Background(), open, scenarios, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range out {
		r.Took, r.DecideP50, r.DecideP99 = 0, 0, 0
	}
	return out
}

func TestTheSameRulesDecideTheSame(t *testing.T) {
	open := history(t, 30, 20)
	a := run(t, open, replay.Options{Seed: 1}, replay.Scenario{Name: "a"}, replay.Scenario{Name: "a"})
	if id := a[0].Identity; id.Decisions != 600 || id.Same != 600 || id.SameCost != 600 || len(id.Differences) > 0 {
		t.Fatalf("%+v", id)
	}
	if !reflect.DeepEqual(a[0], a[1]) {
		t.Error("two runs of the same scenario differ")
	}
	if d := a[0].Total; d.Orders != 600 || d.Cost == 0 || d.Judged != 600 || d.Kept == 0 || d.Kept == 600 || d.Drawn != 0 || a[0].OnCourse != 600 {
		t.Errorf("%+v", d)
	}
	recorded := run(t, open, replay.Options{}, replay.Scenario{Name: "a", Recorded: true})[0]
	if recorded.Total != a[0].Total || recorded.Decisions != 0 {
		t.Errorf("as recorded %+v, decided again %+v", recorded.Total, a[0].Total)
	}
}

func TestAnotherPolicyIsNotTheRecord(t *testing.T) {
	far := `kind: sourcing
name: far
sourcing:
  groups:
    - name: all
      sort: [{by: value, value: "-candidate.distance_km"}]
`
	open := history(t, 20, 20)
	r := run(t, open, replay.Options{Seed: 1}, replay.Scenario{Name: "base"}, replay.Scenario{Name: "far", Policies: []string{far}}, replay.Scenario{Name: "near", Policies: []string{nearest}})
	base, other := r[0].Total, r[1].Total
	if other.Cost <= base.Cost || r[1].OnCourse == 400 || other.Drawn == 0 || other.Shipments != 400 || r[1].Identity != nil {
		t.Errorf("base %+v, far %+v", base, other)
	}
	for _, o := range r[1].Orders {
		if !o.OnCourse && (len(o.Why) == 0 || !o.Drawn) {
			t.Fatalf("%+v", o)
		}
	}
	if near := r[2].Total; near.Cost > base.Cost {
		t.Errorf("nearest costs %d, the rules in force %d", near.Cost, base.Cost)
	}
}

func TestWhatIf(t *testing.T) {
	open := history(t, 20, 20)
	doc := func(body string) (v any) {
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	cologne := doc(location("cologne", "50668", 50.9, 6.95))
	r := run(t, open, replay.Options{Seed: 1},
		replay.Scenario{Name: "base"},
		replay.Scenario{Name: "dearer", Changes: replay.Changes{Rates: map[string]float64{"ground": 1.5}}},
		replay.Scenario{Name: "closed", Changes: replay.Changes{Close: []string{"munich"}}},
		replay.Scenario{Name: "half", Changes: replay.Changes{Demand: 0.5}},
		replay.Scenario{Name: "double", Changes: replay.Changes{Demand: 2}},
		replay.Scenario{Name: "unreliable", Changes: replay.Changes{Rejects: map[string]float64{"*": 0.3}}},
		replay.Scenario{Name: "late", Changes: replay.Changes{Late: map[string]float64{"ground": 3}}},
		replay.Scenario{Name: "new", Changes: replay.Changes{
			Locations: []any{cologne}, Networks: []any{doc(`{"id":"all","locations":["berlin","hamburg","munich","cologne"]}`)},
			Stock: []replay.StockLevel{{Location: "cologne", SKU: "*", Units: 300}},
		}},
		replay.Scenario{Name: "safe", Changes: replay.Changes{Safety: map[string]int64{"*": 1000}}},
	)
	by := map[string]*replay.Result{}
	for _, x := range r {
		by[x.Scenario] = x
	}
	base := by["base"].Total
	if got := by["dearer"].Total.Cost; got != base.Cost*3/2 {
		t.Errorf("rates half as much again cost %d, base %d", got, base.Cost)
	}
	if by["dearer"].OnCourse != 400 {
		t.Errorf("%d stayed", by["dearer"].OnCourse)
	}
	for _, l := range by["closed"].Locations {
		if l.Location == "munich" {
			t.Errorf("%+v", l)
		}
	}
	if d := by["closed"].Total; d.Cost <= base.Cost || d.Shipments != 400 {
		t.Errorf("closed: %+v", d)
	}
	if n := by["half"].Total.Orders; n < 150 || n > 250 {
		t.Errorf("half of 400 orders are %d", n)
	}
	if d := by["double"].Total; d.Orders != 800 || d.Shipments != 800 {
		t.Errorf("double: %+v", d)
	}
	if d := by["unreliable"].Total; d.Rejections < 80 || d.Shipments > 400 || d.Drawn != 400 {
		t.Errorf("unreliable: %+v", d)
	}
	if d := by["late"].Total; d.Kept >= base.Kept {
		t.Errorf("late: %+v", d)
	}
	if !slices.ContainsFunc(by["new"].Locations, func(l replay.LocationUse) bool { return l.Location == "cologne" }) || by["new"].Total.Cost >= base.Cost {
		t.Errorf("new: %+v %+v", by["new"].Total, by["new"].Locations)
	}
	if d := by["safe"].Total; d.Backordered != 400 || d.Shipments != 0 {
		t.Errorf("safe: %+v", d)
	}
}

func TestPeriod(t *testing.T) {
	open := history(t, 20, 20)
	from := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	r := run(t, open, replay.Options{From: from, Until: from.AddDate(0, 0, 5)}, replay.Scenario{})[0]
	if len(r.Days) != 5 || r.Total.Orders != 100 || r.Decisions != 100 || r.Identity.Same != 100 {
		t.Errorf("%d days, %+v", len(r.Days), r.Total)
	}
}

func TestScenarioThatCannotBe(t *testing.T) {
	open := history(t, 1, 1)
	for _, sc := range []replay.Scenario{
		{Policies: []string{"kind: sourcing\nname: x\ngroups: 3\n"}},
		{Changes: replay.Changes{CutOff: map[string]string{"berlin": "25:99"}}},
		{Changes: replay.Changes{Locations: []any{map[string]any{"id": 3}}}},
	} {
		if _, err := replay.Run(context.Background(), open, []replay.Scenario{sc}, replay.Options{}); err == nil {
			t.Errorf("%+v was accepted", sc)
		}
	}
}

// TestPlantedImprovement lets rates that are 7 % lower be found in many histories of the same shop: the true saving per order,
// known from all of them together, is within the interval nearly always.
func TestPlantedImprovement(t *testing.T) {
	const runs, cheaper = 100, 0.93
	var cost, orders int64
	all := make([]stats.Difference, runs)
	for i := range runs {
		r := run(t, seeded(t, uint64(i)+7, 28, 5), replay.Options{Seed: uint64(i), Parallel: 1},
			replay.Scenario{Name: "base"}, replay.Scenario{Name: "cheaper", Changes: replay.Changes{Rates: map[string]float64{"*": cheaper}}})
		var days []stats.Day
		for k := range r[0].Days {
			b, o := &r[0].Days[k], &r[1].Days[k]
			days = append(days, stats.Day{Base: stats.Ratio{Over: float64(b.Cost), Under: float64(b.Orders)}, Other: stats.Ratio{Over: float64(o.Cost), Under: float64(o.Orders)}})
		}
		all[i] = stats.Compare(days, stats.Options{Seed: uint64(i), Draws: 300})
		cost, orders = cost+r[0].Total.Cost, orders+r[0].Total.Orders
	}
	truth, found := -(1-cheaper)*float64(cost)/float64(orders), 0
	for _, d := range all {
		if d.TooLittle == "" && d.Low <= truth && truth <= d.High {
			found++
		}
	}
	if found < 93 {
		t.Errorf("a saving of %.2f is within the interval in %d of %d histories", truth, found, runs)
	}
}
