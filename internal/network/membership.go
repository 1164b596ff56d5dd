package network

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Network is a named set of locations: either those listed, or those that a rule
// describes.
type Network struct {
	ID        string   `json:"id"`
	Name      string   `json:"name,omitempty"`
	Locations []string `json:"locations,omitempty"` // ids
	Rule      *Rule    `json:"rule,omitempty"`
}

// Rule describes locations. A location belongs when it meets every list that is
// not empty; an empty rule takes all.
type Rule struct {
	Types     []LocationType `json:"types,omitempty"`     // any of
	Countries []string       `json:"countries,omitempty"` // any of
	Regions   []string       `json:"regions,omitempty"`   // any of
	TagsAny   []string       `json:"tags_any,omitempty"`  // at least one of
	TagsNone  []string       `json:"tags_none,omitempty"` // not one of
	// Capabilities must all be there.
	Capabilities []Capability `json:"capabilities,omitempty"`
}

// Validate reports every field that is wrong in itself; Directory.CheckNetwork
// looks at what it names.
func (n *Network) Validate() error {
	var v problem.Invalid
	v.ID("id", n.ID)
	v.Text("name", n.Name, MaxNameBytes)
	v.IDs("locations", n.Locations, MaxNetworkLocations)
	switch {
	case n.Rule == nil && len(n.Locations) == 0:
		v.Add("locations", problem.Required, "name the locations or give a rule")
	case n.Rule != nil && len(n.Locations) > 0:
		v.Add("rule", problem.Conflict, "a network has either locations or a rule")
	case n.Rule != nil:
		n.Rule.check(&v)
	}
	return v.Err()
}

func (r *Rule) check(v *problem.Invalid) {
	v.Count("rule.types", len(r.Types), MaxRuleEntries)
	for i, t := range r.Types[:min(len(r.Types), MaxRuleEntries)] {
		problem.OneOf(v, problem.At("rule.types", i), t, DC, Store, Vendor)
	}
	v.Count("rule.countries", len(r.Countries), MaxRuleEntries)
	for i, c := range r.Countries[:min(len(r.Countries), MaxRuleEntries)] {
		checkCountry(v, problem.At("rule.countries", i), c)
	}
	v.IDs("rule.regions", r.Regions, MaxRuleEntries)
	v.IDs("rule.tags_any", r.TagsAny, MaxRuleEntries)
	v.IDs("rule.tags_none", r.TagsNone, MaxRuleEntries)
	checkCapabilities(v, "rule.capabilities", r.Capabilities)
}

// Match reports whether the location meets the rule.
func (r *Rule) Match(l *Location) bool {
	allowed := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	hasTag := func(tag string) bool { return slices.Contains(l.Tags, tag) }
	lacks := func(c Capability) bool { return !l.Can(c) }
	return (len(r.Types) == 0 || slices.Contains(r.Types, l.Type)) &&
		allowed(r.Countries, l.Address.Country) &&
		allowed(r.Regions, l.Address.Region) &&
		(len(r.TagsAny) == 0 || slices.ContainsFunc(r.TagsAny, hasTag)) &&
		!slices.ContainsFunc(r.TagsNone, hasTag) &&
		!slices.ContainsFunc(r.Capabilities, lacks)
}

// Resolve returns the ids of those of the locations that belong to the network,
// sorted. Ids in the list that no location has are left out.
func (n *Network) Resolve(locations []*Location) []string {
	var listed map[string]bool
	if n.Rule == nil {
		listed = make(map[string]bool, len(n.Locations))
		for _, id := range n.Locations {
			listed[id] = true
		}
	}
	var ids []string
	for _, l := range locations {
		if listed[l.ID] || (n.Rule != nil && n.Rule.Match(l)) {
			ids = append(ids, l.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
