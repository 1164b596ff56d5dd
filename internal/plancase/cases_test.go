package plancase_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/orderly-oms/orderly/internal/plancase"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// Every public case has its proven optimum.
func TestPublicCasesAreSolvedToTheirOptimum(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join("..", "..", "..", "shared", "cases", "plan", "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var solver exact.Solver
	lines, solved := bufio.NewScanner(file), 0
	lines.Buffer(nil, plancase.MaxBytes)
	for lines.Scan() {
		c, err := plancase.Decode(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var known struct {
			Optimum struct {
				Cost      int64
				Shipments int
				Cancelled int64 `json:"cancelled_units"`
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &known); err != nil {
			t.Fatal(err)
		}
		plan := c.Solve(&solver)
		cancelled := int64(0)
		for _, u := range plan.Cancelled {
			cancelled += u.Quantity
		}
		want := known.Optimum
		if plan.Cost != want.Cost || len(plan.Shipments) != want.Shipments || cancelled != want.Cancelled {
			t.Errorf("%s: cost %d, %d shipments, %d cancelled; want %+v", c.ID, plan.Cost, len(plan.Shipments), cancelled, want)
		}
		if plan.Method != "exact" || plan.Bound != nil {
			t.Errorf("%s: method %s", c.ID, plan.Method)
		}
		solved++
	}
	if err := lines.Err(); err != nil || solved != 600 {
		t.Fatalf("%d cases, %v", solved, err)
	}
}
