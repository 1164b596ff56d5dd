package dst

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/orderly-oms/orderly/internal/store/memory"
)

// World is one run.
type World struct {
	opt   Options
	r     *rand.Rand
	ids   *rand.Rand // apart, so that ids do not depend on what else is drawn
	now   time.Time
	step  int
	order int // numbers tasks of the same time

	agenda    agenda
	weather   weather
	disk      *memory.Disk
	nodes     []*node
	busy      *node // it is committing while another works
	calm      bool  // nothing fails
	retailer  *retailer
	rules     []rule // that operators may put in force
	rooms     map[string]*room
	provider  *provider
	keeps     map[string]bool // returns that never come
	watch     *watch
	cover     *Coverage
	recent    []string
	messages  int
	unsettled int // messages on their way
}

// weather is how much goes wrong in this run.
type weather struct {
	commitFaults, readFaults float64 // of calls
	between                  float64 // of commits, another node goes first
	lost, twice, late        float64 // of messages
	answerLost               float64
	crashes                  float64 // of ticks
	jumps                    float64 // of ticks, by hours
	silent, reject, short    float64 // of fulfillments
	service, carrier         float64 // of orders that customer service hears of, of parcels that something happens to
	skew                     time.Duration
	slow                     float64 // of steps of partners, by days
	declined                 float64 // of payments
	patience, giveUp         int     // days that people leave holds in place and look for stock, once everything works
	poor                     bool    // no stock comes any more then
	tail                     int     // days that the run goes on for, for what takes long
	learning                 bool    // nodes learn from the log, which costs more than everything else
}

var began = time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)

func newWorld(opt Options) *World {
	w := &World{
		opt: opt, now: began, cover: newCoverage(), rooms: map[string]*room{}, keeps: map[string]bool{},
		r: rand.New(rand.NewPCG(opt.Seed, 1)), ids: rand.New(rand.NewPCG(opt.Seed, 2)),
	}
	buckets, exclusive := 1, true
	if w.chance(.4) {
		buckets, exclusive = 1+w.r.IntN(4), false
	}
	w.disk = memory.New(buckets, exclusive)
	w.nodes = []*node{{w: w, name: "a"}}
	if !exclusive {
		w.nodes = append(w.nodes, &node{w: w, name: "b"})
	}
	w.weather = w.drawWeather()
	w.retailer, w.rules = w.drawRetailer(), rules()
	w.provider = &provider{w: w, operations: map[string]*effect{}, told: map[string]bool{}}
	w.watch = newWatch(w)
	return w
}

// drawWeather is fair in some runs, so that what needs a long undisturbed life happens too.
func (w *World) drawWeather() weather {
	share := func(of ...float64) float64 { return of[w.r.IntN(len(of))] }
	f := weather{
		commitFaults: share(0, .005, .03, .1), readFaults: share(0, 0, .002, .01), between: share(0, .1, .4),
		lost: share(0, .02, .1), twice: share(0, .05, .2), late: share(0, .05, .2), answerLost: share(0, .02, .1),
		crashes: share(0, 0, .001, .01), jumps: share(0, 0, .001),
		silent: share(0, .02, .08), reject: share(.02, .08, .25), short: share(.02, .08, .25),
		service: share(.1, .5, .9), carrier: share(0, .05, .2),
	}
	f.slow, f.declined = share(0, 0, .02, .08), share(.05, .05, .3)
	f.patience, f.giveUp, f.poor = choose(w, 0, 0, 12), choose(w, giveUpDays, giveUpDays, 30), w.chance(.2)
	f.learning = w.chance(.05)
	if w.chance(.15) {
		f.tail = quietDays - 1
	}
	if w.chance(.2) {
		f.skew = time.Duration(w.r.IntN(180)-90) * time.Second
	}
	return f
}

// live is the run until the last shopper has come and most of what follows is over.
func (w *World) live() {
	w.shoppers()
	w.feeds()
	w.operators()
	for _, n := range w.nodes {
		w.tickSoon(n)
	}
	last := w.shopping()
	for w.now.Before(last.Add(w.between(time.Hour, 72*time.Hour))) {
		w.next()
	}
}

// next does the task that is due next.
func (w *World) next() {
	if w.step++; w.step > maxSteps*(w.opt.Orders+10) {
		fail(19, "every run comes to rest", "%d steps were not enough", w.step)
	}
	t := heap.Pop(&w.agenda).(*task)
	if t.at.After(w.now) {
		w.now = t.at
	}
	t.do()
	w.watch.look()
	if w.busy == nil && w.step%256 == 0 {
		w.compareMemory()
	}
	if w.busy == nil && w.step%20_000 == 0 {
		w.audit(false)
	}
}

// at puts something on the agenda.
func (w *World) at(t time.Time, do func()) {
	w.order++
	heap.Push(&w.agenda, &task{at: t, order: w.order, do: do})
}

// in is at, some time from now.
func (w *World) in(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// say notes what happens in this step.
func (w *World) say(format string, args ...any) {
	text := fmt.Sprintf("%6d %s ", w.step, w.now.Format("01-02 15:04:05.000")) + fmt.Sprintf(format, args...)
	if len(w.recent) == recentSteps {
		w.recent = append(w.recent[:0], w.recent[1:]...)
	}
	w.recent = append(w.recent, text)
	if w.opt.Trace != nil {
		fmt.Fprintln(w.opt.Trace, text)
	}
}

func (w *World) chance(p float64) bool { return p > 0 && w.r.Float64() < p }

// whole is evenly distributed over low…high, both included.
func (w *World) whole(low, high int64) int64 { return low + w.r.Int64N(high-low+1) }

// between is a time evenly distributed.
func (w *World) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.r.Int64N(int64(high-low)+1))
}

func choose[T any](w *World, of ...T) T { return of[w.r.IntN(len(of))] }

// newID is a UUIDv7 of the virtual time.
func (w *World) newID() string {
	ms := uint64(w.now.UnixMilli())
	a, b := w.ids.Uint64(), w.ids.Uint64()
	return fmt.Sprintf("%08x-%04x-7%03x-%04x-%012x", ms>>16&0xffffffff, ms&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

// task is something to do at a time.
type task struct {
	at    time.Time
	order int
	do    func()
}

// agenda is the tasks, soonest first.
type agenda []*task

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].order < a[j].order
}
func (a *agenda) Push(x any) { *a = append(*a, x.(*task)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	t := (*a)[last]
	*a = (*a)[:last]
	return t
}
