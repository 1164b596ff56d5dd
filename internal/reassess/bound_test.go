package reassess

import (
	"context"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// stream is a season of orders against finite stock (Jasin and Sinha, 2015): the numbers of the cases as they are published.
type stream struct {
	Periods     int       `json:"periods"`
	Types       [][]int   `json:"order_types"`
	Probability []float64 `json:"order_type_probability"`
	Stock       [][]int64 `json:"stock"`
	Published   float64   `json:"lower_bound_published_penalty"`
}

var streamRegions = [][3]float64{
	{40.6943, -73.9249, 18680025}, {34.1141, -118.4068, 12531334}, {41.8375, -87.6866, 8586888}, {25.784, -80.2101, 6076316},
	{32.7935, -96.7667, 5910669}, {29.786, -95.3885, 5724418}, {40.0077, -75.1339, 5540199}, {33.7628, -84.422, 5151496},
	{38.9047, -77.0163, 5066973}, {42.3188, -71.0852, 4465966},
}

var streamLocations = [][2]float64{{37.7448, -121.3985}, {39.9797, -86.3833}, {41.2776, -75.4973}, {33.9114, -81.0501}, {32.9709, -97.3348}}

func streamMiles(lat1, lon1, lat2, lon2 float64) float64 {
	const r = math.Pi / 180
	a, b := math.Sin((lat2-lat1)*r/2), math.Sin((lon2-lon1)*r/2)
	return 2 * 6371 * math.Asin(math.Sqrt(a*a+math.Cos(lat1*r)*math.Cos(lat2*r)*b*b)) / 1.61
}

// problem is the season as a dual; a sixth location stands for not shipping, at the published penalty. A dollar has 10,000 parts.
func (s *stream) problem() *dual {
	const dollar = 10_000.0
	d := &dual{}
	items := len(s.Stock[0])
	for _, row := range s.Stock {
		for _, n := range row {
			d.supply = append(d.supply, float64(n))
		}
	}
	people := 0.0
	for _, r := range streamRegions {
		people += r[2]
	}
	for q, list := range s.Types {
		if len(list) == 0 {
			continue
		}
		for _, r := range streamRegions {
			c := dualClass{count: float64(s.Periods) * s.Probability[q] * r[2] / people}
			c.problem = exact.Problem{MaxShipments: exact.NoLimit, Split: exact.SplitNever}
			for range list {
				c.problem.Lines = append(c.problem.Lines, exact.Line{Quantity: 1, Unfilled: 1 << 40})
			}
			far := 0.0
			for k := 0; k <= len(streamLocations); k++ {
				l := exact.Location{Shipment: int64(8.759 * dollar), Tariff: -1, MaxUnits: exact.NoLimit, MaxValue: exact.NoLimit}
				var unit float64
				if k < len(streamLocations) {
					at := streamLocations[k]
					unit = 0.423 + 0.000541*streamMiles(at[0], at[1], r[0], r[1])
					far = max(far, unit)
				} else {
					unit, l.Shipment = 2*far, int64(2*8.759*dollar)
				}
				var positions []int32
				var base []int64
				for _, item := range list {
					at := int32(-1)
					if k < len(streamLocations) {
						at = int32(k*items + item)
					}
					positions, base = append(positions, at), append(base, int64(math.Round(unit*dollar)))
					l.Available = append(l.Available, 1)
				}
				l.Unit = slices.Clone(base)
				c.problem.Locations = append(c.problem.Locations, l)
				c.positions, c.base = append(c.positions, positions), append(c.base, base)
			}
			d.classes = append(d.classes, c)
		}
	}
	return d
}

var streamCases = flag.String("stream", "testdata/stream_*.json", "stream cases that TestBoundAgreesWithThePublished reads")

// TestBoundAgreesWithThePublished compares with the bounds that the cases are published with.
func TestBoundAgreesWithThePublished(t *testing.T) {
	files, err := filepath.Glob(*streamCases)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s stream
		if err := json.Unmarshal(body, &s); err != nil {
			t.Fatal(err)
		}
		best, _, err := s.problem().ascend(context.Background(), 1500)
		if err != nil {
			t.Fatal(err)
		}
		ratio := best / 10_000 / s.Published
		t.Logf("%s: %.0f, published %.0f (%.4f)", filepath.Base(file), best/10_000, s.Published, ratio)
		if ratio < 0.995 || ratio > 1.005 {
			t.Errorf("%s: the bound is %.4f of the published one", filepath.Base(file), ratio)
		}
	}
}

