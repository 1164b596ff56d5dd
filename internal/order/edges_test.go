package order_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// TestEdgesArePublished walks every state that a fulfillment of two units can
// reach and compares the steps seen with order.Edges: none missing, none unreachable.
func TestEdgesArePublished(t *testing.T) {
	t.Parallel()
	seen := map[order.Edge]bool{}
	via := at("dc", lq("1", 2))
	via.Via = "shop"
	for _, start := range []*order.Order{
		place(t, capture(t, newOrder(order.Ship, 2)), at("dc", lq("1", 2))),
		place(t, capture(t, newOrder(order.Pickup, 2)), at("dc", lq("1", 2))),
		place(t, capture(t, newOrder(order.Pickup, 2)), via),
	} {
		walk(t, start, map[string]bool{}, func(command string, before, after *order.Order) {
			from, to := before.Fulfillments[0].Status, after.Fulfillments[0].Status
			if from != to {
				seen[order.Edge{Command: command, From: from, To: to}] = true
			}
		})
	}
	published := map[order.Edge]bool{}
	for _, e := range order.Edges {
		if published[e] {
			t.Errorf("%+v is published twice", e)
		}
		published[e] = true
		if !seen[e] {
			t.Errorf("%+v is published, but nothing takes it", e)
		}
	}
	for e := range seen {
		if !published[e] {
			t.Errorf("%+v is not published", e)
		}
	}
}

func walk(t *testing.T, o *order.Order, visited map[string]bool, note func(string, *order.Order, *order.Order)) {
	state := *o
	state.Version, state.UpdatedAt, state.HoldCount = 0, noon, 0
	state.Holds = make([]order.Hold, len(o.Holds))
	state.Exceptions, state.ExceptionCount, state.Moves = nil, 0, 0
	f := &o.Fulfillments[0]
	state.Fulfillments = []order.Fulfillment{{Status: f.Status, Lines: f.Lines, Via: f.Via, Undeliverable: f.Undeliverable}}
	if f.Stop != nil {
		state.Fulfillments[0].Stop = &order.StopRequest{Lines: f.Stop.Lines, Then: f.Stop.Then}
	}
	key := toJSON(t, &state)
	if visited[key] {
		return
	}
	visited[key] = true
	choices := [][]order.LineQuantity{nil, {lq("1", 1)}, {short("1", 0, 1)}, {short("1", 0, 2)}, {short("1", 1, 1)}}
	for _, lines := range choices {
		for _, command := range commands {
			s := order.Step{Command: command, Lines: lines, At: noon}
			if command == "delay" {
				s.ExpectedAt = noon.Add(time.Hour)
			}
			if events, err := o.Decide("o1-1", s); err == nil {
				next := fold(t, o, events...)
				note(command, o, next)
				walk(t, next, visited, note)
			}
		}
		if events, err := o.Cancel(order.Cancellation{Lines: lines}); err == nil {
			next := fold(t, o, events...)
			note("cancel", o, next)
			walk(t, next, visited, note)
		}
	}
	for q := range int64(2) {
		if events, err := o.Reship(order.Reship{Lines: []order.LineQuantity{lq("1", q+1)}}); err == nil {
			next := fold(t, o, events...)
			note("reship", o, next)
			walk(t, next, visited, note)
		}
	}
	for _, then := range []string{order.ThenRedecide, order.ThenCancel} {
		command := "cancel"
		if then == order.ThenRedecide {
			command = "withdraw"
		}
		if events := o.TakeBack("", then, noon); len(events) > 0 {
			next := fold(t, o, events...)
			note(command, o, next)
			walk(t, next, visited, note)
		}
	}
	if len(o.Holds) == 0 {
		if events, err := o.Hold(order.NewHold{Type: order.HoldFraud}, "test", noon); err == nil {
			next := fold(t, o, events...)
			note("hold", o, next)
			walk(t, next, visited, note)
		}
		return
	}
	events, err := o.ReleaseHold(o.Holds[0].ID, "test", "")
	if err != nil {
		t.Fatal(err)
	}
	next := fold(t, o, events...)
	note("release", o, next)
	walk(t, next, visited, note)
}

