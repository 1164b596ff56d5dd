package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// KindExceptions says what exceptions are worth, and which are fixed without a person.
const KindExceptions Kind = "exceptions"

// Limits and defaults of exception rules.
const (
	MaxAfterMinutes    = 30 * 24 * 60
	MaxFixesPerOrder   = 100
	DefaultPerOrder    = 3
	maxRuleWaitHours   = 720
	maxRuleReasonBytes = 500

	DefaultPromiseValue     = 1500
	DefaultLateHourValue    = 50
	DefaultAgePercentPerDay = 20
)

// RuleFixes are the fixes that rules may apply. What each does is in package exception.
var RuleFixes = []string{
	"cancel_units", "change_service", "close", "close_return", "release_hold", "remind_location", "reship", "resource", "restock",
	"retry_payment", "retry_sourcing", "ship_from", "wait",
}

// ExceptionsSection prices exceptions and fixes known ones.
type ExceptionsSection struct {
	// PromiseValue is what a promise at risk counts in the rank, LateHourValue each hour that it is
	// late: hundredths of a currency unit. Defaults 1500 and 50.
	PromiseValue  *int64 `yaml:"promise_value"`
	LateHourValue *int64 `yaml:"late_hour_value"`
	// AgePercentPerDay is what each day that an exception is open adds to its rank, percent. Default 20.
	AgePercentPerDay *int64 `yaml:"age_percent_per_day"`
	// Rules are tried in order; the first that matches decides. None: a person does.
	Rules []FixRule `yaml:"rules"`
}

// FixRule fixes exceptions of some types without a person.
type FixRule struct {
	Name  string   `yaml:"name"`
	Types []string `yaml:"types"` // of exceptions; none: any
	When  string   `yaml:"when"`  // CEL over order, exception, subject and location (of the fulfillment) and now
	// AfterMinutes is how long the exception stays open before; the condition is asked again then. Default 0: at once.
	AfterMinutes int64  `yaml:"after_minutes"`
	Fix          string `yaml:"fix"` // one of RuleFixes
	// Location and Service go with ship_from and change_service, Hold with release_hold, Hours with wait and remind_location.
	Location string `yaml:"location"`
	Service  string `yaml:"service"`
	Hold     string `yaml:"hold"`
	Hours    int64  `yaml:"hours"`
	Reason   string `yaml:"reason"`
	// MaxPerOrder is how often the rule may act on one order. Default 3.
	MaxPerOrder *int64 `yaml:"max_per_order"`
}

// CompiledExceptions is an ExceptionsSection with its defaults filled in.
type CompiledExceptions struct {
	PromiseValue, LateHourValue, AgePercentPerDay int64

	Rules []CompiledFixRule
}

// CompiledFixRule is a FixRule.
type CompiledFixRule struct {
	FixRule
	After       time.Duration
	MaxPerOrder int
	when        *Expr // nil: always
}

// GivenException is the exception of an example.
type GivenException struct {
	Type       string            `yaml:"type"`
	By         string            `yaml:"by"`     // default core
	Status     string            `yaml:"status"` // of the fulfillment, or the order
	Money      int64             `yaml:"money"`  // at risk, minor units
	Promises   int64             `yaml:"promises"`
	HoursLate  int64             `yaml:"hours_late"`
	AgeMinutes int64             `yaml:"age_minutes"`
	Data       map[string]string `yaml:"data"`
	// Applied is how often each rule acted on the order before.
	Applied map[string]int64 `yaml:"applied"`
}

// Exception is an open exception, as rules see it.
type Exception struct {
	Type       string            // exception.type
	By         string            // exception.by: what opened it
	Status     string            // exception.status: of the fulfillment it is about, else of the order
	Owner      string            // exception.owner: who works on it; "" nobody
	Money      int64             // exception.money: at risk, minor units
	Promises   int64             // exception.promises: at risk
	HoursLate  int64             // exception.hours_late
	AgeMinutes int64             // exception.age_minutes
	Data       map[string]string // exception.data
}

// UsesException is the section of facts about an exception.
const UsesException Uses = 1 << 15

var exceptionFacts = []fact{
	{name: "exception.type", use: UsesException, text: func(f *Facts) string { return f.Exception.Type }},
	{name: "exception.by", use: UsesException, text: func(f *Facts) string { return f.Exception.By }},
	{name: "exception.status", use: UsesException, text: func(f *Facts) string { return f.Exception.Status }},
	{name: "exception.owner", use: UsesException, text: func(f *Facts) string { return f.Exception.Owner }},
	{name: "exception.money", use: UsesException, number: func(f *Facts) int64 { return f.Exception.Money }},
	{name: "exception.promises", use: UsesException, number: func(f *Facts) int64 { return f.Exception.Promises }},
	{name: "exception.hours_late", use: UsesException, number: func(f *Facts) int64 { return f.Exception.HoursLate }},
	{name: "exception.age_minutes", use: UsesException, number: func(f *Facts) int64 { return f.Exception.AgeMinutes }},
	{name: "exception.data", use: UsesException, table: func(f *Facts) map[string]string { return f.Exception.Data }},
}

// usesFix is what the condition of a rule may read.
const usesFix = UsesOrder | UsesException | UsesLocation | UsesSubject | UsesNow

