package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// ReturnsSection says which goods may come back, what that costs, where they go, and what becomes of them.
type ReturnsSection struct {
	Rules []ReturnRule `yaml:"rules"` // where goods go: the first that matches decides
	// WindowDays is how many days after delivery goods may come back. Absent: any number.
	WindowDays *int64 `yaml:"window_days"`
	// Reasons are those that count. Absent: any, or none.
	Reasons []string `yaml:"reasons"`
	// Refuse lists goods that do not come back, like those of a final sale; the first that matches refuses.
	Refuse []RefuseRule `yaml:"refuse"`
	// Fees are what the customer pays; all that match add up.
	Fees []FeeRule `yaml:"fees"`
	// Refund is when the money is given back: instant, on_scan, on_receipt (default) or on_inspection.
	Refund string `yaml:"refund"`
	// RefundShipping is when the shipping that the customer paid is given back: never (default), full_return or always.
	RefundShipping string `yaml:"refund_shipping"`
	// ExpiresDays is how long an authorisation is good for. Default: 30.
	ExpiresDays int64 `yaml:"expires_days"`
	// Inspect is a condition: whether somebody looks at goods that arrived before they count. Default: nobody does.
	Inspect string `yaml:"inspect"`
	// Dispositions say what becomes of accepted goods: the first that matches decides; without one, a person does.
	Dispositions []DispositionRule `yaml:"dispositions"`
}

// ReturnRule is one row.
type ReturnRule struct {
	Name string `yaml:"name"`
	// When is CEL over order, line, sku, and returned (returned.reason, returned.method and so on).
	When string `yaml:"when"`
	// To: nearest, origin (the location that shipped), received (where it was handed in), a location id, or keep (the customer keeps it).
	To string `yaml:"to"`
	// Locations admits by tags when To is nearest.
	Locations TagRule `yaml:"locations"`
}

// RefuseRule is goods that do not come back.
type RefuseRule struct {
	Name string `yaml:"name"`
	When string `yaml:"when"`
	// Message is what the caller is told.
	Message string `yaml:"message"`
	// Final lets nobody take the goods back all the same.
	Final bool `yaml:"final"`
}

// FeeRule is what the customer pays for giving goods back.
type FeeRule struct {
	Name string `yaml:"name"`
	When string `yaml:"when"`
	// Amount in minor units, for each unit, or once with per: return.
	Amount int64 `yaml:"amount"`
	// Percent of what the units cost, 0 to 100.
	Percent int64  `yaml:"percent"`
	Per     string `yaml:"per"` // unit (default) or return
}

// DispositionRule is what becomes of goods.
type DispositionRule struct {
	Name string `yaml:"name"`
	When string `yaml:"when"` // returned.condition is as it was found, else as declared
	To   string `yaml:"to"`   // restock, refurbish, scrap or vendor
}

// The targets of a ReturnRule that are not locations.
const (
	ToNearest  = "nearest"
	ToOrigin   = "origin"
	ToReceived = "received"
	ToKeep     = "keep"
)

// The names of what refuses a return and is no rule of its own.
const (
	RefusedWindow = "window"
	RefusedReason = "reasons"
)

// DefaultExpiresDays is how long an authorisation is good for when the policy does not say.
const DefaultExpiresDays = 30

const (
	maxWindowDays   = 3660
	maxReasonBytes  = 200
	maxExpiresDays  = 365
	maxMessageBytes = 500
)

// CompiledReturns is a ReturnsSection with its defaults filled in.
type CompiledReturns struct {
	Rules          []CompiledReturn
	WindowDays     int64 // negative: any
	Reasons        []string
	Refund         string
	RefundShipping string
	ExpiresDays    int64

	refuse       []compiledRefuse
	fees         []compiledFee
	dispositions []compiledDisposition
	inspects     bool
	inspect      *Expr // nil with inspects: always
}

// CompiledReturn is a ReturnRule.
type CompiledReturn struct {
	Name      string
	When      *Expr // nil: always
	To        string
	Locations TagRule
}

