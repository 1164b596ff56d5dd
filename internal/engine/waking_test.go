package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

// Stock that comes in goes at once to the orders that wait for it: the oldest, and no more of them than it serves.
func TestNewStockServesTheOldestThatWait(t *testing.T) {
	t.Parallel()
	const waiting, units = 1000, 500
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 1, 0)
	var ids []string
	for i := range waiting {
		o := n.capture(basket(fmt.Sprint(i), "S0"))
		if o.Status != order.StatusBackordered {
			t.Fatalf("order %d is %s", i, o.Status)
		}
		ids = append(ids, o.ID)
		n.clock.advance(1e6)
	}
	if _, err := n.Adjust(context.Background(), &engine.Adjustments{
		Items: []engine.Adjustment{{SKU: "S0", Location: "L00", Quantity: units}}, Reason: "receipt",
	}, engine.Meta{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	for {
		changed := n.Changed()
		left := make([]int64, 1)
		n.Book().Available("S0", []int32{n.Book().LocationIndex("L00")}, left)
		if left[0] == 0 {
			break
		}
		<-changed
	}
	n.Close() // what was decided is durable
	for i, id := range ids {
		want := order.StatusBackordered
		if i < units {
			want = order.StatusAllocated
		}
		if o := n.stored(id); o.Status != want {
			t.Fatalf("order %d of %d is %s, want %s", i, waiting, o.Status, want)
		}
	}
}
