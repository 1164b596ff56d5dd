package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/policy"
)

// maxFlowPlaces bounds the states, of all versions of all flows, that are counted; further ones are counted as lost.
const maxFlowPlaces = 200_000

// flowPlace is a state of a version of a flow.
type flowPlace struct {
	Kind  policy.Kind `json:"kind"`
	Flow  string      `json:"flow"` // name@version
	State string      `json:"state"`
}

// flowLearner counts how many orders, fulfillments and returns are in each state, by the moves in the
// log. Its record is the counts, so that a restart goes on from them.
type flowLearner struct {
	e      *Engine
	counts map[flowPlace]int64
	lost   int64
}

func newFlowLearner(e *Engine) *flowLearner {
	return &flowLearner{e: e, counts: map[flowPlace]int64{}}
}

func (*flowLearner) id() string { return LearnedFlows }

func (l *flowLearner) observe(x *lesson) {
	for i := range x.events {
		for k := range x.events[i].Moves {
			m := &x.events[i].Moves[k]
			if m.To == nil {
				continue
			}
			kind := flow.KindOf(flow.SubjectFulfillment)
			switch {
			case m.Of == "":
				kind = flow.KindOf(flow.SubjectOrder)
			case x.order.Return(m.Of) != nil:
				kind = flow.KindOf(flow.SubjectReturn)
			}
			l.add(flowPlace{kind, m.To.Flow, m.To.State}, 1)
			if m.From != "" {
				l.add(flowPlace{kind, cmp.Or(m.Was, m.To.Flow), m.From}, -1)
			}
		}
	}
}

func (l *flowLearner) add(p flowPlace, n int64) {
	if _, known := l.counts[p]; !known && len(l.counts) >= maxFlowPlaces {
		l.lost++
		return
	}
	if l.counts[p] += n; l.counts[p] == 0 {
		delete(l.counts, p)
	}
}

// flowCount is a count as it is stored.
type flowCount struct {
	flowPlace
	Count int64 `json:"count"`
}

type flowCounts struct {
	Counts []flowCount `json:"counts"`
	Lost   int64       `json:"lost,omitempty"`
}

func (l *flowLearner) encode(int64, time.Time) ([]byte, error) {
	out := flowCounts{Counts: make([]flowCount, 0, len(l.counts)), Lost: l.lost}
	for p, n := range l.counts { // sorted below
		out.Counts = append(out.Counts, flowCount{p, n})
	}
	slices.SortFunc(out.Counts, func(a, b flowCount) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.State, b.State))
	})
	return jsonenc.Marshal(&out)
}

func (l *flowLearner) restore(body []byte) error {
	var in flowCounts
	if err := jsonenc.Unmarshal(body, &in); err != nil {
		return err
	}
	l.lost = in.Lost
	for _, c := range in.Counts {
		l.counts[c.flowPlace] = c.Count
	}
	return nil
}

// publish leaves the lore as it is: no decision reads counts.
func (*flowLearner) publish(*lore) {}

// show implements shower.
func (l *flowLearner) show(at time.Time, behind bool) {
	l.e.flowCounts.Store(&shownFlows{counts: maps.Clone(l.counts), at: at, behind: behind || l.lost > 0})
}

type shownFlows struct {
	counts map[flowPlace]int64
	at     time.Time
	behind bool
}

// FlowVersionCount is how many subjects are in the states of one version of a flow.
type FlowVersionCount struct {
	Ref string `json:"ref"` // name@version
	// States are those of the version in its order. States that a later program does not know come last.
	States []FlowStateCount `json:"states"`
	// InFlight are those in states that are not final.
	InFlight int64 `json:"in_flight"`
}

// FlowStateCount is one state.
type FlowStateCount struct {
	State string `json:"state"`
	Final bool   `json:"final,omitempty"`
	Count int64  `json:"count"`
}

// FlowCount is how many subjects are where in a flow, as of a moment.
type FlowCount struct {
	At time.Time `json:"at"`
	// Behind says that there was more in the log than was counted by then.
	Behind   bool               `json:"behind,omitempty"`
	Versions []FlowVersionCount `json:"versions"` // oldest first; those in force, ahead, or with anybody in them
}

// FlowCounts returns how many subjects are in each state of each version of a flow, by what was counted of
// the log so far. A flow that nobody is in has zeros for the version in force; one that does not exist, nothing.
func (e *Engine) FlowCounts(kind policy.Kind, name string) FlowCount {
	out := FlowCount{Behind: true, Versions: []FlowVersionCount{}}
	shown := e.flowCounts.Load()
	if shown == nil {
		shown = &shownFlows{behind: true}
	}
	out.At, out.Behind = shown.at, shown.behind
	for _, f := range e.flowsNamed(kind, name) {
		v := FlowVersionCount{Ref: f.Ref, States: []FlowStateCount{}}
		var all int64
		for i := range f.Doc.Flow.States {
			s := &f.Doc.Flow.States[i]
			n := shown.counts[flowPlace{kind, f.Ref, s.Name}]
			v.States = append(v.States, FlowStateCount{State: s.Name, Final: s.Final, Count: n})
			if all += n; !s.Final {
				v.InFlight += n
			}
		}
		if all != 0 || f.Ref == e.flowInForce(kind, name) {
			out.Versions = append(out.Versions, v)
		}
	}
	return out
}

// flowInForce is the version of a flow that new subjects may begin; "": none is.
func (e *Engine) flowInForce(kind policy.Kind, name string) string {
	for _, p := range e.Policies().InForce(kind, e.Now()) {
		if f := flow.Of(p.Compiled); f != nil && f.Name == name {
			return f.Ref
		}
	}
	if d := flow.Default(kind); d != nil && d.Name == name {
		return d.Ref
	}
	return ""
}

// FlowInForce is the version of a flow that new subjects may begin; nil: none is.
func (e *Engine) FlowInForce(kind policy.Kind, name string) *flow.Compiled {
	if ref := e.flowInForce(kind, name); ref != "" {
		return e.FlowByName(kind, ref)
	}
	return nil
}
