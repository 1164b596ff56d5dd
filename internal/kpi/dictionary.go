package kpi

import "fmt"

// Units of values.
const (
	UnitShare   = "share"       // 0 to 1
	UnitCount   = "count"       // how many
	UnitRatio   = "per_order"   // how many an order
	UnitSeconds = "seconds"     // a duration
	UnitDays    = "days"        // an age in whole days
	UnitMoney   = "minor_units" // of the currency, an order
)

// What is better.
const (
	BetterUp   = "up"
	BetterDown = "down"
	BetterNone = "" // it describes, it does not judge
)

// When a KPI's order, unit or duration counts: on which day, in UTC.
const (
	OnCapture    = "capture"    // the day the order was captured
	OnDecision   = "decision"   // the day its units were first placed or had to wait
	OnShipment   = "shipment"   // the day the last of its units left, the first time
	OnCompletion = "completion" // the day the order was delivered or cancelled, the first time
	OnEvent      = "event"      // the day it happened
	OnQuestion   = "question"   // as it is now, by the day of the capture
)

// Where it counts.
const (
	AtOrder       = "order"       // at the location that had the first fulfillment of the order; "" before there was one
	AtFulfillment = "fulfillment" // at the location of the fulfillment
)

// Definition is what a KPI means.
type Definition struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Sentence says what it is, Excluded what is not in it.
	Sentence string `json:"sentence"`
	Unit     string `json:"unit"`
	// Numerator and Denominator say what is divided. A quantile has no denominator; its numerator is what was measured.
	Numerator   string `json:"numerator"`
	Denominator string `json:"denominator,omitempty"`
	Day         string `json:"day"`
	Place       string `json:"place"`
	Excluded    string `json:"excluded,omitempty"`
	Better      string `json:"better,omitempty"`
	// Source is where the definition comes from.
	Source string `json:"source"`
	// Keyed KPIs have one value for each reason, type or cause.
	Keyed bool `json:"keyed,omitempty"`

	calc calc
}

// calc is how a KPI is calculated: one of a ratio of counts, a sum (over is none), a quantile of a stage, parts of a kind, or the backlog.
type calc struct {
	how      how
	top      []count // added up
	over     []count
	stage    stage
	quantile float64
	kind     kind
}

type how uint8

const (
	ratio how = iota
	total
	quantile
	parts
	backlog
	backlogAge
)

const (
	scor     = "SCOR (ASCM)"
	otifNote = "OTIF as retailers use it (McKinsey and Trading Partner Alliance, 2019), measured by the order against the first promise"
	own      = "Orderly"
	trade    = "usual in retail"
)

const (
	servedText = "orders delivered, or cancelled because there was no stock"
	withdrawn  = "Orders that were cancelled as a whole for any other reason: the customer did not want them any more."
)

// Dictionary lists all KPIs in the order in which they are to be read.
func Dictionary() []Definition { return dictionary }

// Find returns the definition of a KPI.
func Find(id string) (Definition, bool) {
	for i := range dictionary {
		if dictionary[i].ID == id {
			return dictionary[i], true
		}
	}
	return Definition{}, false
}

var dictionary = build()

func build() []Definition {
	var out []Definition
	for _, group := range [][]Definition{promiseKPIs(), fillKPIs(), costKPIs(), cycleKPIs(), troubleKPIs(), effortKPIs(), flowKPIs()} {
		out = append(out, group...)
	}
	return out
}

func share(top, over count) calc { return calc{how: ratio, top: []count{top}, over: []count{over}} }

