package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/policy"
)

const edited = `# who fulfils
kind: sourcing
name: main
sourcing:
  groups:
    - name: near # stores first
      filters:
        - {name: close, keep: candidate.distance_km < 30.0, reason: too far}
        - {name: open, keep: location.type == "store"}
      sort:
        - by: distance
    - name: cheapest
      cost:
        - term: carrier
        - term: split
          value: "150" # two parcels annoy
`

func TestApply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		edits []policy.Edit
		want  []string // the diff
	}{
		{"a value", []policy.Edit{{At: "sourcing.groups[cheapest].cost[split].value", Value: "200"}}, []string{`~ sourcing.groups[cheapest].cost[split].value: 150 → 200`}},
		{"a key that was not there", []policy.Edit{{At: "sourcing.groups[cheapest].limits.max_shipments", Value: 2}}, []string{`+ sourcing.groups[cheapest].limits.max_shipments: 2`}},
		{"by place", []policy.Edit{{At: "sourcing.groups[1].cost[0].weight", Value: 1.5}}, []string{`+ sourcing.groups[cheapest].cost[carrier].weight: 1.5`}},
		{"an entry taken out", []policy.Edit{{At: "sourcing.groups[near].filters[close]", Remove: true}}, []string{
			`- sourcing.groups[near].filters[close].keep: candidate.distance_km < 30.0`, `- sourcing.groups[near].filters[close].reason: too far`,
		}},
		{"an entry at the end", []policy.Edit{{At: "sourcing.groups[cheapest].cost[+]", Value: map[string]any{"term": "risk", "value": "900"}}}, []string{`+ sourcing.groups[cheapest].cost[risk].value: 900`}},
		{"a key instead of another", []policy.Edit{{At: "sourcing.groups[near].sort", Remove: true}, {At: "sourcing.groups[near].cost", Value: []any{map[string]any{"term": "carrier"}}}}, nil},
	} {
		out, err := policy.Apply([]byte(edited), c.edits...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		a, _ := policy.Parse([]byte(edited))
		b, err := policy.Parse(out)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, d := range policy.Diff(a, b) {
			got = append(got, d.String())
		}
		if c.want != nil && !sameWithoutNames(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
		for _, comment := range []string{"# who fulfils", "# stores first", "# two parcels annoy"} {
			if !strings.Contains(string(out), comment) {
				t.Errorf("%s: the comment %q is gone:\n%s", c.name, comment, out)
			}
		}
	}
	first, err := policy.Apply([]byte(edited), policy.Edit{At: "sourcing.groups[near].sort[^]", Value: map[string]any{"by": "sequence"}})
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := policy.Parse(first); d.Sourcing.Groups[0].Sort[0].By != "sequence" || len(d.Sourcing.Groups[0].Sort) != 2 {
		t.Errorf("not in front: %s", first)
	}
}

// sameWithoutNames compares diffs but for the lines about an entry's own name.
func sameWithoutNames(got, want []string) bool {
	got = slices.DeleteFunc(got, func(l string) bool { return strings.Contains(l, ".name: ") || strings.Contains(l, ".term: ") })
	return slices.Equal(got, want)
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"":                                 "must name a setting",
		"sourcing..groups":                 "no place",
		"sourcing.groups[near":             "no place",
		"sourcing.groups[far].when":        `no entry "far"`,
		"sourcing.groups.near":             "something else",
		"sourcing.groups[near].nonsense":   "no such setting",
		"sourcing.groups[near].limits":     "must be a mapping",
		"sourcing.groups[near].filters[9]": `no entry "9"`,
	} {
		if _, err := policy.Apply([]byte(edited), policy.Edit{At: at, Value: "1"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", at, err, want)
		}
	}
	if _, err := policy.Apply([]byte(edited), policy.Edit{At: "sourcing.prices", Remove: true}); err == nil || !strings.Contains(err.Error(), "to take out") {
		t.Errorf("what is not there was taken out: %v", err)
	}
}
