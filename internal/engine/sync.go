package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/store"
)

// An inline engine (Options.Inline) does everything on the goroutine of its caller: the
// same decisions, commits and tasks as one that runs, in an order that the caller chooses. With an
// injected clock and injected ids, the same calls give the same log, byte for byte.

// Task is something that a node does again and again by itself.
type Task struct {
	Name  string
	Every time.Duration
	Do    func(context.Context)
}

// Tasks are the node's own, in the order in which an inline engine does best. Run does them
// continually; of an inline engine the caller does them.
func (e *Engine) Tasks() []Task {
	tasks := []Task{
		{"timers", timerInterval, e.FireTimers},
		{"sweep", sweepInterval, e.sweep},
		{"promises", settleInterval, e.promised.run},
		{"waking", wakingInterval, e.waking.run},
		{"shortfall", wakingInterval, e.shortfall.run},
		{"risks", risksInterval, e.risks.run},
		{"exceptions", exceptionsInterval, e.exceptions.run},
		{"learning", e.opt.LearnInterval, e.learning.run},
	}
	if !e.store.Exclusive() {
		tasks = append(tasks, Task{"follow", followInterval, e.follow})
	}
	if e.opt.Inline {
		tasks = append(tasks, Task{"work", 0, e.work})
	}
	return tasks
}

// background does work that is not waited for: at once beside the others, or, of an inline
// engine, when the caller does its task "work". Nothing may depend on it being done: a node can end before.
func (e *Engine) background(f func()) {
	if e.opt.Inline {
		e.left = append(e.left, f)
		return
	}
	e.workers.Go(f)
}

// work does what was left in the background.
func (e *Engine) work(context.Context) {
	left := e.left
	e.left = nil
	for _, f := range left {
		f()
	}
}

// SubmitBatch has commands of one lane decided and committed together, by an inline engine, as
// those are that wait at the same time.
func (e *Engine) SubmitBatch(commands []*Command) ([]*Reply, []error) {
	replies, errs := make([]*Reply, len(commands)), make([]error, len(commands))
	if len(commands) == 0 {
		return replies, errs
	}
	requests := make([]*request, len(commands))
	for i, c := range commands {
		requests[i] = &request{command: c, id: e.opt.NewID(), done: make(chan struct{})}
	}
	e.decideInline(commands[0].lane(), requests)
	for i, r := range requests {
		replies[i], errs[i] = r.reply, r.err
	}
	return replies, errs
}

// decideInline decides requests and answers them before it returns.
func (e *Engine) decideInline(lane int, requests []*request) {
	if err := e.regain(); err != nil {
		for _, r := range requests {
			r.finish(e, nil, err)
		}
		return
	}
	e.lanes[lane].process(requests)
}

// distrust has memory reloaded, because nobody knows whether a commit took effect.
func (e *Engine) distrust(cause error) {
	e.reloading.Add(1)
	if e.opt.Inline {
		return // the next command reloads
	}
	go e.reload(cause)
}

// regain reloads memory that is not to be trusted. When that fails nothing may be decided; the next command tries again.
func (e *Engine) regain() error {
	for e.reloading.Load() > 0 {
		e.renew()
		if err := e.load(context.Background()); err != nil {
			return fmt.Errorf("%w: memory could not be read anew: %w", store.ErrUnavailable, err)
		}
		e.promised.begin()
		e.waking.begin()
		e.shortfall.begin()
		e.exceptions.begin()
		e.reloading.Store(0)
	}
	return nil
}
