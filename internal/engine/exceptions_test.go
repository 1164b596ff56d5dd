package engine_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

var ada = engine.Meta{Actor: "api", Manual: &engine.Manual{Operator: "ada", Action: "applyFix"}}

// raise opens an exception of an order and returns its id.
func (n *node) raise(o *order.Order, x order.Exception) string {
	n.tb.Helper()
	r, err := n.Change(background, o.ID, engine.Meta{Actor: "test"}, func(o *order.Order) ([]order.Event, error) {
		e := o.Raise(x, n.Now())
		if e == nil {
			return nil, errors.New("it is open already")
		}
		return []order.Event{*e}, nil
	})
	if err != nil {
		n.tb.Fatal(err)
	}
	o = r.Value.(*order.Order)
	return o.ID + "-" + o.Exceptions[len(o.Exceptions)-1].ID
}

func (n *node) fix(id, fix string, a exception.Args, simulate bool, m engine.Meta) (*engine.FixResult, error) {
	r, err := n.FixException(background, id, fix, a, simulate, nil, m)
	if err != nil {
		return nil, err
	}
	return r.Value.(*engine.FixResult), nil
}

// queue is the ids of the queue, in its order.
func (n *node) queue(f engine.ExceptionFilter) (ids []string) {
	n.tb.Helper()
	for cursor := ""; ; {
		p, err := n.Exceptions(background, f, 2, cursor, false)
		if err != nil {
			n.tb.Fatal(err)
		}
		for _, v := range p.Items {
			ids = append(ids, v.ID)
		}
		if cursor = p.Next; cursor == "" {
			if len(ids) != p.Count {
				n.tb.Fatalf("pages have %d of %d", len(ids), p.Count)
			}
			return ids
		}
	}
}

func code(err error) string {
	var no *order.Refusal
	if errors.As(err, &no) {
		return no.Code
	}
	return fmt.Sprint(err)
}

// What is most at stake comes first; a person takes it, sees what fixes would do, and applies one, which closes
// it, moves the units and books the work.
func TestExceptionIsFixed(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(2, 2, 5)
		cheap := basket("W-1", "S0")
		dear := basket("W-2", "S0", "S1")
		dear.Lines[0].UnitPrice = 500_00
		small, large := n.capture(cheap), n.capture(dear)
		n.clock.advance(25 * time.Hour)
		n.FireTimersInOrder(background)
		ids := n.queue(engine.ExceptionFilter{Type: "acceptance_overdue"})
		want := []string{large.ID + "-e1", small.ID + "-e1"}
		if !slices.Equal(ids, want) {
			t.Fatalf("queue %v, want %v", ids, want)
		}
		v, err := n.Exception(background, want[0], true)
		if err != nil || v.Location != "L01" || v.Owner != exception.TeamStores || v.Promises != 1 || v.Money < 500_00 || len(v.Fixes) == 0 {
			t.Fatalf("%v %+v", err, v)
		}
		if f := v.Fixes[0]; f.Fix != exception.FixResource || f.Effect == nil || !f.Effect.Closes || len(f.Effect.Plan) != 2 || f.Effect.Plan[1].Location != "L00" {
			t.Fatalf("best fix %+v", f)
		}
		if _, err := n.ClaimException(background, want[0], "", false, ada); err != nil {
			t.Fatal(err)
		}
		if _, err := n.ClaimException(background, want[0], "bob", false, engine.Meta{Actor: "api"}); code(err) != order.CodeClaimed {
			t.Errorf("bob claims what ada has: %v", err)
		}
		if got := n.queue(engine.ExceptionFilter{Owner: "ada"}); !slices.Equal(got, want[:1]) {
			t.Errorf("ada has %v", got)
		}
		stale := ada
		stale.IfVersion = v.Version
		if _, err := n.fix(want[0], exception.FixResource, exception.Args{}, false, stale); !errors.Is(err, engine.ErrVersion) {
			t.Errorf("a fix on what was seen before the claim: %v", err)
		}
		r, err := n.fix(want[0], exception.FixResource, exception.Args{Reason: "silent"}, false, ada)
		if err != nil {
			t.Fatal(err)
		}
		o := n.stored(large.ID)
		if !r.Effect.Closes || len(o.Exceptions) != 0 || o.Fulfillments[1].Location != "L00" || o.Touches != 2 || o.TouchSeconds != 2*exception.Lookup("acceptance_overdue").Seconds {
			t.Errorf("after the fix: %+v; %d touches of %d s", o.Exceptions, o.Touches, o.TouchSeconds)
		}
		if got := n.queue(engine.ExceptionFilter{}); !slices.Equal(got, want[1:]) {
			t.Errorf("left in the queue: %v", got)
		}
		if _, err := n.fix(want[0], exception.FixResource, exception.Args{}, false, ada); code(err) != order.CodeUnknownException {
			t.Errorf("fixed twice: %v", err)
		}
		if r, err = n.fix(want[1], exception.FixRemind, exception.Args{Hours: 2}, false, ada); err != nil || r.Effect.Closes {
			t.Fatalf("%v %+v", err, r)
		}
		if got := n.queue(engine.ExceptionFilter{}); len(got) != 0 {
			t.Errorf("set aside, but in the queue: %v", got)
		}
		n.clock.advance(2 * time.Hour)
		if got := n.queue(engine.ExceptionFilter{}); !slices.Equal(got, want[1:]) {
			t.Errorf("two hours later: %v", got)
		}
		n.equalsStore()
		n.audited()
	})
}

