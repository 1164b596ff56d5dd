package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// nearest is the incumbent of these tests, farthest the challenger: it goes where the way is longest and dearest.
const (
	nearest  = "kind: sourcing\nname: near\nsourcing:\n  groups: [{name: all, sort: [{by: distance}]}]\n"
	farthest = "kind: sourcing\nname: far\nsourcing:\n  groups: [{name: all, sort: [{by: value, value: '0.0 - candidate.distance_km'}]}]\n"
)

// half is a share experiment for half of the customers.
func half() experiment.Setup {
	return experiment.Setup{Name: "the other end", Mode: experiment.Share, Percent: 50}
}

func (n *node) experiment(s experiment.Setup, text string) *experiment.Experiment {
	n.tb.Helper()
	m := engine.Meta{Actor: "ada"}
	r, err := n.CreateExperiment(background, s, text, m)
	if err != nil {
		n.tb.Fatal(err)
	}
	id := r.Value.(*experiment.Experiment).ID
	if r, err = n.StartExperiment(background, id, m); err != nil {
		n.tb.Fatal(err)
	}
	return r.Value.(*experiment.Experiment)
}

func (n *node) looked(id string) *experiment.Experiment {
	n.tb.Helper()
	x, _, err := n.Experiment(background, id)
	if err != nil {
		n.tb.Fatal(err)
	}
	return x
}

func (n *node) result(id string) *experiment.Result {
	n.tb.Helper()
	r, err := n.ExperimentResult(background, id)
	if err != nil {
		n.tb.Fatal(err)
	}
	return r
}

// of is an order of one of many customers.
func of(i int, skus ...string) *order.New {
	n := basket(fmt.Sprint("x-", i), skus...)
	n.Customer = order.Customer{ID: fmt.Sprint("customer-", i)}
	return n
}

// deliver has a location do its part of an order.
func (n *node) deliver(o *order.Order, late time.Duration) {
	n.tb.Helper()
	f := o.Fulfillments[len(o.Fulfillments)-1].ID
	n.step(f, "pick", order.Step{})
	n.step(f, "ship", order.Step{})
	n.pass(late)
	n.step(f, "deliver", order.Step{})
}

func TestShareDecidesForItsGroup(t *testing.T) {
	t.Parallel()
	for name, reopen := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := reopen(t)
			n := studious(t, again(), newClock())
			n.retailer(20, 2, 10_000)
			n.publish(policy.KindSourcing, "near", nearest)
			near := n.capture(of(-1, "S0")).Fulfillments[0].Location
			x := n.experiment(half(), farthest)
			far, ends := "", []string{"L17", "L18", "L19"}
			seen := map[string]int{}
			var refused []*order.Order
			for i := range 40 {
				o := n.capture(of(i, "S0", "S1"))
				if o.Trial == nil || o.Trial.Experiment != x.ID {
					t.Fatalf("order %d is in %+v", i, o.Trial)
				}
				seen[o.Trial.Group]++
				at := o.Fulfillments[0].Location
				if o.Trial.Group == order.GroupChallenger {
					far = at
				}
				if (at == near) != (o.Trial.Group == order.GroupIncumbent) {
					t.Errorf("order %d of the %s is at %s", i, o.Trial.Group, at)
				}
				refused = append(refused, o)
				if i == 20 {
					n.close()
					n = studious(t, again(), n.clock)
				}
			}
			if far == "" || far == near || seen[order.GroupIncumbent] < 8 || seen[order.GroupChallenger] < 8 {
				t.Fatalf("groups %v; near is %s, far %s", seen, near, far)
			}
			for _, o := range refused[:10] { // decided again: by the same policy
				o = n.step(o.Fulfillments[0].ID, "reject", order.Step{Reason: "not found"})
				at := o.Fulfillments[len(o.Fulfillments)-1].Location
				if isFar := slices.Contains(ends, at); isFar != (o.Trial.Group == order.GroupChallenger) {
					t.Errorf("after a refusal an order of the %s is at %s", o.Trial.Group, at)
				}
			}
			if _, err := n.StopExperiment(background, x.ID, "seen enough", engine.Meta{Actor: "ada"}); err != nil {
				t.Fatal(err)
			}
			for _, o := range refused[10:20] { // and by the one in force once it is over
				if o = n.step(o.Fulfillments[0].ID, "reject", order.Step{}); slices.Contains(ends, o.Fulfillments[1].Location) {
					t.Errorf("after the stop an order is at %s", o.Fulfillments[1].Location)
				}
				if o.Trial == nil || o.Trial.Experiment != x.ID {
					t.Errorf("after the stop the order was in %+v", o.Trial)
				}
			}
			if o := n.capture(of(1000, "S0")); o.Trial != nil || o.Fulfillments[0].Location != near {
				t.Errorf("after the stop an order is in %+v, at %s", o.Trial, o.Fulfillments[0].Location)
			}
			if got := n.looked(x.ID); got.State != experiment.Stopped || got.Stop.Cause != experiment.StopPerson || got.Stop.Reason != "seen enough" || got.Stop.By != "ada" {
				t.Errorf("stopped as %+v", got.Stop)
			}
		})
	}
}

