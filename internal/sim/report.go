package sim

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
)

// Shoppers says what shoppers did. All of it repeats with the seed, except
// Refused, NotReserved, FoundSoldOut and CancelledLate, which depend on who came first.
type Shoppers struct {
	Orders      int64 `json:"orders"` // sent, refused ones too
	Pickup      int64 `json:"pickup"`
	Marketplace int64 `json:"marketplace"`
	Reserved    int64 `json:"reserved"` // held the basket first
	Abandoned   int64 `json:"abandoned"`
	Repeated    int64 `json:"repeated"`  // the same order sent twice
	Cancelled   int64 `json:"cancelled"` // asked for it

	Refused       int64 `json:"refused"`
	NotReserved   int64 `json:"not_reserved"`
	Looked        int64 `json:"looked"`
	FoundSoldOut  int64 `json:"found_sold_out"`
	CancelledLate int64 `json:"cancelled_late"` // refused: picking had begun

	Asked      int64 `json:"asked"`       // for promises, repeats with the seed
	Confirmed  int64 `json:"confirmed"`   // an option
	AsPromised int64 `json:"as_promised"` // orders that got exactly what was confirmed
}

// Partners says what partners did.
type Partners struct {
	Answers   int64 `json:"answers"`
	Repeats   int64 `json:"repeats"`     // sent twice, as after a lost confirmation
	OutOfTurn int64 `json:"out_of_turn"` // sent after the step they report was implied
	Outages   int64 `json:"outages"`     // answers that came later because a system was down
	Sales     int64 `json:"sales"`       // feeds of tills
	Counts    int64 `json:"counts"`
	Receipts  int64 `json:"receipts"`
}

// Stock says how the server's positions compare with the sum of its movements.
type Stock struct {
	Positions   int64 `json:"positions"`
	Differences int64 `json:"differences"`
	// Unsold are SKUs of which lines of orders say another number left than movements do.
	Unsold int64 `json:"unsold"`
}

// Report is what a run comes to.
type Report struct {
	OK          bool     `json:"ok"`
	Problems    []string `json:"problems"`
	Notes       []string `json:"notes,omitempty"` // what was not compared
	Seed        uint64   `json:"seed"`
	Interrupted bool     `json:"interrupted"`
	Seconds     float64  `json:"seconds"`
	Speed       float64  `json:"speed"` // the most the retailer's clock ran against a real one
	// Began and Ended are when the run did, by the retailer's clock.
	Began      time.Time `json:"began"`
	Ended      time.Time `json:"ended"`
	OrdersPerS float64   `json:"orders_per_s"`

	Captured  int64                  `json:"captured"`
	States    map[order.Status]int64 `json:"states"`
	Unsettled int64                  `json:"unsettled"` // orders neither final nor waiting for stock
	Shoppers  Shoppers               `json:"shoppers"`
	Flow      Flow                   `json:"flow"`

	SplitRate         float64 `json:"split_rate"` // of delivered orders
	ShipmentsPerOrder float64 `json:"shipments_per_order"`
	RejectRate        float64 `json:"reject_rate"` // of fulfillments
	// Outcome is what the orders of this run cost and how their promises were kept; Baseline the
	// same for the same shoppers on a fresh store where the nearest location ships.
	Outcome  Outcome  `json:"outcome"`
	Baseline *Outcome `json:"baseline,omitempty"`

	// KPIs are the server's own, by its own clock; BaselineKPIs the same under the nearest rule.
	KPIs         []kpi.Value `json:"kpis"`
	BaselineKPIs []kpi.Value `json:"baseline_kpis,omitempty"`

	Units    Units              `json:"units"`
	Stock    Stock              `json:"stock"`
	Payments Ledger             `json:"payments"`
	Partners Partners           `json:"partners"`
	Requests int64              `json:"requests"`
	Refused  map[string]int64   `json:"refused"` // requests, by code
	Failures int64              `json:"failures"`
	Latency  map[string]Latency `json:"latency"`
}

// check is one comparison.
type check struct {
	name string
	do   func(context.Context, *Report) error
}

