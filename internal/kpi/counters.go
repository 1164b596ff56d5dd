package kpi

import (
	"maps"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/network"
)

// Counters are what was counted. The zero value is not ready: use New. One goroutine
// changes them; what Snapshot returns may be read by any.
type Counters struct {
	// Orders is how many orders were captured, Commands how many commands were counted, since the beginning.
	Orders, Commands int64
	// Unreadable are commands that could not be followed; their orders are not counted any further.
	Unreadable int64

	days    map[network.Date]*day
	newest  network.Date // 0: nothing was counted
	detail  network.Date // the first day that tells locations apart
	first   network.Date // the first day that is kept
	entries int
	limit   int // MaxEntries
	keys    [kinds][]string
	keyIDs  [kinds]map[string]uint16
	// epoch tells what a snapshot shares: days and cells of an earlier one are copied before they change.
	epoch int64
}

// day is all cells of a day.
type day struct {
	epoch int64
	cells map[place]*cell
	// body is the day as it was last encoded; nil: it changed since.
	body []byte
}

// place is what a cell counts.
type place struct{ channel, location, currency string }

// cell is what was counted of a day at a place.
type cell struct {
	epoch  int64
	counts [counts]int64
	keyed  []keyCount // by kind and key
	spent  [stages]sketch
}

type keyCount struct {
	kind kind
	key  uint16
	n    int64
}

// New returns counters of nothing.
func New() *Counters {
	c := &Counters{days: map[network.Date]*day{}, limit: MaxEntries}
	for k := range c.keyIDs {
		c.keyIDs[k] = map[string]uint16{}
	}
	return c
}

// Days is the span of days that are kept; both are zero while nothing was counted.
func (c *Counters) Days() (first, last network.Date) { return c.first, c.newest }

// DetailFrom is the first day that tells locations apart.
func (c *Counters) DetailFrom() network.Date { return c.detail }

// Snapshot returns the counters as they are now. What is counted later does not change it.
func (c *Counters) Snapshot() *Counters {
	s := *c
	s.days = maps.Clone(c.days)
	for k := range c.keys {
		s.keys[k] = slices.Clip(c.keys[k])
		s.keyIDs[k] = nil // a snapshot is read only
	}
	c.epoch++
	return &s
}

// advance notes that time came to a day, and lets go of what is too old.
func (c *Counters) advance(to network.Date) {
	if to <= c.newest {
		return
	}
	c.newest = to
	c.dropBefore(to.AddDays(1 - RetentionDays))
	c.detailFrom(to.AddDays(1 - DetailDays))
	if c.first == 0 {
		c.first = to
	}
}

// dropBefore forgets older days.
func (c *Counters) dropBefore(first network.Date) {
	for d, x := range c.days {
		if d < first {
			c.entries -= x.entries()
			delete(c.days, d)
		}
	}
	if c.first != 0 {
		c.first = max(c.first, first)
	}
}

// detailFrom adds up the locations of older days.
func (c *Counters) detailFrom(first network.Date) {
	if first <= c.detail {
		return
	}
	for d := range c.days {
		if d >= c.detail && d < first {
			c.rollUp(d)
		}
	}
	c.detail = first
}

func (c *Counters) rollUp(d network.Date) {
	was := c.days[d]
	rolled := &day{epoch: c.epoch, cells: map[place]*cell{}}
	c.entries -= was.entries()
	for at, x := range was.cells {
		at.location = Everywhere
		into := rolled.cells[at]
		if into == nil {
			into = &cell{epoch: c.epoch}
			rolled.cells[at] = into
		}
		into.add(x, nil)
	}
	c.entries += rolled.entries()
	c.days[d] = rolled
}

// shrink keeps within MaxEntries.
func (c *Counters) shrink() {
	for c.entries > c.limit && c.detail <= c.newest {
		c.detailFrom(c.detail.AddDays(1))
	}
	for c.entries > c.limit && len(c.days) > 1 {
		c.dropBefore(slices.Min(slices.Collect(maps.Keys(c.days))).AddDays(1))
	}
}

func (d *day) entries() (n int) {
	for _, x := range d.cells {
		n += x.entries()
	}
	return n
}

func (x *cell) entries() int {
	n := len(x.keyed)
	for _, v := range x.counts {
		if v != 0 {
			n++
		}
	}
	for i := range x.spent {
		n += len(x.spent[i])
	}
	return n
}