// Choose returns the first rule that matches an exception and may still act on the order, and whether its time
// has come; nil: none. applied is how often a rule acted on the order. A rule that cannot be
// evaluated does not match; the first such error is returned beside the rule.
func (x *CompiledExceptions) Choose(f *Facts, applied func(rule string) int) (r *CompiledFixRule, due bool, failed error) {
	for i := range x.Rules {
		r := &x.Rules[i]
		if len(r.Types) > 0 && !slices.Contains(r.Types, f.Exception.Type) || applied(r.Name) >= r.MaxPerOrder {
			continue
		}
		if r.when != nil {
			one := *f
			// The condition is about the moment at which the rule acts.
			ahead := max(r.After-time.Duration(f.Exception.AgeMinutes)*time.Minute, 0)
			if ahead > 0 && r.when.uses&UsesException != 0 {
				later := *f.Exception
				later.AgeMinutes = r.AfterMinutes
				one.Exception = &later
			}
			ok, err := r.when.Bool(&one)
			if err != nil {
				failed = cmp.Or(failed, fmt.Errorf("rule %s: %w", r.Name, err))
			}
			if !ok {
				continue
			}
		}
		return r, f.Exception.AgeMinutes >= r.AfterMinutes, failed
	}
	return nil, false, failed
}

func (c *compiler) exceptions(s *ExceptionsSection) *CompiledExceptions {
	out := &CompiledExceptions{PromiseValue: DefaultPromiseValue, LateHourValue: DefaultLateHourValue, AgePercentPerDay: DefaultAgePercentPerDay}
	for _, x := range []struct {
		name string
		in   *int64
		out  *int64
		most int64
	}{
		{"promise_value", s.PromiseValue, &out.PromiseValue, 100_000_000}, {"late_hour_value", s.LateHourValue, &out.LateHourValue, 1_000_000},
		{"age_percent_per_day", s.AgePercentPerDay, &out.AgePercentPerDay, 1000},
	} {
		if x.in != nil {
			*x.out = *x.in
			c.within("exceptions."+x.name, *x.in, 0, x.most)
		}
	}
	c.count("exceptions.rules", len(s.Rules), MaxRules)
	names := make([]string, len(s.Rules))
	for i := range s.Rules {
		names[i] = s.Rules[i].Name
		out.Rules = append(out.Rules, c.fixRule(problem.At("exceptions.rules", i), &s.Rules[i]))
	}
	c.unique("exceptions.rules", names)
	return out
}

func (c *compiler) fixRule(at string, r *FixRule) CompiledFixRule {
	out := CompiledFixRule{FixRule: *r, After: time.Duration(r.AfterMinutes) * time.Minute, MaxPerOrder: DefaultPerOrder}
	for i, t := range r.Types {
		c.identifier(problem.At(at+".types", i), t)
	}
	c.count(at+".types", len(r.Types), MaxTags)
	c.within(at+".after_minutes", r.AfterMinutes, 0, MaxAfterMinutes)
	if r.Fix == "" {
		c.add(at+".fix", problem.Required, "is required")
	} else if !slices.Contains(RuleFixes, r.Fix) {
		c.add(at+".fix", problem.Unknown, "%q is no fix that rules apply%s", clip(r.Fix), nearest(r.Fix, RuleFixes))
	}
	c.fixArgument(at, "location", r.Location != "", r.Fix, true, "ship_from")
	c.fixArgument(at, "service", r.Service != "", r.Fix, r.Fix == "change_service", "change_service", "ship_from")
	c.fixArgument(at, "hold", r.Hold != "", r.Fix, false, "release_hold")
	c.fixArgument(at, "hours", r.Hours != 0, r.Fix, false, "wait", "remind_location")
	if r.Hours != 0 {
		c.within(at+".hours", r.Hours, 1, maxRuleWaitHours)
	}
	if len(r.Reason) > maxRuleReasonBytes {
		c.add(at+".reason", problem.TooLong, "has %d bytes; at most %d are allowed", len(r.Reason), maxRuleReasonBytes)
	}
	if r.MaxPerOrder != nil {
		out.MaxPerOrder = int(*r.MaxPerOrder)
		c.within(at+".max_per_order", *r.MaxPerOrder, 1, MaxFixesPerOrder)
	}
	out.when = c.condition(at+".when", r.When, scope{allowed: usesFix})
	return out
}

// fixArgument checks an argument that goes with some fixes; needed: they cannot do without.
func (c *compiler) fixArgument(at, name string, given bool, fix string, needed bool, with ...string) {
	goes := slices.Contains(with, fix)
	switch {
	case given && !goes:
		c.add(at+"."+name, problem.Conflict, "goes with the fix %s", with[0])
	case !given && goes && needed:
		c.add(at+"."+name, problem.Required, "the fix %s needs it", fix)
	}
}

// decideException is what the rules make of an example.
func (c *Compiled) decideException(g *Given) (map[string]any, error) {
	f := g.facts()
	x := &GivenException{}
	if g.Exception != nil {
		x = g.Exception
	}
	f.Exception = &Exception{
		Type: x.Type, By: cmp.Or(x.By, "core"), Status: x.Status, Money: x.Money, Promises: x.Promises, HoursLate: x.HoursLate,
		AgeMinutes: x.AgeMinutes, Data: x.Data,
	}
	f.Location, f.Subject = &Location{}, &Subject{Status: x.Status, Payment: "none", Method: f.Order.Method}
	if len(g.Locations) > 0 {
		f.Location = g.LocationFacts(0)
	}
	r, due, err := c.Exceptions.Choose(f, func(rule string) int { return int(x.Applied[rule]) })
	if err != nil {
		return nil, err
	}
	out := map[string]any{"rule": "none", "fix": "", "now": false}
	if r != nil {
		out = map[string]any{"rule": r.Name, "fix": r.Fix, "now": due}
	}
	return out, nil
}
