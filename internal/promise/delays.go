package promise

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// The levels of history, from the finest to the coarsest.
const (
	LevelLocationServiceZone = "location, service, zone"
	LevelLocationService     = "location, service"
	LevelServiceZone         = "service, zone"
	LevelService             = "service"
	LevelAll                 = "all"
	LevelNone                = "none" // no history: the calendar alone
)

// Limits and constants of learning.
const (
	// MaxHistoryKeys bounds the histograms of one table, all levels together: about 400
	// bytes each when deliveries spread over 15 bins, 4 KiB at most. Beyond it the
	// eighth with the least weight is dropped; coarser levels still know of it.
	MaxHistoryKeys = 50_000
	// DefaultHalfLifeDays is after how many days an observation counts half.
	DefaultHalfLifeDays = 60
	// shrinkage is how many observations the coarser level is worth.
	shrinkage = 10
	// priorWeight is how many observations the prior is worth at the coarsest level.
	priorWeight = 2
)

// Key names what a delay belongs to. In an observation Service is given and Zone
// is not AnyZone; an empty Location is one that does not matter.
type Key struct {
	Location string `json:"location,omitempty"`
	Service  string `json:"service,omitempty"`
	Zone     int64  `json:"zone"`
}

// AnyZone is the zone of coarser keys.
const AnyZone int64 = -1

// levels are the keys that may answer for one, finest first.
func (k Key) levels() [5]Key {
	return [5]Key{
		k, {k.Location, k.Service, AnyZone}, {"", k.Service, k.Zone}, {"", k.Service, AnyZone}, {"", "", AnyZone},
	}
}

// finest is the index of the first level that is the key's own.
func (k Key) finest() int {
	if k.Location == "" {
		return 2
	}
	return 0
}

var levelNames = [5]string{LevelLocationServiceZone, LevelLocationService, LevelServiceZone, LevelService, LevelAll}

func compareKeys(a, b Key) int {
	return cmp.Or(strings.Compare(a.Location, b.Location), strings.Compare(a.Service, b.Service), cmp.Compare(a.Zone, b.Zone))
}

// priorCame is what is believed of delays before any was seen: nine of ten come
// within the last day before the deadline, evenly; of the others half within each further day.
func priorCame(d time.Duration) float64 {
	days := float64(d) / float64(day)
	switch {
	case days <= -1:
		return 0
	case days <= 0:
		return 0.9 * (days + 1)
	}
	return 1 - 0.1*math.Exp2(-days)
}

var (
	priorHazards = hazardsOf(delayScale, priorCame)
	priorCurve   = delayScale.curve(&priorHazards, LevelNone, 0)
)

// Delays is what was learned of deliveries: how much later than the calendar's
// deadline they came, by location, service and zone and by what is coarser than
// that. Orders under way say that they are at least so late: leaving them out
// would make every service look better than it is.
//
// It is not safe for concurrent changes; when nothing changes any number of
// goroutines may read. The nil value has learned nothing.
type Delays struct {
	halfLife float64 // days
	today    network.Date
	keys     map[Key]*histogram

	// curves are those asked for since the last change.
	mu     sync.RWMutex
	curves map[curveKey]*Curve
}

// curveKey is a key without the parts that its curve does not depend on.
type curveKey struct {
	Key
	least int64
}

// maxCurves bounds the curves that are remembered, 1.3 KiB each.
const maxCurves = 20_000

// NewDelays returns a table in which an observation counts half after so many
// days; 0: DefaultHalfLifeDays.
func NewDelays(halfLifeDays int64) *Delays {
	return &Delays{halfLife: float64(or(max(halfLifeDays, 0), DefaultHalfLifeDays)), keys: make(map[Key]*histogram)}
}

// Delivered records a delivery that came the delay after (before: negative) the calendar's deadline.
func (d *Delays) Delivered(k Key, delay time.Duration) {
	d.record(k, bin{Bin: delayScale.bin(delay), Events: 1})
}

