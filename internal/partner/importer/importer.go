// Package importer reads the order documents of other platforms and turns each
// into what Orderly should do with it: capture an order, cancel one, or edit one;
// or into a rejection that says why it does nothing.
//
// It promises that every document has exactly one outcome, that numbers are exact
// (identifiers stay the digits they were, amounts become minor units without
// passing through floating point), and that an order is only handed on when its
// lines, discounts, shipping, charges and tax add up to the document's own totals to
// the minor unit. A document that does not add up is rejected with the figures,
// never mended. Reading is bounded, and a function of its input alone.
//
// The rules where the platforms say more, or less, than an order holds:
//
//   - A line without SKU is rejected by name, because nobody can pick it. With
//     Options.SKUFromID it gets the SKU shopify-variant-ID, woocommerce-variation-ID
//     or woocommerce-product-ID, which the catalog can then list.
//   - A line without SKU that needs no shipping (Shopify: tips, gift cards sent by
//     mail, fees), and a fee of WooCommerce, is a charge: nobody picks it, the
//     platform delivers it. Charges are part of the order's shipping amount and
//     tax, and the attribute "charges" names each. A negative fee is a discount.
//   - Orders are in the shop's currency; the customer's (presentment) is an attribute.
//   - A cancelled document is a cancellation whatever the topic says, so that a late or
//     reordered notice never starts a cancelled order. It carries the order too
//     when that can be read, for a caller that has not seen it.
//   - Of payments, the kind, the amount and the provider's reference are kept, never
//     anything of a card. A total paid in several ways that the document does not
//     divide has no tenders; the attribute "gateways" names them.
//
// It does not import custom fields (note attributes, metadata), fulfillments,
// returns or refunds, does not verify webhook signatures, know the catalog, or send
// anything anywhere.
package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of reading.
const (
	// MaxDocumentBytes bounds one order document; a larger one is rejected.
	MaxDocumentBytes = 1 << 20
	// MaxContainerBytes bounds one object that holds several documents, like
	// {"orders": [...]}. An array at the top may be of any length: it is read
	// entry by entry.
	MaxContainerBytes = 16 << 20
	// MaxDocuments bounds the documents of one Read.
	MaxDocuments = 100_000
	// MaxTopicBytes bounds Options.Topic.
	MaxTopicBytes = 100
)

// Errors that end a Read, to be tested with errors.Is. What was handed on before stands.
var (
	ErrFormat   = errors.New("unknown format")
	ErrOptions  = errors.New("invalid options")
	ErrSyntax   = errors.New("not a sequence or an array of JSON objects")
	ErrTooLarge = fmt.Errorf("an object has more than %d bytes", MaxContainerBytes)
	ErrTooMany  = fmt.Errorf("more than %d documents; split the input", MaxDocuments)
)

// Codes of a Rejection beside those of package problem. Stable: add, never rename.
const (
	CodeNotAnOrder   = "not_an_order"   // a document of another kind; nothing to do
	CodeNoOrder      = "no_order"       // about an order, but carries none; nothing to do
	CodeDeleted      = "deleted"        // the platform forgot the order; that cancels nothing
	CodeDraft        = "draft"          // not placed yet
	CodePlatform     = "platform_error" // the platform's own error in place of an order
	CodeSKUMissing   = "sku_missing"    // a line that nobody can pick
	CodeNothing      = "nothing_to_pick"
	CodeWrongSum     = "wrong_sum"     // the document's own figures do not add up
	CodeIDConflict   = "id_conflict"   // two identifiers that are not the same order
	CodePickup       = "pickup_place"  // collected by the customer, at a place that is not mapped
	CodeUnknownValue = "unknown_value" // notice: a status this package does not know
	CodeIDImprecise  = "id_imprecise"  // notice: an identifier that its sender may have rounded
	CodeRounded      = "rounded"       // notice: a unit price rounded up, the rest is in the line's discount
	CodeLeftOut      = "left_out"      // notice: something of the document is not in the order
)

// Kind is what a document asks for.
type Kind string

// The kinds.
const (
	Create Kind = "create" // capture Item.Order, unless its external id is known; then heed Item.Flags and Item.Edit
	Cancel Kind = "cancel" // cancel what is left of the order Item.ExternalID
	Edit   Kind = "edit"   // change quantities of the order Item.ExternalID
)

// Flags say in one vocabulary what a document tells about its order's state. A caller
// that captures orders must look at them: one that was fulfilled elsewhere must
// not be fulfilled again.
const (
	FlagTest               = "test"
	FlagCancelled          = "cancelled"
	FlagClosed             = "closed"
	FlagUnpaid             = "unpaid"
	FlagAuthorized         = "authorized"
	FlagPartiallyPaid      = "partially_paid"
	FlagPaid               = "paid"
	FlagVoided             = "voided"
	FlagPartiallyRefunded  = "partially_refunded"
	FlagRefunded           = "refunded"
	FlagOnHold             = "on_hold"
	FlagPartiallyFulfilled = "partially_fulfilled"
	FlagFulfilled          = "fulfilled"
	FlagEdited             = "edited"
)

// Item is a document that asks for something.
type Item struct {
	Index int    `json:"index"` // number of the document, from 0
	Line  int    `json:"line"`  // line of the input at which it (or the object it is in) begins, from 1
	Topic string `json:"topic,omitempty"`
	Kind  Kind   `json:"kind"`
	// ExternalID is the platform's own identifier of the order, in exact digits.
	ExternalID string `json:"external_id"`
	// Order is set and valid for Create, and for Cancel when the document holds one that can be read.
	Order  *order.New    `json:"order,omitempty"`
	Cancel *Cancellation `json:"cancel,omitempty"` // for Cancel
	// Edit is set for Edit, and for Create when units of Order were removed since it was placed.
	Edit    *Changes        `json:"edit,omitempty"`
	Flags   []string        `json:"flags,omitempty"`   // in alphabetical order
	Notices []problem.Field `json:"notices,omitempty"` // what did not stop the document but should be known
}

