package policy

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Applies reports whether the policy's Select admits an order at f.Now. A condition
// that reads a line or an article holds when it holds for any of f.Lines (or, when there are
// none, for f.Line and f.SKU). Errors: what the condition says; then it does not apply.
func (c *Compiled) Applies(f *Facts) (bool, error) {
	s := &c.Doc.Select
	if !s.From.IsZero() && f.Now.Before(s.From) || !s.Until.IsZero() && !f.Now.Before(s.Until) {
		return false, nil
	}
	if len(s.Channels)+len(s.Methods)+len(s.Services) > 0 {
		if f.Order == nil || !anyOr(s.Channels, f.Order.Channel) || !anyOr(s.Methods, f.Order.Method) || !anyOr(s.Services, f.Order.Service) {
			return false, nil
		}
	}
	if c.when == nil {
		return true, nil
	}
	if c.when.uses&(UsesLine|UsesSKU) == 0 || len(f.Lines) == 0 {
		return c.when.Bool(f)
	}
	var failed error
	one := *f
	for i := range f.Lines {
		one.Line, one.SKU = f.Lines[i].Line, f.Lines[i].SKU
		ok, err := c.when.Bool(&one)
		if ok {
			return true, nil
		}
		failed = cmp.Or(failed, err)
	}
	return false, failed
}

// UsesLines reports whether Select reads lines or articles, so that the caller must fill in Facts.Lines.
func (c *Compiled) UsesLines() bool { return c.when != nil && c.when.uses&(UsesLine|UsesSKU) != 0 }

func anyOr(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

// Published is one version of a policy with the time it is in force from.
type Published struct {
	Compiled *Compiled
	Version  int64
	From     time.Time
	// Withdrawn marks that from From on no version is in force.
	Withdrawn bool
	// Name and Kind name the policy that is withdrawn; else they are the policy's own.
	Name string
	Kind Kind
}

// Set is what is published, now and later. It is immutable and safe for concurrent use.
type Set struct {
	kinds map[Kind][]series
}

// series are the versions of one policy, the latest publication first.
type series struct {
	name     string
	versions []Published
}

// NewSet makes a set. Of the publications of one policy the one with the latest From
// that has come is in force; of two with the same From the higher version.
func NewSet(published []Published) *Set {
	byName := map[Kind]map[string][]Published{}
	for _, p := range published {
		if p.Compiled != nil {
			p.Kind, p.Name = p.Compiled.Kind, p.Compiled.Name
		}
		if byName[p.Kind] == nil {
			byName[p.Kind] = map[string][]Published{}
		}
		byName[p.Kind][p.Name] = append(byName[p.Kind][p.Name], p)
	}
	s := &Set{kinds: map[Kind][]series{}}
	for kind, names := range byName {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			versions := names[name]
			slices.SortFunc(versions, func(a, b Published) int {
				return cmp.Or(b.From.Compare(a.From), cmp.Compare(b.Version, a.Version))
			})
			s.kinds[kind] = append(s.kinds[kind], series{name, versions})
		}
	}
	return s
}

// Choose returns the policy of a kind that decides about an order at f.Now, and its
// version: of those in force whose Select admits the order, the one with the highest
// priority, then the lowest name. A Select whose condition cannot be evaluated does not
// apply. False when there is none.
func (s *Set) Choose(kind Kind, f *Facts) (c *Compiled, version int64, ok bool) {
	for i := range s.kinds[kind] {
		p := s.kinds[kind][i].at(f.Now)
		if p == nil || c != nil && p.Compiled.Doc.Select.Priority <= c.Doc.Select.Priority {
			continue
		}
		if applies, err := p.Compiled.Applies(f); err == nil && applies {
			c, version = p.Compiled, p.Version
		}
	}
	return c, version, c != nil
}

// InForce returns the publications of a kind that are in force at a time, by name.
func (s *Set) InForce(kind Kind, now time.Time) (out []Published) {
	for i := range s.kinds[kind] {
		if p := s.kinds[kind][i].at(now); p != nil {
			out = append(out, *p)
		}
	}
	return out
}

// Has reports whether anything of a kind is published, now, ahead or in the past.
func (s *Set) Has(kind Kind) bool { return len(s.kinds[kind]) > 0 }

// UsesLines reports whether Choose needs Facts.Lines for a kind.
func (s *Set) UsesLines(kind Kind) bool {
	for _, x := range s.kinds[kind] {
		if slices.ContainsFunc(x.versions, func(p Published) bool { return p.Compiled != nil && p.Compiled.UsesLines() }) {
			return true
		}
	}
	return false
}

func (s *series) at(now time.Time) *Published {
	for i := range s.versions {
		if p := &s.versions[i]; !p.From.After(now) {
			if p.Withdrawn {
				return nil
			}
			return p
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
