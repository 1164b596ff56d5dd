package e2e

import (
	"slices"
	"strings"
	"testing"
)

// policyText publishes a sourcing policy and waits for nothing: the node that took it has it.
func (c *client) policyText(t testing.TB, sourcing string) {
	t.Helper()
	text := "kind: sourcing\nname: main\nsourcing:\n" + sourcing
	a := c.do(t.Context(), "PUT", "/v1/policies/sourcing/main", map[string]any{"text": text})
	if a.err != nil || a.status >= 300 {
		t.Fatalf("saving the policy: %s\n%s", a, text)
	}
	c.do(t.Context(), "POST", "/v1/policies/sourcing/main/publish", map[string]any{}).into(t, 200, nil)
}

// sourced is an order as these tests look at it.
type sourced struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	Fulfillments []struct {
		Location string `json:"location"`
		Via      string `json:"via"`
		Lines    []struct {
			SKU      string `json:"sku"`
			Quantity int64  `json:"quantity"`
		} `json:"lines"`
	} `json:"fulfillments"`
	Waiting *struct {
		Action, Queue string
		CancelAt      string `json:"cancel_at"`
	} `json:"waiting"`
}

func (o *sourced) from() (locations []string) {
	for _, f := range o.Fulfillments {
		locations = append(locations, f.Location)
	}
	return locations
}

// buy captures an order to Munich, which dc1 is nearest to, with more fields.
func (c *client) buy(t testing.TB, more map[string]any, lines ...line) *sourced {
	t.Helper()
	body := map[string]any{"channel": "web", "lines": lines, "ship_to": map[string]any{"country": "DE", "latitude": 48.1, "longitude": 11.0}}
	for k, v := range more {
		body[k] = v
	}
	var o sourced
	c.do(t.Context(), "POST", "/v1/orders", body).into(t, 201, &o)
	return &o
}

// explained returns all sentences about an order, and checks that the decision about it has the policy.
func (c *client) explained(t testing.TB, id string, decisions int) string {
	t.Helper()
	var d struct {
		Decisions []struct {
			Decision    struct{ Policy string }
			Explanation []string
		}
	}
	c.do(t.Context(), "GET", "/v1/orders/"+id+"/decisions", nil).into(t, 200, &d)
	var all []string
	for _, x := range d.Decisions {
		if !strings.HasPrefix(x.Decision.Policy, "main@") {
			t.Errorf("order %s was decided by %q", id, x.Decision.Policy)
		}
		all = append(all, x.Explanation...)
	}
	if len(d.Decisions) != decisions {
		t.Errorf("order %s has %d decisions, want %d: %q", id, len(d.Decisions), decisions, all)
	}
	return strings.Join(all, "\n")
}

func (c *client) queued(t testing.TB, queue string) (ids []string) {
	t.Helper()
	var page struct{ Items []sourced }
	c.do(t.Context(), "GET", "/v1/orders?queue="+queue, nil).into(t, 200, &page)
	for _, o := range page.Items {
		ids = append(ids, o.ID)
	}
	return ids
}

func says(t testing.TB, explanation string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(explanation, p) {
			t.Errorf("nothing says %q in:\n%s", p, explanation)
		}
	}
}

const byDistance = "  groups: [{name: all, cost: [{term: distance, value: '1'}]}]\n"

