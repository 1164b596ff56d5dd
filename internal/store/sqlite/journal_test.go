package sqlite

import (
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

// TestChain follows the links that push made: every line must be reached from
// the end, and in few jumps.
func TestChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moves := rapid.Int64Range(1, 5000).Draw(t, "moves")
		type links struct{ previous, skip, number int64 }
		lines := map[int64]links{} // by pk
		var c chain
		pk := int64(0)
		for n := int64(1); n <= moves; n++ {
			pk += rapid.Int64Range(1, 1000).Draw(t, "gap")
			previous, skip := c.push(n, pk)
			lines[pk] = links{previous, skip, n}
			if n > 300 { // drawing every gap is slow; large ones matter at the start only
				pk++
			}
		}
		c = readChain(nil, c.append(nil))
		if len(c) != bits.OnesCount64(uint64(moves)) {
			t.Fatalf("%d entries after %d moves", len(c), moves)
		}
		for range 20 {
			want := rapid.Int64Range(1, moves).Draw(t, "line")
			number, at := c.seek(moves, want)
			jumps := 0
			for ; number > want; jumps++ {
				l := lines[at]
				if skipped := number & (number - 1); skipped >= want {
					number, at = skipped, l.skip
				} else {
					number, at = number-1, l.previous
				}
			}
			if lines[at].number != want {
				t.Fatalf("looked for line %d, came to %d", want, lines[at].number)
			}
			if size := bits.Len64(uint64(moves)); jumps > size*size {
				t.Fatalf("%d jumps to line %d of %d", jumps, want, moves)
			}
		}
	})
}
