package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// MaxReoptimise bounds the orders of one joint decision.
	MaxReoptimise = 100_000
	// backlogPage is how many orders are read from the store at once.
	backlogPage = 1000
	// maxPasses is how often orders are tried that wanted what another one still had.
	maxPasses = 3
)

// Reoptimise asks to decide orders again whose fulfillments no location has accepted yet.
type Reoptimise struct {
	// Location restricts it to fulfillments there; "": all.
	Location string `json:"location,omitempty"`
	// Channel restricts it to orders of a channel; "": all.
	Channel string `json:"channel,omitempty"`
	// MaxMoves bounds how many orders move, those first that must leave their location, then those that
	// would lose most otherwise; 0: none, absent: no bound but MaxReoptimise.
	MaxMoves *int64 `json:"max_moves,omitempty"`
	// DryRun reports what would come of it and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// Reason stands in the events; default "decided again".
	Reason string `json:"reason,omitempty"`
}

// Reoptimised is what came of it. Looked = Moved + Stayed + Failed.
type Reoptimised struct {
	DryRun bool  `json:"dry_run,omitempty"`
	Looked int64 `json:"looked"` // orders with something that may move
	Moved  int64 `json:"moved"`  // orders
	// Forced are those of the moved orders whose location takes no work any more.
	Forced int64 `json:"forced"`
	// Stayed are orders that would not save enough, were moved often enough, or came after MaxMoves.
	Stayed int64 `json:"stayed"`
	// Unplaced are units of moved orders that found no other location: they wait as the policy says.
	Unplaced int64 `json:"unplaced"`
	// Saved is what the orders save that chose to move, by their policies' own terms, minor units.
	Saved int64 `json:"saved"`
	// Contested are the positions that more orders wanted than there is stock.
	Contested int64 `json:"contested"`
	Failed    int64 `json:"failed"` // orders that changed meanwhile or could not be decided
	// Milliseconds it took.
	Milliseconds int64 `json:"milliseconds"`
}

// Validate reports every field that is wrong.
func (r *Reoptimise) Validate() error {
	var bad problem.Invalid
	bad.Text("location", r.Location, store.MaxIDBytes)
	bad.Text("channel", r.Channel, store.MaxIDBytes)
	bad.Text("reason", r.Reason, order.MaxTextBytes)
	if r.MaxMoves != nil {
		bad.Range("max_moves", *r.MaxMoves, 0, MaxReoptimise)
	}
	return bad.Err()
}

// joint is one joint decision about the backlog.
type joint struct {
	planner
	request *Reoptimise
	actor   string
	// closedOnly leaves alone what may stay where it is.
	closedOnly bool
	// beat is called now and then while orders move; nil: not at all.
	beat func()
	out  Reoptimised
}

// soft is an order of the backlog.
type soft struct {
	key    store.Key
	o      *order.Order // as it was read
	closed bool         // one of its locations takes no work any more: it must move
	wish
}

// Reoptimise decides the soft backlog again, jointly: every order is planned against the same
// stock, what is free and what the backlog itself holds; positions that more orders want than there is
// stock are priced until demand fits; then the orders are decided one after the other, those
// that would lose most first. An order moves when it must, because its location takes no work
// any more, or when another plan places more of it, or when that saves at least the
// policy's change_cost and the order was moved less than its max_moves times. What is moved is decided as at capture, on the
// facts of that moment. Each order is a commit of its own: an error leaves those moved that were moved
// before it. Errors: problem.Invalid, ErrClosed, those of the context and of the store.
func (e *Engine) Reoptimise(ctx context.Context, r *Reoptimise, m Meta) (*Reoptimised, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	j := &joint{request: r, actor: m.Actor}
	if err := e.reoptimise(ctx, j); err != nil {
		return nil, err
	}
	return &j.out, nil
}

func (e *Engine) reoptimise(ctx context.Context, j *joint) error {
	start := time.Now()
	j.planner = planner{e: e, book: e.Book(), now: e.Now(), movable: j.movable}
	backlog, err := e.softBacklog(ctx, j)
	if err != nil {
		return err
	}
	j.out.DryRun, j.out.Looked = j.request.DryRun, int64(len(backlog))
	if err := j.plan(ctx, backlog); err != nil {
		return err
	}
	j.out.Contested = int64(j.contested)
	work := slices.DeleteFunc(slices.Clone(backlog), func(s *soft) bool { return s.settled })
	rank(work)
	if j.request.DryRun {
		err = j.pretend(ctx, work)
	} else {
		err = j.move(ctx, work)
	}
	j.out.Stayed = j.out.Looked - j.out.Moved - j.out.Failed
	j.out.Milliseconds = time.Since(start).Milliseconds()
	return err
}

