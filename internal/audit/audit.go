// Package audit looks through a whole store, beside the nodes that write to it
// or without any, and says which invariants hold in it. It reads one consistent
// state, folds the log and the stock journal again with the functions that the
// nodes decide with, and compares.
//
// It promises to count every violation of the checks in a Report, to name the
// first few so that an operator knows where to look, and never to call a store
// sound that it did not see whole: an audit that had to stop says so and is not OK.
// Memory grows with the number of positions (about 200 bytes each), of log rows (24
// bytes each) and of orders with an external id (about 40 bytes each), and with
// nothing else.
//
// It does not repair anything, and it cannot see what leaves no trace in a
// store; Report.Unchecked lists those invariants.
package audit

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/orderly-oms/orderly/internal/store"
)

// timerAllowance is how long after its time a timer may still wait while a node
// runs: the interval of the sweep plus a backlog.
const timerAllowance = time.Minute

// progressRows is how many rows lie between two reports of progress.
const progressRows = 1 << 16

// Options of an audit; the zero value works.
type Options struct {
	// Progress is called now and then with the part that is being looked at and how many of its rows are done.
	Progress func(part string, rows int64)
}

// auditor is the state of one audit.
type auditor struct {
	*checks
	view *store.View
	opt  Options
	rows []bucketRows // by bucket

	stock    stock
	newest   time.Time
	alive    []time.Time           // of the first row of each minute, ascending
	waiting  int                   // timers that are due but whose node may have stopped before
	external map[[16]byte]struct{} // hashes of channel and external id
	used     map[string]string     // locations of fulfillments: one fulfillment of each
	exists   map[string]struct{}   // locations
}

// Run audits a store. The error is about the store not being there to read; what
// goes wrong while reading it is in the report.
func Run(ctx context.Context, s store.Auditor, opt Options) (*Report, error) {
	if opt.Progress == nil {
		opt.Progress = func(string, int64) {}
	}
	var report *Report
	err := s.Audit(ctx, func(v *store.View) error {
		a := &auditor{
			checks: newChecks(), view: v, opt: opt, rows: make([]bucketRows, len(v.Heads)), stock: newStock(),
			external: map[[16]byte]struct{}{}, used: map[string]string{}, exists: map[string]struct{}{},
		}
		err := a.run(ctx)
		report = &Report{Heads: v.Heads, Newest: a.newest, Checks: a.list(), Unchecked: unchecked}
		if err != nil {
			report.Incomplete = err.Error()
		}
		report.OK = err == nil
		for _, c := range report.Checks {
			report.OK = report.OK && c.Violations == 0
		}
		return ctx.Err()
	})
	if report != nil && ctx.Err() == nil {
		return report, nil
	}
	return nil, errors.Join(err, ctx.Err())
}

// run looks at every part of the store, and at the device beside. A part that cannot be read does not keep
// it from the others.
func (a *auditor) run(ctx context.Context) error {
	device := make(chan error, 1)
	go func() { device <- a.readDevice() }()
	failed := a.readParts(ctx)
	return errors.Join(<-device, failed)
}

func (a *auditor) readParts(ctx context.Context) error {
	var failed []error
	for _, part := range []func() error{a.readLog, a.readJournal, a.readStreams, a.readPositions, a.readAnswers} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := part(); err != nil {
			failed = append(failed, err)
		}
	}
	a.endTimers()
	return errors.Join(failed...)
}

// each calls f for each row of a part and reports progress.
func each[T any](a *auditor, part string, rows iter.Seq2[T, error], f func(*T)) error {
	var n int64
	a.opt.Progress(part, 0)
	for row, err := range rows {
		if err != nil {
			return err
		}
		f(&row)
		if n++; n%progressRows == 0 {
			a.opt.Progress(part, n)
		}
	}
	a.opt.Progress(part, n)
	return nil
}

func (a *auditor) readDevice() error {
	found, err := a.view.Device()
	a.device.LookedAt = int64(len(found.Tests))
	for _, f := range found.Faults {
		a.device.add("%s", f)
	}
	for _, s := range found.Skipped {
		a.device.note("not run: %s", s)
	}
	return err
}

func (a *auditor) readAnswers() error {
	return each(a, "answers", a.view.Answers, func(n *store.Answer) {
		a.answers.LookedAt++
		switch {
		case n.Key == "" || len(n.Hash) == 0:
			a.answers.add("the answer with key %q has no key or no hash of its request", n.Key)
		case n.Status < 200 || n.Status > 499:
			a.answers.add("the answer with key %q has status %d: only answers that settle a request are remembered", n.Key, n.Status)
		case n.Expires.IsZero():
			a.answers.add("the answer with key %q never expires", n.Key)
		case len(n.Body) == 0 && n.Status != 204:
			a.answers.add("the answer with key %q has status %d and no body", n.Key, n.Status)
		}
	})
}
