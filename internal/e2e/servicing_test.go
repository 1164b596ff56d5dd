package e2e

import (
	"fmt"
	"testing"
)

// TestServicing takes one order through what customer service does, and others through what goes wrong.
func TestServicing(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1", "dc2"}, []string{"shirt", "mug", "cup"}, 20)
		t.Run("service", c.serviced)
		t.Run("conditions", c.conditions)
		verified(t, n, where)
	})
}

func (c *client) wanted(t testing.TB, lines ...document) *orderDocument {
	t.Helper()
	var o orderDocument
	c.do(t.Context(), "POST", "/v1/orders", document{
		"channel": "web", "lines": lines, "ship_to": document{"country": "DE", "latitude": 48.1, "longitude": 11.0},
	}).into(t, 201, &o)
	return &o
}

// serviced is the story of one order.
func (c *client) serviced(t *testing.T) {
	o := c.wanted(t, document{"sku": "shirt", "quantity": 3, "unit_price": 1000}, document{"sku": "mug", "quantity": 1, "unit_price": 1000})
	at := "/v1/orders/" + o.ID
	post := func(path string, status int, code string, body document, headers ...string) answer {
		t.Helper()
		a := c.do(t.Context(), "POST", path, body, headers...)
		if a.err != nil || a.status != status || a.code() != code {
			t.Fatalf("%s: %s, want %d %s", path, a, status, code)
		}
		return a
	}
	first := "/v1/fulfillments/" + o.Fulfillments[0].ID
	post(at+"/hold", 200, "", document{"type": "fraud", "owner": "fraud", "reason": "unusual"})
	post(first+"/accept", 409, "on_hold", document{})
	edit := document{"preview": true, "lines": []document{{"line": "1", "quantity": 1}}, "add": []document{{"sku": "cup", "quantity": 1, "unit_price": 500}}}
	var preview struct {
		Version int64
		Effect  struct {
			Money struct {
				DueAfter int64 `json:"due_after"`
			}
		}
	}
	post(at+"/edit", 200, "", edit).into(t, 200, &preview)
	if preview.Effect.Money.DueAfter != 2500 {
		t.Errorf("the preview says %+v", preview)
	}
	delete(edit, "preview")
	post(at+"/edit", 412, "version_mismatch", edit, "If-Match", `"1"`)
	post(at+"/edit", 200, "", edit, "If-Match", fmt.Sprintf(`"%d"`, preview.Version))
	post(at+"/release", 200, "", document{"type": "fraud", "reason": "it is fine"})
	post(first+"/pick", 200, "", document{})
	mug := []document{{"line": "2", "quantity": 1}}
	post(at+"/cancel", 409, "not_cancellable", document{"lines": mug})
	post(at+"/cancel", 200, "", document{"lines": mug, "request_stop": true})
	post(first+"/refuse_stop", 200, "", document{"reason": "in the van"})
	swap := document{"line": "3", "quantity": 1, "sku": "mug"}
	post(at+"/substitute", 409, "no_consent", swap)
	swap["consent"] = document{"by": "Ada", "at": "2020-01-01T00:00:00Z", "channel": "phone"}
	post(at+"/substitute", 200, "", swap)
	post(first+"/ship", 200, "", document{})
	post(at+"/reship", 200, "", document{"lines": mug, "reason": "broken"})
	post(at+"/adjustments", 200, "", document{"amount": 100, "reason": "sorry"})
	post(at+"/notes", 200, "", document{"text": "called"})
}

// conditions reports what goes wrong, and sees that the units are somewhere else afterwards.
func (c *client) conditions(t *testing.T) {
	for name, steps := range map[string][]struct {
		step string
		body document
	}{
		"reject":     {{"reject", document{"reason": "no_capacity"}}},
		"short pick": {{"pick", document{"lines": []document{{"line": "1", "short": 1}}}}},
		"lost":       {{"ship", document{}}, {"delay", document{"expected_at": "2099-01-01T00:00:00Z"}}, {"lose", document{}}},
	} {
		o := c.wanted(t, document{"sku": "shirt", "quantity": 1, "unit_price": 1000})
		for _, s := range steps {
			c.do(t.Context(), "POST", "/v1/fulfillments/"+o.Fulfillments[0].ID+"/"+s.step, s.body).into(t, 200, o)
		}
		last := o.Fulfillments[len(o.Fulfillments)-1]
		if len(o.Fulfillments) != 2 || last.Status != "open" || name != "lost" && last.Location != "dc2" {
			t.Errorf("%s: %+v", name, o.Fulfillments)
		}
	}
}