// report asks the server for its side and compares.
func (w *world) report(ctx context.Context, interrupted bool) (*Report, error) {
	r := &Report{Seed: w.opt.Seed, Interrupted: interrupted, Speed: w.opt.Speed, Began: w.began, Ended: w.ended, Seconds: round(w.closed.Sub(w.started).Seconds(), 1), Problems: []string{}}
	parts := []check{{"payments", w.checkPayments}, {"stock", w.checkStock}, {"KPIs", w.askKPIs}}
	if !w.isOpen {
		parts = nil
		r.Notes = append(r.Notes, "stopped before the retailer opened: nothing to compare")
	}
	for _, part := range parts {
		if err := part.do(ctx, r); err != nil {
			if ctx.Err() == nil {
				return nil, err
			}
			r.Notes = append(r.Notes, fmt.Sprintf("not all of the %s was compared in %s, the time there is after an interruption", part.name, maxReportTime))
		}
	}
	w.summarise(r)
	w.judge(r)
	r.OK = len(r.Problems) == 0
	return r, nil
}

func round(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}

func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return round(float64(part)/float64(whole), 4)
}

// summarise copies the books.
func (w *world) summarise(r *Report) {
	s, p := &w.shoppers, &w.partners
	r.Shoppers = Shoppers{
		Orders: s.orders.Load(), Pickup: s.pickup.Load(), Marketplace: s.market.Load(), Reserved: s.reserved.Load(), Abandoned: s.abandoned.Load(),
		Repeated: s.repeated.Load(), Cancelled: s.cancelled.Load(), Refused: s.refused.Load(), NotReserved: s.unreserved.Load(),
		Looked: s.browsed.Load(), FoundSoldOut: s.foundOut.Load(), CancelledLate: s.cancelledOff.Load(),
		Asked: s.asked.Load(), Confirmed: s.confirmed.Load(), AsPromised: s.kept.Load(),
	}
	r.Partners = Partners{
		Answers: p.answers.Load(), Repeats: p.repeats.Load(), OutOfTurn: p.outOfTurn.Load(), Outages: p.outages.Load(),
		Sales: w.feed.sales.Load(), Counts: w.feed.counts.Load(), Receipts: w.feed.receipts.Load(),
	}
	w.watch.summarise(r)
	r.Outcome.Rule = w.rule
	if r.Seconds > 0 {
		r.OrdersPerS = round(float64(r.Shoppers.Orders)/r.Seconds, 1)
	}
	r.Latency = map[string]Latency{}
	for _, name := range []string{"availability", "promise", "confirm", "reserve", "capture", "import", "step"} {
		r.Latency[name] = w.stats.latencyOf(name)
	}
	w.stats.mu.Lock()
	defer w.stats.mu.Unlock()
	r.Requests, r.Refused, r.Failures = w.stats.requests, maps.Clone(w.stats.refused), w.stats.failed
}

func (w *watch) summarise(r *Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Captured, r.Flow, r.Units = w.captured, w.flow, w.units
	r.Units.OnHand += r.Units.Opening
	r.Flow.RejectedFor, r.Flow.ShippingCents, r.Flow.Reservations = maps.Clone(w.flow.RejectedFor), maps.Clone(w.flow.ShippingCents), maps.Clone(w.flow.Reservations)
	r.States = map[order.Status]int64{}
	for status, n := range w.states {
		if n == 0 {
			continue
		}
		if r.States[status] = n; !status.Final() && status != order.StatusBackordered {
			r.Unsettled += n
		}
	}
	for _, n := range w.sold {
		if n != 0 {
			r.Stock.Unsold++
		}
	}
	r.SplitRate = ratio(r.Flow.Split, r.Flow.Delivered)
	r.ShipmentsPerOrder = ratio(r.Flow.Shipments, r.Flow.Delivered)
	r.RejectRate = ratio(r.Flow.Rejections, r.Flow.Fulfillments)
	r.Outcome = w.outcome.finished(r.States[order.StatusBackordered], median(w.promised), median(w.took))
	r.Problems = append(r.Problems, w.findings...)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// judge names what must not be.
func (w *world) judge(r *Report) {
	add := func(n int64, format string) {
		if n > 0 {
			r.Problems = append(r.Problems, fmt.Sprintf(format, n))
		}
	}
	add(r.Stock.Differences, "%d positions are not the sum of their movements")
	add(r.Stock.Unsold, "of %d SKUs, orders and movements disagree about how many units left")
	add(r.Payments.Differences, "%d orders and the payment provider's ledger disagree")
	add(w.shoppers.differed.Load(), "%d orders that were sent again got another answer")
	add(w.partners.gaveUp.Load(), "%d fulfillments could not be carried on")
	if !r.Interrupted {
		add(r.Unsettled, "%d orders did not come to an end")
		if open := r.Shoppers.Orders - int64(w.opt.Orders); w.opt.Orders > 0 && open != 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("%d orders were sent instead of %d", r.Shoppers.Orders, w.opt.Orders))
		}
	}
	w.stats.mu.Lock()
	defer w.stats.mu.Unlock()
	add(w.stats.failed, "%d requests failed on the server's side")
	r.Problems = append(r.Problems, w.stats.failures...)
}

