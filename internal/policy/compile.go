package policy

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of what a document says.
const (
	MaxGroups   = 20
	MaxFilters  = 50 // of a group
	MaxTerms    = 30 // of a group
	MaxSortKeys = 10 // of a group
	MaxRules    = 500
	MaxExamples = 100
	MaxTags     = 100 // of one list

	maxDescriptionBytes = 2000
	maxPriority         = 1000
	maxWeight           = 1000
	maxCancelHours      = 24 * 365
	maxKm               = 25_000
	maxUnits            = 1_000_000_000
	maxDays             = 365
)

// Defaults of settings that are left out.
const (
	DefaultUnplacedCost    = 1_000_000 // minor units
	DefaultMaxMoves        = 3
	DefaultMaxAttempts     = 5
	DefaultQuantile        = 0.95
	DefaultMinObservations = 30
	DefaultPickupMaxKm     = 100
	DefaultMaxOptions      = 20
	DefaultAtRisk          = 0.5
)

// Compiled is a policy ready to decide. It is immutable and safe for concurrent use.
// Exactly the section of its kind is set.
type Compiled struct {
	Doc  *Document
	Kind Kind
	Name string

	Sourcing     *CompiledSourcing
	Promise      *CompiledPromise
	Availability *CompiledAvailability
	Returns      *CompiledReturns
	Holds        *CompiledHolds
	Exceptions   *CompiledExceptions
	Payment      *CompiledPayment
	// Body is what the package of another kind made of its document (Sheet.Compiled).
	Body any

	// Warnings are what is allowed but seldom meant.
	Warnings Problems

	when *Expr
}

// CompiledSourcing is a SourcingSection with its defaults filled in.
type CompiledSourcing struct {
	Groups     []CompiledGroup
	Otherwise  Otherwise
	Prices     string // off, curve, learned
	ChangeCost int64  // minor units
	MaxMoves   int64
	// MaxAttempts is at least 1.
	MaxAttempts int64
}

// CompiledGroup is a Group with its defaults filled in: either Terms or Sort has entries.
type CompiledGroup struct {
	Name      string
	When      *Expr // nil: always
	Locations TagRule
	Products  TagRule
	Filters   []CompiledFilter
	Terms     []CompiledTerm
	Sort      []CompiledSort
	Limits    Limits
	Accept    string // any, complete
	Transfers bool
}

// CompiledFilter is a Filter.
type CompiledFilter struct {
	Name, Reason string
	Keep         *Expr
	PerLine      bool // Keep reads line, sku or stock
}

// CompiledTerm is a Term. Value is nil for carrier and opportunity only.
type CompiledTerm struct {
	Name        string
	WeightMilli int64 // thousandths
	Value       *Expr
	Per         string // shipment, unit
}

// CompiledSort is a SortKey. Value is set when By is "value".
type CompiledSort struct {
	By         string
	Value      *Expr
	Descending bool
}

// CompiledPromise is a PromiseSection with its defaults filled in.
type CompiledPromise struct {
	PromiseSection
	Price *Expr // nil: 0
	days  [7]bool
}

// DeliversOn reports whether carriers deliver on a weekday.
func (p *CompiledPromise) DeliversOn(d time.Weekday) bool { return p.days[d] }

// Admits reports whether the rule takes something with these tags.
func (r *TagRule) Admits(tags []string) bool {
	for _, t := range r.Exclude {
		if slices.Contains(tags, t) {
			return false
		}
	}
	for _, t := range r.Include {
		if slices.Contains(tags, t) {
			return true
		}
	}
	return len(r.Include) == 0
}

func (r *TagRule) empty() bool { return len(r.Include)+len(r.Exclude) == 0 }

// compiler collects everything wrong with a document.
type compiler struct {
	doc    *Document
	places *places
	bad    Problems
	warn   Problems
}

