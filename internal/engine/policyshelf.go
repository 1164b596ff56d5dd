package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

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
		for i := range s.heads[id].Publications {
			x := &s.heads[id].Publications[i]
			switch {
			case x.Dropped || x.Version != 0 && x.Text == "":
				continue
			case x.Version == 0:
				published = append(published, policy.Published{Kind: s.heads[id].Kind, Name: s.heads[id].Name, From: x.From, Withdrawn: true})
				continue
			}
			key := fmt.Sprintf("%s/%d", id, x.Version)
			c := cmp.Or(s.compiled[key], before[key])
			if c == nil {
				var err error
				if c, err = policy.CompileText([]byte(x.Text)); err != nil {
					// It compiled when it was published, by another version of the program.
					e.log.Error("a published policy does not compile and is not in force", "policy", key, "error", err)
					continue
				}
			}
			s.compiled[key] = c
			published = append(published, policy.Published{Compiled: c, Version: x.Version, From: x.From})
		}
	}
	e.policies.Store(policy.NewSet(published))
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
