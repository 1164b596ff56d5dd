package price

import (
	"strconv"
	"testing"
	"time"
)

// country is 43 locations in a row; distance costs.
type country struct{}

func (country) Shipment(_, location string) (int64, bool) {
	if location == Nowhere {
		return 0, true
	}
	return 400, true
}

func (country) Unit(zone, location, _ string) int64 {
	if location == Nowhere {
		return 4000
	}
	a, _ := strconv.Atoi(zone)
	b, _ := strconv.Atoi(location)
	return 50 + 8*int64(max(a-b, b-a))
}

// BenchmarkSolve prices 2,000 SKUs at 43 locations for 5,000 classes.
func BenchmarkSolve(b *testing.B) {
	random := random{state: 11}
	upTo := func(n int) int { return int(random.float() * random.float() * float64(n)) }
	l, err := NewLearner(Options{Seed: 1}, noon)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 30_000 {
		var lines []Line
		for range 1 + upTo(5) {
			lines = append(lines, Line{strconv.Itoa(upTo(2000)), 1})
		}
		l.Observe(strconv.Itoa(upTo(43)), lines, noon.Add(time.Duration(i)*time.Minute))
	}
	m := Market{Costs: country{}, Horizon: 28 * 24 * time.Hour}
	for sku := range 2000 {
		for at := range 43 {
			if n := upTo(12); n > 0 {
				m.Stock = append(m.Stock, Stock{SKU: strconv.Itoa(sku), Location: strconv.Itoa(at), Quantity: int64(n)})
			}
		}
	}
	b.ReportMetric(float64(l.Classes()), "classes")
	at := noon.Add(30_000 * time.Minute)
	for b.Loop() {
		p, err := l.Solve(m, at)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(p.Positions)), "priced")
	}
}
