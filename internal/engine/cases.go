package engine

import (
	"context"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// maxCases is how many orders are followed at once, twice at most, about 3 kB each. An order beyond is
	// followed again from its own log rows when the next of them comes.
	maxCases = 10_000
	// caseStreamPage is how many rows of an order are read at once.
	caseStreamPage = 500
)

// cases follows orders command by command, for learners that count what they come to. It is a cache of
// the orders' own log rows.
type cases struct {
	e    *Engine
	used [2]map[store.Key]*kpi.Case // lately, young and old
}

func newCases(e *Engine) cases {
	return cases{e: e, used: [2]map[store.Key]*kpi.Case{{}, {}}}
}

// known is the case of an order in which its first so many commands are, or nil.
func (k *cases) known(key store.Key, version int64) *kpi.Case {
	if c := k.used[0][key]; c != nil && c.Version() == version {
		return c
	}
	c := k.used[1][key]
	if c == nil || c.Version() != version {
		return nil
	}
	k.keep(key, c)
	return c
}

func (k *cases) keep(key store.Key, c *kpi.Case) {
	if len(k.used[0]) >= maxCases {
		k.used[0], k.used[1] = map[store.Key]*kpi.Case{}, k.used[0]
	}
	k.used[0][key] = c
}

// of is the case that a lesson goes on from, new for an order's first; nil: the order cannot be followed.
func (k *cases) of(x *lesson) *kpi.Case {
	if x.version > 1 {
		return k.known(x.key, x.version-1)
	}
	c := new(kpi.Case)
	k.keep(x.key, c)
	return c
}

// prepare follows the orders of lessons that are not followed yet up to where the lessons begin.
func (k *cases) prepare(ctx context.Context, lessons []lesson) error {
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
	followed, err := e.eachCommand(ctx, key, version, func(events []order.Event, r *store.Commit) error {
		return c.Apply(events, r.Version, r.Time, nil)
	})
	if err != nil {
		return nil, err
	}
	if !followed {
		return new(kpi.Case), nil
	}
	return c, nil
}

// eachCommand calls f for the first so many commands of an order, from its log rows. False: one of them cannot be read or
// f refused it, which is logged; an error is one of the store.
func (e *Engine) eachCommand(ctx context.Context, key store.Key, version int64, f func([]order.Event, *store.Commit) error) (followed bool, err error) {
	for after := int64(0); after < version; {
		rows, err := e.store.Stream(ctx, key, after, caseStreamPage)
		if err != nil {
			return false, err
		}
		if len(rows) == 0 {
			return true, nil
		}
		for i := range rows {
			r := &rows[i]
			if after = r.Version; r.Version > version {
				break
			}
			events, err := readEvents(r.Events)
			if err == nil {
				err = f(events, r)
			}
			if err != nil {
				e.log.Error("an order's log cannot be followed; it is not counted any further", "order", key.ID, "version", r.Version, "error", err)
				return false, nil
			}
		}
	}
	return true, nil
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
