// Package sim is a synthetic retailer with its shoppers and its partners:
// warehouses, stores, carriers, a payment provider and inventory feeds, which all
// talk to a running server through its public HTTP API, and nothing else.
//
// It promises that the same seed gives the same retailer, the same shoppers with
// the same baskets in the same sequence, and the same choices of a partner about
// the same work; that it stops when its context ends; that everything it keeps is
// bounded; and that its Report compares what the server says with books of its own,
// kept from the server's events.
//
// It does not repeat what depends on timing: which of two orders gets the last
// unit, and so which location fulfils, what is backordered, and who is asked next.
// It is no load generator (package bench is).
package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults and limits of a run.
const (
	// DefaultPerDay is how many orders a day of the retailer's life has on average.
	DefaultPerDay = 400.0
	// DefaultSpeed lets a second stand for an hour, to be watched; HurriedSpeed lets it stand for ten:
	// what takes the server milliseconds then takes it minutes of the retailer's life.
	DefaultSpeed = 3600.0
	HurriedSpeed = 36_000.0
	MaxOrders    = 1_000_000
	tailSpeed    = 3 // times as fast the clock of a hurried run is when all shoppers have come
	MaxPerDay    = 100_000.0
	MaxSpeed     = 100_000.0

	asksAtOnce = 16 // questions for the report
	// doneAtOnce is how many shoppers and partners are served at once.
	doneAtOnce = 32
	// maxAgendaTasks is how much the partners may have to do before shoppers wait.
	maxAgendaTasks = 20_000
	// maxQuiet is how long a run whose orders are all placed waits for the next event.
	maxQuiet = 2 * time.Minute
	// maxReportTime bounds the questions for the report of an interrupted run.
	maxReportTime = 1500 * time.Millisecond
	settleCheck   = 20 * time.Millisecond
)

// Options of a run.
type Options struct {
	Target string // URL of the server
	// Clock is the retailer's, and the server's too: what the server learns of its partners is what they do.
	Clock *Clock
	Key   string // API key with the scope admin
	Seed  uint64
	// Orders ends the run after so many; 0: when the context ends.
	Orders int
	// PerDay is how many orders a day of the retailer's life has, on average over a week.
	PerDay float64
	// Nearest leaves the retailer without policies of its own: the nearest location that
	// has everything ships, which is the rule while nothing is published.
	Nearest bool
	// Speed is how much faster than life the clock runs at most: it waits for the server and the partners.
	Speed float64
	// Skip moves the clock ahead while nobody has anything to do, as at night.
	Skip bool
	// Progress is called now and then with what a screen may show. May be nil.
	Progress func(Status)
}

// Validate reports an option out of range.
func (o *Options) Validate() error {
	switch {
	case o.Orders < 0 || o.Orders > MaxOrders:
		return fmt.Errorf("orders must be between 0 and %d", MaxOrders)
	case !(o.PerDay >= 1 && o.PerDay <= MaxPerDay):
		return fmt.Errorf("orders a day must be between 1 and %g", MaxPerDay)
	case !(o.Speed >= 1 && o.Speed <= MaxSpeed):
		return fmt.Errorf("speed must be between 1 and %g", MaxSpeed)
	}
	return nil
}

// world is one run: the retailer and everybody who acts.
type world struct {
	opt    Options
	data   *Data
	clock  *Clock
	agenda *agenda
	stats  *apiStats
	watch  *watch
	bank   *bank
	shop   *client
	admin  *client
	feed   *feed
	care   *care

	rule      string // what decides where orders ship from
	readers   []*reader
	shoppers  shopperCounts
	partners  partnerCounts
	started   time.Time // when the retailer opened, real time
	closed    time.Time
	began     time.Time // the same by the retailer's clock
	ended     time.Time
	shut      atomic.Bool // all shoppers have come
	isOpen    bool        // the retailer was loaded and the books were up to date
	firstSeen int         // index of the first shopper of this run
}

