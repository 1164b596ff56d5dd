package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func byKey(a, b Position) int {
	return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Location, b.Location))
}

// model is the book as anyone would write it first.
type model struct {
	positions map[PositionKey]Position
	supply    map[string]Supply
}

func (m *model) at(key PositionKey) Position {
	p := m.positions[key]
	p.SKU, p.Location = key.SKU, key.Location
	return p
}

func (m *model) sorted() []Position { return slices.SortedFunc(maps.Values(m.positions), byKey) }

func (m *model) availableBy(key PositionKey, t time.Time) int64 {
	sum := m.positions[key].Available()
	for _, s := range m.supply {
		if s.SKU == key.SKU && s.Location == key.Location && !s.ExpectedAt.After(t) {
			sum += s.Quantity
		}
	}
	return sum
}

// The generators below are shared, and rapid's are not safe for concurrent use:
// tests that draw from them do not run in parallel.
var (
	genSKU      = rapid.SampledFrom([]string{"a", "b", "c"})
	genLocation = rapid.StringMatching(`[a-d][a-d]?`) // more than a directory sees in order
	genKey      = rapid.Custom(func(t *rapid.T) PositionKey {
		return PositionKey{genSKU.Draw(t, "sku"), genLocation.Draw(t, "location")}
	})
	// genUnits is around every edge of the narrow form, and ordinary.
	genUnits = rapid.OneOf(
		rapid.Int64Range(-5, 100),
		rapid.SampledFrom([]int64{
			math.MaxInt32, math.MaxInt32 + 1, math.MinInt32, math.MinInt32 - 1, math.MinInt32 + 1,
			-math.MinInt32, MaxQuantity, -MaxQuantity,
		}))
	genTime = rapid.OneOf(
		rapid.Custom(func(t *rapid.T) time.Time {
			return noon.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "micros")) * time.Microsecond)
		}),
		rapid.SampledFrom([]time.Time{{}, time.UnixMicro(0).UTC(), time.UnixMicro(-1).UTC()}))
)

func genPosition(t *rapid.T) Position {
	key := genKey.Draw(t, "key")
	return Position{
		SKU: key.SKU, Location: key.Location,
		OnHand: genUnits.Draw(t, "on hand"), Reserved: genUnits.Draw(t, "reserved"),
		Allocated: genUnits.Draw(t, "allocated"), Picked: genUnits.Draw(t, "picked"),
		Safety: genUnits.Draw(t, "safety"), AsOf: genTime.Draw(t, "as of"), Changed: genTime.Draw(t, "changed"),
	}
}

func genDelta(t *rapid.T) Delta {
	return Delta{
		genUnits.Draw(t, "on hand"), genUnits.Draw(t, "reserved"),
		genUnits.Draw(t, "allocated"), genUnits.Draw(t, "picked"),
	}
}

func TestBookIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, m := NewBook(), model{map[PositionKey]Position{}, map[string]Supply{}}
		actions := modelActions(b, &m)
		actions[""] = func(t *rapid.T) { compare(t, b, &m) }
		t.Repeat(actions)
	})
}

func modelActions(b *Book, m *model) map[string]func(*rapid.T) {
	update := func(t *rapid.T, change func(PositionKey, *Position)) {
		key := genKey.Draw(t, "key")
		p := m.at(key)
		change(key, &p)
		m.positions[key] = p
	}
	return map[string]func(*rapid.T){
		"load": func(t *rapid.T) {
			p := genPosition(t)
			b.Load(p)
			m.positions[p.Key()] = p
		},
		"apply": func(t *rapid.T) {
			update(t, func(key PositionKey, p *Position) {
				d := genDelta(t)
				*p = p.Add(d)
				if got := b.Apply(key, d); got != *p {
					t.Fatalf("Apply(%v, %v) = %+v, want %+v", key, d, got, *p)
				}
			})
		},
		"safety": func(t *rapid.T) {
			update(t, func(key PositionKey, p *Position) {
				p.Safety = genUnits.Draw(t, "safety")
				b.SetSafety(key, p.Safety)
			})
		},
		"counted": func(t *rapid.T) {
			update(t, func(key PositionKey, p *Position) {
				p.AsOf = genTime.Draw(t, "as of")
				b.SetCounted(key, p.AsOf)
			})
		},
		"changed": func(t *rapid.T) {
			update(t, func(key PositionKey, p *Position) {
				p.Changed = genTime.Draw(t, "changed")
				b.SetChanged(key, p.Changed)
			})
		},
		"locations": func(t *rapid.T) { b.AddLocations(rapid.SliceOf(genLocation).Draw(t, "ids")...) },
		"put supply": func(t *rapid.T) {
			key := genKey.Draw(t, "key")
			s := Supply{
				ID: rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "id"), SKU: key.SKU, Location: key.Location,
				Quantity: rapid.Int64Range(1, 9).Draw(t, "quantity"), ExpectedAt: genTime.Draw(t, "expected"), Kind: Transfer,
			}
			b.PutSupply(s)
			m.supply[s.ID] = s
		},
		"remove supply": func(t *rapid.T) {
			id := rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "id")
			_, want := m.supply[id]
			if got := b.RemoveSupply(id); got != want {
				t.Fatalf("RemoveSupply(%s) = %v, want %v", id, got, want)
			}
			delete(m.supply, id)
		},
	}
}

