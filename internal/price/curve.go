package price

import (
	"fmt"
	"math"
)

// Curve prices a unit by how much of a position's stock is used, for positions
// that nothing else is known about. It is 0 while the stock is whole and rises
// exponentially to Top at the last unit.
type Curve struct {
	Top int64 `json:"top"` // minor units, >= 0: what the last unit is worth
	// Bend is how much steeper the end is than the beginning; 0 is a straight line.
	Bend float64 `json:"bend"`
}

// MaxBend bounds Curve.Bend.
const MaxBend = 50

// Validate reports a curve that is none.
func (c Curve) Validate() error {
	if c.Top < 0 || !(c.Bend >= 0 && c.Bend <= MaxBend) {
		return fmt.Errorf("a price curve has a top of at least 0 and a bend of 0 to %d, not %d and %g", MaxBend, c.Top, c.Bend)
	}
	return nil
}

// Unit is the price of the next unit in minor units, when left of full units are there.
// full is what was there after the last receipt.
func (c Curve) Unit(left, full int64) int64 {
	if full <= 0 || left >= full {
		return 0
	}
	used := 1 - float64(max(left, 0))/float64(full)
	if c.Bend == 0 {
		return int64(math.Round(float64(c.Top) * used))
	}
	return int64(math.Round(float64(c.Top) * math.Expm1(c.Bend*used) / math.Expm1(c.Bend)))
}