// Run loads the retailer unless the server has it already, runs shoppers and
// partners, and reports. An end of the context is not an error: the report then
// says what was until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	w := &world{opt: o, data: Retailer(o.Seed), stats: newAPIStats(), started: time.Now(), clock: o.Clock}
	w.began = w.clock.Now()
	w.agenda = newAgenda(w.clock)
	w.admin = newClient(o.Target, o.Key, w.stats)
	w.watch = newWatch(w.data)
	var err error
	if w.bank, err = openBank(w); err != nil {
		return nil, err
	}
	defer w.bank.close()
	revoke, err := w.hire(ctx)
	defer revoke()
	if err == nil {
		err = w.open(ctx)
	}
	if err == nil {
		err = w.live(ctx)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	w.closed, w.ended = time.Now(), w.clock.Now()
	interrupted := ctx.Err() != nil
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if interrupted {
		last, cancel = context.WithTimeout(context.WithoutCancel(ctx), maxReportTime)
	}
	defer cancel()
	return w.report(last, interrupted)
}

// open brings the books up to date with the server and loads the retailer when
// it is not there.
func (w *world) open(ctx context.Context) error {
	known, err := w.loaded(ctx)
	if err != nil {
		return err
	}
	if !known {
		if err := w.load(ctx); err != nil {
			return err
		}
	}
	if w.rule, err = w.sourcingRule(ctx); err != nil {
		return err
	}
	// The provider has to know what it did before it is asked for more.
	if err := w.bankReader().catchUp(ctx); err != nil {
		return err
	}
	w.bank.begin()
	if err := w.bank.register(ctx); err != nil {
		return err
	}
	// What stands in the log is history for the watcher, and for partners work that may be open.
	if err := w.watch.read.catchUp(ctx); err != nil {
		return err
	}
	w.firstSeen, w.isOpen = w.watch.nextShopper(), true
	w.watch.openFor()
	return nil
}

// live runs everybody until all orders are settled or the context ends.
func (w *world) live(ctx context.Context) error {
	w.started, w.began = time.Now(), w.clock.Now()
	w.agenda.skips, w.agenda.idle = w.opt.Skip, func() bool { return w.bank.waiting() == 0 }
	w.clock.Run(w.opt.Speed)
	defer w.clock.Run(1) // what the report compares does not move on by days
	defer w.clock.hold(time.Time{})
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	start := func(f func(context.Context) error) {
		all.Go(func() {
			if err := f(inner); err != nil {
				stop(err)
			}
		})
	}
	start(func(ctx context.Context) error { return w.agenda.run(ctx, doneAtOnce) })
	for _, r := range w.readers {
		r.agenda = w.agenda
		start(r.follow)
	}
	w.feed.begin()
	if w.opt.Progress != nil {
		start(w.show)
	}
	start(func(ctx context.Context) error {
		if err := w.traffic(ctx); err != nil {
			return err
		}
		if w.opt.Skip { // few things happen now
			w.clock.Run(tailSpeed * w.opt.Speed)
		}
		if err := w.settle(ctx); err != nil {
			return err
		}
		return errSettled
	})
	<-inner.Done()
	all.Wait()
	if err := context.Cause(inner); !errors.Is(err, errSettled) {
		return err
	}
	return nil
}

// errSettled ends a run of which nothing is left to happen.
var errSettled = errors.New("everything is settled")

// show calls Progress until the context ends.
func (w *world) show(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		w.opt.Progress(w.status())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// settle waits until nobody has anything left to do: no answer is due, every
// reader is at the end of the log, no basket is held, and every payment has its outcome. Orders that wait for
// stock are left waiting. It gives up when nothing happens for maxQuiet.
func (w *world) settle(ctx context.Context) error {
	tick := time.NewTicker(settleCheck)
	defer tick.Stop()
	seen, since := w.watch.seen(), time.Now()
	for {
		if w.agenda.open() == 0 && w.watch.heldBaskets() == 0 {
			head, err := w.head(ctx)
			if err != nil {
				return err
			}
			if w.at(head) && w.agenda.open() == 0 && w.bank.waiting() == 0 {
				return nil
			}
		}
		if n := w.watch.seen(); n != seen {
			seen, since = n, time.Now()
		}
		if time.Since(since) > maxQuiet {
			return nil // the report says what did not settle
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// at reports whether the watcher has read the log up to the cursor, and everybody
// else all that is for them.
func (w *world) at(cursor string) bool {
	if w.watch.read.cursor() != cursor {
		return false
	}
	seen := w.watch.byType()
	for _, r := range w.readers {
		if !r.has(seen) {
			return false
		}
	}
	return true
}

// head returns the end of the log.
func (w *world) head(ctx context.Context) (string, error) {
	var page eventPage
	err := w.admin.get(ctx, "/v1/events?cursor=now&limit=1", &page)
	return page.Next, err
}
