package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// settleInterval is how often changes of orders are entered in the ledger; a question enters them at once.
	settleInterval = 100 * time.Millisecond
	// maxUnsettled is how many changes wait; beyond it the command that adds one enters them itself.
	maxUnsettled = 50_000
	// ledgerPage is how many open orders are read at a time after the start: at most one page per
	// settleInterval, so that reading a million costs a fraction of a processor for some minutes.
	ledgerPage = 500
	// maxRecentOrders is how many orders changed lately are remembered by version, twice at most.
	maxRecentOrders = 50_000
	// ledgerReach is how old orders may be of which everything left and no delivery was reported.
	ledgerReach = 90 * 24 * time.Hour
	// maxRisks bounds one answer.
	maxRisks = 1000
)

// ledgerStatuses are the states of orders that may have open promises.
var ledgerStatuses = []order.Status{
	order.StatusOpen, order.StatusBackordered, order.StatusAllocated, order.StatusPartiallyFulfilled, order.StatusFulfilled,
}

// openPromises is the promise ledger of this node: a view in memory of all open promises,
// fed by the commits of this node and, where there are others, by the log rows of
// those. After a start it reads the open orders of the store in the background;
// until that is over it says that it is not loaded. Kept and broken ones count from the start.
type openPromises struct {
	e *Engine

	waiting struct {
		sync.Mutex
		changes []promiseChange
	}
	turn sync.Mutex // held while changes are entered, so that they are in order

	mu     sync.Mutex // guards what follows
	ledger *promise.Ledger
	delays *promise.Delays // what the ledger goes by
	stages *promise.Stages
	risky  float64             // probability below which the ledger looks at a promise
	recent [2]map[string]int64 // versions of orders entered lately, young and old
	since  time.Time
	full   bool
	reads  ledgerScan
}

// ledgerScan is how far the open orders were read.
type ledgerScan struct {
	status int // index in ledgerStatuses; their number: all were read
	after  string
	begun  int64 // counts beginnings, so that a page of an earlier one is not taken
}

// promiseChange is an order before and after a command, or a log row of another node.
type promiseChange struct {
	before, after *order.Order
	row           *store.Commit
}

func newOpenPromises(e *Engine) *openPromises {
	p := &openPromises{e: e}
	p.begin()
	return p
}

// begin forgets everything and reads the open orders anew: at the start, and when memory was reloaded.
func (p *openPromises) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger = promise.NewLedger(promise.DefaultAtRisk, promise.DefaultMinObservations, nil, nil)
	p.delays, p.stages, p.risky, p.full = nil, nil, promise.DefaultAtRisk, false
	p.recent = [2]map[string]int64{{}, {}}
	p.since = p.e.Now()
	p.reads = ledgerScan{begun: p.reads.begun + 1}
}

// run enters changes and reads open orders until the engine stops.
func (p *openPromises) run(ctx context.Context) {
	p.settle(ctx)
	p.e.keepQueues(ctx, p.working())
	for more := true; more; { // past states that few orders are in
		more = p.readPage(ctx)
	}
}

// changed notes that a command changed an order. It is called once that is durable.
func (p *openPromises) changed(before, after *order.Order) {
	if before != nil && !slices.ContainsFunc(after.Fulfillments, func(f order.Fulfillment) bool { return stepped(before, &f) }) {
		return
	}
	if len(after.Fulfillments) > 0 {
		p.note(promiseChange{before: before, after: after})
	}
}

// stepped reports whether a fulfillment is new or in another status than in the order before.
func stepped(before *order.Order, f *order.Fulfillment) bool {
	was := before.Fulfillment(f.ID)
	return was == nil || was.Status != f.Status
}

// followed notes log rows of other nodes.
func (p *openPromises) followed(rows []store.Commit) {
	for i := range rows {
		if rows[i].Stream.Kind == KindOrder && rows[i].Node != p.e.opt.Node {
			p.note(promiseChange{row: &rows[i]})
		}
	}
}

func (p *openPromises) note(c promiseChange) {
	p.waiting.Lock()
	p.waiting.changes = append(p.waiting.changes, c)
	n := len(p.waiting.changes)
	p.waiting.Unlock()
	if n >= maxUnsettled {
		p.settle(context.Background())
	}
}

// working is how many fulfillments wait at each location.
func (p *openPromises) working() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger.Working()
}

