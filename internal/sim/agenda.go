package sim

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

const (
	// maxLate is how far the clock may go while something that is due is not done: the server and
	// everybody else then wait for it. Half an hour, since a day is made of many hands, which work at the same time.
	maxLate = 30 * time.Minute
	// quietTime is for how long nobody did or heard anything before the clock is moved ahead,
	// real time; maxAhead is how far it is moved at once. The server's own timers look ten times a second.
	quietTime = 25 * time.Millisecond
	maxAhead  = time.Hour
)

// task is something that is due at a time of the retailer's life.
type task struct {
	due time.Time
	seq uint64
	do  func(context.Context)
}

// agenda is what partners and shoppers are going to do. It holds the clock while they are behind.
type agenda struct {
	clock *Clock
	// skips lets the clock be moved ahead while nobody has anything to do.
	skips bool
	// idle reports whether nothing is under way that the agenda does not know of. May be nil.
	idle func() bool

	mu      sync.Mutex
	tasks   taskHeap
	seq     uint64
	running map[uint64]time.Time // due times, by seq
	behind  map[*reader]bool     // readers that have not heard what happened a while ago
	stirred time.Time            // when something happened last, real time
	changed chan struct{}        // holds one signal
}

// taskHeap orders tasks by time, then by when they were added.
type taskHeap []task

func (h taskHeap) Len() int { return len(h) }
func (h taskHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].seq < h[j].seq
	}
	return h[i].due.Before(h[j].due)
}
func (h taskHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *taskHeap) Push(x any)   { *h = append(*h, x.(task)) }
func (h *taskHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = task{}
	*h = old[:len(old)-1]
	return last
}

func newAgenda(c *Clock) *agenda {
	return &agenda{clock: c, running: map[uint64]time.Time{}, behind: map[*reader]bool{}, changed: make(chan struct{}, 1)}
}

// at adds a task for a moment.
func (a *agenda) at(due time.Time, do func(context.Context)) {
	a.mu.Lock()
	a.seq++
	heap.Push(&a.tasks, task{due, a.seq, do})
	a.hold()
	a.mu.Unlock()
	a.signal()
}

// in adds a task for some hours from now.
func (a *agenda) in(hours float64, do func(context.Context)) {
	a.at(a.clock.Now().Add(time.Duration(hours*float64(time.Hour))), do)
}

// hold keeps the clock near what is due and not done. The lock is held.
func (a *agenda) hold() {
	a.stirred = time.Now()
	if len(a.behind) > 0 {
		a.clock.hold(a.clock.Now())
		return
	}
	var first time.Time
	if len(a.tasks) > 0 {
		first = a.tasks[0].due
	}
	for _, due := range a.running {
		if first.IsZero() || due.Before(first) {
			first = due
		}
	}
	if !first.IsZero() {
		first = first.Add(maxLate)
	}
	a.clock.hold(first)
}

// heard notes how old what a reader heard last is: the clock stands still while it is behind.
func (a *agenda) heard(r *reader, latest time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clock.Now().Sub(latest) > maxLate {
		a.behind[r] = true
	} else {
		delete(a.behind, r)
	}
	a.hold()
}

// caughtUp notes that a reader has heard everything.
func (a *agenda) caughtUp(r *reader) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.behind[r] {
		delete(a.behind, r)
		a.hold()
	}
}

// waitsFor reports whether the clock stands still for a reader.
func (a *agenda) waitsFor(r *reader) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.behind[r]
}

func (a *agenda) signal() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// open is the number of tasks that are not done.
func (a *agenda) open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.tasks) + len(a.running)
}

// next takes the first task when it is due, or says how long until then, real time.
func (a *agenda) next() (t task, ok bool, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.tasks) == 0 {
		return t, false, time.Hour // a signal comes sooner
	}
	if wait = a.clock.Wait(a.tasks[0].due); wait > 0 {
		return t, false, a.skip(wait)
	}
	t = heap.Pop(&a.tasks).(task)
	a.running[t.seq] = t.due
	return t, true, 0
}

// skip moves the clock ahead when it has been quiet for long enough, and says how long until
// the next look. The lock is held.
func (a *agenda) skip(wait time.Duration) time.Duration {
	if !a.skips {
		return wait
	}
	if quiet := time.Since(a.stirred); quiet < quietTime {
		return min(wait, quietTime-quiet)
	}
	if len(a.running) > 0 || len(a.behind) > 0 || a.idle != nil && !a.idle() {
		return min(wait, quietTime)
	}
	to := a.tasks[0].due
	if most := a.clock.Now().Add(maxAhead); to.After(most) {
		to = most
	}
	a.clock.ahead(to)
	a.stirred = time.Now()
	return min(a.clock.Wait(a.tasks[0].due), quietTime)
}

func (a *agenda) done(t task) {
	a.mu.Lock()
	delete(a.running, t.seq)
	a.hold()
	a.mu.Unlock()
}

// run does what is due until the context ends, at most so many tasks at once.
// What is not due then is dropped.
func (a *agenda) run(ctx context.Context, atOnce int) error {
	var all sync.WaitGroup
	defer all.Wait()
	free := make(chan struct{}, atOnce)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		free <- struct{}{} // what runs ends soon after the context does
		t, ok, wait := a.next()
		if ok {
			all.Go(func() {
				t.do(ctx)
				a.done(t)
				<-free
			})
			continue
		}
		<-free
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-a.changed:
		case <-timer.C:
		}
	}
	return nil
}
