package memory

import (
	"cmp"
	"container/heap"
)

// queue orders what has a time: wake-ups of records, expiries of answers. What was
// rescheduled or removed stays in it until its time comes; readers tell by the record.
type queue []queued

type queued struct {
	at         int64 // µs
	bucket     int
	kind, name string
}

func (q queued) compare(o queued) int {
	return cmp.Or(cmp.Compare(q.at, o.at), cmp.Compare(q.kind, o.kind), cmp.Compare(q.name, o.name), cmp.Compare(q.bucket, o.bucket))
}

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].compare(q[j]) < 0 }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(queued)) }

func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

func (q *queue) add(x queued) { heap.Push(q, x) }

// take removes and returns, soonest first and each once, at most limit of those that keep
// approves, up to the time.
func (q *queue) take(until int64, limit int, keep func(queued) bool) []queued {
	var out []queued
	for len(*q) > 0 && (*q)[0].at <= until && len(out) < limit {
		x := heap.Pop(q).(queued)
		if n := len(out); (n == 0 || out[n-1] != x) && keep(x) {
			out = append(out, x)
		}
	}
	return out
}
