package flow

import (
	"fmt"
	"strings"
	"testing"
)

// alive is a flow with nothing wrong; each case breaks one thing.
const alive = `kind: fulfillment_flow
name: alive
flow:
  ignore: [fulfillment.*]
  states:
    - name: open
      awaits: location
      timers: [{name: t, after: 4h, every: 1h}]
      on:
        - {event: timer.t, do: [exception: {type: late, message: it is late}]}
        - {event: fulfillment.accepted, to: working}
    - name: working
      timers: [{name: t, at: promise.ship_by, otherwise: 3d, every: 1d}]
      on:
        - {event: timer.t, do: [exception: {type: late, message: it is late}]}
        - {event: fulfillment.shipped, to: gone}
    - {name: gone, final: true}
`

// The problems of a flow name the state and where it is written.
func TestCheckNamesStateAndPlace(t *testing.T) {
	t.Parallel()
	const (
		openTimers = "      timers: [{name: t, after: 4h, every: 1h}]\n"
		asks       = "        - {event: timer.t, do: [exception: {type: late, message: it is late}]}\n"
		accepts    = "        - {event: fulfillment.accepted, to: working}\n"
		ships      = "        - {event: fulfillment.shipped, to: gone}\n"
		gone       = "    - {name: gone, final: true}\n"
	)
	var got strings.Builder
	for _, c := range []struct{ name, old, new string }{
		{"nothing", "", ""},
		{"a state that nothing leads to", gone, gone + "    - {name: lonely, final: true}\n"},
		{"a state without a way out", ships, ""},
		{"a state that only leads to itself", "to: gone", "to: working"},
		{"two states that only lead to each other", "to: gone", "to: open"},
		{"an awaited answer without a deadline", openTimers + "      on:\n" + asks, "      on:\n"},
		{"a state without a timeout", "      timers: [{name: t, at: promise.ship_by, otherwise: 3d, every: 1d}]\n      on:\n" + asks, "      on:\n"},
		{"a deadline without an escalation", asks + accepts, "        - {event: timer.t, do: [remind: {reason: hurry}]}\n" + accepts},
		{"a deadline that nobody listens to", asks + accepts, accepts},
		{"a timer that fires once and leaves nothing armed", "after: 4h, every: 1h", "after: 4h"},
		{"a timer that runs out unheard", "every: 1h", "every: 1h, times: 3"},
		{"a deadline that leads on under a condition only", asks + accepts, "        - {event: timer.t, when: subject.units > 1, to: working}\n" + accepts},
		{"no end", gone, "    - {name: gone, timers: [{name: t, after: 1h, every: 1h}], on: [{event: timer.t, to: open}]}\n"},
		{"a timer in the end", gone, "    - {name: gone, final: true, awaits: carrier, timers: [{name: t, after: 1h}]}\n"},
		{"an end that leads on", gone, "    - {name: gone, final: true, on: [{event: fulfillment.lost, to: open}]}\n"},
		{"states that are left at once in a circle", accepts, accepts + "        - {event: enter, to: working}\n" + "    - {name: x, on: [{event: enter, to: x2}]}\n    - {name: x2, on: [{event: enter, to: x}]}\n"},
		{"a transition that an earlier one hides", accepts, accepts + "        - {event: fulfillment.accepted, to: gone}\n"},
		{"a target that is no state", "to: working", "to: wroking"},
		{"an event that is none", "event: fulfillment.accepted", "event: fulfillment.acepted"},
		{"an event of another subject", "event: fulfillment.accepted", "event: return.received"},
		{"a timer that is none", "{event: timer.t, do: [exception: {type: late, message: it is late}]}\n        - {event: fulfillment.accepted", "{event: timer.u, do: [exception: {type: late, message: it is late}]}\n        - {event: fulfillment.accepted"},
		{"a condition that does not compile", "{event: fulfillment.accepted, to", "{event: fulfillment.accepted, when: subject.nothing > 1, to"},
		{"an action of another subject", "exception: {type: late, message: it is late}]}\n        - {event: fulfillment.accepted", "release: {}]}\n        - {event: fulfillment.accepted"},
		{"a date of another subject", "promise.ship_by", "return_by"},
		{"a date without a default", "otherwise: 3d, ", ""},
		{"a transition that does nothing", "accepted, to: working", "accepted"},
		{"a duration that is none", "after: 4h", "after: 4 hours"},
		{"events that nothing takes", "  ignore: [fulfillment.*]\n", ""},
		{"a migration to nowhere", "  states:", "  migrate: [{from: old, to: nowhere, versions: 3-1}]\n  states:"},
		{"two states of one name", "name: gone", "name: open"},
	} {
		text := strings.Replace(alive, c.old, c.new, 1)
		if c.old != c.new && text == alive {
			t.Fatalf("%s changes nothing", c.name)
		}
		fmt.Fprintf(&got, "%s\n", c.name)
		p, err := CompileText([]byte(text))
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				fmt.Fprintf(&got, "    %s\n", strings.TrimRight(line, "\n"))
			}
			continue
		}
		for _, w := range p.Warnings {
			fmt.Fprintf(&got, "    warning %s\n", w)
		}
	}
	golden(t, "testdata/check.golden", got.String())
}