// TestFixDoesWhatItsSimulationSaid is the contract of every simulation: applied on the same version it has the same
// effect, or is refused for the same reason; and a simulation changes nothing.
func TestFixDoesWhatItsSimulationSaid(t *testing.T) {
	n := quiet(t, stores["sqlite"](t)(), newClock())
	n.retailer(4, 3, 60)
	fixes := exception.Fixes()
	serial, done := 0, map[string]int{}
	one := func(t *rapid.T) {
		serial++
		in := basket(fmt.Sprint("P-", serial), "S0", "S1", "S2")
		in.Lines[0].Quantity = rapid.SampledFrom([]int64{1, 2, 500}).Draw(t, "units")
		o := n.capture(in)
		for _, f := range o.Fulfillments {
			for _, command := range rapid.SampledFrom([][]string{nil, {"accept"}, {"accept", "pick"}, {"ship"}, {"ship", "deliver"}}).Draw(t, "steps") {
				o = n.step(f.ID, command, order.Step{})
			}
		}
		if rapid.Bool().Draw(t, "held") {
			if _, err := n.Change(background, o.ID, ada, func(o *order.Order) ([]order.Event, error) {
				return o.Hold(order.NewHold{Type: order.HoldFraud, Blocks: rapid.SampledFrom([]string{order.BlocksRelease, order.BlocksSourcing}).Draw(t, "blocks")}, "test", n.Now())
			}); err != nil && code(err) != order.CodeWrongState {
				t.Fatal(err)
			}
		}
		x := order.Exception{Type: rapid.SampledFrom(exception.Types()).Draw(t, "type").ID, Message: "drawn", By: "test"}
		if len(o.Fulfillments) > 0 && rapid.Bool().Draw(t, "about a fulfillment") {
			x.FulfillmentID = rapid.SampledFrom(o.Fulfillments).Draw(t, "fulfillment").ID
		}
		id := n.raise(o, x)
		before := n.stored(o.ID)
		fix := rapid.SampledFrom(fixes).Draw(t, "fix")
		a := exception.Args{}
		for _, name := range fix.Needs {
			switch name {
			case "location":
				a.Location = rapid.SampledFrom([]string{"L00", "L01", "L03", "nowhere"}).Draw(t, "location")
			case "service":
				a.Service = "ground"
			case "amount":
				a.Amount = rapid.Int64Range(1, 20000).Draw(t, "amount")
			}
		}
		said, refused := n.fix(id, fix.ID, a, true, engine.Meta{Actor: "test"})
		if after := n.stored(o.ID); !reflect.DeepEqual(before, after) {
			t.Fatalf("simulating %s changed the order", fix.ID)
		}
		did, err := n.fix(id, fix.ID, a, false, engine.Meta{Actor: "test"})
		if refused != nil || err != nil {
			if fmt.Sprint(refused) != fmt.Sprint(err) {
				t.Fatalf("%s: the simulation says %v, the application %v", fix.ID, refused, err)
			}
			return
		}
		done[fix.ID]++
		if said.Simulated = false; !reflect.DeepEqual(said, did) {
			t.Fatalf("%s: the simulation says\n%+v, the application did\n%+v", fix.ID, said, did)
		}
		after := n.stored(o.ID)
		if open := after.Exception(id[len(o.ID)+1:]); (open == nil) != did.Effect.Closes {
			t.Fatalf("%s closes %v, but %+v", fix.ID, did.Effect.Closes, open)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 25 { // a check of this package is few draws, for tests that open stores
			one(t)
		}
	})
	if len(done) < 8 {
		t.Errorf("only %v were done", done)
	}
	n.equalsStore()
	n.audited()
}

