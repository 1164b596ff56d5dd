package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// exceptionsInterval is how often the queue reads what other nodes did; a question does so at once.
	exceptionsInterval = 100 * time.Millisecond
	// exceptionsPage is how many records are read at a time after the start.
	exceptionsPage = 500
	// maxQueuedExceptions bounds the queue in memory; beyond it new ones are in their orders only, and the queue says so.
	maxQueuedExceptions = 200_000
	// termException is the search term of orders that had an exception; it stays when that is closed.
	termException = "exception:open"
)

// queued is one open exception.
type queued struct {
	id       string
	x        order.Exception
	order    string // id; "": it belongs to none
	about    string // id of the order a standalone one is about
	version  int64  // of the order, or the exception's own record
	location string
	currency string
	facts    *policy.Order // nil of one without an order
	stake    exception.Stake
	alone    *exception.Standalone
}

// openExceptions is the exception queue of this node: a view in memory of all open exceptions, fed by the commits
// of this node and, where there are others, by the log rows of those. After a start it reads the store in the
// background; until that is over it says that it is not loaded.
type openExceptions struct {
	e *Engine

	mu     sync.Mutex
	items  map[string][]*queued // by order id, or the own id of a standalone one
	count  int
	recent [2]map[string]int64 // versions entered lately, young and old
	rows   []store.Key         // changed by other nodes, to be read
	full   bool
	reads  exceptionScan
}

// exceptionScan is how far the store was read: orders, then standalone exceptions.
type exceptionScan struct {
	part  int
	after string
	begun int64
}

const exceptionParts = 2

func newOpenExceptions(e *Engine) *openExceptions {
	q := &openExceptions{e: e}
	q.begin()
	return q
}

// begin forgets everything and reads the store anew: at the start, and when memory was reloaded.
func (q *openExceptions) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items, q.count, q.rows, q.full = map[string][]*queued{}, 0, nil, false
	q.recent = [2]map[string]int64{{}, {}}
	q.reads = exceptionScan{begun: q.reads.begun + 1}
}

// run reads what other nodes did, and open exceptions, until the engine stops.
func (q *openExceptions) run(ctx context.Context) {
	q.settle(ctx)
	for more := true; more; {
		more = q.readPage(ctx)
	}
}

// changed notes that a command changed an order. It is called once that is durable.
func (q *openExceptions) changed(before, after *order.Order) {
	if len(after.Exceptions) == 0 && (before == nil || len(before.Exceptions) == 0) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.enter(after)
}

// alone notes that a command changed an exception that belongs to no order.
func (q *openExceptions) alone(s *exception.Standalone, version int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.enterAlone(s, version)
}

var exceptionMark = []byte(`"exception.`)

// followed notes log rows of other nodes.
func (q *openExceptions) followed(rows []store.Commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range rows {
		r := &rows[i]
		if r.Node == q.e.opt.Node {
			continue
		}
		switch r.Stream.Kind {
		case KindOrder:
			if len(q.items[r.Stream.ID]) > 0 || bytes.Contains(r.Events, exceptionMark) {
				q.rows = append(q.rows, r.Stream)
			}
		case KindException:
			q.rows = append(q.rows, r.Stream)
		}
	}
}

// settle reads the records that other nodes changed.
func (q *openExceptions) settle(ctx context.Context) {
	q.mu.Lock()
	keys := q.rows
	q.rows = nil
	q.mu.Unlock()
	slices.SortFunc(keys, func(a, b store.Key) int { return compare(a.ID, b.ID) })
	keys = slices.Compact(keys)
	for len(keys) > 0 {
		page := keys[:min(len(keys), exceptionsPage)]
		records, err := q.e.store.Load(ctx, page)
		if err != nil {
			if ctx.Err() == nil {
				q.e.log.Warn("the exception queue could not read what other nodes changed; it tries again", "error", err)
			}
			q.mu.Lock()
			q.rows = append(q.rows, keys...)
			q.mu.Unlock()
			return
		}
		keys = keys[len(page):]
		q.enterRecords(records, 0)
	}
}

