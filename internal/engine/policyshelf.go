package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
)

// shelf holds the policies of the store in memory, compiled where they are or will be in force.
type shelf struct {
	mu       sync.Mutex
	heads    map[string]*Policy
	compiled map[string]*policy.Compiled // by id and version
}

// replacePolicies forgets all policies but these.
func (e *Engine) replacePolicies(heads []*Policy) {
	e.shelf.mu.Lock()
	defer e.shelf.mu.Unlock()
	e.shelf.heads = map[string]*Policy{}
	e.shelve(heads)
}

// keepPolicies takes changed policies into memory and puts the new set in force.
func (e *Engine) keepPolicies(heads []*Policy) {
	if len(heads) == 0 {
		return
	}
	e.shelf.mu.Lock()
	defer e.shelf.mu.Unlock()
	e.shelve(heads)
}

// steps counts what happened to a policy; of two states of it the one with more is newer.
func (p *Policy) steps() int { return len(p.Versions) + len(p.Publications) }

// shelve does the work of keepPolicies. The caller holds the lock.
func (e *Engine) shelve(heads []*Policy) {
	s := &e.shelf
	for _, p := range heads {
		id := policyKey(p.Kind, p.Name).ID
		if known := s.heads[id]; known == nil || known.steps() < p.steps() {
			s.heads[id] = p
		}
	}
	before := s.compiled
	s.compiled = map[string]*policy.Compiled{}
	var published []policy.Published
	for _, id := range slices.Sorted(maps.Keys(s.heads)) {
		published = append(published, e.compilePolicy(s.heads[id], before)...)
	}
	e.policies.Store(policy.NewSet(published))
	e.flows.Store(flowVersions(s.heads, s.compiled))
}

// compilePolicy compiles the versions of a policy that are or will be in force, and of a flow all
// that were: orders in flight stay on theirs. The caller holds the lock.
func (e *Engine) compilePolicy(p *Policy, before map[string]*policy.Compiled) (published []policy.Published) {
	s := &e.shelf
	for i := range p.Publications {
		x := &p.Publications[i]
		text := p.text(x.Version)
		switch {
		case x.Version != 0 && text == "":
			continue
		case x.Version == 0 && !x.Dropped:
			published = append(published, policy.Published{Kind: p.Kind, Name: p.Name, From: x.From, Withdrawn: true})
			continue
		case x.Version == 0:
			continue
		}
		key := versionKey(p, x.Version)
		c := cmp.Or(s.compiled[key], before[key])
		if c == nil {
			var err error
			if c, err = CompileDocument([]byte(text)); err != nil {
				// It compiled when it was published, by another version of the program.
				e.log.Error("a published policy does not compile and is not in force", "policy", key, "error", err)
				continue
			}
			if f := flow.Of(c); f != nil {
				c = f.Versioned(x.Version).Policy
			}
		}
		s.compiled[key] = c
		if !x.Dropped && (x.Text != "" || flow.SubjectOf(p.Kind) != "") {
			published = append(published, policy.Published{Compiled: c, Version: x.Version, From: x.From})
		}
	}
	return published
}

// versionKey names a version of a policy.
func versionKey(p *Policy, version int64) string {
	return fmt.Sprintf("%s/%d", policyKey(p.Kind, p.Name).ID, version)
}

// text is that of a version, as far as it is kept with the policy.
func (p *Policy) text(version int64) string {
	for i := range p.Publications {
		if x := &p.Publications[i]; x.Version == version && x.Text != "" {
			return x.Text
		}
	}
	return ""
}

func (e *Engine) policyCount() int {
	e.shelf.mu.Lock()
	defer e.shelf.mu.Unlock()
	return len(e.shelf.heads)
}

// StoredPolicies lists the policies of the store as this node knows them, by kind and name.
func (e *Engine) StoredPolicies() []*PolicyView {
	now := e.Now()
	e.shelf.mu.Lock()
	defer e.shelf.mu.Unlock()
	out := make([]*PolicyView, 0, len(e.shelf.heads))
	for _, id := range slices.Sorted(maps.Keys(e.shelf.heads)) {
		out = append(out, e.shelf.heads[id].View(now))
	}
	return out
}