type compiledRefuse struct {
	RefuseRule
	when *Expr
}

type compiledFee struct {
	FeeRule
	when *Expr
}

type compiledDisposition struct {
	DispositionRule
	when *Expr
}

// holds reports whether a condition is true; what cannot be evaluated is not, and failed keeps the first of such errors.
func holds(rule string, when *Expr, f *Facts, failed *error) bool {
	if when == nil {
		return true
	}
	ok, err := when.Bool(f)
	if err != nil && *failed == nil {
		*failed = fmt.Errorf("rule %s: %w", rule, err)
	}
	return ok
}

// Choose returns the first rule that matches order, line, sku and returned; nil: the
// goods go to the nearest location that takes returns. A rule that cannot be evaluated
// does not match; the first such error is returned beside the choice.
func (r *CompiledReturns) Choose(f *Facts) (rule *CompiledReturn, failed error) {
	for i := range r.Rules {
		if x := &r.Rules[i]; holds(x.Name, x.When, f, &failed) {
			return x, failed
		}
	}
	return nil, failed
}

// ReturnRefusal is why goods do not come back.
type ReturnRefusal struct {
	Rule    string // window, reasons, or the rule's name
	Message string
	Final   bool // nobody may take them all the same
}

// Refused returns what speaks against taking units back; nil: nothing does. Goods of which it is not
// known when they were delivered are within the window. A rule that cannot be evaluated does not refuse.
func (r *CompiledReturns) Refused(f *Facts) (no *ReturnRefusal, failed error) {
	x := f.Returned
	switch {
	case r.WindowDays >= 0 && x.Days > r.WindowDays:
		return &ReturnRefusal{Rule: RefusedWindow, Message: fmt.Sprintf("it was delivered %d days ago; %d are allowed", x.Days, r.WindowDays)}, nil
	case len(r.Reasons) > 0 && !slices.Contains(r.Reasons, x.Reason):
		return &ReturnRefusal{Rule: RefusedReason, Message: fmt.Sprintf("the reason %.60q is none of %s", x.Reason, strings.Join(r.Reasons, ", "))}, nil
	}
	for i := range r.refuse {
		if x := &r.refuse[i]; holds(x.Name, x.when, f, &failed) {
			return &ReturnRefusal{Rule: x.Name, Message: cmp.Or(x.Message, "these goods do not come back"), Final: x.Final}, failed
		}
	}
	return nil, failed
}

// ReturnFees are what taking units back costs the customer.
type ReturnFees struct {
	Unit    int64    // minor units for each unit
	Percent int64    // of the units' value, at most 100
	Once    int64    // minor units for the return, whatever its units
	Rules   []string // that matched
}

// Fees adds up the fees that match. A rule that cannot be evaluated charges nothing.
func (r *CompiledReturns) Fees(f *Facts) (out ReturnFees, failed error) {
	for i := range r.fees {
		x := &r.fees[i]
		if !holds(x.Name, x.when, f, &failed) {
			continue
		}
		out.Rules = append(out.Rules, x.Name)
		if x.Per == "return" {
			out.Once += x.Amount
		} else {
			out.Unit += x.Amount
		}
		out.Percent = min(out.Percent+x.Percent, 100)
	}
	return out, failed
}

// Inspects reports whether somebody looks at units that arrived before they count. When that cannot be evaluated, somebody does.
func (r *CompiledReturns) Inspects(f *Facts) (yes bool, failed error) {
	if !r.inspects || r.inspect == nil {
		return r.inspects, nil
	}
	yes, failed = r.inspect.Bool(f)
	return yes || failed != nil, failed
}

// Disposition is what becomes of accepted units; "": a person decides.
func (r *CompiledReturns) Disposition(f *Facts) (to string, failed error) {
	for i := range r.dispositions {
		if x := &r.dispositions[i]; holds(x.Name, x.when, f, &failed) {
			return x.To, failed
		}
	}
	return "", failed
}

