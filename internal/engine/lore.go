package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/orderly-oms/orderly/internal/history"
	"github.com/orderly-oms/orderly/internal/price"
	"github.com/orderly-oms/orderly/internal/promise"
)

// lore is what decisions read of what was learned: the newest snapshots that were
// persisted, never a node's own counters, so that every node and every replay can
// read the same. It never changes; learning publishes a new one. Nil has learned nothing.
type lore struct {
	facts *history.Facts
	late  *promise.Delays // with orders under way
	work  *promise.Stages // with fulfillments under way
	worth *price.Prices
	// known describes the snapshots by learner.
	known map[string]Learned
	// named are the names of the snapshots that decisions read, by what they read; see versions. Nil: not made yet.
	named [][]string
}

// lore returns the newest; nil before anything was learned.
func (e *Engine) lore() *lore { return e.lorePtr.Load() }

// publishLore lets change make the next lore. No decision sees it change half way.
func (e *Engine) publishLore(change func(next *lore)) {
	e.decide.Lock()
	defer e.decide.Unlock()
	next := new(lore)
	if was := e.lorePtr.Load(); was != nil {
		*next = *was
	}
	next.known = maps.Clone(next.known)
	if next.known == nil {
		next.known = map[string]Learned{}
	}
	change(next)
	next.named = next.names()
	e.lorePtr.Store(next)
}

// versions names the snapshots that a decision reads, for the record: "history@12". Every decision dates what it
// places, and reads delays for that. What it returns is shared and must not be changed.
func (k *lore) versions(reads needs) []string {
	if k == nil {
		return nil
	}
	named := k.named
	if named == nil {
		named = k.names()
	}
	i := 0
	if reads.history {
		i |= 1
	}
	if reads.prices {
		i |= 2
	}
	return named[i]
}

// names makes what versions returns: capture is too busy to write it each time.
func (k *lore) names() [][]string {
	out := make([][]string, 4)
	for i := range out {
		for _, x := range []struct {
			reads bool
			id    string
		}{{i&1 != 0, LearnedHistory}, {true, LearnedDelays}, {i&2 != 0, LearnedPrices}} {
			if l, ok := k.known[x.id]; ok && x.reads {
				out[i] = append(out[i], fmt.Sprintf("%s@%d", l.ID, l.Version))
			}
		}
	}
	return out
}

// failureRate is the share of lines that the location rejects or finds short.
func (k *lore) failureRate(location string) float64 {
	if k == nil {
		return 0
	}
	return k.facts.FailureRate(location)
}

// velocity is how many units of the SKU leave the location in a day.
func (k *lore) velocity(sku, location string) float64 {
	if k == nil {
		return 0
	}
	return k.facts.Velocity(sku, location)
}

// price is what a unit there is worth beyond its cost, in minor units.
func (k *lore) price(sku, location string) int64 {
	if k == nil {
		return 0
	}
	return k.worth.Unit(sku, location)
}

// prices are those of one unit of each want there; nil: nothing is known. A kit's is the sum of its parts'.
func (k *lore) prices(group []*want, location string) []int64 {
	if k == nil || k.worth == nil {
		return nil
	}
	out := make([]int64, len(group))
	for i, w := range group {
		if len(w.parts) == 0 {
			out[i] = k.worth.Unit(w.sku, location)
		}
		for _, p := range w.parts {
			out[i] += p.Quantity * k.worth.Unit(p.SKU, location)
		}
	}
	return out
}

// delays are how late deliveries come; nil: nothing is known.
func (k *lore) delays() *promise.Delays {
	if k == nil {
		return nil
	}
	return k.late
}

// stages are how long work at locations takes; nil: nothing is known.
func (k *lore) stages() *promise.Stages {
	if k == nil {
		return nil
	}
	return k.work
}

// Learned lists the snapshots that decisions of this node read, by id.
func (e *Engine) Learned() []Learned {
	out := []Learned{}
	if k := e.lore(); k != nil {
		for _, id := range slices.Sorted(maps.Keys(k.known)) {
			out = append(out, k.known[id])
		}
	}
	return out
}

// HistoryFacts returns what was learned of locations and SKUs; nil: nothing.
func (e *Engine) HistoryFacts() *history.Facts {
	if k := e.lore(); k != nil {
		return k.facts
	}
	return nil
}

// stockCurve prices units by how much of what there was in curveDays is sold, where
// nothing is learned of who will ask for them. Its shape is the one that served the stream cases best.
var stockCurve = price.Curve{Top: 800, Bend: 4}

const curveDays = 28

// curvePrice is what the next unit is worth when so many are left and so many sell a day.
func curvePrice(left int64, velocity float64) int64 {
	return stockCurve.Unit(left, left+int64(velocity*curveDays))
}

// curve are the prices of one unit of each want there by the curve; nil: nothing is known of sales.
func (k *lore) curve(group []*want, location string, available []int64) []int64 {
	if k == nil || k.facts == nil {
		return nil
	}
	out := make([]int64, len(group))
	for i, w := range group {
		eachStocked(w.sku, w.parts, 1, func(sku string, n int64) {
			out[i] += n * curvePrice(available[i]*n, k.velocity(sku, location))
		})
	}
	return out
}

// Prices returns the opportunity prices that decisions of this node read; nil: none.
func (e *Engine) Prices() *price.Prices {
	if k := e.lore(); k != nil {
		return k.worth
	}
	return nil
}
