package inventory

import (
	"fmt"
	"runtime"
	"testing"
)

// shelves returns a book with every SKU at every location, and both lists.
func shelves(skuCount, locationCount int) (*Book, []string, []int32) {
	b := NewBook()
	skus, ids := names("SKU-%08d", skuCount), names("LOC-%04d", locationCount)
	fill(b, skus, ids)
	return b, skus, b.AppendLocations(nil)
}

func fill(b *Book, skus, ids []string) {
	for i, sku := range skus {
		for k, id := range ids {
			b.Load(Position{SKU: sku, Location: id, OnHand: int64(i + k), Changed: noon, AsOf: noon})
		}
	}
}

func names(format string, count int) []string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}

func BenchmarkBookApply(b *testing.B) {
	book, skus, locations := shelves(100_000, 10)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		// A stride coprime to both counts, so that no cell is in the cache.
		key := PositionKey{skus[i*7919%len(skus)], book.LocationID(locations[i%len(locations)])}
		book.Apply(key, Delta{OnHand: 1})
	}
}

func BenchmarkAvailability5SKUs(b *testing.B) {
	for _, locationCount := range []int{10, 50} {
		b.Run(fmt.Sprint("locations=", locationCount), func(b *testing.B) {
			book, skus, locations := shelves(1_000_000/locationCount, locationCount)
			var buffer AvailabilityBuffer
			var answers []Availability
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				buffer.Reset()
				answers = answers[:0]
				for range 5 {
					i++
					q := Inquiry{SKU: skus[i*7919%len(skus)], Locations: locations}
					answers = book.AppendAvailability(answers, &buffer, q)
				}
			}
		})
	}
}

// BenchmarkDecisionRead is what sourcing reads: one SKU over its eligible locations.
func BenchmarkDecisionRead(b *testing.B) {
	for _, eligible := range []int{25, 500} {
		for _, stocked := range []int{10, 500} {
			b.Run(fmt.Sprintf("eligible=%d/stocked=%d", eligible, stocked), func(b *testing.B) {
				book, skus, _ := shelves(200, stocked)
				book.AddLocations(names("LOC-%04d", 500)...)
				all := book.AppendLocations(nil)
				locations := make([]int32, 0, eligible)
				for i := range eligible {
					locations = append(locations, all[i*len(all)/eligible])
				}
				out := make([]int64, eligible)
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					i++
					book.Available(skus[i%len(skus)], locations, out)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(eligible), "ns/cell")
			})
		}
	}
}

func BenchmarkLoad1M(b *testing.B) {
	skus, ids := names("SKU-%08d", 100_000), names("LOC-%04d", 10)
	for b.Loop() {
		fill(NewBook(), skus, ids)
	}
}

func BenchmarkNet(b *testing.B) {
	skus := names("SKU-%08d", 1_000)
	var movements []Movement
	for i := range 4_000 {
		movements = append(movements, Movement{SKU: skus[i%len(skus)], Location: "dc", From: Free, To: Reserved, Quantity: 1})
	}
	var n Netting
	b.ReportAllocs()
	for b.Loop() {
		n.Reset()
		for _, m := range movements {
			n.Add(m)
		}
		n.Changes()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(movements)), "ns/movement")
}

// BenchmarkMemory10M reports the heap that 10,000,000 positions take, by shape.
// Run it with -benchtime 1x.
func BenchmarkMemory10M(b *testing.B) {
	const positions = 10_000_000
	for _, locationCount := range []int{100, 10} {
		b.Run(fmt.Sprintf("skus=%d/locations=%d", positions/locationCount, locationCount), func(b *testing.B) {
			skus, ids := names("SKU-%08d", positions/locationCount), names("LOC-%04d", locationCount)
			var held uint64
			for b.Loop() {
				before := heap()
				book := NewBook()
				fill(book, skus, ids)
				held = heap() - before
				runtime.KeepAlive(book)
			}
			b.ReportMetric(float64(held)/positions, "bytes/position")
			b.ReportMetric(float64(held)/1e6, "MB")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
