package engine_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// working is a location of the fixture that works by day only.
func working(i int, hours string, orders *int64) *network.Location {
	week, err := network.ParseWeek(hours)
	if err != nil {
		panic(err)
	}
	cutoff, err := network.ParseClock("14:00")
	if err != nil {
		panic(err)
	}
	id := fmt.Sprintf("L%02d", i)
	return &network.Location{
		ID: id, Type: network.Store, TimeZone: "Europe/Berlin", Capabilities: []network.Capability{network.CanShip, network.CanPickup},
		Address:  network.Address{Country: "DE", Latitude: ptr(54 - float64(i)*0.2), Longitude: ptr(10.0)},
		Calendar: &network.Calendar{Hours: week}, Cutoffs: []network.Cutoff{{Time: cutoff}}, ProcessingMinutes: int64(30 + 15*i),
		Capacity: network.Capacity{OrdersPerDay: orders},
	}
}

// Whatever happens to stock, locations, channel, policies and time: the remembered
// answer is the one that is found anew.
func TestQuickAnswersAreThoseFoundAnew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		n := promising(t)
		defer n.close()
		version := 0
		r.Repeat(map[string]func(*rapid.T){
			"stock": func(r *rapid.T) {
				sku, at := rapid.SampledFrom([]string{"S0", "S1", "S2"}).Draw(r, "sku"), rapid.SampledFrom([]string{"L00", "L03", "L05"}).Draw(r, "at")
				if q := rapid.Int64Range(-n.position(sku, at).Available(), 5).Draw(r, "units"); q != 0 {
					n.receive(sku, at, q)
				}
			},
			"location": func(r *rapid.T) {
				hours := rapid.SampledFrom([]string{"mon-fri 08:00-18:00", "mon-sat 10:00-14:00", "sun 09:00-12:00"}).Draw(r, "hours")
				var orders *int64
				if rapid.Bool().Draw(r, "limited") {
					orders = ptr(rapid.Int64Range(0, 2).Draw(r, "orders"))
				}
				n.put(engine.Document{Kind: engine.KindLocation, ID: "L03", Value: working(3, hours, orders)})
			},
			"channel": func(r *rapid.T) {
				n.put(engine.Document{Kind: engine.KindChannel, ID: "web", Value: &network.Channel{
					ID: "web", Type: network.Web, Currency: "EUR", Service: rapid.SampledFrom([]string{"ground", ""}).Draw(r, "service"),
					Buffer: rapid.Int64Range(0, 3).Draw(r, "buffer"),
				}})
			},
			"policy": func(r *rapid.T) {
				version++
				n.publish(policy.KindPromise, "main", fmt.Sprintf("kind: promise\nname: main\ndescription: v%d\npromise: {extra_days: %d, pickup_max_km: %d}\n",
					version, rapid.IntRange(0, 3).Draw(r, "days"), rapid.IntRange(1, 200).Draw(r, "km")))
			},
			"withhold": func(r *rapid.T) {
				version++
				n.publish(policy.KindAvailability, "main", fmt.Sprintf("kind: availability\nname: main\ndescription: v%d\navailability:\n  rules:\n    - {name: keep, buffer: %d}\n",
					version, rapid.IntRange(0, 12).Draw(r, "buffer")))
			},
			"time": func(r *rapid.T) {
				n.clock.advance(time.Duration(rapid.Int64Range(1, int64(30*time.Hour)).Draw(r, "time")))
			},
			"": func(r *rapid.T) {
				for _, q := range []engine.QuickRequest{
					{SKU: "S0", Channel: "web", Quantity: 1, Destination: wanted().Destination},
					{SKU: "S1", Channel: "web", Quantity: 12, Destination: wanted().Destination},
					{SKU: "S2", Channel: "web", Quantity: 1, Destination: &network.Address{Country: "DE", PostalCode: "24103"}, Location: "L03"},
					{SKU: "K", Channel: "web", Quantity: 2, Destination: wanted().Destination},
				} {
					got, err := n.Quick(q)
					if err != nil {
						r.Fatal(err)
					}
					want, err := n.QuickAnew(q)
					if err != nil {
						r.Fatal(err)
					}
					if !reflect.DeepEqual(got, want) {
						r.Fatalf("%+v:\nremembered %+v\nanew       %+v", q, got, want)
					}
				}
			},
		})
	})
}

