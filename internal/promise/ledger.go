package promise

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// MaxPromises bounds the open promises of a Ledger. One takes about 300 bytes with
// its ids, so a full ledger is about 300 MB.
const MaxPromises = 1_000_000

// maxTallies bounds the pairs of channel and location that are counted apart;
// further ones are counted under empty names.
const maxTallies = 50_000

// ErrLedgerFull: MaxPromises are open.
var ErrLedgerFull = errors.New("the promise ledger is full")

// Entry is the promise of one fulfillment, and how far it is.
type Entry struct {
	ID      string // of the fulfillment, unique
	Order   string
	Channel string
	// Location that ships it or hands it over.
	Location string
	Service  string // empty: pickup, which is kept when it is ready
	Zone     int64  // the tariff's
	ShipBy   time.Time
	// DeliverBy is the promise; of a pickup when it is ready.
	DeliverBy time.Time
	// Calendar is the carrier's deadline without history (Arrival.Calendar), which
	// delays count from; zero: DeliverBy.
	Calendar time.Time
	Stage    Stage
	Since    time.Time // when the stage began
	Value    int64     // minor units of the currency the caller compares in
}

// Risk is a promise that will probably be broken.
type Risk struct {
	Entry
	Probability float64 // of being kept, as of now
	// Slack is how long after the expected time (the median) the promise ends; negative: before it.
	Slack time.Duration
}

// Tally counts promises of a channel at a location.
type Tally struct {
	Channel, Location  string
	Open, Kept, Broken int64
	// Slack is the sum over kept and broken of how long before its end each was kept; negative: late.
	Slack time.Duration
}

// AverageSlack is over kept and broken ones; 0 without any.
func (t Tally) AverageSlack() time.Duration {
	if n := t.Kept + t.Broken; n > 0 {
		return t.Slack / time.Duration(n)
	}
	return 0
}

// Ledger is what was promised and is still open, found by when it will be at risk: the
// instant at which its probability falls below the threshold if nothing happens.
// An entry costs O(log n) to add, change and remove. It is not safe for concurrent
// use: AtRisk changes its inside too.
type Ledger struct {
	threshold float64
	least     int64
	learned   *Delays
	stages    *Stages
	curves    map[Key]*Curve
	works     map[workKey]*Curve

	entries map[string]*promised
	waiting []*promised // heap by the instant at which each will be at risk
	risky   map[*promised]struct{}
	tallies map[tallyKey]*Tally
	working map[string]int64 // by location, entries that have not left it
}

type tallyKey struct{ channel, location string }

type workKey struct {
	location string
	stage    Stage
}

// promised is an entry in the ledger; riskAt is in Unix seconds, place its index in the heap, −1 in risky.
type promised struct {
	Entry
	riskAt int64
	place  int
}

// NewLedger returns an empty ledger that shows promises whose probability is below
// the threshold, with what was learned so far; both tables may be nil.
func NewLedger(threshold float64, minObservations int64, learned *Delays, stages *Stages) *Ledger {
	l := &Ledger{
		threshold: threshold, least: minObservations,
		entries: make(map[string]*promised), risky: make(map[*promised]struct{}), tallies: make(map[tallyKey]*Tally), working: make(map[string]int64),
	}
	l.know(learned, stages)
	return l
}

func (l *Ledger) know(learned *Delays, stages *Stages) {
	l.learned, l.stages = learned, stages
	l.curves, l.works = make(map[Key]*Curve), make(map[workKey]*Curve)
}

// Learn takes newer tables, which must not change any more, and looks at every entry again: O(n).
func (l *Ledger) Learn(learned *Delays, stages *Stages) {
	l.know(learned, stages)
	clear(l.risky)
	l.waiting = l.waiting[:0]
	for _, p := range l.entries {
		p.riskAt = l.riskAt(&p.Entry)
		p.place = len(l.waiting)
		l.waiting = append(l.waiting, p)
	}
	for i := len(l.waiting)/2 - 1; i >= 0; i-- {
		l.down(i)
	}
}

// Watch sets the threshold below which promises are shown, and looks at every entry again: O(n).
func (l *Ledger) Watch(threshold float64) {
	l.threshold = threshold
	l.Learn(l.learned, l.stages)
}

// Len is the number of open promises.
func (l *Ledger) Len() int { return len(l.entries) }

