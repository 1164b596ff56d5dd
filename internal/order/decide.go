package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Refusal is a command that the order's state does not allow. It changes nothing.
type Refusal struct {
	Code    string // stable, machine-readable
	Pointer string // the request field it is about; may be empty
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func refuse(code, pointer, format string, args ...any) error {
	return &Refusal{Code: code, Pointer: pointer, Message: fmt.Sprintf(format, args...)}
}

// Codes of refusals.
const (
	CodeWrongState       = "wrong_state"
	CodeUnknownLine      = "unknown_line"
	CodeTooMany          = "too_many_units"
	CodeNoFulfillment    = "fulfillment_not_found"
	CodeNotCancellable   = "not_cancellable"
	CodeNothingToDo      = "nothing_to_do"
	CodeWrongMethod      = "wrong_method"
	CodeTooManyFulfills  = "too_many_fulfillments"
	CodeNotAllowed       = "not_allowed"
	CodeUnknownHold      = "unknown_hold"
	CodeUnknownException = "unknown_exception"
	CodeOnHold           = "on_hold"
	CodeClaimed          = "claimed"
	CodeNoStop           = "no_stop_request"
	// CodeLate refuses a report about units that were taken back meanwhile; see Late.
	CodeLate = "late_message"
)

// Edge is a step a fulfillment can take by a command.
type Edge struct {
	Command  string
	From, To FulfillmentStatus
}

// Edges is the published state machine of fulfillments. ship, ready, handover and
// deliver imply the steps before them that were not reported, as separate events.
// A command on some of the units may leave the status as it is, which is no edge; see also Stays.
var Edges = []Edge{
	{"accept", FulfillmentOpen, FulfillmentAccepted},
	{"reject", FulfillmentOpen, FulfillmentRejected}, {"reject", FulfillmentAccepted, FulfillmentRejected},
	{"reject", FulfillmentAccepted, FulfillmentPicked}, // what is left in it is picked
	{"pick", FulfillmentOpen, FulfillmentPicked}, {"pick", FulfillmentAccepted, FulfillmentPicked},
	{"pick", FulfillmentOpen, FulfillmentAccepted},                                                     // some of the units
	{"pick", FulfillmentOpen, FulfillmentRejected}, {"pick", FulfillmentAccepted, FulfillmentRejected}, // every unit is short
	{"pack", FulfillmentPicked, FulfillmentPacked},
	{"ship", FulfillmentOpen, FulfillmentShipped}, {"ship", FulfillmentAccepted, FulfillmentShipped},
	{"ship", FulfillmentPicked, FulfillmentShipped}, {"ship", FulfillmentPacked, FulfillmentShipped},
	{"ship", FulfillmentOpen, FulfillmentPacked}, {"ship", FulfillmentAccepted, FulfillmentPacked}, // some of the units
	{"ship", FulfillmentPicked, FulfillmentPacked},
	{"ready", FulfillmentOpen, FulfillmentReady}, {"ready", FulfillmentAccepted, FulfillmentReady},
	{"ready", FulfillmentPicked, FulfillmentReady}, {"ready", FulfillmentPacked, FulfillmentReady},
	{"ready", FulfillmentShipped, FulfillmentReady}, // it arrived at the pickup location it was shipped to
	{"handover", FulfillmentReady, FulfillmentHandedOver},
	{"handover", FulfillmentOpen, FulfillmentHandedOver}, {"handover", FulfillmentAccepted, FulfillmentHandedOver},
	{"handover", FulfillmentPicked, FulfillmentHandedOver}, {"handover", FulfillmentPacked, FulfillmentHandedOver},
	{"handover", FulfillmentShipped, FulfillmentHandedOver},                                              // at the pickup location it was shipped to
	{"handover", FulfillmentOpen, FulfillmentReady}, {"handover", FulfillmentAccepted, FulfillmentReady}, // some of the units
	{"handover", FulfillmentPicked, FulfillmentReady}, {"handover", FulfillmentPacked, FulfillmentReady},
	{"deliver", FulfillmentShipped, FulfillmentDelivered},
	{"deliver", FulfillmentOpen, FulfillmentDelivered}, {"deliver", FulfillmentAccepted, FulfillmentDelivered},
	{"deliver", FulfillmentPicked, FulfillmentDelivered}, {"deliver", FulfillmentPacked, FulfillmentDelivered},
	{"stopped", FulfillmentAccepted, FulfillmentCancelled}, {"stopped", FulfillmentAccepted, FulfillmentRejected}, // the others were rejected or short
	{"stopped", FulfillmentAccepted, FulfillmentPicked}, // what is left in it is picked
	{"stopped", FulfillmentPicked, FulfillmentCancelled}, {"stopped", FulfillmentPicked, FulfillmentRejected},
	{"stopped", FulfillmentPacked, FulfillmentCancelled}, {"stopped", FulfillmentPacked, FulfillmentRejected},
	{"stopped", FulfillmentPacked, FulfillmentShipped}, // the others left
	{"stopped", FulfillmentReady, FulfillmentCancelled}, {"stopped", FulfillmentReady, FulfillmentRejected},
	{"stopped", FulfillmentReady, FulfillmentHandedOver}, // the others were collected
	{"uncollected", FulfillmentReady, FulfillmentCancelled}, {"uncollected", FulfillmentReady, FulfillmentRejected},
	{"uncollected", FulfillmentReady, FulfillmentHandedOver},
	{"withdraw", FulfillmentHeld, FulfillmentCancelled}, {"withdraw", FulfillmentOpen, FulfillmentCancelled}, // decided again
	{"withdraw", FulfillmentHeld, FulfillmentRejected}, {"withdraw", FulfillmentOpen, FulfillmentRejected},
	{"lose", FulfillmentShipped, FulfillmentLost}, {"undeliverable", FulfillmentShipped, FulfillmentLost},
	{"cancel", FulfillmentOpen, FulfillmentCancelled}, {"cancel", FulfillmentAccepted, FulfillmentCancelled},
	{"cancel", FulfillmentOpen, FulfillmentRejected}, {"cancel", FulfillmentAccepted, FulfillmentRejected}, // the others were rejected or short
	{"cancel", FulfillmentAccepted, FulfillmentPicked}, // what is left in it is picked
	{"hold", FulfillmentOpen, FulfillmentHeld}, {"release", FulfillmentHeld, FulfillmentOpen},
	{"cancel", FulfillmentHeld, FulfillmentCancelled}, {"cancel", FulfillmentHeld, FulfillmentRejected},
	{"reship", FulfillmentShipped, FulfillmentLost}, {"reship", FulfillmentDelivered, FulfillmentLost}, {"reship", FulfillmentHandedOver, FulfillmentLost},
}

// Stays are the steps that leave the status of a fulfillment as it is, whatever the units.
var Stays = []Edge{
	{"delay", FulfillmentOpen, FulfillmentOpen}, {"delay", FulfillmentAccepted, FulfillmentAccepted},
	{"delay", FulfillmentPicked, FulfillmentPicked}, {"delay", FulfillmentPacked, FulfillmentPacked},
	{"delay", FulfillmentShipped, FulfillmentShipped},
	{"refuse_stop", FulfillmentAccepted, FulfillmentAccepted}, {"refuse_stop", FulfillmentPicked, FulfillmentPicked},
	{"refuse_stop", FulfillmentPacked, FulfillmentPacked}, {"refuse_stop", FulfillmentReady, FulfillmentReady},
	{"lose", FulfillmentPacked, FulfillmentPacked},                                                     // of what left of it
	{"arrive", FulfillmentOpen, FulfillmentOpen}, {"arrive", FulfillmentAccepted, FulfillmentAccepted}, // too early
	{"arrive", FulfillmentPicked, FulfillmentPicked}, {"arrive", FulfillmentPacked, FulfillmentPacked},
	{"arrive", FulfillmentReady, FulfillmentReady},
}

func allowed(command string, from FulfillmentStatus) bool {
	for _, e := range Stays {
		if e.Command == command && e.From == from {
			return true
		}
	}
	for _, e := range Edges {
		if e.Command == command && e.From == from {
			return true
		}
	}
	return false
}

// Step is a command of a location or carrier on one fulfillment.
type Step struct {
	// Command is one of Commands.
	Command string         `json:"-"`
	Lines   []LineQuantity `json:"lines,omitempty"`
	Parcels []Parcel       `json:"parcels,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	// ExpectedAt, of a delay, is when it is now expected to be delivered.
	ExpectedAt time.Time `json:"expected_at,omitzero"`
	// At is when it is decided.
	At time.Time `json:"-"`
}

// Commands are those of locations and carriers.
var Commands = []string{
	"accept", "reject", "pick", "pack", "ship", "ready", "handover", "deliver",
	"stopped", "refuse_stop", "uncollected", "delay", "lose", "undeliverable", "arrive",
}

// Reasons for which rejected units are taken out of the location's stock: it
// looked and they were not there, or not fit for sale.
var lostReasons = []string{"out_of_stock", "not_found", "damaged"}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (s *Step) Validate() error {
	var bad problem.Invalid
	text(&bad, "reason", s.Reason, MaxTextBytes)
	bad.Count("lines", len(s.Lines), MaxLines)
	bad.Count("parcels", len(s.Parcels), MaxParcels)
	for i := range s.Parcels {
		p := &s.Parcels[i]
		at := problem.At("parcels", i)
		text(&bad, at+".id", p.ID, 200)
		text(&bad, at+".carrier", p.Carrier, 200)
		text(&bad, at+".service", p.Service, 200)
		text(&bad, at+".tracking", p.Tracking, 200)
		text(&bad, at+".tracking_url", p.TrackingURL, 2000)
		bad.Range(at+".weight_g", p.WeightG, 0, 1_000_000_000)
		bad.Count(at+".lines", len(p.Lines), MaxLines)
		for k := range p.Lines {
			unpicked(&bad, problem.At(at+".lines", k), p.Lines[k])
		}
	}
	for i := range s.Lines {
		unpicked(&bad, problem.At("lines", i), s.Lines[i])
	}
	if y := s.ExpectedAt.UTC().Year(); !s.ExpectedAt.IsZero() && (y < minYear || y > maxYear) {
		bad.Add("expected_at", problem.OutOfRange, "must be between the years %d and %d", minYear, maxYear)
	}
	return bad.Err()
}

// unpicked refuses what only events say of units.
func unpicked(bad *problem.Invalid, at string, q LineQuantity) {
	if q.Picked != 0 {
		bad.Add(at+".picked", "not_allowed", "what had been picked is known; leave it out")
	}
}

// Decide gives the events of a step on the fulfillment, or a *Refusal. A step
// whose effect is there already, because its message came twice or after one that implied it,
// gives no events. One that reports what cannot be any more is refused with CodeLate.
func (o *Order) Decide(fulfillmentID string, s Step) ([]Event, error) {
	f := o.Fulfillment(fulfillmentID)
	if f == nil {
		return nil, refuse(CodeNoFulfillment, "", "the order has no fulfillment %q", fulfillmentID)
	}
	if slices.Contains(Commands, s.Command) {
		if err := s.unused(); err != nil {
			return nil, err
		}
	}
	if f.done(&s) {
		return nil, nil
	}
	if len(f.Parcels)+len(s.Parcels) > MaxParcels {
		return nil, refuse(CodeTooMany, "parcels", "a fulfillment has at most %d parcels", MaxParcels)
	}
	event := func(t string) Event { return Event{Type: t, FulfillmentID: f.ID, Reason: s.Reason} }
	if f.addsParcels(&s) {
		e := event(EventFulfillmentParcels)
		e.Parcels = f.further(s.Parcels)
		return []Event{e}, nil
	}
	if f.late(&s) {
		return nil, refuse(CodeLate, "", "units of it were taken back meanwhile: the fulfillment is %s; somebody will look at it", f.Status)
	}
	if f.Status == FulfillmentHeld && allowed(s.Command, FulfillmentOpen) {
		return nil, refuse(CodeOnHold, "", "the order is on hold; the location is not to work on it")
	}
	if !f.may(&s) {
		return nil, refuse(CodeWrongState, "", "cannot %s a fulfillment that is %s", s.Command, f.Status)
	}
	return o.decide(f, s, event)
}

// may reports that the step exists in the fulfillment's state.
func (f *Fulfillment) may(s *Step) bool {
	switch {
	case !allowed(s.Command, f.Status):
		return false
	case f.Status == FulfillmentShipped && (s.Command == "ready" || s.Command == "handover"):
		return f.Via != ""
	case s.Command == "deliver" && f.Status != FulfillmentShipped:
		// Of what left in parts, the delivery of one part says nothing about the others.
		return !slices.ContainsFunc(f.Lines, func(l FulfillmentLine) bool { return l.Shipped > 0 })
	}
	return true
}

func (o *Order) decide(f *Fulfillment, s Step, event func(string) Event) ([]Event, error) {
	switch s.Command {
	case "accept":
		return []Event{event(EventFulfillmentAccepted)}, nil
	case "reject":
		return f.reject(s, event(EventFulfillmentRejected))
	case "pick":
		lines, err := f.pick(s.Lines)
		if err != nil {
			return nil, err
		}
		e := event(EventFulfillmentPicked)
		e.Lines = lines
		return append([]Event{e}, f.unstopped(lines, func(q LineQuantity) int64 { return q.Short })...), nil
	case "pack":
		e := event(EventFulfillmentPacked)
		e.Parcels = s.Parcels
		return []Event{e}, nil
	case "ship":
		return f.ship(s, event)
	case "ready":
		return f.ready(event)
	case "handover":
		return f.handover(s, event)
	case "deliver":
		return f.deliver(event)
	case "stopped":
		return f.stopped(s, event(EventFulfillmentStopped))
	case "refuse_stop":
		if f.Stop == nil {
			return nil, refuse(CodeNoStop, "", "the location was not asked to stop anything of it")
		}
		return []Event{event(EventFulfillmentStopRefused)}, nil
	case "uncollected":
		return f.uncollected(s, event(EventFulfillmentUncollected))
	case "delay":
		return o.delay(f, s, event(EventFulfillmentDelayed))
	case "lose":
		return o.gone(f, s, event(EventFulfillmentLost))
	case "arrive":
		if f.Method != Pickup {
			return nil, refuse(CodeNotAllowed, "", "nobody comes for a fulfillment that is shipped to the customer")
		}
		return []Event{event(EventFulfillmentCustomer)}, nil
	default: // undeliverable, the only other command with an edge
		return o.undeliverable(f, s, event(EventFulfillmentUndeliverable))
	}
}

// unused refuses what the command has no use for, so that a caller who names
// some units is never taken to mean all of them.
func (s *Step) unused() error {
	switch s.Command {
	case "accept", "pack", "ready", "deliver", "refuse_stop", "delay", "arrive":
		if len(s.Lines) > 0 {
			return refuse(CodeNotAllowed, "lines", "%s is about the whole fulfillment; leave lines out", s.Command)
		}
	}
	if s.Command != "pack" && s.Command != "ship" && len(s.Parcels) > 0 {
		return refuse(CodeNotAllowed, "parcels", "parcels belong to pack and ship")
	}
	if s.Command != "delay" && !s.ExpectedAt.IsZero() {
		return refuse(CodeNotAllowed, "expected_at", "an expected date belongs to delay")
	}
	return nil
}

// wanted checks the lines of a step against limit and defaults to everything.
func (f *Fulfillment) wanted(lines []LineQuantity, limit func(*FulfillmentLine) int64) ([]LineQuantity, error) {
	var out []LineQuantity
	if len(lines) == 0 {
		for i := range f.Lines {
			if q := limit(&f.Lines[i]); q > 0 {
				out = append(out, LineQuantity{Line: f.Lines[i].Line, Quantity: q})
			}
		}
		return out, nil
	}
	seen := make(map[string]bool, len(lines))
	for i, q := range lines {
		fl := f.line(q.Line)
		switch {
		case fl == nil:
			return nil, refuse(CodeUnknownLine, fmt.Sprintf("lines[%d].line", i), "the fulfillment has no line %q", q.Line)
		case seen[q.Line]:
			return nil, refuse(CodeUnknownLine, fmt.Sprintf("lines[%d].line", i), "line %q is named twice", q.Line)
		case q.Quantity < 0 || q.Short < 0 || q.Quantity+q.Short == 0:
			return nil, refuse(CodeTooMany, fmt.Sprintf("lines[%d].quantity", i), "quantity and short are not negative, and not both zero")
		case q.Quantity > limit(fl) || q.Short > limit(fl)-q.Quantity:
			return nil, refuse(CodeTooMany, fmt.Sprintf("lines[%d].quantity", i), "line %s has %d units left for this, got %d", q.Line, limit(fl), q.Quantity+q.Short)
		}
		seen[q.Line] = true
		out = append(out, q)
	}
	return out, nil
}

func (l *FulfillmentLine) unpicked() int64 { return l.Quantity - l.Picked }

func (f *Fulfillment) reject(s Step, e Event) ([]Event, error) {
	lines, err := f.wanted(s.Lines, (*FulfillmentLine).unpicked)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, refuse(CodeNothingToDo, "lines", "every unit is picked already; report a short pick or cancel instead")
	}
	for i := range lines {
		if lines[i].Short != 0 {
			return nil, refuse(CodeTooMany, fmt.Sprintf("lines[%d].short", i), "short belongs to pick; use quantity")
		}
	}
	e.Lines, e.Lost = lines, slices.Contains(lostReasons, s.Reason)
	return append([]Event{e}, f.unstopped(lines, func(q LineQuantity) int64 { return q.Quantity })...), nil
}

func (f *Fulfillment) pick(lines []LineQuantity) ([]LineQuantity, error) {
	lines, err := f.wanted(lines, (*FulfillmentLine).unpicked)
	if err == nil && len(lines) == 0 {
		err = refuse(CodeNothingToDo, "lines", "nothing is left to pick")
	}
	return lines, err
}

// implied reports the steps a location did without telling.
func (f *Fulfillment) implied(event func(string) Event, pack bool) []Event {
	var out []Event
	if f.Status == FulfillmentOpen || f.Status == FulfillmentAccepted {
		if lines, _ := f.pick(nil); len(lines) > 0 {
			e := event(EventFulfillmentPicked)
			e.Lines = lines
			out = append(out, e)
		}
	}
	if pack && f.Status != FulfillmentPacked {
		out = append(out, event(EventFulfillmentPacked))
	}
	return out
}

// leaving is what a ship or handover takes out of the building.
func (f *Fulfillment) leaving(lines []LineQuantity) ([]LineQuantity, error) {
	lines, err := f.wanted(lines, func(l *FulfillmentLine) int64 { return l.Quantity - l.Shipped })
	if err != nil {
		return nil, err
	}
	for i := range lines {
		if lines[i].Short != 0 {
			return nil, refuse(CodeTooMany, fmt.Sprintf("lines[%d].short", i), "report missing units with pick before shipping")
		}
	}
	return lines, nil
}

func (f *Fulfillment) ship(s Step, event func(string) Event) ([]Event, error) {
	if f.Method == Pickup {
		return nil, refuse(CodeWrongMethod, "", "a fulfillment for pickup is made ready and handed over, not shipped")
	}
	lines, err := f.leaving(s.Lines)
	if err != nil {
		return nil, err
	}
	e := event(EventFulfillmentShipped)
	e.Lines, e.Parcels = lines, f.further(s.Parcels)
	return append(append(f.implied(event, true), e), f.tooLate(lines)...), nil
}

// shipped are the events of a shipment that nobody reported, and that a later message implies.
func (f *Fulfillment) shipped(event func(string) Event) ([]Event, error) {
	if f.Status == FulfillmentShipped {
		return nil, nil
	}
	return f.ship(Step{}, event)
}

func (f *Fulfillment) ready(event func(string) Event) ([]Event, error) {
	if f.Via != "" { // it arrived at the pickup location
		events, err := f.shipped(event)
		if err != nil {
			return nil, err
		}
		return append(events, event(EventFulfillmentReady)), nil
	}
	if f.Method != Pickup {
		return nil, refuse(CodeWrongMethod, "", "only a fulfillment for pickup becomes ready; ship this one")
	}
	return append(f.implied(event, false), event(EventFulfillmentReady)), nil
}

func (f *Fulfillment) handover(s Step, event func(string) Event) ([]Event, error) {
	var events []Event
	if f.Method != Pickup && f.Via == "" {
		return nil, refuse(CodeWrongMethod, "", "only a fulfillment for pickup is handed over; ship this one")
	}
	if f.Status != FulfillmentReady {
		var err error
		if f.Via != "" && f.Status != FulfillmentShipped {
			return nil, refuse(CodeWrongState, "", "a fulfillment that is shipped to %s is handed over there", f.Via)
		}
		if events, err = f.ready(event); err != nil {
			return nil, err
		}
	}
	lines, err := f.leaving(s.Lines)
	if err != nil {
		return nil, err
	}
	e := event(EventFulfillmentHandover)
	e.Lines = lines
	return append(append(events, e), f.tooLate(lines)...), nil
}

func (f *Fulfillment) deliver(event func(string) Event) ([]Event, error) {
	if f.Via != "" || f.Method == Pickup {
		return nil, refuse(CodeWrongMethod, "", "report it ready once it is at the pickup location; the customer collects it there")
	}
	events, err := f.shipped(event)
	if err != nil {
		return nil, err
	}
	return append(events, event(EventFulfillmentDeliver)), nil
}