// Cancellation says why and when the order was cancelled.
type Cancellation struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"`
}

// Changes are quantities added to and removed from lines.
type Changes struct {
	At      time.Time `json:"at,omitzero"`
	Added   []Change  `json:"added,omitempty"`
	Removed []Change  `json:"removed,omitempty"`
}

// Change is a number of units of a line. An added line that the order does not
// have must be fetched from the platform: the notice carries no SKU or price.
type Change struct {
	ExternalID string `json:"external_id"`
	Quantity   int64  `json:"quantity"` // > 0
}

// Rejection is a document that nothing is done with, and why. Code, Pointer and
// Message are the first problem, Also the others.
type Rejection struct {
	Index      int    `json:"index"`
	Line       int    `json:"line"`
	Topic      string `json:"topic,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Code       string `json:"code"`
	// Pointer is the path in the document; of a problem found by order.New.Validate, in that request.
	Pointer string          `json:"pointer,omitempty"`
	Message string          `json:"message"`
	Also    []problem.Field `json:"also,omitempty"`
}

// Options of Read.
type Options struct {
	// Topic is what the platform said beside the body (X-Shopify-Topic or
	// X-WC-Webhook-Topic). Empty: told from each document's shape. A topic within a
	// document goes first.
	Topic string
	// SKUFromID gives lines without SKU one made of the platform's identifier; see the package's rules.
	SKUFromID bool
	// Pickup maps the title of a shipping line to the location where the customer
	// collects. A title that is not in it is shipped.
	Pickup map[string]string
}

// decoders read one document of a format.
var decoders = map[string]func(d *document) outcome{
	"shopify":     decodeShopify,
	"woocommerce": decodeWooCommerce,
}

// Formats lists the names that Read knows, in alphabetical order.
func Formats() []string {
	names := make([]string, 0, len(decoders))
	for name := range decoders {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Read reads documents of the format from r: one object, an array of them, objects
// one after another (JSON Lines), or the platform's lists of them. It calls each
// for every document in order, with either the item or the rejection; an error of
// each ends the reading and is returned. Orders get the channel.
// Returns ErrFormat, ErrOptions, ErrSyntax, ErrTooLarge, ErrTooMany, or an error of r or each.
func Read(format, channel string, r io.Reader, opts Options, each func(*Item, *Rejection) error) error {
	decode, known := decoders[format]
	if !known {
		return fmt.Errorf("%w %.50q; known are %v", ErrFormat, format, Formats())
	}
	if channel == "" || len(opts.Topic) > MaxTopicBytes {
		return fmt.Errorf("%w: a channel is required, and a topic has at most %d bytes", ErrOptions, MaxTopicBytes)
	}
	objects := newSplitter(r)
	index := 0
	for {
		raw, line, err := objects.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for doc := range unwrap(format, raw) {
			if index == MaxDocuments {
				return ErrTooMany
			}
			if doc.topic == "" {
				doc.topic = opts.Topic
			}
			doc.format, doc.channel, doc.opts = format, channel, &opts
			item, rejection := doc.outcome(decode).at(index, line, doc.topic)
			if err := each(item, rejection); err != nil {
				return err
			}
			index++
		}
	}
}

// document is one document on its way through a decoder.
type document struct {
	format, channel string
	opts            *Options
	topic           string // as it was given; empty: unknown
	raw             json.RawMessage
	fields          map[string]json.RawMessage // nil: not read yet
}

// outcome of a document: an item, or problems of which there is at least one.
type outcome struct {
	item       *Item
	externalID string
	problems   problem.Invalid
}

// rejected is the outcome of a document with one problem.
func rejected(externalID, pointer, code, format string, args ...any) outcome {
	o := outcome{externalID: externalID}
	o.problems.Add(pointer, code, format, args...)
	return o
}

func (o outcome) at(index, line int, topic string) (*Item, *Rejection) {
	if o.item != nil {
		o.item.Index, o.item.Line, o.item.Topic = index, line, topic
		return o.item, nil
	}
	first := o.problems[0]
	return nil, &Rejection{
		Index: index, Line: line, Topic: topic, ExternalID: o.externalID,
		Code: first.Code, Pointer: first.Pointer, Message: first.Message, Also: o.problems[1:],
	}
}

// outcome checks what holds for every format, then decodes.
func (d *document) outcome(decode func(*document) outcome) outcome {
	if len(d.raw) > MaxDocumentBytes {
		return rejected("", "", problem.TooLong, "the document has %d bytes; at most %d are read", len(d.raw), MaxDocumentBytes)
	}
	if d.fields == nil {
		if err := json.Unmarshal(d.raw, &d.fields); err != nil {
			return malformed("", err)
		}
	}
	if d.fields == nil {
		return rejected("", "", problem.Malformed, "is null, not an object")
	}
	return decode(d)
}

// malformed is the outcome of a document that encoding/json refuses.
func malformed(externalID string, err error) outcome {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return rejected(externalID, wrongType.Field, problem.Malformed, "a JSON %s is not expected here", wrongType.Value)
	}
	return rejected(externalID, "", problem.Malformed, "%s", err)
}
