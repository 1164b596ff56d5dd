package policy

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

const (
	usesSite = UsesOrder | UsesLocation | UsesCandidate | UsesNow
	usesItem = usesSite | UsesLine | UsesSKU | UsesStock
)

func (c *compiler) sourcing(s *SourcingSection) *CompiledSourcing {
	out := &CompiledSourcing{Otherwise: s.Otherwise, Prices: s.Prices, ChangeCost: s.ChangeCost, MaxMoves: DefaultMaxMoves, MaxAttempts: DefaultMaxAttempts}
	if out.Prices == "" {
		out.Prices = "off"
	}
	c.oneOf("sourcing.prices", out.Prices, "off", "curve", "learned")
	c.within("sourcing.change_cost", s.ChangeCost, 0, MaxAmount)
	if s.MaxMoves != nil {
		out.MaxMoves = *s.MaxMoves
		c.within("sourcing.max_moves", out.MaxMoves, 0, 100)
	}
	if s.MaxAttempts != nil {
		out.MaxAttempts = *s.MaxAttempts
		c.within("sourcing.max_attempts", out.MaxAttempts, 1, 100)
	}
	c.otherwise(&out.Otherwise)
	if len(s.Groups) == 0 {
		c.add("sourcing.groups", problem.Required, "at least one group is needed")
	}
	c.count("sourcing.groups", len(s.Groups), MaxGroups)
	names := make([]string, len(s.Groups))
	for i := range s.Groups {
		names[i] = s.Groups[i].Name
		out.Groups = append(out.Groups, c.group(problem.At("sourcing.groups", i), &s.Groups[i], out.Prices))
	}
	c.unique("sourcing.groups", names)
	c.shadowedGroups(out.Groups)
	return out
}

func (c *compiler) otherwise(o *Otherwise) {
	if o.Action == "" {
		o.Action = "backorder"
	}
	c.oneOf("sourcing.otherwise.action", o.Action, "backorder", "preorder", "hold", "exception", "cancel", "reject")
	switch {
	case o.Action == "hold" && o.Queue == "":
		c.add("sourcing.otherwise.queue", problem.Required, "a hold needs the name of its queue")
	case o.Queue != "" && o.Action != "hold" && o.Action != "exception":
		c.add("sourcing.otherwise.queue", problem.Conflict, "only hold and exception have a queue")
	case o.Queue != "":
		c.identifier("sourcing.otherwise.queue", o.Queue)
	}
	c.within("sourcing.otherwise.cancel_after_hours", o.CancelAfterHours, 0, maxCancelHours)
	if o.CancelAfterHours != 0 && (o.Action == "cancel" || o.Action == "reject") {
		c.add("sourcing.otherwise.cancel_after_hours", problem.Conflict, "with %s nothing waits", o.Action)
	}
	if o.Partial == nil {
		yes := true
		o.Partial = &yes
	}
}

func (c *compiler) group(at string, g *Group, prices string) CompiledGroup {
	out := CompiledGroup{
		Name: g.Name, Locations: g.Locations, Products: g.Products, Limits: g.Limits, Accept: g.Accept, Transfers: g.Transfers,
		When: c.condition(at+".when", g.When, scope{allowed: UsesOrder | UsesNow}),
	}
	c.tags(at+".locations", g.Locations)
	c.tags(at+".products", g.Products)
	if out.Accept == "" {
		out.Accept = "any"
	}
	c.oneOf(at+".accept", out.Accept, "any", "complete")
	out.Filters = c.filters(at+".filters", g.Filters)
	switch {
	case len(g.Cost) > 0 && len(g.Sort) > 0:
		c.add(at+".sort", problem.Conflict, "a group has either cost or sort")
	case len(g.Cost) == 0 && len(g.Sort) == 0:
		c.add(at, problem.Required, "a group needs cost (find the cheapest plan) or sort (take locations in rank)")
	}
	out.Terms = c.terms(at+".cost", g.Cost, prices)
	out.Sort = c.sorts(at+".sort", g.Sort)
	c.limits(at+".limits", &out.Limits, len(g.Sort) > 0)
	return out
}