// rank sorts orders into the sequence in which they are decided: those that must move first, then
// those that would lose most without the contested stock they want, then those that save most, then the oldest.
func rank(work []*soft) {
	must := func(s *soft) int {
		if s.closed {
			return 0
		}
		return 1
	}
	slices.SortFunc(work, func(a, b *soft) int {
		return cmp.Or(cmp.Compare(must(a), must(b)), cmp.Compare(b.surplus, a.surplus), cmp.Compare(b.saving, a.saving), compare(a.key.ID, b.key.ID))
	})
}

// isClosed reports that a fulfillment nobody accepted is at a location that takes no work any more.
func isClosed(d *network.Directory, f *order.Fulfillment) bool {
	l, ok := d.Location(f.Location)
	return f.Status == order.FulfillmentOpen && (!ok || !l.IsActive())
}

// movable returns which fulfillments of an order may move, and whether they must: when some
// are at closed locations those alone, so that nothing else is disturbed.
func (j *joint) movable(o *order.Order) (may func(*order.Fulfillment) bool, must bool) {
	d := j.e.Directory()
	at := func(f *order.Fulfillment) bool { return j.request.Location == "" || f.Location == j.request.Location }
	closed := func(f *order.Fulfillment) bool { return at(f) && isClosed(d, f) }
	for i := range o.Fulfillments {
		if closed(&o.Fulfillments[i]) {
			return closed, true
		}
	}
	if j.closedOnly {
		return func(*order.Fulfillment) bool { return false }, false
	}
	return at, false
}

// backlogStates are those of orders that may have fulfillments nobody accepted.
var backlogStates = []order.Status{order.StatusAllocated, order.StatusPartiallyFulfilled, order.StatusBackordered, order.StatusOpen}

// softBacklog finds the orders that have something to move, at most MaxReoptimise.
func (e *Engine) softBacklog(ctx context.Context, j *joint) ([]*soft, error) {
	var out []*soft
	may := mayMove(j.request.Location)
	for _, state := range backlogStates {
		q := store.Query{Kind: KindOrder, Channel: j.request.Channel, State: string(state), Limit: backlogPage, Ascending: true}
		for len(out) < MaxReoptimise {
			records, err := e.store.Find(ctx, q)
			if err != nil {
				return nil, err
			}
			found := make([]*soft, len(records))
			if err := e.parallel(ctx, len(records), func(i int) error {
				if !may(records[i].Body) {
					return nil
				}
				var err error
				found[i], err = j.softOrder(records[i])
				return err
			}); err != nil {
				return nil, err
			}
			out = append(out, slices.DeleteFunc(found, func(s *soft) bool { return s == nil })...)
			if len(records) < backlogPage {
				break
			}
			q.Before = records[len(records)-1].ID
		}
	}
	return out[:min(len(out), MaxReoptimise)], nil
}

// mayMove reports, without decoding it, whether an order may have an open fulfillment at a
// location (""; anywhere): most orders of a large store have not.
func mayMove(location string) func(body []byte) bool {
	open := []byte(`"status":"` + string(order.FulfillmentOpen) + `"`)
	var at []byte
	if location != "" {
		id, _ := json.Marshal(location) // a string always can be
		at = append([]byte(`"location":`), id...)
	}
	return func(body []byte) bool { return bytes.Contains(body, open) && bytes.Contains(body, at) }
}

// softOrder decodes an order of the backlog; nil when nothing of it may move.
func (j *joint) softOrder(r store.Record) (*soft, error) {
	en := j.e.cache.get(r.Key)
	if en == nil || en.Version != r.Version {
		var err error
		if en, err = decode(r); err != nil {
			return nil, err
		}
		j.e.cache.put(en) // it is about to be decided; a stale one is refused by its version
	}
	o := en.Value.(*order.Order)
	may, must := j.movable(o)
	if !slices.ContainsFunc(o.Fulfillments, func(f order.Fulfillment) bool { return f.Status == order.FulfillmentOpen && may(&f) }) {
		return nil, nil
	}
	return &soft{key: r.Key, o: o, closed: must}, nil
}
