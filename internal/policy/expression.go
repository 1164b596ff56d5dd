package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of an expression.
const (
	MaxExpressionBytes = 4096
	// MaxCost bounds an expression, in CEL's cost units (about one per operation, and
	// one per ten characters or one per list entry looked at): of the estimate when it is
	// compiled, and again of the evaluation when it uses more than plain comparisons.
	MaxCost = 10_000
	// MaxAmount bounds what an expression may give as an amount, either sign, minor units.
	MaxAmount = 1_000_000_000_000_000

	// What the estimate takes the largest facts to be.
	estimatedTextBytes   = 200
	estimatedListEntries = 100
)

// Errors of evaluation.
var (
	errAmount  = errors.New("the result is not an amount: it is beyond 1,000,000,000,000,000 minor units or no number")
	errUnknown = errors.New("no value")
)

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	source  string
	uses    Uses
	reads   []string
	program cel.Program
	quick   quick // its fast form, when it has one
	tree    ast.Expr
	constant
}

// constant is the value of a condition that reads no facts.
type constant struct{ known, value bool }

// Source is the expression as it was written.
func (e *Expr) Source() string { return e.source }

// Uses says which sections of Facts it reads.
func (e *Expr) Uses() Uses { return e.uses }

// Reads lists the facts it reads, sorted. The caller must not change the list.
func (e *Expr) Reads() []string { return e.reads }

// Value prints a fact that it reads as name=value.
func (e *Expr) Value(f *Facts, name string) string { return Fact(name, f) }

// Bool evaluates a condition. Errors: what CEL says, such as a missing map key or a
// section of facts that is nil.
func (e *Expr) Bool(f *Facts) (bool, error) {
	if e.quick.truth != nil && f.sections()&e.uses == e.uses {
		if v, ok := e.quick.truth(f); ok {
			return v, nil
		}
	}
	v, err := e.eval(f)
	if err != nil {
		return false, err
	}
	return v == types.True, nil
}

// Int evaluates an amount in minor units: an int as it is, a double rounded half
// away from zero. Errors: as Bool, and a result beyond MaxAmount.
func (e *Expr) Int(f *Facts) (int64, error) {
	if e.quick.number != nil && f.sections()&e.uses == e.uses {
		if v, ok := e.quick.number(f); ok {
			return bounded(v)
		}
	}
	if e.quick.double != nil && f.sections()&e.uses == e.uses {
		if v, ok := e.quick.double(f); ok {
			return rounded(v)
		}
	}
	v, err := e.eval(f)
	if err != nil {
		return 0, err
	}
	if i, ok := v.(types.Int); ok {
		return bounded(int64(i))
	}
	return rounded(float64(v.(types.Double)))
}

// Number evaluates a number. Errors: as Bool, and a result that is not finite.
func (e *Expr) Number(f *Facts) (float64, error) {
	if f.sections()&e.uses == e.uses {
		if e.quick.double != nil {
			if v, ok := e.quick.double(f); ok && finite(v) {
				return v, nil
			}
		}
		if e.quick.number != nil {
			if v, ok := e.quick.number(f); ok {
				return float64(v), nil
			}
		}
	}
	v, err := e.eval(f)
	if err != nil {
		return 0, err
	}
	if i, ok := v.(types.Int); ok {
		return float64(i), nil
	}
	if d := float64(v.(types.Double)); finite(d) {
		return d, nil
	}
	return 0, errAmount
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func bounded(v int64) (int64, error) {
	if v > MaxAmount || v < -MaxAmount {
		return 0, errAmount
	}
	return v, nil
}

func rounded(v float64) (int64, error) {
	if v = math.Round(v); math.IsNaN(v) || v > MaxAmount || v < -MaxAmount {
		return 0, errAmount
	}
	return int64(v), nil
}

func (e *Expr) eval(f *Facts) (ref.Val, error) {
	v, _, err := e.program.Eval((*activation)(f))
	if err != nil {
		return nil, err
	}
	if types.IsUnknown(v) {
		return nil, errUnknown
	}
	return v, nil
}

// activation lets CEL look facts up by name.
type activation Facts

// ResolveName returns a fact; false when its section is missing.
func (a *activation) ResolveName(name string) (any, bool) {
	x, ok := factByName[name]
	if !ok {
		return nil, false
	}
	v := x.value((*Facts)(a))
	return v, v != nil
}

// Parent returns nil: there is one level of names.
func (a *activation) Parent() cel.Activation { return nil }

// environment is what all expressions are checked against. It never changes.
var environment = sync.OnceValue(func() *cel.Env {
	options := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxExpressionBytes),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(), cel.ValidateComprehensionNestingLimit(2)),
	}
	for i := range facts {
		typ, _ := facts[i].types()
		options = append(options, cel.Variable(facts[i].name, typ))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		panic(err) // the names are fixed at build time
	}
	return env
})

// result is the type that an expression must give.
type result int

const (
	condition result = iota
	number
)

// scope is what one expression of a document is compiled for.
type scope struct {
	want    result
	allowed Uses
	// only, when not empty, are the facts allowed of the section order.
	only []string
}

