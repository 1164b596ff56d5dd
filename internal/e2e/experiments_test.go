package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// experimentDocument is an experiment as these tests look at it.
type experimentDocument struct {
	ID, State, Policy string
	Incumbents        []string
	Stop              *struct {
		Cause, By, Reason string
		Breach            *struct {
			Name         string
			Value, Limit float64
		}
	}
}

// resultDocument is what is known of one.
type resultDocument struct {
	Behind bool
	Groups []struct {
		Group              string
		Captured, Finished int64
		Figures            []struct {
			Metric string
			Mean   float64
			Orders int64
		}
	}
	Shadow *struct{ Orders, Same int64 }
	Answer struct {
		Text string
		Sure bool
	}
}

// trialOrder is an order with its part in an experiment.
type trialOrder struct {
	orderDocument
	Trial *struct {
		Experiment, Group string
		Compared          *struct {
			Incumbent, Challenger struct {
				Policy string
				Cost   int64
			}
		}
	}
}

// buysAs captures an order of a customer.
func (c *client) buysAs(t testing.TB, customer string) *trialOrder {
	t.Helper()
	var o trialOrder
	c.do(t.Context(), "POST", "/v1/orders", map[string]any{
		"channel": "web", "customer": map[string]any{"id": customer}, "lines": []line{{"A", 1}},
		"ship_to": map[string]any{"country": "DE", "latitude": 48.1, "longitude": 11.0},
	}).into(t, 201, &o)
	return &o
}

const farText = "kind: sourcing\nname: far\nsourcing:\n  groups: [{name: all, sort: [{by: value, value: '0.0 - candidate.distance_km'}]}]\n"

