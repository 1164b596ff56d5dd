package pay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// The ways in which books differ.
const (
	// DiffUnknownHere: the provider did something that no order asked for.
	DiffUnknownHere = "unknown_here"
	// DiffUnknownThere: an order knows that something took effect, and the provider does not.
	DiffUnknownThere = "unknown_there"
	// DiffAmount, DiffKind, DiffCurrency: both know it, with another amount, as another kind, or in another currency.
	DiffAmount   = "amount"
	DiffKind     = "kind"
	DiffCurrency = "currency"
)

const (
	exceptionReconciliation = "reconciliation_difference"
	// maxEntries bounds a day's report, maxShown the differences that are kept of it; all are counted and raised.
	maxEntries = 2_000_000
	maxShown   = 1000
	loadRows   = 500
	// aroundDay is how far the clocks of provider and node may be apart.
	aroundDay = 10 * time.Minute
)

// Reconciliation is what came of comparing the books for a day.
type Reconciliation struct {
	Provider string    `json:"provider"`
	Day      string    `json:"day"`
	At       time.Time `json:"at"`
	Entries  int64     `json:"entries"` // of the provider's report
	Matched  int64     `json:"matched"`
	// Booked are operations of which the report was the first news of their outcome.
	Booked int64 `json:"booked"`
	// Theirs and Ours are sums by currency and kind, minor units, of the day.
	Theirs map[string]map[string]int64 `json:"theirs"`
	Ours   map[string]map[string]int64 `json:"ours"`
	// Count is how many differences there are; each is an exception of its own, raised once however often the
	// day is compared.
	Count       int64               `json:"count"`
	Differences []DifferenceOfBooks `json:"differences"`
}

// DifferenceOfBooks is one difference.
type DifferenceOfBooks struct {
	Operation string `json:"operation"`
	What      string `json:"what"`
	Message   string `json:"message"`
	OrderID   string `json:"order_id,omitempty"`
	Exception string `json:"exception"` // id
}

// Books compares what orders know with what providers report.
type Books struct {
	engine    *engine.Engine
	providers *Providers
	opt       Options
}

// NewBooks returns the books of the engine's store.
func NewBooks(e *engine.Engine, opt Options) *Books {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Books{engine: e, providers: NewProviders(e), opt: opt}
}

func reconciliationKey(provider, day string) store.Key {
	return engine.ReferenceKey(engine.KindReconciliation, provider+"/"+day)
}

// Last returns what came of the last comparison of a day. Errors: engine.ErrNotFound.
func (b *Books) Last(ctx context.Context, provider, day string) (*Reconciliation, error) {
	records, err := b.engine.Store().Load(ctx, []store.Key{reconciliationKey(provider, day)})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, engine.ErrNotFound
	}
	r := new(Reconciliation)
	return r, decode(records[0].Body, r)
}

// comparison is one that is being made.
type comparison struct {
	*Books
	p      *Provider
	caller Caller
	out    *Reconciliation
	from   time.Time // the day
	to     time.Time
	ours   map[string]entry // by id: what took effect that day by what orders were told
}

type entry struct {
	kind, currency string
	amount         int64
	order          string
}