// at is the cell to count in; nil: the day is not kept any more.
func (c *Counters) at(on network.Date, p place) *cell {
	if c.first == 0 || on < c.newest.AddDays(1-RetentionDays) {
		return nil
	}
	if on < c.detail {
		p.location = Everywhere
	}
	c.first = min(c.first, on)
	d := c.days[on]
	switch {
	case d == nil:
		d = &day{epoch: c.epoch, cells: map[place]*cell{}}
		c.days[on] = d
	case d.epoch != c.epoch:
		d = &day{epoch: c.epoch, cells: maps.Clone(d.cells)}
		c.days[on] = d
	}
	d.body = nil
	x := d.cells[p]
	switch {
	case x == nil:
		x = &cell{epoch: c.epoch}
		d.cells[p] = x
	case x.epoch != c.epoch:
		x = x.clone(c.epoch)
		d.cells[p] = x
	}
	return x
}

func (x *cell) clone(epoch int64) *cell {
	y := *x
	y.epoch, y.keyed = epoch, slices.Clone(x.keyed)
	for i := range y.spent {
		y.spent[i] = slices.Clone(x.spent[i])
	}
	return &y
}

// cursor counts in one cell.
type cursor struct {
	c *Counters
	x *cell // nil: nothing is counted
}

// on is the place to count at on a day.
func (c *Counters) on(d network.Date, p place) cursor {
	if c == nil {
		return cursor{}
	}
	return cursor{c, c.at(d, p)}
}

func (u cursor) count(what count, n int64) {
	if u.x == nil || n == 0 {
		return
	}
	was := u.x.counts[what]
	u.x.counts[what] += n
	if was == 0 {
		u.c.entries++
	}
}

// countIf counts one when it is so.
func (u cursor) countIf(what count, so bool) {
	if so {
		u.count(what, 1)
	}
}

func (u cursor) key(k kind, key string, n int64) {
	if u.x == nil || n == 0 {
		return
	}
	if u.x.addKey(k, u.c.keyID(k, key), n) {
		u.c.entries++
	}
}

func (u cursor) spend(s stage, at uint8) {
	if u.x != nil && u.x.spent[s].add(at, 1) {
		u.c.entries++
	}
}

// keyID is the number of a key; beyond MaxKeys that of OtherKey.
func (c *Counters) keyID(k kind, key string) uint16 {
	if key == "" {
		key = NoKey
	}
	if len(key) > MaxKeyBytes {
		key = strings.ToValidUTF8(key[:MaxKeyBytes], "")
	}
	if id, ok := c.keyIDs[k][key]; ok {
		return id
	}
	if len(c.keys[k]) >= MaxKeys-1 && key != OtherKey {
		return c.keyID(k, OtherKey)
	}
	id := uint16(len(c.keys[k]))
	c.keys[k] = append(c.keys[k], strings.Clone(key))
	c.keyIDs[k][c.keys[k][id]] = id
	return id
}

func (x *cell) addKey(k kind, key uint16, n int64) (created bool) {
	i, found := slices.BinarySearchFunc(x.keyed, keyCount{kind: k, key: key}, func(a, b keyCount) int {
		return (int(a.kind)<<16 | int(a.key)) - (int(b.kind)<<16 | int(b.key))
	})
	if !found {
		x.keyed = slices.Insert(x.keyed, i, keyCount{kind: k, key: key})
	}
	x.keyed[i].n += n
	return !found
}

// add takes in what another cell counted; rename gives its keys other numbers, nil leaves them.
func (x *cell) add(y *cell, rename func(kind, uint16) uint16) {
	for i, n := range y.counts {
		x.counts[i] += n
	}
	for _, k := range y.keyed {
		key := k.key
		if rename != nil {
			key = rename(k.kind, key)
		}
		x.addKey(k.kind, key, k.n)
	}
	for i := range y.spent {
		for _, b := range y.spent[i] {
			x.spent[i].add(b.at, b.n)
		}
	}
}

// Add takes in what other counters counted.
func (c *Counters) Add(o *Counters) {
	c.Orders += o.Orders
	c.Commands += o.Commands
	c.Unreadable += o.Unreadable
	if o.newest == 0 {
		return
	}
	c.advance(o.newest)
	c.detailFrom(o.detail)
	rename := func(k kind, key uint16) uint16 { return c.keyID(k, o.keys[k][key]) }
	for d, y := range o.days {
		for p, from := range y.cells {
			if x := c.at(d, p); x != nil {
				before := x.entries()
				x.add(from, rename)
				c.entries += x.entries() - before
			}
		}
	}
	c.shrink()
}
