package promise_test

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// basket is two lines of 500 g a unit in a small network; plans are by request id.
type basket struct {
	locations map[string]*network.Location
	plans     map[string]*sourcing.Decision
}

func (b *basket) Plan(r promise.Request) *sourcing.Decision { return b.plans[r.ID()] }

func (b *basket) Location(id string) (*network.Location, bool) {
	l, ok := b.locations[id]
	return l, ok
}

func (b *basket) Leg(from *network.Location, service, via string) (network.Leg, float64, error) {
	days := map[string]int64{"ground": 3, "express": 1, "bike": 0}
	transit, ok := days[service]
	if !ok {
		return network.Leg{}, -1, network.ErrNoZone
	}
	km := map[string]float64{"dc": 400, "far": 900, "store": 5}[from.ID]
	if via != "" {
		km = 395
	}
	return network.Leg{Carrier: "c", Service: service, Zone: 1, TransitDays: transit}, km, nil
}

func (b *basket) Weight(lines []sourcing.Units) int64 {
	var grams int64
	for _, u := range lines {
		grams += 500 * u.Quantity
	}
	return grams
}

func (b *basket) Price(r promise.Request, _ *sourcing.Decision) int64 {
	return map[promise.OptionKind]int64{promise.Ship: 490, promise.SameDay: 990}[r.Kind]
}

func shipment(location, service, via string, lines ...string) sourcing.Shipment {
	s := sourcing.Shipment{Location: location, Service: service, Via: via}
	for _, id := range lines {
		s.Lines = append(s.Lines, sourcing.Units{Line: id, Quantity: 1})
	}
	return s
}

func plan(cost int64, shipments ...sourcing.Shipment) *sourcing.Decision {
	return &sourcing.Decision{Policy: "test@1", Method: "exact", Cost: cost, Shipments: shipments}
}

func newBasket(t testing.TB) *basket {
	t.Helper()
	short := plan(100, shipment("dc", "ground", "", "1"))
	short.Unplaced = []sourcing.Units{{Line: "2", Quantity: 1}}
	return &basket{
		locations: map[string]*network.Location{"dc": warehouse(t, "dc"), "far": warehouse(t, "far"), "store": shop(t, "store"), "small": shop(t, "small")},
		plans: map[string]*sourcing.Decision{
			"ship:ground":           plan(700, shipment("dc", "ground", "", "1"), shipment("far", "ground", "", "2")),
			"ship:ground:unsplit":   plan(900, shipment("far", "ground", "", "1", "2")),
			"ship:express":          plan(1500, shipment("dc", "express", "", "1"), shipment("store", "express", "", "2")),
			"ship:express:unsplit":  plan(1500, shipment("dc", "express", "", "1"), shipment("store", "express", "", "2")),
			"ship:pigeon":           plan(10, shipment("dc", "pigeon", "", "1", "2")),
			"pickup:store":          plan(200, shipment("store", "", "", "1", "2")),
			"pickup:small":          short,
			"same_day:store:bike":   plan(800, shipment("store", "bike", "", "1", "2")),
			"same_day:small:ground": plan(800, shipment("small", "ground", "", "1", "2")),
			"ship_to_store:small:ground": plan(
				650, shipment("dc", "ground", "small", "1"), shipment("small", "", "", "2"),
			),
			"ship_to_store:store:ground": plan(600, shipment("dc", "ground", "small", "1", "2")),
		},
	}
}

func (b *basket) input(t testing.TB) promise.Input {
	in := promise.Input{
		Now: at(t, "2026-11-24T10:00:00Z"), Settings: settings(t, policy.PromiseSection{Holidays: "DE"}), Calendar: promise.NewCalendar(), Facts: b,
	}
	for id := range b.plans {
		r, ok := promise.ParseID(id)
		if !ok {
			t.Fatalf("%q is no id", id)
		}
		in.Requests = append(in.Requests, r)
	}
	in.Requests = append(in.Requests, promise.Request{Kind: promise.Pickup, Location: "nowhere"})
	return in
}