// TestStepsInEveryState asks for every command in every state. The golden file is the table of
// what comes of it: another state, "done" when nothing is left to do, or the code of the refusal.
func TestStepsInEveryState(t *testing.T) {
	t.Parallel()
	table := map[string]map[string]string{}
	for name, c := range map[string]struct {
		method order.Method
		via    string
		steps  []string
	}{
		"open":                       {order.Ship, "", nil},
		"held":                       {order.Ship, "", []string{"hold"}},
		"accepted":                   {order.Ship, "", []string{"accept"}},
		"accepted, asked to stop":    {order.Ship, "", []string{"accept", "ask"}},
		"picked":                     {order.Ship, "", []string{"accept", "pick"}},
		"packed":                     {order.Ship, "", []string{"pick", "pack"}},
		"packed, would not stop":     {order.Ship, "", []string{"pack", "ask", "refuse_stop"}},
		"shipped":                    {order.Ship, "", []string{"ship"}},
		"delivered":                  {order.Ship, "", []string{"ship", "deliver"}},
		"rejected":                   {order.Ship, "", []string{"reject"}},
		"cancelled":                  {order.Ship, "", []string{"cancel"}},
		"cancelled, stopped":         {order.Ship, "", []string{"accept", "ask", "stopped"}},
		"lost":                       {order.Ship, "", []string{"ship", "lose"}},
		"lost, undeliverable":        {order.Ship, "", []string{"ship", "undeliverable"}},
		"pickup: open":               {order.Pickup, "", nil},
		"pickup: packed":             {order.Pickup, "", []string{"pack"}},
		"pickup: ready":              {order.Pickup, "", []string{"accept", "ready"}},
		"pickup: handed_over":        {order.Pickup, "", []string{"ready", "handover"}},
		"pickup: cancelled":          {order.Pickup, "", []string{"ready", "uncollected"}},
		"ship to store: accepted":    {order.Pickup, "shop", []string{"accept"}},
		"ship to store: shipped":     {order.Pickup, "shop", []string{"ship"}},
		"ship to store: ready":       {order.Pickup, "shop", []string{"ship", "ready"}},
		"ship to store: handed_over": {order.Pickup, "shop", []string{"ship", "ready", "handover"}},
		"ship to store: cancelled":   {order.Pickup, "shop", []string{"ship", "ready", "uncollected"}},
	} {
		placement := at("dc", lq("1", 2))
		placement.Via = c.via
		o := place(t, capture(t, newOrder(c.method, 2)), placement)
		for _, command := range c.steps {
			o = prelude(t, o, command)
		}
		_, state, elsewhere := strings.Cut(name, ": ")
		if !elsewhere {
			state = name
		}
		if got := string(o.Fulfillments[0].Status); !strings.HasPrefix(state, got) {
			t.Fatalf("%v led to %s, want %s", c.steps, got, name)
		}
		table[name] = map[string]string{}
		for _, command := range order.Commands {
			table[name][command] = outcome(t, o, command)
		}
	}
	golden(t, "steps", table)
}

// prelude carries a fulfillment on by whatever is needed to get there.
func prelude(t *testing.T, o *order.Order, command string) *order.Order {
	var events []order.Event
	var err error
	switch command {
	case "hold":
		events, err = o.Hold(order.NewHold{Type: order.HoldFraud}, "test", noon)
	case "cancel":
		events, err = o.Cancel(order.Cancellation{})
	case "ask":
		events = o.TakeBack("", order.ThenRedecide, noon)
	case "pack":
		return step(t, step(t, o, "pick"), "pack")
	default:
		return step(t, o, command)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fold(t, o, events...)
}

func outcome(t *testing.T, o *order.Order, command string) string {
	s := order.Step{Command: command, At: noon}
	if command == "delay" {
		s.ExpectedAt = noon.Add(time.Hour)
	}
	events, err := o.Decide("o1-1", s)
	var r *order.Refusal
	switch {
	case errors.As(err, &r):
		if late := o.Late("o1-1", s, noon); (r.Code == order.CodeLate) && len(late) != 1 {
			t.Errorf("%s is late without an exception", command)
		}
		return "refused: " + r.Code
	case err != nil:
		t.Fatal(err)
	case len(events) == 0:
		return "done"
	}
	return string(fold(t, o, events...).Fulfillments[0].Status)
}
