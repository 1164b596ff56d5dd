package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/store"
)

// studious opens a node that learns only when it is told to.
func studious(tb testing.TB, s store.Store, c *clock) *node {
	tb.Helper()
	e, err := engine.Open(context.Background(), s, engine.Options{
		Clock: c.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), LearnInterval: 24 * time.Hour,
	})
	if err != nil {
		tb.Fatal(err)
	}
	e.Run()
	n := &node{Engine: e, tb: tb, clock: c, store: s}
	tb.Cleanup(n.close)
	return n
}

func (n *node) learn() {
	n.tb.Helper()
	if err := n.LearnNow(background); err != nil {
		n.tb.Fatal(err)
	}
}

// record is the record of what was learned, as it is stored.
func (n *node) record(id string) store.Record {
	n.tb.Helper()
	records, err := n.store.Load(background, []store.Key{engine.LearnedKey(id)})
	if err != nil || len(records) != 1 {
		n.tb.Fatalf("the record of %s: %d, %v", id, len(records), err)
	}
	return records[0]
}

// state is what a learner knows, without when it was written.
func (n *node) state(id string) string {
	n.tb.Helper()
	var body struct {
		State map[string]any `json:"state"`
	}
	if err := json.Unmarshal(n.record(id).Body, &body); err != nil {
		n.tb.Fatal(err)
	}
	delete(body.State, "version")
	delete(body.State, "at")
	for _, table := range []string{"delays", "stages"} {
		if snapshot, ok := body.State[table].(map[string]any); ok {
			delete(snapshot, "version")
		}
	}
	out, err := json.Marshal(body.State)
	if err != nil {
		n.tb.Fatal(err)
	}
	return string(out)
}

// work captures an order, has its location do or refuse it, and lets an hour pass.
func (n *node) work(i int) {
	n.tb.Helper()
	o := n.capture(basket(fmt.Sprint("work-", i), "S0"))
	f := o.Fulfillments[0].ID
	n.pass(time.Hour)
	if i%3 == 0 {
		n.step(f, "reject", order.Step{Reason: "not found"})
		return
	}
	n.step(f, "accept", order.Step{})
	n.step(f, "pick", order.Step{})
	n.pass(time.Hour)
	n.step(f, "ship", order.Step{})
	if i%3 == 1 {
		n.pass(20 * time.Hour)
		n.step(f, "deliver", order.Step{})
	}
}

func TestDecisionsReadWhatWasLearned(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(3, 1, 1000)
	first := n.capture(basket("first", "S0")).Fulfillments[0].Location
	for i := range 40 {
		o := n.capture(basket(fmt.Sprint("r-", i), "S0"))
		f := o.Fulfillments[0]
		if f.Location != first {
			t.Fatalf("order %d is at %s; the fixture's nearest is %s", i, f.Location, first)
		}
		n.step(f.ID, "reject", order.Step{Reason: "not found"})
		o = n.stored(o.ID)
		f = o.Fulfillments[1]
		n.step(f.ID, "pick", order.Step{})
		n.step(f.ID, "ship", order.Step{})
	}
	n.publish(policy.KindSourcing, "main", "kind: sourcing\nname: main\nsourcing:\n  groups:\n    - name: all\n      filters:\n        - {name: reliable, keep: candidate.failure_rate < 0.6}\n      sort: [{by: distance}]\n")
	if o := n.capture(basket("unlearned", "S0")); o.Fulfillments[0].Location != first {
		t.Errorf("nothing was persisted, but the order is at %s, not %s", o.Fulfillments[0].Location, first)
	}
	n.learn()
	facts := n.HistoryFacts()
	if rate := facts.FailureRate(first); rate < 0.6 || rate > 0.99 {
		t.Fatalf("failure rate of %s is %v after 40 refusals", first, rate)
	}
	o := n.capture(basket("learned", "S0"))
	if o.Fulfillments[0].Location == first {
		t.Errorf("the order is at %s, which refuses everything", first)
	}
	if why := n.decision(o.ID); !slices.Contains(why.Facts, "history@1") {
		t.Errorf("the decision names %q, not history@1", why.Facts)
	}
	if v := facts.Velocity("S0", o.Fulfillments[0].Location); v <= 0 {
		t.Errorf("velocity at %s is %v after 40 units left", o.Fulfillments[0].Location, v)
	}
	n.learn()
	list := n.Learned()
	at := slices.IndexFunc(list, func(l engine.Learned) bool { return l.ID == engine.LearnedHistory })
	if at < 0 || list[at].Version != 2 || list[at].Observed <= 160 || !slices.IsSortedFunc(list, func(a, b engine.Learned) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("learned: %+v", list)
	}
	n.audited()
}

