package order

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Receipt says what arrived of a return.
type Receipt struct {
	Location string `json:"location"`
	// MessageID makes a repeat of the message change nothing.
	MessageID string `json:"message_id,omitempty"`
	// Lines that arrived; none: everything that is expected.
	Lines []ReceivedLine `json:"lines,omitempty"`
}

// ReceivedLine is some units of a line of the order that arrived.
type ReceivedLine struct {
	Line      string `json:"line"`
	Quantity  int64  `json:"quantity"`
	Condition string `json:"condition,omitempty"`
	// Disposition, when given, is where the units go at once, should they need no inspection. Default: as the policy says.
	Disposition string `json:"disposition,omitempty"`
	// Reason why the customer gives it back; of units that nobody announced.
	Reason string `json:"reason,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (r *Receipt) Validate() error {
	var bad problem.Invalid
	r.validate(&bad)
	return bad.Err()
}

func (r *Receipt) validate(bad *problem.Invalid) {
	bad.ID("location", r.Location)
	bad.Text("message_id", r.MessageID, 200)
	bad.Count("lines", len(r.Lines), MaxLines)
	seen := map[string]bool{}
	for i := range r.Lines[:min(len(r.Lines), MaxLines)] {
		l, at := &r.Lines[i], problem.At("lines", i)
		bad.ID(at+".line", l.Line)
		bad.Range(at+".quantity", l.Quantity, 1, MaxLineQuantity)
		bad.Text(at+".condition", l.Condition, MaxTextBytes)
		bad.Text(at+".reason", l.Reason, MaxTextBytes)
		disposition(bad, at+".disposition", l.Disposition)
		if seen[l.Line] {
			bad.Add(at+".line", problem.Duplicate, "line %.60q is named twice", l.Line)
		}
		seen[l.Line] = true
	}
}

func disposition(bad *problem.Invalid, at, value string) {
	if value != "" {
		problem.OneOf(bad, at, value, Dispositions...)
	}
}

func (o *Order) findReturn(id string) (*Return, error) {
	if r := o.Return(id); r != nil {
		return r, nil
	}
	return nil, refuse(CodeNoReturn, "", "there is no return %q", id)
}

// SendReturn gives the event that a carrier has the goods; none when it is known already.
func (o *Order) SendReturn(id, carrier, tracking string) ([]Event, error) {
	r, err := o.findReturn(id)
	if err != nil {
		return nil, err
	}
	switch {
	case !r.SentAt.IsZero():
		return nil, nil
	case r.Status == ReturnClosed && r.sum(func(l *ReturnedLine) int64 { return l.Missing }) == 0:
		return nil, nil // everything came before anybody said that it left
	case r.Status.Final():
		return nil, refuse(CodeWrongState, "", "the return is %s; when the goods arrive, book them as a return that nobody announced", r.Status)
	}
	e := Event{Type: EventReturnInTransit, ReturnID: id}
	if carrier == "" {
		carrier = r.Carrier
	}
	if tracking == "" {
		tracking = r.Tracking
	}
	e.Parcels = []Parcel{{Carrier: carrier, Tracking: tracking}}
	return []Event{e}, nil
}

// Receive gives the events of goods that arrived, wherever that is. A repeat gives none. What no
// open return announced is booked as unexpected, as far as the customer has as much; beyond that, and on a
// return that was given up, it becomes an exception and nothing is booked. Returns a *Refusal for
// lines that the order does not have.
func (o *Order) Receive(id string, in Receipt, at time.Time) ([]Event, error) {
	r, err := o.findReturn(id)
	if err != nil {
		return nil, err
	}
	if in.MessageID != "" && slices.Contains(r.Messages, in.MessageID) && !plant.On(plant.ReceiptTwice) || in.MessageID == "" && r.repeats(&in) {
		return nil, nil
	}
	for i, l := range in.Lines {
		if o.Line(l.Line) == nil {
			return nil, refuse(CodeUnknownLine, problem.At("lines", i)+".line", "the order has no line %.60q", l.Line)
		}
	}
	if r.Status.Final() {
		return o.strayed(r, fmt.Sprintf("Goods of return %s arrived at %s, which is %s", r.ID, in.Location, r.Status), in.Location, in.Lines, at), nil
	}
	if len(r.Messages) >= MaxReturnMessages {
		return nil, refuse(CodeTooMany, "message_id", "the return has %d receipts already", len(r.Messages))
	}
	lines := in.Lines
	if len(lines) == 0 {
		if lines = r.expects(); len(lines) == 0 {
			return nil, nil
		}
	}
	e := Event{Type: EventReturnReceived, ReturnID: id, Location: in.Location, MessageID: in.MessageID}
	var stray []ReceivedLine
	for _, l := range lines {
		steps, left := o.arriving(r, &l, in.Location, len(r.Lines)+len(e.ReturnSteps))
		e.ReturnSteps = append(e.ReturnSteps, steps...)
		if left > 0 {
			l.Quantity = left
			stray = append(stray, l)
		}
	}
	var events []Event
	if len(e.ReturnSteps) > 0 {
		events = append(events, e)
	}
	unexpected := slices.ContainsFunc(e.ReturnSteps, func(s ReturnStep) bool { return s.Item == 0 && s.From == 0 })
	if unexpected || len(stray) > 0 {
		message := fmt.Sprintf("More arrived at %s than return %s announced", in.Location, r.ID)
		if len(stray) > 0 {
			message += ", and more than the customer has"
		}
		events = append(events, o.strayed(r, message, in.Location, stray, at)...)
	}
	return events, nil
}

// strayed is the exception of goods that nobody waited for.
func (o *Order) strayed(r *Return, message, location string, lines []ReceivedLine, at time.Time) []Event {
	data := map[string]string{"location": location}
	var amount int64 // what they cost: somebody may want it back
	for _, l := range lines[:min(len(lines), 20)] {
		data["line "+l.Line] = fmt.Sprint(l.Quantity)
		amount += o.Line(l.Line).UnitValue() * l.Quantity
	}
	if amount > 0 {
		data["amount"] = fmt.Sprint(amount)
	}
	x := o.Raise(Exception{Type: ExceptionReturnUnexpected, ReturnID: r.ID, Message: message, By: "core", Data: data}, at)
	if x == nil {
		return nil
	}
	return []Event{*x}
}

// repeats reports whether a receipt without an id says what is known already: all that the return had there.
func (r *Return) repeats(in *Receipt) bool {
	if r.Expected() > 0 || r.Status == ReturnCancelled || r.Status == ReturnExpired {
		return false
	}
	had, says := map[string]int64{}, map[string]int64{}
	for i := range r.Lines {
		if l := &r.Lines[i]; l.At == in.Location && l.Received > 0 {
			had[l.Line] += l.Received
		}
	}
	for _, l := range in.Lines {
		says[l.Line] += l.Quantity
	}
	return len(in.Lines) == 0 && len(had) > 0 || maps.Equal(had, says)
}

// expects is what is still to come.
func (r *Return) expects() (out []ReceivedLine) {
	for i := range r.Lines {
		l := &r.Lines[i]
		if n := l.Expected(); n > 0 {
			at := slices.IndexFunc(out, func(x ReceivedLine) bool { return x.Line == l.Line })
			if at < 0 {
				out = append(out, ReceivedLine{Line: l.Line})
				at = len(out) - 1
			}
			out[at].Quantity += n
		}
	}
	return out
}

// arriving shares units of a line out to the items that expect them; left is more than the customer has.
func (o *Order) arriving(r *Return, in *ReceivedLine, location string, items int) (steps []ReturnStep, left int64) {
	line := o.Line(in.Line)
	left = in.Quantity
	with := line.Fulfilled - line.Returned // bounds what can come at all
	step := func(s ReturnStep, n int64) {
		s.Line, s.Quantity, s.Condition = in.Line, n, in.Condition
		steps = append(steps, s)
		left -= n
		with -= n
	}
	for _, elsewhere := range []bool{false, true} {
		for i := range r.Lines {
			l := &r.Lines[i]
			n := min(left, l.Expected(), with)
			if l.Line != in.Line || n <= 0 || (l.At != "" && l.At != location) != elsewhere {
				continue
			}
			switch {
			case !elsewhere:
				step(ReturnStep{Item: i + 1}, n)
			case items+len(steps) < MaxReturnItems:
				step(ReturnStep{From: i + 1}, n)
			}
		}
	}
	others := o.expected(in.Line) // of this return all that can come has come, or more is left than the customer has
	for i := range r.Lines {
		if r.Lines[i].Line == in.Line {
			others -= r.Lines[i].Expected()
		}
	}
	if n := min(left, with-others); n > 0 && items+len(steps) < MaxReturnItems {
		step(ReturnStep{}, n)
	}
	return steps, left
}

// InspectedLine is what somebody found out about units that arrived.
type InspectedLine struct {
	Line string `json:"line"`
	// Location where they arrived; needed when units of the line are at several.
	Location  string `json:"location,omitempty"`
	Accepted  int64  `json:"accepted,omitempty"`
	Rejected  int64  `json:"rejected,omitempty"` // they go back to the customer and are not refunded
	Condition string `json:"condition,omitempty"`
	// Disposition, when given, is where the accepted units go. Default: as the policy says, if it does.
	Disposition string `json:"disposition,omitempty"`
}

// Inspection is what was found out; without lines everything that arrived is accepted.
type Inspection struct {
	Lines []InspectedLine `json:"lines,omitempty"`
	// Override is why units are accepted although the policy refuses them; the caller needs the right.
	Override string `json:"override,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (n *Inspection) Validate() error {
	var bad problem.Invalid
	text(&bad, "override", n.Override, MaxTextBytes)
	bad.Count("lines", len(n.Lines), MaxLines)
	for i := range n.Lines[:min(len(n.Lines), MaxLines)] {
		l, at := &n.Lines[i], problem.At("lines", i)
		bad.ID(at+".line", l.Line)
		bad.Text(at+".location", l.Location, 200)
		bad.Range(at+".accepted", l.Accepted, 0, MaxLineQuantity)
		bad.Range(at+".rejected", l.Rejected, 0, MaxLineQuantity)
		bad.Text(at+".condition", l.Condition, MaxTextBytes)
		disposition(&bad, at+".disposition", l.Disposition)
		if l.Accepted == 0 && l.Rejected == 0 {
			bad.Add(at+".accepted", problem.Required, "say how many are accepted or rejected")
		}
	}
	return bad.Err()
}

