package sim

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// statuses in the order of an order's life.
var statuses = []order.Status{
	order.StatusOpen, order.StatusBackordered, order.StatusAllocated, order.StatusPartiallyFulfilled,
	order.StatusFulfilled, order.StatusDelivered, order.StatusCancelled,
}

// Write prints the report for people.
func (r *Report) Write(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	end := ""
	if r.Interrupted {
		end = ", stopped"
	}
	row("run", "seed %d, %d orders sent in %.1f s (%.1f/s)%s", r.Seed, r.Shoppers.Orders, r.Seconds, r.OrdersPerS, end)
	row("time", "%s to %s by the retailer's clock, up to %.0f times as fast as life", r.Began.Format(time.DateOnly), r.Ended.Format(time.DateOnly), r.Speed)
	row("orders", "%d captured, %d refused: %s", r.Captured, r.Shoppers.Refused, r.states())
	row("shoppers", "%d pickup, %d marketplace, %d held the basket first, %d baskets abandoned", r.Shoppers.Pickup, r.Shoppers.Marketplace, r.Shoppers.Reserved, r.Shoppers.Abandoned)
	row("", "%d orders sent twice, %d cancellations asked for, %d of them too late", r.Shoppers.Repeated, r.Shoppers.Cancelled, r.Shoppers.CancelledLate)
	row("delivered", "%d orders, %.2f shipments each, %.1f %% split", r.Flow.Delivered, r.ShipmentsPerOrder, 100*r.SplitRate)
	row("locations", "%d fulfillments, %.1f %% rejected%s, %d short picks", r.Flow.Fulfillments, 100*r.RejectRate, reasons(r.Flow.RejectedFor), r.Flow.ShortPicks)
	row("shortage", "%d times backordered, %d orders wait for stock", r.Flow.Backordered, r.States[order.StatusBackordered])
	row("promises", "%d asked for, %d confirmed, %d orders exactly as confirmed", r.Shoppers.Asked, r.Shoppers.Confirmed, r.Shoppers.AsPromised)
	row("carriers", "%d parcels, %s", r.Flow.ParcelsShipped, costs(r.Flow.ShippingCents))
	row("stock", "%d units at first, %d received, %+d at tills, lost or counted, %d shipped, %d left", r.Units.Opening, r.Units.Received, r.Units.Counted, r.Units.Shipped, r.Units.OnHand)
	row("", "%d positions compared with their movements, %d differ", r.Stock.Positions, r.Stock.Differences)
	row("payments", "%s authorised, %s captured, %s voided, %s open", euros(r.Payments.Authorised), euros(r.Payments.Captured), euros(r.Payments.Voided), euros(r.Payments.Open))
	row("", "%d operations, %d declined, %d without a clear answer at first", r.Payments.Operations, r.Payments.Declined, r.Payments.Unclear)
	row("", "%d orders compared with the provider's ledger, %d differ", r.Payments.Compared, r.Payments.Differences)
	row("partners", "%d answers, %d sent twice, %d out of turn, %d late by outages", r.Partners.Answers, r.Partners.Repeats, r.Partners.OutOfTurn, r.Partners.Outages)
	row("feeds", "%d till feeds, %d counts, %d receipts", r.Partners.Sales, r.Partners.Counts, r.Partners.Receipts)
	row("requests", "%d, %d failed; refused: %s", r.Requests, r.Failures, reasonList(r.Refused))
	for _, name := range slices.Sorted(maps.Keys(r.Latency)) {
		if l := r.Latency[name]; l.Requests > 0 {
			row("  "+name, "p50 %.1f ms, p99 %.1f ms of %d", l.P50MS, l.P99MS, l.Requests)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := r.writeOutcome(w); err != nil {
		return err
	}
	if err := r.writeKPIs(w); err != nil {
		return err
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "PROBLEM: %s\n", p)
	}
	verdict := "everything agrees"
	if !r.OK {
		verdict = "FAILED"
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}

func (r *Report) states() string {
	var parts []string
	for _, s := range statuses {
		if n := r.States[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// reasonList lists counts, the biggest first.
func reasonList(counts map[string]int64) string {
	if len(counts) == 0 {
		return "none"
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(parts, ", ")
}

func reasons(counts map[string]int64) string {
	if len(counts) == 0 {
		return ""
	}
	return " (" + reasonList(counts) + ")"
}

func costs(cents map[string]int64) string {
	var parts []string
	sum := int64(0)
	for _, service := range slices.Sorted(maps.Keys(cents)) {
		parts = append(parts, fmt.Sprintf("%s %s", service, euros(cents[service])))
		sum += cents[service]
	}
	if len(parts) == 0 {
		return "no cost"
	}
	return fmt.Sprintf("%s: %s", euros(sum), strings.Join(parts, ", "))
}

func euros(cents int64) string { return decimal(cents) + " " + currency }

// Status is what a screen may show while a run goes on.
type Status struct {
	Elapsed   time.Duration
	Clock     time.Time // of the retailer
	Orders    int       // to be sent; 0: no end
	Report    Report    // without comparisons
	Todo      int       // answers that partners owe
	Baskets   int       // held
	PerSecond float64
}

// status takes a picture.
func (w *world) status() Status {
	s := Status{Elapsed: time.Since(w.started), Clock: w.clock.Now(), Orders: w.opt.Orders, Todo: w.agenda.open(), Baskets: w.watch.heldBaskets()}
	w.summarise(&s.Report)
	s.Report.Seconds = s.Elapsed.Seconds()
	s.PerSecond = float64(s.Report.Shoppers.Orders) / max(s.Report.Seconds, .1)
	return s
}

// columns are what every terminal has.
const columns = 79

// Lines are the status for a terminal, always as many and none longer than columns.
func (s *Status) Lines() []string {
	lines := s.lines()
	for i, l := range lines {
		if r := []rune(l); len(r) > columns {
			lines[i] = string(r[:columns])
		}
	}
	return lines
}

func (s *Status) lines() []string {
	r := &s.Report
	clock := s.Clock.In(berlin()).Format("the retailer's clock: Mon 2 Jan 15:04")
	goal := ""
	if s.Orders > 0 {
		goal = fmt.Sprintf(" of %d", s.Orders)
	}
	capture := r.Latency["capture"]
	out := []string{
		fmt.Sprintf("%s   %s", s.Elapsed.Round(time.Second), clock),
		"",
		fmt.Sprintf("orders    %d%s sent, %.1f/s, %d refused", r.Shoppers.Orders, goal, s.PerSecond, r.Shoppers.Refused),
		fmt.Sprintf("capture   p50 %.1f ms, p99 %.1f ms", capture.P50MS, capture.P99MS),
		fmt.Sprintf("baskets   %d held now, %d claimed, %d expired", s.Baskets, r.Flow.Reservations["claimed"], r.Flow.Reservations["expired"]),
		"",
	}
	most := int64(1)
	for _, n := range r.States {
		most = max(most, n)
	}
	for _, status := range statuses {
		n := r.States[status]
		out = append(out, fmt.Sprintf("  %-20s %7d  %s", status, n, strings.Repeat("█", int(n*40/most))))
	}
	return append(out, "",
		fmt.Sprintf("cost      %s per order, %.3f shipments per order, %d of %d promises kept", euros(int64(math.Round(r.Outcome.CostPerOrder))), r.Outcome.ShipmentsPerOrder, r.Outcome.Kept, r.Outcome.Promises),
		fmt.Sprintf("shipped   %.1f %% split, %d parcels, %d pickups collected", 100*r.SplitRate, r.Flow.ParcelsShipped, r.Flow.HandedOver),
		fmt.Sprintf("trouble   %d rejected, %d short picks, %d backordered, %d cancelled", r.Flow.Rejections, r.Flow.ShortPicks, r.Flow.Backordered, r.Flow.Cancellations),
		fmt.Sprintf("partners  %d answers, %d due, %d sent twice, %d late by outages", r.Partners.Answers, s.Todo, r.Partners.Repeats, r.Partners.Outages),
		fmt.Sprintf("stock     %d units left, %d shipped, %d received", r.Units.OnHand, r.Units.Shipped, r.Units.Received),
		fmt.Sprintf("requests  %d, %d failed", r.Requests, r.Failures),
	)
}
