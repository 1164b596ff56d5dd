package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/policy"
)

// life is an instance that a test leads through its flow.
type life struct {
	t     *rapid.T
	c     *Compiled
	in    Instance
	times Times
	text  string
}

func begin(t *rapid.T, c *Compiled, text string) *life {
	l := &life{t: t, c: c, times: Times{Now: start}, text: text}
	for _, date := range []*time.Time{&l.times.ShipBy, &l.times.DeliverBy, &l.times.WantedBy, &l.times.ExpectedAt, &l.times.ReturnBy} {
		if days := rapid.IntRange(-3, 9).Draw(t, "date"); days != 0 { // 0: there is none
			*date = start.Add(time.Duration(days) * 24 * time.Hour)
		}
	}
	m := c.Start(l.facts(0), l.times)
	l.in = m.To
	l.alive()
	return l
}

var statuses = []string{
	"open", "accepted", "picked", "packed", "shipped", "ready", "delivered", "handed_over", "rejected", "cancelled", "lost", "held",
	"authorized", "in_transit", "received", "inspected", "closed", "expired",
}

// facts are any: those of a real order are among them.
func (l *life) facts(tries int64) *policy.Facts {
	number := func(name string) int64 { return rapid.Int64Range(-1, 3).Draw(l.t, name) }
	return &policy.Facts{
		Now:      l.times.Now,
		Order:    &policy.Order{Channel: "web", Value: number("value") * 100_00},
		Location: &policy.Location{ID: "l", Type: rapid.SampledFrom([]string{"dc", "store", "vendor"}).Draw(l.t, "type")},
		Returned: &policy.Returned{Reason: "too_small", Quantity: 1},
		Subject: &policy.Subject{
			State: l.in.State, Status: rapid.SampledFrom(statuses).Draw(l.t, "status"), Tries: tries, Units: number("units"), UnitsOpen: number("open"),
			UnitsBackordered: number("backordered"), Attempts: number("attempts"), Hours: number("hours") * 100, PromiseHours: number("promise") * 24,
			Holds: rapid.SliceOfN(rapid.SampledFrom([]string{"approval", "credit"}), 0, 2).Draw(l.t, "holds"),
		},
	}
}

// alive checks that what is not final has a timer, armed for a time that comes.
func (l *life) alive() {
	switch {
	case l.c.Final(&l.in) != l.in.Final:
		l.t.Fatalf("in %s it says final %v", l.in.State, l.in.Final)
	case l.in.Final && len(l.in.Timers) > 0:
		l.t.Fatalf("it is in the final state %s with timers %+v", l.in.State, l.in.Timers)
	case !l.in.Final && len(l.in.Timers) == 0:
		l.t.Fatalf("it is stuck in state %s of\n%s", l.in.State, l.text)
	}
}

func (l *life) step(event string) {
	m, outcome := l.c.Step(&l.in, event, l.facts(l.c.Tries(&l.in, event)), l.times)
	if m.Failed != nil {
		l.t.Fatalf("%s in %s: %v", event, l.in.State, m.Failed)
	}
	if was := l.in.Final; was && outcome == Moved && !l.reopens(event) {
		l.t.Fatalf("%s leads out of the final state %s", event, l.in.State)
	}
	l.in = m.To
	l.alive()
}

func (l *life) reopens(event string) bool {
	for _, x := range l.c.takesOf(l.in.State, event) {
		if x.Reopen {
			return true
		}
	}
	return false
}

// takesOf are a state's own transitions on an event.
func (c *Compiled) takesOf(state, event string) (out []Transition) {
	for _, x := range c.Doc.Flow.States[c.index[state]].On {
		if contains(x.events(), event) {
			out = append(out, x)
		}
	}
	return out
}

// wait lets timers fire that come due; each brings the instance further in time.
func (l *life) wait(d time.Duration) {
	l.times.Now = l.times.Now.Add(d)
	for fired := 0; ; fired++ {
		event, due := l.c.Due(&l.in, l.times.Now)
		if !due {
			return
		}
		if fired > 10*MaxTimers {
			l.t.Fatalf("timers chase each other in state %s of\n%s", l.in.State, l.text)
		}
		l.step(event)
	}
}