// TestBoundIsBelowEveryWay tries every way to serve a few small orders from little stock.
func TestBoundIsBelowEveryWay(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	tight, served := 0, 0
	for range 200 {
		d, orders := smallProblem(dice)
		least, feasible := cheapestWay(d, orders, 0, slices.Clone(d.supply))
		best, _, err := d.ascend(context.Background(), 400)
		if err != nil {
			t.Fatal(err)
		}
		if feasible && best > least+0.5 {
			t.Fatalf("the bound %.0f is above a way that costs %.0f", best, least)
		}
		if feasible {
			served++
			if best > 0.9*least {
				tight++
			}
		}
		more := d.supply
		for k := range more {
			more[k]++
		}
		richer := &dual{classes: d.classes, supply: more}
		if again, _, err := richer.ascend(context.Background(), 400); err != nil || again > best*1.02+1 && feasible && again > least+0.5 {
			t.Fatalf("with more stock the bound rises from %.0f to %.0f (%v)", best, again, err)
		}
	}
	if served < 20 || tight < served*2/3 {
		t.Errorf("%d of %d bounds are near the least cost", tight, served)
	}
}

// smallProblem is three classes of two lines and three locations; orders lists each order's class.
func smallProblem(dice *rand.Rand) (d *dual, orders []int) {
	d = &dual{}
	for range 6 { // 3 locations × 2 articles
		d.supply = append(d.supply, float64(dice.IntN(4)))
	}
	for i := range 3 {
		c := dualClass{count: float64(1 + dice.IntN(2)), problem: exact.Problem{MaxShipments: exact.NoLimit, Split: exact.SplitAlways}}
		for range int(c.count) {
			orders = append(orders, i)
		}
		c.problem.Lines = []exact.Line{{Quantity: 1, Unfilled: 100_000}, {Quantity: 1, Unfilled: 100_000}}
		for k := range 3 {
			l := exact.Location{Shipment: int64(1000 + dice.IntN(3000)), Unit: []int64{0, 0}, Available: []int64{1, 1}, Tariff: -1, MaxUnits: exact.NoLimit, MaxValue: exact.NoLimit}
			base := []int64{int64(dice.IntN(2000)), int64(dice.IntN(2000))}
			copy(l.Unit, base)
			c.problem.Locations = append(c.problem.Locations, l)
			c.base, c.positions = append(c.base, base), append(c.positions, []int32{int32(2 * k), int32(2*k + 1)})
		}
		d.classes = append(d.classes, c)
	}
	return d, orders
}

// cheapestWay tries all ways to serve the orders from i on; false: one of them cannot be served.
func cheapestWay(d *dual, orders []int, i int, left []float64) (least float64, ok bool) {
	if i == len(orders) {
		return 0, true
	}
	c := &d.classes[orders[i]]
	least = math.Inf(1)
	for a := range 3 {
		for b := range 3 {
			x, y := c.positions[a][0], c.positions[b][1]
			if left[x] < 1 || left[y] < 1 {
				continue
			}
			cost := float64(c.problem.Locations[a].Shipment + c.base[a][0] + c.base[b][1])
			if a != b {
				cost += float64(c.problem.Locations[b].Shipment)
			}
			left[x]--
			left[y]--
			if rest, served := cheapestWay(d, orders, i+1, left); served {
				least, ok = min(least, cost+rest), true
			}
			left[x]++
			left[y]++
		}
	}
	return least, ok
}