func promiseKPIs() []Definition {
	return []Definition{
		{
			ID: "perfect_order", Title: "Perfect orders", Unit: UnitShare, Better: BetterUp, Day: OnCompletion, Place: AtOrder, Source: scor + ", RL.1.1",
			Sentence:  "The share of orders that arrived in full, by the first promise, with nothing lost or brought back on the way.",
			Numerator: "of them, delivered in full and on time, nothing lost or undeliverable", Denominator: servedText,
			Excluded: withdrawn + " Returns come later and do not count against it. An order without a promised date counts as on time.",
			calc:     share(ordersPerfect, ordersServed),
		},
		{
			ID: "otif", Title: "On time in full", Unit: UnitShare, Better: BetterUp, Day: OnCompletion, Place: AtOrder, Source: otifNote,
			Sentence:  "The share of promised orders that arrived by the first promise with every unit that was wanted.",
			Numerator: "of them, on time by the first promise and in full", Denominator: servedText + ", that had a promised date",
			Excluded: withdrawn + " Orders without a promised date. Units that the customer cancelled do not count as missing.",
			calc:     share(ordersOnTimeInFull, ordersPromised),
		},
		{
			ID: "promise_kept", Title: "First promise kept", Unit: UnitShare, Better: BetterUp, Day: OnCompletion, Place: AtOrder, Source: own,
			Sentence:  "The share of promised orders whose last unit arrived, or was ready for pickup, by the first date that was given for the whole order.",
			Numerator: "of them, arrived or ready by the first promise", Denominator: servedText + ", that had a promised date",
			Excluded: withdrawn + " Orders without a promised date. The first promise is the one there is once all units have a location.",
			calc:     share(ordersKept, ordersPromised),
		},
		{
			ID: "latest_promise_kept", Title: "Latest promise kept", Unit: UnitShare, Better: BetterUp, Day: OnCompletion, Place: AtOrder, Source: own,
			Sentence:  "The share of promised orders whose last unit arrived by the date the customer was told last.",
			Numerator: "of them, arrived or ready by the last promise", Denominator: servedText + ", that had a promised date",
			Excluded: withdrawn + " Orders without a promised date. Beside promise_kept it shows how much moving the date hides.",
			calc:     share(ordersKeptLast, ordersPromised),
		},
		{
			ID: "promise_changed", Title: "Promise changed", Unit: UnitShare, Better: BetterDown, Day: OnCompletion, Place: AtOrder, Source: own,
			Sentence:  "The share of completed orders whose customer was told another date at least once.",
			Numerator: "of them, with a changed promise", Denominator: "orders delivered or cancelled", calc: share(ordersMoved, ordersCompleted),
		},
	}
}

func fillKPIs() []Definition {
	return []Definition{
		{
			ID: "fill_rate", Title: "Unit fill rate", Unit: UnitShare, Better: BetterUp, Day: OnCompletion, Place: AtOrder, Source: scor + ", unit fill rate",
			Sentence:  "The share of wanted units that reached the customer.",
			Numerator: "units that reached the customer", Denominator: "units ordered, less those the customer cancelled, of " + servedText,
			Excluded: withdrawn + " Units that were not collected count as cancelled.", calc: share(unitsDelivered, unitsWanted),
		},
		{
			ID: "first_fill_rate", Title: "Filled at once", Unit: UnitShare, Better: BetterUp, Day: OnDecision, Place: AtOrder, Source: trade,
			Sentence:  "The share of units that had a location at the first decision about their order, without waiting for stock.",
			Numerator: "units that a location had after the first decision", Denominator: "units wanted then", calc: share(unitsPlacedAtOnce, unitsDecided),
		},
		{
			ID: "backorder_rate", Title: "Backordered orders", Unit: UnitShare, Better: BetterDown, Day: OnDecision, Place: AtOrder, Source: trade,
			Sentence:  "The share of orders of which units had to wait for stock at the first decision.",
			Numerator: "of them, with backordered units", Denominator: "orders decided for the first time", calc: share(ordersBackordered, ordersDecided),
		},
		{
			ID: "split_rate", Title: "Split orders", Unit: UnitShare, Better: BetterDown, Day: OnShipment, Place: AtOrder, Source: trade,
			Sentence:  "The share of shipped orders that left in more than one shipment.",
			Numerator: "of them, with more than one fulfillment from which something left", Denominator: "orders of which everything left", calc: share(ordersSplit, ordersShipped),
		},
		{
			ID: "shipments_per_order", Title: "Shipments per order", Unit: UnitRatio, Better: BetterDown, Day: OnShipment, Place: AtOrder, Source: trade,
			Sentence:  "How many shipments and pickups a shipped order took.",
			Numerator: "fulfillments from which something left", Denominator: "orders of which everything left", calc: share(shipments, ordersShipped),
		},
	}
}

