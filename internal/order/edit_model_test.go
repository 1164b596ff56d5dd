package order_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// service is the world with a customer who changes his mind, and what he wants by now.
type service struct {
	*world
	wanted map[string]int64 // units of each line
	given  int64            // by adjustments
}

func newService(t *rapid.T) *service {
	s := &service{world: newWorld(t), wanted: map[string]int64{}}
	for _, l := range s.o.Lines {
		s.wanted[l.ID] = l.Quantity
	}
	return s
}

func small(t *rapid.T, name string, most int64) *int64 {
	if rapid.IntRange(0, 2).Draw(t, name+"?") > 0 {
		return nil
	}
	return ptr(rapid.Int64Range(0, most).Draw(t, name))
}

func (s *service) drawEdit(t *rapid.T) *order.Edit {
	e := &order.Edit{
		Discount: small(t, "discount", 50), Shipping: small(t, "shipping", 500), ShippingTax: small(t, "shipping tax", 90),
		RequestStop: rapid.Bool().Draw(t, "request stop"), UnshippedOnly: rapid.Bool().Draw(t, "unshipped only"), Reason: "customer",
	}
	for _, l := range s.o.Lines {
		if rapid.IntRange(0, 3).Draw(t, "touched") == 0 {
			e.Lines = append(e.Lines, order.LineEdit{
				Line: l.ID, Quantity: small(t, "quantity", 8), UnitPrice: small(t, "price", 999), Discount: small(t, "line discount", 99), Tax: small(t, "tax", 99),
			})
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "more") == 0 {
		e.Add = append(e.Add, order.NewLine{
			SKU: rapid.SampledFrom([]string{"set", "peg", "tent", "rope"}).Draw(t, "added"), Quantity: rapid.Int64Range(1, 4).Draw(t, "added units"),
			UnitPrice: rapid.Int64Range(0, 999).Draw(t, "added price"), Tax: rapid.Int64Range(0, 9).Draw(t, "added tax"),
		})
	}
	switch rapid.IntRange(0, 5).Draw(t, "way") {
	case 0:
		e.ShipTo = &network.Address{Country: "DE", City: rapid.SampledFrom([]string{"Kiel", "Bonn"}).Draw(t, "city")}
	case 1:
		e.Service = rapid.SampledFrom([]string{"slow", "fast"}).Draw(t, "service")
	case 2:
		e.Method, e.PickupLocation = order.Pickup, rapid.SampledFrom(locations).Draw(t, "pickup at")
	case 3:
		e.Method, e.ShipTo = order.Ship, &network.Address{Country: "DE"}
	}
	return e
}

// stopping is how many units of a line locations were asked to stop for good.
func stopping(o *order.Order, line string) (n int64) {
	for _, f := range o.Fulfillments {
		if f.Stop == nil || f.Stop.Then != order.ThenCancel {
			continue
		}
		for _, q := range f.Stop.Lines {
			if q.Line == line {
				n += q.Quantity
			}
		}
	}
	return n
}

func (s *service) edit(t *rapid.T) {
	s.t = t
	e := s.drawEdit(t)
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	before := s.o
	live := map[string]int64{}
	for _, l := range before.Lines {
		live[l.ID] = l.Quantity - l.Cancelled - stopping(before, l.ID)
	}
	if s.attempt(before.Edit(e, editing)) {
		return
	}
	for _, c := range e.Lines {
		if c.Quantity == nil {
			continue
		}
		l := s.o.Line(c.Line)
		was := before.Line(c.Line)
		if got := l.Quantity - l.Cancelled - stopping(s.o, c.Line) + stopping(before, c.Line); got != *c.Quantity {
			t.Fatalf("line %s has %d units left, %d were asked for: %+v", c.Line, got, *c.Quantity, l)
		}
		if l.Fulfilled != was.Fulfilled || l.Quantity < was.Quantity {
			t.Fatalf("the edit changed what left, or what was ordered, of %+v to %+v", was, l)
		}
	}
	if e.ShipTo != nil || e.Service != "" || e.Method != "" {
		s.checkMoved(before)
	}
}

// checkMoved sees that what was not accepted is decided again and that nothing that left was touched.
func (s *service) checkMoved(before *order.Order) {
	moved := before.Method != s.o.Method || before.Service != s.o.Service || before.PickupLocation != s.o.PickupLocation ||
		before.Method == order.Ship && toJSON(s.t, before.ShipTo) != toJSON(s.t, s.o.ShipTo)
	for i, was := range before.Fulfillments {
		f := s.o.Fulfillments[i]
		if moved && f.Status == order.FulfillmentOpen {
			s.t.Fatalf("fulfillment %s stays with its location on another way", f.ID)
		}
		for k := range f.Lines {
			if f.Lines[k].Shipped != was.Lines[k].Shipped || f.Lines[k].Picked != was.Lines[k].Picked {
				s.t.Fatalf("picked or shipped units of %s changed", f.ID)
			}
		}
	}
}

// cancelAt cancels with a request to stop.
func (s *service) cancelAt(t *rapid.T) {
	s.t = t
	s.attempt(s.o.CancelAt(order.Cancellation{Lines: s.drawLines(t, false), Reason: "customer", RequestStop: true}, noon))
}

// stopped is a location's answer: all it was asked, as far as it is still there.
func (s *service) stopped(t *rapid.T) {
	s.t = t
	for _, f := range s.o.Fulfillments {
		if f.Stop == nil {
			continue
		}
		e := order.Event{Type: order.EventFulfillmentStopped, FulfillmentID: f.ID, Then: f.Stop.Then, Reason: f.Stop.Reason}
		for _, q := range f.Stop.Lines {
			at := slices.IndexFunc(f.Lines, func(l order.FulfillmentLine) bool { return l.Line == q.Line })
			l := &f.Lines[at]
			n := min(q.Quantity, l.Quantity-l.Shipped)
			if n <= 0 {
				continue
			}
			unpicked := min(n, l.Quantity-l.Picked)
			e.Lines = append(e.Lines, order.LineQuantity{Line: q.Line, Quantity: n, Picked: n - unpicked})
		}
		if len(e.Lines) > 0 {
			s.commit([]order.Event{e})
			return
		}
	}
}

func (s *service) reship(t *rapid.T) {
	s.t = t
	r := order.Reship{Lines: []order.LineQuantity{lq(rapid.SampledFrom(s.o.Lines).Draw(t, "line").ID, rapid.Int64Range(1, 3).Draw(t, "units"))}, Reason: "broken"}
	before, line := s.o, r.Lines[0].Line
	if s.attempt(before.Reship(r)) {
		return
	}
	was, now := before.Line(line), s.o.Line(line)
	if now.Open() != was.Open()+r.Lines[0].Quantity || now.Fulfilled != was.Fulfilled-r.Lines[0].Quantity || s.o.Owed() != before.Owed() {
		t.Fatalf("%+v was sent again: %+v, due %d, before %d", was, now, s.o.Owed(), before.Owed())
	}
}

func (s *service) substitute(t *rapid.T) {
	s.t = t
	sub := order.Substitution{
		Line: rapid.SampledFrom(s.o.Lines).Draw(t, "line").ID, Quantity: rapid.Int64Range(1, 3).Draw(t, "units"),
		SKU: rapid.SampledFrom([]string{"peg", "tent", "rope"}).Draw(t, "instead"), UnitPrice: small(t, "price", 999),
	}
	if rapid.Bool().Draw(t, "agreed") {
		sub.Consent = &order.Consent{By: "Ada", At: noon, Channel: "phone"}
	}
	before := *s.o
	before.AcceptSubstitutes = rapid.Bool().Draw(t, "accepts")
	due := before.Owed()
	if s.attempt(before.Substitute(sub, editing)) {
		return
	}
	if sub.Consent == nil && (!before.AcceptSubstitutes || s.o.Owed() > due) {
		t.Fatalf("without consent the customer pays %d instead of %d", s.o.Owed(), due)
	}
	if l := s.o.Lines[len(s.o.Lines)-1]; l.SubstituteFor != sub.Line || l.SKU != sub.SKU || l.Quantity != sub.Quantity {
		t.Fatalf("the substitute is %+v", l)
	}
}

func (s *service) adjust(t *rapid.T) {
	s.t = t
	limit := rapid.Int64Range(-1, 300).Draw(t, "limit")
	n := order.NewAdjustment{Kind: order.AdjustPrice, Amount: rapid.Int64Range(1, 400).Draw(t, "amount"), Reason: "late"}
	due, adjusted := s.o.Owed(), s.o.Adjusted()
	if s.attempt(s.o.Adjust(n, "ada", limit, noon)) {
		if s.o.Status != order.StatusCancelled && n.Amount <= due && len(s.o.Adjustments) < order.MaxAdjustments {
			t.Fatalf("%d of %d was refused", n.Amount, due)
		}
		return
	}
	a := s.o.Adjustments[len(s.o.Adjustments)-1]
	if waits := limit >= 0 && adjusted+n.Amount > limit; waits != (a.State == order.AdjustmentPending) {
		t.Fatalf("%d on top of %d with a limit of %d: %s", n.Amount, adjusted, limit, a.State)
	}
	if a.State == order.AdjustmentApplied && s.o.Owed() != due-n.Amount || n.Amount > due {
		t.Fatalf("due %d, before %d, less %d", s.o.Owed(), due, n.Amount)
	}
}

func (s *service) decide(t *rapid.T) {
	s.t = t
	for _, a := range s.o.Adjustments {
		if a.State == order.AdjustmentPending {
			s.attempt(s.o.DecideAdjustment(a.ID, rapid.Bool().Draw(t, "approve"), "eve", "", noon))
			return
		}
	}
}

func (s *service) check(t *rapid.T) {
	s.t = t
	for o, was := range s.history {
		if toJSON(t, o) != was {
			t.Fatalf("version %d was changed after the fact:\n%s\nwas\n%s", o.Version, toJSON(t, o), was)
		}
	}
	s.checkQuantities()
	s.checkSlots()
	s.checkHeldStock()
	s.checkMoney()
}

// checkHeldStock compares what locations have for the order with what the stock journal says.
func (s *service) checkHeldStock() {
	want := map[inventory.PositionKey]balances{}
	for k := range s.initial {
		want[k] = balances{}
	}
	for _, f := range s.o.Fulfillments {
		for _, fl := range f.Lines {
			each(s.o.Line(fl.Line), 1, func(sku string, n int64) {
				b := want[inventory.PositionKey{SKU: sku, Location: f.Location}]
				b[inventory.Allocated] += n * (fl.Quantity - fl.Picked)
				b[inventory.Picked] += n * (fl.Picked - fl.Shipped)
				b[inventory.Shipped] += n * (fl.Shipped + fl.Lost)
			})
		}
	}
	for k, b := range want {
		for _, a := range []inventory.Account{inventory.Allocated, inventory.Picked, inventory.Shipped} {
			if s.stock[k][a] != b[a] {
				s.t.Fatalf("%v: %d units %s, the order says %d", k, s.stock[k][a], a, b[a])
			}
		}
	}
}

// checkMoney adds the order up again, by rules of its own.
func (s *service) checkMoney() {
	o := s.o
	var lines, tax, discount, subtotal, cancelled int64
	for _, l := range o.Lines {
		if l.Total != l.UnitPrice*l.Quantity-l.Discount+l.Tax || l.Discount > l.UnitPrice*l.Quantity || l.Discount < 0 || l.Tax < 0 {
			s.t.Fatalf("line %+v does not add up", l)
		}
		lines, tax, discount, subtotal = lines+l.Total, tax+l.Tax, discount+l.Discount, subtotal+l.UnitPrice*l.Quantity
		live := l.Quantity - l.Cancelled
		cancelled += l.Total - l.Total*live/l.Quantity
	}
	want := order.Totals{
		Subtotal: subtotal, Discount: discount + o.Discount, Shipping: o.Shipping, Tax: tax + o.ShippingTax,
		Total: lines - o.Discount + o.Shipping + o.ShippingTax,
	}
	if o.Totals != want || want.Total < 0 {
		s.t.Fatalf("totals %+v, lines give %+v", o.Totals, want)
	}
	due := max(want.Total-cancelled-o.Adjusted(), 0)
	if o.Status == order.StatusCancelled {
		due = 0
	}
	if got := o.Owed(); got != due {
		s.t.Fatalf("due %d, want %d", got, due)
	}
}

// TestServicingKeepsTheOrdersInvariants lets a customer change his mind while locations work.
func TestServicingKeepsTheOrdersInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newService(t)
		t.Repeat(map[string]func(*rapid.T){
			"place": s.place, "step": s.step, "step again": s.step, "step once more": s.step,
			"cancel": s.cancelAt, "stopped": s.stopped, "edit": s.edit, "edit again": s.edit, "reship": s.reship,
			"substitute": s.substitute, "adjust": s.adjust, "decide": s.decide, "": s.check,
		})
	})
}