// Open records an order under way whose delay has reached so much (negative:
// before the deadline). To keep an order from being counted on every look, record
// open orders in a table of their own and Merge it with the history.
func (d *Delays) Open(k Key, reached time.Duration) {
	d.record(k, bin{Bin: delayScale.bin(reached), Open: 1})
}

func (d *Delays) record(k Key, b bin) {
	if k.Service == "" || k.Zone == AnyZone {
		return // nothing that a question could be answered from
	}
	d.changed()
	levels := k.levels()
	for _, level := range levels[k.finest():] {
		h := d.keys[level]
		if h == nil {
			h = new(histogram)
			d.keys[level] = h
		}
		h.add(b)
	}
	d.evict()
}

// changed forgets curves, which were of what was known before.
func (d *Delays) changed() {
	if len(d.curves) > 0 {
		clear(d.curves)
	}
}

// Advance lets weights fade up to a date. Earlier dates than before change nothing.
func (d *Delays) Advance(today network.Date) {
	if today <= d.today {
		return
	}
	d.changed()
	if d.today != 0 {
		factor := math.Exp2(-float64(today-d.today) / d.halfLife)
		for k, h := range d.keys {
			if *h = h.decay(factor); len(*h) == 0 {
				delete(d.keys, k)
			}
		}
	}
	d.today = today
}

// evict drops the keys of least weight when there are too many; of equal weight
// the finest level, then the last in order.
func (d *Delays) evict() {
	if len(d.keys) <= MaxHistoryKeys {
		return
	}
	type weighed struct {
		Key
		weight float64
		depth  int
	}
	list := make([]weighed, 0, len(d.keys))
	for k, h := range d.keys {
		events, open := h.weight()
		list = append(list, weighed{k, events + open, k.depth()})
	}
	slices.SortFunc(list, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(b.depth, a.depth), compareKeys(b.Key, a.Key))
	})
	for _, w := range list[:len(list)-MaxHistoryKeys*7/8] {
		delete(d.keys, w.Key)
	}
}

// depth is how many parts of the key are given.
func (k Key) depth() int {
	n := 0
	for _, given := range []bool{k.Location != "", k.Service != "", k.Zone != AnyZone} {
		if given {
			n++
		}
	}
	return n
}

// Merge returns a table with the observations of both, faded to the later of their dates
// with the longer half life. Neither is changed.
func Merge(a, b *Delays) *Delays {
	out := &Delays{halfLife: max(a.halfLife, b.halfLife), keys: make(map[Key]*histogram, len(a.keys))}
	today := max(a.today, b.today)
	for _, from := range []*Delays{a, b} {
		from := from.clone()
		from.halfLife = out.halfLife
		from.Advance(today)
		for k, h := range from.keys {
			into := out.keys[k]
			if into == nil {
				out.keys[k] = h
				continue
			}
			for _, x := range *h {
				into.add(x)
			}
		}
	}
	out.today = today
	out.evict()
	return out
}

func (d *Delays) clone() *Delays {
	out := &Delays{halfLife: d.halfLife, today: d.today, keys: make(map[Key]*histogram, len(d.keys))}
	for k, h := range d.keys {
		copied := slices.Clone(*h)
		out.keys[k] = &copied
	}
	return out
}

// Len is the number of keys of all levels.
func (d *Delays) Len() int { return len(d.keys) }

// Curve returns the distribution for a key: that of the finest level with at least
// minObservations deliveries, each level drawn towards the next coarser one by ten
// observations' worth. With too few even for all together it is LevelNone,
// whose quantiles are 0 and whose probabilities come from the prior.
func (d *Delays) Curve(k Key, minObservations int64) *Curve {
	if d == nil {
		return priorCurve
	}
	levels := k.levels()
	enough, found, n := believed(d.keys, levels[:], k.finest(), minObservations)
	switch found { // what the curve does not depend on
	case -1:
		return priorCurve
	case 2:
		k.Location = ""
	case 3:
		k.Location, k.Zone = "", AnyZone
	case 4:
		k = levels[4]
	}
	key := curveKey{k, minObservations}
	d.mu.RLock()
	c := d.curves[key]
	d.mu.RUnlock()
	if c != nil {
		return c
	}
	c = delayScale.blend(enough, &priorHazards, levelNames[found], n)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.curves == nil || len(d.curves) >= maxCurves {
		d.curves = make(map[curveKey]*Curve)
	}
	d.curves[key] = c
	return c
}