// Inspect gives the event of units that were looked at, or a *Refusal.
func (o *Order) Inspect(id string, in Inspection) ([]Event, error) {
	r, err := o.findReturn(id)
	if err != nil {
		return nil, err
	}
	lines := in.Lines
	if len(lines) == 0 {
		for i := range r.Lines {
			if l := &r.Lines[i]; l.ToInspect() > 0 {
				lines = append(lines, InspectedLine{Line: l.Line, Location: l.At, Accepted: l.ToInspect()})
			}
		}
	}
	e := Event{Type: EventReturnInspected, ReturnID: id, Reason: in.Override}
	left := make([]int64, len(r.Lines))
	for i := range r.Lines {
		left[i] = r.Lines[i].ToInspect()
	}
	for i, l := range lines {
		at := problem.At("lines", i)
		accepted, rejected := l.Accepted, l.Rejected
		if err := r.onePlace(at, l.Line, l.Location, left); err != nil {
			return nil, err
		}
		for j := range r.Lines {
			item := &r.Lines[j]
			if item.Line != l.Line || l.Location != "" && item.At != l.Location {
				continue
			}
			s := ReturnStep{Item: j + 1, Line: l.Line, Condition: l.Condition, Disposition: l.Disposition, Accepted: min(accepted, left[j])}
			s.Rejected = min(rejected, left[j]-s.Accepted)
			if s.Accepted+s.Rejected == 0 {
				continue
			}
			if s.Accepted > 0 && item.Refused != "" && item.Refused != ReturnUnexpected && in.Override == "" {
				return nil, refuse(CodeReturnRefused, at+".accepted", "the rule %s refuses to take units of line %s back; reject them, or say why it does not count", item.Refused, l.Line)
			}
			left[j] -= s.Accepted + s.Rejected
			accepted -= s.Accepted
			rejected -= s.Rejected
			e.ReturnSteps = append(e.ReturnSteps, s)
		}
		if accepted+rejected > 0 {
			return nil, refuse(CodeTooMany, at, "%d units of line %s wait for inspection, got %d", l.Accepted+l.Rejected-accepted-rejected, l.Line, l.Accepted+l.Rejected)
		}
	}
	if len(e.ReturnSteps) == 0 {
		return nil, refuse(CodeNothingToDo, "", "nothing waits for inspection")
	}
	return []Event{e}, nil
}

