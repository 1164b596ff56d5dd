package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

func orderRoutes() []Route {
	return []Route{
		{
			Method: "POST", Path: "/v1/orders", ID: "createOrder", Tag: "orders", Scope: auth.OrdersWrite, Status: 201,
			Summary: "Capture an order: hold its units, choose locations, make fulfillments. Unique per channel and external_id: the same order again gets the same answer, another one under the same id is refused",
			In:      order.New{}, Out: order.Order{}, Handle: command(false, createOrder),
		},
		{
			Method: "GET", Path: "/v1/orders", ID: "listOrders", Tag: "orders", Scope: auth.OrdersRead, Status: 200,
			Summary: "Search orders, newest first",
			Query: append([]Query{
				{Name: "channel", Doc: "channel id"}, {Name: "external_id", Doc: "the channel's own id"}, {Name: "status", Doc: "order status"},
				{Name: "customer", Doc: "customer id, or the e-mail address of a customer without one, in lower case"}, {Name: "sku", Doc: "orders with a line of this SKU"},
				{Name: "queue", Doc: "orders whose units wait in this queue"},
				{Name: "created_from", Doc: "RFC 3339, inclusive"}, {Name: "created_before", Doc: "RFC 3339, exclusive"},
			}, pageQuery...),
			Out: Page[order.Order]{}, Handle: (*Server).listOrders,
		},
		{Method: "GET", Path: "/v1/orders/{id}", ID: "getOrder", Tag: "orders", Scope: auth.OrdersRead, Status: 200, Summary: "Read an order", Out: order.Order{}, Handle: (*Server).getOrder},
		{
			Method: "GET", Path: "/v1/orders/{id}/timeline", ID: "getOrderTimeline", Tag: "orders", Scope: auth.OrdersRead, Status: 200,
			Summary: "Everything that happened to an order, oldest first", Out: Timeline{}, Handle: (*Server).orderTimeline,
		},
		{
			Method: "POST", Path: "/v1/orders/{id}/cancel", ID: "cancelOrder", Tag: "orders", Scope: auth.OrdersCancel, Status: 200,
			Summary: "Cancel an order, or units of its lines, whose picking has not begun; without lines: all that can still be stopped. With request_stop, locations are asked to stop what is picked",
			In:      order.Cancellation{}, Out: order.Order{}, Handle: command(true, cancelOrder),
		},
	}
}

func createOrder(s *Server, ctx context.Context, c *Call, n *order.New, m engine.Meta) (*engine.Reply, error) {
	reply, err := s.engine.Capture(ctx, n, m)
	if err == nil && reply.Entry != nil {
		c.W.Header()["Location"] = []string{"/v1/orders/" + reply.Entry.ID}
	}
	return reply, err
}

func cancelOrder(s *Server, ctx context.Context, c *Call, body *order.Cancellation, m engine.Meta) (*engine.Reply, error) {
	if err := body.Validate(); err != nil {
		return nil, err
	}
	return s.engine.Cancel(ctx, c.R.PathValue("id"), *body, m)
}

// loadOne reads one durable record.
func (s *Server) loadOne(c *Call, key store.Key) (*store.Record, error) {
	ctx, cancel := c.Context()
	defer cancel()
	return s.engine.Durable(ctx, key)
}

// document answers a read of one record; 304 when the caller has this version.
func (s *Server) document(c *Call, key store.Key) error {
	r, err := s.loadOne(c, key)
	if err != nil {
		return err
	}
	tag := etag(r.Version)
	c.W.Header()["Etag"] = []string{tag}
	if c.R.Header.Get("If-None-Match") == tag {
		c.W.WriteHeader(http.StatusNotModified)
		return nil
	}
	c.raw(http.StatusOK, r.Body)
	return nil
}

func (s *Server) getOrder(c *Call) error {
	return s.document(c, s.engine.OrderKey(c.R.PathValue("id")))
}

func (s *Server) listOrders(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	q := store.Query{
		Kind: engine.KindOrder, Channel: c.query("channel"), ExternalID: c.query("external_id"), State: c.query("status"),
		Before: c.query("cursor"), Limit: limit + 1,
	}
	var terms []string
	for _, t := range []struct{ parameter, value string }{
		{"customer", c.query("customer")}, {"sku", c.query("sku")}, {"queue", c.query("queue")},
	} {
		if t.value != "" {
			terms = append(terms, t.parameter+":"+t.value)
		}
	}
	if len(terms) > 1 {
		var bad problem.Invalid
		bad.Add("customer", problem.Conflict, "search by one of customer, sku and queue at a time")
		return bad.Err()
	}
	if len(terms) == 1 {
		q.Term = terms[0]
	}
	if q.CreatedFrom, err = c.instant("created_from"); err != nil {
		return err
	}
	if q.CreatedBefore, err = c.instant("created_before"); err != nil {
		return err
	}
	if queue := c.query("queue"); queue != "" {
		return s.listQueue(c, q, queue, limit)
	}
	return s.list(c, q, limit)
}

// listQueue is list for the orders that still wait in the queue: the index also has those that left it.
func (s *Server) listQueue(c *Call, q store.Query, queue string, limit int) error {
	return s.listWhere(c, q, limit, func(body []byte) bool {
		var o struct {
			Waiting *order.Waiting `json:"waiting"`
		}
		return json.Unmarshal(body, &o) == nil && o.Waiting != nil && o.Waiting.Queue == queue
	})
}

// list answers a page of records. The query asks for one more than the page holds.
func (s *Server) list(c *Call, q store.Query, limit int) error {
	return s.listWhere(c, q, limit, nil)
}

// listWhere leaves out what keep (nil: nothing) does not want; pages may then be shorter than the limit.
func (s *Server) listWhere(c *Call, q store.Query, limit int, keep func(body []byte) bool) error {
	ctx, cancel := c.Context()
	defer cancel()
	records, err := s.engine.Store().Find(ctx, q)
	if err != nil {
		return err
	}
	next := ""
	if len(records) > limit {
		records = records[:limit]
		next = records[limit-1].ID
	}
	out := append(c.scratch.out[:0], `{"items":[`...)
	first := true
	for i := range records {
		if keep != nil && !keep(records[i].Body) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, records[i].Body...)
	}
	out = append(out, ']')
	if next != "" {
		out = append(out, `,"next":`...)
		out = appendString(out, next)
	}
	c.scratch.out = append(out, '}')
	c.raw(http.StatusOK, c.scratch.out)
	return nil
}

// Timeline is the history of an order.
type Timeline struct {
	Events []engine.Published `json:"events"`
}

const maxTimelineCommands = 2000 // an order has far fewer

func (s *Server) orderTimeline(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	events, err := s.engine.Timeline(ctx, s.engine.OrderKey(c.R.PathValue("id")), 0, maxTimelineCommands)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return engine.ErrNotFound
	}
	return c.json(http.StatusOK, Timeline{events})
}