// toldOfOrders is the events of the orders in the log, without ids and what experiments add.
func (n *node) toldOfOrders() []string {
	n.tb.Helper()
	var out []string
	for bucket := range n.store.Buckets() {
		for after := int64(0); ; {
			rows, err := n.store.Log(background, bucket, after, 500)
			if err != nil {
				n.tb.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			for _, r := range rows {
				if after = r.Seq; r.Stream.Kind != engine.KindOrder {
					continue
				}
				var events []map[string]any
				if err := json.Unmarshal(r.Events, &events); err != nil {
					n.tb.Fatal(err)
				}
				events = slices.DeleteFunc(events, func(e map[string]any) bool { return e["type"] == order.EventCompared })
				for _, e := range events {
					if o, ok := e["order"].(map[string]any); ok {
						delete(o, "trial")
					}
				}
				text, err := json.Marshal(events)
				if err != nil {
					n.tb.Fatal(err)
				}
				out = append(out, strings.ReplaceAll(string(text), r.Stream.ID, "ID"))
			}
		}
	}
	return out
}

// The same traffic gives the same log with an experiment in the shadow and without, apart from what it books.
func TestShadowChangesNothing(t *testing.T) {
	t.Parallel()
	with, without := inlineOn(t, memory.New(1, true), newClock()), inlineOn(t, memory.New(1, true), newClock())
	var x *experiment.Experiment
	for _, n := range []*node{with, without} {
		n.retailer(20, 2, 8)
		n.publish(policy.KindSourcing, "near", nearest)
		if n == with {
			x = n.experiment(experiment.Setup{Name: "look", Mode: experiment.Shadow}, farthest)
		}
		for i := range 60 { // towards the end there is not enough for all
			o := n.capture(of(i, "S0", "S1", "K"))
			n.pass(time.Minute)
			if len(o.Fulfillments) == 0 {
				continue
			}
			if i%4 == 0 {
				n.step(o.Fulfillments[0].ID, "reject", order.Step{Reason: "not found"})
			} else if i%4 == 1 {
				n.deliver(o, time.Hour)
			}
		}
	}
	a, b := with.toldOfOrders(), without.toldOfOrders()
	if !slices.Equal(a, b) {
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("row %d: in the shadow of an experiment\n%s\nwithout\n%s", i, a[i], b[i])
			}
		}
		t.Fatalf("%d rows with an experiment, %d without", len(a), len(b))
	}
	with.learn()
	r := with.result(x.ID)
	if r.Shadow.Orders != 60 || r.Groups[0].Figures[0].Mean >= r.Groups[1].Figures[0].Mean {
		t.Errorf("the dearer challenger: %+v, %+v", r.Shadow, r.Groups)
	}
}

