package inventory

import (
	"math"
	"time"
)

// entry is one position as the book keeps it: 40 bytes, no pointers. Nearly
// every quantity fits 32 bits; the few positions with one that does not keep
// their counters in the shard's wide list, so that no value is ever cut.
type entry struct {
	location int32 // book index
	// onHand is wideMark when the counters are in shard.wide at index reserved.
	onHand, reserved, allocated, picked, safety int32
	asOf, changed                               int64 // see micros
}

// wideMark in entry.onHand says that the counters are in shard.wide.
const wideMark = math.MinInt32

// counters are the quantities of a position at full width.
type counters struct {
	Delta
	safety int64
}

func (c counters) available() int64 { return c.Delta.Available() - c.safety }

// narrow reports whether an entry can hold the counters itself.
func (c counters) narrow() bool {
	return fits(c.OnHand) && c.OnHand != wideMark &&
		fits(c.Reserved) && fits(c.Allocated) && fits(c.Picked) && fits(c.safety)
}

func fits(q int64) bool { return q == int64(int32(q)) }

// available is Position.Available of the entry.
func (s *shard) available(e *entry) int64 {
	if e.onHand == wideMark {
		return s.wide[e.reserved].available()
	}
	return int64(e.onHand) - int64(e.reserved) - int64(e.allocated) - int64(e.safety)
}

func (s *shard) counters(e *entry) counters {
	if e.onHand == wideMark {
		return s.wide[e.reserved]
	}
	return counters{
		Delta{int64(e.onHand), int64(e.reserved), int64(e.allocated), int64(e.picked)},
		int64(e.safety),
	}
}

// setCounters stores the counters. An entry that was wide once stays wide, so
// the wide list holds at most one item per position and never leaks.
func (s *shard) setCounters(e *entry, c counters) {
	switch {
	case e.onHand == wideMark:
		s.wide[e.reserved] = c
	case c.narrow():
		e.onHand, e.reserved, e.allocated = int32(c.OnHand), int32(c.Reserved), int32(c.Allocated)
		e.picked, e.safety = int32(c.Picked), int32(c.safety)
	default:
		s.wide = append(s.wide, c)
		e.onHand, e.reserved = wideMark, int32(len(s.wide)-1)
	}
}

func (s *shard) position(key PositionKey, e *entry) Position {
	c := s.counters(e)
	return Position{
		SKU: key.SKU, Location: key.Location,
		OnHand: c.OnHand, Reserved: c.Reserved, Allocated: c.Allocated, Picked: c.Picked, Safety: c.safety,
		AsOf: fromMicros(e.asOf), Changed: fromMicros(e.changed),
	}
}

// yearOneMicros is the zero time.Time in Unix microseconds.
var yearOneMicros = time.Time{}.UnixMicro()

// micros is the time in microseconds since the zero time.Time, so that "never"
// is 0 and no other time is.
func micros(t time.Time) int64 { return t.UnixMicro() - yearOneMicros }

func fromMicros(m int64) time.Time { return time.UnixMicro(m + yearOneMicros).UTC() }
