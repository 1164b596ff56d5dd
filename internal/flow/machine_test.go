package flow

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

var start = time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC)

func at(d time.Duration) Times { return Times{Now: start.Add(d)} }

// compile compiles a flow that must be right.
func compile(t testing.TB, text string) *Compiled {
	t.Helper()
	p, err := CompileText([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Of(p)
}

const small = `
kind: fulfillment_flow
name: small
flow:
  ignore: [fulfillment.*]
  states:
    - name: open
      awaits: location
      timers: [{name: overdue, after: 4h, every: 1h, times: 2}]
      on:
        - {event: fulfillment.accepted, to: working}
        - {event: timer.overdue, do: [{remind: {reason: "try {subject.tries}"}}]}
        - {event: timer.overdue.exhausted, do: [{resource: {reason: nobody answered}}], to: gone}
    - name: working
      timers: [{name: late, at: promise.ship_by, offset: 1d, otherwise: 3d, every: 1d}]
      on:
        - {event: timer.late, do: [{exception: {type: shipment_overdue, message: It is late}}]}
        - {event: fulfillment.shipped, when: subject.status == "shipped", to: gone}
    - {name: gone, final: true}
`

func TestTimersRepeatAndRunOut(t *testing.T) {
	t.Parallel()
	c := compile(t, small)
	m := c.Start(nil, at(0))
	if m.To.State != "open" || m.To.Flow != "small@0" || len(m.To.Timers) != 1 || !m.To.Timers[0].At.Equal(start.Add(4*time.Hour)) {
		t.Fatalf("starts as %+v", m.To)
	}
	in := m.To
	for n, hour := range []time.Duration{4, 5, 6} {
		if _, due := c.Due(&in, start.Add(hour*time.Hour-1)); due {
			t.Fatalf("hour %d: due too early", hour)
		}
		now := start.Add(hour * time.Hour)
		event, due := c.Due(&in, now)
		if !due {
			t.Fatalf("hour %d: nothing is due", hour)
		}
		tries := c.Tries(&in, event)
		m, outcome := c.Step(&in, event, &policy.Facts{Subject: &policy.Subject{Tries: tries}}, Times{Now: now})
		switch {
		case n < 2 && (event != "timer.overdue" || outcome != Stayed || m.Actions[0].Reason != "try "+string(rune('1'+n)) || !m.Changed):
			t.Fatalf("hour %d: %s %v %+v", hour, event, outcome, m)
		case n == 2 && (event != "timer.overdue.exhausted" || outcome != Moved || m.To.State != "gone" || len(m.To.Timers) != 0 || m.Actions[0].Do != DoResource || !m.Actions[0].Exclude):
			t.Fatalf("hour %d: %s %v %+v", hour, event, outcome, m)
		}
		in = m.To
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	c := compile(t, small)
	in := c.Start(nil, at(0)).To
	step := func(event string, f *policy.Facts) (Move, Outcome) { return c.Step(&in, event, f, at(time.Hour)) }
	if _, got := step(order.EventFulfillmentPicked, nil); got != Ignored {
		t.Errorf("an ignored event is %v", got)
	}
	if _, got := step(order.EventNoted, nil); got != Ignored {
		t.Errorf("bookkeeping is %v", got)
	}
	m, got := step(order.EventFulfillmentAccepted, nil)
	if got != Moved || m.From != "open" || m.To.State != "working" || !m.To.Since.Equal(start.Add(time.Hour)) {
		t.Fatalf("accepted: %v %+v", got, m)
	}
	in = m.To
	if _, got := step(order.EventFulfillmentShipped, &policy.Facts{Subject: &policy.Subject{Status: "packed"}}); got != Ignored {
		t.Errorf("a part that was shipped is %v", got)
	}
	if m, got := step(order.EventFulfillmentShipped, nil); got == Moved || m.Failed == nil {
		t.Errorf("without facts: %v %+v", got, m)
	}
	if m, got := step(order.EventFulfillmentShipped, &policy.Facts{Subject: &policy.Subject{Status: "shipped"}}); got != Moved || !c.Final(&m.To) {
		t.Errorf("shipped: %v", got)
	}
	if m, got := c.Step(&Instance{State: "none"}, order.EventFulfillmentShipped, nil, at(0)); got != Missed || m.Failed == nil {
		t.Errorf("an unknown state: %v", got)
	}
}

func TestPromiseTimers(t *testing.T) {
	t.Parallel()
	c := compile(t, small)
	in := c.Start(nil, at(0)).To
	arm := func(x Times) time.Time {
		m, _ := c.Step(&in, order.EventFulfillmentAccepted, nil, x)
		if m.To.Timers[0].Left != -1 {
			t.Fatalf("left %d", m.To.Timers[0].Left)
		}
		return m.To.Timers[0].At
	}
	promised := at(0)
	promised.ShipBy = start.Add(48 * time.Hour)
	if got := arm(promised); !got.Equal(start.Add(72 * time.Hour)) {
		t.Errorf("with a promise at %v", got)
	}
	if got := arm(at(0)); !got.Equal(start.Add(72 * time.Hour)) {
		t.Errorf("without one at %v", got)
	}
	promised.ShipBy = start.Add(-480 * time.Hour)
	if got := arm(promised); !got.Equal(start) {
		t.Errorf("a promise that is past: %v", got)
	}
}

func BenchmarkStep(b *testing.B) {
	c := compile(b, small)
	in := c.Start(nil, at(0)).To
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, o := c.Step(&in, order.EventFulfillmentAccepted, nil, at(0)); o != Moved {
				b.Fatal(o)
			}
		}
	})
	b.Run("guard", func(b *testing.B) {
		m, _ := c.Step(&in, order.EventFulfillmentAccepted, nil, at(0))
		f := &policy.Facts{Subject: &policy.Subject{Status: "shipped"}}
		b.ReportAllocs()
		for b.Loop() {
			if _, o := c.Step(&m.To, order.EventFulfillmentShipped, f, at(0)); o != Moved {
				b.Fatal(o)
			}
		}
	})
	b.Run("start", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Start(nil, at(0))
		}
	})
}

// Conditions may send an instance round states that are entered and left at once; it comes to rest
// where a timer is armed, never in a state that is only passed.
func TestRoundsComeToRestWhereATimerIs(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 1} {
		first := ""
		if before > 0 {
			first = "    - {name: first, on: [{event: enter, to: passed}]}\n"
		}
		c := compile(t, `
kind: fulfillment_flow
name: round
flow:
  ignore: [fulfillment.*]
  states:
`+first+`    - {name: passed, on: [{event: enter, to: rest}]}
    - name: rest
      timers: [{name: t, after: 1h, every: 1h}]
      on:
        - {event: enter, when: subject.units > 0, to: passed}
        - {event: timer.t, do: [exception: {type: x, message: y}]}
        - {event: fulfillment.shipped, to: gone}
    - {name: gone, final: true}
`)
		m := c.Start(&policy.Facts{Subject: &policy.Subject{Units: 1}}, at(0))
		if m.To.State != "rest" || len(m.To.Timers) != 1 {
			t.Errorf("%d before: it rests in %+v", before, m.To)
		}
	}
}
