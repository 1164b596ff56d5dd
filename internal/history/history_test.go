package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func days(n float64) time.Time { return start.Add(time.Duration(n * 24 * float64(time.Hour))) }

// command is one call of Observe.
type command struct {
	o      *order.Order
	events []order.Event
	at     time.Time
}

func (c *command) fold(h *History) { h.Observe(c.o, c.events, c.at) }

// bought is an order of one line with one fulfillment.
func bought(sku, location string, units int64, at time.Time) *order.Order {
	return &order.Order{
		Lines:        []order.Line{{ID: "1", SKU: sku, Quantity: units}},
		Fulfillments: []order.Fulfillment{{ID: "f", Location: location, CreatedAt: at, Lines: []order.FulfillmentLine{{Line: "1", SKU: sku, Quantity: units}}}},
	}
}

// placed, did are commands on it.
func placed(o *order.Order, at time.Time) *command {
	return &command{o, []order.Event{{Type: order.EventCaptured, Order: o}, {Type: order.EventFulfillmentCreated, Fulfillment: &o.Fulfillments[0]}}, at}
}

func did(o *order.Order, kind string, short int64, at time.Time) *command {
	q := order.LineQuantity{Line: "1", Quantity: o.Lines[0].Quantity - short, Short: short}
	return &command{o, []order.Event{{Type: kind, FulfillmentID: "f", Lines: []order.LineQuantity{q}}}, at}
}

func drawCommands(t *rapid.T) (out []*command) {
	kinds := []string{
		order.EventFulfillmentAccepted, order.EventFulfillmentRejected, order.EventFulfillmentPicked, order.EventFulfillmentShipped,
		order.EventFulfillmentReady, order.EventFulfillmentHandover, order.EventFulfillmentPacked,
	}
	at := start
	for range rapid.IntRange(1, 60).Draw(t, "orders") {
		at = at.Add(time.Duration(rapid.IntRange(-30, 60).Draw(t, "hours")) * time.Hour)
		o := bought(fmt.Sprint("S", rapid.IntRange(0, 9).Draw(t, "sku")), fmt.Sprint("L", rapid.IntRange(0, 5).Draw(t, "location")), rapid.Int64Range(1, 4).Draw(t, "units"), at)
		out = append(out, placed(o, at))
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			at := at.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "later")) * time.Hour)
			out = append(out, did(o, rapid.SampledFrom(kinds).Draw(t, "kind"), rapid.Int64Range(0, 1).Draw(t, "short"), at))
		}
	}
	return out
}

func snapshot(t interface{ Fatal(...any) }, h *History, version int64, at time.Time) []byte {
	body, err := h.Snapshot(version, at)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func small() *History {
	h := New()
	h.bounds = bounds{locations: 4, skus: 7, pairs: 12}
	return h
}

// TestFoldsAgree: however the fold is stopped, written, read and taken up again, and
// whether or not it is looked at on the way, the outcome is the same bytes. The tables are small enough to forget.
func TestFoldsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		commands := drawCommands(t)
		whole, cut := small(), small()
		for i, c := range commands {
			c.fold(whole)
			if n := rapid.IntRange(0, 4).Draw(t, "what"); n == 0 {
				before := snapshot(t, cut, int64(i), days(400))
				cut = small()
				if err := cut.Restore(before); err != nil {
					t.Fatal(err)
				}
			} else if n == 1 {
				cut.Facts(1, days(float64(i))).Location("L0")
			}
			for k := range c.events { // one at a time
				cut.Observe(c.o, c.events[k:k+1], c.at)
			}
		}
		a, b := snapshot(t, whole, 7, days(90)), snapshot(t, cut, 7, days(90))
		if !bytes.Equal(a, b) {
			t.Fatalf("folds differ\n%s\n%s", a, b)
		}
	})
}

