package api

import (
	"context"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

func servicingRoutes() []Route {
	const at = "/v1/orders/{id}/"
	return []Route{
		{
			Method: "POST", Path: at + "edit", ID: "editOrder", Tag: "servicing", Scope: auth.OrdersEdit, Status: 200,
			Summary: "Change lines, prices, address, service, method, dates, gifts and attributes of what has not left. With preview: what it would mean for money, stock, promise and plan, and nothing changes; submitted with the preview's version in If-Match it means just that, or is refused with 412",
			In:      engine.OrderEdit{}, Out: engine.EditedOrder{}, Handle: command(false, editOrder),
		},
		{
			Method: "POST", Path: at + "adjustments", ID: "adjustOrder", Tag: "servicing", Scope: auth.ServiceAdjust, Status: 200,
			Summary: "Give money back, for what went wrong or because the price should have been another one: what is due falls, and what was captured beyond it is refunded. Above the limit of the holds policy it waits for approval",
			In:      order.NewAdjustment{}, Out: order.Order{}, Handle: command(false, adjustOrder),
		},
		{
			Method: "POST", Path: at + "adjustments/{adjustment}/approve", ID: "approveAdjustment", Tag: "servicing", Scope: auth.ServiceApprove, Status: 200,
			Summary: "Approve an adjustment that waits", In: Decision{}, Out: order.Order{}, Handle: command(true, decideAdjustment(true)),
		},
		{
			Method: "POST", Path: at + "adjustments/{adjustment}/decline", ID: "declineAdjustment", Tag: "servicing", Scope: auth.ServiceApprove, Status: 200,
			Summary: "Decline an adjustment that waits", In: Decision{}, Out: order.Order{}, Handle: command(true, decideAdjustment(false)),
		},
		{
			Method: "POST", Path: at + "reship", ID: "reshipOrder", Tag: "servicing", Scope: auth.ServiceReship, Status: 200,
			Summary: "Send units again that left and did not arrive as they should; they count as lost and are not charged again. A delivered order is open again",
			In:      order.Reship{}, Out: engine.EditedOrder{}, Handle: command(false, reshipOrder),
		},
		{
			Method: "POST", Path: at + "substitute", ID: "substituteLine", Tag: "servicing", Scope: auth.OrdersEdit, Status: 200,
			Summary: "Replace units that have not left by another article. Without the customer's consent only when the order accepts substitutes, and never at a higher price",
			In:      order.Substitution{}, Out: engine.EditedOrder{}, Handle: command(false, substituteLine),
		},
		{
			Method: "POST", Path: at + "notes", ID: "addNote", Tag: "servicing", Scope: auth.NotesWrite, Status: 200,
			Summary: "Write something down about an order", In: NewNote{}, Out: order.Order{}, Handle: command(false, addNote),
		},
		{
			Method: "POST", Path: at + "hold", ID: "holdOrder", Tag: "servicing", Scope: auth.HoldsWrite, Status: 200,
			Summary: "Stop an order: locations get nothing of it until every hold is released; what they have accepted goes on",
			In:      order.NewHold{}, Out: order.Order{}, Handle: command(false, holdOrder),
		},
	}
}

// Decision says why something is approved or declined.
type Decision struct {
	Reason string `json:"reason,omitempty"`
}

// NewNote is a note to be kept with an order.
type NewNote struct {
	Text string `json:"text"`
}

func editOrder(s *Server, ctx context.Context, c *Call, body *engine.OrderEdit, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Edit(ctx, c.R.PathValue("id"), body, m)
}

func adjustOrder(s *Server, ctx context.Context, c *Call, body *order.NewAdjustment, m engine.Meta) (*engine.Reply, error) {
	return s.engine.AdjustOrder(ctx, c.R.PathValue("id"), body, auth.May(c.Principal.Scopes, auth.ServiceApprove), m)
}

func decideAdjustment(approve bool) func(*Server, context.Context, *Call, *Decision, engine.Meta) (*engine.Reply, error) {
	return func(s *Server, ctx context.Context, c *Call, body *Decision, m engine.Meta) (*engine.Reply, error) {
		return s.engine.DecideAdjustment(ctx, c.R.PathValue("id"), c.R.PathValue("adjustment"), approve, body.Reason, m)
	}
}

func reshipOrder(s *Server, ctx context.Context, c *Call, body *order.Reship, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Reship(ctx, c.R.PathValue("id"), body, m)
}

func substituteLine(s *Server, ctx context.Context, c *Call, body *order.Substitution, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Substitute(ctx, c.R.PathValue("id"), body, m)
}

func addNote(s *Server, ctx context.Context, c *Call, body *NewNote, m engine.Meta) (*engine.Reply, error) {
	return s.engine.AddNote(ctx, c.R.PathValue("id"), body.Text, m)
}

func holdOrder(s *Server, ctx context.Context, c *Call, body *order.NewHold, m engine.Meta) (*engine.Reply, error) {
	return s.engine.HoldOrder(ctx, c.R.PathValue("id"), body, m)
}

func releaseOrder(s *Server, ctx context.Context, c *Call, body *engine.HoldRelease, m engine.Meta) (*engine.Reply, error) {
	scopes := c.Principal.Scopes
	may := func(typ string) bool { return auth.May(scopes, auth.ReleaseOf(typ)) }
	return s.engine.ReleaseHolds(ctx, c.R.PathValue("id"), body, may, m)
}
