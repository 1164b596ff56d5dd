package policy

import (
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// quick is an expression as plain Go closures, which is about ten times as fast as
// interpreting it. Exactly one of its functions is set; none: there is no quick form.
// A closure answers false when CEL might not agree or would report an error (overflow,
// a missing key); the interpreter is then asked, so that it alone says what errors are. Closures may
// only be called with every section of facts that the expression uses.
//
// Only what is bounded by the cost estimate has a quick form: no loops, no patterns.
type quick struct {
	truth  func(*Facts) (bool, bool)
	number func(*Facts) (int64, bool)
	double func(*Facts) (float64, bool)
	text   func(*Facts) (string, bool)
}

// exactInt is the largest integer up to which a double is exact.
const exactInt = 1 << 53

func quicken(tree *ast.AST, e ast.Expr) quick {
	switch e.Kind() {
	case ast.LiteralKind:
		return quickLiteral(e)
	case ast.IdentKind:
		return quickFact(e.AsIdent())
	case ast.SelectKind:
		return quickSelect(e.AsSelect())
	case ast.CallKind:
		return quickCall(tree, e.AsCall())
	}
	return quick{}
}

// quickSelect is an entry of a map, written like order.attributes.gift, or has() of one.
func quickSelect(e ast.SelectExpr) quick {
	if e.Operand().Kind() != ast.IdentKind {
		return quick{}
	}
	x, key := factByName[e.Operand().AsIdent()], e.FieldName()
	switch {
	case x == nil || x.table == nil:
		return quick{}
	case e.IsTestOnly():
		return quick{truth: func(f *Facts) (bool, bool) { _, ok := x.table(f)[key]; return ok, true }}
	}
	return quick{text: func(f *Facts) (string, bool) { v, ok := x.table(f)[key]; return v, ok }}
}

func quickLiteral(e ast.Expr) quick {
	switch v := e.AsLiteral().(type) {
	case types.Bool:
		return quick{truth: func(*Facts) (bool, bool) { return bool(v), true }}
	case types.Int:
		return quick{number: func(*Facts) (int64, bool) { return int64(v), true }}
	case types.Double:
		return quick{double: func(*Facts) (float64, bool) { return float64(v), true }}
	case types.String:
		return quick{text: func(*Facts) (string, bool) { return string(v), true }}
	}
	return quick{}
}

func quickFact(name string) quick {
	x, ok := factByName[name]
	switch {
	case !ok:
	case x.truth != nil:
		return quick{truth: func(f *Facts) (bool, bool) { return x.truth(f), true }}
	case x.number != nil:
		return quick{number: func(f *Facts) (int64, bool) { return x.number(f), true }}
	case x.double != nil:
		return quick{double: func(f *Facts) (float64, bool) { return x.double(f), true }}
	case x.text != nil:
		return quick{text: func(f *Facts) (string, bool) { return x.text(f), true }}
	}
	return quick{}
}

func quickCall(tree *ast.AST, call ast.CallExpr) quick {
	args := call.Args()
	name := call.FunctionName()
	switch {
	case name == operators.In:
		return quick{truth: quickIn(tree, args[0], args[1])}
	case name == operators.Index:
		return quick{text: quickIndex(tree, args[0], args[1])}
	case name == operators.Conditional:
		return quickConditional(quicken(tree, args[0]), quicken(tree, args[1]), quicken(tree, args[2]))
	case call.IsMemberFunction() && len(args) == 1:
		return quick{truth: quickTextTest(name, quicken(tree, call.Target()).text, quicken(tree, args[0]).text)}
	case len(args) == 1:
		return quickUnary(name, quicken(tree, args[0]))
	case len(args) == 2 && !call.IsMemberFunction():
		a, b := quicken(tree, args[0]), quicken(tree, args[1])
		switch name {
		case operators.LogicalAnd, operators.LogicalOr:
			return quick{truth: quickLogic(a.truth, b.truth, name == operators.LogicalAnd)}
		case operators.Add, operators.Subtract, operators.Multiply, operators.Divide:
			return quickArithmetic(name, a, b)
		}
		return quick{truth: quickCompare(name, a, b)}
	}
	return quick{}
}

func quickUnary(name string, a quick) quick {
	switch {
	case name == operators.LogicalNot && a.truth != nil:
		return quick{truth: func(f *Facts) (bool, bool) { v, ok := a.truth(f); return !v, ok }}
	case name == operators.Negate && a.number != nil:
		return quick{number: func(f *Facts) (int64, bool) { v, ok := a.number(f); return -v, ok && v != math.MinInt64 }}
	case name == operators.Negate && a.double != nil:
		return quick{double: func(f *Facts) (float64, bool) { v, ok := a.double(f); return -v, ok }}
	case name == "double" && a.number != nil:
		return quick{double: func(f *Facts) (float64, bool) { v, ok := a.number(f); return float64(v), ok }}
	}
	return quick{}
}

// quickLogic evaluates the left side first. An unsure left side leaves all to the
// interpreter, because there an error on one side can be decided by the other.
func quickLogic(a, b func(*Facts) (bool, bool), and bool) func(*Facts) (bool, bool) {
	if a == nil || b == nil {
		return nil
	}
	return func(f *Facts) (bool, bool) {
		v, ok := a(f)
		if !ok || v != and {
			return v, ok
		}
		return b(f)
	}
}

func quickConditional(when, a, b quick) quick {
	if when.truth == nil {
		return quick{}
	}
	return quick{
		truth:  choose(when.truth, a.truth, b.truth),
		number: choose(when.truth, a.number, b.number),
		double: choose(when.truth, a.double, b.double),
		text:   choose(when.truth, a.text, b.text),
	}
}

func choose[T any](when func(*Facts) (bool, bool), a, b func(*Facts) (T, bool)) func(*Facts) (T, bool) {
	if a == nil || b == nil {
		return nil
	}
	return func(f *Facts) (v T, ok bool) {
		yes, ok := when(f)
		switch {
		case !ok:
			return v, false
		case yes:
			return a(f)
		}
		return b(f)
	}
}

func quickArithmetic(name string, a, b quick) quick {
	switch {
	case a.number != nil && b.number != nil:
		return quick{number: integerOperation(name, a.number, b.number)}
	case a.double != nil && b.double != nil:
		return quick{double: doubleOperation(name, a.double, b.double)}
	}
	return quick{}
}

func doubleOperation(name string, a, b func(*Facts) (float64, bool)) func(*Facts) (float64, bool) {
	return func(f *Facts) (float64, bool) {
		x, ok := a(f)
		y, fine := b(f)
		ok = ok && fine
		switch name {
		case operators.Add:
			return x + y, ok
		case operators.Subtract:
			return x - y, ok
		case operators.Multiply:
			return x * y, ok
		}
		return x / y, ok
	}
}

// integerOperation leaves anything near overflow, and dividing by zero, to the interpreter.
func integerOperation(name string, a, b func(*Facts) (int64, bool)) func(*Facts) (int64, bool) {
	const half = 1 << 31
	return func(f *Facts) (int64, bool) {
		x, ok := a(f)
		y, fine := b(f)
		ok = ok && fine
		switch name {
		case operators.Add:
			return x + y, ok && small(x) && small(y)
		case operators.Subtract:
			return x - y, ok && small(x) && small(y)
		case operators.Multiply:
			return x * y, ok && x < half && x > -half && y < half && y > -half
		}
		if !ok || y == 0 || !small(x) {
			return 0, false
		}
		return x / y, true
	}
}

func small(v int64) bool { return v <= exactInt && v >= -exactInt }

// quickCompare compares two texts, two integers, two doubles, or an integer with a double.
func quickCompare(name string, a, b quick) func(*Facts) (bool, bool) {
	switch {
	case a.text != nil && b.text != nil:
		return compare(name, a.text, b.text)
	case a.number != nil && b.number != nil:
		return compare(name, a.number, b.number)
	case a.double != nil && b.double != nil:
		return compare(name, a.double, b.double)
	case a.truth != nil && b.truth != nil:
		return equal(name, a.truth, b.truth)
	case name == operators.Equals || name == operators.NotEquals:
		return nil
	case a.number != nil && b.double != nil:
		return compare(name, widened(a.number), b.double)
	case a.double != nil && b.number != nil:
		return compare(name, a.double, widened(b.number))
	}
	return nil
}

func widened(a func(*Facts) (int64, bool)) func(*Facts) (float64, bool) {
	return func(f *Facts) (float64, bool) { v, ok := a(f); return float64(v), ok && small(v) }
}

func equal[T comparable](name string, a, b func(*Facts) (T, bool)) func(*Facts) (bool, bool) {
	want := name == operators.Equals
	if !want && name != operators.NotEquals {
		return nil
	}
	return func(f *Facts) (bool, bool) {
		x, ok := a(f)
		y, fine := b(f)
		return (x == y) == want, ok && fine
	}
}

func compare[T string | int64 | float64](name string, a, b func(*Facts) (T, bool)) func(*Facts) (bool, bool) {
	var holds func(x, y T) bool
	switch name {
	case operators.Equals, operators.NotEquals:
		return equal(name, a, b)
	case operators.Less:
		holds = func(x, y T) bool { return x < y }
	case operators.LessEquals:
		holds = func(x, y T) bool { return x <= y }
	case operators.Greater:
		holds = func(x, y T) bool { return x > y }
	case operators.GreaterEquals:
		holds = func(x, y T) bool { return x >= y }
	default:
		return nil
	}
	return func(f *Facts) (bool, bool) {
		x, ok := a(f)
		y, fine := b(f)
		return holds(x, y), ok && fine && x == x && y == y // not a number: no quick answer
	}
}

// quickIn finds a text in a fact that is a list or a map, or in a list of literals.
func quickIn(tree *ast.AST, item, in ast.Expr) func(*Facts) (bool, bool) {
	text := quicken(tree, item).text
	if text == nil {
		return nil
	}
	switch in.Kind() {
	case ast.IdentKind:
		x := factByName[in.AsIdent()]
		switch {
		case x == nil:
		case x.texts != nil:
			return func(f *Facts) (bool, bool) { v, ok := text(f); return slices.Contains(x.texts(f), v), ok }
		case x.table != nil:
			return func(f *Facts) (bool, bool) {
				v, ok := text(f)
				_, found := x.table(f)[v]
				return found, ok
			}
		}
	case ast.ListKind:
		var literals []string
		for _, e := range in.AsList().Elements() {
			if e.Kind() != ast.LiteralKind {
				return nil
			}
			s, ok := e.AsLiteral().(types.String)
			if !ok {
				return nil
			}
			literals = append(literals, string(s))
		}
		return func(f *Facts) (bool, bool) { v, ok := text(f); return slices.Contains(literals, v), ok }
	}
	return nil
}

// quickIndex looks a text up in a map; a missing key has no quick answer.
func quickIndex(tree *ast.AST, table, key ast.Expr) func(*Facts) (string, bool) {
	text := quicken(tree, key).text
	if text == nil || table.Kind() != ast.IdentKind {
		return nil
	}
	x := factByName[table.AsIdent()]
	if x == nil || x.table == nil {
		return nil
	}
	return func(f *Facts) (string, bool) {
		k, ok := text(f)
		v, found := x.table(f)[k]
		return v, ok && found
	}
}

func quickTextTest(name string, a, b func(*Facts) (string, bool)) func(*Facts) (bool, bool) {
	tests := map[string]func(s, part string) bool{"startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix, "contains": strings.Contains}
	test := tests[name]
	if test == nil || a == nil || b == nil {
		return nil
	}
	return func(f *Facts) (bool, bool) {
		x, ok := a(f)
		y, fine := b(f)
		return test(x, y), ok && fine
	}
}
