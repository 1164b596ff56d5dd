package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func selecting(t testing.TB, name, selection string) *Compiled {
	t.Helper()
	return selectingKind(t, KindAvailability, name, selection)
}

// selectingKind makes a policy of a kind whose section is a decision table.
func selectingKind(t testing.TB, kind Kind, name, selection string) *Compiled {
	t.Helper()
	c, err := CompileText(fmt.Appendf(nil, "kind: %s\nname: %s\nselect: %s\n%s: {rules: []}\n", kind, name, selection, kind))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestApplies(t *testing.T) {
	t.Parallel()
	for selection, want := range map[string]bool{
		`{}`:                                     true,
		`{channels: [pos, web]}`:                 true,
		`{channels: [pos]}`:                      false,
		`{methods: [pickup]}`:                    false,
		`{services: [express]}`:                  true,
		`{from: 2026-01-05T09:30:00Z}`:           true,
		`{from: 2026-01-05T09:30:01Z}`:           false,
		`{until: 2026-01-05T09:30:00Z}`:          false,
		`{until: 2026-01-05T09:30:01Z}`:          true,
		`{when: order.value > 10000}`:            true,
		`{when: '"bulky" in sku.tags'}`:          true,
		`{when: '"tiny" in sku.tags'}`:           false,
		`{when: 'line.quantity > 1 && sku.kit'}`: true,
	} {
		f := everything()
		f.Line, f.SKU = nil, nil
		f.Lines = []OrderLine{{&Line{Quantity: 1}, &SKU{Tags: []string{"bulky"}}}, {&Line{Quantity: 1}, nil}, {&Line{Quantity: 2}, &SKU{Kit: true}}}
		if got, _ := selectingKind(t, KindReturns, "x", selection).Applies(f); got != want {
			t.Errorf("%s applies: %v", selection, got)
		}
	}
	if c := selectingKind(t, KindReturns, "x", `{when: '"bulky" in sku.tags'}`); !c.UsesLines() {
		t.Error("a condition on sku needs lines")
	}
}

func TestPublicationsTakeTurns(t *testing.T) {
	t.Parallel()
	hour := func(h int) time.Time { return time.Date(2026, 1, 5, h, 0, 0, 0, time.UTC) }
	a, b, other := selecting(t, "a", "{}"), selecting(t, "a", "{}"), selecting(t, "b", "{priority: -1}")
	s := NewSet([]Published{
		{Compiled: b, Version: 2, From: hour(12)}, {Compiled: a, Version: 1, From: hour(8)},
		{Kind: KindAvailability, Name: "a", Withdrawn: true, From: hour(18)}, {Compiled: other, Version: 7},
	})
	for at, want := range map[time.Time]string{hour(7): "b@7", hour(8): "a@1", hour(11): "a@1", hour(12): "a@2", hour(17): "a@2", hour(18): "b@7"} {
		c, version, ok := s.Choose(KindAvailability, &Facts{Order: &Order{}, Now: at})
		if got := fmt.Sprintf("%s@%d", c.Name, version); !ok || got != want {
			t.Errorf("at %s %s decides, want %s", at, got, want)
		}
	}
	if _, _, ok := s.Choose(KindReturns, &Facts{Now: hour(9)}); ok {
		t.Error("a kind without publications has a policy")
	}
	if n := len(s.InForce(KindAvailability, hour(9))); n != 2 {
		t.Errorf("%d in force", n)
	}
	if s.UsesLines(KindAvailability) {
		t.Error("nothing reads lines")
	}
}

// TestChooseDoesNotDependOnTheOrderOfPublications shuffles what a set is made of, and
// compares with the rule written out: highest priority, then lowest name.
func TestChooseDoesNotDependOnTheOrderOfPublications(t *testing.T) {
	t.Parallel()
	var pool []*Compiled
	for _, name := range []string{"a", "b", "c"} {
		for priority := range 2 {
			pool = append(pool, selecting(t, name, fmt.Sprintf("{priority: %d}", priority)), selecting(t, name, fmt.Sprintf("{priority: %d, channels: [pos]}", priority)))
		}
	}
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		published := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Published {
			return Published{
				Compiled: rapid.SampledFrom(pool).Draw(t, "policy"), Version: rapid.Int64Range(1, 1_000_000).Draw(t, "version"),
				From: now.Add(time.Duration(rapid.IntRange(-3, 2).Draw(t, "hours")) * time.Hour),
			}
		}), 0, 8).Draw(t, "published")
		seen := map[string]bool{}
		published = slices.DeleteFunc(published, func(p Published) bool { // a version number is given once
			key := fmt.Sprint(p.Compiled.Name, p.Version)
			defer func() { seen[key] = true }()
			return seen[key]
		})
		f := &Facts{Order: &Order{Channel: rapid.SampledFrom([]string{"web", "pos"}).Draw(t, "channel")}, Now: now}
		want, version, ok := NewSet(published).Choose(KindAvailability, f)
		c, v, found := NewSet(rapid.Permutation(published).Draw(t, "shuffled")).Choose(KindAvailability, f)
		if c != want || v != version || found != ok {
			t.Fatalf("chose %v@%d, shuffled %v@%d", want, version, c, v)
		}
		latest := map[string]Published{}
		for _, p := range published {
			if l, had := latest[p.Compiled.Name]; !p.From.After(now) && (!had || p.From.After(l.From) || p.From.Equal(l.From) && p.Version > l.Version) {
				latest[p.Compiled.Name] = p
			}
		}
		best := Published{}
		for _, name := range []string{"a", "b", "c"} {
			p, had := latest[name]
			if !had {
				continue
			}
			applies, _ := p.Compiled.Applies(f)
			if applies && (best.Compiled == nil || p.Compiled.Doc.Select.Priority > best.Compiled.Doc.Select.Priority) {
				best = p
			}
		}
		if best.Compiled != want || best.Version != version {
			t.Fatalf("chose %v@%d, the rule says %v@%d", want, version, best.Compiled, best.Version)
		}
	})
}

func TestTagRule(t *testing.T) {
	t.Parallel()
	r := TagRule{Include: []string{"a", "b"}, Exclude: []string{"x"}}
	for tags, want := range map[string]bool{"a": true, "b c": true, "c": false, "": false, "a x": false} {
		if r.Admits(strings.Fields(tags)) != want {
			t.Errorf("tags %q", tags)
		}
	}
	if !(&TagRule{}).Admits(nil) || (&TagRule{Exclude: []string{"x"}}).Admits([]string{"x"}) {
		t.Error("an empty rule admits all, an exclusion excludes")
	}
}
