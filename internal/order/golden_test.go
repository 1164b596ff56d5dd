package order_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// golden compares v as indented JSON with testdata/name.json.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
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
		t.Errorf("%s changed, which those who read the log will notice; got\n%s", path, text.Bytes())
	}
}

// story collects the first event of each type while orders live their lives.
type story struct {
	t      *testing.T
	o      *order.Order
	events map[string]order.Event
}

func (s *story) then(events []order.Event, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if _, told := s.events[e.Type]; !told {
			s.events[e.Type] = e
		}
	}
	s.o = fold(s.t, s.o, events...)
}

func fullOrder() order.New {
	latitude, longitude, total := 52.52, 13.4, int64(10460)
	return order.New{
		Channel: "web", ExternalID: "W-1001", PlacedAt: noon.Add(-time.Minute), Currency: "EUR", Method: order.Ship, Service: "post/standard",
		Customer: order.Customer{ID: "c7", Name: "Ada", Email: "ada@example.org", Phone: "+49 30 1"},
		ShipTo: &network.Address{
			Name: "Ada", Line1: "Torstr. 1", City: "Berlin", PostalCode: "10119", Country: "DE", Latitude: &latitude, Longitude: &longitude,
		},
		BillTo: &network.Address{Name: "Ada", City: "Berlin", Country: "DE"},
		Lines: []order.NewLine{
			{ExternalID: "W-1001/1", SKU: "set", Name: "Camping set", Quantity: 2, UnitPrice: 4000, Discount: 500, Tax: 1425},
			{SKU: "rope", Quantity: 5, UnitPrice: 200, Tax: 190},
		},
		Discount: 100, Shipping: 375, ShippingTax: 70, Total: &total,
		Tenders:    []order.Tender{{Type: "gift_card", Amount: 460}, {Type: "card", Amount: 10000, Reference: "tok_1"}},
		Attributes: map[string]string{"gift": "yes"}, Note: "ring twice",
	}
}

// TestPublishedShapes holds the JSON that the log, webhooks and the API show.
// decision is a sourcing decision with every field.
func decision() *sourcing.Decision {
	return &sourcing.Decision{
		Policy: "cheapest@3", Method: "exact", Cost: 390, Gap: 5, Candidates: 3, Facts: []string{"history@12"},
		Excluded: []sourcing.Exclusion{{
			Group: "all", Rule: "hazmat", Reason: "may not ship batteries", Line: "2", Locations: []string{"south"}, Count: 1, Values: []string{"location.type=store"},
		}},
		Shipments: []sourcing.Shipment{{
			Location: "dc", Group: "all", Service: "post/standard", Lines: []sourcing.Units{{Line: "1", Quantity: 2}}, Cost: 390, Carrier: 290, Via: "shop",
			Terms:        []sourcing.Cost{{Term: "carrier", Amount: 290}, {Term: "pick", Amount: 100}},
			Alternatives: []sourcing.Alternative{{Location: "north", Service: "post/standard", Cost: 450, Terms: []sourcing.Cost{{Term: "carrier", Amount: 450}}}},
		}},
		Unplaced: []sourcing.Units{{Line: "2", Quantity: 2}}, Otherwise: "hold", Queue: "stock", CancelAt: noon.AddDate(0, 0, 7),
	}
}

// A changed file is a changed contract: fields are added, never renamed.
func TestPublishedShapes(t *testing.T) {
	t.Parallel()
	s := &story{t: t, events: map[string]order.Event{}}
	n := fullOrder()
	if err := n.Validate(); err != nil {
		t.Fatal(err)
	}
	s.then([]order.Event{n.Capture(order.Captured{ID: "o1", At: noon, Fingerprint: "9f8e", Parts: parts})}, nil)
	s.then(s.o.Place(order.Plan{Decisions: []*sourcing.Decision{decision()}, Placements: []order.Placement{
		{
			Location: "dc", Service: "post/standard", Cost: 390, Lines: []order.LineQuantity{lq("1", 2), lq("2", 2)}, Reserved: []order.LineQuantity{lq("1", 1)},
			Promise:  order.Promise{ShipBy: noon.Add(24 * time.Hour), DeliverBy: noon.Add(72 * time.Hour)},
			Decision: order.Decision{Rule: "nearest-complete/1", Candidates: 3, Excluded: []string{"south"}, Reason: "nearest location with some of the order"},
		},
		{Location: "north", Lines: []order.LineQuantity{lq("2", 1)}, Decision: order.Decision{Rule: "nearest-complete/1", Candidates: 3, Reason: "nearest location with some of the order"}},
	}, Unplaced: []order.LineQuantity{lq("2", 2)}, Waiting: order.Waiting{Action: order.WaitHold, Queue: "stock", CancelAt: noon.AddDate(0, 0, 7)}, Retry: noon.Add(6 * time.Hour)}, noon))
	s.then(s.o.Decide("o1-1", order.Step{Command: "accept"}))
	s.then(s.o.Decide("o1-2", order.Step{Command: "reject", Reason: "damaged"}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "pick", Reason: "empty shelf", Lines: []order.LineQuantity{lq("1", 2), short("2", 0, 1)}}))
	s.then(s.o.Cancel(order.Cancellation{Reason: "changed my mind", Lines: []order.LineQuantity{lq("2", 5)}}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "pack", Parcels: []order.Parcel{{
		ID: "p1", Carrier: "post", Service: "standard", Tracking: "T1", TrackingURL: "https://post.example/T1", WeightG: 4100, Lines: []order.LineQuantity{lq("1", 2)},
	}}}))
	golden(t, "order_packed", s.o)
	s.then(s.o.Decide("o1-1", order.Step{Command: "ship", Parcels: []order.Parcel{{Tracking: "T2"}}}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "deliver"}))
	golden(t, "order_delivered", s.o)

	s.o = place(t, capture(t, newOrder(order.Pickup, 1)), at("dc", lq("1", 1)))
	s.then(s.o.Decide("o1-1", order.Step{Command: "ready"}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "handover"}))
	golden(t, "order_handed_over", s.o)

	s.o = place(t, capture(t, newOrder(order.Ship, 1)), at("dc", lq("1", 1)))
	s.then(s.o.Withdraw(func(f *order.Fulfillment) bool { return f.Location == "dc" }, "the location closed"), nil)

	s.life()
	s.servicing()
	s.returns()
	s.conditions()
	s.payments()

	for _, kind := range order.EventTypes {
		e, told := s.events[kind]
		if !told {
			t.Errorf("no event of type %s in the story", kind)
			continue
		}
		golden(t, filepath.Join("events", kind), e)
		delete(s.events, kind)
	}
	for kind := range s.events {
		t.Errorf("type %s is not among EventTypes", kind)
	}
}
