package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// returnsPolicy is a document that sends everything to one place.
func returnsPolicy(to string) string {
	return fmt.Sprintf(`kind: returns
name: main
returns:
  rules:
    - {name: all, to: %s}
examples:
  - name: all goes there
    given: {returned: {}}
    expect: {to: %s}
`, to, to)
}

// goesTo is where the policy in force sends goods at a time; "" when none is.
func goesTo(n *node, at time.Time) string {
	c, version, ok := n.Policies().Choose(policy.KindReturns, &policy.Facts{Now: at})
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s@%d", c.Returns.Rules[0].To, version)
}

func TestLifeOfAPolicy(t *testing.T) {
	t.Parallel()
	for name, open1 := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reopen := open1(t)
			c := newClock()
			n := open(t, reopen(), c)
			ctx, m := t.Context(), engine.Meta{Actor: "ada"}
			must := func(r *engine.Reply, err error) *engine.PolicyView {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				return r.Value.(*engine.PolicyView)
			}
			expect := func(want string) {
				t.Helper()
				if got := goesTo(n, c.now()); got != want {
					t.Errorf("%s is in force, want %q", got, want)
				}
			}
			expect("")
			must(n.SavePolicy(ctx, policy.KindReturns, "main", returnsPolicy("dc-1"), "first", m))
			expect("") // a draft decides nothing
			same, err := n.SavePolicy(ctx, policy.KindReturns, "main", returnsPolicy("dc-1"), "again", m)
			if must(same, err); same.Status != 200 || len(same.Value.(*engine.PolicyView).Versions) != 1 {
				t.Errorf("the same text made a version: %+v", same.Value)
			}
			must(n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{Reason: "go live"}, m))
			expect("dc-1@1")
			must(n.SavePolicy(ctx, policy.KindReturns, "main", returnsPolicy("dc-2"), "second", m))
			p := must(n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{At: c.now().Add(time.Hour)}, m))
			expect("dc-1@1")
			if p.Publications[1].Text != "" {
				t.Error("answers carry the text of publications")
			}
			c.advance(time.Hour)
			expect("dc-2@2") // by itself
			must(n.RollbackPolicy(ctx, policy.KindReturns, "main", "too many", m))
			expect("dc-1@1")
			must(n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{Version: 2, At: c.now().Add(time.Hour)}, m))
			must(n.RollbackPolicy(ctx, policy.KindReturns, "main", "back once more", m))
			expect("dc-2@2") // what was in force before
			c.advance(time.Minute)
			must(n.RollbackPolicy(ctx, policy.KindReturns, "main", "", m))
			c.advance(2 * time.Hour)
			expect("dc-1@1") // the publication ahead was dropped

			v, err := n.PolicyVersion(ctx, policy.KindReturns, "main", 1)
			if err != nil || v.Text != returnsPolicy("dc-1") || v.By != "ada" || v.Reason != "first" {
				t.Errorf("version 1: %+v %v", v, err)
			}
			if list := n.StoredPolicies(); len(list) != 1 || list[0].InForce != 1 || list[0].Latest != 2 || len(list[0].Versions) != 2 || len(list[0].Publications) != 6 {
				t.Errorf("listed %+v", list)
			}
			n.close()
			n = open(t, reopen(), c)
			expect("dc-1@1") // after a restart
		})
	}
}

func TestRollbackOfTheFirstPublicationLeavesNone(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	ctx, m := t.Context(), engine.Meta{Actor: "ada"}
	if _, err := n.RollbackPolicy(ctx, policy.KindReturns, "main", "", m); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("rolling back nothing: %v", err)
	}
	for _, step := range []func() error{
		func() error {
			_, err := n.SavePolicy(ctx, policy.KindReturns, "main", returnsPolicy("dc-1"), "", m)
			return err
		},
		func() error {
			_, err := n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{}, m)
			return err
		},
		func() error { _, err := n.RollbackPolicy(ctx, policy.KindReturns, "main", "", m); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if got := goesTo(n, n.clock.now()); got != "" {
		t.Errorf("%s is in force", got)
	}
	var bad problem.Invalid
	if _, err := n.RollbackPolicy(ctx, policy.KindReturns, "main", "", m); !errors.As(err, &bad) {
		t.Errorf("rolling back once more: %v", err)
	}
}

func TestPoliciesAreRefused(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	ctx, m := t.Context(), engine.Meta{Actor: "ada"}
	refused := func(what string, err error, want string) {
		t.Helper()
		var bad problem.Invalid
		if !errors.As(err, &bad) || !strings.Contains(bad.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	save := func(name, text string) error {
		_, err := n.SavePolicy(ctx, policy.KindReturns, name, text, "", m)
		return err
	}
	refused("another name", save("other", returnsPolicy("dc-1")), `the document is named "main"`)
	refused("bad YAML", save("main", "kind: returns\nname: main\nreturns: {rules: [{name: a, to: keep, when: order.x}]}"), "line 3, column 45: there is no fact or function order.x")
	refused("a long reason", func() error {
		_, err := n.SavePolicy(ctx, policy.KindReturns, "main", returnsPolicy("dc-1"), strings.Repeat("x", engine.MaxReasonBytes+1), m)
		return err
	}(), "reason")
	wrong := strings.Replace(returnsPolicy("dc-1"), "expect: {to: dc-1}", "expect: {to: dc-2}", 1)
	if err := save("main", wrong); err != nil {
		t.Fatal(err)
	}
	_, err := n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{}, m)
	refused("an example that fails", err, `to: want "dc-2", got "dc-1"`)
	if _, err := n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{Version: 2}, m); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
	if _, err := n.SavePolicy(ctx, policy.KindReturns, "main", returnsPolicy("dc-1"), "", engine.Meta{IfVersion: 7}); !errors.Is(err, engine.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
	if err := save("main", returnsPolicy("dc-1")); err != nil {
		t.Fatal(err)
	}
	for i := range engine.MaxScheduledPublications {
		if _, err := n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{At: n.clock.now().Add(time.Duration(i+1) * time.Hour)}, m); err != nil {
			t.Fatal(err)
		}
	}
	_, err = n.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{At: n.clock.now().Add(9 * time.Hour)}, m)
	refused("one publication too many ahead", err, "publications ahead")
}

func TestOtherNodesFollowPolicies(t *testing.T) {
	t.Parallel()
	reopen := stores["postgres"](t)
	c := newClock()
	one, two := open(t, reopen(), c), open(t, reopen(), c)
	ctx, m := t.Context(), engine.Meta{Actor: "ada"}
	changed := two.Changed()
	if _, err := one.SavePolicy(ctx, policy.KindReturns, "main", returnsPolicy("dc-1"), "", m); err != nil {
		t.Fatal(err)
	}
	if _, err := one.PublishPolicy(ctx, policy.KindReturns, "main", engine.Publish{}, m); err != nil {
		t.Fatal(err)
	}
	for goesTo(two, c.now()) != "dc-1@1" {
		<-changed
		changed = two.Changed()
	}
	if _, err := two.RollbackPolicy(ctx, policy.KindReturns, "main", "", m); err != nil {
		t.Fatal(err)
	}
	if got := goesTo(two, c.now()); got != "" {
		t.Errorf("%s is in force where it was rolled back", got)
	}
}
