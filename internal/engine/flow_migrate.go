package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// FlowMigration takes orders, fulfillments or returns in flight from versions of a flow to one version
// of it, or of another flow of the same subject.
type FlowMigration struct {
	To *flow.Compiled
	// States says for each version that is left (name@version) which state takes the place of each that is not final.
	States map[string]map[string]string
}

// PlanFlowMigration checks that subjects in every state of every version of the flow from ("": that of to)
// have a place in to, by mapping (state → state), by to's own list, or by the same name.
// Errors: problem.Invalid, whose pointers name the states.
func (e *Engine) PlanFlowMigration(to *flow.Compiled, from string, mapping map[string]string) (*FlowMigration, error) {
	if from == "" {
		from = to.Name
	}
	versions := e.flowsNamed(to.Policy.Kind, from)
	var bad problem.Invalid
	if len(versions) == 0 {
		bad.Add("from", problem.Unknown, "no version of a flow %.60q was ever in force", from)
		return nil, bad.Err()
	}
	out := &FlowMigration{To: to, States: map[string]map[string]string{}}
	used := map[string]bool{}
	for _, v := range versions {
		if v.Ref == to.Ref {
			continue
		}
		own := map[string]string{} // what mapping says of the states that this version has
		for _, s := range v.Doc.Flow.States {
			if target, ok := mapping[s.Name]; ok && !s.Final {
				own[s.Name], used[s.Name] = target, true
			}
		}
		states, err := flow.CheckMigration(v, to, own)
		bad.Nest("", err)
		out.States[v.Ref] = states
	}
	for _, name := range slices.Sorted(maps.Keys(mapping)) {
		if !used[name] {
			bad.Add(problem.Join("mapping", name), problem.Unknown, "no version of %s has a state of that name that is not final", from)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// flowsNamed are the versions of a flow that are or were in force, by reference.
func (e *Engine) flowsNamed(kind policy.Kind, name string) (out []*flow.Compiled) {
	if d := flow.Default(kind); d != nil && d.Name == name {
		out = append(out, d)
	}
	if known := e.flows.Load(); known != nil {
		for ref, f := range *known { // sorted below
			if ref.kind == kind && f.Name == name {
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, func(a, b *flow.Compiled) int { // name@2 before name@10
		return cmp.Or(len(a.Ref)-len(b.Ref), cmp.Compare(a.Ref, b.Ref))
	})
	return out
}

// MigrateFlows moves what of an order is in a state that the migration is about. Subjects in final states, and those
// of other flows, stay. Doing it again changes nothing. The reply's value is the *order.Order. Errors: those of Submit, ErrNotFound.
func (e *Engine) MigrateFlows(ctx context.Context, id string, x *FlowMigration, m Meta) (*Reply, error) {
	key := e.OrderKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		c := tx.change(o)
		if err := c.migrate(x); err != nil {
			return nil, err
		}
		next, err := c.save()
		if err != nil {
			return nil, err
		}
		return tx.okReply(next), nil
	}})
}

func (c *change) migrate(x *FlowMigration) error {
	var moves []order.FlowMove
	for _, of := range c.inFlow(x.To.Subject) {
		at := c.instance(of)
		if at == nil {
			continue
		}
		state, ok := x.States[at.Flow][at.State]
		if !ok {
			continue
		}
		to, err := x.To.Migrate(at, state, c.times(of))
		if err != nil {
			return err
		}
		moves = append(moves, order.FlowMove{Of: of, From: at.State, Event: "migration", Was: at.Flow, To: &to})
	}
	if len(moves) == 0 {
		return nil
	}
	return c.add(order.Event{Type: order.EventFlowMigrated, Moves: moves})
}

// inFlow lists the subjects of a kind that the order has: itself (""), its fulfillments, or its returns.
func (c *change) inFlow(subject string) (ids []string) {
	switch subject {
	case flow.SubjectFulfillment:
		for i := range c.now.Fulfillments {
			ids = append(ids, c.now.Fulfillments[i].ID)
		}
	case flow.SubjectReturn:
		for i := range c.now.Returns {
			ids = append(ids, c.now.Returns[i].ID)
		}
	default:
		ids = append(ids, "")
	}
	return ids
}