// compareTries is how often the comparison is made anew when timers of the server moved on meanwhile.
const compareTries = 4

// checkStock compares every position with the sum of its movements.
func (w *world) checkStock(ctx context.Context, r *Report) error {
	for try := range compareTries {
		if err := w.watch.read.catchUp(ctx); err != nil {
			return err
		}
		var positions, differences atomic.Int64
		err := w.eachSKU(ctx, func(sku string, page []api.PositionView) {
			positions.Add(int64(len(page)))
			differences.Add(w.watch.compare(sku, page, try == compareTries-1))
		})
		r.Stock.Positions = positions.Load()
		if err != nil { // what differed may have changed between, so nothing is said about it
			r.Stock.Differences = 0
			return err
		}
		if r.Stock.Differences = differences.Load(); r.Stock.Differences == 0 {
			return nil
		}
	}
	return nil
}

// eachSKU asks for the positions of all SKUs, some at once.
func (w *world) eachSKU(ctx context.Context, f func(sku string, page []api.PositionView)) error {
	var all sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, asksAtOnce)
	for i := range errs {
		all.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= skuCount || errs[i] != nil {
					return
				}
				var page api.Page[api.PositionView]
				sku := w.data.SKUs[n].SKU
				if errs[i] = w.admin.get(ctx, "/v1/inventory/positions"+query("sku", sku), &page); errs[i] == nil {
					f(sku, page.Items)
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// compare returns the number of positions of a SKU that differ from the books.
func (w *watch) compare(sku string, page []api.PositionView, last bool) (differences int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	theirs := make(map[string]inventory.Position, len(page))
	for _, p := range page {
		theirs[p.Location] = p.Position
	}
	for i := range w.data.Locations {
		id := w.data.Locations[i].ID
		a, b := theirs[id], w.positions[inventory.PositionKey{SKU: sku, Location: id}]
		same := a.OnHand == b.OnHand && a.Reserved == b.Reserved && a.Allocated == b.Allocated && a.Picked == b.Picked
		if sound := min(a.OnHand, a.Reserved, a.Picked) >= 0 && a.Picked <= a.Allocated; same && sound {
			continue
		}
		if differences++; last {
			w.find("%s at %s: the server has %+v, its movements add up to %+v", sku, id, a, b)
		}
	}
	return differences
}

// bankReader is the last of the readers.
func (w *world) bankReader() *reader { return w.readers[len(w.readers)-1] }

// checkPayments compares the provider's ledger with the orders of the server.
// Orders that differ are asked for again: they may have gone on meanwhile.
func (w *world) checkPayments(ctx context.Context, r *Report) (err error) {
	var differ []string
	accounts := w.bank.sandbox.Groups(func(op *sandbox.Operation) string { return engine.OrderOfOperation(op.ID) })
	for cursor := ""; err == nil; {
		var page api.Page[order.Order]
		if err = w.admin.get(ctx, "/v1/orders"+query("limit", "200", "cursor", cursor), &page); err != nil {
			break
		}
		for i := range page.Items {
			if o := &page.Items[i]; !w.bank.compare(o, accounts[o.ID], false) {
				differ = append(differ, o.ID)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for i := 0; i < len(differ) && err == nil; i++ {
		var o order.Order
		if err = w.admin.get(ctx, "/v1/orders/"+differ[i], &o); err == nil {
			w.bank.compare(&o, w.bank.account(o.ID), true)
		}
	}
	var findings []string
	r.Payments, findings = w.bank.ledger()
	r.Payments.Accounts = int64(len(accounts))
	r.Problems = append(r.Problems, findings...)
	return err
}