// TestFactsSurviveJSON: facts read again answer alike, and are not touched by what the History goes on with.
func TestFactsSurviveJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := small()
		for _, c := range drawCommands(t) {
			c.fold(h)
		}
		f := h.Facts(3, days(70.4))
		body, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range drawCommands(t) {
			c.fold(h)
		}
		again := new(Facts)
		if err := json.Unmarshal(body, again); err != nil {
			t.Fatal(err)
		}
		for l := range 7 {
			location := fmt.Sprint("L", l)
			x, xok := f.Location(location)
			y, yok := again.Location(location)
			if x != y || xok != yok || f.FailureRate(location) != again.FailureRate(location) {
				t.Fatalf("%s: %+v became %+v", location, x, y)
			}
			if rate := f.FailureRate(location); rate < 0 || rate > 1 {
				t.Fatalf("failure rate %v", rate)
			}
			for s := range 11 {
				sku := fmt.Sprint("S", s)
				if f.Velocity(sku, location) != again.Velocity(sku, location) || f.Demand(sku) != again.Demand(sku) {
					t.Fatalf("%s at %s differs", sku, location)
				}
			}
		}
		if again.Version != 3 || !again.At.Equal(f.At) || again.Observations() != f.Observations() {
			t.Fatalf("became version %d at %s", again.Version, again.At)
		}
	})
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestFailureRateIsDrawnToTheNetwork(t *testing.T) {
	t.Parallel()
	h := New()
	at := days(1)
	for i := range 100 {
		o := bought("S", "good", 2, at)
		did(o, order.EventFulfillmentPicked, 0, at).fold(h)
		o = bought("S", "bad", 2, at)
		switch i % 4 {
		case 0:
			did(o, order.EventFulfillmentRejected, 0, at).fold(h)
		case 1:
			did(o, order.EventFulfillmentPicked, 1, at).fold(h)
		default:
			did(o, order.EventFulfillmentPicked, 0, at).fold(h)
		}
	}
	f := h.Facts(1, at)
	near(t, "the network's rate", f.NetworkFailureRate(), 50.0/200)
	near(t, "the bad location's", f.FailureRate("bad"), (50+50*0.25)/150)
	near(t, "the good location's", f.FailureRate("good"), (50*0.25)/150)
	near(t, "an unknown location's", f.FailureRate("new"), 0.25)
	bad, _ := f.Location("bad")
	if bad.Rejected != 25 || bad.Short != 25 || bad.Picked != 50 {
		t.Errorf("counted %+v", bad)
	}
}

func TestNothingIsKnownAtFirst(t *testing.T) {
	t.Parallel()
	var none *Facts
	for _, f := range []*Facts{none, New().Facts(0, start)} {
		if f.FailureRate("L") != 0 || f.Velocity("S", "L") != 0 || f.Demand("S") != 0 || f.Observations() != 0 || f.NetworkFailureRate() != 0 {
			t.Error("something is known of nothing")
		}
		if _, ok := f.Location("L"); ok || len(f.Movers("L", 9)) != 0 {
			t.Error("a location is known of nothing")
		}
		if a, b, c := f.Sizes(); a+b+c != 0 {
			t.Error("nothing has a size")
		}
	}
}

// TestVelocityOfSteadySales: n units a day read as n units a day, soon and later.
func TestVelocityOfSteadySales(t *testing.T) {
	t.Parallel()
	h := New()
	for day := range 200 {
		at := days(float64(day) + 0.5)
		o := bought("S", "L", 3, at)
		placed(o, at).fold(h)
		did(o, order.EventFulfillmentShipped, 0, at).fold(h)
		if day == 9 || day == 199 {
			f := h.Facts(1, days(float64(day)+1-1e-5))
			if v, d := f.Velocity("S", "L"), f.Demand("S"); math.Abs(v-3) > 0.01 || math.Abs(d-3) > 0.01 {
				t.Errorf("day %d: velocity %v, demand %v, want 3", day, v, d)
			}
		}
	}
	f := h.Facts(1, days(200+HalfLifeDays))
	if v := f.Velocity("S", "L"); math.Abs(v-1.5) > 0.06 {
		t.Errorf("a half-life after the last sale velocity is %v, want about 1.5", v)
	}
	if v := h.Facts(1, days(200+100*HalfLifeDays)).Velocity("S", "L"); v != 0 {
		t.Errorf("years after the last sale velocity is %v", v)
	}
}

func TestOneSaleIsSpreadOverAWeek(t *testing.T) {
	t.Parallel()
	h := New()
	o := bought("S", "L", 7, start)
	did(o, order.EventFulfillmentShipped, 0, start).fold(h)
	var week float64
	for i := range MinDays {
		week += math.Exp2(-float64(i+1) / HalfLifeDays)
	}
	near(t, "velocity", h.Facts(1, days(0.5)).Velocity("S", "L"), 7/week)
}