// TestDecisionsOfOrders lets orders be placed, wait, be released and refused by policy, and asks why.
func TestDecisionsOfOrders(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1", "dc2", "dc3"}, []string{"a", "b", "c"}, 2)
		c.do(t.Context(), "PUT", "/v1/catalog/kit", map[string]any{"components": []line{{"a", 1}, {"c", 1}}}).into(t, 201, nil)
		receive := func(sku, location string, units int64) {
			c.do(t.Context(), "POST", "/v1/inventory/adjustments", map[string]any{
				"items": []map[string]any{{"sku": sku, "location": location, "quantity": units}},
			}).into(t, 200, nil)
		}

		t.Run("a queue", func(t *testing.T) {
			c.policyText(t, byDistance+"  otherwise: {action: hold, queue: desk, cancel_after_hours: 24}\n")
			o := c.buy(t, nil, line{"b", 7})
			if o.Waiting == nil || o.Waiting.Queue != "desk" || o.Waiting.CancelAt == "" || len(o.Fulfillments) != 3 {
				t.Fatalf("placed %+v", o)
			}
			if q := c.queued(t, "desk"); !slices.Equal(q, []string{o.ID}) {
				t.Errorf("the queue has %v", q)
			}
			receive("b", "dc2", 1)
			var placed sourced
			c.do(t.Context(), "POST", "/v1/orders/"+o.ID+"/release", nil).into(t, 200, &placed)
			if placed.Status != "allocated" || placed.Waiting != nil || len(c.queued(t, "desk")) != 0 {
				t.Errorf("released: %+v", placed)
			}
			says(t, c.explained(t, o.ID, 2), "hold in queue desk, cancelled at", "dc2 ships 1 of line 1")
		})
		t.Run("reject", func(t *testing.T) {
			c.policyText(t, byDistance+"  otherwise: {action: reject}\n")
			a := c.do(t.Context(), "POST", "/v1/orders", map[string]any{"channel": "web", "lines": []line{{"b", 1}}})
			if a.status != 409 || a.code() != "out_of_stock" {
				t.Errorf("an order of what nobody has: %s", a)
			}
		})
		t.Run("all or nothing", func(t *testing.T) {
			c.policyText(t, byDistance+"  otherwise: {action: backorder, partial: false}\n")
			o := c.buy(t, nil, line{"a", 1}, line{"b", 1})
			if len(o.Fulfillments) != 0 || o.Status != "backordered" {
				t.Errorf("placed %+v", o)
			}
			says(t, c.explained(t, o.ID, 1), "nothing is placed unless everything can be")
			c.do(t.Context(), "POST", "/v1/orders/"+o.ID+"/cancel", nil).into(t, 200, nil)
		})
		t.Run("the location asked for", func(t *testing.T) {
			c.policyText(t, byDistance)
			o := c.buy(t, map[string]any{"required_location": "dc3"}, line{"a", 1})
			if !slices.Equal(o.from(), []string{"dc3"}) {
				t.Errorf("from %v", o.from())
			}
			says(t, c.explained(t, o.ID, 1), "forced location: the order asks for dc3")
		})
		t.Run("kits by component", func(t *testing.T) {
			receive("c", "dc1", -2)
			whole := c.buy(t, nil, line{"kit", 1})
			if !slices.Equal(whole.from(), []string{"dc2"}) {
				t.Errorf("a whole kit from %v", whole.from())
			}
			c.policyText(t, strings.Replace(byDistance, "name: all,", "name: all, limits: {kits: component},", 1))
			parts := c.buy(t, nil, line{"kit", 1})
			if len(parts.Fulfillments) == 0 || len(parts.Fulfillments[0].Lines)+len(parts.Fulfillments)-1 < 2 {
				t.Fatalf("a kit by component: %+v", parts)
			}
			says(t, c.explained(t, parts.ID, 1), "line 1.1", "line 1.2")
		})
		t.Run("transfers", func(t *testing.T) {
			c.policyText(t, strings.Replace(byDistance, "name: all,", "name: all, transfers: true,", 1))
			receive("c", "dc3", 1)
			o := c.buy(t, map[string]any{"method": "pickup", "pickup_location": "dc1"}, line{"c", 1})
			if len(o.Fulfillments) != 1 || o.Fulfillments[0].Via != "dc1" || o.Fulfillments[0].Location == "dc1" {
				t.Errorf("placed %+v", o)
			}
			says(t, c.explained(t, o.ID, 1), "to dc1 for pickup")
		})
		n.stop(t)
		if out, errs, code := command(t, append([]string{"verify"}, where...)...); code != 0 {
			t.Errorf("verify: %d\n%s%s", code, out, errs)
		}
	})
}
