package inventory

import (
	"cmp"
	"slices"
)

// Change is what a batch of movements does to one position.
type Change struct {
	PositionKey
	Delta
	// Need is the least availability the position must have before the batch for
	// every take of the batch to be covered at its turn; 0 when it needs none.
	Need int64
}

// Net returns what the movements, made in the order given, do to each position,
// in ascending order of SKU and location.
func Net(movements []Movement) []Change {
	var n Netting
	for _, m := range movements {
		n.Add(m)
	}
	return n.Changes()
}

// Netting is Net one movement at a time. The zero value is ready; Reset makes it
// ready again and keeps its memory, for a decider that nets batch after batch.
type Netting struct {
	at      map[PositionKey]int // index into changes
	changes []Change
	lowered []int64 // per change: by how much safety stock was lowered so far, net
}

// Add takes the next movement.
func (n *Netting) Add(m Movement) {
	i := n.index(PositionKey{m.SKU, m.Location})
	c := &n.changes[i]
	c.Delta = c.Plus(m.Delta())
	if m.IsTake() {
		c.Need = max(c.Need, -c.Available()-n.lowered[i])
	}
}

// Lower notes that the safety stock of a position is lower from here on, by less than nothing when it is
// higher: a guard goes by what is stored before everything, and takes that come later have that much more.
func (n *Netting) Lower(key PositionKey, by int64) { n.lowered[n.index(key)] += by }

func (n *Netting) index(key PositionKey) int {
	i, ok := n.at[key]
	if !ok {
		if n.at == nil {
			n.at = map[PositionKey]int{}
		}
		i = len(n.changes)
		n.at[key] = i
		n.changes, n.lowered = append(n.changes, Change{PositionKey: key}), append(n.lowered, 0)
	}
	return i
}

// Changes returns the changes so far in ascending order of SKU and location. The
// slice is the caller's.
func (n *Netting) Changes() []Change {
	changes := slices.Clone(n.changes)
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Location, b.Location))
	})
	return changes
}

// Reset forgets all movements.
func (n *Netting) Reset() {
	clear(n.at)
	clear(n.changes) // lets go of the strings
	n.changes, n.lowered = n.changes[:0], n.lowered[:0]
}
