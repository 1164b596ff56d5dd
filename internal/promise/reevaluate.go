package promise

import (
	"math"
	"time"
)

// never is later than every promise.
const never = math.MaxInt64

// curve remembers the distributions of delays; as many as there are keys among
// the entries, and anew when they outgrow the history itself.
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

// maxLedgerCurves bounds the remembered distributions, 1.3 KiB each.
const maxLedgerCurves = 20_000

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

// probability of the promise being kept, given that it is not yet fulfilled at an
// instant (Unix seconds). It never rises as time goes by.
//
// A pickup is kept when the rest of the work takes no longer than the promise
// allows, given how long the stage has taken. A delivery is kept when its delay is within the slack,
// given what delay it has reached; while it has not left, the lateness of its leaving that has to be
// expected is taken off the slack.
func (l *Ledger) probability(e *Entry, now int64) float64 {
	at := time.Unix(now, 0)
	if at.After(e.DeliverBy) {
		return 0
	}
	if e.Service == "" {
		return l.work(e).Given(e.DeliverBy.Sub(e.Since), at.Sub(e.Since))
	}
	slack := e.DeliverBy.Sub(e.Calendar)
	if e.Stage < StageShipped {
		slack -= max(l.leaves(e, at).Sub(e.ShipBy), 0)
	}
	return l.curve(e).Given(slack, at.Sub(e.Calendar))
}

// leaves is when the parcel is expected to leave: the median of the stage, or now
// when it has taken longer. A location that is closed does not work, which the
// history of the stage knows only on the average.
func (l *Ledger) leaves(e *Entry, now time.Time) time.Time {
	expected := e.Since.Add(l.work(e).Quantile(0.5))
	if expected.Before(now) {
		return now
	}
	return expected
}

// slack is the time between when it is expected and when it was promised.
func (l *Ledger) slack(e *Entry, now time.Time) time.Duration {
	var expected time.Time
	switch {
	case e.Service == "":
		expected = l.leaves(e, now)
	default:
		expected = e.Calendar.Add(l.curve(e).Quantile(0.5))
		if e.Stage < StageShipped {
			expected = expected.Add(max(l.leaves(e, now).Sub(e.ShipBy), 0))
		}
	}
	if expected.Before(now) {
		expected = now
	}
	return e.DeliverBy.Sub(expected)
}

// riskAt is the first second at which the probability is below the threshold if
// nothing happens: found by halving, as it only falls.
func (l *Ledger) riskAt(e *Entry) int64 {
	low, high := e.Since.Unix(), e.DeliverBy.Unix()+1
	if l.threshold <= 0 {
		return never
	}
	if low >= high || l.probability(e, low) < l.threshold {
		return low
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		if l.probability(e, middle) < l.threshold {
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
