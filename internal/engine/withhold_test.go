package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// told is what a channel is told of a SKU at each location, as availability reads it.
func (n *node) told(channel, sku string) map[string]int64 {
	q := inventory.Inquiry{SKU: sku, Parts: n.Parts(sku), Locations: n.Book().AppendLocations(nil), Empty: true}
	if ch, ok := n.Directory().Channel(channel); ok {
		q.Buffer = ch.Buffer
	}
	if w := n.Withholding(channel, n.Now()); w != nil {
		q.Withheld = w.Of
	}
	out := map[string]int64{}
	var memory inventory.AvailabilityBuffer
	for _, s := range n.Book().AppendAvailability(nil, &memory, q)[0].Locations {
		out[n.Book().LocationID(s.Location)] = s.Units
	}
	return out
}

// plainly is the same by the rule written out, without anything remembered.
func (n *node) plainly(channel, sku, location string) int64 {
	if parts := n.Parts(sku); len(parts) > 0 {
		least := int64(1 << 60)
		for _, p := range parts {
			least = min(least, n.plainly(channel, p.SKU, location)/p.Quantity)
		}
		return least
	}
	l, _ := n.Directory().Location(location)
	ch, _ := n.Directory().Channel(channel)
	s, _ := n.Catalog().Get(sku)
	f := &policy.Facts{
		Order: &policy.Order{Channel: channel}, Now: n.Now(),
		SKU:      &policy.SKU{ID: sku, Category: s.Category, Tags: s.Tags, Attributes: s.Attributes, WeightG: s.WeightG},
		Location: &policy.Location{ID: l.ID, Type: string(l.Type), Country: l.Address.Country, Tags: l.Tags, Priority: l.Priority},
	}
	var keep policy.CompiledBuffer
	if c, _, ok := n.Policies().Choose(policy.KindAvailability, f); ok {
		if row, _ := c.Availability.Choose(f); row != nil {
			keep = *row
		}
	}
	p := n.position(sku, location)
	left := p.OnHand - p.Reserved - p.Allocated - max(p.Safety, keep.Safety) - max(keep.Buffer, ch.Buffer)
	if keep.Hide || left < 0 {
		return 0
	}
	return left - (left*keep.Percent+99)/100
}

