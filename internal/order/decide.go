package order

import (
	"fmt"
	"slices"

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
)

// Edge is a step a fulfillment can take by a command.
type Edge struct {
	Command  string
	From, To FulfillmentStatus
}

// Edges is the published state machine of fulfillments. ship, ready and
// handover imply the picking and packing that was not reported, as separate events.
// A command on some of the units may leave the status as it is, which is no edge.
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
	{"deliver", FulfillmentShipped, FulfillmentDelivered},
	{"cancel", FulfillmentOpen, FulfillmentCancelled}, {"cancel", FulfillmentAccepted, FulfillmentCancelled},
	{"cancel", FulfillmentOpen, FulfillmentRejected}, {"cancel", FulfillmentAccepted, FulfillmentRejected}, // the others were rejected or short
	{"cancel", FulfillmentAccepted, FulfillmentPicked}, // what is left in it is picked
	{"hold", FulfillmentOpen, FulfillmentHeld}, {"release", FulfillmentHeld, FulfillmentOpen},
	{"cancel", FulfillmentHeld, FulfillmentCancelled}, {"cancel", FulfillmentHeld, FulfillmentRejected},
	{"reship", FulfillmentShipped, FulfillmentLost}, {"reship", FulfillmentDelivered, FulfillmentLost}, {"reship", FulfillmentHandedOver, FulfillmentLost},
}

func allowed(command string, from FulfillmentStatus) bool {
	for _, e := range Edges {
		if e.Command == command && e.From == from {
			return true
		}
	}
	return false
}

// Step is a command of a location or carrier on one fulfillment.
type Step struct {
	Command string         `json:"-"` // accept, reject, pick, pack, ship, ready, handover, deliver
	Lines   []LineQuantity `json:"lines,omitempty"`
	Parcels []Parcel       `json:"parcels,omitempty"`
	Reason  string         `json:"reason,omitempty"`
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
	}
	return bad.Err()
}

// Decide gives the events of a step on the fulfillment, or a *Refusal. A step
// that a repeated message asks for again, and that is already done, is refused
// with CodeWrongState: the caller sees the state in the message.
func (o *Order) Decide(fulfillmentID string, s Step) ([]Event, error) {
	f := o.Fulfillment(fulfillmentID)
	if f == nil {
		return nil, refuse(CodeNoFulfillment, "", "the order has no fulfillment %q", fulfillmentID)
	}
	if !allowed(s.Command, f.Status) || (s.Command == "ready" && f.Via == "" && f.Status == FulfillmentShipped) {
		return nil, refuse(CodeWrongState, "", "cannot %s a fulfillment that is %s", s.Command, f.Status)
	}
	if len(f.Parcels)+len(s.Parcels) > MaxParcels {
		return nil, refuse(CodeTooMany, "parcels", "a fulfillment has at most %d parcels", MaxParcels)
	}
	if err := s.unused(); err != nil {
		return nil, err
	}
	event := func(t string) Event { return Event{Type: t, FulfillmentID: f.ID, Reason: s.Reason} }
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
		return []Event{e}, nil
	case "pack":
		e := event(EventFulfillmentPacked)
		e.Parcels = s.Parcels
		return []Event{e}, nil
	case "ship":
		return f.ship(s, event)
	case "ready":
		if f.Via != "" {
			if f.Status != FulfillmentShipped {
				return nil, refuse(CodeWrongState, "", "a fulfillment that is shipped to %s becomes ready when it arrived there", f.Via)
			}
			return []Event{event(EventFulfillmentReady)}, nil
		}
		if f.Method != Pickup {
			return nil, refuse(CodeWrongMethod, "", "only a fulfillment for pickup becomes ready; ship this one")
		}
		return append(f.implied(event, false), event(EventFulfillmentReady)), nil
	case "handover":
		lines, err := f.leaving(s.Lines)
		if err != nil {
			return nil, err
		}
		e := event(EventFulfillmentHandover)
		e.Lines = lines
		return []Event{e}, nil
	default: // deliver, the only other command with an edge
		if f.Via != "" {
			return nil, refuse(CodeWrongMethod, "", "report it ready once it arrived at %s; the customer collects it there", f.Via)
		}
		return []Event{event(EventFulfillmentDeliver)}, nil
	}
}

