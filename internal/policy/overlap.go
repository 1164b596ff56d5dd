package policy

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/orderly-oms/orderly/internal/problem"
)

// row is one row of a decision table, as far as it can be compared with others.
type row struct {
	name, at            string
	channels, types     []string // empty: any
	locations, products TagRule
	when                []conjunct
	outcome             string
	broken              bool // its condition does not compile
}

// conjunct is one of the conditions that an expression joins with &&. When it
// compares a fact with a literal, fact, operator and literal are set.
type conjunct struct {
	text     string
	fact     string
	operator string
	literal  ref.Val
}

// conjuncts takes a condition apart; nil: no condition.
func conjuncts(e *Expr) []conjunct {
	if e == nil {
		return nil
	}
	var out []conjunct
	var walk func(x ast.Expr)
	walk = func(x ast.Expr) {
		if x.Kind() == ast.CallKind && x.AsCall().FunctionName() == operators.LogicalAnd {
			for _, a := range x.AsCall().Args() {
				walk(a)
			}
			return
		}
		out = append(out, newConjunct(x))
	}
	walk(e.tree)
	return out
}

var mirrored = map[string]string{
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals,
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
}

func newConjunct(x ast.Expr) conjunct {
	text, err := cel.ExprToString(x, ast.NewSourceInfo(nil))
	if err != nil {
		text = "" // equal to nothing
	}
	c := conjunct{text: text}
	if x.Kind() == ast.IdentKind { // a yes-or-no fact
		c.fact, c.operator, c.literal = x.AsIdent(), operators.Equals, types.True
		return c
	}
	if x.Kind() != ast.CallKind {
		return c
	}
	call := x.AsCall()
	args := call.Args()
	if call.FunctionName() == operators.LogicalNot && args[0].Kind() == ast.IdentKind {
		c.fact, c.operator, c.literal = args[0].AsIdent(), operators.Equals, types.False
		return c
	}
	mirror, compares := mirrored[call.FunctionName()]
	switch {
	case !compares:
	case args[0].Kind() == ast.IdentKind && args[1].Kind() == ast.LiteralKind:
		c.fact, c.operator, c.literal = args[0].AsIdent(), call.FunctionName(), args[1].AsLiteral()
	case args[1].Kind() == ast.IdentKind && args[0].Kind() == ast.LiteralKind:
		c.fact, c.operator, c.literal = args[1].AsIdent(), mirror, args[0].AsLiteral()
	}
	return c
}

// span is the set of numbers that a comparison admits, as an interval.
type span struct {
	low, high         float64
	lowOpen, highOpen bool
	hasLow, hasHigh   bool
}

func (c *conjunct) span() (span, bool) {
	var v float64
	switch l := c.literal.(type) {
	case types.Int:
		v = float64(l)
	case types.Double:
		v = float64(l)
	default:
		return span{}, false
	}
	switch c.operator {
	case operators.Equals:
		return span{low: v, high: v, hasLow: true, hasHigh: true}, true
	case operators.Less, operators.LessEquals:
		return span{high: v, hasHigh: true, highOpen: c.operator == operators.Less}, true
	case operators.Greater, operators.GreaterEquals:
		return span{low: v, hasLow: true, lowOpen: c.operator == operators.Greater}, true
	}
	return span{}, false
}

// implies reports whether everything that satisfies a satisfies b; false when that is not certain.
func (a *conjunct) implies(b *conjunct) bool {
	if a.text != "" && a.text == b.text {
		return true
	}
	if a.fact == "" || a.fact != b.fact {
		return false
	}
	if a.operator == operators.Equals && b.operator == operators.NotEquals {
		return a.literal.Equal(b.literal) == types.False
	}
	x, ok := a.span()
	y, fine := b.span()
	if !ok || !fine {
		return false
	}
	low := !y.hasLow || x.hasLow && (x.low > y.low || x.low == y.low && (x.lowOpen || !y.lowOpen))
	high := !y.hasHigh || x.hasHigh && (x.high < y.high || x.high == y.high && (x.highOpen || !y.highOpen))
	return low && high
}

// excludes reports whether nothing satisfies both; false when that is not certain.
func (a *conjunct) excludes(b *conjunct) bool {
	if a.fact == "" || a.fact != b.fact {
		return false
	}
	equals := func(c *conjunct, operator string) bool { return c.operator == operator }
	same := a.literal.Equal(b.literal) == types.True
	switch {
	case equals(a, operators.Equals) && equals(b, operators.Equals):
		return !same
	case equals(a, operators.Equals) && equals(b, operators.NotEquals), equals(a, operators.NotEquals) && equals(b, operators.Equals):
		return same
	}
	x, ok := a.span()
	y, fine := b.span()
	return ok && fine && (below(x, y) || below(y, x))
}

// below reports whether all of x lies below all of y.
func below(x, y span) bool {
	return x.hasHigh && y.hasLow && (x.high < y.low || x.high == y.low && (x.highOpen || y.lowOpen))
}

// covers reports whether a list that stands for any when it is empty contains all of another.
func covers(wide, narrow []string) bool {
	if len(wide) == 0 {
		return true
	}
	return len(narrow) > 0 && subset(narrow, wide)
}