func (c *compiler) returns(s *ReturnsSection) *CompiledReturns {
	out := &CompiledReturns{
		WindowDays: -1, Reasons: s.Reasons, Refund: cmp.Or(s.Refund, "on_receipt"), RefundShipping: cmp.Or(s.RefundShipping, "never"),
		ExpiresDays: s.ExpiresDays,
	}
	if s.WindowDays != nil {
		out.WindowDays = *s.WindowDays
		c.within("returns.window_days", *s.WindowDays, 0, maxWindowDays)
	}
	c.oneOf("returns.refund", out.Refund, "instant", "on_scan", "on_receipt", "on_inspection")
	c.oneOf("returns.refund_shipping", out.RefundShipping, "never", "full_return", "always")
	if out.ExpiresDays == 0 && !c.given("returns.expires_days") {
		out.ExpiresDays = DefaultExpiresDays
	}
	c.within("returns.expires_days", out.ExpiresDays, 1, maxExpiresDays)
	c.reasons(s.Reasons)
	c.returnRules(s, out)
	c.refusals(s, out)
	c.returnFees(s, out)
	if strings.TrimSpace(s.Inspect) != "" {
		out.inspects = true
		out.inspect = c.condition("returns.inspect", s.Inspect, returnScope)
	}
	if out.Refund == "on_inspection" && !out.inspects {
		c.warning("returns.refund", CodeIdle, "nobody inspects: it is the same as on_receipt")
	}
	names := make([]string, len(s.Dispositions))
	c.count("returns.dispositions", len(s.Dispositions), MaxRules)
	for i := range s.Dispositions {
		r, at := &s.Dispositions[i], problem.At("returns.dispositions", i)
		names[i] = r.Name
		c.oneOf(at+".to", r.To, "restock", "refurbish", "scrap", "vendor")
		out.dispositions = append(out.dispositions, compiledDisposition{*r, c.condition(at+".when", r.When, returnScope)})
	}
	c.unique("returns.dispositions", names)
	return out
}

// returnScope is what conditions about returns may read.
var returnScope = scope{allowed: UsesOrder | UsesLine | UsesSKU | UsesReturned | UsesNow}

func (c *compiler) reasons(reasons []string) {
	c.count("returns.reasons", len(reasons), MaxTags)
	for i, r := range reasons {
		at := problem.At("returns.reasons", i)
		switch {
		case r == "" || len(r) > maxReasonBytes:
			c.add(at, problem.Malformed, "must have 1 to %d bytes", maxReasonBytes)
		case slices.Contains(reasons[:i], r):
			c.add(at, problem.Duplicate, "%q is listed twice", clip(r))
		}
	}
}

func (c *compiler) returnRules(s *ReturnsSection, out *CompiledReturns) {
	c.count("returns.rules", len(s.Rules), MaxRules)
	names := make([]string, len(s.Rules))
	rows := make([]row, len(s.Rules))
	for i := range s.Rules {
		r, at := &s.Rules[i], problem.At("returns.rules", i)
		names[i] = r.Name
		if r.To == "" {
			c.add(at+".to", problem.Required, "is required: nearest, origin, received, keep, or a location's id")
		}
		if r.To != ToNearest && !r.Locations.empty() {
			c.add(at+".locations", problem.Conflict, "goes with to: nearest only")
		}
		c.tags(at+".locations", r.Locations)
		known := len(c.bad)
		o := CompiledReturn{Name: r.Name, To: r.To, Locations: r.Locations, When: c.condition(at+".when", r.When, returnScope)}
		out.Rules = append(out.Rules, o)
		rows[i] = row{name: r.Name, at: at, when: conjuncts(o.When), outcome: fmt.Sprint(r.To, r.Locations), broken: len(c.bad) > known}
	}
	c.unique("returns.rules", names)
	c.table(rows)
}