// Compile checks a document and makes it ready to decide. The document must not be
// changed afterwards. Errors: Problems.
func Compile(d *Document) (*Compiled, error) {
	c := &compiler{doc: d, places: d.places}
	out := &Compiled{Doc: d, Kind: d.Kind, Name: d.Name}
	c.head(d, out)
	switch d.Kind {
	case KindSourcing:
		if d.Sourcing != nil {
			out.Sourcing = c.sourcing(d.Sourcing)
		}
	case KindPromise:
		if d.Promise != nil {
			out.Promise = c.promise(d.Promise)
		}
	case KindAvailability:
		if d.Availability != nil {
			out.Availability = c.availability(d.Availability)
		}
	case KindReturns:
		if d.Returns != nil {
			out.Returns = c.returns(d.Returns)
		}
	case KindHolds:
		if d.Holds != nil {
			out.Holds = c.holds(d.Holds)
		}
	case KindExceptions:
		if d.Exceptions != nil {
			out.Exceptions = c.exceptions(d.Exceptions)
		}
	case KindPayment:
		if d.Payment != nil {
			out.Payment = c.payment(d.Payment)
		}
	}
	c.examples(d)
	inOrder(c.bad)
	inOrder(c.warn)
	if err := c.bad.Err(); err != nil {
		return nil, err
	}
	out.Warnings = c.warn
	return out, nil
}

// CompileText parses and compiles a document. Errors: Problems.
func CompileText(text []byte) (*Compiled, error) {
	d, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return Compile(d)
}

