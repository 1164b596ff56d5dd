package auth

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestDroppingAScopeNeverWidensAccess is what makes a key with fewer scopes the safer one.
func TestDroppingAScopeNeverWidensAccess(t *testing.T) {
	t.Parallel()
	all := append(slices.Clone(Scopes), ReleaseOf("fraud"), ReleaseOf("credit"))
	rapid.Check(t, func(t *rapid.T) {
		scopes := rapid.SliceOfDistinct(rapid.SampledFrom(all), func(s Scope) Scope { return s }).Draw(t, "scopes")
		wanted := rapid.SampledFrom(append(all, Public)).Draw(t, "wanted")
		may := May(scopes, wanted)
		for i := range scopes {
			fewer := slices.Delete(slices.Clone(scopes), i, i+1)
			if May(fewer, wanted) && !may {
				t.Fatalf("%v may not %s, but %v may", scopes, wanted, fewer)
			}
		}
		if slices.Contains(scopes, wanted) && !may {
			t.Fatalf("%v may not %s", scopes, wanted)
		}
	})
}

func TestRights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have, want Scope
		may        bool
	}{
		{OrdersWrite, OrdersCancel, true}, {OrdersWrite, OrdersRelease, true},
		{OrdersWrite, OrdersEdit, false}, {OrdersWrite, HoldsRelease, false}, {OrdersWrite, ServiceAdjust, false}, {OrdersWrite, HoldsWrite, false},
		{OrdersCancel, OrdersWrite, false}, {OrdersRelease, HoldsRelease, false}, {OrdersRelease, ReleaseOf("fraud"), false},
		{HoldsRelease, ReleaseOf("fraud"), true}, {HoldsRelease, OrdersRelease, true},
		{ReleaseOf("fraud"), OrdersRelease, true}, {ReleaseOf("fraud"), ReleaseOf("credit"), false}, {ReleaseOf("fraud"), HoldsRelease, false},
		{ServiceApprove, ServiceAdjust, true}, {ServiceAdjust, ServiceApprove, false},
		{Admin, ServiceReship, true}, {OrdersRead, Public, true},
	} {
		if got := May([]Scope{c.have}, c.want); got != c.may {
			t.Errorf("%s for %s: %v, want %v", c.have, c.want, got, c.may)
		}
	}
}

func TestScopesOfKeys(t *testing.T) {
	t.Parallel()
	for s, ok := range map[Scope]bool{
		OrdersEdit: true, ReleaseOf("fraud"): true, "holds:release:": false, "holds:release:a b": false, "holds:release:x:y": false, "orders:burn": false,
	} {
		if _, _, err := New("k", []Scope{s}, 0, time.Now()); (err == nil) != ok {
			t.Errorf("a key with scope %q: %v", s, err)
		}
	}
}