// What a product page says is what a basket of it is offered.
func TestQuickAgreesWithPromises(t *testing.T) {
	t.Parallel()
	n := promising(t)
	n.publish(policy.KindPromise, "main", "kind: promise\nname: main\npromise: {pickup_max_km: 40}\n") // nothing on the same day
	for _, sku := range []string{"S0", "S2", "S3", "K"} {
		r := wanted(sku)
		a, err := n.Quick(engine.QuickRequest{SKU: sku, Channel: "web", Quantity: 1, Destination: r.Destination})
		if err != nil {
			t.Fatal(err)
		}
		var deliver, ready time.Time
		for _, o := range n.promises(r).Options {
			switch {
			case o.Request.Kind == "ship" && (deliver.IsZero() || o.DeliverBy.Before(deliver)) && o.Request.Service == "ground":
				deliver = o.DeliverBy
			case o.Request.Kind == "pickup" && (ready.IsZero() || o.DeliverBy.Before(ready)):
				ready = o.DeliverBy
			}
		}
		if !a.Deliver.By.Equal(deliver) || !a.Pickup.By.Equal(ready) || deliver.IsZero() {
			t.Errorf("%s: the page says %+v and %+v, the basket %s and %s", sku, a.Deliver, a.Pickup, deliver, ready)
		}
	}
}

func TestQuickLooksAtTheStoreOfTheCustomer(t *testing.T) {
	t.Parallel()
	n := promising(t)
	q := engine.QuickRequest{SKU: "S3", Channel: "web", Quantity: 10, Location: "L04"}
	a, err := n.Quick(q)
	if err != nil || a.Pickup.Location != "L04" || a.PickupUnits != 10 || a.PickupOn == 0 || !a.Deliver.By.IsZero() || a.ShipUnits != 10 {
		t.Errorf("without a destination: %+v %v", a, err)
	}
	q.Quantity = 11
	if a, err := n.Quick(q); err != nil || !a.Pickup.By.IsZero() || a.PickupUnits != 10 {
		t.Errorf("more than it has: %+v %v", a, err)
	}
	q.Location, q.Quantity = "", 1
	if a, err := n.Quick(q); err != nil || !a.Pickup.By.IsZero() || a.PickupUnits != 0 {
		t.Errorf("no store is near nowhere: %+v %v", a, err)
	}
	for name, q := range map[string]engine.QuickRequest{
		"channel":     {SKU: "S3", Channel: "nowhere", Quantity: 1},
		"location":    {SKU: "S3", Channel: "web", Quantity: 1, Location: "nowhere"},
		"quantity":    {SKU: "S3", Channel: "web"},
		"too much":    {SKU: "S3", Channel: "web", Quantity: order.MaxLineQuantity + 1},
		"destination": {SKU: "S3", Channel: "web", Quantity: 1, Destination: &network.Address{Country: "Germany"}},
	} {
		var bad problem.Invalid
		if _, err := n.Quick(q); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := n.Quick(engine.QuickRequest{SKU: "none", Channel: "web", Quantity: 1}); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("no such SKU: %v", err)
	}
}

func TestBoardsAreBounded(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1000, 1, 0)
	for i := range 2*engine.MaxBoardRows/1000 + 100 {
		to := &network.Address{Country: "DE", PostalCode: fmt.Sprint(i)}
		if _, err := n.Quick(engine.QuickRequest{SKU: "S0", Channel: "web", Quantity: 1, Destination: to}); err != nil {
			t.Fatal(err)
		}
	}
	if rows := n.BoardRows(); rows > 2*engine.MaxBoardRows || rows <= engine.MaxBoardRows {
		t.Errorf("%d rows are remembered, want more than %d and at most twice that", rows, engine.MaxBoardRows)
	}
}
