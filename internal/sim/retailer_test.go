package sim

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/network"
)

func TestRetailerIsValid(t *testing.T) {
	for seed := range uint64(5) {
		d := Retailer(seed)
		if len(d.Locations) != 43 || len(d.SKUs) != 2000 || len(d.Carriers) != 3 || len(d.Channels) != 3 {
			t.Fatalf("%d locations, %d SKUs, %d carriers, %d channels", len(d.Locations), len(d.SKUs), len(d.Carriers), len(d.Channels))
		}
		check := func(id string, err error) {
			if err != nil {
				t.Errorf("seed %d, %s: %v", seed, id, err)
			}
		}
		seen := map[string]bool{}
		fresh := func(id string) {
			if seen[id] {
				t.Errorf("seed %d: %s is there twice", seed, id)
			}
			seen[id] = true
		}
		for i := range d.Locations {
			check(d.Locations[i].ID, d.Locations[i].Validate())
			fresh(d.Locations[i].ID)
		}
		for i := range d.Carriers {
			check(d.Carriers[i].ID, d.Carriers[i].Validate())
			check(d.Carriers[i].ID, d.directory.CheckCarrier(&d.Carriers[i]))
		}
		for i := range d.Networks {
			check(d.Networks[i].ID, d.Networks[i].Validate())
			check(d.Networks[i].ID, d.directory.CheckNetwork(&d.Networks[i]))
		}
		for i := range d.Channels {
			check(d.Channels[i].ID, d.Channels[i].Validate())
			check(d.Channels[i].ID, d.directory.CheckChannel(&d.Channels[i]))
		}
		kits := 0
		for i := range d.SKUs {
			s := &d.SKUs[i]
			check(s.SKU, s.Validate())
			if fresh(s.SKU); len(s.GTIN) != 13 || !catalog.ValidGTIN(s.GTIN) {
				t.Errorf("%s: GTIN %q", s.SKU, s.GTIN)
			}
			if fresh(s.GTIN); s.IsKit() {
				kits++
			}
		}
		if kits != kitCount {
			t.Errorf("%d kits", kits)
		}
		empty := 0
		for i := range d.Stock {
			check(d.Stock[i].SKU, d.Stock[i].Validate())
			if d.Stock[i].OnHand == 0 {
				empty++
			}
		}
		if share := float64(empty) / float64(len(d.Stock)); share < .02 || share > .2 {
			t.Errorf("%.0f %% of the positions are empty", 100*share)
		}
	}
}

// What policies ask for must be there to be found, in some places and not in all.
func TestRetailerHasWhatPoliciesAskFor(t *testing.T) {
	d := Retailer(2)
	articles, places := map[string]int{}, map[string]int{}
	styles := map[string]int{}
	for i := range d.SKUs {
		s := &d.SKUs[i]
		for _, tag := range s.Tags {
			articles[tag]++
		}
		if s.Category == "Electronics" != slices.Contains(s.Tags, "hazmat") {
			t.Errorf("%s of %s has the tags %v", s.SKU, s.Category, s.Tags)
		}
		if s.Attributes["size"] != "" {
			styles[s.Attributes[catalog.StyleAttribute]]++
		}
		if s.Price == nil || s.Price.Amount <= 0 {
			t.Errorf("%s has no list price", s.SKU)
		}
	}
	for _, tag := range []string{"clearance", "battery", "bulky", "kit"} {
		if n := articles[tag]; n < 20 || n > 500 {
			t.Errorf("%d articles are tagged %s", n, tag)
		}
	}
	if len(styles) < 100 || styles[""] > 0 {
		t.Errorf("%d styles, %d sized articles without one", len(styles), styles[""])
	}
	for i := range d.Locations {
		l := &d.Locations[i]
		for _, tag := range l.Tags {
			places[tag]++
		}
		if !slices.ContainsFunc(l.Tags, func(tag string) bool { return strings.HasPrefix(tag, "region-") }) || l.Capacity.OrdersPerDay == nil {
			t.Errorf("%s: tags %v, capacity %+v", l.ID, l.Tags, l.Capacity)
		}
	}
	for _, tag := range []string{"clearance", "flagship", "ship-from-store"} {
		if n := places[tag]; n < 2 || n >= storeCount {
			t.Errorf("%d locations are tagged %s", n, tag)
		}
	}
}

