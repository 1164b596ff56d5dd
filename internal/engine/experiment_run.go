package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// trial is an experiment that runs, with its challenger.
type trial struct {
	*experiment.Experiment
	second second
}

// experiments holds those of the store in memory, and what decisions need of those that run.
type experiments struct {
	mu  sync.Mutex
	all map[string]*experiment.Experiment
	// running are those that run, the one that started first before others; nil: none does, and orders pay nothing for them.
	running atomic.Pointer[[]*trial]
	counts  atomic.Pointer[countedTrials]
}

// replace forgets all experiments but these.
func (x *experiments) replace(e *Engine, all []*experiment.Experiment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all = map[string]*experiment.Experiment{}
	x.take(e, all)
}

// keep takes changed experiments into memory.
func (x *experiments) keep(e *Engine, changed []*experiment.Experiment) {
	if len(changed) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.take(e, changed)
}

// take does the work of keep. The caller holds the lock.
func (x *experiments) take(e *Engine, changed []*experiment.Experiment) {
	for _, n := range changed {
		if known := x.all[n.ID]; known == nil || n.After(known) {
			x.all[n.ID] = n
		}
	}
	before := map[string]*trial{}
	for _, t := range e.runningTrials() {
		before[t.ID] = t
	}
	var running []*trial
	for _, id := range slices.Sorted(maps.Keys(x.all)) {
		n := x.all[id]
		if n.State != experiment.Running {
			continue
		}
		t := &trial{Experiment: n}
		if was := before[id]; was != nil {
			t.second = was.second
		} else {
			c, err := CompileDocument([]byte(n.Text))
			if err != nil {
				// It compiled when it was started, by another version of the program.
				e.log.Error("the challenger of an experiment does not compile and decides nothing", "experiment", id, "error", err)
				continue
			}
			t.second = second{policy: c, name: n.Policy}
		}
		running = append(running, t)
	}
	if len(running) == 0 {
		x.running.Store(nil)
		return
	}
	slices.SortStableFunc(running, func(a, b *trial) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	x.running.Store(&running)
}

func (e *Engine) runningTrials() []*trial {
	if p := e.experiments.running.Load(); p != nil {
		return *p
	}
	return nil
}

// trialOf is the experiment of an order in a group, nil when it does not run any more or the order is in another group.
func (e *Engine) trialOf(o *order.Order, group string) *trial {
	if o.Trial == nil || o.Trial.Group != group {
		return nil
	}
	for _, t := range e.runningTrials() {
		if t.ID == o.Trial.Experiment {
			return t
		}
	}
	return nil
}

// enrol says which part an order has in the experiments that run.
func (e *Engine) enrol(o *order.Order) *order.Trial {
	for _, t := range e.runningTrials() {
		if t.TakesPart(o) {
			return &order.Trial{Experiment: t.ID, Group: t.Group(o)}
		}
	}
	return nil
}

// challenger is the policy that decides about an order instead of the one in force; nil: none does.
func (e *Engine) challenger(o *order.Order) *second {
	if t := e.trialOf(o, order.GroupChallenger); t != nil {
		return &t.second
	}
	return nil
}

// ask lets the challenger in the shadow say what it would do with an order that was never sourced; nil: there is none.
func (c *change) ask(held *claimed) *order.Opinion {
	e := c.tx.e
	t := e.trialOf(c.now, order.GroupShadow)
	if t == nil || c.now.Trial.Compared != nil || c.now.Attempts > 0 {
		return nil
	}
	opinion, err := e.opinion(c.tx.Book(), c.sources, c.now, held, t.second, c.tx.Now)
	if err != nil { // the order matters more than the comparison
		e.log.Error("the challenger in the shadow could not be asked", "order", c.now.ID, "error", err)
		return nil
	}
	return opinion
}

// beside are the events of a placement, with what the challenger would have done.
func (p *placement) beside(challenger *order.Opinion) []order.Event {
	if challenger == nil {
		return p.events
	}
	return append(p.events, order.Event{Type: order.EventCompared, Compared: &order.Compared{
		Incumbent: *p.plan.Opinion(cmp.Or(p.policy, "reservation")), Challenger: *challenger,
	}})
}

// incumbents are the sourcing policies in force, as name@version.
func (e *Engine) incumbents() []string {
	out := []string{}
	for _, p := range e.Policies().InForce(policy.KindSourcing, e.Now()) {
		out = append(out, policyName(p.Compiled, p.Version))
	}
	return out
}
