package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// Limits of one call that migrates.
const (
	DefaultMigrationPage = 1000
	MaxMigrationPage     = 10_000
	// migrationPage is how many orders are read at once, migrationClients how many are moved at the same time.
	migrationPage    = 500
	migrationClients = 64
)

// MigrateRequest asks to take what is in flight to one version of a flow.
type MigrateRequest struct {
	// Version of the flow that they go to. Default: the one in force.
	Version int64 `json:"version,omitempty"`
	// From is another flow of the same subject that they come from. Default: earlier, and later, versions of this one.
	From string `json:"from,omitempty"`
	// Mapping says where states go that the version has not, or that are to go elsewhere: state → state.
	Mapping map[string]string `json:"mapping,omitempty"`
	// DryRun checks the mapping and tells how many there are; nothing is moved.
	DryRun bool `json:"dry_run,omitempty"`
	// Cursor is the next of the answer before; without one, it begins with the oldest order.
	Cursor string `json:"cursor,omitempty"`
	// Limit is how many orders are looked at in this call: 1 to 10000, default 1000.
	Limit int `json:"limit,omitempty"`
}

// Migrated is what came of it.
type Migrated struct {
	To     string `json:"to"` // name@version
	DryRun bool   `json:"dry_run,omitempty"`
	// States is the mapping, for each version that is left, with how many are there as of the last count.
	States []FlowMapping `json:"states"`
	Looked int64         `json:"looked"` // orders
	Moved  int64         `json:"moved"`  // orders of which something was moved
	// Failed are orders that could not be moved, with the reason of the first.
	Failed int64  `json:"failed,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Next, when given, is the cursor to go on with: there are more orders.
	Next string `json:"next,omitempty"`
}

// FlowMapping is where one state of one version goes.
type FlowMapping struct {
	From  string `json:"from"` // name@version
	State string `json:"state"`
	To    string `json:"to"`
	Count int64  `json:"count"`
}

// MigrateFlow takes orders, fulfillments or returns in flight from other versions of a flow to one, a page of
// orders at a time, oldest first. The whole mapping is checked first; while a state of any version that was in
// force has no place, nothing is moved. Each order is a command of its own, so it can be broken off and begun
// anew. Errors: problem.Invalid, ErrNotFound, those of the store.
func (e *Engine) MigrateFlow(ctx context.Context, kind policy.Kind, name string, r *MigrateRequest, m Meta) (*Migrated, error) {
	limit, err := r.check()
	if err != nil {
		return nil, err
	}
	to, err := e.flowVersion(kind, name, r.Version)
	if err != nil {
		return nil, err
	}
	plan, err := e.PlanFlowMigration(to, r.From, r.Mapping)
	if err != nil {
		return nil, err
	}
	out := &Migrated{To: to.Ref, DryRun: r.DryRun, States: e.mappings(kind, plan)}
	if r.DryRun {
		return out, nil
	}
	return out, e.migratePages(ctx, plan, r.Cursor, limit, m, out)
}

func (r *MigrateRequest) check() (limit int, err error) {
	var bad problem.Invalid
	if limit = r.Limit; limit == 0 {
		limit = DefaultMigrationPage
	}
	bad.Range("limit", int64(limit), 1, MaxMigrationPage)
	bad.Range("version", r.Version, 0, MaxPolicyVersions)
	bad.Text("cursor", r.Cursor, store.MaxIDBytes)
	bad.Text("from", r.From, store.MaxIDBytes)
	bad.Count("mapping", len(r.Mapping), 1000)
	return limit, bad.Err()
}

// flowVersion is a version of a flow that is or was in force; 0: the one in force.
func (e *Engine) flowVersion(kind policy.Kind, name string, version int64) (*flow.Compiled, error) {
	ref := fmt.Sprintf("%s@%d", name, version)
	if version == 0 {
		if ref = e.flowInForce(kind, name); ref == "" {
			return nil, &Missing{fmt.Sprintf("version of %s/%s in force; publish one", kind, name)}
		}
	}
	if f := e.FlowByName(kind, ref); f != nil {
		return f, nil
	}
	return nil, &Missing{fmt.Sprintf("version %d of %s/%s that was ever in force", version, kind, name)}
}

// mappings lists a plan with what was counted.
func (e *Engine) mappings(kind policy.Kind, plan *FlowMigration) []FlowMapping {
	out := []FlowMapping{}
	shown := e.flowCounts.Load()
	for _, f := range e.flowsOf(kind, plan) {
		for i := range f.Doc.Flow.States {
			state := f.Doc.Flow.States[i].Name
			to, ok := plan.States[f.Ref][state]
			if !ok {
				continue
			}
			x := FlowMapping{From: f.Ref, State: state, To: to}
			if shown != nil {
				x.Count = shown.counts[flowPlace{kind, f.Ref, state}]
			}
			out = append(out, x)
		}
	}
	return out
}

// flowsOf are the versions that a plan leaves, oldest first.
func (e *Engine) flowsOf(kind policy.Kind, plan *FlowMigration) (out []*flow.Compiled) {
	name := plan.To.Name
	for ref := range plan.States { // all are of one flow
		name, _, _ = strings.Cut(ref, "@")
		break
	}
	for _, f := range e.flowsNamed(kind, name) {
		if _, ok := plan.States[f.Ref]; ok {
			out = append(out, f)
		}
	}
	return out
}

// migratePages moves a number of orders behind the cursor.
func (e *Engine) migratePages(ctx context.Context, plan *FlowMigration, after string, limit int, m Meta, out *Migrated) error {
	for left := limit; left > 0; {
		records, err := e.store.Find(ctx, store.Query{Kind: KindOrder, Ascending: true, Before: after, Limit: min(left, migrationPage)})
		if err != nil {
			return err
		}
		if err := e.migrateRecords(ctx, plan, records, m, out); err != nil {
			return err
		}
		out.Looked += int64(len(records))
		if len(records) < min(left, migrationPage) {
			return nil
		}
		left -= len(records)
		after = records[len(records)-1].ID
	}
	out.Next = after
	return nil
}

// migrateRecords moves orders, many at a time so that they share commits.
func (e *Engine) migrateRecords(ctx context.Context, plan *FlowMigration, records []store.Record, m Meta, out *Migrated) error {
	var moved, failed atomic.Int64
	var reason atomic.Pointer[string]
	move := func(id string) {
		_, err := e.MigrateFlows(ctx, id, plan, m)
		if err == nil {
			moved.Add(1)
			return
		}
		failed.Add(1)
		text := id + ": " + err.Error()
		reason.CompareAndSwap(nil, &text)
	}
	var clients sync.WaitGroup
	room := make(chan struct{}, migrationClients)
	for i := range records {
		en, err := decode(records[i])
		if err != nil {
			return err
		}
		if !plan.concerns(en.Value.(*order.Order)) {
			continue
		}
		if e.opt.Inline {
			move(en.ID)
			continue
		}
		room <- struct{}{}
		clients.Go(func() {
			defer func() { <-room }()
			move(en.ID)
		})
	}
	clients.Wait()
	out.Moved += moved.Load()
	out.Failed += failed.Load()
	if r := reason.Load(); r != nil && out.Reason == "" {
		out.Reason = *r
	}
	return ctx.Err()
}

// concerns reports whether anything of an order is in a state that the plan moves.
func (x *FlowMigration) concerns(o *order.Order) bool {
	in := func(at *order.FlowState) bool {
		if at == nil {
			return false
		}
		_, ok := x.States[at.Flow][at.State]
		return ok
	}
	switch x.To.Subject {
	case flow.SubjectFulfillment:
		for i := range o.Fulfillments {
			if in(o.Fulfillments[i].Flow) {
				return true
			}
		}
	case flow.SubjectReturn:
		for i := range o.Returns {
			if in(o.FlowOf(o.Returns[i].ID)) {
				return true
			}
		}
	default:
		return in(o.Flow)
	}
	return false
}
