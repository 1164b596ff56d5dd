package engine

import "github.com/orderly-oms/orderly/internal/policy"

// Policies returns what is published, as this node knows it.
func (e *Engine) Policies() *policy.Set {
	if s := e.policies.Load(); s != nil {
		return s
	}
	return noPolicies
}

var noPolicies = policy.NewSet(nil)