func costKPIs() []Definition {
	return []Definition{{
		ID: "cost_per_order", Title: "Fulfillment cost per order", Unit: UnitMoney, Better: BetterDown, Day: OnShipment, Place: AtOrder, Source: scor + ", CO.1.1 (the cost of sourcing and shipping in it)",
		Sentence:  "What shipping an order was expected to cost when its locations were chosen, by the terms of the sourcing policy.",
		Numerator: "cost of the fulfillments from which something left, minor units", Denominator: "orders of which everything left",
		Excluded: "What carriers bill afterwards. Amounts of different currencies are not added: there is one value for each.", calc: share(shippingCost, ordersShipped),
	}}
}

// cycles are the durations of an order's life, with what begins and ends them.
var cycles = []struct {
	stage        stage
	title, place string
	from, to     string
	day          string
}{
	{placedToSourced, "Placed to sourced", AtOrder, "the customer placed the order", "a location had the first unit of it", OnEvent},
	{sourcedToAccepted, "Sourced to accepted", AtFulfillment, "the location was sent the fulfillment (after the last hold)", "it accepted", OnEvent},
	{acceptedToPicked, "Accepted to picked", AtFulfillment, "the location accepted", "it reported the first pick", OnEvent},
	{pickedToPacked, "Picked to packed", AtFulfillment, "the first pick was reported", "it was packed", OnEvent},
	{packedToShipped, "Packed to shipped", AtFulfillment, "it was packed", "the first parcel left", OnEvent},
	{shippedToDelivered, "Shipped to delivered", AtFulfillment, "the first parcel left", "the delivery was reported", OnEvent},
	{packedToReady, "Packed to ready", AtFulfillment, "it was packed, or picked where nobody packs", "it was ready for pickup", OnEvent},
	{readyToCollected, "Ready to collected", AtFulfillment, "it was ready for pickup", "the customer collected it", OnEvent},
	{placedToDelivered, "Placed to delivered", AtOrder, "the customer placed the order", "the last unit was delivered, or ready for pickup", OnCompletion},
}

func cycleKPIs() []Definition {
	var out []Definition
	for _, c := range cycles {
		for _, q := range quantiles {
			out = append(out, Definition{
				ID: c.stage.String() + q.suffix, Title: c.title + ", " + q.title, Unit: UnitSeconds, Better: BetterDown, Day: c.day, Place: c.place, Source: scor + ", RS.1.1 by stage",
				Sentence:  fmt.Sprintf("The time that %s of all took at most, from when %s until %s.", q.words, c.from, c.to),
				Numerator: "what took that step, counted when it was done for the first time",
				Excluded:  fmt.Sprintf("What has not come so far yet. Steps that a location skipped take no time. Off by at most %.0f %%.", 100*MaxQuantileError),
				calc:      calc{how: quantile, stage: c.stage, quantile: q.q},
			})
		}
	}
	return out
}

var quantiles = []struct {
	suffix, title, words string
	q                    float64
}{{"_p50", "median", "half", 0.5}, {"_p90", "90 %", "nine of ten", 0.9}}

// lasting makes the quantiles of how long something lasted.
func lasting(s stage, title, what string) []Definition {
	var out []Definition
	for _, q := range quantiles {
		out = append(out, Definition{
			ID: s.String() + q.suffix, Title: title + ", " + q.title, Unit: UnitSeconds, Better: BetterDown, Day: OnEvent, Place: AtOrder, Source: own,
			Sentence:  fmt.Sprintf("The time that %s of all %s lasted at most.", q.words, what),
			Numerator: what + " that ended", Excluded: fmt.Sprintf("Those that last still. Off by at most %.0f %%.", 100*MaxQuantileError),
			calc: calc{how: quantile, stage: s, quantile: q.q},
		})
	}
	return out
}

