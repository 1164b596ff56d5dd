package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/sim/dst"
)

// maxShownViolations bounds the violations that are printed; all are counted.
const maxShownViolations = 10

type simulateCommand struct {
	Seeds    uint64  `help:"How many seeds to run." default:"100"`
	From     uint64  `help:"The first seed." placeholder:"N"`
	Orders   int     `help:"Orders of each seed." default:"40"`
	Seed     *uint64 `help:"Run this seed alone." placeholder:"N"`
	Trace    bool    `help:"Print every step (with --seed)."`
	Parallel int     `help:"How many seeds at a time; 0: one per processor." default:"0"`
	JSON     bool    `help:"Print the report as JSON."`
}

// simulation is the report of all seeds.
type simulation struct {
	Seeds      uint64           `json:"seeds"`
	PerSeed    int              `json:"orders_per_seed"` // that shoppers try to place
	Orders     int              `json:"orders"`
	Steps      int              `json:"steps"`
	Commits    int64            `json:"commits"`
	Seconds    float64          `json:"seconds"`
	OrdersPerS float64          `json:"orders_per_second"`
	Failed     int              `json:"failed"`
	Violations []*dst.Violation `json:"violations"` // the first few
	Coverage   []dst.Part       `json:"coverage"`

	coverage dst.Coverage
	byName   map[string]int
}

func newSimulation() *simulation {
	return &simulation{Violations: []*dst.Violation{}, coverage: dst.Coverage{Reached: map[string]map[string]int64{}}, byName: map[string]int{}}
}

// Run simulates; exit code 1 when an invariant was violated.
func (c *simulateCommand) Run(ctx context.Context, m *Main) error {
	if c.Orders < 1 || c.Orders > dst.MaxOrders {
		return fmt.Errorf("--orders must be between 1 and %d", dst.MaxOrders)
	}
	if c.Seed != nil {
		c.From, c.Seeds = *c.Seed, 1
	}
	var trace io.Writer
	if c.Trace {
		if c.Seed == nil {
			return fmt.Errorf("--trace needs --seed")
		}
		trace = m.Stdout
	}
	go relaxCollector(ctx)
	report := c.simulate(ctx, m.Stderr, trace)
	var err error
	if c.JSON {
		out := json.NewEncoder(m.Stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		report.write(m.Stdout)
	}
	if err == nil && report.Failed > 0 {
		err = errQuiet
	}
	return err
}

// simulate runs the seeds until all are done or the context ends.
func (c *simulateCommand) simulate(ctx context.Context, terminal io.Writer, trace io.Writer) *simulation {
	report := newSimulation()
	report.PerSeed = c.Orders
	progress, done := progressLine(terminal)
	start := time.Now()
	seeds := make(chan uint64)
	var mu sync.Mutex
	var workers sync.WaitGroup
	parallel := c.Parallel
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	for range parallel {
		workers.Go(func() {
			for seed := range seeds {
				r := dst.Run(dst.Options{Seed: seed, Orders: c.Orders, Trace: trace})
				mu.Lock()
				report.add(r)
				if progress != nil {
					progress(fmt.Sprintf("%d failed, seeds", report.Failed), int64(report.Seeds))
				}
				mu.Unlock()
			}
		})
	}
	for seed := c.From; seed-c.From < c.Seeds && ctx.Err() == nil; seed++ {
		seeds <- seed
	}
	close(seeds)
	workers.Wait()
	done()
	report.Seconds = time.Since(start).Seconds()
	report.OrdersPerS = float64(report.Orders) / report.Seconds
	report.Coverage = report.coverage.Report()
	return report
}

func (s *simulation) add(r *dst.Result) {
	s.Seeds++
	s.Orders += r.Orders
	s.Steps += r.Steps
	s.Commits += r.Commits
	s.coverage.Add(r.Coverage)
	if r.Violation == nil {
		return
	}
	s.Failed++
	s.byName[fmt.Sprintf("%d (%s)", r.Violation.Invariant, r.Violation.Name)]++
	if len(s.Violations) < maxShownViolations {
		s.Violations = append(s.Violations, r.Violation)
	}
}

// write prints the report for people.
func (s *simulation) write(w io.Writer) {
	fmt.Fprintf(w, "%d seeds, %d orders, %d steps, %d commits in %.1f s (%.0f orders/s)\n\n", s.Seeds, s.Orders, s.Steps, s.Commits, s.Seconds, s.OrdersPerS)
	for i := range s.Coverage {
		p := &s.Coverage[i]
		if p.Known > 0 {
			fmt.Fprintf(w, "%s: %d of %d reached\n", p.Kind, p.Met, p.Known)
		} else {
			fmt.Fprintf(w, "%s: %d reached\n", p.Kind, len(p.Reached))
		}
		if len(p.Missed) > 0 {
			fmt.Fprintf(w, "  never: %s\n", strings.Join(p.Missed, ", "))
		}
	}
	fmt.Fprintln(w)
	for _, v := range s.Violations {
		fmt.Fprintf(w, "%s\n  again: orderly simulate --orders %d --seed %d --trace\n\n", v, s.PerSeed, v.Seed)
	}
	if s.Failed == 0 {
		fmt.Fprintln(w, "every invariant held")
		return
	}
	fmt.Fprintf(w, "FAILED: %d of %d seeds\n", s.Failed, s.Seeds)
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		fmt.Fprintf(w, "  invariant %s: %d seeds\n", name, s.byName[name])
	}
}
