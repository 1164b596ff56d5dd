package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// DefaultLearnInterval is how often the log is looked at for something to learn.
	DefaultLearnInterval = 2 * time.Second
	// DefaultSnapshotInterval is how often at most what was learned is persisted.
	DefaultSnapshotInterval = 30 * time.Second
	// learnPage is how many log rows are read at once, maxLearnRows how many of a bucket at one look: a
	// long log that nothing was learned from yet is read bit by bit.
	learnPage    = 500
	maxLearnRows = 5000
	// busyLearnRows is how many while the node has more than busyCommands a second to do: orders come
	// first, and what is left is learned when it is quieter.
	busyLearnRows = 500
	busyCommands  = 500
	// standbySnapshots is for how many snapshot intervals a node leaves learning to the
	// one that persisted last.
	standbySnapshots = 4
)

// learner learns from the log of orders. One goroutine uses it at a time.
type learner interface {
	id() string
	observe(x *lesson)
	// encode returns all it knows, and keeps what decisions may read of it for publish.
	encode(version int64, at time.Time) ([]byte, error)
	// restore goes on from what encode returned, and keeps what decisions may read of it for publish.
	restore(body []byte) error
	// publish puts what the last encode or restore kept into the lore.
	publish(into *lore)
}

// preparer is a learner that has to read more before it can observe lessons. After an error nothing is observed.
type preparer interface {
	prepare(ctx context.Context, lessons []lesson) error
}

// study is a learner with its place in the log.
type study struct {
	learner
	make func() learner // one that knows nothing
	// every is how often at most it is persisted, in snapshot intervals; see run for the first time.
	every time.Duration

	version  int64     // of the record it goes on from; 0: there is none
	at       time.Time // of that record
	cursors  []int64   // by bucket; everything at or below was observed
	observed int64     // commands since the beginning
	unsaved  int64     // of them, those not in the record
}

// learning makes learned facts from the log behind the commits, in the background. State and
// place in the log are one record per learner, so that what a restart goes
// on from is counted once. Every node can do it: the record's version lets one win, and
// the others go on from what that one persisted.
type learning struct {
	e       *Engine
	turn    sync.Mutex // held while the studies are used
	studies []*study
	began   time.Time // the first snapshot comes an interval later
	standby time.Time // until then another node does it
	// commands is how many the node had decided at the last look.
	commands int64

	heard struct { // newest records seen, by id, that were not taken up yet
		sync.Mutex
		records map[string]*learnedRecord
	}
}

func newLearning(e *Engine) *learning {
	l := &learning{e: e, began: e.Now()}
	l.heard.records = map[string]*learnedRecord{}
	l.add(historyEvery, func() learner { return newHistoryLearner() })
	l.add(delaysEvery, func() learner { return newDelayLearner() })
	l.add(pricesEvery, func() learner { return newPriceLearner(e) })
	l.add(kpisEvery, func() learner { return newKPILearner(e) })
	l.add(1, func() learner { return newFlowLearner(e) })
	l.add(roiEvery, func() learner { return newROILearner(e) })
	l.add(1, func() learner { return newTrialLearner(e) })
	return l
}

// add registers a learner that is persisted every so many snapshot intervals at most.
func (l *learning) add(every time.Duration, make func() learner) {
	l.studies = append(l.studies, &study{learner: make(), make: make, every: every, cursors: slices.Repeat([]int64{0}, l.e.store.Buckets())})
}

// forget begins anew, behind the record of a version that is there already.
func (s *study) forget(version int64) {
	s.learner, s.version, s.at = s.make(), version, time.Time{}
	clear(s.cursors)
	s.observed, s.unsaved = 0, 0
}

// run is one look at the log.
func (l *learning) run(ctx context.Context) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.takeUp()
	if l.e.Now().Before(l.standby) {
		return
	}
	began := l.e.Now()
	more, err := l.read(ctx, l.rows())
	if err != nil {
		l.warn(ctx, "could not learn from the log", err)
		return
	}
	l.showAll(began, more)
	l.e.endExperiments(ctx)
	for _, s := range l.studies {
		last, every := s.at, s.every
		if last.IsZero() {
			last = l.began
			if s.id() == LearnedHistory {
				every = 1 // decisions soon know something
			}
		}
		if s.unsaved == 0 || l.e.Now().Sub(last) < every*l.e.opt.SnapshotInterval {
			continue
		}
		if err := l.persist(ctx, s); err != nil {
			l.warn(ctx, "could not persist what was learned", err)
		}
	}
}

// shower is a learner whose counts are shown to people, and not only persisted now and then.
type shower interface {
	// show lets others read what was counted: what was in the log at a time, unless behind.
	show(at time.Time, behind bool)
}

func (l *learning) show(s *study, at time.Time, behind bool) {
	if x, ok := s.learner.(shower); ok {
		x.show(at, behind)
	}
}

func (l *learning) showAll(at time.Time, behind bool) {
	for _, s := range l.studies {
		l.show(s, at, behind)
	}
}

// rows is how many log rows of a bucket this look may read.
func (l *learning) rows() int {
	done := l.e.Stats.Commands.Load()
	since := done - l.commands
	l.commands = done
	if since > int64(busyCommands*l.e.opt.LearnInterval.Seconds()) {
		return busyLearnRows
	}
	return maxLearnRows
}

