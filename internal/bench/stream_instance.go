package bench

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"

	"github.com/orderly-oms/orderly/internal/price"
)

// Money of a stream run is counted in streamUnit parts of a dollar, so that rounding
// per mile does not show in the ratios.
const streamUnit = 10_000

// Costs of the stream cases, in streamUnit parts of a dollar.
const (
	streamShipment  = 87_590
	streamItem      = 4_230
	streamPerMile   = 5.41
	streamUnshipped = 300_000 // per item, retail variant
	earthKM         = 6371
	kmPerMile       = 1.61
)

// Limits of an instance.
const (
	maxStreamItems     = 1000
	maxStreamTypes     = 10_000
	maxStreamPeriods   = 1_000_000
	maxStreamInstances = 1000
)

type place struct {
	name                string
	latitude, longitude float64
	population          float64
}

// streamRegions are where orders come from.
var streamRegions = []place{
	{"New York", 40.6943, -73.9249, 18680025}, {"Los Angeles", 34.1141, -118.4068, 12531334},
	{"Chicago", 41.8375, -87.6866, 8586888}, {"Miami", 25.784, -80.2101, 6076316},
	{"Dallas", 32.7935, -96.7667, 5910669}, {"Houston", 29.786, -95.3885, 5724418},
	{"Philadelphia", 40.0077, -75.1339, 5540199}, {"Atlanta", 33.7628, -84.422, 5151496},
	{"Washington", 38.9047, -77.0163, 5066973}, {"Boston", 42.3188, -71.0852, 4465966},
}

// streamLocations are what holds stock: rows of an instance's stock, in this order.
var streamLocations = []place{
	{"OAK4", 37.7448, -121.3985, 0}, {"IND1", 39.9797, -86.3833, 0}, {"AVP3", 41.2776, -75.4973, 0},
	{"CAE1", 33.9114, -81.0501, 0}, {"DFW7", 32.9709, -97.3348, 0},
}

// instance is one file of the folder.
type instance struct {
	Number      int       `json:"instance"`
	Periods     int       `json:"periods"`
	Types       [][]int   `json:"order_types"`
	Probability []float64 `json:"order_type_probability"`
	Stock       [][]int64 `json:"stock"`
	Published   *float64  `json:"lower_bound_published_penalty"`

	file string
}

// readInstances reads every JSON file of the folder, in order of their names.
func readInstances(folder fs.FS) ([]*instance, error) {
	files, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 || len(files) > maxStreamInstances {
		return nil, fmt.Errorf("a stream run needs 1 to %d instances (*.json), not %d", maxStreamInstances, len(files))
	}
	slices.Sort(files)
	var out []*instance
	for _, file := range files {
		data, err := fs.ReadFile(folder, file)
		if err != nil {
			return nil, err
		}
		in := &instance{file: file}
		if err := json.Unmarshal(data, in); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if err := in.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, in)
	}
	return out, nil
}

func (in *instance) items() int { return len(in.Stock[0]) }

func (in *instance) check() error {
	switch {
	case in.Periods < 2 || in.Periods > maxStreamPeriods:
		return fmt.Errorf("periods must be 2 to %d, not %d", maxStreamPeriods, in.Periods)
	case len(in.Types) != len(in.Probability) || len(in.Types) < 2 || len(in.Types) > maxStreamTypes:
		return fmt.Errorf("%d order types with %d probabilities", len(in.Types), len(in.Probability))
	case len(in.Types[0]) != 0:
		return fmt.Errorf("the first order type is no order, and must be empty")
	case len(in.Stock) != len(streamLocations):
		return fmt.Errorf("stock has %d rows for %d locations", len(in.Stock), len(streamLocations))
	case in.items() < 1 || in.items() > maxStreamItems:
		return fmt.Errorf("items must be 1 to %d, not %d", maxStreamItems, in.items())
	}
	for _, row := range in.Stock {
		if len(row) != in.items() || slices.Min(row) < 0 {
			return fmt.Errorf("each row of stock needs %d quantities of 0 or more", in.items())
		}
	}
	sum := 0.0
	for q, items := range in.Types {
		if (len(items) == 0) != (q == 0) || len(items) > price.MaxLines || in.Probability[q] < 0 {
			return fmt.Errorf("order type %d has %d items and probability %g", q, len(items), in.Probability[q])
		}
		sorted := slices.Sorted(slices.Values(items))
		if len(slices.Compact(slices.Clone(sorted))) != len(items) || len(items) > 0 && (sorted[0] < 0 || sorted[len(sorted)-1] >= in.items()) {
			return fmt.Errorf("order type %d must list different items from 0 to %d", q, in.items()-1)
		}
		sum += in.Probability[q]
	}
	if math.Abs(sum-1) > 1e-6 {
		return fmt.Errorf("probabilities add up to %g", sum)
	}
	return nil
}

// miles between a location and a region, great circle.
func miles(a, b place) float64 {
	const radian = math.Pi / 180
	dLat, dLon := (b.latitude-a.latitude)*radian/2, (b.longitude-a.longitude)*radian/2
	h := math.Sin(dLat)*math.Sin(dLat) + math.Cos(a.latitude*radian)*math.Cos(b.latitude*radian)*math.Sin(dLon)*math.Sin(dLon)
	return 2 * earthKM * math.Asin(math.Sqrt(h)) / kmPerMile
}

// streamCosts are the costs of the cases; published takes the published penalty for unshipped items.
type streamCosts struct {
	item      [][]int64 // per region and location
	farthest  []int64   // per region: item cost of the farthest location
	published bool
}

func newStreamCosts(published bool) *streamCosts {
	c := &streamCosts{published: published}
	for _, r := range streamRegions {
		row := make([]int64, len(streamLocations))
		for k, l := range streamLocations {
			row[k] = streamItem + int64(math.Round(streamPerMile*miles(l, r)))
		}
		c.item, c.farthest = append(c.item, row), append(c.farthest, slices.Max(row))
	}
	return c
}

// Shipment implements [price.Costs]. Zones, locations and SKUs are numbers here.
func (c *streamCosts) Shipment(_, location string) (int64, bool) {
	switch {
	case location != price.Nowhere:
		return streamShipment, true
	case c.published:
		return 2 * streamShipment, true
	}
	return 0, true
}

// Unit implements [price.Costs].
func (c *streamCosts) Unit(zone, location, _ string) int64 {
	region := number(zone)
	switch {
	case location != price.Nowhere:
		return c.item[region][number(location)]
	case c.published:
		return 2 * c.farthest[region]
	}
	return streamUnshipped
}

// name and number write indices as the ids that package price wants.
func name(i int) string { return strconv.Itoa(i) }

func number(id string) int {
	i, err := strconv.Atoi(id)
	if err != nil {
		panic("bench: an id that was not made here: " + id)
	}
	return i
}

var _ price.Costs = (*streamCosts)(nil)
