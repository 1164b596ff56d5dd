package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/orderly-oms/orderly/internal/kpi"
)

// kpis is what the node answers for every KPI, told apart by location, as text.
func (n *node) kpis() string {
	n.tb.Helper()
	known := n.KPIs()
	first, last := known.Days()
	values, err := known.Ask(kpi.Question{From: first, To: last, Today: last, By: kpi.ByLocation})
	if err != nil {
		n.tb.Fatal(err)
	}
	text, err := json.MarshalIndent(values, "", " ")
	if err != nil {
		n.tb.Fatal(err)
	}
	if known.Unreadable != 0 || known.Orders == 0 {
		n.tb.Errorf("%d orders were counted; %d commands could not be", known.Orders, known.Unreadable)
	}
	return string(text)
}

// A node that is stopped between the commands of orders, with and without having persisted what it counted,
// answers as one that was not.
func TestRestartsCountTheSame(t *testing.T) {
	t.Parallel()
	for name, reopen := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := reopen(t)
			restarted, straight := studious(t, again(), newClock()), studious(t, stores["sqlite"](t)(), newClock())
			restarted.retailer(3, 1, 1000)
			straight.retailer(3, 1, 1000)
			for i := range 12 {
				restarted.work(i)
				straight.work(i)
				if i%4 == 1 { // the last order has not arrived yet
					restarted.learn()
				}
				if i%4 == 2 {
					restarted.close()
					restarted = studious(t, again(), restarted.clock)
				}
			}
			restarted.learn()
			straight.learn()
			if a, b := restarted.kpis(), straight.kpis(); a != b {
				t.Errorf("with restarts\n%s\nwithout\n%s", a, b)
			}
		})
	}
}

// Nodes on one store answer the same, whichever counted, and so does one that just started.
func TestNodesAgreeOnKPIs(t *testing.T) {
	t.Parallel()
	reopen, c := stores["postgres"](t), newClock()
	one, two := studious(t, reopen(), c), studious(t, reopen(), c)
	one.retailer(3, 1, 1000)
	two.Follow(background)
	for i := range 9 {
		[]*node{one, two}[i%2].work(i)
		if i%3 == 1 {
			[]*node{one, two}[i/3%2].learn()
		}
	}
	for _, n := range []*node{one, two, one} {
		n.Follow(background)
		n.learn()
	}
	three := studious(t, reopen(), c)
	three.learn()
	a := one.kpis()
	for _, n := range []*node{two, three} {
		if b := n.kpis(); a != b {
			t.Errorf("one node answers\n%s\nanother\n%s", a, b)
		}
	}
	if captured := one.KPIs().Orders; captured != 9 {
		t.Errorf("%d orders were counted, 9 captured", captured)
	}
}