// enterRecords enters stored records; of a scan that was begun anew meanwhile, none (begun 0: always).
func (q *openExceptions) enterRecords(records []store.Record, begun int64) bool {
	entries := make([]*Entry, 0, len(records))
	for _, r := range records {
		en, err := decode(r)
		if err != nil {
			q.e.log.Error("the exception queue left out a record that cannot be read", "kind", r.Kind, "id", r.ID, "error", err)
			continue
		}
		entries = append(entries, en)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if begun != 0 && q.reads.begun != begun {
		return false
	}
	for _, en := range entries {
		switch v := en.Value.(type) {
		case *order.Order:
			q.enter(v)
		case *exception.Standalone:
			q.enterAlone(v, en.Version)
		}
	}
	return true
}

// readPage reads one page of records with open exceptions, if some are left; more tells to go on.
func (q *openExceptions) readPage(ctx context.Context) (more bool) {
	q.mu.Lock()
	at := q.reads
	q.mu.Unlock()
	if at.part == exceptionParts {
		return false
	}
	query := store.Query{Kind: KindOrder, Term: termException, Before: at.after, Limit: exceptionsPage, Ascending: true}
	if at.part == 1 {
		query = store.Query{Kind: KindException, State: exception.StateOpen, Before: at.after, Limit: exceptionsPage, Ascending: true}
	}
	records, err := q.e.store.Find(ctx, query)
	if err != nil {
		if ctx.Err() == nil {
			q.e.log.Warn("the exception queue could not read open exceptions; it tries again", "error", err)
		}
		return false
	}
	if !q.enterRecords(records, at.begun) {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(records) < exceptionsPage {
		q.reads.part, q.reads.after = at.part+1, ""
		return q.reads.part < exceptionParts
	}
	q.reads.after = records[len(records)-1].ID
	return false
}

// newer remembers the version of what is entered, and reports that a newer one was before.
func (q *openExceptions) newer(id string, version int64) bool {
	if max(q.recent[0][id], q.recent[1][id]) > version {
		return true
	}
	if len(q.recent[0]) >= maxRecentOrders {
		q.recent = [2]map[string]int64{{}, q.recent[0]}
	}
	q.recent[0][id] = version
	return false
}

// put replaces what is queued under an id. The caller holds the lock.
func (q *openExceptions) put(id string, items []*queued) {
	q.count -= len(q.items[id])
	if room := maxQueuedExceptions - q.count; len(items) > room {
		items, q.full = items[:max(room, 0)], true
	}
	if len(items) == 0 {
		delete(q.items, id)
		return
	}
	q.items[id] = items
	q.count += len(items)
}

func (q *openExceptions) enter(o *order.Order) {
	if q.newer(o.ID, o.Version) {
		return
	}
	items := make([]*queued, 0, len(o.Exceptions))
	for i := range o.Exceptions {
		items = append(items, queuedOf(o, &o.Exceptions[i]))
	}
	q.put(o.ID, items)
}

func queuedOf(o *order.Order, x *order.Exception) *queued {
	f := orderFacts(o)
	item := &queued{
		id: exceptionID(o, x), x: *x, order: o.ID, version: o.Version, currency: o.Currency, facts: &f, stake: exception.StakeOf(o, x),
	}
	if u := o.Fulfillment(x.FulfillmentID); u != nil {
		item.location = u.Location
	}
	return item
}

func (q *openExceptions) enterAlone(s *exception.Standalone, version int64) {
	if q.newer(s.ID, version) {
		return
	}
	if s.State != exception.StateOpen {
		q.put(s.ID, nil)
		return
	}
	q.put(s.ID, []*queued{queuedAlone(s, version)})
}

func queuedAlone(s *exception.Standalone, version int64) *queued {
	return &queued{
		id: s.ID, about: s.OrderID, version: version, location: s.Location, currency: s.Currency, alone: s,
		x: order.Exception{
			ID: s.ID, Type: s.Type, Message: s.Message, By: s.By, OpenedAt: s.OpenedAt, Owner: s.Owner, ClaimedAt: s.ClaimedAt, Data: s.Data, Until: s.Until,
		},
		stake: exception.StandaloneStake(s.Amount, s.Currency, s.OpenedAt),
	}
}

// channel is whose customer it is about; "": nobody's.
func (i *queued) channel() string {
	switch {
	case i.facts != nil:
		return i.facts.Channel
	case i.alone != nil:
		return i.alone.Channel
	}
	return ""
}

// ExceptionFilter selects open exceptions; empty fields do not restrict.
type ExceptionFilter struct {
	Type     string `json:"type,omitempty"`
	Channel  string `json:"channel,omitempty"`
	Location string `json:"location,omitempty"`
	Owner    string `json:"owner,omitempty"` // person, or the team that it belongs to
	Order    string `json:"order,omitempty"`
	// State: open (default: to be worked on), claimed, unclaimed (open ones that somebody or nobody has), waiting (set aside), all.
	State string `json:"state,omitempty"`
}

// ExceptionStates are the states a filter may name.
var ExceptionStates = []string{"open", "claimed", "unclaimed", "waiting", "all"}

func (f *ExceptionFilter) admits(i *queued, now time.Time) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	if !is(f.Type, i.x.Type) || !is(f.Channel, i.channel()) || !is(f.Location, i.location) || f.Order != "" && f.Order != i.order && f.Order != i.about {
		return false
	}
	if f.Owner != "" && f.Owner != i.owner() {
		return false
	}
	waiting := i.x.Until.After(now)
	switch f.State {
	case "all":
		return true
	case "waiting":
		return waiting
	case "claimed":
		return !waiting && !i.x.ClaimedAt.IsZero()
	case "unclaimed":
		return !waiting && i.x.ClaimedAt.IsZero()
	}
	return !waiting
}

// owner is the person or, while there is none, the team.
func (i *queued) owner() string { return cmp.Or(i.x.Owner, exception.Lookup(i.x.Type).Team) }

// state says in a word whether it is to be worked on.
func (i *queued) state(now time.Time) string {
	switch {
	case i.x.Until.After(now):
		return "waiting"
	case !i.x.ClaimedAt.IsZero():
		return "claimed"
	}
	return "unclaimed"
}

// ranked is a queued exception with its price.
type ranked struct {
	*queued
	price exception.Price
}

// selected returns the exceptions that a filter admits, the highest rank first, then the oldest.
func (q *openExceptions) selected(f *ExceptionFilter, now time.Time) []ranked {
	terms := q.terms(now)
	q.mu.Lock()
	out := make([]ranked, 0, min(q.count, 1024))
	for _, items := range q.items { // sorted below
		for _, i := range items {
			if f.admits(i, now) {
				out = append(out, ranked{i, i.stake.Price(terms(i), now)})
			}
		}
	}
	q.mu.Unlock()
	slices.SortFunc(out, func(a, b ranked) int { return compareRanked(&a, b.price.Rank, b.x.OpenedAt, b.id) })
	return out
}

func compareRanked(a *ranked, rank int64, opened time.Time, id string) int {
	return cmp.Or(cmp.Compare(rank, a.price.Rank), a.x.OpenedAt.Compare(opened), strings.Compare(a.id, id))
}

// terms returns what promises and age are worth for an exception, by the policies in force.
func (q *openExceptions) terms(now time.Time) func(*queued) exception.Terms {
	plain := termsOf(policy.Default(policy.KindExceptions).Exceptions)
	if !q.e.Policies().Has(policy.KindExceptions) {
		return func(*queued) exception.Terms { return plain }
	}
	return func(i *queued) exception.Terms {
		f := policy.Facts{Order: i.facts, Now: now}
		if f.Order == nil {
			f.Order = &policy.Order{Channel: i.channel(), Currency: i.currency}
		}
		c, _ := q.e.choose(policy.KindExceptions, &f)
		return termsOf(c.Exceptions)
	}
}
