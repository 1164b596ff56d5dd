package intake

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/importer"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// OrderOptions of an import of foreign orders.
type OrderOptions struct {
	Format  string // shopify, woocommerce
	Channel string
	Topic   string // what the platform said beside the body
	// AddSKUs puts SKUs that the catalog lacks into it, with the name of the line.
	AddSKUs bool
	// SKUFromID gives lines without a SKU one made of the platform's identifier.
	SKUFromID bool
	Meta      engine.Meta
}

// OrderReport says what became of each document.
type OrderReport struct {
	Created   int                  `json:"created"`
	Known     int                  `json:"known"`    // captured before, with the same content
	Changed   int                  `json:"changed"`  // units of a known order cancelled
	Rejected  int                  `json:"rejected"` // nothing was done
	Orders    []ImportedOrder      `json:"orders"`   // in the order of the documents
	Rejection []importer.Rejection `json:"rejections"`
}

// ImportedOrder is a document that took effect.
type ImportedOrder struct {
	Index      int             `json:"index"`
	ExternalID string          `json:"external_id"`
	ID         string          `json:"id"`
	Outcome    string          `json:"outcome"` // created, known, cancelled, changed
	Status     order.Status    `json:"status"`
	Notices    []problem.Field `json:"notices,omitempty"`
}

// takenElsewhere are flags of orders whose goods left already: capturing them
// would ship a second time. notWork are flags of others that must not be
// fulfilled, which does no harm for one that is cancelled at once.
var (
	takenElsewhere = []string{importer.FlagFulfilled, importer.FlagPartiallyFulfilled}
	notWork        = []string{importer.FlagRefunded, importer.FlagClosed, importer.FlagTest, importer.FlagVoided}
)

// Orders imports foreign order documents. An error means reading stopped there:
// what the report lists took effect.
func Orders(ctx context.Context, e *engine.Engine, r io.Reader, o OrderOptions) (*OrderReport, error) {
	report := &OrderReport{Orders: []ImportedOrder{}, Rejection: []importer.Rejection{}}
	reject := func(x importer.Rejection) {
		report.Rejected++
		report.Rejection = append(report.Rejection, x)
	}
	err := importer.Read(o.Format, o.Channel, r, importer.Options{Topic: o.Topic, SKUFromID: o.SKUFromID}, func(item *importer.Item, x *importer.Rejection) error {
		if x != nil {
			reject(*x)
			return nil
		}
		done, err := one(ctx, e, item, o)
		if err == nil {
			report.Orders = append(report.Orders, *done)
			switch done.Outcome {
			case "created":
				report.Created++
			case "known":
				report.Known++
			default:
				report.Changed++
			}
			return nil
		}
		rejection, ok := rejectionOf(item, err)
		if !ok {
			return fmt.Errorf("document %d: %w", item.Index, err)
		}
		reject(rejection)
		return nil
	})
	return report, err
}

// rejectionOf turns an error that is about the document into a rejection.
func rejectionOf(item *importer.Item, err error) (importer.Rejection, bool) {
	x := importer.Rejection{Index: item.Index, Line: item.Line, Topic: item.Topic, ExternalID: item.ExternalID}
	var bad problem.Invalid
	var refusal *order.Refusal
	switch {
	case errors.As(err, &bad):
		x.Pointer, x.Code, x.Message = bad[0].Pointer, bad[0].Code, bad[0].Message
		x.Also = bad[1:]
	case errors.As(err, &refusal):
		x.Pointer, x.Code, x.Message = refusal.Pointer, refusal.Code, refusal.Message
	default:
		return x, false
	}
	return x, true
}