// unused refuses what the command has no use for, so that a caller who names
// some units is never taken to mean all of them.
func (s *Step) unused() error {
	switch s.Command {
	case "accept", "pack", "ready", "deliver":
		if len(s.Lines) > 0 {
			return refuse(CodeNotAllowed, "lines", "%s is about the whole fulfillment; leave lines out", s.Command)
		}
	}
	if s.Command != "pack" && s.Command != "ship" && len(s.Parcels) > 0 {
		return refuse(CodeNotAllowed, "parcels", "parcels belong to pack and ship")
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
	return []Event{e}, nil
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
	e.Lines, e.Parcels = lines, s.Parcels
	return append(f.implied(event, true), e), nil
}

// Cancellation asks to cancel units; no lines means everything that can be.
type Cancellation struct {
	Lines  []LineQuantity `json:"lines,omitempty"`
	Reason string         `json:"reason,omitempty"`
	// RequestStop asks the locations to stop units that are picked already; see CancelAt.
	RequestStop bool `json:"request_stop,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (c *Cancellation) Validate() error {
	var bad problem.Invalid
	text(&bad, "reason", c.Reason, MaxTextBytes)
	bad.Count("lines", len(c.Lines), MaxLines)
	return bad.Err()
}

// Cancel gives the events that cancel units, or a *Refusal when fewer than
// asked can still be stopped. Units that nobody has go first, then those whose
// picking has not begun, latest fulfillment first.
func (o *Order) Cancel(c Cancellation) ([]Event, error) { return o.cancel(c, nil) }

// cancel is Cancel; what it cannot cancel it asks to be stopped, when stop is not nil.
func (o *Order) cancel(c Cancellation, stop *stopping) ([]Event, error) {
	lines := c.Lines
	if len(lines) == 0 {
		if lines = o.cancellable(); len(lines) == 0 {
			if o.Status == StatusCancelled {
				return nil, refuse(CodeWrongState, "", "the order is cancelled already")
			}
			return nil, refuse(CodeNotCancellable, "", "every unit is picked, shipped or cancelled already")
		}
	}
	unplaced := Event{Type: EventCancelled, Reason: c.Reason}
	placed := make([]Event, len(o.Fulfillments))
	seen := make(map[string]bool, len(lines))
	for i, q := range lines {
		l := o.Line(q.Line)
		at := fmt.Sprintf("lines[%d]", i)
		switch {
		case l == nil || seen[q.Line]:
			return nil, refuse(CodeUnknownLine, at+".line", "line %q is unknown or named twice", q.Line)
		case q.Quantity < 1 || q.Quantity > l.Quantity:
			return nil, refuse(CodeTooMany, at+".quantity", "line %s has %d units, cannot cancel %d", l.ID, l.Quantity, q.Quantity)
		}
		seen[q.Line] = true
		left := q.Quantity
		if n := min(left, l.Open()+l.Backordered); n > 0 {
			unplaced.Lines = append(unplaced.Lines, LineQuantity{Line: l.ID, Quantity: n})
			left -= n
		}
		left = o.cancelPlaced(l, left, placed, c.Reason)
		if stop != nil {
			left = stop.take(l.ID, left)
		}
		if left > 0 {
			return nil, refuse(CodeNotCancellable, at+".quantity", "%d of %d units of line %s are picked, shipped or cancelled already", left, q.Quantity, l.ID)
		}
	}
	var events []Event
	if len(unplaced.Lines) > 0 {
		events = append(events, unplaced)
	}
	for _, e := range placed {
		if len(e.Lines) > 0 {
			events = append(events, e)
		}
	}
	if stop != nil {
		events = append(events, stop.events()...)
	}
	return events, nil
}

// cancellable is what can still be stopped: units that nobody has or whose
// picking has not begun.
func (o *Order) cancellable() []LineQuantity {
	out := make([]LineQuantity, 0, len(o.Lines))
	for i := range o.Lines {
		l := &o.Lines[i]
		q := l.Open() + l.Backordered
		for j := range o.Fulfillments {
			f := &o.Fulfillments[j]
			if fl := f.line(l.ID); fl != nil && allowed("cancel", f.Status) {
				q += fl.unpicked()
			}
		}
		if q > 0 {
			out = append(out, LineQuantity{Line: l.ID, Quantity: q})
		}
	}
	return out
}

func (o *Order) cancelPlaced(l *Line, left int64, placed []Event, reason string) int64 {
	for j := len(o.Fulfillments) - 1; j >= 0 && left > 0; j-- {
		f := &o.Fulfillments[j]
		fl := f.line(l.ID)
		if fl == nil || !allowed("cancel", f.Status) {
			continue
		}
		if n := min(left, fl.unpicked()); n > 0 {
			placed[j].Type, placed[j].FulfillmentID, placed[j].Reason = EventFulfillmentCancel, f.ID, reason
			placed[j].Lines = append(placed[j].Lines, LineQuantity{Line: l.ID, Quantity: n})
			left -= n
		}
	}
	return left
}
