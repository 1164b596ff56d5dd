package order

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Messages of locations and carriers may come twice, late, or in another sequence than they were
// sent in. One whose effect is there already changes nothing (done). One that reports
// what has since become impossible (late) is refused and opens an exception, because
// somebody did something with goods that the order says it did not. Parts of a
// fulfillment, as a pick or shipment of some units, are counted as they come: only an idempotency key
// tells that they came twice.

var (
	begun   = []FulfillmentStatus{FulfillmentAccepted, FulfillmentPicked, FulfillmentPacked, FulfillmentReady, FulfillmentShipped, FulfillmentHandedOver, FulfillmentDelivered, FulfillmentLost}
	closed  = []FulfillmentStatus{FulfillmentRejected, FulfillmentCancelled}
	hasLeft = []FulfillmentStatus{FulfillmentShipped, FulfillmentHandedOver, FulfillmentDelivered}
)

// done reports that the effect of a step is there already, because its message came
// before, or a later one implied it.
func (f *Fulfillment) done(s *Step) bool {
	in := func(states ...FulfillmentStatus) bool { return slices.Contains(states, f.Status) }
	switch s.Command {
	case "accept":
		return in(begun...)
	case "reject":
		return in(closed...) && f.has(s.Lines, func(l *FulfillmentLine) int64 { return l.Rejected + l.Cancelled + l.Withdrawn })
	case "pick":
		return f.donePick(s)
	case "pack":
		return in(begun[2:]...) && f.knows(s.Parcels)
	case "ship":
		left := in(FulfillmentShipped, FulfillmentDelivered, FulfillmentLost) || f.Via != "" && in(FulfillmentReady, FulfillmentHandedOver)
		return left && f.knows(s.Parcels) && f.has(s.Lines, func(l *FulfillmentLine) int64 { return l.Shipped + l.Lost })
	case "ready":
		return in(FulfillmentReady, FulfillmentHandedOver)
	case "handover":
		return in(FulfillmentHandedOver) && f.has(s.Lines, func(l *FulfillmentLine) int64 { return l.Shipped })
	case "deliver":
		return in(FulfillmentDelivered)
	case "stopped":
		return f.Stop == nil && f.StopAnswer == AnswerStopped && !in(hasLeft...)
	case "refuse_stop":
		return f.Stop == nil && f.StopAnswer == AnswerRefused
	case "uncollected":
		return in(closed...) && f.has(s.Lines, func(l *FulfillmentLine) int64 { return l.Cancelled })
	case "delay":
		return in(closed...) || in(FulfillmentDelivered, FulfillmentHandedOver) || !s.ExpectedAt.IsZero() && s.ExpectedAt.Equal(f.ExpectedAt)
	case "arrive":
		return !f.CustomerAt.IsZero() || in(FulfillmentHandedOver)
	case "lose":
		return in(FulfillmentLost) && !f.Undeliverable
	case "undeliverable":
		return in(FulfillmentLost) && f.Undeliverable
	}
	return false
}

func (f *Fulfillment) donePick(s *Step) bool {
	if len(s.Lines) == 0 {
		return slices.Contains(begun[1:], f.Status)
	}
	if !slices.Contains(begun[1:], f.Status) && !slices.Contains(closed, f.Status) {
		return false
	}
	for _, q := range s.Lines {
		l := f.line(q.Line)
		if l == nil || q.Quantity < 0 || q.Short < 0 || q.Quantity > l.Picked+l.Lost || q.Short > l.Short {
			return false
		}
	}
	return true
}

// has reports that units were counted already; without lines, that some or all were, as the state says.
func (f *Fulfillment) has(lines []LineQuantity, counted func(*FulfillmentLine) int64) bool {
	for _, q := range lines {
		l := f.line(q.Line)
		if l == nil || q.Short != 0 || q.Quantity < 1 || q.Quantity > counted(l) {
			return false
		}
	}
	return true
}

