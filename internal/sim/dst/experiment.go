package dst

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/experiment"
)

// experiment lets another sourcing policy challenge the one in force, in the shadow or on a share of the customers, and stops
// it after some time if nothing else did: another policy that is published, or a guardrail.
func (w *World) experiment() {
	text := strings.Replace(choose(w, sourcingPolicies...), "name: main", "name: rival", 1)
	s := experiment.Setup{Name: "rival", Mode: experiment.Shadow}
	if w.chance(.6) {
		limit := 5.0
		s.Mode, s.Percent, s.Guardrails = experiment.Share, w.whole(10, 90), &experiment.Guardrails{CostMorePercentMax: &limit, MinOrders: 10}
	}
	m := &message{name: "create-experiment", do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.CreateExperiment(ctx, s, text, m)
	}}
	m.settled = func(r *engine.Reply, err error) {
		if err != nil {
			return
		}
		id := ""
		if x, ok := r.Value.(*experiment.Experiment); ok {
			id = x.ID
		} else {
			var x experiment.Experiment
			if err := json.Unmarshal(r.Body, &x); err != nil {
				fail(38, "remembered answers are whole", "%.200s: %v", r.Body, err)
			}
			id = x.ID
		}
		w.send(0, &message{name: "start-experiment", settled: func(_ *engine.Reply, err error) {
			if err == nil {
				w.in(w.between(time.Hour, 40*time.Hour), func() { w.stopExperiment(id) })
			}
		}, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.StartExperiment(ctx, id, m) }})
	}
	w.send(0, m)
}

func (w *World) stopExperiment(id string) {
	w.send(0, &message{name: "stop-experiment", settled: func(*engine.Reply, error) {}, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.StopExperiment(ctx, id, "it was long enough", m)
	}})
}
