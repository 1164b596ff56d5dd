package api

import (
	"context"
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

func exceptionRoutes() []Route {
	route := func(method, path, id, summary string, in, out any, handle func(*Server, *Call) error) Route {
		scope := auth.ExceptionsWrite
		if method == http.MethodGet {
			scope = auth.OrdersRead
		}
		return Route{Method: method, Path: path, ID: id, Tag: "exceptions", Scope: scope, Summary: summary, Status: 200, In: in, Out: out, Handle: handle}
	}
	const one = "/v1/exceptions/{id}"
	list := route("GET", "/v1/exceptions", "listExceptions", "Open exceptions, what is most at stake first, each with what its fixes would do now", nil, engine.ExceptionPage{}, (*Server).listExceptions)
	list.Query = append([]Query{
		{Name: "type", Doc: "like acceptance_overdue"}, {Name: "channel", Doc: "channel id"}, {Name: "location", Doc: "location id"},
		{Name: "owner", Doc: "person, or the team that it belongs to while no person has it"}, {Name: "order", Doc: "order id"},
		{Name: "state", Doc: "open (default: to be worked on), claimed, unclaimed, waiting (set aside) or all"}, fixesQuery,
	}, pageQuery...)
	get := route("GET", one, "getException", "Read an open exception with what its fixes would do now; one that belongs to no order also when it is closed", nil, engine.ExceptionView{}, (*Server).getException)
	get.Query = []Query{fixesQuery}
	effort := route("GET", "/v1/effort", "getEffort", "What people had to do about orders: touches, seconds, touches per completed order, share of orders without any", nil, Effort{}, (*Server).effort)
	effort.Query = []Query{
		{Name: "by", Doc: "channel (default), location, day, cause or action"}, {Name: "from", Doc: "first day, like 2026-11-01; default: 28 days up to the last one"},
		{Name: "to", Doc: "last day; default: today"}, {Name: "channel", Doc: "only orders of this channel"}, {Name: "location", Doc: "only what counts at this location"},
	}
	touch := route("POST", "/v1/orders/{id}/touches", "touchOrder", "Book work about an order that a person did elsewhere, like a phone call", engine.NewTouch{}, order.Order{}, command(false, touchOrder))
	return []Route{
		list, get,
		route("GET", "/v1/exceptions/summary", "summarizeExceptions", "How many exceptions are open, by type, team, owner, channel and location, and what they put at risk", nil, engine.ExceptionSummary{}, (*Server).summarizeExceptions),
		route("GET", "/v1/exceptions/types", "listExceptionTypes", "The types of exceptions and the fixes there are", nil, ExceptionTypes{}, (*Server).exceptionTypes),
		route("POST", one+"/claim", "claimException", "Become the owner, or make somebody it; refused while another works on it, unless take is true", ExceptionClaim{}, engine.ExceptionView{}, command(true, claimException)),
		route("POST", one+"/release", "releaseException", "Give it back to its team", none{}, engine.ExceptionView{}, command(true, releaseException)),
		route("POST", one+"/fixes/{fix}/simulate", "simulateFix", "What a fix would do to money, stock, promise and plan; nothing changes. Applied with this version in If-Match it does just that", exception.Args{}, engine.FixResult{}, command(true, fixException(true))),
		route("POST", one+"/fixes/{fix}/apply", "applyFix", "Apply a fix; the exception is closed, or set aside, in the same commit", exception.Args{}, engine.FixResult{}, command(true, fixException(false))),
		route("POST", one+"/close", "closeException", "Close it; nothing else changes", ExceptionClosing{}, engine.FixResult{}, command(false, closeException)),
		route("POST", one+"/touches", "touchException", "Book work about it that a person did elsewhere", engine.NewTouch{}, engine.ExceptionView{}, command(false, touchException)),
		route("POST", "/v1/exceptions/bulk", "bulkFix", "Apply one fix to the exceptions that a filter admits, at most 200, the highest rank first, each by itself; with dry_run, simulate. Sent again it goes on with what is left", engine.BulkFix{}, engine.BulkResult{}, (*Server).bulkFix),
		touch, effort,
	}
}

var fixesQuery = Query{Name: "fixes", Doc: "false leaves out the fixes and what they would do, which takes most of the time"}

// ExceptionClaim says whose the exception is to be.
type ExceptionClaim struct {
	Owner string `json:"owner,omitempty"` // default: the Orderly-Operator header, else the caller
	Take  bool   `json:"take,omitempty"`  // from whoever has it
}

// ExceptionClosing says why an exception is none any more.
type ExceptionClosing struct {
	Resolution string `json:"resolution"`
}

// ExceptionTypes is the dictionary.
type ExceptionTypes struct {
	Types []exception.Type `json:"types"`
	Fixes []exception.Fix  `json:"fixes"`
}

// withFixes reads whether fixes are wanted.
func (c *Call) withFixes() (bool, error) {
	switch c.query("fixes") {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	}
	var bad problem.Invalid
	bad.Add("fixes", problem.Malformed, "must be true or false")
	return false, bad.Err()
}

func (s *Server) listExceptions(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	fixes, err := c.withFixes()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	page, err := s.engine.Exceptions(ctx, engine.ExceptionFilter{
		Type: c.query("type"), Channel: c.query("channel"), Location: c.query("location"), Owner: c.query("owner"), Order: c.query("order"), State: c.query("state"),
	}, limit, c.query("cursor"), fixes)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, page)
}