func TestOptionsGolden(t *testing.T) {
	t.Parallel()
	options, excluded := promise.Options(newBasket(t).input(t))
	got, err := json.MarshalIndent(struct {
		Options  []promise.Option
		Excluded []promise.Exclusion
	}{options, excluded}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "options.golden.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("options differ from %s (run with -update and look at the difference):\n%s", golden, got)
	}
}

func find(options []promise.Option, id string) *promise.Option {
	i := slices.IndexFunc(options, func(o promise.Option) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return &options[i]
}

func TestOptionsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	options, excluded := promise.Options(newBasket(t).input(t))
	reasons := make(map[string]string)
	for _, e := range excluded {
		reasons[e.ID] = e.Reason
	}
	for id, want := range map[string]string{
		"pickup:small": promise.ReasonNoStock, "pickup:nowhere": promise.ReasonNoStock, "ship:pigeon": promise.ReasonNoService,
		"ship:express:unsplit": promise.ReasonSplit, "same_day:small:ground": promise.ReasonNotToday, "ship_to_store:store:ground": promise.ReasonNotAStore,
	} {
		if reasons[id] != want {
			t.Errorf("%s is excluded because %q, want %q", id, reasons[id], want)
		}
	}
	pickup, ground, sameDay, forwarded := find(options, "pickup:store"), find(options, "ship:ground"), find(options, "same_day:store:bike"), find(options, "ship_to_store:small:ground")
	if pickup == nil || ground == nil || sameDay == nil || forwarded == nil {
		t.Fatalf("options are missing: %+v", options)
	}
	if !pickup.Earliest || !pickup.Cheapest || !pickup.Greenest || !pickup.Ready.Equal(at(t, "2026-11-24T11:00:00Z")) {
		t.Errorf("pickup: %+v", pickup)
	}
	if ground.To.String() != "2026-11-27" || ground.Shipments != 2 || ground.GramKm != 500*400+500*900 || ground.Price != 490 {
		t.Errorf("ground: %+v", ground)
	}
	if math.Abs(ground.Probability-0.81) > 1e-9 || ground.Level != promise.LevelNone {
		t.Errorf("two shipments of 0.9 each are %v by %q", ground.Probability, ground.Level)
	}
	if sameDay.To.String() != "2026-11-24" || !sameDay.Ready.IsZero() {
		t.Errorf("same day: %+v", sameDay)
	}
	if !forwarded.Ready.Equal(at(t, "2026-11-28T10:00:00Z")) || len(forwarded.Arrivals) != 1 || len(forwarded.Plan.Shipments) != 2 {
		t.Errorf("ship to store: %+v", forwarded)
	}
}

func TestOptionsAreTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	b := newBasket(t)
	in := b.input(t)
	want, wantExcluded := promise.Options(in)
	rapid.Check(t, func(t *rapid.T) {
		shuffled := in
		shuffled.Calendar = promise.NewCalendar()
		shuffled.Requests = rapid.Permutation(in.Requests).Draw(t, "requests")
		got, excluded := promise.Options(shuffled)
		a, err1 := json.Marshal([]any{want, wantExcluded})
		b, err2 := json.Marshal([]any{got, excluded})
		if err1 != nil || err2 != nil || string(a) != string(b) {
			t.Fatalf("options depend on the order of requests:\n%s\n%s", a, b)
		}
	})
}

func TestOptionsMergeWhatIsTheSame(t *testing.T) {
	t.Parallel()
	b := newBasket(t)
	same := plan(900, shipment("far", "ground", "", "1", "2"))
	b.plans = map[string]*sourcing.Decision{"ship:ground": same, "ship:ground:unsplit": same}
	options, excluded := promise.Options(b.input(t))
	if len(options) != 1 || options[0].ID != "ship:ground" || !slices.Contains(excluded, promise.Exclusion{ID: "ship:ground:unsplit", Reason: promise.ReasonDuplicate}) {
		t.Errorf("%+v, %+v", options, excluded)
	}
}

func TestOptionsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBasket(t)
	in := b.input(t)
	in.Settings = settings(t, policy.PromiseSection{MaxOptions: 2})
	in.Requests = nil
	for i := range promise.MaxRequests {
		id := "s" + strconv.Itoa(i)
		b.locations[id] = shop(t, id)
		r := promise.Request{Kind: promise.Pickup, Location: id}
		b.plans[r.ID()] = plan(int64(i), shipment(id, "", "", "1", "2"))
		in.Requests = append(in.Requests, r)
	}
	in.Requests = append(in.Requests, promise.Request{Kind: promise.Ship, Service: "ground"})
	options, excluded := promise.Options(in)
	if len(options) != 2 || options[0].ID != "pickup:s0" || options[1].ID != "pickup:s1" {
		t.Errorf("%d options, first %+v", len(options), options[:min(2, len(options))])
	}
	if len(excluded) != promise.MaxRequests-1 || !slices.Contains(excluded, promise.Exclusion{ID: "ship:ground", Reason: promise.ReasonTooMany}) {
		t.Errorf("%d are excluded", len(excluded))
	}
	// Marked options stay even when there is room for fewer.
	in = newBasket(t).input(t)
	in.Settings = settings(t, policy.PromiseSection{MaxOptions: 1})
	delete(in.Facts.(*basket).plans, "pickup:store")
	delete(in.Facts.(*basket).plans, "same_day:store:bike")
	options, _ = promise.Options(in)
	for i, o := range options {
		if !o.Earliest && !o.Cheapest && !o.Greenest {
			t.Errorf("option %d of %d is not marked", i, len(options))
		}
	}
	if len(options) < 2 {
		t.Errorf("only %d options are left", len(options))
	}
}

func TestIDsAreReadBack(t *testing.T) {
	t.Parallel()
	if id := (promise.Request{Kind: promise.Ship, Service: "dhl-express"}).ID(); id != "ship:dhl-express" {
		t.Errorf("the id is %q", id)
	}
	name := rapid.StringN(1, 20, 60)
	rapid.Check(t, func(t *rapid.T) {
		r := promise.Request{Kind: rapid.SampledFrom([]promise.OptionKind{promise.Ship, promise.Pickup, promise.SameDay, promise.ShipToStore}).Draw(t, "kind"), Unsplit: rapid.Bool().Draw(t, "unsplit")}
		if r.Kind != promise.Pickup {
			r.Service = name.Draw(t, "service")
		}
		if r.Kind != promise.Ship {
			r.Location = name.Draw(t, "location")
		}
		if back, ok := promise.ParseID(r.ID()); !ok || back != r {
			t.Fatalf("%+v is written %q and read %+v", r, r.ID(), back)
		}
	})
	for _, bad := range []string{"", "ship", "ship:", "fly:x", "pickup:a:b", "ship:%zz", "same_day:s", "ship:a:split"} {
		if r, ok := promise.ParseID(bad); ok {
			t.Errorf("%q is read as %+v", bad, r)
		}
	}
}

// Learned delays make an option later and its probability what was asked for.
func TestOptionsUseWhatWasLearned(t *testing.T) {
	t.Parallel()
	b := newBasket(t)
	in := b.input(t)
	in.Learned = promise.NewDelays(0)
	for range 50 {
		in.Learned.Delivered(promise.Key{Location: "far", Service: "ground", Zone: 1}, 20*time.Hour)
	}
	options, _ := promise.Options(in)
	o := find(options, "ship:ground:unsplit")
	if o == nil || o.To.String() != "2026-11-28" || o.Level != promise.LevelLocationServiceZone || o.Probability < 0.95 {
		t.Errorf("%+v", o)
	}
}