// Whatever changes, what a channel is told is the rule written out, and no order or
// reservation gets more than it was told.
func TestStockIsToldAndGivenAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		n := open(t, stores["sqlite"](t)(), newClock())
		defer n.close()
		n.retailer(3, 2, 12)
		skus, locations := []string{"S0", "S1", "K"}, []string{"L00", "L01", "L02"}
		small := func(r *rapid.T, what string) int64 { return rapid.Int64Range(0, 5).Draw(r, what) }
		tags := func(r *rapid.T) []string {
			return rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"a", "b"}}).Draw(r, "tags")
		}
		steps := 0
		r.Repeat(map[string]func(*rapid.T){
			"policy": func(r *rapid.T) {
				steps++
				text := fmt.Sprintf("kind: availability\nname: %s\ndescription: step %d\nselect: {from: %s}\navailability:\n  rules:\n",
					rapid.SampledFrom([]string{"one", "two"}).Draw(r, "name"), steps, n.Now().Add(time.Duration(small(r, "hours"))*time.Hour).Format(time.RFC3339))
				for i := range rapid.IntRange(1, 3).Draw(r, "rows") {
					match := rapid.SampledFrom([]string{
						"types: [dc]", "locations: {include: [a]}", "products: {exclude: [b]}", `when: 'sku.weight_g > 400'`,
						`when: 'location.id == "L01" && sku.id == "S0"'`, `when: 'sku.attributes["none"] == "x"'`,
					}).Draw(r, "match")
					text += fmt.Sprintf("    - {name: r%d, %s, safety: %d, buffer: %d, percent: %d}\n", i, match, small(r, "safety"), small(r, "buffer"), 10*small(r, "percent"))
				}
				if c, err := policy.CompileText([]byte(text)); err != nil || c == nil {
					return // rows that shadow each other
				}
				n.publish(policy.KindAvailability, text[len("kind: availability\nname: "):][:3], text)
			},
			"location": func(r *rapid.T) {
				l, _ := n.Directory().Location(rapid.SampledFrom(locations).Draw(r, "location"))
				next := *l
				next.Tags, next.Type = tags(r), rapid.SampledFrom([]network.LocationType{network.DC, network.Store}).Draw(r, "type")
				n.put(engine.Document{Kind: engine.KindLocation, ID: l.ID, Value: &next})
			},
			"sku": func(r *rapid.T) {
				id := rapid.SampledFrom(skus[:2]).Draw(r, "sku")
				n.put(engine.Document{Kind: engine.KindSKU, ID: id, Value: &catalog.SKU{SKU: id, Tags: tags(r), WeightG: 100 * small(r, "weight")}})
			},
			"channel": func(r *rapid.T) {
				n.put(engine.Document{Kind: engine.KindChannel, ID: "web", Value: &network.Channel{ID: "web", Type: network.Web, Currency: "EUR", Service: "ground", Buffer: small(r, "buffer")}})
			},
			"safety": func(r *rapid.T) {
				if _, err := n.SetSafety(background, []engine.SafetyItem{{SKU: rapid.SampledFrom(skus[:2]).Draw(r, "sku"), Location: rapid.SampledFrom(locations).Draw(r, "at"), Quantity: small(r, "units")}}, engine.Meta{}); err != nil {
					r.Fatal(err)
				}
			},
			"time": func(r *rapid.T) {
				n.clock.advance(time.Duration(small(r, "hours")) * time.Hour)
				n.FireTimers(background) // reservations that end and orders that wait take their turn now, not between two looks
			},
			"order": func(r *rapid.T) {
				sku := rapid.SampledFrom(skus).Draw(r, "sku")
				before := n.told("web", sku)
				b := basket("", sku)
				b.Lines[0].Quantity, b.Lines[0].Tax = rapid.Int64Range(1, 15).Draw(r, "units"), 0
				for _, f := range n.capture(b).Fulfillments {
					if f.Lines[0].Quantity > before[f.Location] {
						r.Fatalf("%d of %s from %s, which was told to have %d", f.Lines[0].Quantity, sku, f.Location, before[f.Location])
					}
				}
			},
			"reservation": func(r *rapid.T) {
				sku := rapid.SampledFrom(skus).Draw(r, "sku")
				before, total := n.told("web", sku), int64(0)
				for _, units := range before {
					total += units
				}
				wanted := rapid.Int64Range(1, 15).Draw(r, "units")
				reply, err := n.Reserve(background, &inventory.NewReservation{Channel: "web", TTLSeconds: 600, Lines: []inventory.NewReservationLine{{SKU: sku, Quantity: wanted}}}, engine.Meta{})
				var refusal *order.Refusal
				if errors.As(err, &refusal) != (wanted > total) || err != nil && refusal == nil {
					r.Fatalf("%d of %d told: %v", wanted, total, err)
				}
				if err != nil {
					return
				}
				for _, h := range reply.Value.(*inventory.Reservation).Holds {
					if h.Quantity > before[h.Location] {
						r.Fatalf("%d of %s held at %s, which was told to have %d", h.Quantity, sku, h.Location, before[h.Location])
					}
				}
			},
			"": func(r *rapid.T) {
				for _, sku := range skus {
					told, want := n.told("web", sku), map[string]int64{}
					for before := map[string]int64(nil); !maps.Equal(before, told); { // orders that wait may take stock meanwhile
						for l := range told {
							want[l] = n.plainly("web", sku, l)
						}
						before, told = told, n.told("web", sku)
					}
					if !maps.Equal(told, want) {
						r.Fatalf("%s: told %v, the rule says %v", sku, told, want)
					}
				}
			},
		})
	})
}

