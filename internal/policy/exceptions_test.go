package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestExceptionRulesAreChecked(t *testing.T) {
	t.Parallel()
	const head = "kind: exceptions\nname: x\nexceptions:\n"
	for _, c := range []struct{ text, pointer, says string }{
		{"  promise_value: -1\n", "exceptions.promise_value", "between 0 and"},
		{"  age_percent_per_day: 1001\n", "exceptions.age_percent_per_day", "between 0 and 1000"},
		{"  rules: [{name: a, fix: resorce}]\n", "exceptions.rules[0].fix", "did you mean resource"},
		{"  rules: [{name: a}]\n", "exceptions.rules[0].fix", "is required"},
		{"  rules: [{name: a, fix: refund}]\n", "exceptions.rules[0].fix", "no fix that rules apply"},
		{"  rules: [{name: a, fix: ship_from}]\n", "exceptions.rules[0].location", "needs it"},
		{"  rules: [{name: a, fix: close, location: dc}]\n", "exceptions.rules[0].location", "goes with the fix ship_from"},
		{"  rules: [{name: a, fix: wait, hours: 721}]\n", "exceptions.rules[0].hours", "between 1 and 720"},
		{"  rules: [{name: a, fix: wait, max_per_order: 0}]\n", "exceptions.rules[0].max_per_order", "between 1 and 100"},
		{"  rules: [{name: a, fix: wait, when: line.quantity > 1}]\n", "exceptions.rules[0].when", "line"},
		{"  rules: [{name: a, fix: wait, types: [Not An Id]}]\n", "exceptions.rules[0].types[0]", "lower-case"},
		{"  rules: [{name: a, fix: wait}, {name: a, fix: close}]\n", "exceptions.rules[1].name", "entry 0 as well"},
	} {
		_, err := CompileText([]byte(head + c.text))
		bad, _ := err.(Problems)
		if len(bad) != 1 || bad[0].Pointer != c.pointer || !strings.Contains(bad[0].Message, c.says) || bad[0].Line == 0 {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// TestRulesEnd holds that a rule stops acting on an order, whatever it looks at.
func TestRulesEnd(t *testing.T) {
	t.Parallel()
	compiled, err := CompileText([]byte(`
kind: exceptions
name: x
exceptions:
  rules:
    - {name: first, types: [a], fix: wait, max_per_order: 2}
    - {name: second, when: exception.age_minutes >= 10, after_minutes: 10, fix: close, max_per_order: 3}
`))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := &Facts{Exception: &Exception{Type: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "type"), AgeMinutes: rapid.Int64Range(0, 20).Draw(t, "age")}}
		applied := map[string]int{}
		for n := 0; ; n++ {
			r, due, err := compiled.Exceptions.Choose(f, func(rule string) int { return applied[rule] })
			if err != nil {
				t.Fatal(err)
			}
			if r == nil {
				want := map[string]int{"second": 3}
				if f.Exception.Type == "a" {
					want["first"] = 2
				}
				for name, times := range want {
					if applied[name] != times {
						t.Fatalf("rules acted %v times, want %v", applied, want)
					}
				}
				return
			}
			if due != (f.Exception.AgeMinutes >= r.AfterMinutes) {
				t.Fatalf("%s due %v at %d minutes", r.Name, due, f.Exception.AgeMinutes)
			}
			if applied[r.Name]++; n > 5 {
				t.Fatal("rules go on for ever")
			}
		}
	})
}
