package exception

// The types that the product itself opens, and those that the ready flows do.
var types = []Type{
	{ID: "acceptance_overdue", Title: "Acceptance overdue", Meaning: "A location has not said that it will do the work", Team: TeamStores, Concern: ConcernFulfillment, Promise: true, Seconds: 120, Fixes: []string{FixResource, FixRemind, FixWait, FixCancelUnits, FixClose}},
	{ID: "amount_differs", Title: "Amount differs", Meaning: "The provider's report says another amount than the order", Team: TeamPayments, Concern: ConcernAmount, Seconds: 600, Fixes: []string{FixWriteOff, FixWait, FixClose}},
	{ID: "approval_needed", Title: "Approval needed", Meaning: "Somebody with the right to it must approve", Team: TeamService, Concern: ConcernOrder, Seconds: 180, Fixes: []string{FixReleaseHold, FixCancelUnits, FixWait, FixClose}},
	{ID: "approval_overdue", Title: "Approval overdue", Meaning: "Nobody approved in time", Team: TeamService, Concern: ConcernOrder, Promise: true, Seconds: 180, Fixes: []string{FixReleaseHold, FixCancelUnits, FixWait, FixClose}},
	{ID: "attempts_exhausted", Title: "Attempts exhausted", Meaning: "Units came back from so many locations that no other is asked by itself", Team: TeamOperations, Concern: ConcernUnplaced, Promise: true, Seconds: 300, Fixes: []string{FixRetrySourcing, FixShipFrom, FixCancelUnits, FixWait, FixClose}},
	{ID: "backorder_overdue", Title: "Backorder overdue", Meaning: "Units wait for stock for longer than they should", Team: TeamInventory, Concern: ConcernUnplaced, Promise: true, Seconds: 240, Fixes: []string{FixRetrySourcing, FixShipFrom, FixWait, FixCancelUnits, FixClose}},
	{ID: "carrier_lost", Title: "Lost by the carrier", Meaning: "The carrier lost units on their way", Team: TeamCarriers, Concern: ConcernFulfillment, Promise: true, Seconds: 300, Fixes: []string{FixReship, FixWriteOff, FixWait, FixClose}},
	{ID: "customer_waiting", Title: "Customer waits", Meaning: "The customer is there, and nobody has brought the goods out", Team: TeamStores, Concern: ConcernFulfillment, Seconds: 60, Fixes: []string{FixRemind, FixWait, FixClose}},
	{ID: "delivery_overdue", Title: "Delivery overdue", Meaning: "A parcel should have arrived and nobody says that it did", Team: TeamCarriers, Concern: ConcernFulfillment, Promise: true, Seconds: 240, Fixes: []string{FixWait, FixReship, FixWriteOff, FixClose}},
	{ID: "disposition_overdue", Title: "Returned goods without a place", Meaning: "Goods that came back were looked at, and nobody has said where they go", Team: TeamReturns, Concern: ConcernAmount, Seconds: 120, Fixes: []string{FixRestock, FixWait, FixClose}},
	{ID: "exchange_unpaid", Title: "Exchange not paid for", Meaning: "The replacement left, and what came back for it was not accepted", Team: TeamReturns, Concern: ConcernAmount, Seconds: 300, Fixes: []string{FixWriteOff, FixWait, FixClose}},
	{ID: "flow_action_failed", Title: "Step of a flow failed", Meaning: "A flow asked for something that the order does not allow", Team: TeamIT, Concern: ConcernOrder, Seconds: 300, Fixes: []string{FixRetrySourcing, FixWait, FixClose}},
	{ID: "flow_loop", Title: "Flow went round in circles", Meaning: "The flows of an order set each other off for ever and were stopped", Team: TeamIT, Concern: ConcernOrder, Seconds: 600, Fixes: []string{FixWait, FixClose}},
	{ID: "flow_missed", Title: "Event nobody expected", Meaning: "Something happened that the order's flow has no step for", Team: TeamIT, Concern: ConcernOrder, Seconds: 300, Fixes: []string{FixWait, FixClose}},
	{ID: "held_too_long", Title: "Held too long", Meaning: "Units are allocated and on hold for longer than they should be", Team: TeamOperations, Concern: ConcernFulfillment, Promise: true, Seconds: 120, Fixes: []string{FixReleaseHold, FixResource, FixCancelUnits, FixWait, FixClose}},
	{ID: "hold_expired", Title: "Hold ran out", Meaning: "A hold ran out and nobody decided about it", Team: TeamOperations, Concern: ConcernOrder, Promise: true, Seconds: 180, Fixes: []string{FixReleaseHold, FixCancelUnits, FixWait, FixClose}},
	{ID: "inspection_overdue", Title: "Returned goods not looked at", Meaning: "Goods came back and nobody has looked at them", Team: TeamReturns, Concern: ConcernAmount, Seconds: 240, Fixes: []string{FixWait, FixClose}},
	{ID: "late_message", Title: "Late message", Meaning: "A location or carrier did something with units that it does not have any more", Team: TeamOperations, Concern: ConcernFulfillment, Seconds: 420, Fixes: []string{FixAcceptLateShip, FixWait, FixClose}},
	{ID: "missing_here", Title: "Missing here", Meaning: "The provider reports an operation that no order knows", Team: TeamPayments, Concern: ConcernAmount, Seconds: 600, Fixes: []string{FixWriteOff, FixWait, FixClose}},
	{ID: "missing_there", Title: "Missing at the provider", Meaning: "An order has an operation that the provider does not report", Team: TeamPayments, Concern: ConcernAmount, Seconds: 600, Fixes: []string{FixWriteOff, FixWait, FixClose}},
	{ID: "no_location", Title: "No location", Meaning: "No location can fulfil units and the policy asks a person", Team: TeamOperations, Concern: ConcernUnplaced, Promise: true, Seconds: 240, Fixes: []string{FixRetrySourcing, FixShipFrom, FixCancelUnits, FixWait, FixClose}},
	{ID: "order_overdue", Title: "Order overdue", Meaning: "An order is not finished long after it should be", Team: TeamOperations, Concern: ConcernOrder, Promise: true, Seconds: 240, Fixes: []string{FixWait, FixCancelUnits, FixClose}},
	{ID: "payment_declined", Title: "Payment declined", Meaning: "The payment provider declined", Team: TeamPayments, Concern: ConcernOrder, Seconds: 240, Fixes: []string{FixRetryPayment, FixCancelUnits, FixWait, FixClose}},
	{ID: "payment_expired", Title: "Authorization ended", Meaning: "An authorization ended before all was captured, and no other was granted", Team: TeamPayments, Concern: ConcernOrder, Seconds: 240, Fixes: []string{FixRetryPayment, FixCancelUnits, FixWait, FixClose}},
	{ID: "payment_failed", Title: "Payment failed", Meaning: "An operation at the payment provider failed for good", Team: TeamPayments, Concern: ConcernOrder, Seconds: 300, Fixes: []string{FixRetryPayment, FixWait, FixClose}},
	{ID: "payment_mismatch", Title: "Payment contradicts", Meaning: "The payment provider did something else than it was asked for, or said before; what it did is booked", Team: TeamPayments, Concern: ConcernOrder, Seconds: 480, Fixes: []string{FixWait, FixClose}},
	{ID: "payment_unknown", Title: "Payment unknown", Meaning: "Whether an operation at the payment provider took effect cannot be found out", Team: TeamPayments, Concern: ConcernOrder, Seconds: 480, Fixes: []string{FixRetryPayment, FixWait, FixClose}},
	{ID: "pickup_overdue", Title: "Not collected", Meaning: "An order waits for its customer for longer than agreed", Team: TeamStores, Concern: ConcernFulfillment, Seconds: 120, Fixes: []string{FixRemind, FixWait, FixClose}},
	{ID: "poison_message", Title: "Message that cannot be processed", Meaning: "A message was tried as often as it may be and set aside", Team: TeamIT, Concern: ConcernAmount, Seconds: 600, Fixes: []string{FixWait, FixClose}},
	{ID: "promise_at_risk", Title: "Promise at risk", Meaning: "The date the customer was told will probably not be kept", Team: TeamOperations, Concern: ConcernFulfillment, Promise: true, Seconds: 180, Fixes: []string{FixResource, FixRemind, FixChangeService, FixWait, FixClose}},
	{ID: "reconciliation_difference", Title: "Reconciliation difference", Meaning: "The provider's report and the orders disagree", Team: TeamPayments, Concern: ConcernAmount, Seconds: 600, Fixes: []string{FixWriteOff, FixWait, FixClose}},
	{ID: "return_delayed", Title: "Return delayed", Meaning: "A carrier has had goods on their way back for longer than it should", Team: TeamCarriers, Concern: ConcernAmount, Seconds: 180, Fixes: []string{FixWait, FixCloseReturn, FixClose}},
	{ID: "return_overdue", Title: "Return overdue", Meaning: "Goods that were to come back have not", Team: TeamReturns, Concern: ConcernAmount, Seconds: 180, Fixes: []string{FixWait, FixCloseReturn, FixClose}},
	{ID: "return_stuck", Title: "Return without an end", Meaning: "A return's time is over and it has not ended", Team: TeamReturns, Concern: ConcernAmount, Seconds: 180, Fixes: []string{FixCloseReturn, FixWait, FixClose}},
	{ID: "return_unexpected", Title: "Unexpected return", Meaning: "Goods came back that nobody announced, or not as announced", Team: TeamReturns, Concern: ConcernAmount, Seconds: 300, Fixes: []string{FixRestock, FixCloseReturn, FixWait, FixClose}},
	{ID: "shipment_overdue", Title: "Shipment overdue", Meaning: "A location should have shipped and has not", Team: TeamStores, Concern: ConcernFulfillment, Promise: true, Seconds: 180, Fixes: []string{FixRemind, FixResource, FixWait, FixCancelUnits, FixClose}},
	{ID: "stock_short", Title: "Stock short", Meaning: "Stock that orders were given is not there, and no other location has it", Team: TeamInventory, Concern: ConcernUnplaced, Promise: true, Seconds: 300, Fixes: []string{FixRetrySourcing, FixShipFrom, FixCancelUnits, FixWait, FixClose}},
	{ID: "stop_unanswered", Title: "Stop not answered", Meaning: "A location was asked to stop and did not answer in time", Team: TeamStores, Concern: ConcernFulfillment, Seconds: 150, Fixes: []string{FixRemind, FixWait, FixClose}},
	{ID: "undeliverable", Title: "Undeliverable", Meaning: "The carrier brought units back because they could not be delivered", Team: TeamService, Concern: ConcernFulfillment, Promise: true, Seconds: 420, Fixes: []string{FixReleaseHold, FixCancelUnits, FixWait, FixClose}},
}

