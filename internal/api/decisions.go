package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/plancase"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// maxPlanBytes bounds a question to the planner: a case of 500 lines at 2,000 locations has about 8 MiB.
const maxPlanBytes = 16 << 20

func decisionRoutes() []Route {
	return []Route{
		{
			Method: "GET", Path: "/v1/orders/{id}/decisions", ID: "getOrderDecisions", Tag: "orders", Scope: auth.OrdersRead, Status: 200,
			Summary: "Why each location was chosen for an order: candidates, exclusions, costs, alternatives; as data and in sentences, oldest first",
			Out:     Decisions{}, Handle: (*Server).orderDecisions,
		},
		{
			Method: "POST", Path: "/v1/orders/{id}/release", ID: "releaseOrder", Tag: "orders", Scope: auth.OrdersRelease, Status: 200,
			Summary: "End holds: the one named, those of a type, or all that the key may end (scope holds:release, or holds:release: and the type). Without holds, let units that wait in a queue look for a location again, now",
			In:      engine.HoldRelease{}, Out: order.Order{}, Handle: command(true, releaseOrder),
		},
		{
			Method: "POST", Path: "/v1/sourcing/plan", ID: "planSourcing", Tag: "sourcing", Scope: auth.OrdersRead, Status: 200,
			Summary: "Decide without doing it: an order on the facts of this moment, by the policy in force or one that is sent along; or a problem that brings its own facts",
			In:      PlanRequest{}, Out: PlanAnswer{}, MaxBytes: maxPlanBytes, Handle: (*Server).planSourcing,
		},
	}
}

// Decisions are all decisions about an order.
type Decisions struct {
	Decisions []Decided `json:"decisions"`
}

// Decided is one decision with its explanation.
type Decided struct {
	At time.Time `json:"at,omitzero"`
	// Version is that of the order after the decision; 0 for a dry run.
	Version     int64              `json:"version,omitempty"`
	Actor       string             `json:"actor,omitempty"`
	Decision    *sourcing.Decision `json:"decision"`
	Explanation []string           `json:"explanation"`
}

func digits(currency string) int {
	n, known := money.Exponent(currency)
	if !known {
		return 0
	}
	return n
}

func (s *Server) orderDecisions(c *Call) error {
	key := s.engine.OrderKey(c.R.PathValue("id"))
	record, err := s.loadOne(c, key)
	if err != nil {
		return err
	}
	var o struct {
		Currency string `json:"currency"`
	}
	if err := json.Unmarshal(record.Body, &o); err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	events, err := s.engine.Timeline(ctx, key, 0, maxTimelineCommands)
	if err != nil {
		return err
	}
	out := Decisions{Decisions: []Decided{}}
	for i := range events {
		if events[i].Type != order.EventSourced {
			continue
		}
		var e order.Event
		if err := json.Unmarshal(events[i].Data, &e); err != nil {
			return err
		}
		out.Decisions = append(out.Decisions, Decided{
			At: events[i].Time, Version: events[i].Version, Actor: events[i].Actor,
			Decision: e.Sourcing, Explanation: sourcing.Explain(e.Sourcing, digits(o.Currency)),
		})
	}
	return c.json(http.StatusOK, out)
}

// PlanRequest asks for a decision that is not carried out: give order or case.
type PlanRequest struct {
	// Order is decided on the stock, capacity, rates and learned facts of this moment.
	Order *order.New `json:"order,omitempty"`
	// Policy is the text of a sourcing policy (YAML) that decides instead of the one in force.
	Policy string `json:"policy,omitempty"`
	// Case brings its own facts, in the format of orderly plan.
	Case *plancase.Case `json:"case,omitempty"`
}

// PlanAnswer is what would be decided.
type PlanAnswer struct {
	// Order is what the order would become, with fulfillments and promise.
	Order     *order.Order `json:"order,omitempty"`
	Decisions []Decided    `json:"decisions,omitempty"`
	// Refused reports that the order would be refused, because not all of it can be placed.
	Refused bool           `json:"refused,omitempty"`
	Plan    *plancase.Plan `json:"plan,omitempty"` // of a case
}

func (s *Server) planSourcing(c *Call) error {
	// As PlanRequest, but cases may have fields of their own, as files of cases do.
	var in struct {
		Order  *order.New     `json:"order"`
		Policy string         `json:"policy"`
		Case   jsontext.Value `json:"case"`
	}
	if err := c.Decode(&in); err != nil {
		return err
	}
	planned := in.Case != nil && in.Case.Kind() != 'n'
	var bad problem.Invalid
	switch {
	case in.Order == nil && !planned:
		bad.Add("order", problem.Required, "give an order, or a case that brings its own facts")
	case in.Order != nil && planned:
		bad.Add("case", problem.Conflict, "give either order or case")
	case planned && in.Policy != "":
		bad.Add("policy", problem.Conflict, "a case brings its own costs; a policy decides about an order")
	case planned:
		return planCase(c, in.Case)
	case in.Order.ReservationID != "":
		bad.Add("order.reservation_id", problem.Conflict, "a dry run claims nothing: what the reservation holds counts as taken")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	candidate, err := compileCandidate(in.Policy)
	if err != nil {
		return err
	}
	t, err := s.engine.Try(in.Order, candidate)
	if err != nil {
		return underOrder(err)
	}
	out := PlanAnswer{Order: t.Order, Refused: t.Refused, Decisions: []Decided{}}
	for _, d := range t.Decisions {
		out.Decisions = append(out.Decisions, Decided{Decision: d, Explanation: sourcing.Explain(d, digits(t.Order.Currency))})
	}
	return c.json(http.StatusOK, out)
}

func planCase(c *Call, text []byte) error {
	k, err := plancase.Decode(text)
	if err != nil {
		var bad problem.Invalid
		bad.Nest("case", err)
		return bad.Err()
	}
	return c.json(http.StatusOK, PlanAnswer{Plan: k.Solve(new(exact.Solver))})
}

// compileCandidate compiles a sourcing policy sent with a request; "" gives nil.
func compileCandidate(text string) (*policy.Compiled, error) {
	if text == "" {
		return nil, nil
	}
	compiled, err := policy.CompileText([]byte(text))
	if err != nil {
		var bad problem.Invalid
		var problems policy.Problems
		if errors.As(err, &problems) {
			bad.Nest("policy", problems.Invalid())
			return nil, bad.Err()
		}
		return nil, err
	}
	if compiled.Kind != policy.KindSourcing {
		var bad problem.Invalid
		bad.Add("policy", problem.Malformed, "is a policy of kind %s; sourcing is needed", compiled.Kind)
		return nil, bad.Err()
	}
	return compiled, nil
}

// underOrder puts the pointers of an invalid order under the field it stands in.
func underOrder(err error) error {
	if bad, ok := err.(problem.Invalid); ok {
		var under problem.Invalid
		under.Nest("order", bad)
		return under.Err()
	}
	return err
}
