package order_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// fataler is what *testing.T and *rapid.T have in common here.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func toJSON(t fataler, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(b)
}

func fromJSON[T any](t fataler, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("decode: %v", err)
	}
	return v
}

// parts makes "set" a kit of two pegs and one tent.
func parts(sku string) []inventory.Part {
	if sku == "set" {
		return []inventory.Part{{SKU: "peg", Quantity: 2}, {SKU: "tent", Quantity: 1}}
	}
	return nil
}

func capture(t fataler, n order.New) *order.Order {
	t.Helper()
	if err := n.Validate(); err != nil {
		t.Fatalf("validate: %v", err)
	}
	e := n.Capture(order.Captured{ID: "o1", At: noon, Fingerprint: "f", Parts: parts})
	return fold(t, nil, e)
}

func fold(t fataler, o *order.Order, events ...order.Event) *order.Order {
	t.Helper()
	version, at := int64(1), noon
	if o != nil {
		version, at = o.Version+1, o.UpdatedAt.Add(time.Minute)
	}
	next, err := order.Fold(o, events, version, at)
	if err != nil {
		t.Fatalf("fold: %v", err)
	}
	return next
}

func newOrder(method order.Method, quantities ...int64) order.New {
	n := order.New{Channel: "web", Currency: "EUR", Method: method}
	if method == order.Pickup {
		n.PickupLocation = "dc"
	}
	for i, q := range quantities {
		n.Lines = append(n.Lines, order.NewLine{SKU: fmt.Sprintf("sku%d", i+1), Quantity: q, UnitPrice: 100})
	}
	return n
}

func lq(line string, quantity int64) order.LineQuantity {
	return order.LineQuantity{Line: line, Quantity: quantity}
}

func short(line string, quantity, missing int64) order.LineQuantity {
	return order.LineQuantity{Line: line, Quantity: quantity, Short: missing}
}

func at(location string, lines ...order.LineQuantity) order.Placement {
	return order.Placement{Location: location, Lines: lines}
}

// place, step and cancel carry an order on and fail the test on a refusal.
func place(t fataler, o *order.Order, placements ...order.Placement) *order.Order {
	t.Helper()
	events, err := o.Place(order.Plan{Placements: placements, Unplaced: nil, Waiting: order.Waiting{Action: order.WaitBackorder}, Retry: time.Time{}}, noon)
	if err != nil {
		t.Fatalf("place: %v", err)
	}
	return fold(t, o, events...)
}

func step(t fataler, o *order.Order, command string, lines ...order.LineQuantity) *order.Order {
	t.Helper()
	events, err := o.Decide("o1-1", order.Step{Command: command, Lines: lines})
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return fold(t, o, events...)
}

// wantRefusal asserts that nothing but a refusal with the code came back.
func wantRefusal(t *testing.T, events []order.Event, err error, code, pointer string) {
	t.Helper()
	var r *order.Refusal
	if !errors.As(err, &r) || r.Code != code || r.Pointer != pointer || r.Message == "" {
		t.Fatalf("got events %v and error %#v, want refusal %q at %q", events, err, code, pointer)
	}
	if events != nil {
		t.Fatalf("a refusal came with events %v", events)
	}
}
