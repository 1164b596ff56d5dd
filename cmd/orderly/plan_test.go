package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/bench"
)

// plans runs the command on input.
func plans(t *testing.T, input string) (code int, out, log string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	m := &Main{Stdin: strings.NewReader(input), Stdout: &stdout, Stderr: &stderr}
	code = m.Run(t.Context(), []string{"plan"})
	return code, stdout.String(), stderr.String()
}

func planInput(id string, quantity int) string {
	return fmt.Sprintf(`{"id":%q,"lines":[{"sku":"A","quantity":%d,"unit_weight_g":454,"unit_cancel_cost":900},{"sku":"B","quantity":1,"unit_weight_g":1,"unit_cancel_cost":50}],`+
		`"locations":[{"id":"far","zone":8,"shipment_cost":300,"unit_cost":[10,10],"available":[5,5]},{"id":"near","open":true,"zone":2,"shipment_cost":300,"unit_cost":[10,60],"available":[5,5]},`+
		`{"id":"shut","open":false,"shipment_cost":0,"unit_cost":[0,0],"available":[5,5]}],`+
		`"rate_card":{"base":100,"per_zone":10,"per_lb":20,"per_zone_lb":1},"line_split":"never","optimum":{"cost":1},"note":[]}`, id, quantity)
}

func TestPlanWritesPlans(t *testing.T) {
	t.Parallel()
	code, out, log := plans(t, planInput("one", 2))
	// near: 300 + 2×10 + 100 + 2×10 + (20+2)×2; B is cancelled, 50.
	want := `{"id":"one","cost":534,"shipments":[{"location":"near","lines":[{"sku":"A","quantity":2}],"cost":484}],"cancelled":[{"sku":"B","quantity":1}],"method":"exact"}` + "\n"
	if code != 0 || out != want || log != "" {
		t.Errorf("exit code %d, %s\nwant %s\n%s", code, out, want, log)
	}
}

func TestPlanNamesBadLinesAndPlansTheOthers(t *testing.T) {
	t.Parallel()
	input := planInput("one", 2) + "\n\n{\n" + planInput("two", 0) + "\r\n" + planInput("three", 1) + "\n{\"id\":5}"
	code, out, log := plans(t, input)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 2 || !strings.Contains(lines[0], `"one"`) || !strings.Contains(lines[1], `"three"`) {
		t.Errorf("plans: %s", out)
	}
	for _, want := range []string{"line 3: is not JSON", "line 4: lines[0].quantity: is 0", "line 6: id: must be a string"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in\n%s", want, log)
		}
	}
}

func TestPlanKeepsTheOrderOfItsInput(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "cases", "plan", "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	code, out, log := plans(t, string(data))
	if code != 0 || log != "" {
		t.Fatalf("exit code %d: %s", code, log)
	}
	asked := strings.Split(strings.TrimSpace(string(data)), "\n")
	answers := strings.Split(strings.TrimSpace(out), "\n")
	if len(asked) != len(answers) {
		t.Fatalf("%d cases, %d plans", len(asked), len(answers))
	}
	for i := range asked {
		var q struct {
			ID      string
			Optimum struct{ Cost int64 }
		}
		var a struct {
			ID   string
			Cost int64
		}
		if err := json.Unmarshal([]byte(asked[i]), &q); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(answers[i]), &a); err != nil {
			t.Fatal(err)
		}
		if a.ID != q.ID || a.Cost != q.Optimum.Cost {
			t.Errorf("%s costs %d, want %s with %d", a.ID, a.Cost, q.ID, q.Optimum.Cost)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestPlanEndsWhenItCannotWrite(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := &Main{Stdin: strings.NewReader(strings.Repeat(planInput("x", 1)+"\n", 1000)), Stdout: broken{}, Stderr: &log}
	if code := m.Run(t.Context(), []string{"plan"}); code != 1 || !strings.Contains(log.String(), os.ErrClosed.Error()) {
		t.Errorf("exit code %d: %s", code, log.String())
	}
}

func TestBenchPlanNeedsNoServer(t *testing.T) {
	t.Parallel()
	var out, log bytes.Buffer
	m := &Main{Stdout: &out, Stderr: &log}
	if code := m.Run(t.Context(), []string{"bench", "plan", "--duration", "1ms", "--seed", "3", "--json"}); code != 0 {
		t.Fatalf("exit code %d: %s", code, log.String())
	}
	var r bench.PlanReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Kind != bench.Plan || r.Seed != 3 || len(r.Shapes) == 0 {
		t.Errorf("%v: %s", err, out.String())
	}
}