func troubleKPIs() []Definition {
	out := []Definition{
		{
			ID: "reject_rate", Title: "Rejected units", Unit: UnitShare, Better: BetterDown, Day: OnEvent, Place: AtFulfillment, Source: trade,
			Sentence:  "The share of units that locations refused, of those they answered for.",
			Numerator: "units rejected", Denominator: "units rejected, picked or not found",
			calc: calc{how: ratio, top: []count{unitsRejected}, over: []count{unitsRejected, unitsPicked, unitsShort}},
		},
		{
			ID: "reject_reasons", Title: "Reasons of rejections", Unit: UnitShare, Day: OnEvent, Place: AtFulfillment, Source: own, Keyed: true,
			Sentence: "The share of each reason in the units that locations refused.", Numerator: "units rejected for the reason", Denominator: "units rejected",
			calc: calc{how: parts, kind: byRejectReason},
		},
		{
			ID: "short_rate", Title: "Short picks", Unit: UnitShare, Better: BetterDown, Day: OnEvent, Place: AtFulfillment, Source: trade,
			Sentence: "The share of units that could not be found when they were to be picked.", Numerator: "units not found", Denominator: "units picked or not found",
			calc: calc{how: ratio, top: []count{unitsShort}, over: []count{unitsPicked, unitsShort}},
		},
		{
			ID: "cancel_rate", Title: "Cancelled orders", Unit: UnitShare, Better: BetterDown, Day: OnCompletion, Place: AtOrder, Source: trade,
			Sentence: "The share of completed orders of which nothing was delivered.", Numerator: "orders cancelled as a whole", Denominator: "orders delivered or cancelled",
			calc: share(ordersCancelled, ordersCompleted),
		},
		{
			ID: "cancel_reasons", Title: "Reasons of cancellations", Unit: UnitShare, Day: OnEvent, Place: AtFulfillment, Source: own, Keyed: true,
			Sentence: "The share of each reason in the units that were cancelled.", Numerator: "units cancelled for the reason", Denominator: "units cancelled",
			Excluded: "Nothing. Units that nobody had are counted where the order is.", calc: calc{how: parts, kind: byCancelReason},
		},
		{
			ID: "lost_rate", Title: "Lost or undeliverable units", Unit: UnitShare, Better: BetterDown, Day: OnEvent, Place: AtFulfillment, Source: trade,
			Sentence: "Units that left and never arrived, for each that left.", Numerator: "units lost or brought back undelivered", Denominator: "units that left",
			calc: share(unitsLost, unitsShipped),
		},
		{
			ID: "return_rate", Title: "Returned units", Unit: UnitShare, Better: BetterDown, Day: OnEvent, Place: AtOrder, Source: trade,
			Sentence: "Units that came back, for each that left in the same time.", Numerator: "units returned", Denominator: "units that left",
			Excluded: "It compares flows, not the same units: those that come back this week left earlier. A return counts at the order's first location, what left at its own.",
			calc:     share(unitsReturned, unitsShipped),
		},
	}
	return append(out, lasting(heldTime, "Time held", "holds")...)
}

