package bench

import (
	"context"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
)

// hotUnits is on hand of the hot SKU: more than any run can reserve.
const hotUnits = 100_000_000

// reserveRun holds one unit of the same SKU at the same location, again and again.
type reserveRun struct {
	shop    shop
	request []byte
	size    int
}

func (r *reserveRun) prepare(ctx context.Context, s *setup) error {
	r.shop = shop{locations: 2, skus: 1}
	body := encode(&inventory.NewReservation{
		Channel: channelID, Location: r.shop.locationID(0), Lines: []inventory.NewReservationLine{{SKU: r.shop.skuID(0), Quantity: 1}},
		TTLSeconds: 900, Reference: "basket-4711",
	})
	r.request, r.size = s.head.request(nil, "POST", "/v1/reservations", body), len(body)
	if err := r.shop.open(ctx, s); err != nil {
		return err
	}
	return s.put(ctx, "stock", "POST", 1, 1, func(int) (string, any) {
		return "/v1/inventory/adjustments", &engine.Adjustments{Reason: "receipt", Items: []engine.Adjustment{
			{SKU: r.shop.skuID(0), Location: r.shop.locationID(0), Quantity: hotUnits},
		}}
	})
}

func (r *reserveRun) operation(int) func(*client) error {
	return func(c *client) error {
		_, _, err := c.call(r.request)
		return err
	}
}

func (r *reserveRun) figures(report *Report, _ *tally) { report.RequestBytes = r.size }