// settle enters the changes that wait.
func (p *openPromises) settle(ctx context.Context) {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.waiting.Lock()
	changes := p.waiting.changes
	p.waiting.changes = nil
	p.waiting.Unlock()
	orders, missed := p.readRows(ctx, changes)
	p.mu.Lock()
	for i := range changes {
		if c := &changes[i]; c.after != nil {
			p.enter(c.before, c.after)
		} else if o := orders[c.row.Stream]; o != nil {
			p.enter(nil, o)
		}
	}
	p.learn()
	p.mu.Unlock()
	if len(missed) > 0 {
		p.waiting.Lock()
		p.waiting.changes = append(missed, p.waiting.changes...)
		p.waiting.Unlock()
	}
}

// readRows returns the orders that log rows are about. An order just captured is in its row;
// others are read from the store as they are now. missed are rows to try again.
func (p *openPromises) readRows(ctx context.Context, changes []promiseChange) (orders map[store.Key]*order.Order, missed []promiseChange) {
	var keys []store.Key
	for i := range changes {
		row := changes[i].row
		if row == nil {
			continue
		}
		if orders == nil {
			orders = map[store.Key]*order.Order{}
		}
		if row.Version != 1 {
			keys = append(keys, row.Stream)
			continue
		}
		var events []order.Event
		if err := jsonenc.Unmarshal(row.Events, &events); err == nil {
			if o, err := order.Fold(nil, events, 1, row.Time); err == nil {
				orders[row.Stream] = o
			}
		}
	}
	slices.SortFunc(keys, func(a, b store.Key) int { return compare(a.ID, b.ID) })
	keys = slices.Compact(keys)
	for len(keys) > 0 {
		page := keys[:min(len(keys), ledgerPage)]
		keys = keys[len(page):]
		records, err := p.e.store.Load(ctx, page)
		if err != nil {
			if ctx.Err() == nil {
				p.e.log.Warn("the promise ledger could not read orders of other nodes; it tries again", "error", err)
			}
			for i := range changes {
				if row := changes[i].row; row != nil && slices.Contains(page, row.Stream) {
					missed = append(missed, changes[i])
				}
			}
			continue
		}
		for _, r := range records {
			if en, err := decode(r); err == nil {
				orders[r.Key] = en.Value.(*order.Order)
			}
		}
	}
	return orders, missed
}

// enter takes the state of an order into the ledger, unless a newer one is there. The caller holds the lock.
func (p *openPromises) enter(before, after *order.Order) {
	if after.Version < p.version(after.ID) {
		return
	}
	if len(p.recent[0]) >= maxRecentOrders {
		p.recent[0], p.recent[1] = map[string]int64{}, p.recent[0]
	}
	p.recent[0][after.ID] = after.Version
	for i := range after.Fulfillments {
		f := &after.Fulfillments[i]
		if before != nil && !stepped(before, f) {
			continue
		}
		switch f.Status {
		case order.FulfillmentReady, order.FulfillmentHandedOver:
			p.ledger.Close(f.ID, after.UpdatedAt)
		case order.FulfillmentDelivered:
			p.ledger.Close(f.ID, f.DeliveredAt)
		default:
			stage, open := promise.ParseStage(string(f.Status))
			if !open {
				p.ledger.Remove(f.ID)
			} else if err := p.ledger.Upsert(promiseEntry(after, f, stage)); errors.Is(err, promise.ErrLedgerFull) {
				p.full = true
			}
		}
	}
}

func (p *openPromises) version(id string) int64 { return max(p.recent[0][id], p.recent[1][id]) }

// promiseEntry is a fulfillment as the ledger keeps it.
func promiseEntry(o *order.Order, f *order.Fulfillment, stage promise.Stage) promise.Entry {
	e := promise.Entry{
		ID: f.ID, Order: o.ID, Channel: o.Channel, Location: f.Location, Service: f.Service, Zone: f.Zone,
		ShipBy: f.Promise.ShipBy, DeliverBy: f.Promise.DeliverBy, Calendar: f.Promise.Calendar, Stage: stage, Since: o.UpdatedAt,
	}
	if f.Method == order.Pickup {
		e.Service = ""
	}
	switch {
	case stage == promise.StageOpen:
		e.Since = f.CreatedAt
	case stage == promise.StageAccepted && !f.AcceptedAt.IsZero():
		e.Since = f.AcceptedAt
	case stage == promise.StageShipped && !f.ShippedAt.IsZero():
		e.Since = f.ShippedAt
	}
	for i := range f.Lines {
		if l := o.Line(f.Lines[i].Line); l != nil {
			e.Value += l.UnitValue() * f.Lines[i].Quantity
		}
	}
	return e
}