func inOrder(p Problems) {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

func (c *compiler) add(pointer, code, format string, args ...any) {
	c.bad.add(c.places.of(pointer), pointer, code, format, args...)
}

func (c *compiler) warning(pointer, code, format string, args ...any) {
	c.warn.add(c.places.of(pointer), pointer, code, format, args...)
}

// given reports whether the document has the setting, so that 0 can be told from absent.
func (c *compiler) given(pointer string) bool {
	if c.places == nil {
		return false
	}
	_, ok := c.places.at[pointer]
	return ok
}

var identifier = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// identifier checks a name that programs use.
func (c *compiler) identifier(pointer, value string) {
	switch {
	case value == "":
		c.add(pointer, problem.Required, "is required")
	case !identifier.MatchString(value):
		c.add(pointer, problem.Malformed, "must be 1 to 64 lower-case letters, digits, dots, dashes and underscores, and begin with a letter or digit")
	}
}

func (c *compiler) oneOf(pointer, value string, known ...string) {
	if !slices.Contains(known, value) {
		c.add(pointer, problem.Unknown, "%q is not known; must be one of %s", clip(value), strings.Join(known, ", "))
	}
}

// within checks a number between low and high, both included.
func (c *compiler) within(pointer string, value, low, high int64) {
	if value < low || value > high {
		c.add(pointer, problem.OutOfRange, "is %d; must be between %d and %d", value, low, high)
	}
}

func (c *compiler) share(pointer string, value, low, high float64) {
	if value < low || value > high {
		c.add(pointer, problem.OutOfRange, "is %g; must be between %g and %g", value, low, high)
	}
}

func (c *compiler) count(pointer string, n, limit int) {
	if n > limit {
		c.add(pointer, problem.TooLong, "has %d entries; at most %d are allowed", n, limit)
	}
}

// ids checks a list of identifiers of reference data.
func (c *compiler) ids(pointer string, ids []string) {
	var v problem.Invalid
	v.IDs(pointer, ids, MaxTags)
	for _, f := range v {
		c.add(f.Pointer, f.Code, "%s", f.Message)
	}
}

func (c *compiler) tags(pointer string, r TagRule) {
	c.ids(pointer+".include", r.Include)
	c.ids(pointer+".exclude", r.Exclude)
	for i, t := range r.Exclude {
		if slices.Contains(r.Include, t) {
			c.add(problem.At(pointer+".exclude", i), problem.Conflict, "%q is included as well", clip(t))
		}
	}
}

// unique checks the names of a list's entries.
func (c *compiler) unique(list string, names []string) {
	at := map[string]int{}
	for i, name := range names {
		pointer := problem.At(list, i) + ".name"
		c.identifier(pointer, name)
		if first, ok := at[name]; ok && name != "" {
			c.add(pointer, problem.Duplicate, "%q is the name of entry %d as well", clip(name), first)
			continue
		}
		at[name] = i
	}
}

func (c *compiler) head(d *Document, out *Compiled) {
	kinds := make([]string, len(Kinds))
	for i, k := range Kinds {
		kinds[i] = string(k)
	}
	if d.Kind == "" {
		c.add("kind", problem.Required, "is required; one of %s", strings.Join(kinds, ", "))
	} else {
		c.oneOf("kind", string(d.Kind), kinds...)
	}
	c.identifier("name", d.Name)
	if len(d.Description) > maxDescriptionBytes {
		c.add("description", problem.TooLong, "has %d bytes; at most %d are allowed", len(d.Description), maxDescriptionBytes)
	}
	for _, s := range []struct {
		kind  Kind
		there bool
	}{
		{KindSourcing, d.Sourcing != nil}, {KindPromise, d.Promise != nil}, {KindAvailability, d.Availability != nil}, {KindReturns, d.Returns != nil}, {KindHolds, d.Holds != nil},
		{KindExceptions, d.Exceptions != nil}, {KindPayment, d.Payment != nil},
	} {
		switch {
		case s.there && s.kind != d.Kind && slices.Contains(Kinds, d.Kind):
			c.add(string(s.kind), problem.Conflict, "a policy of kind %s has no section %s", d.Kind, s.kind)
		case !s.there && s.kind == d.Kind:
			c.add(string(s.kind), problem.Required, "a policy of kind %s needs its section", d.Kind)
		}
	}
	c.selection(&d.Select, out, UsesOrder|UsesLine|UsesSKU|UsesNow)
}

// selection checks a Select, whose condition may read the sections allowed.
func (c *compiler) selection(s *Select, out *Compiled, allowed Uses) {
	c.ids("select.channels", s.Channels)
	c.ids("select.services", s.Services)
	for i, m := range s.Methods {
		c.oneOf(problem.At("select.methods", i), m, "ship", "pickup")
	}
	if !s.From.IsZero() && !s.Until.IsZero() && !s.Until.After(s.From) {
		c.add("select.until", problem.Conflict, "must be after from")
	}
	c.within("select.priority", int64(s.Priority), -maxPriority, maxPriority)
	if out.Kind == KindAvailability {
		// Stock is told to channels before there is an order: what is withheld must not depend on one.
		for _, x := range []struct {
			name string
			some bool
		}{{"methods", len(s.Methods) > 0}, {"services", len(s.Services) > 0}} {
			if x.some {
				c.add("select."+x.name, problem.Conflict, "availability is told before there is an order; it may depend on channels and time only")
			}
		}
		out.when = c.condition("select.when", s.When, scope{allowed: UsesOrder | UsesNow, only: []string{"order.channel"}})
		return
	}
	out.when = c.condition("select.when", s.When, scope{allowed: allowed})
}

// condition compiles a condition, and refuses one that is never true. nil: always true.
func (c *compiler) condition(pointer, text string, s scope) *Expr {
	s.want = condition
	e := c.expression(pointer, text, s)
	if e == nil || !e.known {
		return e
	}
	if !e.value {
		c.add(pointer, CodeUnreachable, "is never true")
	}
	return nil
}

// number compiles an amount or a rank.
func (c *compiler) number(pointer, text string, allowed Uses) *Expr {
	return c.expression(pointer, text, scope{want: number, allowed: allowed})
}

func (c *compiler) examples(d *Document) {
	c.count("examples", len(d.Examples), MaxExamples)
	seen := map[string]bool{}
	for i := range d.Examples {
		x := &d.Examples[i]
		pointer := problem.At("examples", i)
		switch {
		case x.Name == "":
			c.add(pointer+".name", problem.Required, "is required")
		case seen[x.Name]:
			c.add(pointer+".name", problem.Duplicate, "%q is the name of another example", clip(x.Name))
		}
		seen[x.Name] = true
		if len(x.Expect) == 0 {
			c.add(pointer+".expect", problem.Required, "an example says what must be decided")
		}
		known := expectations[d.Kind]
		for key := range x.Expect {
			if known != nil && !slices.Contains(known, key) {
				c.add(pointer+".expect."+key, problem.Unknown, "a %s policy decides no such thing; it may name %s%s", d.Kind, strings.Join(known, ", "), nearest(key, known))
			}
		}
		c.givenFacts(pointer+".given", &x.Given)
	}
}

// milli is a weight in thousandths.
func (c *compiler) milli(pointer string, w *float64) int64 {
	if w == nil {
		return 1000
	}
	c.share(pointer, *w, -maxWeight, maxWeight)
	m := int64(math.Round(*w * 1000))
	if m == 0 {
		c.warning(pointer, CodeIdle, "a weight of 0 makes the term count nothing")
	}
	return m
}

// lineNote says where a setting is, for messages about two of them.
func (c *compiler) lineNote(pointer string) string {
	if at := c.places.of(pointer); at.line > 0 {
		return fmt.Sprintf("line %d", at.line)
	}
	return pointer
}