// expression compiles the text at a pointer; nil when it is empty or has problems.
func (c *compiler) expression(pointer, text string, s scope) *Expr {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	at := func(offset int) place { return c.places.within(pointer, text, offset) }
	if len(text) > MaxExpressionBytes {
		c.bad.add(at(0), pointer, problem.TooLong, "the expression has %d bytes; at most %d are allowed", len(text), MaxExpressionBytes)
		return nil
	}
	env := environment()
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		seen := map[string]bool{}
		for _, x := range issues.Errors() {
			offset, message := explain(text, x.Location.Line(), x.Location.Column(), x.Message)
			if !seen[message] {
				seen[message] = true
				c.bad.add(at(offset), pointer, CodeExpression, "%s", message)
			}
		}
		return nil
	}
	e := &Expr{source: text, tree: checked.NativeRep().Expr()}
	ok := c.resultType(checked, pointer, text, s.want)
	ok = c.names(e, checked.NativeRep(), pointer, text, s) && ok
	estimate, err := env.EstimateCost(checked, estimator{})
	if err != nil || estimate.Max > MaxCost {
		c.bad.add(at(0), pointer, CodeCost, "the expression may cost %s; at most %d is allowed", costText(estimate.Max, err), MaxCost)
		return nil
	}
	if !ok {
		return nil
	}
	if e.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(MaxCost)); err != nil {
		c.bad.add(at(0), pointer, CodeExpression, "%s", err)
		return nil
	}
	e.quick = quicken(checked.NativeRep(), e.tree)
	if s.want == condition && len(e.reads) == 0 {
		if v, err := e.Bool(&Facts{}); err == nil {
			e.constant = constant{known: true, value: v}
		}
	}
	return e
}

func costText(most uint64, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case most == math.MaxUint64:
		return "any amount"
	}
	return fmt.Sprint(most)
}

func (c *compiler) resultType(checked *cel.Ast, pointer, text string, want result) bool {
	switch out := checked.OutputType(); {
	case want == condition && !out.IsExactType(cel.BoolType):
		c.bad.add(c.places.within(pointer, text, 0), pointer, CodeExpression, "must be true or false, but gives %s", out)
	case want == number && !out.IsExactType(cel.IntType) && !out.IsExactType(cel.DoubleType):
		c.bad.add(c.places.within(pointer, text, 0), pointer, CodeExpression, "must be a number, but gives %s", out)
	default:
		return true
	}
	return false
}

// names notes what the expression reads, and refuses facts that are not there when it is asked.
func (c *compiler) names(e *Expr, tree *ast.AST, pointer, text string, s scope) bool {
	ok := true
	where := map[string]int{}
	for id, r := range tree.ReferenceMap() {
		if factByName[r.Name] == nil {
			continue
		}
		offset := 0
		if span, found := tree.SourceInfo().GetOffsetRange(id); found {
			offset = nameStart(text, int(span.Start))
		}
		if first, seen := where[r.Name]; !seen || offset < first {
			where[r.Name] = offset
		}
	}
	for name := range where {
		e.reads = append(e.reads, name)
	}
	slices.Sort(e.reads)
	for _, name := range e.reads {
		use := factByName[name].use
		e.uses |= use
		if use&s.allowed == 0 {
			c.bad.add(c.places.within(pointer, text, where[name]), pointer, CodeExpression, "%s is not known here; this may read %s", name, s.allowed)
			ok = false
		} else if use == UsesOrder && s.only != nil && !slices.Contains(s.only, name) {
			c.bad.add(c.places.within(pointer, text, where[name]), pointer, CodeExpression, "%s is not known here; of the order this may read %s only", name, strings.Join(s.only, ", "))
			ok = false
		}
	}
	return ok
}

// nameStart goes back from a place inside a dotted name to its beginning.
func nameStart(text string, at int) int {
	runes := []rune(text)
	at = min(at, len(runes))
	for at > 0 && (isName(runes[at-1]) || runes[at-1] == '.') {
		at--
	}
	return at
}

func isName(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// explain turns a message of CEL into ours and its position into an offset in characters.
func explain(text string, line, column int, message string) (offset int, said string) {
	for l, part := range strings.Split(text, "\n") {
		if l+1 == line {
			offset += column
			break
		}
		offset += len([]rune(part)) + 1
	}
	if strings.HasPrefix(message, "undeclared reference to '") {
		if name := nameAt(text, nameStart(text, offset)); name != "" && factByName[name] == nil {
			known := make([]string, len(facts))
			for i := range facts {
				known[i] = facts[i].name
			}
			return nameStart(text, offset), fmt.Sprintf("there is no fact or function %s%s", clip(name), nearest(name, known))
		}
	}
	message, _, _ = strings.Cut(message, " (in container")
	if strings.HasSuffix(message, "reserved identifier: return") {
		message += "; what comes back is called returned, like returned.reason"
	}
	return offset, strings.TrimSpace(strings.TrimPrefix(message, "Syntax error: "))
}

// nameAt is the dotted name that begins at an offset.
func nameAt(text string, at int) string {
	runes := []rune(text)
	end := at
	for end < len(runes) && (isName(runes[end]) || runes[end] == '.') {
		end++
	}
	return string(runes[min(at, end):end])
}

// estimator says how large facts may be.
type estimator struct{}

// EstimateCallCost leaves functions at CEL's own estimates.
func (estimator) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// EstimateSize bounds a value by its type.
func (estimator) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	switch n.Type().Kind() {
	case types.ListKind, types.MapKind:
		return &cost.SizeEstimate{Max: estimatedListEntries}
	case types.StringKind, types.BytesKind:
		return &cost.SizeEstimate{Max: estimatedTextBytes}
	}
	return &cost.SizeEstimate{Min: 1, Max: 1}
}