func (s *Server) getException(c *Call) error {
	fixes, err := c.withFixes()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	v, err := s.engine.Exception(ctx, c.R.PathValue("id"), fixes)
	if err != nil {
		return err
	}
	c.W.Header()["Etag"] = []string{etag(v.Version)}
	return c.json(http.StatusOK, v)
}

func (s *Server) summarizeExceptions(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	return c.json(http.StatusOK, s.engine.SummarizeExceptions(ctx))
}

func (s *Server) exceptionTypes(c *Call) error {
	return c.json(http.StatusOK, ExceptionTypes{exception.Types(), exception.Fixes()})
}

func claimException(s *Server, ctx context.Context, c *Call, body *ExceptionClaim, m engine.Meta) (*engine.Reply, error) {
	var bad problem.Invalid
	bad.Text("owner", body.Owner, 200)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return s.engine.ClaimException(ctx, c.R.PathValue("id"), body.Owner, body.Take, m)
}

func releaseException(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.engine.ReleaseException(ctx, c.R.PathValue("id"), m)
}

// mayFix says whether the caller has the right that a fix needs beside the one to work on exceptions.
func (c *Call) mayFix(fix string, a *exception.Args) func(*order.Order, *order.Exception) error {
	return func(o *order.Order, x *order.Exception) error {
		f, _ := exception.FixOf(fix)
		right := f.Right
		if fix == exception.FixReleaseHold {
			right = auth.HoldsRelease
			if typ := exception.HoldOf(o, x, a.Hold); typ != "" {
				right = auth.ReleaseOf(typ)
			}
		}
		if right != "" && !auth.May(c.Principal.Scopes, right) {
			return &order.Refusal{Code: engine.CodeNotPermitted, Message: "the fix " + fix + " needs the right " + string(right)}
		}
		return nil
	}
}

func fixException(simulate bool) func(*Server, context.Context, *Call, *exception.Args, engine.Meta) (*engine.Reply, error) {
	return func(s *Server, ctx context.Context, c *Call, body *exception.Args, m engine.Meta) (*engine.Reply, error) {
		fix := c.R.PathValue("fix")
		may := c.mayFix(fix, body)
		if simulate {
			may = nil
		}
		return s.engine.FixException(ctx, c.R.PathValue("id"), fix, *body, simulate, may, m)
	}
}

func closeException(s *Server, ctx context.Context, c *Call, body *ExceptionClosing, m engine.Meta) (*engine.Reply, error) {
	if body.Resolution == "" {
		var bad problem.Invalid
		bad.Add("resolution", problem.Required, "say why it is none any more")
		return nil, bad.Err()
	}
	return s.engine.FixException(ctx, c.R.PathValue("id"), exception.FixClose, exception.Args{Reason: body.Resolution}, false, nil, m)
}

func touchException(s *Server, ctx context.Context, c *Call, body *engine.NewTouch, m engine.Meta) (*engine.Reply, error) {
	return s.engine.TouchException(ctx, c.R.PathValue("id"), body, m)
}

func touchOrder(s *Server, ctx context.Context, c *Call, body *engine.NewTouch, m engine.Meta) (*engine.Reply, error) {
	return s.engine.TouchOrder(ctx, c.R.PathValue("id"), body, m)
}

func (s *Server) bulkFix(c *Call) error {
	var in engine.BulkFix
	if err := c.Decode(&in); err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	may := c.mayFix(in.Fix, &in.Args)
	if in.DryRun {
		may = nil
	}
	out, err := s.engine.FixExceptions(ctx, &in, may, m)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}