func (c *compiler) filters(list string, filters []Filter) (out []CompiledFilter) {
	c.count(list, len(filters), MaxFilters)
	names := make([]string, len(filters))
	for i := range filters {
		f, at := &filters[i], problem.At(list, i)
		names[i] = f.Name
		if strings.TrimSpace(f.Keep) == "" {
			c.add(at+".keep", problem.Required, "is required")
			continue
		}
		known := len(c.bad)
		e := c.condition(at+".keep", f.Keep, scope{allowed: usesItem})
		if e == nil {
			if len(c.bad) == known {
				c.warning(at+".keep", CodeIdle, "is always true: the filter keeps everything")
			}
			continue
		}
		reason := f.Reason
		if reason == "" {
			reason = "it does not satisfy " + strings.Join(strings.Fields(f.Keep), " ")
		}
		if len(reason) > maxDescriptionBytes {
			c.add(at+".reason", problem.TooLong, "has %d bytes; at most %d are allowed", len(reason), maxDescriptionBytes)
		}
		out = append(out, CompiledFilter{Name: f.Name, Reason: reason, Keep: e, PerLine: e.Uses()&(UsesLine|UsesSKU|UsesStock) != 0})
	}
	c.unique(list, names)
	return out
}

func (c *compiler) terms(list string, terms []Term, prices string) (out []CompiledTerm) {
	c.count(list, len(terms), MaxTerms)
	seen := map[string]bool{}
	for i := range terms {
		t, at := &terms[i], problem.At(list, i)
		o := CompiledTerm{Name: t.Term, WeightMilli: c.milli(at+".weight", t.Weight), Per: t.Per}
		builtIn := slices.Contains(Terms, t.Term)
		c.identifier(at+".term", t.Term)
		if seen[t.Term] && t.Term != "" {
			c.add(at+".term", problem.Duplicate, "%q is there already; add the values", clip(t.Term))
		}
		seen[t.Term] = true
		plain := t.Term == TermCarrier || t.Term == TermOpportunity
		switch {
		case plain && t.Value != "":
			c.add(at+".value", problem.Conflict, "the term %s has its own value", t.Term)
		case !plain && t.Value == "" && builtIn:
			c.add(at+".value", problem.Required, "the term %s needs a value, in minor units", t.Term)
		case !plain && t.Value == "" && t.Term != "":
			c.add(at+".term", problem.Unknown, "%q is none of %s%s; a term of your own needs a value", clip(t.Term), strings.Join(Terms, ", "), nearest(t.Term, Terms))
		}
		if t.Term == TermOpportunity && prices == "off" {
			c.warning(at+".term", CodeIdle, "counts nothing while sourcing.prices is off")
		}
		perUnit := c.per(at, &o, builtIn)
		allowed := usesSite
		switch {
		case t.Term == TermSplit:
			allowed = UsesOrder | UsesNow
		case perUnit:
			allowed = usesItem
		}
		o.Value = c.number(at+".value", t.Value, allowed)
		out = append(out, o)
	}
	return out
}

// per checks what a term is paid for, and reports whether that is a unit.
func (c *compiler) per(at string, t *CompiledTerm, builtIn bool) bool {
	if builtIn && t.Name != TermPick {
		if t.Per != "" {
			c.add(at+".per", problem.Conflict, "the term %s says itself what it is paid for", t.Name)
		}
		t.Per = "shipment"
		if slices.Contains([]string{TermMarkdown, TermRisk, TermCarbon, TermOpportunity}, t.Name) {
			t.Per = "unit"
		}
		return t.Per == "unit"
	}
	if t.Per == "" {
		t.Per = "shipment"
	}
	c.oneOf(at+".per", t.Per, "shipment", "unit")
	return t.Per == "unit"
}

func (c *compiler) sorts(list string, keys []SortKey) (out []CompiledSort) {
	c.count(list, len(keys), MaxSortKeys)
	seen := map[string]bool{}
	for i := range keys {
		k, at := &keys[i], problem.At(list, i)
		switch {
		case k.By == "":
			c.add(at+".by", problem.Required, "is required; one of %s, value", strings.Join(SortKeys, ", "))
		case k.By == "value" && k.Value == "":
			c.add(at+".value", problem.Required, "is required with by: value")
		case k.By != "value" && !slices.Contains(SortKeys, k.By):
			c.add(at+".by", problem.Unknown, "%q is none of %s, value%s", clip(k.By), strings.Join(SortKeys, ", "), nearest(k.By, SortKeys))
		case k.By != "value" && k.Value != "":
			c.add(at+".value", problem.Conflict, "goes with by: value only")
		case k.By == "distance" && k.Descending:
			c.add(at+".descending", problem.Conflict, "an unknown distance ranks last, so the farthest first needs by: value with candidate.distance_known ? -candidate.distance_km : 0.0")
		case k.By != "value" && seen[k.By]:
			c.add(at+".by", problem.Duplicate, "%q ranks already", k.By)
		}
		seen[k.By] = true
		out = append(out, CompiledSort{By: k.By, Value: c.number(at+".value", k.Value, usesSite), Descending: k.Descending})
	}
	return out
}

