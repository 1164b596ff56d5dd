package api

import (
	"net/http"
	"sort"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/price"
)

func priceRoutes() []Route {
	return []Route{{
		Method: "GET", Path: "/v1/opportunity-prices", ID: "listOpportunityPrices", Tag: "sourcing", Scope: auth.OrdersRead, Status: 200,
		Summary: "What one more unit is worth where it is, per SKU and location, learned from the orders that come; positions that are not listed are worth nothing more",
		Query:   append([]Query{{Name: "sku", Doc: "of this SKU only"}, {Name: "location", Doc: "at this location only"}}, pageQuery...),
		Out:     OpportunityPrices{}, Handle: (*Server).listPrices,
	}}
}

// OpportunityPrices is a page of prices, sorted by SKU and location.
type OpportunityPrices struct {
	// Version of the snapshot; decisions name it prices@version. 0: nothing is learned yet.
	Version int64     `json:"version"`
	At      time.Time `json:"at,omitzero"`
	// Orders it was learned from, aged, since the demand it describes began.
	Orders float64            `json:"orders"`
	Since  time.Time          `json:"since,omitzero"`
	Items  []OpportunityPrice `json:"items"`
	Next   string             `json:"next,omitempty"`
}

// OpportunityPrice is the price of one position.
type OpportunityPrice struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Price    int64  `json:"price"` // minor units, of one unit
	Stock    int64  `json:"stock"` // units when it was learned
	// Demand is how many units orders would take here within the horizon if stock cost nothing.
	Demand      float64 `json:"demand"`
	HorizonDays float64 `json:"horizon_days"` // how long the stock has to last
}

func (s *Server) listPrices(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	out := OpportunityPrices{Items: []OpportunityPrice{}}
	p := s.engine.Prices()
	if p == nil {
		return c.json(http.StatusOK, out)
	}
	out.Version, out.At, out.Orders, out.Since = p.Version, p.At, p.Orders, p.Since
	rows, after := p.Positions, c.query("cursor")
	if sku := c.query("sku"); sku != "" {
		rows = p.Of(sku)
	}
	place := func(at *price.Position) string { return at.SKU + "\t" + at.Location }
	// A cursor is the place of the last row: SKU, a tab, location; ids have no control characters.
	from := sort.Search(len(rows), func(i int) bool { return after == "" || place(&rows[i]) > after })
	for i := from; i < len(rows); i++ {
		at := &rows[i]
		if l := c.query("location"); l != "" && at.Location != l {
			continue
		}
		if len(out.Items) == limit {
			last := out.Items[limit-1]
			out.Next = last.SKU + "\t" + last.Location
			break
		}
		out.Items = append(out.Items, OpportunityPrice{
			SKU: at.SKU, Location: at.Location, Price: at.Unit, Stock: at.Stock, Demand: at.Demand, HorizonDays: at.Horizon.Hours() / 24,
		})
	}
	return c.json(http.StatusOK, out)
}
