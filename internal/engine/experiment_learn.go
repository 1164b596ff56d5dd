package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/order"
)

// trialLearner counts what the orders of experiments come to. Orders of none cost it a look.
type trialLearner struct {
	e      *Engine
	counts map[string]*experiment.Counts // by experiment
	cases  cases
}

func newTrialLearner(e *Engine) *trialLearner {
	return &trialLearner{e: e, counts: map[string]*experiment.Counts{}, cases: newCases(e)}
}

func (*trialLearner) id() string { return LearnedTrials }

// follows reports that a lesson is about an order of which it counts how it ends.
func (l *trialLearner) follows(x *lesson) bool {
	return x.order.Trial != nil && x.order.Trial.Group != order.GroupShadow
}

// prepare implements preparer.
func (l *trialLearner) prepare(ctx context.Context, lessons []lesson) error {
	var followed []lesson
	for i := range lessons {
		if l.follows(&lessons[i]) {
			followed = append(followed, lessons[i])
		}
	}
	if len(followed) == 0 {
		return nil
	}
	return l.cases.prepare(ctx, followed)
}

func (l *trialLearner) observe(x *lesson) {
	t := x.order.Trial
	if t == nil {
		return
	}
	c := l.counts[t.Experiment]
	if c == nil {
		c = new(experiment.Counts)
		l.counts[t.Experiment] = c
	}
	if !l.follows(x) {
		for i := range x.events {
			if e := &x.events[i]; e.Type == order.EventCompared {
				c.Compared.Add(e.Compared, x.order.PlacedAt)
			}
		}
		return
	}
	tally := c.Of(t.Group)
	if x.version == 1 {
		tally.Captured++
	}
	k := l.cases.of(x)
	if k == nil {
		return // said when it was followed
	}
	was := k.Done()
	if err := k.Apply(x.events, x.version, x.at, nil); err != nil {
		l.e.log.Error("a command cannot be counted for an experiment", "order", x.key.ID, "version", x.version, "error", err)
		l.cases.keep(x.key, new(kpi.Case))
		return
	}
	if !was && k.Done() {
		tally.Finish(outcomeOf(k))
	}
}

// outcomeOf is what a finished order came to. A shipment costs once it left, and costs what was paid if the customer never got it.
func outcomeOf(k *kpi.Case) *experiment.Outcome {
	o, out := k.Order(), new(experiment.Outcome)
	out.Promised, out.Kept = k.Promise()
	for i := range o.Fulfillments {
		if f := &o.Fulfillments[i]; !f.ShippedAt.IsZero() {
			out.Shipments++
			out.Cost += f.Cost
		}
	}
	for i := range o.Lines {
		out.Units += o.Lines[i].Quantity
		out.Cancelled += o.Lines[i].Cancelled
	}
	out.Touches = int64(o.Touches)
	return out
}

func (l *trialLearner) encode(int64, time.Time) ([]byte, error) { return json.Marshal(l.counts) }

func (l *trialLearner) restore(body []byte) error { return jsonenc.Unmarshal(body, &l.counts) }

// publish leaves the lore as it is: no decision reads counts.
func (*trialLearner) publish(*lore) {}

// countedTrials is what was counted, as of a moment.
type countedTrials struct {
	counts map[string]experiment.Counts
	at     time.Time
	behind bool
}

// show implements shower.
func (l *trialLearner) show(at time.Time, behind bool) {
	next := &countedTrials{counts: make(map[string]experiment.Counts, len(l.counts)), at: at, behind: behind}
	for id, c := range l.counts { // copies, so the sequence does not matter
		next.counts[id] = *c
	}
	l.e.experiments.counts.Store(next)
}

// trialCounts is what was counted of an experiment so far.
func (e *Engine) trialCounts(id string) (c experiment.Counts, at time.Time, behind bool) {
	shown := e.experiments.counts.Load()
	if shown == nil {
		return c, time.Time{}, true
	}
	return shown.counts[id], shown.at, shown.behind
}

// endExperiments stops experiments that harm, whose answer is in, or that compare with what is not in force any more. The
// node that counts does it, after it counted.
func (e *Engine) endExperiments(ctx context.Context) {
	running := e.runningTrials()
	for i, t := range running {
		c, _, _ := e.trialCounts(t.ID)
		stop := t.Ends(&c, e.incumbents())
		for _, first := range running[:i] {
			if stop == nil && first.Overlaps(&t.Setup) { // started on two nodes at the same moment; no order is in this one
				stop = &experiment.Stop{Cause: experiment.StopOverlap, Reason: "experiment " + first.ID + " started first, on the same orders"}
			}
		}
		if stop == nil {
			continue
		}
		err := e.endExperiment(ctx, t.ID, *stop)
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			e.log.Warn("could not stop an experiment", "experiment", t.ID, "cause", stop.Cause, "error", err)
		}
	}
}
