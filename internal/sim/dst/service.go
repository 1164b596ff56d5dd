package dst

import (
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// serve is customer service: in some runs hardly ever asked, in others for nearly every order.
func (w *World) serve(id string) {
	for range choose(w, 0, 0, 1, 1, 2, 4) {
		if !w.chance(w.weather.service) {
			continue
		}
		do := choose(w, w.hold, w.hold, w.releaseHolds, w.edit, w.edit, w.edit, w.note, w.adjustPrice, w.decideAdjustment,
			w.reship, w.substitute, w.stop, w.fix, w.fix, w.fix, w.fix, w.claim, w.touch, w.money, w.money)
		w.in(w.between(time.Minute, 60*time.Hour), func() { do(w.watch.orders[id].now) })
	}
	if w.chance(w.weather.service / 2) {
		w.in(w.between(40*time.Hour, 160*time.Hour), func() { w.sendBack(id) })
	}
}

// about sends a command about an order, now and then for the version that was read.
func (w *World) about(name string, o *order.Order, do func(e *engine.Engine, m engine.Meta) (*engine.Reply, error)) {
	m := &message{name: name + " " + o.ID, do: do}
	if w.chance(.3) {
		m.manual = &engine.Manual{Operator: "ada", Action: name, Seconds: w.whole(0, 300)}
	}
	if w.chance(.2) {
		m.ifVersion = o.Version
	}
	w.send(0, m)
}

func (w *World) hold(o *order.Order) {
	n := order.NewHold{
		Type: choose(w, "fraud", "address", "customer"), Blocks: choose(w, "", order.BlocksRelease, order.BlocksSourcing), Reason: "looked at",
		ExpiresAt: w.now.Add(w.between(time.Hour, 40*time.Hour)), OnExpiry: choose(w, "", "release", "exception", "cancel"),
	}
	w.about("hold", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		h := n
		return e.HoldOrder(ctx, o.ID, &h, m)
	})
}

func (w *World) releaseHolds(o *order.Order) {
	w.about("release-holds", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.ReleaseHolds(ctx, o.ID, &engine.HoldRelease{Reason: "looked at"}, nil, m)
	})
}

func (w *World) note(o *order.Order) {
	w.about("note", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.AddNote(ctx, o.ID, "called", m) })
}

// edit changes one thing about an order, sometimes after a preview.
func (w *World) edit(o *order.Order) {
	l := choose(w, o.Lines...)
	in := order.Edit{Reason: "the customer called", RequestStop: w.chance(.4), UnshippedOnly: w.chance(.5)}
	kind := choose(w, "quantity", "remove", "add", "address", "price", "method", "attributes", "wanted")
	switch kind {
	case "quantity":
		in.Lines = []order.LineEdit{{Line: l.ID, Quantity: new(w.whole(0, l.Quantity+2))}}
	case "remove":
		in.Lines = []order.LineEdit{{Line: l.ID, Quantity: new(int64(0))}}
	case "add":
		in.Add = []order.NewLine{{SKU: w.anySKU(), Quantity: w.whole(1, 2), UnitPrice: w.whole(1, 999)}}
	case "address":
		in.ShipTo = &network.Address{
			Name: "Ada", Line1: "Weg 2", City: "Town", PostalCode: "20000", Country: "DE", Latitude: new(51.0), Longitude: new(10.0),
		}
	case "price":
		in.Lines = []order.LineEdit{{Line: l.ID, UnitPrice: new(w.whole(0, l.UnitPrice+100))}}
	case "method":
		in.Method, in.PickupLocation = order.Pickup, w.retailer.locations[w.whole(1, int64(len(w.retailer.locations)-1))].ID
	case "attributes":
		in.Attributes = map[string]string{"gift": choose(w, "", "yes")}
	case "wanted":
		in.WantedBy = w.now.Add(w.between(24*time.Hour, 200*time.Hour))
	}
	w.cover.hit(edits, kind)
	preview := w.chance(.15)
	w.about("edit", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		if preview {
			if _, err := e.Edit(ctx, o.ID, &engine.OrderEdit{Edit: in, Preview: true}, engine.Meta{Actor: "preview"}); err != nil && transient(err) {
				return nil, err
			}
		}
		return e.Edit(ctx, o.ID, &engine.OrderEdit{Edit: in}, m)
	})
}

func (w *World) adjustPrice(o *order.Order) {
	n := order.NewAdjustment{Kind: choose(w, order.AdjustAppeasement, order.AdjustPrice), Amount: w.whole(1, 4000), Reason: "sorry"}
	may := w.chance(.3)
	w.about("adjust-price", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		a := n
		return e.AdjustOrder(ctx, o.ID, &a, may, m)
	})
	w.in(w.between(time.Hour, 20*time.Hour), func() { w.decideAdjustment(w.watch.orders[o.ID].now) })
}

func (w *World) decideAdjustment(o *order.Order) {
	for i := range o.Adjustments {
		if o.Adjustments[i].DecidedBy != "" {
			continue
		}
		a, approve := o.Adjustments[i].ID, w.chance(.5)
		w.about("decide-adjustment", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
			return e.DecideAdjustment(ctx, o.ID, a, approve, "decided", m)
		})
		return
	}
}

