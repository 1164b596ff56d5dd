package flow

import (
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/order"
)

const (
	eventEnter  = "enter"
	eventStart  = "start"
	timerPrefix = "timer."
	exhausted   = ".exhausted"
)

// bookkeeping are events that say what was noted, decided or asked for and are no news for a lifecycle. A
// flow may listen to them, and misses none.
var bookkeeping = []string{
	order.EventCaptured, order.EventFulfillmentCreated, order.EventReturnAuthorized, // they begin an instance
	order.EventNoted, order.EventTouched, order.EventAttributeSet, order.EventNotify, order.EventSourced, order.EventRetryScheduled,
	order.EventExceptionOpened, order.EventExceptionClaimed, order.EventExceptionClosed,
	order.EventFlowMoved, order.EventFlowMissed, order.EventFlowMigrated, order.EventFulfillmentReminded,
	order.EventPaymentPlanned, order.EventPaymentRequested, order.EventPaymentRecorded, order.EventPaymentInquiry, order.EventPaymentUnanswered,
	order.EventPaymentSucceeded, order.EventPaymentUnknown, order.EventPaymentExpiring, order.EventPaymentExpired, order.EventPaymentRetried,
	order.EventPaymentAbandoned, order.EventPaymentRefund, order.EventPaymentAsked,
	order.EventBaseline,
}

// prefixes say which events reach the flows of a subject; of those with the first prefixes a flow
// must say what it does, or they are missed.
var prefixes = map[string]struct{ own, others []string }{
	SubjectOrder:       {own: []string{"order.", "payment."}, others: []string{"fulfillment.", "return.", "exception."}},
	SubjectFulfillment: {own: []string{"fulfillment."}, others: []string{"exception."}},
	SubjectReturn:      {own: []string{"return."}, others: []string{"exception."}},
}

func hasPrefix(event string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(event, p) })
}

// Reaches reports whether events of a type reach the flows of a subject: those about the subject
// itself, of an order also those about its parts.
func Reaches(subject, event string) bool {
	p := prefixes[subject]
	return hasPrefix(event, p.own) || hasPrefix(event, p.others)
}

// answersFor reports whether a flow of the subject misses an event of a type that nothing in it takes or ignores.
func answersFor(subject, event string) bool {
	return hasPrefix(event, prefixes[subject].own) && !slices.Contains(bookkeeping, event)
}

// EventsOf lists the types of events that reach the flows of a subject.
func EventsOf(subject string) (out []string) {
	for _, e := range order.EventTypes {
		if Reaches(subject, e) {
			out = append(out, e)
		}
	}
	return out
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
