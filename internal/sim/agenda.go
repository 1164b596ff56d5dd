package sim

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// pace turns hours of the retailer's life into waits.
type pace struct {
	speed  float64
	real   time.Time // when the run began
	origin time.Time // the retailer's clock then
}

// newPace begins on a Monday morning: a demo that begins on a Sunday shows closed doors.
func newPace(speed float64, now time.Time) *pace {
	day := now.AddDate(0, 0, -int(now.Weekday()+6)%7)
	return &pace{speed: speed, real: now, origin: time.Date(day.Year(), day.Month(), day.Day(), 7, 0, 0, 0, time.UTC)}
}

// wait is how long some hours take.
func (p *pace) wait(hours float64) time.Duration {
	if p.speed == 0 {
		return 0
	}
	return time.Duration(hours * float64(time.Hour) / p.speed)
}

// now is the retailer's clock.
func (p *pace) now() time.Time {
	return p.origin.Add(time.Duration(float64(time.Since(p.real)) * p.speed))
}

// task is something that is due at a time.
type task struct {
	due time.Time
	seq uint64
	do  func(context.Context)
}

// agenda is what partners and shoppers are going to do.
type agenda struct {
	mu      sync.Mutex
	tasks   taskHeap
	seq     uint64
	running int
	changed chan struct{} // holds one signal
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

func newAgenda() *agenda { return &agenda{changed: make(chan struct{}, 1)} }

// after adds a task.
func (a *agenda) after(wait time.Duration, do func(context.Context)) {
	a.mu.Lock()
	a.seq++
	heap.Push(&a.tasks, task{time.Now().Add(wait), a.seq, do})
	a.mu.Unlock()
	a.signal()
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
	return len(a.tasks) + a.running
}

// next takes the first task when it is due, or says how long until then.
func (a *agenda) next() (t task, ok bool, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.tasks) == 0 {
		return t, false, time.Hour // a signal comes sooner
	}
	if wait = time.Until(a.tasks[0].due); wait > 0 {
		return t, false, wait
	}
	a.running++
	return heap.Pop(&a.tasks).(task), true, 0
}

func (a *agenda) done() {
	a.mu.Lock()
	a.running--
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
		t, ok, wait := a.next()
		if ok {
			free <- struct{}{} // what runs ends soon after the context does
			all.Go(func() {
				t.do(ctx)
				a.done()
				<-free
			})
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-a.changed:
		case <-timer.C:
		}
	}
	return nil
}