// TestExperiments tries a dear policy in the shadow and then on half of the customers, across a crash, until its guardrail
// stops it.
func TestExperiments(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		ctx := t.Context()
		type document = map[string]any
		c.do(ctx, "PUT", "/v1/carriers/c", document{"services": []document{{
			"id": "standard", "currency": "EUR", "distance_bands": []document{{"up_to_km": 150, "zone": 1}, {"zone": 2}},
			"rates": []document{
				{"zone": 1, "transit_days": 1, "brackets": []document{{"up_to_grams": 30000, "price": 450}}},
				{"zone": 2, "transit_days": 2, "brackets": []document{{"up_to_grams": 30000, "price": 900}}},
			},
		}}}).into(t, 201, nil)
		c.seed(t, []string{"dc1", "dc2", "dc3"}, []string{"A"}, 10_000)
		c.do(ctx, "PUT", "/v1/channels/web", document{"type": "web", "currency": "EUR", "service": "standard"}).into(t, 200, nil)
		c.policyText(t, byDistance)
		create := func(body document) *experimentDocument {
			t.Helper()
			var x experimentDocument
			c.do(ctx, "POST", "/v1/experiments", body).into(t, 201, &x)
			c.do(ctx, "POST", "/v1/experiments/"+x.ID+"/start", nil).into(t, 200, &x)
			if x.State != "running" || x.Policy != "far@1" || !slices.Equal(x.Incumbents, []string{"main@1"}) {
				t.Fatalf("started as %+v", x)
			}
			return &x
		}

		look := create(document{"name": "look first", "text": farText, "mode": "shadow"})
		for i := range 10 {
			o := c.buysAs(t, fmt.Sprint("c", i))
			if o.Fulfillments[0].Location != "dc1" || o.Trial == nil || o.Trial.Compared == nil ||
				o.Trial.Compared.Incumbent.Cost != 450 || o.Trial.Compared.Challenger.Cost != 900 || o.Trial.Compared.Challenger.Policy != "far@1" {
				t.Fatalf("in the shadow: %+v", o)
			}
		}
		c.counts(t, look.ID, func(r *resultDocument) bool { return r.Shadow != nil && r.Shadow.Orders == 10 && r.Shadow.Same == 0 })
		a := c.do(ctx, "POST", "/v1/experiments", document{"name": "too early", "policy": "far@1", "mode": "share", "percent": 50})
		var second experimentDocument
		a.into(t, 201, &second)
		if a := c.do(ctx, "POST", "/v1/experiments/"+second.ID+"/start", nil); a.status != 422 || !strings.Contains(string(a.body), look.ID) {
			t.Errorf("a second experiment on the same orders: %s", a)
		}
		c.do(ctx, "POST", "/v1/experiments/"+look.ID+"/stop", document{"reason": "dear, but let us see"}).into(t, 200, nil)

		x := create(document{
			"name": "far", "policy": "far", "mode": "share", "percent": 50,
			"guardrails": document{"cost_more_percent_max": 20, "min_orders": 10},
		})
		groups := map[string]int64{}
		for i := range 60 {
			o := c.buysAs(t, fmt.Sprint("c", i))
			groups[o.Trial.Group]++
			if want := map[string]string{"incumbent": "dc1", "challenger": "dc3"}[o.Trial.Group]; o.Fulfillments[0].Location != want {
				t.Fatalf("an order of the %s is at %s", o.Trial.Group, o.Fulfillments[0].Location)
			}
			if i == 8 { // not enough orders yet
				c.counts(t, x.ID, func(r *resultDocument) bool { return r.Groups[0].Finished+r.Groups[1].Finished == 8 })
				n.kill()
				n = startNode(t, where)
				c.url = n.url
			}
			c.walk(t, &o.orderDocument, "pick", "ship", "deliver")
			if groups["challenger"] >= 9 && groups["incumbent"] >= 9 {
				break
			}
		}
		var now experimentDocument
		c.do(ctx, "GET", "/v1/experiments/"+x.ID, nil).into(t, 200, &now)
		if now.State != "running" {
			t.Fatalf("with nine orders in a group it is %+v", now.Stop)
		}
		for i := 100; groups["challenger"] < 12 || groups["incumbent"] < 12; i++ {
			o := c.buysAs(t, fmt.Sprint("c", i))
			if o.Trial == nil {
				break // the guardrail was quicker
			}
			groups[o.Trial.Group]++
			c.walk(t, &o.orderDocument, "pick", "ship", "deliver")
		}
		eventually(t, 60*time.Second, func() string {
			c.do(ctx, "GET", "/v1/experiments/"+x.ID, nil).into(t, 200, &now)
			if now.State != "stopped" {
				return "the guardrail does not stop the experiment"
			}
			return ""
		})
		if s := now.Stop; s.Cause != "guardrail" || s.By != "experiments" || s.Breach.Name != "cost_more_percent_max" || s.Breach.Value != 100 || s.Breach.Limit != 20 {
			t.Errorf("stopped as %+v", s)
		}
		if o := c.buysAs(t, "c1"); o.Trial != nil || o.Fulfillments[0].Location != "dc1" {
			t.Errorf("after the stop an order is in %+v", o.Trial)
		}
		c.counts(t, x.ID, func(r *resultDocument) bool {
			return r.Groups[0].Captured == groups["incumbent"] && r.Groups[1].Captured == groups["challenger"] &&
				r.Groups[0].Figures[0].Mean == 450 && r.Groups[1].Figures[0].Mean == 900 && strings.HasPrefix(r.Answer.Text, "Too few orders")
		})
		verify(t, n, where)
	})
}

// counts waits until the node has counted what it is to count of an experiment.
func (c *client) counts(t testing.TB, id string, right func(*resultDocument) bool) {
	t.Helper()
	eventually(t, 60*time.Second, func() string {
		var r resultDocument
		c.do(t.Context(), "GET", "/v1/experiments/"+id+"/result", nil).into(t, 200, &r)
		if r.Behind || !right(&r) {
			return fmt.Sprintf("the result is %+v", r)
		}
		return ""
	})
}