// A rule acts when its time has come, again and again up to its limit, and leaves to people what it cannot do.
func TestRulesFixExceptions(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(3, 1, 5)
		n.publish(policy.KindExceptions, "auto", `
kind: exceptions
name: auto
exceptions:
  rules:
    - {name: silent, types: [acceptance_overdue], when: location.type == "store" && order.channel == "web", after_minutes: 30, fix: resource, max_per_order: 1}
    - {name: look, types: [odd], fix: retry_sourcing}
`)
		o := n.capture(basket("W-1", "S0"))
		n.pass(25 * time.Hour)
		o = n.stored(o.ID)
		if len(o.Exceptions) != 1 || !o.Exceptions[0].LookAt.Equal(o.Exceptions[0].OpenedAt.Add(30*time.Minute)) {
			t.Fatalf("opened: %+v", o.Exceptions)
		}
		n.pass(29 * time.Minute)
		if o = n.stored(o.ID); len(o.Exceptions) != 1 || len(o.Fulfillments) != 1 {
			t.Fatalf("a minute early: %+v", o.Exceptions)
		}
		n.pass(time.Minute)
		o = n.stored(o.ID)
		if len(o.Exceptions) != 0 || len(o.Fulfillments) != 2 || o.RuleFixes["silent"] != 1 || o.Touches != 0 {
			t.Fatalf("half an hour later: %+v, %d fulfillments, %v", o.Exceptions, len(o.Fulfillments), o.RuleFixes)
		}
		rows, err := n.store.Stream(background, n.OrderKey(o.ID), o.Version-1, 1)
		if err != nil || len(rows) != 1 || rows[0].Actor != "rule:silent" {
			t.Errorf("who did it: %+v %v", rows, err)
		}
		n.pass(25 * time.Hour)
		n.pass(time.Hour)
		if o = n.stored(o.ID); len(o.Exceptions) != 1 || o.RuleFixes["silent"] != 1 || !o.Exceptions[0].LookAt.IsZero() {
			t.Errorf("the second time is for a person: %+v %v", o.Exceptions, o.RuleFixes)
		}
		n.raise(o, order.Exception{Type: "odd", Message: "odd"})
		n.pass(0)
		o = n.stored(o.ID)
		if x := o.Exceptions[len(o.Exceptions)-1]; x.Type != "odd" || !x.LookAt.IsZero() {
			t.Errorf("what the rule cannot do stays for a person: %+v", x)
		}
		before := o.Version
		n.pass(time.Hour)
		if o = n.stored(o.ID); o.Version > before+1 {
			t.Errorf("it went on: version %d after %d", o.Version, before)
		}
		n.equalsStore()
		n.audited()
	})
}

// What a person has claimed is not fixed behind their back.
func TestRulesLeaveClaimedExceptions(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 5)
		n.publish(policy.KindExceptions, "auto", "kind: exceptions\nname: auto\nexceptions: {rules: [{name: gone, fix: close}]}\n")
		o := n.capture(basket("W-1", "S0"))
		id := n.raise(o, order.Exception{Type: "odd", Message: "odd"})
		if _, err := n.ClaimException(background, id, "ada", false, ada); err != nil {
			t.Fatal(err)
		}
		n.pass(time.Minute)
		if o = n.stored(o.ID); len(o.Exceptions) != 1 || len(o.RuleFixes) != 0 {
			t.Errorf("claimed: %+v %v", o.Exceptions, o.RuleFixes)
		}
		id = n.raise(o, order.Exception{Type: "odder", Message: "odder"})
		n.pass(time.Minute)
		if o = n.stored(o.ID); len(o.Exceptions) != 1 || o.RuleFixes["gone"] != 1 {
			t.Errorf("not claimed: %+v %v", o.Exceptions, o.RuleFixes)
		}
		if _, err := n.Exception(background, id, false); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("closed: %v", err)
		}
	})
}

