package bench

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"testing/fstest"
)

func smallStream(t *testing.T) *StreamReport {
	t.Helper()
	report, err := Streaming(context.Background(), StreamOptions{Cases: os.DirFS("testdata/stream"), Seasons: 6, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestLearnedBeatsMyopicAndTheBoundHolds(t *testing.T) {
	t.Parallel()
	report := smallStream(t)
	for name, table := range map[string]StreamTable{"steady": report.Steady, "shifted": report.Shifted} {
		cost := map[string]float64{}
		for _, p := range table.Policies {
			cost[p.Policy] = p.CostOverBound
			// The bound is on the mean over all seasons; six of them stray by a few hundredths.
			if p.CostOverBound < 0.97 {
				t.Errorf("%s: %s costs %.3f of the bound", name, p.Policy, p.CostOverBound)
			}
		}
		if len(cost) != len(StreamPolicies)+1 || cost["bound"] != 1 {
			t.Errorf("%s: rows %v", name, cost)
		}
		t.Logf("%s: %v", name, cost)
		if cost["learned"] >= cost["myopic-exact"] || cost["myopic-exact"] >= cost["nearest"] {
			t.Errorf("%s: learned %.4f, myopic %.4f, nearest %.4f", name, cost["learned"], cost["myopic-exact"], cost["nearest"])
		}
	}
}

func TestStreamRepeats(t *testing.T) {
	t.Parallel()
	options := StreamOptions{Cases: os.DirFS("testdata/stream"), Seasons: 1, Seed: 5}
	first, err := Streaming(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Streaming(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, second) {
		t.Errorf("the same seed gave %+v and %+v", first, second)
	}
}

func TestStreamCostsAreThoseOfTheCases(t *testing.T) {
	t.Parallel()
	c := newStreamCosts(true)
	// Hand-made: Dallas is some 50 miles from its location, by the cases' radius and mile.
	if m := miles(streamLocations[4], streamRegions[4]); math.Abs(m-34.3) > 5 {
		t.Errorf("Dallas is %.1f miles away", m)
	}
	if fixed, _ := c.Shipment("0", ""); fixed != 2*streamShipment || c.Unit("0", "", "0") != 2*c.item[0][0] {
		t.Errorf("the published penalty is %d and %d", fixed, c.Unit("0", "", "0"))
	}
}

func TestShiftedDemandIsAsLarge(t *testing.T) {
	t.Parallel()
	instances, err := readInstances(os.DirFS("testdata/stream"))
	if err != nil {
		t.Fatal(err)
	}
	d := instances[0].first()
	s := d.shifted(rand.New(rand.NewPCG(1, 1)))
	sum := 0.0
	for _, p := range s.types {
		sum += p
	}
	if s.types[0] != d.types[0] || math.Abs(sum-1) > 1e-9 || reflect.DeepEqual(s.types, d.types) || s.regions[9] != d.regions[0] {
		t.Errorf("%+v became %+v", d, s)
	}
}

func TestInstancesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no stock":      `{"periods":10,"order_types":[[],[0]],"order_type_probability":[0.5,0.5],"stock":[]}`,
		"probabilities": `{"periods":10,"order_types":[[],[0]],"order_type_probability":[0.5,0.6],"stock":[[1],[1],[1],[1],[1]]}`,
		"an item":       `{"periods":10,"order_types":[[],[1]],"order_type_probability":[0.5,0.5],"stock":[[1],[1],[1],[1],[1]]}`,
		"periods":       `{"periods":1,"order_types":[[],[0]],"order_type_probability":[0.5,0.5],"stock":[[1],[1],[1],[1],[1]]}`,
		"not JSON":      `{`,
	} {
		if _, err := readInstances(fstest.MapFS{"a.json": {Data: []byte(text)}}); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	if _, err := Streaming(context.Background(), StreamOptions{Cases: fstest.MapFS{}, Seasons: 1}); err == nil {
		t.Error("an empty folder was run")
	}
	if _, err := Streaming(context.Background(), StreamOptions{Cases: os.DirFS("testdata/stream")}); err == nil {
		t.Error("no seasons were run")
	}
}
