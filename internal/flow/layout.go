package flow

import (
	"cmp"
	"slices"
)

// A diagram is laid out in columns from left to right: states in the even ones, what leads from one to
// the next in the odd ones, so that no label lies on another. Measures are pixels.
const (
	stateWidth  = 190.0
	labelWidth  = 230.0
	lineHeight  = 15.0
	rowGap      = 18.0
	columnGap   = 26.0
	margin      = 24.0
	layoutTurns = 12
)

// node is something with a place in a column: a state, the label of an edge, or a point that a long edge passes.
type node struct {
	state  int // index; -1: no state
	edge   *edge
	layer  int
	x, y   float64 // of the middle
	width  float64
	height float64
	before []*node // neighbours in the column to the left
	after  []*node
	index  int // in the order of making, to tell equals apart
}

// edge is everything that leads from one state to another.
type edge struct {
	from, to int
	lines    []string // of the label
	title    string
	reversed bool    // it leads back, and is drawn from right to left
	chain    []*node // from left to right, with both ends
	label    *node
}

type layout struct {
	nodes         []*node
	columns       [][]*node
	width, height float64
}

// newLayout places states of given heights and the edges between them. Edges are taken in their order.
func newLayout(heights []float64, labels func(*edge) float64, edges []*edge) *layout {
	l := &layout{}
	layers := layersOf(len(heights), edges)
	states := make([]*node, len(heights))
	for i, h := range heights {
		states[i] = l.add(&node{state: i, layer: 2 * layers[i], width: stateWidth, height: h})
	}
	for _, e := range edges {
		left, right := states[e.from], states[e.to]
		if e.reversed {
			left, right = right, left
		}
		labelAt := left.layer + 1
		if e.reversed {
			labelAt = right.layer - 1
		}
		e.chain = append(e.chain, left)
		for layer := left.layer + 1; layer < right.layer; layer++ {
			n := &node{state: -1, edge: e, layer: layer, width: stateWidth, height: lineHeight}
			if layer%2 == 1 {
				n.width = labelWidth
			}
			if layer == labelAt {
				e.label = n
				n.height = labels(e)
			}
			e.chain = append(e.chain, l.add(n))
		}
		e.chain = append(e.chain, right)
		for i := 1; i < len(e.chain); i++ {
			e.chain[i-1].after = append(e.chain[i-1].after, e.chain[i])
			e.chain[i].before = append(e.chain[i].before, e.chain[i-1])
		}
	}
	l.order()
	l.place()
	return l
}

func (l *layout) add(n *node) *node {
	n.index = len(l.nodes)
	l.nodes = append(l.nodes, n)
	for len(l.columns) <= n.layer {
		l.columns = append(l.columns, nil)
	}
	l.columns[n.layer] = append(l.columns[n.layer], n)
	return n
}

// layersOf gives each state its column: one to the right of all that lead to it. Edges that would
// close a circle are turned round for that.
func layersOf(n int, edges []*edge) []int {
	out := make([][]*edge, n)
	for _, e := range edges {
		out[e.from] = append(out[e.from], e)
	}
	const fresh, open, done = 0, 1, 2
	seen := make([]int, n)
	var visit func(int)
	visit = func(at int) {
		seen[at] = open
		for _, e := range out[at] {
			switch {
			case e.reversed:
			case seen[e.to] == fresh:
				visit(e.to)
			case seen[e.to] == open:
				e.reversed = true
			}
		}
		seen[at] = done
	}
	for i := range n {
		if seen[i] == fresh {
			visit(i)
		}
	}
	layers := make([]int, n)
	for range n { // longest paths have fewer than n steps
		for _, e := range edges {
			left, right := e.from, e.to
			if e.reversed {
				left, right = right, left
			}
			layers[right] = max(layers[right], layers[left]+1)
		}
	}
	return layers
}

// order sorts each column by where the neighbours are, so that few edges cross.
func (l *layout) order() {
	rank := make([]float64, len(l.nodes))
	number := func(column []*node) {
		for i, n := range column {
			rank[n.index] = float64(i)
		}
	}
	for _, column := range l.columns {
		number(column)
	}
	for turn := range layoutTurns {
		for i := range l.columns {
			column, near := l.columns[i], func(n *node) []*node { return n.before }
			if turn%2 == 1 {
				column, near = l.columns[len(l.columns)-1-i], func(n *node) []*node { return n.after }
			}
			middle := map[*node]float64{}
			for _, n := range column {
				middle[n] = mean(near(n), rank[n.index], func(m *node) float64 { return rank[m.index] })
			}
			slices.SortStableFunc(column, func(a, b *node) int {
				return cmp.Or(cmp.Compare(middle[a], middle[b]), cmp.Compare(a.index, b.index))
			})
			number(column)
		}
	}
}

// mean is that of some nodes; without any, what it was.
func mean(list []*node, was float64, of func(*node) float64) float64 {
	if len(list) == 0 {
		return was
	}
	sum := 0.0
	for _, n := range list {
		sum += of(n)
	}
	return sum / float64(len(list))
}

// place gives every node its coordinates: as near as can be to its neighbours, none over another.
func (l *layout) place() {
	x := margin
	for i, column := range l.columns {
		width := stateWidth
		if i%2 == 1 {
			width = labelWidth
		}
		y := 0.0
		for _, n := range column {
			n.x, n.y = x+width/2, y+n.height/2
			y += n.height + rowGap
		}
		x += width + columnGap
	}
	l.width = x - columnGap + margin
	for turn := range layoutTurns {
		for i := range l.columns {
			column := l.columns[i]
			if turn%2 == 1 {
				column = l.columns[len(l.columns)-1-i]
			}
			settle(column)
		}
	}
	top, bottom := 0.0, 0.0
	for i, n := range l.nodes {
		if i == 0 || n.y-n.height/2 < top {
			top = n.y - n.height/2
		}
		bottom = max(bottom, n.y+n.height/2)
	}
	for _, n := range l.nodes {
		n.y += margin - top
	}
	l.height = bottom - top + 2*margin
}

// settle moves the nodes of a column towards their neighbours and apart from each other.
func settle(column []*node) {
	if len(column) == 0 {
		return
	}
	off := 0.0
	wish := make([]float64, len(column))
	for i, n := range column {
		wish[i] = mean(slices.Concat(n.before, n.after), n.y, func(m *node) float64 { return m.y })
	}
	for i, n := range column {
		n.y = wish[i]
		if i > 0 {
			above := column[i-1]
			n.y = max(n.y, above.y+(above.height+n.height)/2+rowGap)
		}
		off += n.y - wish[i]
	}
	for _, n := range column {
		n.y -= off / float64(len(column))
	}
}
