package flow

import (
	"cmp"
	"slices"
)

// A diagram is laid out in columns from left to right: states in the even ones, what leads from one to
// the next in the odd ones, so that no label lies on another. Measures are pixels.
const (
	stateWidth  = 208.0
	laneWidth   = 24.0 // of a column that lines pass, and has no box
	lineHeight  = 15.0
	rowGap      = 18.0
	columnGap   = 24.0
	portGap     = 13.0 // between lines that meet a state on one side
	margin      = 24.0
	layoutTurns = 16
)

// node is something with a place in a column: a state, the label of an edge, or a point that a long edge passes.
type node struct {
	state  int // index; -1: no state
	layer  int
	x, y   float64 // of the middle
	width  float64 // of what is drawn
	column float64 // width of its column: lines run level through all of it
	height float64
	before []*node // neighbours in the column to the left
	after  []*node
	index  int // in the order of making, to tell equals apart
}

// edge is everything that leads from one state to another. What leads there from any state begins at its label,
// which stands beside the state.
type edge struct {
	from, to int // from anyState: any that is not final
	// near is, of an edge from any state, the state that comes before the other as the flow is written; -1: none.
	near     int
	lines    []labelLine
	title    string
	reversed bool    // it leads back, and is drawn from right to left
	chain    []*node // from left to right, with both ends; an edge from any state begins with its label
	label    *node
	// leave and arrive are how far from the middle of the states it meets them.
	leave, arrive float64
}

const anyState = -1

type layout struct {
	nodes         []*node
	columns       [][]*node
	width, height float64
}

// newLayout places states of given heights and the edges between them. Edges are taken in their order.
func newLayout(heights []float64, edges []*edge) *layout {
	l := &layout{}
	layers := layersOf(len(heights), edges)
	states := make([]*node, len(heights))
	for i, h := range heights {
		states[i] = l.add(&node{state: i, layer: 2 * layers[i], width: stateWidth, height: h})
	}
	for _, e := range edges {
		if e.from == anyState {
			l.beside(e, states)
		} else {
			l.between(e, states)
		}
	}
	l.order()
	l.place()
	l.ports(edges)
	return l
}

// beside puts the label of an edge from any state to the left of the state that it leads to.
func (l *layout) beside(e *edge, states []*node) {
	to := states[e.to]
	e.label = l.add(&node{state: -1, layer: to.layer - 1, width: e.labelWidth(), height: e.labelHeight()})
	e.chain = []*node{e.label, to}
	link(e.label, to)
	if e.near >= 0 && states[e.near].layer == e.label.layer-1 {
		link(states[e.near], e.label)
	}
}

// between puts the nodes of an edge into the columns that it passes. Its label is beside the state that it leaves.
func (l *layout) between(e *edge, states []*node) {
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
		n := &node{state: -1, layer: layer, height: lineHeight}
		if layer == labelAt {
			e.label, n.width, n.height = n, e.labelWidth(), e.labelHeight()
		}
		e.chain = append(e.chain, l.add(n))
	}
	e.chain = append(e.chain, right)
	for i := 1; i < len(e.chain); i++ {
		link(e.chain[i-1], e.chain[i])
	}
}

func link(left, right *node) {
	left.after = append(left.after, right)
	right.before = append(right.before, left)
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
// close a circle are turned round for that. What is entered from any state stands to the right of the state that is
// written before it, unless that leads to a circle, and never in the first column, where its label has no room.
func layersOf(n int, edges []*edge) []int {
	turnRound(n, edges)
	right := make([][]int, n)
	for _, e := range edges {
		switch {
		case e.from == anyState:
		case e.reversed:
			right[e.to] = append(right[e.to], e.from)
		default:
			right[e.from] = append(right[e.from], e.to)
		}
	}
	layers := make([]int, n)
	for _, e := range edges {
		if e.from != anyState {
			continue
		}
		layers[e.to] = 1
		if e.near >= 0 && !reaches(right, e.to, e.near) {
			right[e.near] = append(right[e.near], e.to)
		}
	}
	for range n { // longest paths have fewer than n steps
		for i := range right {
			for _, to := range right[i] {
				layers[to] = max(layers[to], layers[i]+1)
			}
		}
	}
	return layers
}

// turnRound marks the edges that lead back to where a path came from.
func turnRound(n int, edges []*edge) {
	out := make([][]*edge, n)
	for _, e := range edges {
		if e.from != anyState {
			out[e.from] = append(out[e.from], e)
		}
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
}

// reaches tells whether a path leads from one state to another, or they are the same.
func reaches(right [][]int, from, to int) bool {
	seen := make([]bool, len(right))
	var visit func(int) bool
	visit = func(at int) bool {
		if at == to {
			return true
		}
		seen[at] = true
		for _, next := range right[at] {
			if !seen[next] && visit(next) {
				return true
			}
		}
		return false
	}
	return visit(from)
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
	for _, column := range l.columns {
		if len(column) == 0 {
			continue
		}
		width, y := laneWidth, 0.0
		for _, n := range column {
			width = max(width, n.width)
		}
		for _, n := range column {
			n.x, n.y, n.column = x+width/2, y+n.height/2, width
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

// ports spreads the lines that meet a state over its side, in the order in which they come.
func (l *layout) ports(edges []*edge) {
	type end struct {
		at    float64 // where the line comes from
		place *float64
	}
	left, right := map[*node][]end{}, map[*node][]end{}
	for _, e := range edges {
		first, last := e.chain[0], e.chain[len(e.chain)-1]
		leave, arrive := &e.leave, &e.arrive
		if e.reversed {
			leave, arrive = arrive, leave
		}
		if e.from != anyState {
			right[first] = append(right[first], end{e.chain[1].y, leave})
		}
		left[last] = append(left[last], end{e.chain[len(e.chain)-2].y, arrive})
	}
	for _, n := range l.nodes {
		for _, ends := range [][]end{left[n], right[n]} {
			slices.SortStableFunc(ends, func(a, b end) int { return cmp.Compare(a.at, b.at) })
			gap := min(portGap, (n.height-12)/float64(len(ends)))
			for i, e := range ends {
				*e.place = (float64(i) - float64(len(ends)-1)/2) * gap
			}
		}
	}
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
