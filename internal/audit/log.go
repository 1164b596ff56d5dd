package audit

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// logRow is what is kept of a log row: digests of its movements, as the log
// gives them and as the journal has them.
type logRow struct {
	seq          int64
	log, journal digest
	corrections  digest // the part of log that no event means
}

// bucketRows are the rows of a bucket by sequence.
type bucketRows []logRow

// find returns the row with a sequence, or nil.
func (b bucketRows) find(seq int64) *logRow {
	if i := seq - 1; i >= 0 && i < int64(len(b)) && b[i].seq == seq { // without gaps
		return &b[i]
	}
	if i, ok := slices.BinarySearchFunc(b, seq, func(r logRow, s int64) int { return cmp.Compare(r.seq, s) }); ok {
		return &b[i]
	}
	return nil
}

func (a *auditor) row(bucket int, seq int64) *logRow {
	if bucket < 0 || bucket >= len(a.rows) {
		return nil
	}
	return a.rows[bucket].find(seq)
}

// digest stands for a set of movements in any order; reasons do not count.
type digest uint64

var digestSeed = maphash.MakeSeed()

func (d *digest) add(m *inventory.Movement) {
	var h maphash.Hash
	h.SetSeed(digestSeed)
	for _, s := range [...]string{m.SKU, m.Location, string(m.From), string(m.To)} {
		h.WriteString(s)
		h.WriteByte(0)
	}
	var q [8]byte
	binary.LittleEndian.PutUint64(q[:], uint64(m.Quantity))
	h.Write(q[:])
	*d += digest(h.Sum64())
}

func digestOf(moves []inventory.Movement) (d digest) {
	for i := range moves {
		d.add(&moves[i])
	}
	return d
}

// corrections is the digest of the movements that no event means: an order's
// movements need them when a count found less than the order then handled.
func corrections(moves []inventory.Movement) (d digest) {
	for i := range moves {
		if m := &moves[i]; m.Reason == inventory.ReasonCorrected && m.From == inventory.Adjustment && m.To == inventory.Free {
			d.add(m)
		}
	}
	return d
}

// readLog looks at every row of the log in the order of its commits.
func (a *auditor) readLog() error {
	last := make([]int64, len(a.view.Heads))
	err := each(a, "log", a.view.Log, func(c *store.Commit) {
		bucket := c.Stream.Bucket
		if bucket < 0 || bucket >= len(last) {
			a.sequences.add("log row %d/%d lies in a bucket that the store does not have", bucket, c.Seq)
			return
		}
		a.sequences.LookedAt++
		if c.Seq != last[bucket]+1 {
			a.sequences.add("log bucket %d: row %d is followed by row %d", bucket, last[bucket], c.Seq)
		}
		last[bucket] = c.Seq
		a.rows[bucket] = append(a.rows[bucket], logRow{seq: c.Seq, log: digestOf(c.Movements), corrections: corrections(c.Movements)})
		a.checkTrail(c)
		a.checkFeed(c)
		a.noteTime(c.Time)
	})
	for b, head := range a.view.Heads {
		if err == nil && last[b] != head {
			a.sequences.add("log bucket %d ends with row %d, but the store counted %d", b, last[b], head)
		}
	}
	slices.SortFunc(a.alive, time.Time.Compare)
	return err
}

func (a *auditor) checkTrail(c *store.Commit) {
	a.trail.LookedAt++
	missing := ""
	switch {
	case c.Actor == "":
		missing = "actor"
	case c.Command == "":
		missing = "command"
	case c.Node == "":
		missing = "node"
	case c.Time.Unix() <= 0:
		missing = "time"
	default:
		return
	}
	a.trail.add("log row %d/%d (%s %s version %d) has no %s", c.Stream.Bucket, c.Seq, c.Stream.Kind, c.Stream.ID, c.Version, missing)
}

// isFeed reports a movement between the shelf and outside by a feed of stock, or one between free
// and outside of the location's own capacity.
func isFeed(c *store.Commit, m *inventory.Movement) bool {
	outside := m.From
	if outside == inventory.Free {
		outside = m.To
	} else if m.To != inventory.Free {
		return false
	}
	switch c.Stream.Kind {
	case engine.KindStock:
		return !inventory.IsCapacity(m.SKU) && (outside == inventory.Adjustment || outside == inventory.Supplier)
	case engine.KindCapacity:
		return inventory.IsCapacity(m.SKU) && outside == inventory.Supplier && m.Location == c.Stream.ID
	}
	return false
}

// checkFeed checks movements that events do not name: feeds of stock and the opening of
// capacity; nothing else but orders and reservations moves any units.
func (a *auditor) checkFeed(c *store.Commit) {
	if c.Stream.Kind == engine.KindOrder || c.Stream.Kind == engine.KindReservation {
		return // compared with their events
	}
	for _, m := range c.Movements {
		if !isFeed(c, &m) {
			a.atomicity.add("log row %d/%d of %s %s moves %d %s at %s from %s to %s, which such a row cannot",
				c.Stream.Bucket, c.Seq, c.Stream.Kind, c.Stream.ID, m.Quantity, m.SKU, m.Location, m.From, m.To)
			return
		}
	}
}

// noteTime keeps the newest time and a coarse record of when nodes were writing.
func (a *auditor) noteTime(t time.Time) {
	if t.After(a.newest) {
		a.newest = t
	}
	if n := len(a.alive); n == 0 || t.Sub(a.alive[n-1]).Abs() >= time.Minute {
		a.alive = append(a.alive, t)
	}
}
