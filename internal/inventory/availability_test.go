package inventory

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAvailability(t *testing.T) {
	t.Parallel()
	b := NewBook()
	b.Load(Position{SKU: "tent", Location: "dc", OnHand: 20, Reserved: 3, Allocated: 4, Picked: 2, Safety: 1, Changed: noon})
	b.Load(Position{SKU: "tent", Location: "north", OnHand: 2, Changed: noon.Add(time.Hour)})
	b.Load(Position{SKU: "tent", Location: "south", OnHand: 1, Allocated: 4, Changed: noon.Add(-time.Hour)})
	b.Load(Position{SKU: "peg", Location: "dc", OnHand: 25})
	b.Load(Position{SKU: "peg", Location: "north", OnHand: 100, Changed: noon.Add(2 * time.Hour)})
	b.Load(Position{SKU: "vast", Location: "dc", OnHand: MaxQuantity, Safety: -MaxQuantity})
	b.Load(Position{SKU: "vast", Location: "north", OnHand: MaxQuantity})
	b.PutSupply(Supply{ID: "1", SKU: "tent", Location: "south", Quantity: 10, ExpectedAt: noon.Add(24 * time.Hour)})
	b.PutSupply(Supply{ID: "2", SKU: "tent", Location: "south", Quantity: 5, ExpectedAt: noon.Add(48 * time.Hour)})
	dc, north, south := b.LocationIndex("dc"), b.LocationIndex("north"), b.LocationIndex("south")
	all := []int32{dc, north, south}
	kit := func(parts ...Part) []Part { return parts }

	for name, c := range map[string]struct {
		inquiry Inquiry
		want    Availability
	}{
		"per location, nothing negative": {
			Inquiry{SKU: "tent", Locations: all},
			Availability{"tent", 14, []Stock{{dc, 12}, {north, 2}}, noon.Add(time.Hour)},
		},
		"only eligible locations count": {
			Inquiry{SKU: "tent", Locations: []int32{south, dc}},
			Availability{"tent", 12, []Stock{{dc, 12}}, noon},
		},
		"empty locations when asked": {
			Inquiry{SKU: "tent", Locations: []int32{south, dc, NoLocation}, Empty: true},
			Availability{"tent", 12, []Stock{{south, 0}, {dc, 12}, {NoLocation, 0}}, noon},
		},
		"buffer once per position, after safety": {
			Inquiry{SKU: "tent", Locations: all, Buffer: 3},
			Availability{"tent", 9, []Stock{{dc, 9}}, noon.Add(time.Hour)},
		},
		"a negative buffer sells nothing extra": {
			Inquiry{SKU: "tent", Locations: all, Buffer: -3},
			Availability{"tent", 14, []Stock{{dc, 12}, {north, 2}}, noon.Add(time.Hour)},
		},
		"a huge buffer holds back everything": {
			Inquiry{SKU: "tent", Locations: all, Buffer: math.MaxInt64},
			Availability{"tent", 0, []Stock{}, noon.Add(time.Hour)},
		},
		"supply due at the date, after filling what is short": {
			Inquiry{SKU: "tent", Locations: all, By: noon.Add(24 * time.Hour)},
			Availability{"tent", 21, []Stock{{dc, 12}, {north, 2}, {south, 7}}, noon.Add(time.Hour)},
		},
		"supply a moment too late": {
			Inquiry{SKU: "tent", Locations: all, By: noon.Add(24*time.Hour - 1)},
			Availability{"tent", 14, []Stock{{dc, 12}, {north, 2}}, noon.Add(time.Hour)},
		},
		"buffer is held back of supply too": {
			Inquiry{SKU: "tent", Locations: []int32{south}, By: noon.Add(48 * time.Hour), Buffer: 2},
			Availability{"tent", 10, []Stock{{south, 10}}, noon.Add(-time.Hour)},
		},
		"kit ships whole from one location": {
			Inquiry{SKU: "camp", Parts: kit(Part{"tent", 1}, Part{"peg", 8}), Locations: all},
			Availability{"camp", 5, []Stock{{dc, 3}, {north, 2}}, noon.Add(2 * time.Hour)},
		},
		"kit that names a part twice needs both": {
			Inquiry{SKU: "camp", Parts: kit(Part{"peg", 8}, Part{"tent", 1}, Part{"peg", 4}), Locations: all},
			Availability{"camp", 4, []Stock{{dc, 2}, {north, 2}}, noon.Add(2 * time.Hour)},
		},
		"kit buffer is held back of each part": {
			Inquiry{SKU: "camp", Parts: kit(Part{"tent", 1}, Part{"peg", 8}), Locations: all, Buffer: 2},
			Availability{"camp", 2, []Stock{{dc, 2}}, noon.Add(2 * time.Hour)},
		},
		"kit of supply": {
			Inquiry{SKU: "pair", Parts: kit(Part{"tent", 2}), Locations: []int32{south}, By: noon.Add(72 * time.Hour)},
			Availability{"pair", 6, []Stock{{south, 6}}, noon.Add(-time.Hour)},
		},
		"kit with an unknown part": {
			Inquiry{SKU: "camp", Parts: kit(Part{"tent", 1}, Part{"lamp", 1}), Locations: all},
			Availability{"camp", 0, []Stock{}, noon.Add(time.Hour)},
		},
		"kit with a part of nothing": {
			Inquiry{SKU: "camp", Parts: kit(Part{"tent", 1}, Part{"peg", 0}), Locations: all},
			Availability{"camp", 0, []Stock{}, noon.Add(2 * time.Hour)},
		},
		"kit with a negative part that another mention would hide": {
			Inquiry{SKU: "camp", Parts: kit(Part{"peg", 3}, Part{"peg", -2}), Locations: all},
			Availability{"camp", 0, []Stock{}, noon.Add(2 * time.Hour)},
		},
		"figures end at the largest quantity": {
			Inquiry{SKU: "vast", Locations: all},
			Availability{"vast", MaxQuantity, []Stock{{dc, MaxQuantity}, {north, MaxQuantity}}, time.Time{}},
		},
		"unknown SKU": {
			Inquiry{SKU: "lamp", Locations: all},
			Availability{"lamp", 0, []Stock{}, time.Time{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buffer AvailabilityBuffer
			got := b.AppendAvailability(nil, &buffer, c.inquiry)
			if len(got) != 1 {
				t.Fatalf("%d answers", len(got))
			}
			got[0].Locations = append([]Stock{}, got[0].Locations...)
			if !reflect.DeepEqual(got[0], c.want) {
				t.Errorf("got  %+v\nwant %+v", got[0], c.want)
			}
		})
	}
}

// Answers that share a buffer stay apart, also when the buffer has to grow.
func TestAnswersShareABuffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBook()
		for _, p := range rapid.SliceOfN(rapid.Custom(genPosition), 1, 40).Draw(t, "positions") {
			b.Load(p)
		}
		locations := b.AppendLocations(nil)
		var buffer AvailabilityBuffer
		var answers []Availability
		for range 2 {
			buffer.Reset()
			answers = answers[:0]
			skus := rapid.SliceOf(genSKU).Draw(t, "skus")
			for _, sku := range skus {
				answers = b.AppendAvailability(answers, &buffer, Inquiry{SKU: sku, Locations: locations})
			}
			for i, sku := range skus {
				var alone AvailabilityBuffer
				got, want := answers[i], b.AppendAvailability(nil, &alone, Inquiry{SKU: sku, Locations: locations})[0]
				if got.Total != want.Total || got.Changed != want.Changed || !slices.Equal(got.Locations, want.Locations) {
					t.Fatalf("answer %d is %+v, alone %+v", i, got, want)
				}
				_ = append(answers[i].Locations, Stock{-7, -7}) // must not reach the next answer
			}
		}
	})
}

