package order_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// placed is an order of 3 + 2 units, all of them at dc.
func placed(t *testing.T, method order.Method) *order.Order {
	t.Helper()
	return place(t, capture(t, newOrder(method, 3, 2)), at("dc", lq("1", 3), lq("2", 2)))
}

func TestStepRefusals(t *testing.T) {
	t.Parallel()
	parcels := make([]order.Parcel, order.MaxParcels+1)
	for name, c := range map[string]struct {
		before        []string
		fulfillment   string
		step          order.Step
		code, pointer string
	}{
		"unknown fulfillment": {nil, "o1-9", order.Step{Command: "accept"}, order.CodeNoFulfillment, ""},
		"unknown command":     {nil, "o1-1", order.Step{Command: "burn"}, order.CodeWrongState, ""},
		"stop not asked for":  {[]string{"accept"}, "o1-1", order.Step{Command: "stopped"}, order.CodeNoStop, ""},
		"ship when rejected":  {[]string{"reject"}, "o1-1", order.Step{Command: "ship"}, order.CodeLate, ""},
		"delay until when":    {nil, "o1-1", order.Step{Command: "delay"}, order.CodeNotAllowed, "expected_at"},
		"ship until when":     {nil, "o1-1", order.Step{Command: "ship", ExpectedAt: noon}, order.CodeNotAllowed, "expected_at"},
		"accept with lines":   {nil, "o1-1", order.Step{Command: "accept", Lines: []order.LineQuantity{lq("1", 1)}}, order.CodeNotAllowed, "lines"},
		"pack with lines":     {[]string{"pick"}, "o1-1", order.Step{Command: "pack", Lines: []order.LineQuantity{lq("1", 1)}}, order.CodeNotAllowed, "lines"},
		"deliver with lines":  {[]string{"ship"}, "o1-1", order.Step{Command: "deliver", Lines: []order.LineQuantity{lq("1", 1)}}, order.CodeNotAllowed, "lines"},
		"pick with parcels":   {nil, "o1-1", order.Step{Command: "pick", Parcels: parcels[:1]}, order.CodeNotAllowed, "parcels"},
		"too many parcels":    {nil, "o1-1", order.Step{Command: "ship", Parcels: parcels}, order.CodeTooMany, "parcels"},
		"unknown line":        {nil, "o1-1", order.Step{Command: "pick", Lines: []order.LineQuantity{lq("1", 1), lq("9", 1)}}, order.CodeUnknownLine, "lines[1].line"},
		"line twice":          {nil, "o1-1", order.Step{Command: "pick", Lines: []order.LineQuantity{lq("1", 1), lq("1", 1)}}, order.CodeUnknownLine, "lines[1].line"},
		"no units":            {nil, "o1-1", order.Step{Command: "pick", Lines: []order.LineQuantity{lq("1", 0)}}, order.CodeTooMany, "lines[0].quantity"},
		"negative units":      {nil, "o1-1", order.Step{Command: "ship", Lines: []order.LineQuantity{lq("1", -1)}}, order.CodeTooMany, "lines[0].quantity"},
		"negative short":      {nil, "o1-1", order.Step{Command: "pick", Lines: []order.LineQuantity{short("1", 2, -1)}}, order.CodeTooMany, "lines[0].quantity"},
		"more than there are": {nil, "o1-1", order.Step{Command: "pick", Lines: []order.LineQuantity{short("1", 3, 1)}}, order.CodeTooMany, "lines[0].quantity"},
		"overflow":            {nil, "o1-1", order.Step{Command: "pick", Lines: []order.LineQuantity{short("1", 1<<62, 1<<62)}}, order.CodeTooMany, "lines[0].quantity"},
		"reject with short":   {nil, "o1-1", order.Step{Command: "reject", Lines: []order.LineQuantity{short("1", 0, 1)}}, order.CodeTooMany, "lines[0].short"},
		"ship with short":     {nil, "o1-1", order.Step{Command: "ship", Lines: []order.LineQuantity{short("1", 2, 1)}}, order.CodeTooMany, "lines[0].short"},
		"reject when picked":  {[]string{"pick"}, "o1-1", order.Step{Command: "reject"}, order.CodeWrongState, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := placed(t, order.Ship)
			for _, b := range c.before {
				o = step(t, o, b)
			}
			was := toJSON(t, o)
			events, err := o.Decide(c.fulfillment, c.step)
			wantRefusal(t, events, err, c.code, c.pointer)
			if got := toJSON(t, o); got != was {
				t.Errorf("the refusal changed the order to %s", got)
			}
		})
	}
	o := placed(t, order.Pickup)
	events, err := o.Decide("o1-1", order.Step{Command: "ship"})
	wantRefusal(t, events, err, order.CodeWrongMethod, "")
}