func (c *compiler) limits(at string, l *Limits, ranks bool) {
	for _, x := range []struct {
		name  string
		value *int64
	}{{"max_shipments", l.MaxShipments}, {"max_units", l.MaxUnits}, {"max_value", l.MaxValue}} {
		if x.value == nil {
			continue
		}
		c.within(at+"."+x.name, *x.value, 0, MaxAmount)
		if *x.value == 0 {
			c.warning(at+"."+x.name, CodeIdle, "0 admits nothing: the group places nothing")
		}
	}
	c.within(at+".min_shipment_value", l.MinShipmentValue, 0, MaxAmount)
	c.within(at+".min_remainder_value", l.MinRemainderValue, 0, MaxAmount)
	if l.MaxDistanceKm != nil {
		c.share(at+".max_distance_km", *l.MaxDistanceKm, 0, maxKm)
	}
	if l.LineSplit == "" {
		l.LineSplit = "when_needed"
	}
	c.oneOf(at+".line_split", l.LineSplit, "never", "when_needed", "always")
	if l.Kits == "" {
		l.Kits = "whole"
	}
	c.oneOf(at+".kits", l.Kits, "whole", "component")
	if len(l.KeepTogether) > maxNameBytes {
		c.add(at+".keep_together", problem.TooLong, "has %d bytes; at most %d are allowed", len(l.KeepTogether), maxNameBytes)
	}
	if l.UnplacedCost == nil {
		unplaced := int64(DefaultUnplacedCost)
		l.UnplacedCost = &unplaced
	} else if ranks {
		c.warning(at+".unplaced_cost", CodeIdle, "a group that sorts does not weigh costs")
	}
	c.within(at+".unplaced_cost", *l.UnplacedCost, 0, maxUnplacedCost)
}

const (
	maxNameBytes    = 100           // of an attribute
	maxUnplacedCost = 1_000_000_000 // minor units; sums of it stay within int64
)

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func (c *compiler) promise(s *PromiseSection) *CompiledPromise {
	p := &CompiledPromise{PromiseSection: *s}
	c.fill(&p.PromiseSection)
	c.share("promise.quantile", p.Quantile, 0.5, 0.999)
	c.within("promise.min_observations", p.MinObservations, 1, 1_000_000)
	c.within("promise.extra_days", p.ExtraDays, 0, maxDays)
	c.within("promise.window_days", p.WindowDays, 0, maxDays)
	c.share("promise.same_day_max_km", p.SameDayMaxKm, 0, maxKm)
	c.share("promise.pickup_max_km", p.PickupMaxKm, 0, maxKm)
	c.within("promise.max_options", p.MaxOptions, 1, 100)
	c.share("promise.at_risk", p.AtRisk, 0, 1)
	if p.OnRisk == "" {
		p.OnRisk = RiskShow
	}
	c.oneOf("promise.on_risk", p.OnRisk, RiskShow, RiskException, RiskRedecide)
	if p.Holidays != "" && p.Holidays != "destination" && !countryCode.MatchString(p.Holidays) {
		c.add("promise.holidays", problem.Malformed, "must be an ISO country code like DE, or destination")
	}
	if p.SameDayMaxKm > 0 && p.SameDayService == "" {
		c.add("promise.same_day_service", problem.Required, "same-day delivery needs its carrier service")
	}
	for i, d := range p.DeliveryDays {
		day := slices.Index(weekdays, d)
		switch {
		case day < 0:
			c.add(problem.At("promise.delivery_days", i), problem.Unknown, "%q is not a weekday like monday%s", clip(d), nearest(d, weekdays))
		case p.days[time.Weekday(day)]:
			c.add(problem.At("promise.delivery_days", i), problem.Duplicate, "%q is listed twice", d)
		default:
			p.days[day] = true
		}
	}
	p.Price = c.number("promise.price", s.Price, usesSite)
	return p
}

// fill puts defaults where the document says nothing. A 0 that is written stays.
func (c *compiler) fill(p *PromiseSection) {
	if p.Quantile == 0 && !c.given("promise.quantile") {
		p.Quantile = DefaultQuantile
	}
	if p.MinObservations == 0 && !c.given("promise.min_observations") {
		p.MinObservations = DefaultMinObservations
	}
	if p.PickupMaxKm == 0 && !c.given("promise.pickup_max_km") {
		p.PickupMaxKm = DefaultPickupMaxKm
	}
	if p.MaxOptions == 0 && !c.given("promise.max_options") {
		p.MaxOptions = DefaultMaxOptions
	}
	if p.AtRisk == 0 && !c.given("promise.at_risk") {
		p.AtRisk = DefaultAtRisk
	}
	switch {
	case len(p.DeliveryDays) > 0:
	case c.given("promise.delivery_days"):
		c.add("promise.delivery_days", problem.Required, "carriers deliver on at least one day")
	default:
		p.DeliveryDays = weekdays[1:]
	}
}
