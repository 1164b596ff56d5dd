package api

import (
	"context"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/roi"
)

func roiRoutes() []Route {
	const baseline = "/v1/roi/baseline"
	month := Query{Name: "month", Doc: "like 2026-11, in UTC; default: the present one"}
	return []Route{
		{
			Method: "GET", Path: "/v1/roi", ID: "getROI", Tag: "roi", Scope: auth.OrdersRead, Status: 200,
			Summary: "What deciding was worth in a month against the pinned baseline: saved, spent, promises, touches, with the assumptions and the trend",
			Query:   []Query{month}, Out: ROI{}, Handle: (*Server).roi,
		},
		{
			Method: "GET", Path: "/v1/roi/orders", ID: "listROIOrders", Tag: "roi", Scope: auth.OrdersRead, Status: 200,
			Summary: "The single orders behind a statement, oldest first; a page may be short while there is a next one",
			Query: append([]Query{
				month, {Name: "currency", Doc: "only orders in this currency"},
				{Name: "not_compared", Doc: "only orders that are not compared for this reason: not_done, cancelled, changed, baseline_unplaced or not_sent; none: only those that are compared"},
			}, pageQuery...),
			Out: Page[roi.Line]{}, Handle: (*Server).roiOrders,
		},
		{
			Method: "GET", Path: baseline, ID: "getBaseline", Tag: "roi", Scope: auth.PoliciesRead, Status: 200,
			Summary: "What decisions are compared with, and all that was before; the last pin is in force unless it is off",
			Out:     engine.Baseline{}, Handle: (*Server).getBaseline,
		},
		{
			Method: "PUT", Path: baseline, ID: "pinBaseline", Tag: "roi", Scope: auth.PoliciesWrite, Status: 200,
			Summary: "Compare orders that come from now on with a sourcing policy, and state what work and the system cost",
			In:      engine.PinBaseline{}, Out: engine.Baseline{}, Handle: command(false, pinBaseline),
		},
		{
			Method: "DELETE", Path: baseline, ID: "unpinBaseline", Tag: "roi", Scope: auth.PoliciesWrite, Status: 200,
			Summary: "Compare no further orders; what was booked stays",
			In:      UnpinBaseline{}, Out: engine.Baseline{}, Handle: command(true, unpinBaseline),
		},
	}
}

// ROI is a statement with when it was drawn up.
type ROI struct {
	// At is when orders were counted: the statement has everything that happened before, unless Behind says that there
	// was more in the log than could be counted by then.
	At     time.Time `json:"at,omitzero"`
	Behind bool      `json:"behind"`
	// Over says that the month is over; its orders may still be on their way.
	Over      bool           `json:"over"`
	Statement *roi.Statement `json:"statement"`
}

// UnpinBaseline says why.
type UnpinBaseline struct {
	Reason string `json:"reason,omitempty"`
}

// month reads which month is asked for.
func (s *Server) month(c *Call, bad *problem.Invalid) roi.Month {
	m := roi.Month(c.query("month"))
	if m == "" {
		return roi.MonthOf(s.engine.Now())
	}
	if _, err := m.Begin(); err != nil {
		bad.Add("month", problem.Malformed, "%s", err)
	}
	return m
}

func (s *Server) roi(c *Call) error {
	var bad problem.Invalid
	month := s.month(c, &bad)
	if err := bad.Err(); err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	out, err := StatementOf(ctx, s.engine, month)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

// StatementOf draws up a month's statement from what the engine has counted.
func StatementOf(ctx context.Context, e *engine.Engine, month roi.Month) (*ROI, error) {
	pins, err := e.Pins(ctx)
	if err != nil {
		return nil, err
	}
	g := e.Ledger()
	return &ROI{At: g.At, Behind: g.Behind, Over: month.Over(e.Now()), Statement: g.Statement(pins, month)}, nil
}

// compared is what not_compared says for orders that are compared.
const compared = "none"

func (s *Server) roiOrders(c *Call) error {
	var bad problem.Invalid
	q := engine.ROILines{Month: s.month(c, &bad), Currency: c.query("currency"), After: c.query("cursor")}
	if q.Currency != "" {
		money.CheckCurrency(&bad, "currency", q.Currency)
	}
	switch why := c.query("not_compared"); why {
	case "":
	case compared:
		q.NotCompared = new(string)
	case roi.NotDone, roi.NotDelivered, roi.NotSame, roi.NotByBaseline, roi.NotSent:
		q.NotCompared = &why
	default:
		bad.Add("not_compared", problem.Unknown, "must be none, not_done, cancelled, changed, baseline_unplaced or not_sent")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	var err error
	if q.Limit, err = c.limit(); err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	lines, next, err := s.engine.ROILines(ctx, q)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Page[roi.Line]{Items: lines, Next: next})
}

func (s *Server) getBaseline(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	b, version, err := s.engine.Baseline(ctx)
	if err != nil {
		return err
	}
	c.W.Header()["Etag"] = []string{etag(version)}
	return c.json(http.StatusOK, b)
}

func pinBaseline(s *Server, ctx context.Context, _ *Call, n *engine.PinBaseline, m engine.Meta) (*engine.Reply, error) {
	return s.engine.PinBaseline(ctx, n, m)
}

func unpinBaseline(s *Server, ctx context.Context, _ *Call, n *UnpinBaseline, m engine.Meta) (*engine.Reply, error) {
	return s.engine.UnpinBaseline(ctx, n.Reason, m)
}