func subset(small, large []string) bool {
	for _, s := range small {
		if !slices.Contains(large, s) {
			return false
		}
	}
	return true
}

// coversTags reports whether wide admits everything that narrow admits.
func coversTags(wide, narrow TagRule) bool {
	return covers(wide.Include, narrow.Include) && subset(wide.Exclude, narrow.Exclude)
}

func disjoint(a, b []string) bool {
	return len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// disjointTags reports whether what one must have is what the other must not have.
func disjointTags(a, b TagRule) bool {
	return len(a.Include) > 0 && subset(a.Include, b.Exclude) || len(b.Include) > 0 && subset(b.Include, a.Exclude)
}

// implied reports whether the conditions of narrow imply all of wide.
func implied(wide, narrow []conjunct) bool {
	for i := range wide {
		if !slices.ContainsFunc(narrow, func(n conjunct) bool { return n.implies(&wide[i]) }) {
			return false
		}
	}
	return true
}

// within reports whether everything that matches r matches wide.
func (r *row) within(wide *row) bool {
	return covers(wide.channels, r.channels) && covers(wide.types, r.types) &&
		coversTags(wide.locations, r.locations) && coversTags(wide.products, r.products) && implied(wide.when, r.when)
}

// apart reports whether nothing matches both rows.
func (r *row) apart(o *row) bool {
	return disjoint(r.channels, o.channels) || disjoint(r.types, o.types) ||
		disjointTags(r.locations, o.locations) || disjointTags(r.products, o.products) ||
		slices.ContainsFunc(r.when, func(a conjunct) bool {
			return slices.ContainsFunc(o.when, func(b conjunct) bool { return a.excludes(&b) })
		})
}

// table finds rows that can never decide, and pairs of rows of which only the order
// says which one does. A general row after a special one is how tables are meant: no warning.
func (c *compiler) table(rows []row) {
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.broken })
	for i := range rows {
		r := &rows[i]
		if slices.ContainsFunc(r.when, func(a conjunct) bool {
			return slices.ContainsFunc(r.when, func(b conjunct) bool { return a.excludes(&b) })
		}) {
			c.add(r.at+".when", CodeUnreachable, "is never true: two of its conditions contradict each other")
			continue
		}
		for j := range i {
			if r.within(&rows[j]) {
				c.add(r.at, CodeUnreachable, "row %s never decides: everything it matches is decided by row %s before it (%s)", r.name, rows[j].name, c.lineNote(rows[j].at))
				break
			}
		}
		for j := range i {
			if o := &rows[j]; r.outcome != o.outcome && !o.within(r) && !r.within(o) && !r.apart(o) {
				c.warning(r.at, CodeOverlap, "rows %s (%s) and %s (%s) can both match and say different things; the earlier one decides", o.name, c.lineNote(o.at), r.name, c.lineNote(r.at))
			}
		}
	}
}

// shadowedGroups warns of groups that are left nothing by one before them. It is no
// problem: a location without room for all of what the earlier group would give it can still get less.
func (c *compiler) shadowedGroups(groups []CompiledGroup) {
	if len(c.bad) > 0 {
		return // a condition that does not compile is not one that is always true
	}
	for i := range groups {
		g := &groups[i]
		for j := range i {
			if groups[j].leavesNothingFor(g) {
				c.warning(problem.At("sourcing.groups", i), CodeUnreachable, "group %s is left nothing: what it could use, group %s before it (%s) takes first, as far as capacity allows",
					g.Name, groups[j].Name, c.lineNote(problem.At("sourcing.groups", j)))
				break
			}
		}
	}
}

// leavesNothingFor reports whether g, when it is done, has taken every unit that later
// could take. Groups with costs or limits may leave units; those that only sort do not.
func (g *CompiledGroup) leavesNothingFor(later *CompiledGroup) bool {
	l := &g.Limits
	bound := l.MaxShipments != nil || l.MinShipmentValue > 0 || l.MinRemainderValue > 0 || l.MaxDistanceKm != nil ||
		l.LineSplit == "never" || l.KeepTogether != "" || l.MaxUnits != nil || l.MaxValue != nil
	if len(g.Sort) == 0 || bound || g.Accept != "any" || later.Transfers && !g.Transfers ||
		later.Limits.IgnoreCapacity && !l.IgnoreCapacity || later.Limits.Kits == "component" && l.Kits != "component" {
		return false
	}
	if !coversTags(g.Locations, later.Locations) || !coversTags(g.Products, later.Products) || !implied(conjuncts(g.When), conjuncts(later.When)) {
		return false
	}
	var theirs []conjunct
	for i := range later.Filters {
		theirs = append(theirs, conjuncts(later.Filters[i].Keep)...)
	}
	for i := range g.Filters {
		// candidate.complete and candidate.fill change between groups, so that equal conditions do not mean equal sites.
		if e := g.Filters[i].Keep; slices.Contains(e.reads, "candidate.complete") || slices.Contains(e.reads, "candidate.fill") || !implied(conjuncts(e), theirs) {
			return false
		}
	}
	return true
}