// Upsert adds a promise or replaces the one of the same fulfillment, with a new
// stage for instance. An entry without DeliverBy promises nothing and is removed.
// Returns ErrLedgerFull for one more than MaxPromises.
func (l *Ledger) Upsert(e Entry) error {
	if e.DeliverBy.IsZero() {
		l.Remove(e.ID)
		return nil
	}
	if e.Calendar.IsZero() {
		e.Calendar = e.DeliverBy
	}
	p := l.entries[e.ID]
	if p == nil {
		if len(l.entries) >= MaxPromises {
			return ErrLedgerFull
		}
		p = &promised{place: -1}
		l.entries[e.ID] = p
	} else {
		l.detach(p)
		l.tally(&p.Entry).Open--
		l.count(&p.Entry, -1)
	}
	p.Entry = e
	l.count(&p.Entry, +1)
	p.riskAt = l.riskAt(&p.Entry)
	l.push(p)
	l.tally(&p.Entry).Open++
	return nil
}

// count counts an entry that has not left its location.
func (l *Ledger) count(e *Entry, n int64) {
	if e.Stage >= StageShipped {
		return
	}
	if l.working[e.Location] += n; l.working[e.Location] == 0 {
		delete(l.working, e.Location)
	}
}

// Working is how many promised fulfillments each location has not finished. The caller may keep it.
func (l *Ledger) Working() map[string]int64 { return maps.Clone(l.working) }

// Remove forgets a promise that nobody waits for any more: cancelled, or
// moved to another location. An unknown one is nothing.
func (l *Ledger) Remove(id string) {
	if p := l.entries[id]; p != nil {
		l.detach(p)
		l.tally(&p.Entry).Open--
		l.count(&p.Entry, -1)
		delete(l.entries, id)
	}
}

// Close counts a promise as kept or broken: delivered, or ready for pickup, at an instant.
func (l *Ledger) Close(id string, at time.Time) {
	p := l.entries[id]
	if p == nil {
		return
	}
	t := l.tally(&p.Entry)
	if at.After(p.DeliverBy) {
		t.Broken++
	} else {
		t.Kept++
	}
	t.Slack += p.DeliverBy.Sub(at)
	l.Remove(id)
}

// Probability of an open promise being kept, as of now; ok false: it is not open.
func (l *Ledger) Probability(id string, now time.Time) (probability float64, slack time.Duration, ok bool) {
	p := l.entries[id]
	if p == nil {
		return 0, 0, false
	}
	o := l.outlook(&p.Entry)
	now = now.Truncate(time.Second)
	return o.probability(now), o.slack(now), true
}

// AtRisk returns at most limit promises whose probability is below the threshold (at most
// the ledger's), the least probable first, then the most valuable, then by id; and
// how many there are.
func (l *Ledger) AtRisk(now time.Time, threshold float64, limit int) (worst []Risk, count int) {
	now = now.Truncate(time.Second)
	for len(l.waiting) > 0 && l.waiting[0].riskAt <= now.Unix() {
		p := l.waiting[0]
		l.detach(p)
		l.risky[p] = struct{}{}
	}
	type seen struct {
		p           *promised
		probability float64
	}
	found := make([]seen, 0, len(l.risky))
	for p := range l.risky {
		o := l.outlook(&p.Entry)
		if probability := o.probability(now); probability < min(threshold, l.threshold) {
			found = append(found, seen{p, probability})
		}
	}
	slices.SortFunc(found, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.probability, b.probability), cmp.Compare(b.p.Value, a.p.Value), strings.Compare(a.p.ID, b.p.ID))
	})
	for _, s := range found[:min(max(limit, 0), len(found))] {
		o := l.outlook(&s.p.Entry)
		worst = append(worst, Risk{Entry: s.p.Entry, Probability: s.probability, Slack: o.slack(now)})
	}
	return worst, len(found)
}

// Stats returns the tallies, by channel, then location.
func (l *Ledger) Stats() []Tally {
	out := make([]Tally, 0, len(l.tallies))
	for _, t := range l.tallies {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Tally) int {
		return cmp.Or(strings.Compare(a.Channel, b.Channel), strings.Compare(a.Location, b.Location))
	})
	return out
}

func (l *Ledger) tally(e *Entry) *Tally {
	key := tallyKey{e.Channel, e.Location}
	t := l.tallies[key]
	if t == nil {
		if len(l.tallies) >= maxTallies {
			key = tallyKey{}
			if t = l.tallies[key]; t != nil {
				return t
			}
		}
		t = &Tally{Channel: key.channel, Location: key.location}
		l.tallies[key] = t
	}
	return t
}