// Reconcile compares the books of a finished day, raises one exception for each difference, and keeps the result. Doing
// it again raises nothing twice. While the provider's report cannot be read whole, nothing is compared.
// Errors: engine.ErrNotFound, problem.Invalid, those of the provider and the store.
func (b *Books) Reconcile(ctx context.Context, provider, day string, m engine.Meta) (*Reconciliation, error) {
	p, err := b.providers.find(ctx, provider)
	if err != nil {
		return nil, err
	}
	from, err := p.day(day)
	if err != nil {
		return nil, err
	}
	c := &comparison{
		Books: b, p: p, caller: NewClient(p, b.opt.Transport, b.opt.Timeout), from: from, to: from.AddDate(0, 0, 1), ours: map[string]entry{},
		out: &Reconciliation{
			Provider: provider, Day: day, At: b.engine.Now(), Differences: []DifferenceOfBooks{},
			Theirs: map[string]map[string]int64{}, Ours: map[string]map[string]int64{},
		},
	}
	if b.engine.Now().Before(c.to) {
		var bad problem.Invalid
		bad.Add("day", problem.OutOfRange, "the day is not over yet at the provider (%s)", p.TimeZone)
		return nil, bad.Err()
	}
	theirs, err := c.report(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.own(ctx); err != nil {
		return nil, err
	}
	if err := c.compare(ctx, theirs); err != nil {
		return nil, err
	}
	r := store.Record{Key: reconciliationKey(provider, day), State: engine.StateActive}
	_, err = b.engine.PutRecord(ctx, r, c.out, reconciledEvent{engine.EventReconciled, provider, day, c.out.Entries, c.out.Count}, engine.Meta{Actor: m.Actor})
	return c.out, err
}

type reconciledEvent struct {
	Type        string `json:"type"`
	Provider    string `json:"provider"`
	Day         string `json:"day"`
	Entries     int64  `json:"entries"`
	Differences int64  `json:"differences"`
}

// report reads all pages.
func (c *comparison) report(ctx context.Context) ([]Entry, error) {
	var all []Entry
	cursor := ""
	for range maxReportPages {
		page, err := c.caller.Report(ctx, c.out.Day, cursor)
		if err != nil {
			return nil, &ReportError{err}
		}
		if all = append(all, page.Entries...); len(all) > maxEntries {
			return nil, &ReportError{fmt.Errorf("the report of %s has more than %d entries", c.out.Day, maxEntries)}
		}
		if cursor = page.Next; cursor == "" {
			c.out.Entries = int64(len(all))
			for i := range all {
				add(c.out.Theirs, all[i].Currency, all[i].Kind, all[i].Amount)
			}
			return all, nil
		}
	}
	return nil, &ReportError{fmt.Errorf("the report of %s does not end after %d pages", c.out.Day, maxReportPages)}
}

// ReportError is a report that could not be read.
type ReportError struct{ Err error }

func (e *ReportError) Error() string { return "payments: " + e.Err.Error() }
func (e *ReportError) Unwrap() error { return e.Err }

func add(sums map[string]map[string]int64, currency, kind string, amount int64) {
	if sums[currency] == nil {
		sums[currency] = map[string]int64{}
	}
	sums[currency][kind] += amount
}

// own gathers what took effect that day from the log.
func (c *comparison) own(ctx context.Context) error {
	s := c.engine.Store()
	heads, err := s.Heads(ctx)
	if err != nil {
		return err
	}
	ids := map[string][]string{} // operations by order
	for bucket, head := range heads {
		at, err := before(ctx, s, bucket, head, c.from.Add(-aroundDay))
		if err != nil {
			return err
		}
		for at < head {
			rows, err := s.Log(ctx, bucket, at, loadRows)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			for i := range rows {
				if r := &rows[i]; r.Stream.Kind == engine.KindOrder && bytes.Contains(r.Events, succeededMark) {
					c.note(ids, r)
				}
			}
			at = rows[len(rows)-1].Seq
		}
	}
	return c.load(ctx, ids)
}

var succeededMark = []byte(`"` + order.EventPaymentSucceeded + `"`)

type outcomeEvent struct {
	Type    string           `json:"type"`
	Outcome *payment.Outcome `json:"outcome"`
}

// note keeps the operations of a row that took effect that day, by the provider's time where it said one.
func (c *comparison) note(ids map[string][]string, r *store.Commit) {
	var events []outcomeEvent
	if jsonenc.Unmarshal(r.Events, &events) != nil {
		return
	}
	for i := range events {
		e := &events[i]
		if e.Type != order.EventPaymentSucceeded || e.Outcome == nil {
			continue
		}
		at := e.Outcome.At
		if at.IsZero() {
			at = r.Time
		}
		if !at.Before(c.from) && at.Before(c.to) {
			ids[r.Stream.ID] = append(ids[r.Stream.ID], e.Outcome.Operation)
		}
	}
}

// load keeps those that are this provider's.
func (c *comparison) load(ctx context.Context, ids map[string][]string) error {
	for id, operations := range ids {
		o, err := c.engine.ReadOrder(ctx, id)
		if err != nil {
			return err
		}
		for _, name := range operations {
			if op := operation(o, name); op != nil && op.Provider == c.p.ID && op.State == payment.Succeeded {
				c.ours[name] = entry{op.Kind, op.Currency, op.Amount, id}
				add(c.out.Ours, op.Currency, op.Kind, op.Amount)
			}
		}
	}
	return nil
}

func operation(o *order.Order, id string) *payment.Operation {
	if o.Payment == nil {
		return nil
	}
	return o.Payment.Operation(id)
}

// before is the last sequence whose row is older than a time.
func before(ctx context.Context, s store.Store, bucket int, head int64, t time.Time) (int64, error) {
	low, high := int64(0), head // rows up to low are older, those above high are not
	for low < high {
		middle := low + (high-low)/2
		rows, err := s.Log(ctx, bucket, middle, 1)
		if err != nil {
			return 0, err
		}
		if len(rows) == 0 || !rows[0].Time.Before(t) {
			high = middle
		} else {
			low = rows[0].Seq
		}
	}
	return low, nil
}

// compare finds what differs.
func (c *comparison) compare(ctx context.Context, theirs []Entry) error {
	seen := make(map[string]bool, len(theirs))
	for i := range theirs {
		e := &theirs[i]
		if seen[e.ID] {
			if err := c.differ(ctx, e.ID, "", DiffUnknownHere, e.Amount, e.Currency, "%s reports %s %s twice", c.p.ID, e.Kind, e.ID); err != nil {
				return err
			}
			continue
		}
		seen[e.ID] = true
		if err := c.theirs(ctx, e); err != nil {
			return err
		}
	}
	for _, id := range sorted(c.ours) {
		if !seen[id] {
			if err := c.missing(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// theirs compares an entry of the report.
func (c *comparison) theirs(ctx context.Context, e *Entry) error {
	if x, ok := c.ours[e.ID]; ok {
		return c.match(ctx, e, &x)
	}
	id := engine.OrderOfOperation(e.ID)
	var op *payment.Operation
	if id != "" {
		o, err := c.engine.ReadOrder(ctx, id)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			id = ""
		case err != nil:
			return err
		default:
			op = operation(o, e.ID)
		}
	}
	if op == nil || op.Provider != c.p.ID {
		return c.differ(ctx, e.ID, id, DiffUnknownHere, e.Amount, e.Currency, "%s reports %s %s of %d %s, which no order asked it for", c.p.ID, e.Kind, e.ID, e.Amount, e.Currency)
	}
	if op.State == payment.Succeeded { // it was booked as of another day
		return c.match(ctx, e, &entry{op.Kind, op.Currency, op.Amount, id})
	}
	// The report is the answer that did not come. What contradicts an answer that did becomes an exception of the order.
	out := payment.Outcome{Operation: e.ID, Status: payment.Succeeded, Amount: e.Amount, Reference: short(e.Reference), At: e.At.UTC()}
	if _, err := c.engine.PaymentResult(ctx, id, out, engine.Meta{Actor: actor}); err != nil {
		return err
	}
	c.out.Booked++
	return nil
}

func (c *comparison) match(ctx context.Context, e *Entry, x *entry) error {
	switch {
	case e.Kind != x.kind:
		return c.differ(ctx, e.ID, x.order, DiffKind, e.Amount, e.Currency, "%s reports %s as %s; it is %s", c.p.ID, e.ID, e.Kind, x.kind)
	case e.Currency != x.currency:
		return c.differ(ctx, e.ID, x.order, DiffCurrency, e.Amount, e.Currency, "%s reports %s %s in %s; it is in %s", c.p.ID, e.Kind, e.ID, e.Currency, x.currency)
	case e.Amount != x.amount:
		return c.differ(ctx, e.ID, x.order, DiffAmount, abs(e.Amount-x.amount), e.Currency, "%s reports %d %s for %s %s; the order knows %d", c.p.ID, e.Amount, e.Currency, e.Kind, e.ID, x.amount)
	}
	c.out.Matched++
	return nil
}

// missing asks what became of an operation that the report does not have: it may stand in that of another day.
func (c *comparison) missing(ctx context.Context, id string) error {
	x := c.ours[id]
	out := c.caller.Ask(ctx, id)
	switch {
	case out.Status == payment.Unknown:
		return &ReportError{errors.New(out.Message)}
	case out.Status == payment.Succeeded && !out.At.IsZero() && (out.At.Before(c.from) || !out.At.Before(c.to)):
		c.out.Matched++
		return nil
	}
	return c.differ(ctx, id, x.order, DiffUnknownThere, x.amount, x.currency, "%s does not report %s %s of %d %s; asked, it says %s", c.p.ID, x.kind, id, x.amount, x.currency, out.Status)
}

// differ raises the exception of one difference.
func (c *comparison) differ(ctx context.Context, id, orderID, what string, amount int64, currency, format string, args ...any) error {
	d := DifferenceOfBooks{
		Operation: short(id), What: what, Message: short(fmt.Sprintf(format, args...)), OrderID: orderID,
		Exception: engine.ExceptionIDFor("reconciliation", c.p.ID, c.out.Day, id, what),
	}
	x := exception.Standalone{
		ID: d.Exception, Type: exceptionReconciliation, Message: d.Message, OrderID: orderID, Amount: max(amount, 0), Currency: currency,
		Data: map[string]string{"provider": c.p.ID, "day": c.out.Day, "operation": d.Operation, "difference": what},
	}
	if _, err := c.engine.RaiseException(ctx, x, engine.Meta{Actor: actor}); err != nil {
		return err
	}
	c.out.Count++
	if len(c.out.Differences) < maxShown {
		c.out.Differences = append(c.out.Differences, d)
	}
	return nil
}
