package sourcing

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/policy"
)

// exclusions collects why locations were not used, one entry per rule, reason and line.
type exclusions struct {
	entries []Exclusion
	at      map[exclusionKey]int
}

type exclusionKey struct{ group, rule, reason, line string }

func (x *exclusions) reset() {
	x.entries = nil
	clear(x.at)
}

// add notes one location ("" for a whole group). values is called for the first of an entry only.
func (x *exclusions) add(group, rule, reason, line, location string, values func() []string) {
	key := exclusionKey{group, rule, reason, line}
	i, ok := x.at[key]
	if !ok {
		if len(x.entries) == MaxExclusions {
			return
		}
		if x.at == nil {
			x.at = map[exclusionKey]int{}
		}
		i = len(x.entries)
		x.at[key] = i
		e := Exclusion{Group: group, Rule: rule, Reason: reason, Line: line, Locations: []string{}}
		if values != nil {
			e.Values = values()
		}
		x.entries = append(x.entries, e)
	}
	e := &x.entries[i]
	if location == "" {
		return
	}
	if e.Count++; len(e.Locations) < MaxNamed {
		e.Locations = append(e.Locations, location)
	}
}

func (x *exclusions) list() []Exclusion { return x.entries }

// admit fills cands with the sites that the group may use for at least one unit.
func (d *decider) admit(g *policy.CompiledGroup) {
	n := len(d.f.Lines)
	d.cands = d.cands[:0]
	if need := 2 * n * len(d.f.Sites); cap(d.numbers) < need {
		d.numbers = make([]int64, need)
	}
	products := d.products(g)
	for i := range d.f.Sites {
		s := &d.f.Sites[i]
		if !d.admitSite(g, s) {
			continue
		}
		at := 2 * n * len(d.cands)
		c := candidate{site: i, available: d.numbers[at : at+n : at+n], unit: d.numbers[at+n : at+2*n : at+2*n], tariff: -1}
		if d.admitLines(g, s, c.available, products) {
			d.cands = append(d.cands, c)
		}
	}
	// The last tie goes to the lowest index: preferred locations first, then by id.
	if len(d.f.Preferred) > 0 {
		slices.SortStableFunc(d.cands, func(a, b candidate) int {
			return preferred(d.f, b.site) - preferred(d.f, a.site)
		})
	}
}

func preferred(f *Facts, site int) int {
	if slices.Contains(f.Preferred, f.Sites[site].Location.ID) {
		return 1
	}
	return 0
}

// products says per line whether the group takes it, by the tags of its SKU.
func (d *decider) products(g *policy.CompiledGroup) []bool {
	if len(g.Products.Include)+len(g.Products.Exclude) == 0 {
		return nil
	}
	ok := make([]bool, len(d.f.Lines))
	for i := range d.f.Lines {
		l := &d.f.Lines[i]
		if ok[i] = l.SKU != nil && g.Products.Admits(l.SKU.Tags) || l.SKU == nil && g.Products.Admits(nil); !ok[i] {
			d.merged.add(g.Name, "product tags", "the group does not take products with these tags", l.ID, "", nil)
		}
	}
	return ok
}

// admitSite asks everything that concerns the site as a whole.
func (d *decider) admitSite(g *policy.CompiledGroup, s *Site) bool {
	id := s.Location.ID
	out := func(rule, reason string) bool {
		d.merged.add(g.Name, rule, reason, "", id, nil)
		return false
	}
	if d.f.Forced != "" && id != d.f.Forced {
		return out("forced location", "the order asks for "+d.f.Forced)
	}
	for i := range d.f.Refused {
		if d.f.Refused[i].Location == id {
			return out("refused", d.f.Refused[i].Reason)
		}
	}
	if s.Via != "" && !g.Transfers {
		return out("transfers", "the group does not ship to the pickup location")
	}
	if !g.Limits.IgnoreCapacity && (s.OrdersLeft == 0 || s.UnitsLeft == 0 || s.ValueLeft == 0) {
		return out("capacity", "the location's capacity is used up")
	}
	if !g.Locations.Admits(s.Location.Tags) {
		return out("location tags", "the group does not use locations with these tags")
	}
	if most := g.Limits.MaxDistanceKm; most != nil && (!s.Candidate.DistanceKnown || s.Candidate.DistanceKm > *most) {
		d.merged.add(g.Name, "max_distance_km", "the location is farther than the group allows", "", id, func() []string {
			return []string{policy.Fact("candidate.distance_km", &policy.Facts{Candidate: &s.Candidate})}
		})
		return false
	}
	d.see(s)
	for i := range g.Filters {
		if f := &g.Filters[i]; !f.PerLine && !d.keep(g, f, id, "") {
			return false
		}
	}
	return true
}

// see points the expressions at a site and sums up what it has.
func (d *decider) see(s *Site) {
	var has, wants int64
	for i, q := range d.left {
		wants += q
		has += max(min(q, s.Available[i]), 0)
	}
	s.Candidate.Complete = has == wants
	s.Candidate.Fill = float64(has) / float64(max(wants, 1))
	d.vars.Location, d.vars.Candidate = s.Location, &s.Candidate
	d.vars.Line, d.vars.SKU, d.vars.Stock = nil, nil, nil
}

// seeLine points the expressions at a line of the site seen.
func (d *decider) seeLine(s *Site, line int) {
	l := &d.f.Lines[line]
	d.vars.Line, d.vars.SKU, d.vars.Stock = &l.Facts, l.SKU, nil
	if s.Stock != nil {
		d.vars.Stock = &s.Stock[line]
	}
}

// keep asks one filter, and notes the exclusion.
func (d *decider) keep(g *policy.CompiledGroup, f *policy.CompiledFilter, location, line string) bool {
	ok, err := f.Keep.Bool(&d.vars)
	if ok && err == nil {
		return true
	}
	reason := f.Reason
	if err != nil {
		reason = "the filter failed: " + err.Error()
	}
	d.merged.add(g.Name, f.Name, reason, line, location, func() []string {
		var values []string
		for _, name := range f.Keep.Reads() {
			values = append(values, policy.Fact(name, &d.vars))
		}
		return values
	})
	return false
}

// admitLines fills available with what the site may give of each line, and
// reports whether that is anything.
func (d *decider) admitLines(g *policy.CompiledGroup, s *Site, available []int64, products []bool) bool {
	any, had := false, false
	for i, left := range d.left {
		available[i] = 0
		if left == 0 || (products != nil && !products[i]) || s.Available[i] <= 0 {
			continue
		}
		units := s.Available[i]
		if d.shipped > 0 {
			units -= d.taken(s.Location.ID, d.f.Lines[i].ID)
		}
		if units <= 0 {
			continue
		}
		had = true
		if d.admitLine(g, s, i) {
			available[i], any = min(units, left), true
		}
	}
	if !had {
		d.merged.add(g.Name, "stock", "the location has nothing of it", "", s.Location.ID, nil)
	}
	return any
}

func (d *decider) admitLine(g *policy.CompiledGroup, s *Site, line int) bool {
	seen := false
	for i := range g.Filters {
		f := &g.Filters[i]
		if !f.PerLine {
			continue
		}
		if !seen {
			d.seeLine(s, line)
			seen = true
		}
		if !d.keep(g, f, s.Location.ID, d.f.Lines[line].ID) {
			return false
		}
	}
	return true
}