// onePlace refuses a line whose units of which some are left are at several locations, unless it names one.
func (r *Return) onePlace(pointer, line, location string, left []int64) error {
	var places []string
	for i := range r.Lines {
		if l := &r.Lines[i]; l.Line == line && left[i] > 0 && !slices.Contains(places, l.At) {
			places = append(places, l.At)
		}
	}
	if location == "" && len(places) > 1 {
		return refuse(CodeTwoLocations, pointer+".location", "units of line %s are at %s; say which", line, strings.Join(places, " and "))
	}
	return nil
}

// CancelReturn gives the event that a return will not be, or a *Refusal when some of it arrived or was refunded.
func (o *Order) CancelReturn(id, reason string) ([]Event, error) {
	r, err := o.findReturn(id)
	switch {
	case err != nil:
		return nil, err
	case r.Status == ReturnCancelled:
		return nil, nil
	case len(r.Refunds) > 0:
		return nil, refuse(CodeRefunded, "", "the return was refunded; close it when nothing comes any more")
	case r.Exchange != nil && !r.Exchange.Waits:
		return nil, refuse(CodeRefunded, "", "the goods were replaced by order %s; close the return when nothing comes any more", r.Exchange.OrderID)
	case r.Status != ReturnAuthorized && r.Status != ReturnInTransit:
		return nil, refuse(CodeWrongState, "", "the return is %s", r.Status)
	}
	return []Event{{Type: EventReturnCancelled, ReturnID: id, Reason: reason}}, nil
}