// compare checks every read of the book against the model.
func compare(t *rapid.T, b *Book, m *model) {
	want := m.sorted()
	var all []Position
	b.EachAll(func(p Position) bool { all = append(all, p); return true })
	if !slices.Equal(all, want) || b.Len() != len(want) {
		t.Fatalf("%d positions, EachAll:\n%+v\nwant\n%+v", b.Len(), all, want)
	}
	for _, sku := range []string{"a", "b", "c", "unknown"} {
		compareSKU(t, b, m, sku)
	}
	for key := range m.positions {
		if got, ok := b.Get(key); !ok || got != m.positions[key] {
			t.Fatalf("Get(%v) = %+v, %v, want %+v", key, got, ok, m.positions[key])
		}
	}
	key := genKey.Draw(t, "probe")
	if got, ok := b.Get(key); ok != (m.positions[key] != Position{}) || got != m.positions[key] {
		t.Fatalf("Get(%v) = %+v, %v", key, got, ok)
	}
	by := genTime.Filter(func(t time.Time) bool { return !t.IsZero() }).Draw(t, "by")
	if got, want := b.AvailableBy(key.SKU, key.Location, by), m.availableBy(key, by); got != want {
		t.Fatalf("AvailableBy(%v, %v) = %d, want %d", key, by, got, want)
	}
}

func compareSKU(t *rapid.T, b *Book, m *model, sku string) {
	var want, got []Position
	var wantStocked []Stock
	for _, p := range m.sorted() {
		if p.SKU == sku {
			want = append(want, p)
			if p.Available() > 0 {
				wantStocked = append(wantStocked, Stock{b.LocationIndex(p.Location), p.Available()})
			}
		}
	}
	b.Each(sku, func(p Position) bool { got = append(got, p); return true })
	if !slices.Equal(got, want) {
		t.Fatalf("Each(%s) = %+v, want %+v", sku, got, want)
	}
	if got := b.AppendStocked(nil, sku); !slices.Equal(got, wantStocked) {
		t.Fatalf("AppendStocked(%s) = %v, want %v", sku, got, wantStocked)
	}
	all := b.AppendLocations(nil)
	if !slices.IsSortedFunc(all, func(x, y int32) int { return cmp.Compare(b.LocationID(x), b.LocationID(y)) }) {
		t.Fatalf("locations %v are not in order", all)
	}
	// In any order, with strangers.
	list := rapid.Permutation(append(all, NoLocation, 1<<20)).Draw(t, "locations")
	for range 2 {
		out := slices.Repeat([]int64{42}, len(list))
		b.Available(sku, list, out)
		for i, l := range list {
			if want := m.positions[PositionKey{sku, b.LocationID(l)}].Available(); out[i] != want {
				t.Fatalf("Available(%s) of %v is %v: [%d], want %d", sku, list, out, i, want)
			}
		}
		b.SortLocations(list)
	}
	var supply []Supply
	b.EachSupply(sku, func(s Supply) bool { supply = append(supply, s); return true })
	wantSupply := slices.SortedFunc(maps.Values(m.supply), func(a, b Supply) int {
		return cmp.Or(a.ExpectedAt.Compare(b.ExpectedAt), cmp.Compare(a.ID, b.ID))
	})
	wantSupply = slices.DeleteFunc(wantSupply, func(s Supply) bool { return s.SKU != sku })
	if !slices.Equal(supply, wantSupply) {
		t.Fatalf("EachSupply(%s) = %v, want %v", sku, supply, wantSupply)
	}
}

func TestIterationStopsWhenTold(t *testing.T) {
	t.Parallel()
	b := NewBook()
	for _, sku := range []string{"a", "b"} {
		for _, location := range []string{"x", "y"} {
			b.Apply(PositionKey{sku, location}, Delta{OnHand: 1})
			b.PutSupply(Supply{ID: sku + location, SKU: sku, Location: location, Quantity: 1, ExpectedAt: noon})
		}
	}
	calls := 0
	b.EachAll(func(Position) bool { calls++; return calls < 3 })
	b.Each("a", func(Position) bool { calls += 10; return false })
	b.EachSupply("a", func(Supply) bool { calls += 100; return false })
	if calls != 113 {
		t.Errorf("calls count %d, want 3 + 10 + 100", calls)
	}
}

