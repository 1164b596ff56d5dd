package webhook

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
)

// ref is the place of an event in the log.
type ref struct {
	bucket int
	seq    int64
	index  int // within the log row
}

// parseRef reads the id of a published event.
func parseRef(id string) (r ref, err error) {
	if _, err = fmt.Sscanf(id, "%d-%d-%d", &r.bucket, &r.seq, &r.index); err != nil {
		return r, fmt.Errorf("%q is not the id of an event", id)
	}
	return r, nil
}

func (r ref) compare(o ref) int {
	return cmp.Or(cmp.Compare(r.bucket, o.bucket), cmp.Compare(r.seq, o.seq), cmp.Compare(r.index, o.index))
}

// item is an event on its way.
type item struct {
	ref    ref
	stream *stream
	// event is dropped once the item is parked, and read again from the log.
	event *engine.Published
	// record is its delivery record: pending when parked, and dead when an event that
	// was given up is sent again by a replay; nil: there is none.
	record    *Delivery
	parked    bool
	flying    bool // an attempt is being made
	retry     bool // the attempt being made is of a parked item
	done      bool // it has left its stream: delivered or dead
	delivered bool
	open      bool // the cursor must not pass it: neither delivered nor written down
}

// stream is a queue of events that keep their order: first those that only memory
// knows, then those that are parked.
type stream struct {
	key   string
	items []*item
}

// queue is what a subscription has to send. It decides only which item is next: it
// knows no clock, sends nothing and writes nothing.
type queue struct {
	streams map[string]*stream
	ready   []*item // heads that were never tried, in the order they became heads; some are stale
	waiting waitHeap
	parked  int // items that are parked
	live    int // items that are not
}

func newQueue() *queue { return &queue{streams: map[string]*stream{}} }

// add puts an item into its stream at its place by the log, never before one
// that is flying, and reports whether it must be parked because the one before it is.
func (q *queue) add(key string, it *item) (behind bool) {
	st := q.streams[key]
	if st == nil {
		st = &stream{key: key}
		q.streams[key] = st
	}
	it.stream = st
	at := len(st.items)
	for at > 0 && !st.items[at-1].flying && st.items[at-1].ref.compare(it.ref) > 0 {
		at--
	}
	st.items = slices.Insert(st.items, at, it)
	if it.parked {
		q.parked++
	} else {
		q.live++
		behind = at > 0 && st.items[at-1].parked
	}
	if at == 0 {
		q.offer(it)
	}
	return behind
}

// offer makes the head of a stream a candidate.
func (q *queue) offer(head *item) {
	if head.parked {
		heap.Push(&q.waiting, wait{head, head.record.Next})
		return
	}
	q.ready = append(q.ready, head)
}

func (it *item) isHead() bool {
	return len(it.stream.items) > 0 && it.stream.items[0] == it && !it.flying && !it.done
}

// park notes that an item is, or is about to be, a pending delivery.
func (q *queue) park(it *item) {
	it.parked, it.event = true, nil
	q.parked++
	q.live--
}

// nextReady takes the next item that was never tried, or nil. It is then flying.
func (q *queue) nextReady() *item {
	for len(q.ready) > 0 {
		it := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		if it.isHead() && !it.parked {
			it.flying, it.retry = true, false
			return it
		}
	}
	return nil
}

// nextDue takes the next parked item that is due, or nil. It is then flying.
func (q *queue) nextDue(now time.Time) *item {
	for len(q.waiting) > 0 && !q.waiting[0].at.After(now) {
		w := heap.Pop(&q.waiting).(wait)
		if w.valid() {
			w.item.flying, w.item.retry = true, true
			return w.item
		}
	}
	return nil
}

// due is when nextDue has something next, if ever.
func (q *queue) due() (time.Time, bool) {
	for len(q.waiting) > 0 && !q.waiting[0].valid() {
		heap.Pop(&q.waiting)
	}
	if len(q.waiting) == 0 {
		return time.Time{}, false
	}
	return q.waiting[0].at, true
}

// remove takes the head out of its stream and makes the next one the head.
func (q *queue) remove(head *item) {
	st := head.stream
	head.done, head.flying = true, false
	st.items[0] = nil
	st.items = st.items[1:]
	if head.parked {
		q.parked--
	} else {
		q.live--
	}
	if len(st.items) == 0 {
		delete(q.streams, st.key)
		return
	}
	q.offer(st.items[0])
}

// land makes a flying head a candidate again.
func (q *queue) land(head *item) {
	head.flying = false
	q.offer(head)
}

// wait is a parked head and when it is due. It is stale when the item is no head any
// more, or has another time since.
type wait struct {
	item *item
	at   time.Time
}

func (w wait) valid() bool {
	return w.item.isHead() && w.item.parked && w.item.record.Next.Equal(w.at)
}

type waitHeap []wait

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h waitHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *waitHeap) Push(x any)        { *h = append(*h, x.(wait)) }
func (h *waitHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = wait{}
	*h = old[:len(old)-1]
	return w
}

// track is the place in one bucket of the log: how far it was read, and which rows
// before that still have events on their way.
type track struct {
	read int64
	open []openRow
}

type openRow struct {
	seq  int64
	left int // events on their way
}

// opened notes an event of a row just read, rows in order.
func (t *track) opened(seq int64) {
	if n := len(t.open); n > 0 && t.open[n-1].seq == seq {
		t.open[n-1].left++
		return
	}
	t.open = append(t.open, openRow{seq, 1})
}

// closed notes that an event that was opened is delivered or written down.
func (t *track) closed(seq int64) {
	i, ok := slices.BinarySearchFunc(t.open, seq, func(r openRow, s int64) int { return cmp.Compare(r.seq, s) })
	if !ok || t.open[i].left == 0 {
		panic(fmt.Sprintf("webhook: log row %d has no event on its way", seq))
	}
	t.open[i].left--
	for len(t.open) > 0 && t.open[0].left == 0 {
		t.open = t.open[1:]
	}
}

// cursor is the last row with nothing on its way at or before it.
func (t *track) cursor() int64 {
	if len(t.open) > 0 {
		return t.open[0].seq - 1
	}
	return t.read
}
