package engine

import (
	"context"
	"time"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// kpisEvery is how many snapshot intervals lie between two snapshots of the counters: what came
	// since is counted again after a restart, and the record can be large.
	kpisEvery = 4
	// maxKPICases is how many orders are followed at once, twice at most, about 3 kB each. An order beyond is
	// followed again from its own log rows when the next of them comes.
	maxKPICases = 10_000
	// kpiStreamPage is how many rows of an order are read at once.
	kpiStreamPage = 500
)

// kpiLearner counts KPIs. Its record is the counters alone: how an order came to where it is
// stands in the log, so a case is a cache of the order's own rows.
type kpiLearner struct {
	e        *Engine
	counters *kpi.Counters
	cases    [2]map[store.Key]*kpi.Case // used lately, young and old
}

func newKPILearner(e *Engine) *kpiLearner {
	return &kpiLearner{e: e, counters: kpi.New(), cases: [2]map[store.Key]*kpi.Case{{}, {}}}
}

func (k *kpiLearner) id() string { return LearnedKPIs }

// known is the case of an order in which its first so many commands are, or nil.
func (k *kpiLearner) known(key store.Key, version int64) *kpi.Case {
	if c := k.cases[0][key]; c != nil && c.Version() == version {
		return c
	}
	c := k.cases[1][key]
	if c == nil || c.Version() != version {
		return nil
	}
	k.keep(key, c)
	return c
}

func (k *kpiLearner) keep(key store.Key, c *kpi.Case) {
	if len(k.cases[0]) >= maxKPICases {
		k.cases[0], k.cases[1] = map[store.Key]*kpi.Case{}, k.cases[0]
	}
	k.cases[0][key] = c
}

// prepare follows the orders of lessons that are not followed yet up to where the lessons begin. It
// implements preparer.
func (k *kpiLearner) prepare(ctx context.Context, lessons []lesson) error {
	seen := map[store.Key]bool{}
	for i := range lessons {
		x := &lessons[i]
		if seen[x.key] {
			continue
		}
		seen[x.key] = true
		if x.version == 1 || k.known(x.key, x.version-1) != nil {
			continue
		}
		c, err := k.e.followCase(ctx, x.key, x.version-1)
		if err != nil {
			return err
		}
		k.keep(x.key, c)
	}
	return nil
}

// followCase is the case of an order after its first so many commands, from its log rows. A case that
// cannot be followed comes back without an order: an error is one of the store.
func (e *Engine) followCase(ctx context.Context, key store.Key, version int64) (*kpi.Case, error) {
	c := new(kpi.Case)
	for after := int64(0); after < version; {
		rows, err := e.store.Stream(ctx, key, after, kpiStreamPage)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return c, nil
		}
		for i := range rows {
			r := &rows[i]
			if after = r.Version; r.Version > version {
				break
			}
			events, err := readEvents(r.Events)
			if err == nil {
				err = c.Apply(events, r.Version, r.Time, nil)
			}
			if err != nil {
				e.log.Error("an order's log cannot be followed; its KPIs are not counted any further", "order", key.ID, "version", r.Version, "error", err)
				return new(kpi.Case), nil
			}
		}
	}
	return c, nil
}

// readEvents reads the events of a log row, without the explanations of decisions.
func readEvents(body []byte) ([]order.Event, error) {
	var logged []loggedEvent
	if err := jsonenc.Unmarshal(body, &logged); err != nil {
		return nil, err
	}
	events := make([]order.Event, len(logged))
	for i := range logged {
		events[i] = logged[i].Event
	}
	return events, nil
}

// observe counts one command.
func (k *kpiLearner) observe(x *lesson) {
	c := k.known(x.key, x.version-1)
	if x.version == 1 {
		c = new(kpi.Case)
		k.keep(x.key, c)
	}
	if c == nil {
		k.counters.Unreadable++
		return
	}
	if err := c.Apply(x.events, x.version, x.at, k.counters); err != nil {
		k.counters.Unreadable++
		k.e.log.Error("a command cannot be counted for KPIs", "order", x.key.ID, "version", x.version, "error", err)
		k.keep(x.key, new(kpi.Case))
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
