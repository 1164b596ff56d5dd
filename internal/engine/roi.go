package engine

import (
	"context"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/roi"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// roiEvery is how many snapshot intervals lie between two snapshots of the ledger.
	roiEvery = 4
	// maxROICases is how many orders are followed at once, twice at most, about 5 kB each. An order beyond is followed
	// again from its own log rows when the next of them comes.
	maxROICases = 5000
	// MaxROIScan is how many orders one page of lines looks at.
	MaxROIScan = 2000
)

// roiCase is an order as its next command finds it.
type roiCase struct {
	order *order.Order // nil: it cannot be followed
	line  roi.Line
	in    bool // line is in the ledger
}

// roiLearner keeps the ledger. Its record is the sums alone: a line follows from its order, so that a case is
// a cache of the order's own rows. Orders without a baseline are not followed.
type roiLearner struct {
	e      *Engine
	ledger *roi.Ledger
	cases  [2]map[store.Key]*roiCase // used lately, young and old
}

func newROILearner(e *Engine) *roiLearner {
	return &roiLearner{e: e, ledger: roi.New(), cases: [2]map[store.Key]*roiCase{{}, {}}}
}

func (r *roiLearner) id() string { return LearnedROI }

// concerns reports that an order has a baseline, now or after the lesson.
func concerns(x *lesson) bool {
	if x.order != nil && x.order.Baseline != nil {
		return true
	}
	for i := range x.events {
		if x.events[i].Type == order.EventBaseline {
			return true
		}
	}
	return false
}

// known is the case of an order after its first so many commands, or nil.
func (r *roiLearner) known(key store.Key, version int64) *roiCase {
	for _, cases := range r.cases {
		if c := cases[key]; c != nil && c.order != nil && c.order.Version == version {
			return c
		}
	}
	return nil
}

func (r *roiLearner) keep(key store.Key, c *roiCase) {
	if len(r.cases[0]) >= maxROICases {
		r.cases[0], r.cases[1] = map[store.Key]*roiCase{}, r.cases[0]
	}
	r.cases[0][key] = c
}

// prepare follows the orders of lessons that are not followed yet up to where the lessons begin. It implements preparer.
func (r *roiLearner) prepare(ctx context.Context, lessons []lesson) error {
	seen := map[store.Key]bool{}
	for i := range lessons {
		x := &lessons[i]
		if seen[x.key] || !concerns(x) {
			continue
		}
		seen[x.key] = true
		if x.version == 1 || r.known(x.key, x.version-1) != nil {
			continue
		}
		o, err := r.e.orderAt(ctx, x.key, x.version-1)
		if err != nil {
			return err
		}
		c := &roiCase{order: o}
		c.line, c.in = roi.LineOf(o)
		r.keep(x.key, c)
	}
	return nil
}

// orderAt is an order after its first so many commands, from its log rows; nil when they cannot be followed: an
// error is one of the store.
func (e *Engine) orderAt(ctx context.Context, key store.Key, version int64) (o *order.Order, err error) {
	followed, err := e.eachCommand(ctx, key, version, func(events []order.Event, r *store.Commit) (err error) {
		o, err = order.Extend(o, events, r.Version, r.Time, nil)
		return err
	})
	if err != nil || !followed || o == nil || o.Version < version {
		return nil, err
	}
	return o, nil
}

// observe books what one command changes of an order's line.
func (r *roiLearner) observe(x *lesson) {
	c := r.known(x.key, x.version-1)
	if c == nil && !concerns(x) {
		return
	}
	if x.version == 1 {
		c = new(roiCase)
		r.keep(x.key, c)
	}
	if c == nil {
		r.ledger.Unreadable++
		return
	}
	next, err := order.Extend(c.order, x.events, x.version, x.at, nil)
	if err != nil {
		r.ledger.Unreadable++
		r.e.log.Error("a command cannot be booked in the ledger", "order", x.key.ID, "version", x.version, "error", err)
		c.order = nil
		return
	}
	c.order = next
	line, in := roi.LineOf(next)
	switch {
	case c.in:
		r.ledger.Replace(c.line, line)
	case in:
		r.ledger.Add(line)
	}
	c.line, c.in = line, in
}

func (r *roiLearner) encode(int64, time.Time) ([]byte, error) { return r.ledger.Encode() }

func (r *roiLearner) restore(body []byte) error {
	g, err := roi.Decode(body)
	if err != nil {
		return err
	}
	r.ledger = g
	return nil
}

// publish leaves the lore as it is: no decision reads the ledger.
func (r *roiLearner) publish(*lore) {}

// Ledger is the ledger as of a moment; see KPIs.
type Ledger struct {
	*roi.Ledger
	At     time.Time
	Behind bool
}

// show implements shower.
func (r *roiLearner) show(at time.Time, behind bool) {
	r.e.ledger.Store(&Ledger{Ledger: r.ledger.Clone(), At: at, Behind: behind})
}

// Ledger returns what was booked of the log so far. The ledger in it must not be changed.
func (e *Engine) Ledger() Ledger {
	if g := e.ledger.Load(); g != nil {
		return *g
	}
	return Ledger{Ledger: roi.New(), Behind: true}
}

// ROILines asks for the single orders behind a statement.
type ROILines struct {
	Month    roi.Month
	Currency string // "": all
	// NotCompared, when not nil, is what lines must have there; "": compared ones only.
	NotCompared *string
	// After is the id of the last order looked at by the page before; "": first page.
	After string
	Limit int
}

// ROILines lists orders of a month with a baseline, oldest first, as they are now. A page can be short, or empty: it
// looks at MaxROIScan orders at most. next is where the following page goes on; "": there is none. Errors: problem.Invalid.
func (e *Engine) ROILines(ctx context.Context, q ROILines) (lines []roi.Line, next string, err error) {
	begin, err := q.Month.Begin()
	if err != nil {
		var bad problem.Invalid
		bad.Add("month", problem.Malformed, "%s", err)
		return nil, "", bad.Err()
	}
	lines = []roi.Line{}
	pins, err := e.Pins(ctx)
	if err != nil || len(pins) == 0 {
		return lines, "", err
	}
	if pins[0].From.After(begin) { // orders before the first pin have no line
		begin = pins[0].From
	}
	page := min(200, MaxROIScan)
	for seen := 0; seen < MaxROIScan; {
		records, err := e.store.Find(ctx, store.Query{
			Kind: KindOrder, CreatedFrom: begin, CreatedBefore: q.Month.End(), Before: q.After, Limit: page, Ascending: true,
		})
		if err != nil {
			return nil, "", err
		}
		for _, r := range records {
			en, err := decode(r)
			if err != nil {
				return nil, "", err
			}
			q.After = r.ID
			seen++
			if l, ok := roi.LineOf(en.Value.(*order.Order)); ok && q.admits(&l) {
				if lines = append(lines, l); len(lines) == q.Limit {
					return lines, q.After, nil
				}
			}
		}
		if len(records) < page {
			return lines, "", nil
		}
	}
	return lines, q.After, nil
}

func (q *ROILines) admits(l *roi.Line) bool {
	return (q.Currency == "" || l.Currency == q.Currency) && (q.NotCompared == nil || l.NotCompared == *q.NotCompared)
}
