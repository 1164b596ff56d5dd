package exact_test

import (
	"math/rand/v2"
	"testing"

	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// zoneCard is a carrier's charge by zone and started pounds.
type zoneCard struct{ base, perPound int64 }

func (z zoneCard) Price(grams int64) (int64, bool) {
	return z.base + z.perPound*((grams+453)/454), true
}

// retail makes an order as a shop sees them: each location has each line with
// probability p, and prices of its own.
func retail(random *rand.Rand, lines, locations int, p float64) *exact.Problem {
	problem := &exact.Problem{MaxShipments: exact.NoLimit}
	for zone := range int64(8) {
		problem.Tariffs = append(problem.Tariffs, zoneCard{base: 350 + 40*zone, perPound: 45 + 12*zone})
	}
	for range lines {
		problem.Lines = append(problem.Lines, exact.Line{
			Quantity: 1 + random.Int64N(4), Grams: 100 + random.Int64N(2500), Unfilled: 1500 + random.Int64N(3000), Value: 2000,
		})
	}
	for range locations {
		l := exact.Location{
			Shipment: 150 + random.Int64N(500), Tariff: random.IntN(8), MaxUnits: exact.NoLimit, MaxValue: exact.NoLimit,
			Unit: make([]int64, lines), Available: make([]int64, lines),
		}
		for i := range lines {
			l.Unit[i] = 50 + random.Int64N(200)
			if random.Float64() < p {
				l.Available[i] = 4 + random.Int64N(20)
			}
		}
		problem.Locations = append(problem.Locations, l)
	}
	return problem
}

func benchmark(b *testing.B, lines, locations int, p float64) {
	random := rand.New(rand.NewPCG(1, 2))
	problems := make([]*exact.Problem, 20)
	for i := range problems {
		problems[i] = retail(random, lines, locations, p)
	}
	var s exact.Solver
	gap := 0.0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := s.Solve(problems[i%len(problems)])
		gap = max(gap, float64(r.Cost-r.Bound)/float64(r.Cost))
	}
	b.ReportMetric(100*gap, "%gap")
}

func BenchmarkSolve(b *testing.B) {
	b.Run("5x500", func(b *testing.B) { benchmark(b, 5, 500, .6) })
	b.Run("5x500full", func(b *testing.B) { benchmark(b, 5, 500, .95) })
	b.Run("10x500", func(b *testing.B) { benchmark(b, 10, 500, .6) })
	b.Run("10x500full", func(b *testing.B) { benchmark(b, 10, 500, .95) })
	b.Run("14x500", func(b *testing.B) { benchmark(b, 14, 500, .6) })
	b.Run("100x2000", func(b *testing.B) { benchmark(b, 100, 2000, .6) })
}