func TestRetailerRepeats(t *testing.T) {
	a, b, other := Retailer(7), Retailer(7), Retailer(8)
	same := func(x, y *Data) bool {
		return reflect.DeepEqual([]any{x.Locations, x.SKUs, x.Stock, x.Safety, x.Supply}, []any{y.Locations, y.SKUs, y.Stock, y.Safety, y.Supply})
	}
	if !same(a, b) || same(a, other) {
		t.Error("a seed must give the same retailer, another seed another")
	}
}

func TestDemandHasALongTail(t *testing.T) {
	d := Retailer(1)
	shares := slices.Sorted(slices.Values(d.popularity))
	slices.Reverse(shares)
	top, half := 0.0, 0.0
	for i, s := range shares {
		if i < 200 {
			top += s
		}
		if i < 1000 {
			half += s
		}
	}
	if top < .35 || top > .7 || half < .75 || half > .95 {
		t.Errorf("the first tenth sells %.2f of all, the first half %.2f", top, half)
	}
}

func TestCalendars(t *testing.T) {
	d := Retailer(1)
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		location string
		at       time.Time
		open     bool
	}{
		{"store-berlin", time.Date(2026, 11, 23, 10, 0, 0, 0, zone), true},
		{"store-berlin", time.Date(2026, 11, 22, 12, 0, 0, 0, zone), false}, // a Sunday
		{"store-berlin", time.Date(2026, 4, 3, 12, 0, 0, 0, zone), false},   // Good Friday
		{"store-berlin", time.Date(2027, 5, 17, 12, 0, 0, 0, zone), false},  // Whit Monday
		{"store-berlin", time.Date(2026, 12, 24, 13, 59, 0, 0, zone), true}, // closes at two
		{"store-berlin", time.Date(2026, 12, 24, 14, 0, 0, 0, zone), false},
		{"dc-mitte", time.Date(2026, 11, 23, 6, 0, 0, 0, zone), true},
		{"dc-mitte", time.Date(2026, 10, 3, 12, 0, 0, 0, zone), false}, // German Unity Day
	} {
		l, ok := d.directory.Location(c.location)
		if !ok || l.IsOpen(c.at) != c.open {
			t.Errorf("%s at %s: open is not %t", c.location, c.at, c.open)
		}
	}
}

// Every shopper's order must be one the server can take, and add up.
func TestShoppersOrdersAreValid(t *testing.T) {
	d := Retailer(3)
	kinds := map[string]int{}
	for i := range 3000 {
		v := d.visit(i)
		if err := v.order.Validate(); err != nil {
			t.Fatalf("shopper %d: %v", i, err)
		}
		if !reflect.DeepEqual(v, d.visit(i)) {
			t.Fatalf("shopper %d differs the second time", i)
		}
		if kinds[v.order.Channel]++; v.order.Channel == pickupChannel {
			if l, ok := d.directory.Location(v.order.PickupLocation); !ok || !l.Can(network.CanPickup) {
				t.Errorf("shopper %d collects at %q", i, v.order.PickupLocation)
			}
			continue
		}
		if _, err := d.directory.Quote("ground", &d.Locations[0].Address, v.order.ShipTo, 500); err != nil {
			t.Errorf("shopper %d cannot be sent anything: %v", i, err)
		}
	}
	if kinds[webChannel] < 2000 || kinds[pickupChannel] < 300 || kinds[marketChannel] < 300 {
		t.Errorf("channels: %v", kinds)
	}
}