func TestKitsCountAsTheirParts(t *testing.T) {
	t.Parallel()
	h := New()
	o := bought("K", "L", 2, start)
	o.Lines[0].Parts = []inventory.Part{{SKU: "A", Quantity: 1}, {SKU: "B", Quantity: 3}}
	placed(o, start).fold(h)
	did(o, order.EventFulfillmentHandover, 0, start).fold(h)
	f := h.Facts(1, start)
	if f.Velocity("K", "L") != 0 || f.Demand("K") != 0 {
		t.Error("a kit sold as itself")
	}
	near(t, "B against A, shipped", f.Velocity("B", "L")/f.Velocity("A", "L"), 3)
	near(t, "B against A, ordered", f.Demand("B")/f.Demand("A"), 3)
}

func TestDurations(t *testing.T) {
	t.Parallel()
	h := New()
	o := bought("S", "L", 1, start)
	placed(o, start).fold(h)
	did(o, order.EventFulfillmentAccepted, 0, start.Add(2*time.Hour)).fold(h)
	did(o, order.EventFulfillmentAccepted, 0, start.Add(4*time.Hour)).fold(h)
	did(o, order.EventFulfillmentShipped, 0, start.Add(10*time.Hour)).fold(h)
	did(o, order.EventFulfillmentHandover, 0, start.Add(20*time.Hour)).fold(h)
	got, _ := h.Facts(1, start.Add(20*time.Hour)).Location("L")
	near(t, "hours to accept", got.HoursToAccept, 3)
	near(t, "hours to ship", got.HoursToShip, 10) // when the customer came does not count
	// What was forgotten for a year counts as MaxStageHours.
	other := bought("S", "M", 1, start)
	did(other, order.EventFulfillmentReady, 0, days(365)).fold(h)
	got, _ = h.Facts(1, days(365)).Location("M")
	near(t, "hours of what was forgotten", got.HoursToShip, MaxStageHours)
}

func TestUnknownThingsAreLeftOut(t *testing.T) {
	t.Parallel()
	h := New()
	o := bought("S", "L", 1, start)
	h.Observe(o, []order.Event{
		{Type: order.EventFulfillmentShipped, FulfillmentID: "other", Lines: []order.LineQuantity{{Line: "1", Quantity: 1}}},
		{Type: order.EventCaptured}, {Type: order.EventFulfillmentCreated}, {Type: order.EventSourced},
	}, start)
	if h.Observations() != 0 {
		t.Errorf("counted %d observations of nothing", h.Observations())
	}
	h.Observe(o, []order.Event{{Type: order.EventFulfillmentShipped, FulfillmentID: "f", Lines: []order.LineQuantity{{Line: "9", Quantity: 1}}}}, start)
	if _, skus, pairs := h.Facts(1, start).Sizes(); skus+pairs != 0 {
		t.Error("a line that is not there was sold")
	}
}

// TestTablesAreBounded fills each table to its limit and one beyond; what counts least goes.
func TestTablesAreBounded(t *testing.T) {
	t.Parallel()
	h := New()
	h.bounds = bounds{locations: 16, skus: 24, pairs: 40}
	for i := range 500 {
		o := bought(fmt.Sprintf("S%02d", i%37), fmt.Sprintf("L%02d", i%29), 1, start)
		if i%37 == 5 {
			o.Lines[0].Quantity = 100
		}
		placed(o, start).fold(h)
		did(o, order.EventFulfillmentShipped, 0, start).fold(h)
		if len(h.locations) > 16 || len(h.skus) > 24 || len(h.shipped) > 40 {
			t.Fatalf("%d locations, %d SKUs, %d pairs", len(h.locations), len(h.skus), len(h.shipped))
		}
		for k := range h.shipped {
			if int(k.sku) >= len(h.skus) || int(k.location) >= len(h.locations) {
				t.Fatal("a pair of what is not there")
			}
		}
	}
	if h.Facts(1, start).Demand("S05") == 0 {
		t.Error("what sells most was forgotten")
	}
	if d := New(); d.bounds != (bounds{MaxLocations, MaxSKUs, MaxPairs}) {
		t.Errorf("bounds are %+v", d.bounds)
	}
}