func TestParcelsAreBoundedOverSteps(t *testing.T) {
	t.Parallel()
	o := step(t, placed(t, order.Ship), "pick")
	ship := func(parcels int) ([]order.Event, error) {
		return o.Decide("o1-1", order.Step{Command: "ship", Lines: []order.LineQuantity{lq("1", 1)}, Parcels: make([]order.Parcel, parcels)})
	}
	events, err := ship(order.MaxParcels)
	if err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	events, err = ship(1)
	wantRefusal(t, events, err, order.CodeTooMany, "parcels")
}

func TestShortPick(t *testing.T) {
	t.Parallel()
	o := placed(t, order.Ship)
	events, err := o.Decide("o1-1", order.Step{Command: "pick", Reason: "empty shelf", Lines: []order.LineQuantity{short("1", 1, 2), lq("2", 2)}})
	if err != nil {
		t.Fatal(err)
	}
	next := fold(t, o, events...)
	f := next.Fulfillments[0]
	if f.Status != order.FulfillmentPicked || f.Reason != "empty shelf" || f.Lines[0].Quantity != 1 || f.Lines[0].Short != 2 {
		t.Errorf("fulfillment %+v", f)
	}
	if !slices.Equal(next.Excluded, []string{"dc"}) || next.Lines[0].Open() != 2 || next.Status != order.StatusOpen {
		t.Errorf("excluded %v, open %d, status %s", next.Excluded, next.Lines[0].Open(), next.Status)
	}
	got := order.Movements(next, &events[0])
	want := []inventory.Movement{
		{SKU: "sku1", Location: "dc", From: inventory.Allocated, To: inventory.Picked, Quantity: 1, Reason: "empty shelf"},
		{SKU: "sku1", Location: "dc", From: inventory.Allocated, To: inventory.Adjustment, Quantity: 2, Reason: "empty shelf"},
		{SKU: "sku2", Location: "dc", From: inventory.Allocated, To: inventory.Picked, Quantity: 2, Reason: "empty shelf"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("movements %+v", got)
	}
	// The short units go elsewhere and the two fulfillments run side by side.
	next = place(t, next, at("north", lq("1", 2)))
	if next.Status != order.StatusAllocated || next.Attempts != 2 || next.Fulfillments[1].ID != "o1-2" {
		t.Errorf("placed again: %s", toJSON(t, next))
	}
}

func TestShipInTwoCalls(t *testing.T) {
	t.Parallel()
	o := placed(t, order.Ship)
	o = step(t, o, "ship", lq("1", 2))
	f := o.Fulfillments[0]
	if f.Status != order.FulfillmentPacked || o.Status != order.StatusPartiallyFulfilled || f.Lines[0].Shipped != 2 {
		t.Fatalf("after the first: %s", toJSON(t, o))
	}
	events, err := o.Decide("o1-1", order.Step{Command: "ship", Lines: []order.LineQuantity{lq("1", 2)}})
	wantRefusal(t, events, err, order.CodeTooMany, "lines[0].quantity")
	o = step(t, o, "ship")
	if f = o.Fulfillments[0]; f.Status != order.FulfillmentShipped || o.Status != order.StatusFulfilled || f.Lines[1].Shipped != 2 {
		t.Fatalf("after the second: %s", toJSON(t, o))
	}
	if o = step(t, o, "deliver"); o.Status != order.StatusDelivered || !o.Status.Final() {
		t.Errorf("status %s", o.Status)
	}
}

func TestHandoverInTwoCalls(t *testing.T) {
	t.Parallel()
	o := step(t, step(t, placed(t, order.Pickup), "ready"), "handover", lq("1", 3))
	if o.Fulfillments[0].Status != order.FulfillmentReady || o.Lines[0].Fulfilled != 3 || o.Lines[1].Fulfilled != 0 {
		t.Fatalf("after the first: %s", toJSON(t, o))
	}
	o = step(t, o, "handover")
	if o.Fulfillments[0].Status != order.FulfillmentHandedOver || o.Status != order.StatusDelivered {
		t.Errorf("after the second: %s", toJSON(t, o))
	}
}

func TestRejectReasons(t *testing.T) {
	t.Parallel()
	for reason, to := range map[string]inventory.Account{
		"out_of_stock": inventory.Adjustment, "not_found": inventory.Adjustment, "damaged": inventory.Adjustment,
		"": inventory.Free, "closed": inventory.Free, "capacity": inventory.Free,
	} {
		o := placed(t, order.Ship)
		events, err := o.Decide("o1-1", order.Step{Command: "reject", Reason: reason, Lines: []order.LineQuantity{lq("2", 1)}})
		if err != nil {
			t.Fatal(err)
		}
		next := fold(t, o, events...)
		want := inventory.Movement{SKU: "sku2", Location: "dc", From: inventory.Allocated, To: to, Quantity: 1, Reason: reason}
		if got := order.Movements(next, &events[0]); len(got) != 1 || got[0] != want {
			t.Errorf("%q: movements %+v", reason, got)
		}
		if next.Fulfillments[0].Status != order.FulfillmentOpen || !slices.Equal(next.Excluded, []string{"dc"}) || next.Lines[1].Open() != 1 {
			t.Errorf("%q: %s", reason, toJSON(t, next))
		}
	}
}

// TestCancelPrefersWhatIsLeastDone has 2 units open, 2 backordered, 2 with an
// older and 2 with a newer fulfillment, and cancels more and more of them.
func TestCancelPrefersWhatIsLeastDone(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, newOrder(order.Ship, 8)), at("dc", lq("1", 2)), at("north", lq("1", 2)))
	events, err := o.Place(order.Plan{Unplaced: []order.LineQuantity{lq("1", 2)}, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon.Add(time.Hour)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	if o.Lines[0].Open() != 2 || o.Lines[0].Backordered != 2 || o.NextWake().IsZero() {
		t.Fatalf("start: %s", toJSON(t, o))
	}
	for quantity, want := range map[int64][4]int64{ // left: open, backordered, at dc, at north
		1: {1, 2, 2, 2}, 3: {0, 1, 2, 2}, 4: {0, 0, 2, 2}, 5: {0, 0, 2, 1}, 7: {0, 0, 1, 0}, 8: {0, 0, 0, 0},
	} {
		events, err := o.Cancel(order.Cancellation{Lines: []order.LineQuantity{lq("1", quantity)}, Reason: "customer"})
		if err != nil {
			t.Fatal(err)
		}
		next := fold(t, o, events...)
		l := next.Lines[0]
		got := [4]int64{l.Open(), l.Backordered, next.Fulfillments[0].Lines[0].Quantity, next.Fulfillments[1].Lines[0].Quantity}
		if got != want || l.Cancelled != quantity {
			t.Errorf("cancel %d: left %v, want %v", quantity, got, want)
		}
		if waits := want[0]+want[1] > 0; waits == next.NextWake().IsZero() {
			t.Errorf("cancel %d: timer at %v", quantity, next.NextWake())
		}
		if (quantity == 8) != (next.Status == order.StatusCancelled) {
			t.Errorf("cancel %d: status %s", quantity, next.Status)
		}
	}
}

func TestCancelRefusals(t *testing.T) {
	t.Parallel()
	shipped := step(t, placed(t, order.Ship), "ship")
	for name, c := range map[string]struct {
		o             *order.Order
		lines         []order.LineQuantity
		code, pointer string
	}{
		"unknown line":      {shipped, []order.LineQuantity{lq("9", 1)}, order.CodeUnknownLine, "lines[0].line"},
		"line twice":        {placed(t, order.Ship), []order.LineQuantity{lq("1", 1), lq("1", 1)}, order.CodeUnknownLine, "lines[1].line"},
		"nothing":           {shipped, []order.LineQuantity{lq("1", 0)}, order.CodeTooMany, "lines[0].quantity"},
		"more than ordered": {placed(t, order.Ship), []order.LineQuantity{lq("1", 4)}, order.CodeTooMany, "lines[0].quantity"},
		"shipped":           {shipped, []order.LineQuantity{lq("1", 1)}, order.CodeNotCancellable, "lines[0].quantity"},
		"all shipped":       {shipped, nil, order.CodeNotCancellable, ""},
		"second line only":  {step(t, placed(t, order.Ship), "pick", lq("2", 1)), []order.LineQuantity{lq("1", 1), lq("2", 2)}, order.CodeNotCancellable, "lines[1].quantity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, err := c.o.Cancel(order.Cancellation{Lines: c.lines})
			wantRefusal(t, events, err, c.code, c.pointer)
		})
	}
}