func refuse(code, format string, args ...any) error {
	return &order.Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

func one(ctx context.Context, e *engine.Engine, item *importer.Item, o OrderOptions) (*ImportedOrder, error) {
	done := &ImportedOrder{Index: item.Index, ExternalID: item.ExternalID, Notices: item.Notices}
	known, err := find(ctx, e, o.Channel, item.ExternalID)
	if err != nil {
		return nil, err
	}
	switch {
	case known == nil && item.Kind == importer.Cancel && item.Order != nil:
		// Kept all the same, so that the order is known when the platform speaks of it again.
		err = captureAndCancel(ctx, e, item, o, done)
	case known == nil && item.Kind != importer.Create:
		return nil, refuse("unknown_order", "channel %q has no order %q here, so there is nothing to %s", o.Channel, item.ExternalID, item.Kind)
	case known == nil:
		err = create(ctx, e, item, o, done)
	case item.Kind == importer.Cancel || slices.Contains(item.Flags, importer.FlagCancelled):
		err = cancel(ctx, e, known, order.Cancellation{Reason: reason(item)}, o, done)
		done.Outcome = "cancelled"
	case item.Edit != nil:
		if item.Kind == importer.Edit {
			o.Meta.Key = editKey(item, o)
		}
		err = edit(ctx, e, known, item, o, done)
	default:
		done.ID, done.Outcome, done.Status = known.ID, "known", known.Status
	}
	return done, err
}

func reason(item *importer.Item) string {
	if item.Cancel != nil {
		return item.Cancel.Reason
	}
	return "cancelled on the platform"
}

func find(ctx context.Context, e *engine.Engine, channel, externalID string) (*order.Order, error) {
	records, err := e.Store().Find(ctx, store.Query{Kind: engine.KindOrder, Channel: channel, ExternalID: externalID, Limit: 1})
	if err != nil || len(records) == 0 {
		return nil, err
	}
	en, err := engine.Decode(records[0])
	if err != nil {
		return nil, err
	}
	return en.Value.(*order.Order), nil
}

func create(ctx context.Context, e *engine.Engine, item *importer.Item, o OrderOptions, done *ImportedOrder) error {
	gone := takenElsewhere
	if item.Kind != importer.Cancel {
		gone = slices.Concat(gone, notWork)
	}
	for _, f := range item.Flags {
		if slices.Contains(gone, f) {
			return refuse("not_open", "the platform says the order is %s, so there is nothing left for us to fulfil", f)
		}
	}
	if o.AddSKUs {
		if err := addSKUs(ctx, e, item.Order, o.Meta); err != nil {
			return err
		}
	}
	reply, err := e.Capture(ctx, item.Order, o.Meta)
	if err != nil {
		return err
	}
	got := reply.Value.(*order.Order)
	done.ID, done.Outcome, done.Status = got.ID, "created", got.Status
	if item.Edit != nil {
		return edit(ctx, e, got, item, o, done)
	}
	return nil
}

// captureAndCancel takes an order that the platform cancelled before it came here.
func captureAndCancel(ctx context.Context, e *engine.Engine, item *importer.Item, o OrderOptions, done *ImportedOrder) error {
	if err := create(ctx, e, item, o, done); err != nil {
		return err
	}
	known, err := find(ctx, e, o.Channel, item.ExternalID)
	if err != nil || known == nil {
		return err
	}
	done.Outcome = "cancelled"
	return cancel(ctx, e, known, order.Cancellation{Reason: reason(item)}, o, done)
}

func addSKUs(ctx context.Context, e *engine.Engine, n *order.New, m engine.Meta) error {
	var docs []engine.Document
	for i := range n.Lines {
		l := &n.Lines[i]
		if e.Catalog().Has(l.SKU) || slices.ContainsFunc(docs, func(d engine.Document) bool { return d.ID == l.SKU }) {
			continue
		}
		v := &catalog.SKU{SKU: l.SKU, Name: l.Name}
		if err := v.Validate(); err != nil {
			return err
		}
		docs = append(docs, engine.Document{Kind: engine.KindSKU, ID: l.SKU, Value: v})
	}
	if len(docs) == 0 {
		return nil
	}
	_, err := e.PutDocuments(ctx, docs, m)
	return err
}

func cancel(ctx context.Context, e *engine.Engine, known *order.Order, c order.Cancellation, o OrderOptions, done *ImportedOrder) error {
	done.ID, done.Status = known.ID, known.Status
	if known.Status == order.StatusCancelled {
		return nil // a repeated message
	}
	if _, err := e.Cancel(ctx, known.ID, c, o.Meta); err != nil {
		return err
	}
	// Read again: a remembered answer has no order in it.
	now, err := find(ctx, e, known.Channel, known.ExternalID)
	if err == nil && now != nil {
		done.Status = now.Status
	}
	return err
}

// editKey makes a repeated edit notice count once: it says what changed, not what is.
func editKey(item *importer.Item, o OrderOptions) *engine.IdempotencyKey {
	body, err := json.Marshal(item.Edit)
	if err != nil {
		panic(err) // plain data
	}
	sum := sha256.Sum256(body)
	return &engine.IdempotencyKey{Key: fmt.Sprintf("edit %s %s %x", o.Channel, item.ExternalID, sum[:12]), Hash: sum[:16]}
}

// edit cancels removed units. Units added to an order carry no price here, so
// they are refused as a whole rather than half done.
func edit(ctx context.Context, e *engine.Engine, known *order.Order, item *importer.Item, o OrderOptions, done *ImportedOrder) error {
	if len(item.Edit.Added) > 0 {
		return refuse("lines_added", "the platform added units to order %s; a captured order takes removals only: capture the addition as an order of its own", known.ID)
	}
	c := order.Cancellation{Reason: "removed on the platform"}
	for _, x := range item.Edit.Removed {
		i := slices.IndexFunc(known.Lines, func(l order.Line) bool { return l.ExternalID == x.ExternalID })
		if i < 0 {
			return refuse(order.CodeUnknownLine, "order %s has no line %q", known.ID, x.ExternalID)
		}
		q := x.Quantity
		if item.Kind == importer.Create {
			q -= known.Lines[i].Cancelled // a whole order tells what was removed from it so far
		}
		if q > 0 {
			c.Lines = append(c.Lines, order.LineQuantity{Line: known.Lines[i].ID, Quantity: q})
		}
	}
	if done.Outcome == "" {
		done.Outcome = "changed"
	}
	if len(c.Lines) == 0 {
		done.ID, done.Status = known.ID, known.Status
		return nil
	}
	return cancel(ctx, e, known, c, o, done)
}