func effortKPIs() []Definition {
	out := []Definition{
		{
			ID: "touchless_share", Title: "Touchless orders", Unit: UnitShare, Better: BetterUp, Day: OnCompletion, Place: AtOrder, Source: "straight-through processing",
			Sentence: "The share of completed orders that no person had to do anything about.", Numerator: "of them, without a touch", Denominator: "orders delivered or cancelled",
			Excluded: "Work at locations, like picking, is no touch. Touches after the completion do not count here.", calc: share(ordersUntouched, ordersCompleted),
		},
		{
			ID: "touches_per_order", Title: "Touches per order", Unit: UnitRatio, Better: BetterDown, Day: OnCompletion, Place: AtOrder, Source: own,
			Sentence: "How often a person did something about an order until it was completed.", Numerator: "touches of them", Denominator: "orders delivered or cancelled",
			calc: share(touchesCompleted, ordersCompleted),
		},
		{
			ID: "touch_seconds_per_order", Title: "Work per order", Unit: UnitSeconds, Better: BetterDown, Day: OnCompletion, Place: AtOrder, Source: own,
			Sentence: "How long people worked on an order until it was completed.", Numerator: "seconds of their touches", Denominator: "orders delivered or cancelled",
			Excluded: "Seconds are those the caller stated, else those that are set for the action or for the type of the exception that was worked on.", calc: share(touchSecondsCompleted, ordersCompleted),
		},
		keyed("touch_causes", "Causes of touches", "cause", "touches", byTouchCause),
		keyed("touch_actions", "Actions of touches", "action", "touches", byTouchAction),
		{
			ID: "exceptions_per_order", Title: "Exceptions per order", Unit: UnitRatio, Better: BetterDown, Day: OnEvent, Place: AtOrder, Source: own,
			Sentence: "Exceptions that were opened, for each order captured in the same time.", Numerator: "exceptions opened", Denominator: "orders captured",
			calc: share(exceptionsOpened, ordersCaptured),
		},
		keyed("exceptions_by_type", "Exceptions by type", "type", "exceptions opened", byExceptionType),
		keyed("holds_by_type", "Holds by type", "type", "holds placed", byHoldType),
	}
	return append(out, lasting(exceptionTime, "Exceptions open", "exceptions")...)
}

// keyed is a KPI of the parts of what happened to orders.
func keyed(id, title, key, what string, k kind) Definition {
	return Definition{
		ID: id, Title: title, Unit: UnitShare, Day: OnEvent, Place: AtOrder, Source: own, Keyed: true,
		Sentence:  fmt.Sprintf("The share of each %s in the %s.", key, what),
		Numerator: what + " of the " + key, Denominator: what, calc: calc{how: parts, kind: k},
	}
}

func flowKPIs() []Definition {
	out := []Definition{
		sum("orders_captured", "Orders captured", "Orders that were captured.", OnCapture, ordersCaptured),
		sum("orders_delivered", "Orders delivered", "Orders that were delivered or collected, the first time.", OnCompletion, ordersDelivered),
		{
			ID: "backlog", Title: "Backlog", Unit: UnitCount, Better: BetterDown, Day: OnQuestion, Place: AtOrder, Source: trade,
			Sentence: "Orders of which units are still to leave, now.", Numerator: "orders captured, less those of which everything left or was cancelled",
			Excluded: fmt.Sprintf("Orders captured more than %d days ago. It is as of now, whatever days are asked for; by day, it is by the day of the capture. An order counts where its first location was when it was captured.", RetentionDays),
			calc:     calc{how: backlog},
		},
	}
	for _, q := range quantiles {
		out = append(out, Definition{
			ID: "backlog_age" + q.suffix, Title: "Age of the backlog, " + q.title, Unit: UnitDays, Better: BetterDown, Day: OnQuestion, Place: AtOrder, Source: trade,
			Sentence:  fmt.Sprintf("The age in days that %s of the orders in the backlog do not exceed.", q.words),
			Numerator: "orders in the backlog", Excluded: "As of backlog.", calc: calc{how: backlogAge, quantile: q.q},
		})
	}
	return append(out, keyed("events_by_type", "Events by type", "type", "events of orders", byEvent))
}

func sum(id, title, sentence, day string, what count) Definition {
	return Definition{
		ID: id, Title: title, Unit: UnitCount, Day: day, Place: AtOrder, Source: own, Sentence: sentence, Numerator: what.String(),
		calc: calc{how: total, top: []count{what}},
	}
}
