package engine

import (
	"maps"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// second is a policy that is asked for its opinion, beside the one that decides.
type second struct {
	policy *policy.Compiled
	name   string // name@version
	// promise, when not nil, dates what it decides instead of the promise policy in force, and is called promiseName.
	promise     *policy.Compiled
	promiseName string
}

// opinion is what another sourcing policy would decide for the units of an order that no location has, on the
// facts of this moment: stock, capacity and everything learned as the policy in force is about to find them. It is asked
// before that one decides, shares what was gathered for it, and changes nothing. What a reservation holds for the order, which
// may be nil, counts as stock where it is held; the policy asked is as free to leave it there as with any stock.
func (e *Engine) opinion(book *inventory.Book, s *sources, o *order.Order, held *claimed, asked second, now time.Time) (*order.Opinion, error) {
	p := &placing{e: e, book: book, now: now, s: s, o: o, policy: asked.policy, name: asked.name}
	if asked.promise != nil {
		of := orderFacts(o)
		p.promise = &promiseRules{policy: asked.promise.Promise, name: asked.promiseName, Settings: e.promiseSettings(asked.promise, of.Country)}
	}
	if _, err := p.choose(held.free()); err != nil {
		return nil, err
	}
	return p.plan.Opinion(asked.name), nil
}

// free is the same held units without the promise that binds them, and for another decision to use.
func (c *claimed) free() *claimed {
	if c == nil {
		return nil
	}
	return &claimed{reservation: c.reservation, units: c.units, used: maps.Clone(c.used), loose: true}
}