// A policy that starts or ends at a time changes answers at that time.
func TestWithholdingKeepsTime(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 1, 10)
	start := n.Now()
	n.publish(policy.KindAvailability, "sale", fmt.Sprintf("kind: availability\nname: sale\nselect: {from: %s, until: %s}\navailability: {rules: [{name: all, hide: true}]}\n",
		start.Add(3*time.Hour).Format(time.RFC3339), start.Add(4*time.Hour).Format(time.RFC3339)))
	for _, x := range []struct {
		wait time.Duration
		want int64
	}{{0, 10}, {3*time.Hour - time.Microsecond, 10}, {time.Microsecond, 0}, {time.Hour - time.Microsecond, 0}, {time.Microsecond, 10}} {
		n.clock.advance(x.wait)
		if got := n.told("web", "S0")["L00"]; got != x.want {
			t.Errorf("after %s: %d, want %d", n.Now().Sub(start), got, x.want)
		}
	}
}

// What is remembered stays within its bounds.
func TestWithholdingIsBounded(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 1, 10)
	n.publish(policy.KindAvailability, "main", "kind: availability\nname: main\navailability: {rules: [{name: all, buffer: 1}]}\n")
	w := n.Withholding("web", n.Now())
	for i := range engine.MaxWithheldSKUs + 10 {
		w.Of(fmt.Sprint("sku ", i))
	}
	if skus, lists := w.Remembered(); skus != 10 || lists != 1 {
		t.Errorf("%d SKUs and %d lists of rows are remembered", skus, lists)
	}
	for i := range engine.MaxWithholdings {
		n.Withholding(fmt.Sprint("channel ", i), n.Now())
	}
	if again := n.Withholding("web", n.Now()); again == w {
		t.Error("nothing was forgotten")
	}
}

// Many may ask while the catalog changes; at last the answer is the new one.
func TestWithholdingIsAskedByMany(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(3, 2, 10)
	n.publish(policy.KindAvailability, "main", "kind: availability\nname: main\navailability: {rules: [{name: a, products: {include: [a]}, buffer: 4}]}\n")
	var asking sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for l, units := range n.told("web", "S0") {
					if units != 10 && units != 6 {
						t.Errorf("%s is told to have %d", l, units)
						return
					}
				}
			}
		})
	}
	for i := range 50 {
		tags, want := []string(nil), int64(10)
		if i%2 == 0 {
			tags, want = []string{"a"}, 6
		}
		n.put(engine.Document{Kind: engine.KindSKU, ID: "S0", Value: &catalog.SKU{SKU: "S0", Tags: tags}})
		if got := n.told("web", "S0")["L01"]; got != want {
			t.Errorf("after change %d: told %d, want %d", i, got, want)
		}
	}
	close(stop)
	asking.Wait()
}

// BenchmarkTold measures what a channel may have of five SKUs at 50 locations, without HTTP.
func BenchmarkTold(b *testing.B) {
	for name, text := range map[string]string{
		"none":   "",
		"policy": "kind: availability\nname: main\navailability: {rules: [{name: dear, when: 'sku.price > 10000 && location.type == \"store\"', safety: 2}, {name: rest, buffer: 1, percent: 5}]}\n",
	} {
		b.Run(name, func(b *testing.B) {
			n := open(b, stores["sqlite"](b)(), newClock())
			n.retailer(50, 200, 40)
			if text != "" {
				n.publish(policy.KindAvailability, "main", text)
			}
			var memory inventory.AvailabilityBuffer
			var answers []inventory.Availability
			locations := n.Book().AppendLocations(nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q := inventory.Inquiry{Locations: locations}
				if w := n.Withholding("web", n.Now()); w != nil {
					q.Withheld = w.Of
				}
				memory.Reset()
				answers = answers[:0]
				for k := range 5 {
					q.SKU = benchSKUs[(i*5+k)%len(benchSKUs)]
					answers = n.Book().AppendAvailability(answers, &memory, q)
				}
			}
		})
	}
}

var benchSKUs = func() (ids []string) {
	for i := range 200 {
		ids = append(ids, fmt.Sprint("S", i))
	}
	return ids
}()
