package flow

import (
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// next is small with working split in two, and open renamed.
var next = strings.NewReplacer(
	"name: open\n", "name: asked\n",
	"  ignore: [fulfillment.*]\n", "  ignore: [fulfillment.*]\n  migrate: [{from: open, to: asked, versions: 1-2}]\n",
).Replace(small)

func TestMigrationIsChecked(t *testing.T) {
	t.Parallel()
	to := compile(t, next).Versioned(4)
	for name, c := range map[string]struct {
		from    *Compiled
		mapping map[string]string
		open    string // where open goes
		problem string
	}{
		"by the flow's list":            {compile(t, small).Versioned(2), nil, "asked", ""},
		"a version beyond the list":     {compile(t, small).Versioned(3), nil, "", "small@4 has no state open"},
		"by the mapping":                {compile(t, small).Versioned(3), map[string]string{"open": "working"}, "working", ""},
		"the mapping goes first":        {compile(t, small).Versioned(2), map[string]string{"open": "working"}, "working", ""},
		"to no state":                   {compile(t, small).Versioned(2), map[string]string{"open": "nowhere"}, "", "no state \"nowhere\""},
		"to the end":                    {compile(t, small).Versioned(2), map[string]string{"open": "gone"}, "", "gone is final"},
		"of a state that is none":       {compile(t, small).Versioned(2), map[string]string{"other": "working"}, "", "no state of that name"},
		"of a final state":              {compile(t, small).Versioned(2), map[string]string{"gone": "working"}, "", "no state of that name"},
		"from a flow of another name":   {compile(t, strings.Replace(small, "name: small", "name: other", 1)).Versioned(2), nil, "", "no state open"},
		"from a flow of another matter": {Default("return_flow"), nil, "", "is the flow of a return"},
	} {
		states, err := CheckMigration(c.from, to, c.mapping)
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.problem == "" && (states["open"] != c.open || states["working"] != "working" || len(states) != 2):
			t.Errorf("%s: %v", name, states)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v, want %s", name, err, c.problem)
		}
	}
}

// A state that is left at once has no timers: nobody may be put into it.
func TestNobodyMigratesIntoAStateThatIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	passing := strings.Replace(small, "    - name: open\n", "    - {name: start, on: [{event: enter, to: open}]}\n    - name: open\n", 1)
	if _, err := CheckMigration(compile(t, small), compile(t, passing).Versioned(1), map[string]string{"open": "start"}); err == nil || !strings.Contains(err.Error(), "left at once") {
		t.Error(err)
	}
}

func TestMigrationKeepsTimers(t *testing.T) {
	t.Parallel()
	from, to := compile(t, small).Versioned(2), compile(t, next).Versioned(4)
	in := from.Start(nil, at(0)).To
	m, _ := from.Step(&in, "timer.overdue", nil, at(4*time.Hour))
	got, err := to.Migrate(&m.To, "asked", at(5*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	was := m.To.Timers[0]
	if got.Flow != "small@4" || got.State != "asked" || !got.Since.Equal(in.Since) || len(got.Timers) != 1 || got.Timers[0] != was || got.Final {
		t.Errorf("%+v, before %+v", got, m.To)
	}
	if got, err = to.Migrate(&m.To, "working", at(5*time.Hour)); err != nil || len(got.Timers) != 1 || got.Timers[0].Name != "late" || !got.Timers[0].At.Equal(start.Add(77*time.Hour)) {
		t.Errorf("a timer that was not there before: %+v, %v", got, err)
	}
	if _, outcome := to.Step(&got, order.EventFulfillmentAccepted, nil, at(6*time.Hour)); outcome != Ignored {
		t.Errorf("it goes on with %v", outcome)
	}
	if _, err := to.Migrate(&m.To, "nowhere", at(0)); err == nil {
		t.Error("it is nowhere")
	}
}