// TestCancelWithoutLines stops what can be stopped, and only that.
func TestCancelWithoutLines(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, newOrder(order.Ship, 4)), at("dc", lq("1", 2)))
	o = step(t, o, "ship")
	events, err := o.Cancel(order.Cancellation{})
	if err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	if o.Lines[0].Cancelled != 2 || o.Lines[0].Fulfilled != 2 || o.Status != order.StatusFulfilled {
		t.Errorf("%s", toJSON(t, o))
	}
	o = capture(t, newOrder(order.Ship, 4))
	events, err = o.Cancel(order.Cancellation{})
	if err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	events, err = o.Cancel(order.Cancellation{})
	wantRefusal(t, events, err, order.CodeWrongState, "")
}

func TestReservedUnitsAreAllocated(t *testing.T) {
	t.Parallel()
	n := order.New{Channel: "web", Currency: "EUR", Lines: []order.NewLine{{SKU: "set", Quantity: 3}, {SKU: "tent", Quantity: 1}}}
	o := capture(t, n)
	p := at("dc", lq("1", 3), lq("2", 1))
	p.Reserved = []order.LineQuantity{lq("1", 2)}
	events, err := o.Place(order.Plan{Placements: []order.Placement{p}, Unplaced: nil, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: time.Time{}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	got := order.Movements(fold(t, o, events...), &events[0])
	want := []inventory.Movement{
		{SKU: "peg", Location: "dc", From: inventory.Reserved, To: inventory.Allocated, Quantity: 4},
		{SKU: "tent", Location: "dc", From: inventory.Reserved, To: inventory.Allocated, Quantity: 2},
		{SKU: "peg", Location: "dc", From: inventory.Free, To: inventory.Allocated, Quantity: 2},
		{SKU: "tent", Location: "dc", From: inventory.Free, To: inventory.Allocated, Quantity: 1},
		{SKU: "tent", Location: "dc", From: inventory.Free, To: inventory.Allocated, Quantity: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("movements %+v", got)
	}
}

func TestPlaceAssertsThePlan(t *testing.T) {
	t.Parallel()
	o := capture(t, newOrder(order.Ship, 3, 2))
	reserved := func(r ...order.LineQuantity) order.Placement {
		return order.Placement{Location: "dc", Lines: []order.LineQuantity{lq("1", 2)}, Reserved: r}
	}
	for name, c := range map[string]struct {
		placements []order.Placement
		backorder  []order.LineQuantity
	}{
		"no location":                   {[]order.Placement{at("", lq("1", 1))}, nil},
		"no lines":                      {[]order.Placement{at("dc")}, nil},
		"unknown line":                  {[]order.Placement{at("dc", lq("9", 1))}, nil},
		"no units":                      {[]order.Placement{at("dc", lq("1", 0))}, nil},
		"line twice":                    {[]order.Placement{at("dc", lq("1", 1), lq("1", 1))}, nil},
		"more than asked, in two":       {[]order.Placement{at("dc", lq("1", 2)), at("north", lq("1", 2))}, nil},
		"more than asked, with waiting": {[]order.Placement{at("dc", lq("1", 2))}, []order.LineQuantity{lq("1", 2)}},
		"unknown backorder":             {nil, []order.LineQuantity{lq("9", 1)}},
		"reserved of another line":      {[]order.Placement{reserved(lq("2", 1))}, nil},
		"reserved more than given":      {[]order.Placement{reserved(lq("1", 3))}, nil},
		"reserved twice":                {[]order.Placement{reserved(lq("1", 1), lq("1", 1))}, nil},
		"reserved nothing":              {[]order.Placement{reserved(lq("1", 0))}, nil},
	} {
		if events, err := o.Place(order.Plan{Placements: c.placements, Unplaced: c.backorder, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon}, noon); err == nil || events != nil {
			t.Errorf("%s: got %v, %v", name, events, err)
		}
	}
	o.Fulfillments = make([]order.Fulfillment, order.MaxFulfillments)
	events, err := o.Place(order.Plan{Placements: []order.Placement{at("dc", lq("1", 1))}, Unplaced: nil, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon}, noon)
	wantRefusal(t, events, err, order.CodeTooManyFulfills, "")
}

// TestBackorderIsToldOnce: looking again in vain moves the timer and nothing else.
func TestBackorderIsToldOnce(t *testing.T) {
	t.Parallel()
	o := capture(t, newOrder(order.Ship, 3))
	missing := []order.LineQuantity{lq("1", 3)}
	events, err := o.Place(order.Plan{Unplaced: missing, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon.Add(time.Hour)}, noon)
	if err != nil || len(events) != 2 || events[0].Type != order.EventBackordered || events[1].Type != order.EventRetryScheduled {
		t.Fatalf("first: %+v, %v", events, err)
	}
	o = fold(t, o, events...)
	events, err = o.Place(order.Plan{Unplaced: missing, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon.Add(2 * time.Hour)}, noon)
	if err != nil || len(events) != 1 || events[0].Type != order.EventRetryScheduled {
		t.Fatalf("second: %+v, %v", events, err)
	}
	o = fold(t, o, events...)
	events, err = o.Place(order.Plan{Placements: []order.Placement{at("dc", lq("1", 2))}, Unplaced: []order.LineQuantity{lq("1", 1)}, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: noon.Add(3 * time.Hour)}, noon)
	if err != nil || len(events) != 2 || events[0].Type != order.EventFulfillmentCreated {
		t.Fatalf("third: %+v, %v", events, err)
	}
	if o = fold(t, o, events...); o.Lines[0].Backordered != 1 || !o.NextWake().Equal(noon.Add(3*time.Hour)) {
		t.Errorf("%s", toJSON(t, o))
	}
	if o = place(t, o, at("north", lq("1", 1))); o.Lines[0].Backordered != 0 || !o.NextWake().IsZero() {
		t.Errorf("%s", toJSON(t, o))
	}
}

// TestBackorderOfSomeThatWaitAlready: only the others are told.
func TestBackorderOfSomeThatWaitAlready(t *testing.T) {
	t.Parallel()
	o := capture(t, newOrder(order.Ship, 5))
	for _, want := range [][2]int64{{2, 2}, {5, 3}} { // waiting, told
		events, err := o.Place(order.Plan{Unplaced: []order.LineQuantity{lq("1", want[0])}, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: time.Time{}}, noon)
		if err != nil || len(events) != 1 || events[0].Lines[0].Quantity != want[1] {
			t.Fatalf("%d waiting: %+v, %v", want[0], events, err)
		}
		if o = fold(t, o, events...); o.Lines[0].Backordered != want[0] {
			t.Fatalf("%d waiting: %+v", want[0], o.Lines[0])
		}
	}
}

// TestShipTellsWhatWasNotReported: each implied step is told once.
func TestShipTellsWhatWasNotReported(t *testing.T) {
	t.Parallel()
	picked, packed, shipped := order.EventFulfillmentPicked, order.EventFulfillmentPacked, order.EventFulfillmentShipped
	for _, c := range []struct{ before, want []string }{
		{nil, []string{picked, packed, shipped}},
		{[]string{"accept"}, []string{picked, packed, shipped}},
		{[]string{"pick"}, []string{packed, shipped}},
		{[]string{"pick", "pack"}, []string{shipped}},
	} {
		o := placed(t, order.Ship)
		for _, b := range c.before {
			o = step(t, o, b)
		}
		events, err := o.Decide("o1-1", order.Step{Command: "ship"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			got = append(got, e.Type)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("after %v: %v, want %v", c.before, got, c.want)
		}
	}
}

// TestFuturesDoNotMeet folds two futures of one order: neither shows in the
// other, whatever room the lists of the order before them have.
func TestFuturesDoNotMeet(t *testing.T) {
	t.Parallel()
	o := capture(t, newOrder(order.Ship, 24))
	for i := range 6 {
		o = place(t, o, at(fmt.Sprint("l", i), lq("1", 4)))
	}
	decide := func(o *order.Order, fulfillment int, s order.Step) *order.Order {
		events, err := o.Decide(fmt.Sprint("o1-", fulfillment), s)
		if err != nil {
			t.Fatal(err)
		}
		return fold(t, o, events...)
	}
	ship := func(o *order.Order, tracking string) *order.Order {
		return decide(o, 1, order.Step{Command: "ship", Lines: []order.LineQuantity{lq("1", 1)}, Parcels: []order.Parcel{{Tracking: tracking}}})
	}
	reject := func(o *order.Order, fulfillment int) *order.Order {
		return decide(o, fulfillment, order.Step{Command: "reject"})
	}
	for i := range 3 { // three make an appended list have room for a fourth
		o = ship(o, fmt.Sprint("before ", i))
	}
	for f := 2; f < 5; f++ {
		o = reject(o, f)
	}
	one := reject(ship(o, "one"), 5)
	was := toJSON(t, one)
	reject(ship(o, "other"), 6)
	if got := toJSON(t, one); got != was {
		t.Errorf("the other future changed\n%s\nto\n%s", was, got)
	}
}

// TestFoldRefusesWhatNeverHappened: a log that does not fit its order is an error, not a panic.
func TestFoldRefusesWhatNeverHappened(t *testing.T) {
	t.Parallel()
	o := placed(t, order.Ship)
	for name, c := range map[string]struct {
		o *order.Order
		e order.Event
	}{
		"before capture":           {nil, order.Event{Type: order.EventCancelled}},
		"captured without order":   {nil, order.Event{Type: order.EventCaptured}},
		"captured twice":           {o, order.Event{Type: order.EventCaptured, Order: o}},
		"unknown type":             {o, order.Event{Type: "fulfillment.burned", FulfillmentID: "o1-1"}},
		"unknown fulfillment":      {o, order.Event{Type: order.EventFulfillmentAccepted, FulfillmentID: "o1-2"}},
		"created without":          {o, order.Event{Type: order.EventFulfillmentCreated}},
		"picked unknown line":      {o, order.Event{Type: order.EventFulfillmentPicked, FulfillmentID: "o1-1", Lines: []order.LineQuantity{lq("9", 1)}}},
		"picked too many":          {o, order.Event{Type: order.EventFulfillmentPicked, FulfillmentID: "o1-1", Lines: []order.LineQuantity{lq("1", 4)}}},
		"shipped before picked":    {o, order.Event{Type: order.EventFulfillmentShipped, FulfillmentID: "o1-1", Lines: []order.LineQuantity{lq("1", 1)}}},
		"cancelled unknown line":   {o, order.Event{Type: order.EventCancelled, Lines: []order.LineQuantity{lq("9", 1)}}},
		"cancelled what is placed": {o, order.Event{Type: order.EventCancelled, Lines: []order.LineQuantity{lq("1", 1)}}},
		"backordered unknown line": {o, order.Event{Type: order.EventBackordered, Lines: []order.LineQuantity{lq("9", 1)}}},
		"backordered too many":     {o, order.Event{Type: order.EventBackordered, Lines: []order.LineQuantity{lq("1", 1)}}},
	} {
		if next, err := order.Fold(c.o, []order.Event{c.e}, 3, noon); err == nil || next != nil {
			t.Errorf("%s: got %v, %v", name, next, err)
		}
	}
	if _, err := order.Fold(nil, nil, 1, noon); err == nil {
		t.Error("no events made an order")
	}
}