// A callback may use the book, even write to it: no lock is held meanwhile.
func TestEachHoldsNoLock(t *testing.T) {
	t.Parallel()
	b := NewBook()
	key := PositionKey{"a", "x"}
	b.Apply(key, Delta{OnHand: 1})
	b.Each("a", func(p Position) bool { b.Apply(key, Delta{OnHand: 1}); return true })
	b.EachAll(func(p Position) bool { b.Apply(key, Delta{OnHand: 1}); return true })
	if p, _ := b.Get(key); p.OnHand != 3 {
		t.Errorf("on hand %d, want 3", p.OnHand)
	}
}

func TestManyLocationsStayInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBook()
		ids := rapid.SliceOfDistinct(rapid.StringN(1, 4, -1), rapid.ID).Draw(t, "ids")
		for i, id := range ids {
			b.Load(Position{SKU: "a", Location: id, OnHand: int64(i)})
		}
		for i, id := range ids {
			if l := b.LocationIndex(id); l != int32(i) || b.LocationID(l) != id {
				t.Fatalf("location %q has index %d, want %d", id, l, i)
			}
		}
		var got []string
		b.Each("a", func(p Position) bool { got = append(got, p.Location); return true })
		if want := slices.Sorted(slices.Values(ids)); !slices.Equal(got, want) {
			t.Fatalf("Each gives %q, want %q", got, want)
		}
		some := rapid.SliceOfDistinct(rapid.IntRange(0, len(ids)), rapid.ID).Draw(t, "some")
		locations := make([]int32, len(some))
		for i, l := range some {
			locations[i] = int32(l)
		}
		b.SortLocations(locations)
		out := make([]int64, len(locations))
		b.Available("a", locations, out)
		for i, l := range locations {
			if want := int64(l) % int64(max(len(ids), 1)); out[i] != want {
				t.Fatalf("available at location %d is %d, want %d", l, out[i], want)
			}
		}
	})
}

// One writer moves units between two locations and between free and reserved;
// whatever readers see of the SKU at one instant must add up.
func TestReadersSeeNoHalfChange(t *testing.T) {
	t.Parallel()
	const units, changes, readers = 1_000, 3_000, 4
	b := NewBook()
	b.AddLocations("x", "y")
	locations := b.AppendLocations(nil)
	b.Load(Position{SKU: "a", Location: "x", OnHand: units, Changed: noon})
	done := make(chan struct{})
	var readersDone sync.WaitGroup
	for range readers {
		readersDone.Go(func() {
			var buffer AvailabilityBuffer
			var answers []Availability
			out := make([]int64, 2)
			for {
				buffer.Reset()
				answers = b.AppendAvailability(answers[:0], &buffer, Inquiry{SKU: "a", Locations: locations, By: noon})
				b.Available("a", locations, out)
				if sum := out[0] + out[1]; sum != units && sum != units-1 {
					t.Errorf("%v available, want %d or one less", out, units)
				}
				var onHand, reserved int64
				b.Each("a", func(p Position) bool { onHand += p.OnHand; reserved += p.Reserved; return true })
				if onHand != units || reserved < 0 || reserved > 1 {
					t.Errorf("on hand %d, reserved %d", onHand, reserved)
				}
				b.EachAll(func(p Position) bool { _, ok := b.Get(p.Key()); return ok })
				b.EachSupply("a", func(s Supply) bool { return s.Quantity == 1 })
				_, _, _ = b.Len(), b.LocationIndex("y"), b.AppendStocked(nil, "a")
				if all := b.AppendLocations(nil); !slices.IsSortedFunc(all, func(x, y int32) int {
					return cmp.Compare(b.LocationID(x), b.LocationID(y))
				}) {
					t.Errorf("locations %v are not in order", all)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range changes {
		at := PositionKey{"a", []string{"x", "y"}[i%2]}
		b.Apply(at, Delta{Reserved: 1})
		b.Apply(at, Delta{Reserved: -1})
		b.SetChanged(at, noon.Add(time.Duration(i)*time.Microsecond))
		b.SetCounted(at, noon)
		b.Apply(PositionKey{fmt.Sprint("c", i%11), fmt.Sprint(i % 60)}, Delta{OnHand: 1})
		b.Load(Position{SKU: fmt.Sprint("b", i%7), Location: fmt.Sprint(i * 7919 % 500), OnHand: 1})
		b.PutSupply(Supply{ID: "1", SKU: "a", Location: "x", Quantity: 1, ExpectedAt: noon.Add(time.Hour)})
	}
	close(done)
	readersDone.Wait()
}
