// Package dst simulates whole lives of a retailer deterministically: one seed drives
// the clock, the shoppers, the partners with ledgers of their own, and the faults, over the same engine
// and the same core that serve, on a store in memory. Every commit is checked against
// the invariants as it is made, and everything together at the end.
//
// The life of a run: a small retailer is drawn and loaded; tasks are taken from an
// agenda in the order of virtual time, each of which sends a message to a node, lets a node
// do its own tasks, or has something fail; after the last shopper everything is healed, and the run
// goes on until every order is final or shows an exception. One goroutine does all
// of it, so that a seed gives the same log, byte for byte, and a failing one can be looked
// at again with a trace.
//
// What fails: nodes die at any call of the store, before or after it took effect;
// the store refuses, is full, away, or answers nothing; a second node commits between another's decision
// and its commit; messages are lost, late, repeated and out of order, and so are answers; locations
// reject, find less than they should, or say nothing; clocks jump.
//
// It does not simulate HTTP, disks or the network of a database (the end-to-end tests do), it does
// not measure speed, and it proves nothing about seeds that were not run.
package dst

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// Defaults and limits of a run.
const (
	DefaultOrders = 40
	MaxOrders     = 100_000
	// maxSteps bounds a run, per order; one that needs more never comes to rest.
	maxSteps = 4000
	// recentSteps are kept to show what led to a violation.
	recentSteps = 30
)

// Options of one run.
type Options struct {
	Seed   uint64
	Orders int       // default DefaultOrders
	Trace  io.Writer // every step is written to it; nil: none
}

// Violation is an invariant that did not hold.
type Violation struct {
	Seed      uint64   `json:"seed"`
	Step      int      `json:"step"`
	Invariant int      `json:"invariant"` // number in INVARIANTS.md; 0: the run itself broke
	Name      string   `json:"name"`
	Detail    string   `json:"detail"`
	Recent    []string `json:"recent"` // the last steps, oldest first
}

func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d, step %d: invariant %d (%s): %s", v.Seed, v.Step, v.Invariant, v.Name, v.Detail)
}

// String is the violation with what led to it.
func (v *Violation) String() string {
	return v.Error() + "\n  " + strings.Join(v.Recent, "\n  ")
}

// Result is what came of a run.
type Result struct {
	Seed      uint64     `json:"seed"`
	Steps     int        `json:"steps"`
	Orders    int        `json:"orders"`   // captured
	Commits   int64      `json:"commits"`  // rows of the log
	LogHash   string     `json:"log_hash"` // of all of them
	Violation *Violation `json:"violation,omitempty"`
	Coverage  *Coverage  `json:"-"`
}

// Run simulates one seed.
func Run(opt Options) (result *Result) {
	if opt.Orders <= 0 {
		opt.Orders = DefaultOrders
	}
	w := newWorld(opt)
	result = &Result{Seed: opt.Seed, Coverage: w.cover}
	defer func() {
		if p := recover(); p != nil {
			result.Violation = w.violated(p)
		}
		result.Steps, result.Orders = w.step, w.watch.captured
		result.Commits, result.LogHash = w.watch.rows, w.watch.sum()
	}()
	w.load()
	w.live()
	w.heal()
	w.audit(true)
	return result
}

// violated turns whatever ended the run into a violation.
func (w *World) violated(p any) *Violation {
	var v *Violation
	if err, ok := p.(error); !ok || !errors.As(err, &v) {
		v = &Violation{Name: "nothing panics", Detail: fmt.Sprintf("%v\n%s", p, debug.Stack())}
	}
	v.Seed, v.Step, v.Recent = w.opt.Seed, w.step, w.recent
	return v
}

// fail ends the run with a violation of an invariant.
func fail(invariant int, name, format string, args ...any) {
	panic(&Violation{Invariant: invariant, Name: name, Detail: fmt.Sprintf(format, args...)})
}
