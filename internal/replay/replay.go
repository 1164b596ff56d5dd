// Package replay re-decides a recorded history with other rules, another network or other
// circumstances, and counts what would have come of it.
//
// A run goes through the history once. Stock, capacity, backorders and
// re-sourcing follow the decisions of the run; the functions that decide are those that decide live
// (engine.Desk). As long as an order is where history had it, its life is the recorded one. Once a decision
// places it elsewhere it is on another course: what its new locations and carriers would have done is drawn from
// rates fitted on the history, by a hash of the seed, the order and the location, so that all candidates
// meet the same luck.
//
// It promises: the same history, scenario and seed give the same result; a run with the rules
// that were in force reproduces every recorded decision byte for byte, and every difference is
// listed; a run of the same scenario differs from itself by nothing; memory grows with orders that
// are under way, not with the history.
//
// It does not judge results (packages stats, reassess), print, or write to any store.
package replay

import (
	"context"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
)

// Open opens the same history again from its beginning, for one run each.
type Open func() (past.Reader, error)

// Options say how runs are made.
type Options struct {
	// From and Until bound the orders that are counted and re-decided, by when they came; zero: all. What
	// came before is taken as it was recorded.
	From, Until time.Time
	Seed        uint64
	// Progress, when not nil, is called now and then with how many orders were decided.
	Progress func(scenario string, orders, of int64)
	// Parallel is how many runs are made at the same time; default: as many as processors.
	Parallel int
	// KeepOrders keeps what became of every order (Result.Orders), about 100 bytes each.
	KeepOrders bool
	// Explain numbers orders of which OrderResult.Why is kept although they are on course.
	Explain []int64
}

// Run replays scenarios. Errors: of the history, of scenarios that do not fit it, of the context.
func Run(ctx context.Context, open Open, scenarios []Scenario, o Options) ([]*Result, error) {
	return run(ctx, open, scenarios, o)
}