// One fix for many: each by itself, with its own outcome; and the person's time is shared.
func TestBulkFix(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(2, 2, 10)
		for i := range 6 {
			n.raise(n.capture(basket(fmt.Sprint("W-", i), "S0")), order.Exception{Type: "no_location", Message: "none"})
		}
		lone := n.capture(basket("W-lone", "S1"))
		n.raise(lone, order.Exception{Type: "odd", Message: "odd", FulfillmentID: lone.Fulfillments[0].ID})
		b := &engine.BulkFix{Filter: engine.ExceptionFilter{State: "all"}, Fix: exception.FixCancelUnits, DryRun: true}
		dry, err := n.FixExceptions(background, b, nil, ada)
		if err != nil {
			t.Fatal(err)
		}
		b.DryRun = false
		m := ada
		m.Manual = &engine.Manual{Operator: "ada", Action: "bulkFix", Seconds: 70}
		did, err := n.FixExceptions(background, b, nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if dry.Found != 7 || dry.Done != 1 || dry.Failed != 6 || did.Done != 1 || did.Failed != 6 || !did.Items[0].Done && did.Items[0].Code != order.CodeNothingToDo {
			t.Errorf("dry run %+v, done %+v", dry, did)
		}
		if o := n.stored(lone.ID); o.Status != order.StatusCancelled || o.TouchSeconds != 10 {
			t.Errorf("%s, %d s", o.Status, o.TouchSeconds)
		}
		b = &engine.BulkFix{Filter: engine.ExceptionFilter{Type: "no_location"}, Fix: exception.FixClose, Args: exception.Args{Reason: "a mistake"}, Limit: 4}
		if did, err = n.FixExceptions(background, b, nil, m); err != nil || did.Found != 6 || did.Done != 4 {
			t.Errorf("%+v %v", did, err)
		}
		if s := n.SummarizeExceptions(background); s.Open != 2 || s.ByType["no_location"] != 2 || s.ByTeam[exception.TeamOperations] != 2 || s.ByChannel["web"] != 2 {
			t.Errorf("%+v", s)
		}
		n.audited()
	})
}

// An exception without an order is raised once, waits, is closed once, and can be read afterwards.
func TestStandaloneExceptions(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 5)
		x := exception.Standalone{
			ID: engine.ExceptionIDFor("reconciliation", "psp", "2026-11-23", "op-1"), Type: "missing_there", Message: "Operation op-1 is not in the report",
			Channel: "web", Amount: 4200, Currency: "EUR",
		}
		for range 2 {
			if _, err := n.RaiseException(background, x, engine.Meta{Actor: "reconciliation"}); err != nil {
				t.Fatal(err)
			}
		}
		if ids := n.queue(engine.ExceptionFilter{Channel: "web"}); !slices.Equal(ids, []string{x.ID}) {
			t.Fatalf("queue %v", ids)
		}
		if _, err := n.fix(x.ID, exception.FixResource, exception.Args{}, false, ada); code(err) != order.CodeNotAllowed {
			t.Errorf("no order to fix: %v", err)
		}
		if _, err := n.fix(x.ID, exception.FixWait, exception.Args{Hours: 1}, false, ada); err != nil {
			t.Fatal(err)
		}
		if ids := n.queue(engine.ExceptionFilter{}); len(ids) != 0 {
			t.Errorf("set aside: %v", ids)
		}
		said, err := n.fix(x.ID, exception.FixWriteOff, exception.Args{Reason: "small"}, true, ada)
		if err != nil {
			t.Fatal(err)
		}
		did, err := n.fix(x.ID, exception.FixWriteOff, exception.Args{Reason: "small"}, false, ada)
		if said.Simulated = false; err != nil || !reflect.DeepEqual(said, did) {
			t.Errorf("%v: %+v, %+v", err, said, did)
		}
		if _, err := n.fix(x.ID, exception.FixClose, exception.Args{}, false, ada); code(err) != order.CodeUnknownException {
			t.Errorf("closed twice: %v", err)
		}
		if _, err := n.RaiseException(background, x, engine.Meta{Actor: "reconciliation"}); err != nil {
			t.Fatal(err)
		}
		v, err := n.Exception(background, x.ID, true)
		if err != nil || v.State != exception.StateClosed || v.Resolution != "small" || v.Money != 4200 {
			t.Errorf("%v %+v", err, v)
		}
		n.audited()
	})
}