func (l *life) live(steps int) {
	events := EventsOf(l.c.Subject)
	for range steps {
		if rapid.Bool().Draw(l.t, "wait") {
			l.wait(time.Duration(rapid.Int64Range(1, 40*24*60).Draw(l.t, "minutes")) * time.Minute)
		} else {
			l.step(rapid.SampledFrom(events).Draw(l.t, "event"))
		}
	}
}

// Whatever comes, in whatever sequence, a subject in a ready flow is never stuck.
func TestReadyFlowsAreNeverStuck(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		t.Run(strings.TrimSuffix(e.File, ".yaml"), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				begin(t, e.Flow, e.Text).live(rapid.IntRange(1, 30).Draw(t, "steps"))
			})
		})
	}
}

// anyFlow writes a flow that may be wrong in every way that the check is about.
func anyFlow(t *rapid.T) string {
	var b strings.Builder
	n := rapid.IntRange(2, 6).Draw(t, "states")
	often := func(name string) bool { return rapid.IntRange(0, 9).Draw(t, name) > 0 }
	some := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	state := func() string { return fmt.Sprint("s", rapid.IntRange(0, n-1).Draw(t, "to")) }
	guard := func() string {
		return rapid.SampledFrom([]string{"", "", "when: subject.units > 1, ", `when: subject.status == "open", `}).Draw(t, "guard")
	}
	ask := "do: [exception: {type: x, message: y}]"
	does := func() string {
		if rapid.Bool().Draw(t, "goes") {
			return "to: " + state()
		}
		return ask
	}
	b.WriteString("kind: fulfillment_flow\nname: any\nflow:\n  states:\n")
	for i := range n {
		if i == n-1 {
			fmt.Fprintf(&b, "    - {name: s%d, final: true}\n", i)
			continue
		}
		fmt.Fprintf(&b, "    - name: s%d\n", i)
		timers, on := []string{}, []string{}
		if some("enters") {
			on = append(on, "{event: enter, "+guard()+"to: "+state()+"}")
		}
		if often("timer") {
			x := fmt.Sprintf("{name: t, after: %dm", rapid.IntRange(1, 3000).Draw(t, "after"))
			last := "timer.t"
			if often("repeats") {
				x += fmt.Sprintf(", every: %dm", rapid.IntRange(1, 3000).Draw(t, "every"))
				if rapid.Bool().Draw(t, "ends") {
					x += fmt.Sprintf(", times: %d", rapid.IntRange(1, 3).Draw(t, "times"))
					on = append(on, "{event: timer.t, "+guard()+ask+"}")
					last = "timer.t.exhausted"
				}
			}
			timers = append(timers, x+"}")
			if some("twice") {
				on = append(on, "{event: "+last+", "+guard()+does()+"}")
			}
			on = append(on, "{event: "+last+", "+guard()+does()+"}")
		}
		if some("dated") {
			timers = append(timers, "{name: d, at: promise.ship_by, otherwise: 1d}")
			on = append(on, "{event: timer.d, "+guard()+does()+"}")
		}
		if often("leads") {
			on = append(on, fmt.Sprintf("{event: fulfillment.accepted, %sto: s%d}", guard(), i+1))
		}
		if some("more") {
			on = append(on, "{event: fulfillment.picked, "+guard()+does()+"}")
		}
		fmt.Fprintf(&b, "      timers: [%s]\n      on:\n", strings.Join(timers, ", "))
		for _, x := range on {
			fmt.Fprintf(&b, "        - %s\n", x)
		}
		if len(on) == 0 {
			b.WriteString("        []\n")
		}
	}
	return b.String()
}

// What the check lets pass is never stuck: of flows written at random, those that compile stay alive.
func TestWhatCompilesIsNeverStuck(t *testing.T) {
	t.Parallel()
	written, compiled := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		written++
		text := anyFlow(t)
		p, err := CompileText([]byte(text))
		if err != nil {
			return
		}
		compiled++
		l := begin(t, Of(p), text)
		l.live(12)
	})
	if written >= 100 && compiled < written/20 {
		t.Errorf("of %d flows only %d compiled", written, compiled)
	}
	t.Logf("%d of %d flows compiled", compiled, written)
}
