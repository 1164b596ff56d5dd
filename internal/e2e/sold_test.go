package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// TestThousandUnitsTwentyThousandBuyers lets 20,000 buyers ask for 1,000 units:
// exactly 1,000 get one, everybody else is told that there are none. Baskets are
// sold out after a quarter as many, unless more are asked for.
func TestThousandUnitsTwentyThousandBuyers(t *testing.T) {
	shoppers := int64(repeats(t, "ORDERLY_E2E_SHOPPERS", buyers/4))
	onBothStores(t, func(t *testing.T, where place) {
		c := &client{url: startNode(t, where).url}
		locations := []string{"dc1", "dc2", "dc3", "dc4"}
		c.seed(t, locations, []string{"orders", "baskets"}, unitsForSale/int64(len(locations)))
		t.Run("orders", func(t *testing.T) {
			won := sell(t, c, buyers, "/v1/orders", func(i int) any {
				return map[string]any{"channel": "web", "external_id": fmt.Sprint("buyer-", i), "shortage": "reject", "lines": []line{{"orders", 1}}}
			})
			soldOut(t, c, "orders", stock{OnHand: unitsForSale, Allocated: unitsForSale})
			if got := len(c.orders(t)); got != unitsForSale || won != unitsForSale {
				t.Errorf("%d buyers were told they have an order and %d orders exist, want %d", won, got, unitsForSale)
			}
		})
		t.Run("reservations", func(t *testing.T) {
			won := sell(t, c, shoppers, "/v1/reservations", func(int) any {
				return map[string]any{"channel": "web", "lines": []line{{"baskets", 1}}}
			})
			soldOut(t, c, "baskets", stock{OnHand: unitsForSale, Reserved: unitsForSale})
			if won != unitsForSale {
				t.Errorf("%d buyers hold a unit, want %d", won, unitsForSale)
			}
		})
	})
}

const (
	unitsForSale = 1_000
	buyers       = 20_000
	queues       = 128 // buyers that ask at the same time
)

// sell sends every buyer's request and returns how many got their unit.
func sell(t *testing.T, c *client, buyers int64, path string, body func(buyer int) any) int64 {
	t.Helper()
	var next, won, wrong atomic.Int64
	var wait sync.WaitGroup
	for range queues {
		wait.Go(func() {
			for i := next.Add(1); i <= buyers; i = next.Add(1) {
				a := c.do(t.Context(), "POST", path, body(int(i)))
				switch {
				case a.status == http.StatusCreated:
					won.Add(1)
				case a.status == http.StatusConflict && a.code() == "out_of_stock":
				case wrong.Add(1) <= 5:
					t.Errorf("buyer %d: %s", i, a)
				}
			}
		})
	}
	wait.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d buyers got another answer than an order or out_of_stock", n)
	}
	return won.Load()
}

// soldOut checks that the positions of a SKU add up to total, and that none has a unit left or too few.
func soldOut(t *testing.T, c *client, sku string, total stock) {
	t.Helper()
	var sum stock
	for at, p := range c.positions(t, []string{sku}) {
		if p.OnHand-p.Reserved-p.Allocated != 0 || p.OnHand < 0 || p.Reserved < 0 || p.Allocated < 0 {
			t.Errorf("%v: %+v, want nothing left and nothing negative", at, p)
		}
		sum.OnHand += p.OnHand
		sum.Reserved += p.Reserved
		sum.Allocated += p.Allocated
	}
	if sum != total {
		t.Errorf("%s: %+v in total, want %+v", sku, sum, total)
	}
}