// The queue is found again after a start, and another node sees what one does.
func TestQueueOnOtherNodes(t *testing.T) {
	for kind, fresh := range stores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			handle := fresh(t)
			n := quiet(t, handle(), newClock())
			n.retailer(1, 1, 50)
			var want []string
			for i := range 5 {
				want = append(want, n.raise(n.capture(basket(fmt.Sprint("W-", i), "S0")), order.Exception{Type: "odd", Message: "odd"}))
			}
			if _, err := n.fix(want[0], exception.FixClose, exception.Args{}, false, ada); err != nil {
				t.Fatal(err)
			}
			if _, err := n.RaiseException(background, exception.Standalone{ID: "a1", Type: "poison_message", Message: "no"}, ada); err != nil {
				t.Fatal(err)
			}
			want = append(want[1:], "a1")
			slices.Sort(want)
			same := func(m *node, want []string) {
				t.Helper()
				got := m.queue(engine.ExceptionFilter{})
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("queue %v, want %v", got, want)
				}
			}
			if kind == "sqlite" {
				n.close()
			}
			m := quiet(t, handle(), n.clock)
			m.ReadExceptions(background)
			same(m, want)
			if kind == "sqlite" {
				return // one process at a time
			}
			if _, err := n.fix(want[0], exception.FixClose, exception.Args{}, false, ada); err != nil {
				t.Fatal(err)
			}
			m.Follow(background)
			same(m, want[1:])
			same(n, want[1:])
		})
	}
}

// A location ships what was given to another one meanwhile: the fix books it, and the other is told.
func TestAcceptLateShipment(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(2, 1, 5)
		o := n.capture(basket("W-1", "S0"))
		id := n.raise(o, order.Exception{Type: "acceptance_overdue", Message: "silent", FulfillmentID: o.Fulfillments[0].ID})
		if _, err := n.fix(id, exception.FixResource, exception.Args{}, false, ada); err != nil {
			t.Fatal(err)
		}
		id = n.raise(o, order.Exception{
			Type: "late_message", Message: "it shipped", FulfillmentID: o.Fulfillments[0].ID, Data: map[string]string{"command": "ship", "lines": "1:1", "tracking": "T1"},
		})
		if _, err := n.fix(id, exception.FixAcceptLateShip, exception.Args{}, false, ada); err != nil {
			t.Fatal(err)
		}
		o = n.stored(o.ID)
		last := o.Fulfillments[len(o.Fulfillments)-1]
		if o.Status != order.StatusFulfilled || len(o.Exceptions) != 0 || last.Location != "L01" || last.Status != order.FulfillmentShipped || last.Parcels[0].Tracking != "T1" ||
			o.Fulfillments[1].Status != order.FulfillmentCancelled {
			t.Errorf("%s: %+v", o.Status, o.Fulfillments)
		}
		if p := n.position("S0", "L01"); p.OnHand != 4 || p.Allocated != 0 {
			t.Errorf("stock at the one that shipped: %+v", p)
		}
		if p := n.position("S0", "L00"); p.Available() != 5 {
			t.Errorf("stock at the other: %+v", p)
		}
		n.equalsStore()
		n.audited()
	})
}

// Work that was done elsewhere counts as effort.
func TestTouches(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 5)
		o := n.capture(basket("W-1", "S0"))
		if _, err := n.TouchOrder(background, o.ID, &engine.NewTouch{Action: "phone_call", Seconds: 300, Cause: "delivery_overdue"}, ada); err != nil {
			t.Fatal(err)
		}
		id := n.raise(o, order.Exception{Type: "odd", Message: "odd"})
		if _, err := n.TouchException(background, id, &engine.NewTouch{Action: "email"}, ada); err != nil {
			t.Fatal(err)
		}
		if o = n.stored(o.ID); o.Touches != 2 || o.TouchSeconds != 300+exception.DefaultSeconds {
			t.Errorf("%d touches, %d s", o.Touches, o.TouchSeconds)
		}
		for _, bad := range []engine.NewTouch{{}, {Action: "not an action"}, {Action: "x", Seconds: -1}, {Action: "x", Seconds: 100_000}} {
			if _, err := n.TouchOrder(background, o.ID, &bad, ada); err == nil {
				t.Errorf("%+v was booked", bad)
			}
		}
	})
}