// DefaultSeconds is what an action is taken to need when nothing is stated for it.
const DefaultSeconds = 60

// actionSeconds is what a person is stated to need for an action, by the operation's id in the API. Figures are
// set, not measured: callers who measure say so with each request.
var actionSeconds = map[string]int64{
	"createOrder": 240, "cancelOrder": 90, "editOrder": 180, "holdOrder": 45, "releaseOrder": 45, "adjustOrder": 120, "reshipOrder": 120,
	"substituteLine": 180, "addNote": 40, "refundOrder": 120, "retryPayments": 60, "approveAdjustment": 60, "declineAdjustment": 60,
	"acceptFulfillment": 15, "rejectFulfillment": 30, "pickFulfillment": 60, "packFulfillment": 60, "shipFulfillment": 30,
	"readyFulfillment": 30, "handoverFulfillment": 90, "deliverFulfillment": 15,
	"authorizeReturn": 120, "exchangeOrder": 180, "receiveBlindReturn": 60, "sendReturn": 15, "receiveReturn": 30, "inspectReturn": 90,
	"disposeReturn": 30, "cancelReturn": 45, "closeReturn": 45,
	"claimException": 10, "releaseException": 10, "closeException": 60, "applyFix": 60, "bulkFix": 60, "touch": 60,
}

// SecondsFor is what a person is stated to need for an action about an exception type ("": none).
func SecondsFor(action, cause string) int64 {
	if action == "applyFix" && Known(cause) {
		return Lookup(cause).Seconds
	}
	if s, ok := actionSeconds[action]; ok {
		return s
	}
	return DefaultSeconds
}
