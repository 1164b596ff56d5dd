package promise

import (
	"math"
	"time"
)

// never is later than every promise.
const never = math.MaxInt64

// maxLedgerCurves bounds the remembered distributions, 1.3 KiB each.
const maxLedgerCurves = 20_000

// curve remembers distributions of delays; it starts anew when there are too many.
func (l *Ledger) curve(e *Entry) *Curve {
	key := Key{e.Location, e.Service, e.Zone}
	c := l.curves[key]
	if c == nil {
		if len(l.curves) >= maxLedgerCurves {
			clear(l.curves)
		}
		c = l.learned.Curve(key, l.least)
		l.curves[key] = c
	}
	return c
}

func (l *Ledger) work(e *Entry) *Curve {
	key := workKey{e.Location, e.Stage}
	c := l.works[key]
	if c == nil {
		if len(l.works) >= maxLedgerCurves {
			clear(l.works)
		}
		c = l.stages.Curve(e.Location, e.Stage)
		l.works[key] = c
	}
	return c
}

// outlook is an entry with what was learned of its like, so that asking about many instants is cheap.
type outlook struct {
	*Entry
	delay *Curve // nil: a pickup
	work  *Curve // nil: it has left
	// leaves is when the parcel is expected to leave or the pickup to be ready: the median of the stage.
	leaves time.Time
}

func (l *Ledger) outlook(e *Entry) outlook {
	o := outlook{Entry: e}
	if e.Service != "" {
		o.delay = l.curve(e)
	}
	if e.Service == "" || e.Stage < StageShipped {
		o.work = l.work(e)
		o.leaves = e.Since.Add(o.work.Quantile(0.5))
	}
	return o
}

// late is by how much the parcel must be expected to leave too late, as of now. A
// location that is closed does not work, which the history of the stage knows only on the average.
func (o *outlook) late(now time.Time) time.Duration {
	if o.work == nil || o.delay == nil {
		return 0
	}
	leaves := o.leaves
	if leaves.Before(now) {
		leaves = now
	}
	return max(leaves.Sub(o.ShipBy), 0)
}

// probability of the promise being kept, given that it is not yet fulfilled at an
// instant. It never rises as time goes by.
//
// A pickup is kept when the rest of the work takes no longer than the promise
// allows, given how long the stage has taken. A delivery is kept when its delay is
// within the slack, given what delay it has reached; while it has not left, the
// lateness of its leaving that has to be expected is taken off the slack.
func (o *outlook) probability(now time.Time) float64 {
	if now.After(o.DeliverBy) {
		return 0
	}
	if o.delay == nil {
		return o.work.Given(o.DeliverBy.Sub(o.Since), now.Sub(o.Since))
	}
	return o.delay.Given(o.DeliverBy.Sub(o.Calendar)-o.late(now), now.Sub(o.Calendar))
}

// slack is the time between when it is expected and when it was promised.
func (o *outlook) slack(now time.Time) time.Duration {
	expected := o.leaves
	if o.delay != nil {
		expected = o.Calendar.Add(o.delay.Quantile(0.5) + o.late(now))
	}
	if expected.Before(now) {
		expected = now
	}
	return o.DeliverBy.Sub(expected)
}

// riskAt is the first second at which the probability is below the threshold if
// nothing happens: found by halving, as it only falls.
func (l *Ledger) riskAt(e *Entry) int64 {
	if l.threshold <= 0 {
		return never
	}
	o := l.outlook(e)
	low, high := e.Since.Unix(), e.DeliverBy.Unix()+1
	if low >= high || o.probability(time.Unix(low, 0)) < l.threshold {
		return low
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		if o.probability(time.Unix(middle, 0)) < l.threshold {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// detach takes a promise out of the heap or the risky ones.
func (l *Ledger) detach(p *promised) {
	if p.place < 0 {
		delete(l.risky, p)
		return
	}
	i, last := p.place, len(l.waiting)-1
	l.swap(i, last)
	l.waiting[last] = nil
	l.waiting = l.waiting[:last]
	p.place = -1
	if i < last {
		l.up(i)
		l.down(i)
	}
}

func (l *Ledger) push(p *promised) {
	p.place = len(l.waiting)
	l.waiting = append(l.waiting, p)
	l.up(p.place)
}

func (l *Ledger) swap(i, j int) {
	w := l.waiting
	w[i], w[j] = w[j], w[i]
	w[i].place, w[j].place = i, j
}

func (l *Ledger) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if l.waiting[parent].riskAt <= l.waiting[i].riskAt {
			return
		}
		l.swap(i, parent)
		i = parent
	}
}

func (l *Ledger) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(l.waiting); child++ {
			if l.waiting[child].riskAt < l.waiting[least].riskAt {
				least = child
			}
		}
		if least == i {
			return
		}
		l.swap(i, least)
		i = least
	}
}