// learn brings in what was learned and the thresholds in force when they are others than
// before. The caller holds the lock.
func (p *openPromises) learn() {
	if k := p.e.lore(); k.delays() != p.delays || k.stages() != p.stages {
		p.delays, p.stages = k.delays(), k.stages()
		p.ledger.Learn(p.delays, p.stages)
	}
	highest := promise.DefaultAtRisk
	for _, x := range p.e.Policies().InForce(policy.KindPromise, p.e.Now()) {
		highest = max(highest, p.e.promiseSettings(x.Compiled, "").AtRisk)
	}
	if highest != p.risky {
		p.risky = highest
		p.ledger.Watch(highest)
	}
}

// readPage reads one page of open orders, if some are left; more tells that it was not full
// and others follow.
func (p *openPromises) readPage(ctx context.Context) (more bool) {
	p.mu.Lock()
	at := p.reads
	p.mu.Unlock()
	if at.status == len(ledgerStatuses) {
		return false
	}
	status := ledgerStatuses[at.status]
	q := store.Query{Kind: KindOrder, State: string(status), Before: at.after, Limit: ledgerPage, Ascending: true}
	if status == order.StatusFulfilled {
		q.CreatedFrom = p.e.Now().Add(-ledgerReach)
	}
	records, err := p.e.store.Find(ctx, q)
	if err != nil {
		if ctx.Err() == nil {
			p.e.log.Warn("the promise ledger could not read open orders; it tries again", "error", err)
		}
		return false
	}
	orders := make([]*order.Order, 0, len(records))
	for _, r := range records {
		if en, err := decode(r); err == nil {
			orders = append(orders, en.Value.(*order.Order))
		} else {
			p.e.log.Error("the promise ledger left out an order that cannot be read", "order", r.ID, "error", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reads.begun != at.begun {
		return false
	}
	for _, o := range orders {
		p.enter(nil, o)
	}
	if len(records) < ledgerPage {
		p.reads.status, p.reads.after = at.status+1, ""
		return at.status+1 < len(ledgerStatuses)
	}
	p.reads.after = records[len(records)-1].ID
	return false
}

// Risks are promises that will probably be broken.
type Risks struct {
	Items []promise.Risk // worst first
	Count int            // of all, beyond the limit too
	// Loaded tells that all open orders of the store are in the ledger.
	Loaded bool
}

// PromisesAtRisk returns open promises with a probability below the threshold, the least
// probable first; at most limit, 1 to 1000. Threshold 0 means the at_risk of each channel's
// promise policy, and no threshold reaches beyond the highest of those. An empty channel means all.
func (e *Engine) PromisesAtRisk(ctx context.Context, threshold float64, channel string, limit int) Risks {
	p := e.promised
	p.settle(ctx)
	now := e.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	// Channels differ in their thresholds, so what is asked of the ledger is not what is shown.
	worst, _ := p.ledger.AtRisk(now, p.risky, p.ledger.Len())
	limits := map[string]float64{}
	out := Risks{Items: []promise.Risk{}, Loaded: p.reads.status == len(ledgerStatuses)}
	for i := range worst {
		r := &worst[i]
		if channel != "" && r.Channel != channel {
			continue
		}
		least := threshold
		if least == 0 {
			var known bool
			if least, known = limits[r.Channel]; !known {
				least = e.promiseRules(&policy.Order{Channel: r.Channel}, now).AtRisk
				limits[r.Channel] = least
			}
		}
		if r.Probability >= least {
			continue
		}
		if out.Count++; len(out.Items) < min(limit, maxRisks) {
			out.Items = append(out.Items, *r)
		}
	}
	return out
}

// PromiseTallies is what became of the promises that this node knows of.
type PromiseTallies struct {
	Since  time.Time // kept and broken ones are counted from here
	Open   int
	Loaded bool // all open orders of the store are counted
	Full   bool // there are more open promises than are counted
	Items  []promise.Tally
}

// PromiseLedger counts open, kept and broken promises by channel and location.
func (e *Engine) PromiseLedger(ctx context.Context) PromiseTallies {
	p := e.promised
	p.settle(ctx)
	e.keepQueues(ctx, p.working())
	p.mu.Lock()
	defer p.mu.Unlock()
	return PromiseTallies{
		Since: p.since, Open: p.ledger.Len(), Loaded: p.reads.status == len(ledgerStatuses), Full: p.full, Items: p.ledger.Stats(),
	}
}