// What the challenger in the shadow is said to do is what a trial of it finds, and what the incumbent is said to do what was done.
func TestShadowBooksBoth(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(20, 2, 100)
	n.publish(policy.KindSourcing, "near", nearest)
	x := n.experiment(experiment.Setup{Name: "look", Mode: experiment.Shadow}, farthest)
	check := engine.CheckPolicy(farthest, true)
	try, err := n.Try(of(1, "S0", "S1"), check.Compiled)
	if err != nil {
		t.Fatal(err)
	}
	o := n.capture(of(1, "S0", "S1"))
	if o.Trial == nil || o.Trial.Compared == nil || o.Trial.Experiment != x.ID {
		t.Fatalf("booked %+v", o.Trial)
	}
	want := func(what string, got order.Opinion, f *order.Fulfillment, policy string) {
		t.Helper()
		if got.Policy != policy || got.Cost != f.Cost || got.Shipments != 1 || !got.DeliverBy.Equal(f.Promise.DeliverBy) || !slices.Equal(got.Locations, []string{f.Location}) {
			t.Errorf("%s: %+v; the shipment: %s, %d, %s", what, got, f.Location, f.Cost, f.Promise.DeliverBy)
		}
	}
	want("incumbent", o.Trial.Compared.Incumbent, &o.Fulfillments[0], "near@1")
	want("challenger", o.Trial.Compared.Challenger, &try.Order.Fulfillments[0], "far@1")
}

// A guardrail stops an experiment for good and everywhere, and the log says why.
func TestGuardrailStopsTheExperiment(t *testing.T) {
	t.Parallel()
	for name, reopen := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := reopen(t)
			n := studious(t, again(), newClock())
			n.retailer(20, 1, 10_000)
			n.publish(policy.KindSourcing, "near", nearest)
			s := half()
			s.Guardrails = &experiment.Guardrails{CostMorePercentMax: ptr(20.0), MinOrders: 10}
			x := n.experiment(s, farthest)
			for i := range 60 {
				n.deliver(n.capture(of(i, "S0")), time.Hour)
				if i == 9 {
					n.learn()
					if x := n.looked(x.ID); x.State != experiment.Running {
						t.Fatalf("stopped after ten orders: %+v", x.Stop)
					}
					n.close()
					n = studious(t, again(), n.clock)
				}
			}
			n.learn()
			got := n.looked(x.ID)
			if got.State != experiment.Stopped || got.Stop.Cause != experiment.StopGuardrail || got.Stop.Breach.Name != experiment.CostGuard ||
				got.Stop.Breach.Value < 20 || !strings.Contains(got.Stop.Reason, "% more than one of the incumbent") {
				t.Fatalf("stopped as %+v; %+v", got.Stop, n.result(x.ID))
			}
			r := n.result(x.ID)
			if a, b := r.Groups[0], r.Groups[1]; a.Captured+b.Captured != 60 || a.Finished+b.Finished != 60 {
				t.Errorf("counted %+v", r.Groups)
			}
			n.close()
			n = studious(t, again(), n.clock)
			if o := n.capture(of(1000, "S0")); o.Trial != nil {
				t.Errorf("after a restart an order is in %+v", o.Trial)
			}
			stops, _, err := n.Events(background, make(engine.Cursor, n.store.Buckets()), 10, func(kind string) bool { return kind == engine.EventExperimentStopped })
			if err != nil || len(stops) != 1 {
				t.Errorf("%d events say that it stopped, %v", len(stops), err)
			}
		})
	}
}

// When another policy comes into force there is nothing left to compare with.
func TestNewIncumbentEndsTheExperiment(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 1, 100)
	n.publish(policy.KindSourcing, "near", nearest)
	x := n.experiment(half(), farthest)
	if !slices.Equal(x.Incumbents, []string{"near@1"}) || x.Policy != "far@1" {
		t.Errorf("%s challenges %v", x.Policy, x.Incumbents)
	}
	n.learn()
	if got := n.looked(x.ID); got.State != experiment.Running {
		t.Fatalf("stopped as %+v", got.Stop)
	}
	n.publish(policy.KindSourcing, "near", nearest+"# better\n")
	n.learn()
	if got := n.looked(x.ID); got.State != experiment.Stopped || got.Stop.Cause != experiment.StopIncumbent || !strings.Contains(got.Stop.Reason, "near@2") {
		t.Errorf("stopped as %+v", got.Stop)
	}
}