// believed finds the histograms of levels (finest first, at most five, those before first left out)
// with at least so many events, nil for the others; the finest of them, −1 for none, and its events.
func believed(keys map[Key]*histogram, levels []Key, first int, least int64) (enough [5]*histogram, found int, n float64) {
	found = -1
	for i := len(levels) - 1; i >= first; i-- {
		h := keys[levels[i]]
		if h == nil {
			continue
		}
		if events, _ := h.weight(); events >= float64(least) {
			enough[i], found, n = h, i, events
		}
	}
	return enough, found, n
}

// blend draws each level towards the next coarser one, the coarsest towards the prior.
func (s scale) blend(enough [5]*histogram, prior *hazards, level string, n float64) *Curve {
	estimate, pseudo := *prior, float64(priorWeight)
	for i := len(enough) - 1; i >= 0; i-- {
		if enough[i] != nil {
			estimate = enough[i].shrink(&estimate, pseudo)
			pseudo = shrinkage
		}
	}
	return s.curve(&estimate, level, n)
}

// Quantile returns the delay that the share q of deliveries does not exceed, the
// level of history it comes from and that level's deliveries.
func (d *Delays) Quantile(k Key, q float64, minObservations int64) (delay time.Duration, level string, n int64) {
	c := d.Curve(k, minObservations)
	return c.Quantile(q), c.Level, c.N
}

// Probability returns the chance of a delay within the slack.
func (d *Delays) Probability(k Key, slack time.Duration, minObservations int64) float64 {
	return d.Curve(k, minObservations).Probability(slack)
}

// snapshotFormat changes when the JSON of a snapshot does.
const snapshotFormat = 1

// Snapshot is a table as it is stored. Equal tables have equal snapshots.
type Snapshot struct {
	Format int `json:"format"`
	// Version counts what was published, for decisions to name.
	Version      int64        `json:"version"`
	HalfLifeDays int64        `json:"half_life_days"`
	Today        network.Date `json:"today"`
	Keys         []KeyHistory `json:"keys"`
}

// KeyHistory is one histogram of a snapshot.
type KeyHistory struct {
	Key
	Bins []bin `json:"bins"`
}

// Snapshot returns the table for storing under a version.
func (d *Delays) Snapshot(version int64) Snapshot {
	s := Snapshot{Format: snapshotFormat, Version: version, HalfLifeDays: int64(d.halfLife), Today: d.today}
	for _, k := range slices.SortedFunc(maps.Keys(d.keys), compareKeys) {
		s.Keys = append(s.Keys, KeyHistory{k, slices.Clone(*d.keys[k])})
	}
	return s
}

// Restore returns the table of a snapshot. Returns an error when it is not one
// that this program wrote.
func Restore(s Snapshot) (*Delays, error) {
	if s.Format != snapshotFormat {
		return nil, fmt.Errorf("snapshot has format %d, not %d", s.Format, snapshotFormat)
	}
	if len(s.Keys) > MaxHistoryKeys {
		return nil, fmt.Errorf("snapshot has %d keys; at most %d are allowed", len(s.Keys), MaxHistoryKeys)
	}
	d := NewDelays(s.HalfLifeDays)
	d.today = s.Today
	for _, k := range s.Keys {
		h := new(histogram)
		for _, b := range k.Bins {
			if b.Bin < 0 || b.Bin >= maxBins || !(b.Events >= 0) || !(b.Open >= 0) {
				return nil, fmt.Errorf("snapshot has a bin %d that cannot be", b.Bin)
			}
			h.add(b)
		}
		d.keys[k.Key] = h
	}
	return d, nil
}
