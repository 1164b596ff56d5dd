package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

func inventoryRoutes() []Route {
	return []Route{
		{
			Method: "POST", Path: "/v1/inventory/adjustments", ID: "adjustInventory", Tag: "inventory", Scope: auth.InventoryWrite, Status: 200, MaxBytes: maxFeedBytes,
			Summary: "Change on_hand by deltas: all of them or none; an Idempotency-Key makes sure they count once",
			In:      engine.Adjustments{}, Out: engine.Adjusted{}, Handle: command(false, adjust),
		},
		{
			Method: "POST", Path: "/v1/inventory/snapshots", ID: "countInventory", Tag: "inventory", Scope: auth.InventoryWrite, Status: 200, MaxBytes: maxFeedBytes,
			Summary: "Set on_hand to what was counted at as_of; holds in flight stay, later movements are applied on top, items older than the last count are refused and listed, and a count that would empty most of a location needs confirm",
			In:      engine.Count{}, Out: engine.CountResult{}, Handle: command(false, count),
		},
		{
			Method: "POST", Path: "/v1/inventory/safety", ID: "setSafetyStock", Tag: "inventory", Scope: auth.InventoryWrite, Status: 200, MaxBytes: maxFeedBytes,
			Summary: "Set safety stock per SKU and location", In: SafetyRequest{}, Out: engine.Adjusted{}, Handle: command(false, setSafety),
		},
		{
			Method: "PUT", Path: "/v1/inventory/supply/{id}", ID: "putSupply", Tag: "inventory", Scope: auth.InventoryWrite, Status: 201,
			Summary: "Announce or change expected stock", In: inventory.Supply{}, Out: inventory.Supply{}, Handle: (*Server).putSupply,
		},
		{
			Method: "DELETE", Path: "/v1/inventory/supply/{id}", ID: "removeSupply", Tag: "inventory", Scope: auth.InventoryWrite, Status: 204,
			Summary: "Expected stock arrived (adjust on_hand with reason receipt) or will not come", Handle: command(true, removeSupply),
		},
		{
			Method: "GET", Path: "/v1/inventory/supply", ID: "listSupply", Tag: "inventory", Scope: auth.InventoryRead, Status: 200,
			Summary: "Expected stock of a SKU, soonest first", Query: []Query{{Name: "sku", Doc: "SKU"}}, Out: Page[inventory.Supply]{}, Handle: (*Server).listSupply,
		},
		{
			Method: "GET", Path: "/v1/inventory/positions", ID: "listPositions", Tag: "inventory", Scope: auth.InventoryRead, Status: 200,
			Summary: "The positions of a SKU, by location", Query: []Query{{Name: "sku", Doc: "SKU"}}, Out: Page[PositionView]{}, Handle: (*Server).positions,
		},
		{
			Method: "GET", Path: "/v1/inventory/ledger", ID: "getLedger", Tag: "inventory", Scope: auth.InventoryRead, Status: 200,
			Summary: "The journal of one position, oldest first",
			Query:   append([]Query{{Name: "sku", Doc: "SKU"}, {Name: "location", Doc: "location id"}}, pageQuery...),
			Out:     Page[LedgerLine]{}, Handle: (*Server).ledger,
		},
	}
}

// SafetyRequest sets safety stock.
type SafetyRequest struct {
	Items []engine.SafetyItem `json:"items"`
}

// PositionView is a position with what may be promised from it.
type PositionView struct {
	inventory.Position
	Available int64 `json:"available"` // on_hand − reserved − allocated − safety, before any channel buffer
}

// LedgerLine is one line of a position's journal.
type LedgerLine struct {
	inventory.Movement
	Sequence int64     `json:"sequence"` // of the position, from 1 without gaps
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // order, reservation or stock
	ID       string    `json:"id"`
}

func adjust(s *Server, ctx context.Context, _ *Call, a *engine.Adjustments, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Adjust(ctx, a, m)
}

func count(s *Server, ctx context.Context, _ *Call, n *engine.Count, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Count(ctx, n, m)
}

func setSafety(s *Server, ctx context.Context, _ *Call, r *SafetyRequest, m engine.Meta) (*engine.Reply, error) {
	return s.engine.SetSafety(ctx, r.Items, m)
}

func removeSupply(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.engine.RemoveSupply(ctx, c.R.PathValue("id"), m)
}

func (s *Server) putSupply(c *Call) error {
	var v inventory.Supply
	if err := c.Decode(&v); err != nil {
		return err
	}
	if v.ID == "" {
		v.ID = c.R.PathValue("id")
	}
	if err := v.Validate(); err != nil {
		var bad problem.Invalid
		bad.Add("", problem.Malformed, "%s", err)
		return bad.Err()
	}
	return s.putDocument(c, engine.Document{Kind: engine.KindSupply, ID: v.ID, Value: &v})
}

// required returns a query parameter that must be given.
func (c *Call) required(name string) (string, error) {
	v := c.query(name)
	if v == "" {
		var bad problem.Invalid
		bad.Add(name, problem.Required, "name it as a query parameter")
		return "", bad.Err()
	}
	return v, nil
}

func (s *Server) listSupply(c *Call) error {
	sku, err := c.required("sku")
	if err != nil {
		return err
	}
	page := Page[inventory.Supply]{Items: []inventory.Supply{}}
	s.engine.Book().EachSupply(sku, func(v inventory.Supply) bool {
		page.Items = append(page.Items, v)
		return true
	})
	return c.json(http.StatusOK, page)
}

func (s *Server) positions(c *Call) error {
	sku, err := c.required("sku")
	if err != nil {
		return err
	}
	page := Page[PositionView]{Items: []PositionView{}}
	s.engine.Book().Each(sku, func(p inventory.Position) bool {
		page.Items = append(page.Items, PositionView{p, p.Available()})
		return true
	})
	return c.json(http.StatusOK, page)
}

func (s *Server) ledger(c *Call) error {
	var key inventory.PositionKey
	var err error
	if key.SKU, err = c.required("sku"); err != nil {
		return err
	}
	if key.Location, err = c.required("location"); err != nil {
		return err
	}
	limit, err := c.limit()
	if err != nil {
		return err
	}
	var after int64
	if v := c.query("cursor"); v != "" {
		if after, err = strconv.ParseInt(v, 10, 64); err != nil || after < 0 {
			var bad problem.Invalid
			bad.Add("cursor", problem.Malformed, "is not one of this list")
			return bad.Err()
		}
	}
	ctx, cancel := c.Context()
	defer cancel()
	lines, err := s.engine.Store().Journal(ctx, key, after, limit+1)
	if err != nil {
		return err
	}
	page := Page[LedgerLine]{Items: []LedgerLine{}}
	if len(lines) > limit {
		lines = lines[:limit]
		page.Next = strconv.FormatInt(lines[limit-1].PositionSeq, 10)
	}
	for _, l := range lines {
		page.Items = append(page.Items, ledgerLine(l))
	}
	return c.json(http.StatusOK, page)
}

func ledgerLine(l store.JournalLine) LedgerLine {
	return LedgerLine{Movement: l.Movement, Sequence: l.PositionSeq, Time: l.Time, Kind: string(l.Stream.Kind), ID: l.Stream.ID}
}