func (l *learning) warn(ctx context.Context, text string, err error) {
	if ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		l.e.log.Warn(text, "error", err)
	}
}

// LearnNow learns from everything in the log, persists it and lets decisions read it, however
// short ago that was done. Errors are those of the store and of Submit.
func (e *Engine) LearnNow(ctx context.Context) error {
	l := e.learning
	l.turn.Lock()
	defer l.turn.Unlock()
	l.takeUp()
	began := l.e.Now()
	for again := true; again; {
		more, err := l.read(ctx, maxLearnRows)
		if err != nil {
			return err
		}
		again = more
		for _, s := range l.studies {
			if more || s.unsaved == 0 {
				continue
			}
			switch err := l.persist(ctx, s); {
			case errors.Is(err, ErrVersion):
				again = true // another node was faster; go on from there
			case err != nil:
				return err
			}
		}
	}
	l.showAll(began, false)
	l.e.endExperiments(ctx)
	return nil
}

// read lets the studies observe what is new, at most so many rows of each bucket; more: there were more.
func (l *learning) read(ctx context.Context, limit int) (more bool, err error) {
	for bucket := range l.e.store.Buckets() {
		for rows := 0; ; rows += learnPage {
			if rows >= limit {
				more = true
				break
			}
			n, err := l.readPage(ctx, bucket)
			if err != nil {
				return more, err
			}
			if n < learnPage {
				break
			}
		}
	}
	return more, nil
}

// readPage lets the studies observe one page of a bucket and returns its length.
func (l *learning) readPage(ctx context.Context, bucket int) (int, error) {
	from := l.studies[0].cursors[bucket]
	for _, s := range l.studies {
		from = min(from, s.cursors[bucket])
	}
	rows, err := l.e.store.Log(ctx, bucket, from, learnPage)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	lessons, err := l.lessons(ctx, rows)
	if err != nil {
		return 0, err
	}
	last := rows[len(rows)-1].Seq
	for _, s := range l.studies {
		if p, ok := s.learner.(preparer); ok {
			if err := p.prepare(ctx, s.fresh(lessons, bucket)); err != nil {
				return 0, err
			}
		}
	}
	for _, s := range l.studies {
		for i := range lessons {
			if x := &lessons[i]; x.seq > s.cursors[bucket] {
				s.observe(x)
				s.observed++
				s.unsaved++
			}
		}
		s.cursors[bucket] = max(s.cursors[bucket], last)
	}
	return len(rows), nil
}

// fresh are the lessons that the study has not observed.
func (s *study) fresh(lessons []lesson, bucket int) []lesson {
	at, _ := slices.BinarySearchFunc(lessons, s.cursors[bucket]+1, func(x lesson, seq int64) int { return int(x.seq - seq) })
	return lessons[at:]
}

// lesson is the events of one command on an order.
type lesson struct {
	seq     int64
	key     store.Key
	version int64
	// order is the order as it is now, with all fulfillments there ever were; one without anything when it is not known.
	order  *order.Order
	events []order.Event
	at     time.Time
}

// loggedEvent is an event without the explanation of its decision, which is most of its text
// and not learned from.
type loggedEvent struct {
	order.Event
	Sourcing unread `json:"sourcing"`
}

type unread struct{}

// UnmarshalJSON leaves it.
func (*unread) UnmarshalJSON([]byte) error { return nil }

// lessons decodes rows of orders.
func (l *learning) lessons(ctx context.Context, rows []store.Commit) ([]lesson, error) {
	var out []lesson
	for i := range rows {
		r := &rows[i]
		if r.Stream.Kind != KindOrder {
			continue
		}
		var logged []loggedEvent
		if err := jsonenc.Unmarshal(r.Events, &logged); err != nil {
			return nil, err
		}
		x := lesson{seq: r.Seq, key: r.Stream, version: r.Version, at: r.Time, events: make([]order.Event, len(logged))}
		for k := range logged {
			x.events[k] = logged[k].Event
			if e := &x.events[k]; e.Type == order.EventCaptured {
				x.order = e.Order
			}
		}
		out = append(out, x)
	}
	return out, l.fillOrders(ctx, out)
}

// fillOrders gives lessons that begin later than with the capture their orders, as they
// are now. That is later than their events, but what is learned from them does not change any
// more: the lines and their parts, and of each fulfillment where it was, how it went, when it began.
func (l *learning) fillOrders(ctx context.Context, lessons []lesson) error {
	known := map[store.Key]*order.Order{}
	var missing []store.Key
	for i := range lessons {
		x := &lessons[i]
		if _, ok := known[x.key]; ok || x.order != nil {
			continue
		}
		if en := l.e.cache.peek(x.key); en != nil {
			known[x.key] = en.Value.(*order.Order)
			continue
		}
		known[x.key] = new(order.Order)
		missing = append(missing, x.key)
	}
	records, err := l.e.store.Load(ctx, missing)
	if err != nil {
		return err
	}
	for _, r := range records {
		en, err := decode(r)
		if err != nil {
			return err
		}
		known[r.Key] = en.Value.(*order.Order)
	}
	for i := range lessons {
		if x := &lessons[i]; x.order == nil {
			x.order = known[x.key]
		}
	}
	return nil
}