func (c *compiler) refusals(s *ReturnsSection, out *CompiledReturns) {
	c.count("returns.refuse", len(s.Refuse), MaxRules)
	names := make([]string, len(s.Refuse))
	for i := range s.Refuse {
		r, at := &s.Refuse[i], problem.At("returns.refuse", i)
		names[i] = r.Name
		if r.Name == RefusedWindow || r.Name == RefusedReason {
			c.add(at+".name", problem.Conflict, "%s is the name of a setting; choose another", r.Name)
		}
		if len(r.Message) > maxMessageBytes {
			c.add(at+".message", problem.TooLong, "has %d bytes; at most %d are allowed", len(r.Message), maxMessageBytes)
		}
		when := c.condition(at+".when", r.When, returnScope)
		if when == nil && len(c.bad) == 0 {
			c.warning(at+".when", CodeIdle, "is always true: nothing comes back")
		}
		out.refuse = append(out.refuse, compiledRefuse{*r, when})
	}
	c.unique("returns.refuse", names)
}

func (c *compiler) returnFees(s *ReturnsSection, out *CompiledReturns) {
	c.count("returns.fees", len(s.Fees), MaxRules)
	names := make([]string, len(s.Fees))
	for i := range s.Fees {
		r, at := &s.Fees[i], problem.At("returns.fees", i)
		names[i] = r.Name
		fee := *r
		fee.Per = cmp.Or(r.Per, "unit")
		c.oneOf(at+".per", fee.Per, "unit", "return")
		c.within(at+".amount", r.Amount, 0, MaxAmount)
		c.within(at+".percent", r.Percent, 0, 100)
		switch {
		case r.Percent > 0 && fee.Per == "return":
			c.add(at+".percent", problem.Conflict, "a percentage is of units; leave per out")
		case r.Amount == 0 && r.Percent == 0:
			c.add(at+".amount", problem.Required, "say what it costs: an amount or a percentage")
		}
		when := c.condition(at+".when", r.When, returnScope)
		if fee.Per == "return" && when != nil && when.uses&(UsesLine|UsesSKU) != 0 {
			c.warning(at+".per", CodeIdle, "is charged once when it matches any line")
		}
		out.fees = append(out.fees, compiledFee{fee, when})
	}
	c.unique("returns.fees", names)
}

func (c *Compiled) decideReturn(g *Given) (map[string]any, error) {
	f := g.facts()
	f.Returned = g.ReturnedFacts()
	rule, err := c.Returns.Choose(f)
	if err != nil {
		return nil, err
	}
	name, to, tags := "none", ToNearest, TagRule{}
	if rule != nil {
		name, to, tags = rule.Name, rule.To, rule.Locations
	}
	out := map[string]any{"rule": name, "to": to, "refund": c.Returns.Refund, "refused": ""}
	if to == ToNearest {
		out["location"] = g.nearest(tags)
	}
	no, err := c.Returns.Refused(f)
	if err != nil {
		return nil, err
	}
	if no != nil {
		out["refused"] = no.Rule
	}
	fees, err := c.Returns.Fees(f)
	if err != nil {
		return nil, err
	}
	var value int64
	if f.Line != nil {
		value = f.Line.UnitPrice * f.Returned.Quantity
	}
	out["fee"] = fees.Unit*f.Returned.Quantity + value*fees.Percent/100 + fees.Once
	if out["inspect"], err = c.Returns.Inspects(f); err != nil {
		return nil, err
	}
	out["disposition"], err = c.Returns.Disposition(f)
	return out, err
}

// nearest is the location of the example that takes returns and is nearest.
func (g *Given) nearest(tags TagRule) string {
	best, least := "", 0.0
	for i := range g.Locations {
		l, km := g.LocationFacts(i), g.CandidateFacts(i).DistanceKm
		if slices.Contains(l.Capabilities, "returns") && tags.Admits(l.Tags) && (best == "" || km < least || km == least && l.ID < best) {
			best, least = l.ID, km
		}
	}
	return best
}