// knows reports that a message tells of no parcel that was not told of before.
func (f *Fulfillment) knows(parcels []Parcel) bool {
	return !slices.ContainsFunc(parcels, func(p Parcel) bool { return p.named() && !f.told(p) })
}

// named reports that the parcel can be told from others.
func (p Parcel) named() bool { return p.ID != "" || p.Tracking != "" }

func (f *Fulfillment) told(p Parcel) bool {
	return slices.ContainsFunc(f.Parcels, func(q Parcel) bool { return p.ID == q.ID && p.Carrier == q.Carrier && p.Tracking == q.Tracking })
}

// further are the parcels of a message without those that were told of before.
func (f *Fulfillment) further(parcels []Parcel) (out []Parcel) {
	for _, p := range parcels {
		if !p.named() || !f.told(p) {
			out = append(out, p)
		}
	}
	return out
}

// addsParcels reports a step that comes after its effect and has nothing new but parcels.
func (f *Fulfillment) addsParcels(s *Step) bool {
	if len(s.Parcels) == 0 || s.Command != "pack" && s.Command != "ship" || f.knows(s.Parcels) {
		return false
	}
	known := *s
	known.Parcels = nil
	return f.Status != FulfillmentLost && f.done(&known)
}

// late reports a message that says something happened to units which are not, or no longer, there
// for it to happen to.
func (f *Fulfillment) late(s *Step) bool {
	in := func(states ...FulfillmentStatus) bool { return slices.Contains(states, f.Status) }
	gone := in(closed...) || in(FulfillmentHeld)
	switch s.Command {
	case "ship", "ready", "handover":
		return gone || in(FulfillmentLost) || f.beyond(s.Lines)
	case "deliver":
		return gone || in(FulfillmentLost)
	case "stopped":
		return f.Stop == nil && in(hasLeft...)
	case "uncollected":
		return f.Via == "" && in(FulfillmentHandedOver)
	case "delay":
		return in(FulfillmentLost)
	case "lose", "undeliverable":
		return gone || in(FulfillmentLost, FulfillmentDelivered)
	}
	return false
}

// beyond reports units that were here once and are not any more.
func (f *Fulfillment) beyond(lines []LineQuantity) bool {
	beyond := false
	for _, q := range lines {
		l := f.line(q.Line)
		if l == nil || q.Quantity < 0 || q.Quantity > l.Quantity+l.Rejected+l.Short+l.Cancelled+l.Withdrawn {
			return false // it never was
		}
		beyond = beyond || q.Quantity > l.Quantity-l.Shipped && q.Quantity <= l.Quantity-l.Shipped+l.Rejected+l.Short+l.Cancelled+l.Withdrawn
	}
	return beyond
}

// Late gives the exception for a message that Decide refused with CodeLate; none when one
// about the fulfillment is open already.
func (o *Order) Late(fulfillmentID string, s Step, at time.Time) []Event {
	f := o.Fulfillment(fulfillmentID)
	if f == nil {
		return nil
	}
	data := map[string]string{"command": s.Command, "status": string(f.Status)}
	if len(s.Lines) > 0 {
		data["lines"] = describe(s.Lines)
	}
	if s.Reason != "" {
		data["reason"] = s.Reason
	}
	var tracking []string
	for _, p := range s.Parcels {
		if p.Tracking != "" {
			tracking = append(tracking, p.Tracking)
		}
	}
	if len(tracking) > 0 {
		data["tracking"] = cut(strings.Join(tracking, ","))
	}
	x := o.Raise(Exception{
		Type: ExceptionLate, FulfillmentID: f.ID, By: "core", Data: data,
		Message: fmt.Sprintf("%s reports %s of fulfillment %s, of which units were taken back: it is %s", f.Location, s.Command, f.ID, f.Status),
	}, at)
	if x == nil {
		return nil
	}
	return []Event{*x}
}

// cut bounds what an exception keeps of a message.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), MaxTextBytes)], "") }
