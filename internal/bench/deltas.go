package bench

import (
	"context"

	"github.com/orderly-oms/orderly/internal/engine"
)

// The shop of deltas.
const (
	deltaBatch     = 1000
	deltaLocations = 50
	deltaTemplates = 256
	deltaPositions = 100_000 // default
	maxDeltaUnits  = 5
)

// inventoryRun sends feeds of 1,000 deltas, up and down, each to 1,000 different
// positions that lie anywhere among all.
type inventoryRun struct {
	shop  shop
	feeds [][]byte // whole requests
	size  int
}

func (r *inventoryRun) prepare(ctx context.Context, s *setup) error {
	r.shop = s.shop(deltaLocations, deltaPositions)
	positions := r.shop.locations * r.shop.skus
	numbers := random(3)
	order := numbers.Perm(positions)
	for i := range deltaTemplates {
		a := engine.Adjustments{Reason: "correction"}
		start := numbers.IntN(positions)
		for j := range deltaBatch { // neighbours in a random order are different positions
			p := order[(start+j)%positions]
			q := 1 + numbers.Int64N(maxDeltaUnits)
			if (i+j)%2 == 0 {
				q = -q
			}
			a.Items = append(a.Items, engine.Adjustment{SKU: r.shop.skuID(p / r.shop.locations), Location: r.shop.locationID(p % r.shop.locations), Quantity: q})
		}
		body := encode(&a)
		r.size = len(body)
		r.feeds = append(r.feeds, s.head.request(nil, "POST", "/v1/inventory/adjustments", body))
	}
	if err := r.shop.open(ctx, s); err != nil {
		return err
	}
	return r.shop.receive(ctx, s, plentyUnits)
}

func (r *inventoryRun) operation(i int) func(*client) error {
	at := i * len(r.feeds) / 7
	return func(c *client) error {
		at++
		_, _, err := c.call(r.feeds[at%len(r.feeds)])
		return err
	}
}

func (r *inventoryRun) figures(report *Report, t *tally) {
	report.RequestBytes = r.size
	report.Inventory = &InventoryFigures{
		Positions: r.shop.locations * r.shop.skus, BatchSize: deltaBatch, Deltas: t.ok * deltaBatch, DeltasPS: perSecond(t.ok*deltaBatch, t.elapsed),
	}
}
