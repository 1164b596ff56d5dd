package api

import (
	"context"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/webhook"
)

func webhookRoutes() []Route {
	route := func(method, path, id, summary string, status int, in, out any, handle func(*Server, *Call) error) Route {
		scope := auth.WebhooksWrite
		if method == http.MethodGet {
			scope = auth.EventsRead
		}
		return Route{Method: method, Path: "/v1/webhooks" + path, ID: id, Tag: "webhooks", Scope: scope, Summary: summary, Status: status, In: in, Out: out, Handle: handle}
	}
	deliveries := route("GET", "/{id}/deliveries", "listDeliveries", "List deliveries that are not accepted: pending, or dead", 200, nil, Page[webhook.Delivery]{}, (*Server).listDeliveries)
	deliveries.Query = append([]Query{{Name: "state", Doc: "pending (default) or dead"}}, pageQuery...)
	return []Route{
		route("POST", "", "createWebhook", "Subscribe to events from now on; the signing secret is shown this once", 201, webhook.Settings{}, webhook.View{}, command(false, createWebhook)),
		route("GET", "", "listWebhooks", "List subscriptions; there are at most 100", 200, nil, Page[webhook.View]{}, (*Server).listWebhooks),
		route("GET", "/{id}", "getWebhook", "Get a subscription and how far its deliveries have come", 200, nil, webhook.View{}, (*Server).getWebhook),
		route("PATCH", "/{id}", "updateWebhook", "Change a subscription, pause it, or make it active again: then all that waits is sent", 200, webhook.Settings{}, webhook.View{}, command(false, updateWebhook)),
		route("DELETE", "/{id}", "removeWebhook", "Remove a subscription with its pending and dead deliveries", 204, nil, nil, command(true, removeWebhook)),
		route("POST", "/{id}/rotate", "rotateWebhookSecret", "Make a new secret, shown this once; the one before signs beside it for a while", 200, Rotation{}, webhook.View{}, command(true, rotateWebhook)),
		deliveries,
		route("POST", "/{id}/deliveries/{delivery}/retry", "retryDelivery", "Try a pending or dead delivery again now", 200, nil, webhook.Delivery{}, command(true, retryDelivery)),
		route("POST", "/{id}/replay", "replayWebhook", "Send everything again from a cursor or a time on", 200, ReplayFrom{}, webhook.View{}, command(false, replayWebhook)),
		route("POST", "/{id}/test", "testWebhook", "Send a signed test message now and report what the receiver did", 200, nil, TestResult{}, (*Server).testWebhook),
	}
}

// Rotation asks for a new secret.
type Rotation struct {
	OverlapSeconds *int64 `json:"overlap_seconds,omitempty" doc:"how long the secret before goes on signing, 0 to 604800; default 86400"`
}

// ReplayFrom says where a replay begins; exactly one is given.
type ReplayFrom struct {
	Cursor *string    `json:"cursor,omitempty" doc:"a cursor as in /v1/events; empty: the beginning of the log"`
	Since  *time.Time `json:"since,omitempty" doc:"events from this time on, and up to 10 seconds before it"`
}

// TestResult is what a test message led to.
type TestResult struct {
	Delivered    bool   `json:"delivered"`
	Status       int    `json:"status,omitempty" doc:"of the receiver's answer; absent: none came"`
	Error        string `json:"error,omitempty"`
	Milliseconds int64  `json:"milliseconds"`
}

func createWebhook(s *Server, ctx context.Context, _ *Call, n *webhook.Settings, m engine.Meta) (*engine.Reply, error) {
	return s.opt.Webhooks.Create(ctx, *n, m)
}

func updateWebhook(s *Server, ctx context.Context, c *Call, n *webhook.Settings, m engine.Meta) (*engine.Reply, error) {
	return s.opt.Webhooks.Update(ctx, c.R.PathValue("id"), *n, m)
}

func removeWebhook(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.opt.Webhooks.Remove(ctx, c.R.PathValue("id"), m)
}

func rotateWebhook(s *Server, ctx context.Context, c *Call, n *Rotation, m engine.Meta) (*engine.Reply, error) {
	return s.opt.Webhooks.Rotate(ctx, c.R.PathValue("id"), n.OverlapSeconds, m)
}

func retryDelivery(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.opt.Webhooks.Retry(ctx, c.R.PathValue("id"), c.R.PathValue("delivery"), m)
}

func replayWebhook(s *Server, ctx context.Context, c *Call, from *ReplayFrom, m engine.Meta) (*engine.Reply, error) {
	var at engine.Cursor
	var err error
	var bad problem.Invalid
	switch {
	case (from.Cursor == nil) == (from.Since == nil):
		bad.Add("", problem.Required, "give either cursor or since")
	case from.Since != nil:
		at, err = s.opt.Webhooks.Since(ctx, *from.Since)
	default:
		var malformed error
		if at, malformed = engine.ParseCursor(*from.Cursor, s.engine.Store().Buckets()); malformed != nil {
			bad.Add("cursor", problem.Malformed, "%s", malformed)
		}
	}
	if err == nil {
		err = bad.Err()
	}
	if err != nil {
		return nil, err
	}
	return s.opt.Webhooks.Replay(ctx, c.R.PathValue("id"), at, m)
}

func (s *Server) listWebhooks(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	views, err := s.opt.Webhooks.List(ctx)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Page[webhook.View]{Items: views})
}

func (s *Server) getWebhook(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	view, version, err := s.opt.Webhooks.Get(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	c.W.Header()["Etag"] = []string{etag(version)}
	return c.json(http.StatusOK, view)
}

func (s *Server) listDeliveries(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	state := webhook.State(c.query("state"))
	switch state {
	case "":
		state = webhook.Pending
	case webhook.Pending, webhook.Dead:
	default:
		var bad problem.Invalid
		bad.Add("state", problem.Unknown, "must be %s or %s", webhook.Pending, webhook.Dead)
		return bad
	}
	ctx, cancel := c.Context()
	defer cancel()
	found, more, err := s.opt.Webhooks.Deliveries(ctx, c.R.PathValue("id"), state, c.query("cursor"), limit)
	if err != nil {
		return err
	}
	page := Page[webhook.Delivery]{Items: found}
	if more {
		page.Next = found[len(found)-1].ID
	}
	return c.json(http.StatusOK, page)
}

func (s *Server) testWebhook(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	out, err := s.opt.Webhooks.Test(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, TestResult{out.Delivered(), out.Status, out.Error, out.Took.Milliseconds()})
}
