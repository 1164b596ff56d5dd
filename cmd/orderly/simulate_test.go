package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/orderly-oms/orderly/internal/sim/dst"
)

var updateSimulate = flag.Bool("update-simulate", false, "write the golden file of the simulator's report")

// TestSimulationReport prints the report of known runs: one that held, one that did not.
func TestSimulationReport(t *testing.T) {
	t.Parallel()
	s := newSimulation()
	one, other := dst.Coverage{Reached: map[string]map[string]int64{}}, dst.Coverage{Reached: map[string]map[string]int64{}}
	one.Reached["faults"] = map[string]int64{"killed": 3, "answer_lost": 1}
	one.Reached["order states"] = map[string]int64{"open": 9, "delivered": 4}
	other.Reached["faults"] = map[string]int64{"killed": 2}
	other.Reached["operations"] = map[string]int64{"capture": 2, "reserve": 1}
	s.add(&dst.Result{Seed: 1, Steps: 120, Orders: 9, Commits: 60, Coverage: &one})
	s.add(&dst.Result{Seed: 2, Steps: 80, Orders: 1, Commits: 7, Coverage: &other, Violation: &dst.Violation{
		Seed: 2, Step: 80, Invariant: 4, Name: "nothing is sold twice", Detail: "3 of a1 at dc, and 2 are there", Recent: []string{"    79 a: capture x1 -> 201", "    80 b: capture x2 -> 201"},
	}})
	s.PerSeed, s.Seconds, s.OrdersPerS = 40, 2, 5
	for _, p := range s.coverage.Report() {
		if len(p.Missed) > 3 {
			p.Missed, p.Known = []string{"this", "that", "other"}, 10 // the vocabulary grows with the product
		}
		s.Coverage = append(s.Coverage, p)
	}
	var out bytes.Buffer
	s.write(&out)
	const golden = "testdata/simulate.golden"
	if *updateSimulate {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the report differs from %s (write it with -update-simulate):\n%s", golden, out.String())
	}
}