// left are units of an order that left.
func (w *World) left(o *order.Order) (out []order.LineQuantity) {
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Fulfilled > 0 && w.chance(.7) {
			out = append(out, order.LineQuantity{Line: l.ID, Quantity: w.whole(1, l.Fulfilled)})
		}
	}
	return out
}

func (w *World) reship(o *order.Order) {
	r := order.Reship{Lines: w.left(o), Reason: "it did not arrive"}
	if len(r.Lines) > 0 {
		w.about("reship", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Reship(ctx, o.ID, &r, m) })
	}
}

func (w *World) substitute(o *order.Order) {
	l := choose(w, o.Lines...)
	s := order.Substitution{Line: l.ID, Quantity: w.whole(1, l.Quantity), SKU: w.anySKU(), Reason: "instead"}
	s.Consent = &order.Consent{By: "the customer", Channel: "phone", At: w.now.Add(-time.Minute)}
	w.about("substitute", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Substitute(ctx, o.ID, &s, m) })
}

// stop cancels what is picked already, too, should the location still be able to stop it.
func (w *World) stop(o *order.Order) {
	c := order.Cancellation{Reason: "changed my mind", RequestStop: true}
	if l := choose(w, o.Lines...); w.chance(.6) {
		c.Lines = []order.LineQuantity{{Line: l.ID, Quantity: w.whole(1, l.Quantity)}}
	}
	w.about("cancel-and-stop", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Cancel(ctx, o.ID, c, m) })
}

// fix applies one of the fixes that the type of an open exception suggests.
func (w *World) fix(o *order.Order) {
	if len(o.Exceptions) == 0 {
		return
	}
	x := choose(w, o.Exceptions...)
	fixes := exception.Lookup(x.Type).Fixes
	if len(fixes) == 0 {
		return
	}
	fix := choose(w, fixes...)
	id, a := o.ID+"-"+x.ID, w.arguments(fix)
	w.cover.hit(fixed, fix)
	simulate := w.chance(.3)
	w.about("fix", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		if simulate {
			if _, err := e.FixException(ctx, id, fix, a, true, nil, engine.Meta{Actor: "simulation"}); err != nil && transient(err) {
				return nil, err
			}
		}
		return e.FixException(ctx, id, fix, a, false, nil, m)
	})
}

// arguments are those that a fix cannot do without.
func (w *World) arguments(fix string) (a exception.Args) {
	a.Reason = "by hand"
	switch fix {
	case exception.FixWait, exception.FixRemind:
		a.Hours = w.whole(1, 48)
	case exception.FixShipFrom:
		a.Location = choose(w, w.retailer.locations...).ID
	case exception.FixChangeService:
		a.Service = "ground"
	case exception.FixRefund:
		a.Amount = w.whole(1, 500)
	}
	return a
}

func (w *World) claim(o *order.Order) {
	if len(o.Exceptions) == 0 {
		return
	}
	id := o.ID + "-" + o.Exceptions[0].ID
	w.about("claim", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.ClaimException(ctx, id, "ada", true, m)
	})
}

// bulk fixes all exceptions at once, on a node of its own.
func (w *World) bulk() {
	n := w.some()
	if n == nil {
		return
	}
	b := &engine.BulkFix{Filter: engine.ExceptionFilter{State: "all"}, Fix: choose(w, exception.FixRetrySourcing, exception.FixWait), DryRun: w.chance(.2)}
	b.Args = w.arguments(b.Fix)
	var err error
	alive := n.on(func(e *engine.Engine) { _, err = e.FixExceptions(ctx, b, nil, engine.Meta{Actor: "operator"}) })
	w.say("%s: bulk fix %s -> %v", n.name, b.Fix, err)
	if alive && err == nil {
		w.cover.hit(operations, "bulk-fix")
	}
}

// touch notes that somebody worked on an order.
func (w *World) touch(o *order.Order) {
	n := engine.NewTouch{By: "ada", Action: "phone_call", Seconds: w.whole(10, 600)}
	w.about("touch", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		again := n
		return e.TouchOrder(ctx, o.ID, &again, m)
	})
}

// money is a refund, a further payment, or another try of what was declined.
func (w *World) money(o *order.Order) {
	switch w.r.IntN(3) {
	case 0:
		r := order.NewRefund{Amount: w.whole(1, 2000), Reason: "sorry"}
		w.about("refund", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
			return e.Refund(ctx, o.ID, &engine.OrderRefund{NewRefund: r}, true, m)
		})
	case 1:
		n := order.NewPayment{Action: choose(w, "", "record"), Type: choose(w, "card", "cash"), Amount: w.whole(1, 5000), Reference: "tok"}
		w.about("pay", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
			again := n
			return e.AddPayment(ctx, o.ID, &again, m)
		})
	default:
		w.about("retry-payments", o, func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.RetryPayments(ctx, o.ID, m) })
	}
}