func TestRestoreRefusesOthers(t *testing.T) {
	t.Parallel()
	h := New()
	placed(bought("S", "L", 1, start), start).fold(h)
	before := snapshot(t, h, 1, start)
	for _, bad := range []string{
		``, `[]`, `{"locations":[{"id":"L"},{"id":"L"}]}`, `{"locations":[],"skus":[{"id":"S","at":[[0,1,1]]}]}`, `{"skus":[{"id":"S","at":[[-1,1,1]]}]}`,
	} {
		if err := h.Restore([]byte(bad)); err == nil {
			t.Errorf("read %s", bad)
		}
	}
	if !bytes.Equal(before, snapshot(t, h, 1, start)) {
		t.Error("a refused snapshot changed the History")
	}
}

func TestMoversAreSorted(t *testing.T) {
	t.Parallel()
	h := New()
	for i, sku := range []string{"C", "A", "B"} {
		did(bought(sku, "L", int64(1+i/2), start), order.EventFulfillmentShipped, 0, start).fold(h)
	}
	m := h.Facts(1, start).Movers("L", 2)
	if len(m) != 2 || m[0].SKU != "B" || m[1].SKU != "A" {
		t.Errorf("movers are %+v", m)
	}
	for i, location := range []string{"O", "N", "M"} {
		did(bought("A", location, int64(1+i/2), start), order.EventFulfillmentShipped, 0, start).fold(h)
	}
	o := h.Facts(1, start).Outlets("A", 3)
	if len(o) != 3 || o[0].Location != "M" || o[1].Location != "L" || o[2].Location != "N" {
		t.Errorf("outlets are %+v", o)
	}
	if len(h.Facts(1, start).Outlets("Z", 3)) != 0 || len((*Facts)(nil).Outlets("A", 3)) != 0 {
		t.Error("something unknown has outlets")
	}
}

func TestLocationsArePaged(t *testing.T) {
	t.Parallel()
	h := New()
	for i := range 7 {
		placed(bought("S", fmt.Sprint("L", i*5%7), int64(i+1), start), start).fold(h)
	}
	f := h.Facts(1, start)
	var names []string
	for after := ""; ; {
		page := f.Locations(after, 3)
		if len(page) == 0 {
			break
		}
		for _, l := range page {
			if whole, _ := f.Location(l.Location); whole != l {
				t.Errorf("listed %+v, alone %+v", l, whole)
			}
			names = append(names, l.Location)
			after = l.Location
		}
	}
	if got := fmt.Sprint(names); got != "[L0 L1 L2 L3 L4 L5 L6]" {
		t.Errorf("listed %s", got)
	}
	if len(f.Locations("", 0)) != 0 || len((*Facts)(nil).Locations("", 9)) != 0 {
		t.Error("listed what there is not")
	}
}

// TestLaterOrdersTeachTheSame: the order as it is later gives what the order after the command
// gave; without any order, what the events bring still counts.
func TestLaterOrdersTeachTheSame(t *testing.T) {
	t.Parallel()
	now, later, blind := New(), New(), New()
	o := bought("S", "L", 2, start)
	after := *o
	after.Lines = []order.Line{o.Lines[0]}
	after.Lines[0].Fulfilled = 2
	after.Fulfillments = []order.Fulfillment{o.Fulfillments[0], {ID: "g", Location: "M"}}
	after.Fulfillments[0].Status, after.Fulfillments[0].ShippedAt = order.FulfillmentDelivered, days(3)
	for _, c := range []*command{
		placed(o, start), did(o, order.EventFulfillmentAccepted, 0, days(1)), did(o, order.EventFulfillmentPicked, 1, days(2)), did(o, order.EventFulfillmentShipped, 0, days(3)),
	} {
		c.fold(now)
		later.Observe(&after, c.events, c.at)
		blind.Observe(nil, c.events, c.at)
	}
	if a, b := snapshot(t, now, 1, days(4)), snapshot(t, later, 1, days(4)); !bytes.Equal(a, b) {
		t.Errorf("learned %s\nfrom a later order %s", a, b)
	}
	if f := blind.Facts(1, days(4)); f.Observations() != 2 || f.Demand("S") == 0 || f.Velocity("S", "L") != 0 {
		t.Errorf("without an order: %d observations", f.Observations())
	}
}
