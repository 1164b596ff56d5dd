package bench

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPlanningMeasuresEveryShape(t *testing.T) {
	t.Parallel()
	r, err := Planning(t.Context(), PlanOptions{Seed: 7, Duration: time.Nanosecond, Problems: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Shapes) != len(planShapes) {
		t.Fatalf("%d shapes", len(r.Shapes))
	}
	for _, s := range r.Shapes {
		if s.Plans != 3 || s.P50US <= 0 || s.P50US > s.P99US || s.P99US > s.MaxUS || s.ThroughputPS <= 0 || s.Baseline.P50US <= 0 {
			t.Errorf("%+v", s)
		}
		if s.CostRatio <= 0 || s.CostRatio > 1 {
			t.Errorf("%d × %d: the search costs %g of the plain rule", s.Lines, s.Locations, s.CostRatio)
		}
		if whole := s.Lines <= 10; whole != (s.ExactShare == 1) || (whole && s.GapLargest != 0) || s.GapLargest < 0 || s.GapLargest >= 1 {
			t.Errorf("%d × %d: exact share %g, gap %g", s.Lines, s.Locations, s.ExactShare, s.GapLargest)
		}
	}
	again, err := Planning(t.Context(), PlanOptions{Seed: 7, Duration: time.Nanosecond, Problems: 3})
	if err != nil || again.Shapes[2].CostMean != r.Shapes[2].CostMean {
		t.Errorf("another run of the same seed costs %v, %v", again, err)
	}
}

func TestPlanningRefusesWhatItCannotRun(t *testing.T) {
	t.Parallel()
	if _, err := Planning(t.Context(), PlanOptions{Duration: 0}); err == nil {
		t.Error("a run without an end is accepted")
	}
	if _, err := Planning(t.Context(), PlanOptions{Duration: 1, Problems: MaxPlanProblems + 1}); err == nil {
		t.Error("too many problems are accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Planning(ctx, PlanOptions{Duration: time.Hour, Problems: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was called off: %v", err)
	}
}