// decision is the last one about an order.
func (n *node) decision(id string) *sourcing.Decision {
	n.tb.Helper()
	rows, err := n.store.Stream(background, n.OrderKey(id), 0, 100)
	if err != nil {
		n.tb.Fatal(err)
	}
	for _, r := range slices.Backward(rows) {
		var events []order.Event
		if err := json.Unmarshal(r.Events, &events); err != nil {
			n.tb.Fatal(err)
		}
		for _, e := range slices.Backward(events) {
			if e.Sourcing != nil {
				return e.Sourcing
			}
		}
	}
	n.tb.Fatalf("order %s was never sourced", id)
	return nil
}

// A node that is stopped, with and without having persisted what it learned, learns what one learns that
// was not.
func TestRestartsLearnTheSame(t *testing.T) {
	t.Parallel()
	for name, reopen := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := reopen(t)
			restarted, straight := studious(t, again(), newClock()), studious(t, stores["sqlite"](t)(), newClock())
			restarted.retailer(3, 1, 1000)
			straight.retailer(3, 1, 1000)
			for i := range 30 {
				restarted.work(i)
				straight.work(i)
				if i%10 == 4 {
					restarted.learn()
				}
				if i%10 == 7 { // three orders after the last snapshot
					restarted.close()
					restarted = studious(t, again(), restarted.clock)
				}
			}
			restarted.learn()
			straight.learn()
			facts, same := restarted.HistoryFacts(), straight.HistoryFacts()
			if facts.Version != 4 || same.Version != 1 {
				t.Errorf("versions %d and %d; want 4 and 1", facts.Version, same.Version)
			}
			if facts.Observations() != same.Observations() || facts.Observations() == 0 {
				t.Errorf("%d observations with restarts, %d without", facts.Observations(), same.Observations())
			}
			for _, l := range []string{"L00", "L01", "L02"} {
				a, _ := facts.Location(l)
				b, _ := same.Location(l)
				if !reflect.DeepEqual(a, b) {
					t.Errorf("%s with restarts:\n%+v\nwithout:\n%+v", l, a, b)
				}
			}
			if a, b := restarted.Learned(), straight.Learned(); a[0].Observed != b[0].Observed || a[1].Observed != b[1].Observed {
				t.Errorf("with restarts %+v, without %+v", a, b)
			}
			restarted.audited()
		})
	}
}

// Nodes on one store agree on versions and content, whichever persists them.
func TestNodesAgreeOnWhatWasLearned(t *testing.T) {
	t.Parallel()
	reopen := stores["postgres"](t)
	c := newClock()
	one, two := studious(t, reopen(), c), studious(t, reopen(), c)
	one.retailer(3, 1, 1000)
	two.Follow(background)
	for i := range 12 {
		[]*node{one, two}[i%2].work(i)
		switch i % 4 {
		case 1:
			one.learn()
		case 3:
			two.learn()
		}
	}
	one.work(12)
	first, second := make(chan error), make(chan error)
	go func() { first <- one.LearnNow(background) }()
	go func() { second <- two.LearnNow(background) }()
	for _, done := range []chan error{first, second} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []*node{one, two} {
		n.Follow(background)
		n.learn()
	}
	if a, b := one.Learned(), two.Learned(); !reflect.DeepEqual(a, b) || len(a) < 2 || a[1].Version != 7 {
		t.Errorf("one node knows %+v, the other %+v; want version 7 of each", a, b)
	}
	a, err := json.Marshal(one.HistoryFacts())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(two.HistoryFacts()); err != nil || string(a) != string(b) {
		t.Errorf("the facts of one node:\n%s\nthose of the other:\n%s (%v)", a, b, err)
	}
	three := studious(t, reopen(), c)
	if b, err := json.Marshal(three.HistoryFacts()); err != nil || string(a) != string(b) {
		t.Errorf("the facts of a node that just started:\n%s\nthose of the others:\n%s (%v)", b, a, err)
	}
	// Exactly what is in the log was counted, once.
	alone := studious(t, reopen(), c)
	if got, want := alone.HistoryFacts().Observations(), alone.countLearnable(); got != want {
		t.Errorf("%d events were counted, %d are in the log", got, want)
	}
	one.audited()
}

// countLearnable counts the events of orders from which history is learned.
func (n *node) countLearnable() (count int64) {
	n.tb.Helper()
	events, _, err := n.Events(background, make(engine.Cursor, n.store.Buckets()), 1<<20, func(name string) bool {
		return slices.Contains([]string{
			order.EventCaptured, order.EventFulfillmentCreated, order.EventFulfillmentAccepted, order.EventFulfillmentRejected,
			order.EventFulfillmentPicked, order.EventFulfillmentReady, order.EventFulfillmentShipped, order.EventFulfillmentHandover,
		}, name)
	})
	if err != nil {
		n.tb.Fatal(err)
	}
	return int64(len(events))
}

