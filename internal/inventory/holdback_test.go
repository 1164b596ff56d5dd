package inventory

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestHoldbackLeft(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		holdback     Holdback
		free, safety int64
		want         int64
	}{
		{Holdback{}, 10, 3, 7},
		{Holdback{Safety: 5, Buffer: 2, Percent: 10}, 20, 3, 11},
		{Holdback{Safety: 2}, 20, 3, 17}, // the larger safety stock, once
		{Holdback{Percent: 1}, 1, 0, 0},
		{Holdback{Percent: 100}, MaxQuantity, 0, 0},
		{Holdback{Hide: true}, 20, 0, 0},
		{Holdback{Buffer: MaxQuantity}, -20, 0, 0},
	} {
		if got := x.holdback.Left(x.free, x.safety); got != x.want {
			t.Errorf("%+v leaves %d of %d with safety %d, want %d", x.holdback, got, x.free, x.safety, x.want)
		}
	}
}

// TestAvailabilityWithholds compares with the rule written out for each position.
func TestAvailabilityWithholds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := NewBook()
		number := rapid.Int64Range(0, 40)
		held := map[string]*Withheld{}
		for _, sku := range []string{"a", "b"} {
			for l := range 4 {
				b.Load(Position{
					SKU: sku, Location: fmt.Sprint(l), OnHand: number.Draw(t, "on hand"), Allocated: number.Draw(t, "allocated") / 4,
					Safety: number.Draw(t, "safety") / 8,
				})
			}
			w := &Withheld{By: rapid.SliceOfN(rapid.Uint16Range(0, 2), 0, 4).Draw(t, "by")}
			for range 3 {
				w.Holdbacks = append(w.Holdbacks, Holdback{
					Safety: number.Draw(t, "held safety") / 8, Buffer: number.Draw(t, "buffer") / 10,
					Percent: rapid.Int64Range(0, 100).Draw(t, "percent") / 2, Hide: rapid.IntRange(0, 9).Draw(t, "hide") == 0,
				})
			}
			if rapid.Bool().Draw(t, "withheld") {
				held[sku] = w
			}
		}
		parts := []Part{{"a", 1}, {"b", rapid.Int64Range(1, 3).Draw(t, "of b")}}
		buffer := number.Draw(t, "channel buffer") / 10
		plain := func(sku string, l int32) int64 {
			p, _ := b.Get(PositionKey{sku, b.LocationID(l)})
			w := held[sku]
			if w == nil {
				return max(p.OnHand-p.Allocated-p.Safety-buffer, 0)
			}
			h := w.Holdbacks[0]
			if int(l) < len(w.By) {
				h = w.Holdbacks[w.By[l]]
			}
			left := max(p.OnHand-p.Allocated-max(p.Safety, h.Safety)-h.Buffer, 0)
			for left*100 > max(p.OnHand-p.Allocated-max(p.Safety, h.Safety)-h.Buffer, 0)*(100-h.Percent) {
				left--
			}
			if h.Hide {
				return 0
			}
			return left
		}
		var memory AvailabilityBuffer
		q := Inquiry{Locations: b.AppendLocations(nil), Buffer: buffer, Withheld: func(sku string) *Withheld { return held[sku] }, Empty: true}
		for _, sku := range []string{"a", "b", "kit"} {
			q.SKU, q.Parts = sku, nil
			if sku == "kit" {
				q.Parts = parts
			}
			memory.Reset()
			for _, s := range b.AppendAvailability(nil, &memory, q)[0].Locations {
				want := plain("a", s.Location)
				switch sku {
				case "b":
					want = plain("b", s.Location)
				case "kit":
					want = min(want, plain("b", s.Location)/parts[1].Quantity)
				}
				if s.Units != want {
					t.Fatalf("%s at %d: %d units, want %d", sku, s.Location, s.Units, want)
				}
			}
		}
	})
}