// CloseReturn gives the events that end a return: what has not come is not waited for. Returns a
// *Refusal while units wait for inspection or for their place.
func (o *Order) CloseReturn(id, reason string, at time.Time) ([]Event, error) {
	r, err := o.findReturn(id)
	switch {
	case err != nil:
		return nil, err
	case r.Status == ReturnClosed:
		return nil, nil
	case r.Status.Final():
		return nil, refuse(CodeWrongState, "", "the return is %s", r.Status)
	case r.sum((*ReturnedLine).ToInspect)+r.sum((*ReturnedLine).ToDispose) > 0:
		return nil, refuse(CodeReturnOpenWork, "", "units wait for inspection or for their place")
	}
	return append([]Event{{Type: EventReturnClosed, ReturnID: id, Reason: reason}}, o.owing(r, at)...), nil
}

// ReturnsDue gives the end of the wait for one return whose time is up; none: no time is up.
func (o *Order) ReturnsDue(now time.Time) []Event {
	for i := range o.Returns {
		r := &o.Returns[i]
		if r.wake().IsZero() || r.wake().After(now) {
			continue
		}
		return append([]Event{{Type: EventReturnExpired, ReturnID: r.ID, Reason: "nothing came by " + r.ExpiresAt.Format(time.DateOnly)}}, o.owing(r, now)...)
	}
	return nil
}

// wake is when the wait for goods ends; zero: nothing is waited for.
func (r *Return) wake() time.Time {
	if r.Status.Final() || r.Expected() == 0 {
		return time.Time{}
	}
	return r.ExpiresAt
}

// owing is the exception of units that were refunded, or replaced, and will not come.
func (o *Order) owing(r *Return, at time.Time) []Event {
	units, amount := r.unearned()
	missing := r.Expected()
	if r.Exchange != nil && !r.Exchange.Waits && missing > 0 && units < missing {
		units, amount = missing, amount+r.Exchange.Credit-r.exchanged()
	}
	if missing == 0 || units == 0 {
		return nil
	}
	return o.unreturned(r, units, amount, "did not come", at)
}

// unreturned is the exception of units that the customer has and that are paid for.
func (o *Order) unreturned(r *Return, units, amount int64, why string, at time.Time) []Event {
	x := o.Raise(Exception{
		Type: ExceptionReturnOverdue, ReturnID: r.ID, By: "core",
		Message: fmt.Sprintf("%d units of return %s were refunded or replaced and %s", units, r.ID, why),
		Data:    map[string]string{"units": fmt.Sprint(units), "amount": fmt.Sprint(amount)},
	}, at)
	if x == nil {
		return nil
	}
	return []Event{*x}
}

// unearned is how many units were refunded beyond those that came and were not sent back, and what was given for them.
func (r *Return) unearned() (units, amount int64) {
	seen := map[string]bool{}
	for i := range r.Lines {
		line := r.Lines[i].Line
		if seen[line] {
			continue
		}
		seen[line] = true
		taken := r.sum(func(l *ReturnedLine) int64 {
			switch {
			case l.Line != line:
				return 0
			case l.Keep:
				return l.Quantity
			}
			return l.Received - l.Rejected
		})
		var refunded, value int64
		for j := range r.Refunds {
			for _, l := range r.Refunds[j].Lines {
				if l.Line == line {
					refunded, value = refunded+l.Quantity, value+l.Value-l.Fee
				}
			}
		}
		if n := refunded - taken; n > 0 {
			units, amount = units+n, amount+value/refunded*n+value%refunded*n/refunded
		}
	}
	return units, amount
}
