package memory

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// What follows looks at a disk from outside, without a handle, and so meets no fault.

// NextWake is the soonest wake time of any record; zero: none wants to be woken.
func (d *Disk) NextWake() (next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for bucket := range d.wakes {
		q := &d.wakes[bucket]
		for _, x := range q.take(math.MaxInt64, 1, func(x queued) bool { return d.wanted(bucket, x) }) {
			q.add(x)
			if at := time.UnixMicro(x.at).UTC(); next.IsZero() || at.Before(next) {
				next = at
			}
		}
	}
	return next
}

// wanted reports that a queued wake-up is still what its record wants.
func (d *Disk) wanted(bucket int, x queued) bool {
	r := d.records[store.Kind(x.kind)][store.Key{Bucket: bucket, Kind: store.Kind(x.kind), ID: x.name}]
	return r != nil && !r.Wake.IsZero() && r.Wake.UnixMicro() == x.at
}

// Position is a position as stored; zeros when there is none.
func (d *Disk) Position(key inventory.PositionKey) inventory.Position {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if p := d.positions[key]; p != nil {
		return p.Position
	}
	return inventory.Position{SKU: key.SKU, Location: key.Location}
}

// Record is a record as stored, and whether there is one.
func (d *Disk) Record(key store.Key) (store.Record, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r := d.records[key.Kind][key]
	if r == nil {
		return store.Record{}, false
	}
	return r.Record, true
}

// Written is the buckets of all log rows but the first after ones, in the order in which they were committed.
func (d *Disk) Written(after int64) []int32 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clip(d.written[after:])
}

// Row is a row of the log, which must exist.
func (d *Disk) Row(bucket int, seq int64) *store.Commit {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return &d.logs[bucket][seq-1]
}

// Heads is the last sequence of each bucket.
func (d *Disk) Heads() []int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.heads()
}

// Positions is every position, by SKU and location.
func (d *Disk) Positions() []store.PositionRow {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.positionRows()
}

// Audit implements store.Auditor from outside.
func (d *Disk) Audit(_ context.Context, read func(*store.View) error) error { return read(d.look()) }