// What cannot be read is learned anew, under the next version.
func TestUnreadableRecordsAreLearnedAnew(t *testing.T) {
	t.Parallel()
	reopen := stores["sqlite"](t)
	n := studious(t, reopen(), newClock())
	n.retailer(3, 1, 1000)
	for i := range 6 {
		n.work(i)
	}
	n.learn()
	want := n.state(engine.LearnedHistory)
	r := store.Record{Key: engine.LearnedKey(engine.LearnedHistory), State: engine.StateActive}
	damaged := map[string]any{"id": engine.LearnedHistory, "version": 2, "cursors": []int64{9}, "state": map[string]any{"locations": "none"}}
	if _, err := n.PutRecord(background, r, damaged, map[string]string{"type": engine.EventLearnedUpdated}, engine.Meta{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	n.close()
	n = studious(t, reopen(), n.clock)
	if n.HistoryFacts() != nil {
		t.Error("facts come from a record that cannot be read")
	}
	n.learn()
	if got := n.state(engine.LearnedHistory); got != want {
		t.Errorf("learned anew:\n%s\nbefore:\n%s", got, want)
	}
	if v := n.record(engine.LearnedHistory).Version; v != 3 || n.HistoryFacts().Version != 3 {
		t.Errorf("version %d of the record, %d of the facts; want 3", v, n.HistoryFacts().Version)
	}
}

// The worker persists at intervals, and only when there is something new.
func TestLearningKeepsItsIntervals(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(3, 1, 1000)
	look := func(what string, versions ...int64) {
		t.Helper()
		n.LookAtLog(background)
		got := []int64{}
		for _, l := range n.Learned() {
			if l.ID == engine.LearnedDelays || l.ID == engine.LearnedHistory {
				got = append(got, l.Version)
			}
		}
		if !slices.Equal(got, versions) {
			t.Errorf("%s: versions %v, want %v", what, got, versions)
		}
	}
	n.capture(basket("a", "S0"))
	look("at once")
	n.clock.advance(engine.DefaultSnapshotInterval)
	look("after an interval", 1)
	n.clock.advance(10 * engine.DefaultSnapshotInterval)
	look("nothing new", 1)
	n.capture(basket("b", "S0"))
	look("something new", 2)
	n.capture(basket("c", "S0"))
	look("too soon", 2)
	n.clock.advance(20 * engine.DefaultSnapshotInterval)
	look("much later", 1, 3) // delays, and history
	events, _, err := n.Events(background, make(engine.Cursor, n.store.Buckets()), 1000, func(name string) bool { return name == engine.EventLearnedUpdated })
	if err != nil {
		t.Fatal(err)
	}
	if len(events) < 4 || events[0].Stream.Kind != engine.KindLearned || events[0].Stream.ID != engine.LearnedHistory || !strings.Contains(string(events[0].Data), `"version":1`) {
		t.Errorf("events of what was learned: %+v", events)
	}
}

// A node that was overtaken leaves learning to the other one, until that falls silent.
func TestOvertakenNodesStandBy(t *testing.T) {
	t.Parallel()
	reopen := stores["postgres"](t)
	c := newClock()
	one, two := studious(t, reopen(), c), studious(t, reopen(), c)
	one.retailer(3, 1, 1000)
	two.Follow(background)
	versions := func(what string, first, second int64) {
		t.Helper()
		if a, b := one.HistoryFacts().Version, two.HistoryFacts().Version; a != first || b != second {
			t.Errorf("%s: versions %d and %d, want %d and %d", what, a, b, first, second)
		}
	}
	one.work(0)
	one.learn()
	two.Follow(background)
	two.learn()
	versions("two starts from what one knows", 1, 1)
	one.work(1)
	one.learn()
	two.Follow(background)
	two.LookAtLog(background)
	versions("two hears of it", 2, 2)
	two.work(2) // hours pass
	two.LookAtLog(background)
	versions("one is silent", 2, 3)
	one.Follow(background)
	one.LookAtLog(background)
	versions("one hears of it", 3, 3)
	one.capture(basket("last", "S0"))
	c.advance(engine.DefaultSnapshotInterval)
	one.LookAtLog(background)
	versions("one stands by", 3, 3)
	c.advance(9 * engine.DefaultSnapshotInterval)
	two.LookAtLog(background)
	versions("two goes on", 3, 4)
}