// Orders of other channels and currencies are left alone, and what cannot run is refused with the reason.
func TestExperimentsAreRefused(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 1, 100)
	n.publish(policy.KindSourcing, "near", nearest)
	m := engine.Meta{Actor: "ada"}
	refused := func(err error, pointer, says string) {
		t.Helper()
		var bad problem.Invalid
		if !errors.As(err, &bad) || !slices.ContainsFunc(bad, func(f problem.Field) bool {
			return strings.HasPrefix(f.Pointer, pointer) && strings.Contains(f.Message, says)
		}) {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	create := func(change func(*experiment.Setup), text string) error {
		s := half()
		change(&s)
		_, err := n.CreateExperiment(background, s, text, m)
		return err
	}
	same := func(*experiment.Setup) {}
	refused(create(same, ""), "policy", "name the challenger")
	refused(create(func(s *experiment.Setup) { s.Policy = "near@1" }, farthest), "policy", "not both")
	refused(create(func(s *experiment.Setup) { s.Policy = "near@7" }, ""), "policy", "no sourcing policy")
	refused(create(func(s *experiment.Setup) { s.Policy = "near@x" }, ""), "policy", "name@version")
	refused(create(same, "kind: sourcing\nname: x\n"), "text", "")
	refused(create(same, returnsPolicy("L00")), "text", "of kind returns")
	refused(create(func(s *experiment.Setup) { s.Channels = []string{"nope"} }, farthest), "channels[0]", "no channel")
	if got := len(n.Experiments()); got != 0 {
		t.Fatalf("%d experiments are kept of what was refused", got)
	}
	s := half()
	s.Channels = []string{"web"}
	x := n.experiment(s, farthest)
	_, err := n.StartExperiment(background, x.ID, m)
	refused(err, "state", "only a draft")
	r, err := n.CreateExperiment(background, half(), "", engine.Meta{})
	refused(err, "policy", "")
	s = half()
	s.Policy = "far"
	if r, err = n.CreateExperiment(background, s, "", m); err != nil {
		t.Fatal(err)
	}
	_, err = n.StartExperiment(background, r.Value.(*experiment.Experiment).ID, m)
	refused(err, "channels", x.ID)
	if _, err := n.StartExperiment(background, "nope", m); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("starting one that is not there: %v", err)
	}
	other := of(1, "S0")
	other.Currency = "USD"
	if o := n.capture(other); o.Trial != nil {
		t.Errorf("an order in dollars is in %+v", o.Trial)
	}
	if _, err := n.StopExperiment(background, x.ID, "", m); err != nil {
		t.Fatal(err)
	}
	_, err = n.StopExperiment(background, x.ID, "", m)
	refused(err, "state", "stopped already")
}

// Nodes that restart between the commands of orders count what one counts that does not, and all nodes know of an experiment.
func TestNodesAgreeOnExperiments(t *testing.T) {
	t.Parallel()
	reopen, c := stores["postgres"](t), newClock()
	one, two := studious(t, reopen(), c), studious(t, reopen(), c)
	one.retailer(6, 1, 1000)
	one.publish(policy.KindSourcing, "near", nearest)
	x := one.experiment(half(), farthest)
	two.Follow(background)
	if o := two.capture(of(0, "S0")); o.Trial == nil {
		t.Fatal("the other node does not know of the experiment")
	}
	for i := range 12 {
		n := []*node{one, two}[i%2]
		n.Follow(background)
		n.deliver(n.capture(of(i+1, "S0")), time.Hour)
		if i%3 == 1 {
			[]*node{one, two}[i/3%2].learn()
		}
	}
	for _, n := range []*node{one, two, one} {
		n.Follow(background)
		n.learn()
	}
	text := func(n *node) string {
		r := n.result(x.ID)
		r.At, r.Behind = time.Time{}, false
		body, _ := json.Marshal(r)
		return string(body)
	}
	three := studious(t, reopen(), c)
	three.learn()
	for _, n := range []*node{two, three} {
		if a, b := text(one), text(n); a != b {
			t.Errorf("one node answers\n%s\nanother\n%s", a, b)
		}
	}
	if r := one.result(x.ID); r.Groups[0].Captured+r.Groups[1].Captured != 13 || r.Groups[0].Finished+r.Groups[1].Finished != 12 {
		t.Errorf("counted %+v", r.Groups)
	}
	records, err := one.store.Load(background, []store.Key{engine.LearnedKey(engine.LearnedTrials)})
	if err != nil || len(records) != 1 {
		t.Errorf("%d records of counts, %v", len(records), err)
	}
}
