package engine

import (
	"context"
	"time"

	"github.com/orderly-oms/orderly/internal/kpi"
)

// kpisEvery is how many snapshot intervals lie between two snapshots of the counters: what came
// since is counted again after a restart, and the record can be large.
const kpisEvery = 4

// kpiLearner counts KPIs. Its record is the counters alone: how an order came to where it is
// stands in the log, so a case is a cache of the order's own rows.
type kpiLearner struct {
	e        *Engine
	counters *kpi.Counters
	cases    cases
}

func newKPILearner(e *Engine) *kpiLearner {
	return &kpiLearner{e: e, counters: kpi.New(), cases: newCases(e)}
}

func (k *kpiLearner) id() string { return LearnedKPIs }

// prepare implements preparer.
func (k *kpiLearner) prepare(ctx context.Context, lessons []lesson) error {
	return k.cases.prepare(ctx, lessons)
}

// observe counts one command.
func (k *kpiLearner) observe(x *lesson) {
	c := k.cases.of(x)
	if c == nil {
		k.counters.Unreadable++
		return
	}
	if err := c.Apply(x.events, x.version, x.at, k.counters); err != nil {
		k.counters.Unreadable++
		k.e.log.Error("a command cannot be counted for KPIs", "order", x.key.ID, "version", x.version, "error", err)
		k.cases.keep(x.key, new(kpi.Case))
	}
}

func (k *kpiLearner) encode(int64, time.Time) ([]byte, error) { return k.counters.Encode() }

func (k *kpiLearner) restore(body []byte) error {
	c, err := kpi.Decode(body)
	if err != nil {
		return err
	}
	k.counters = c
	return nil
}

// publish leaves the lore as it is: no decision reads KPIs.
func (k *kpiLearner) publish(*lore) {}

// KPIs are the counters of this node, as of a moment.
type KPIs struct {
	*kpi.Counters
	// At is when counting began: what was in the log by then is in them, unless Behind says that it was more than
	// could be counted at once.
	At     time.Time
	Behind bool
}

// show implements shower.
func (k *kpiLearner) show(at time.Time, behind bool) {
	k.e.kpis.Store(&KPIs{Counters: k.counters.Snapshot(), At: at, Behind: behind})
}

// KPIs returns what was counted of the log so far: a node reads it every LearnInterval; one that stands
// by takes over what the node that counts persisted.
func (e *Engine) KPIs() KPIs {
	if k := e.kpis.Load(); k != nil {
		return *k
	}
	return KPIs{Counters: kpi.New(), Behind: true}
}