func TestAvailabilityAllocatesNothing(t *testing.T) {
	b, skus, locations := shelves(5, 50)
	var buffer AvailabilityBuffer
	answers := make([]Availability, 0, 5)
	parts := []Part{{skus[0], 1}, {skus[1], 2}}
	allocations := testing.AllocsPerRun(100, func() {
		buffer.Reset()
		answers = answers[:0]
		for _, sku := range skus {
			answers = b.AppendAvailability(answers, &buffer, Inquiry{SKU: sku, Locations: locations})
		}
		answers = b.AppendAvailability(answers[:0], &buffer, Inquiry{SKU: "kit", Parts: parts, Locations: locations, By: noon})
	})
	if allocations != 0 {
		t.Errorf("%v allocations per run, want 0", allocations)
	}
}

func TestSupplyValidate(t *testing.T) {
	t.Parallel()
	good := Supply{ID: "1", SKU: "a", Location: "x", Quantity: MaxQuantity, ExpectedAt: noon, Kind: PurchaseOrder}
	if err := good.Validate(); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	for name, spoil := range map[string]func(*Supply){
		"no id":       func(s *Supply) { s.ID = "" },
		"no sku":      func(s *Supply) { s.SKU = "" },
		"no location": func(s *Supply) { s.Location = "" },
		"nothing":     func(s *Supply) { s.Quantity = 0 },
		"too much":    func(s *Supply) { s.Quantity = MaxQuantity + 1 },
		"no date":     func(s *Supply) { s.ExpectedAt = time.Time{} },
		"no kind":     func(s *Supply) { s.Kind = "" },
	} {
		bad := good
		spoil(&bad)
		if bad.Validate() == nil {
			t.Errorf("%s: %+v is accepted", name, bad)
		}
	}
}

// Sums of supply end at the largest int64 instead of turning negative.
func TestSupplyDoesNotOverflow(t *testing.T) {
	t.Parallel()
	b := NewBook()
	for i := range 1100 {
		b.PutSupply(Supply{ID: string(rune(i)), SKU: "a", Location: "x", Quantity: MaxQuantity, ExpectedAt: noon})
	}
	if got := b.AvailableBy("a", "x", noon); got != math.MaxInt64 {
		t.Errorf("available %d, want %d", got, int64(math.MaxInt64))
	}
}
