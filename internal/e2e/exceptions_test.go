package e2e

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// exceptionDocument is an exception as these tests look at it.
type exceptionDocument struct {
	ID, Type, Message, State, Owner string
	OrderID                         string `json:"order_id"`
	Money                           int64  `json:"money_at_risk"`
	Rank                            int64  `json:"rank"`
	Version                         int64  `json:"version"`
	Fixes                           []struct {
		Fix    string
		Effect *effectDocument
	}
}

// effectDocument is what a fix means: money, stock, plan.
type effectDocument struct {
	Money struct {
		DueBefore int64 `json:"due_before"`
		DueAfter  int64 `json:"due_after"`
	}
	Stock []struct {
		Location, SKU   string
		Taken, Released int64
	}
	Plan []struct {
		Location string
	}
	Promise json.RawMessage
	Cost    int64
	Closes  bool
}

type exceptionPage struct {
	Items  []exceptionDocument
	Count  int
	Loaded bool
}

// exceptions returns the queue once the node has read it.
func (c *client) exceptions(t testing.TB, query string) (page exceptionPage) {
	t.Helper()
	eventually(t, 30*time.Second, func() string {
		page = exceptionPage{}
		c.do(t.Context(), "GET", "/v1/exceptions?"+query, nil).into(t, 200, &page)
		if !page.Loaded {
			return "the queue is not loaded"
		}
		return ""
	})
	return page
}

// kpis returns the numerators and denominators of KPIs once everything that has happened is counted.
func (c *client) kpis(t testing.TB, ids string) map[string][2]int64 {
	t.Helper()
	out := map[string][2]int64{}
	since := time.Now()
	eventually(t, 60*time.Second, func() string {
		var page struct {
			At     time.Time
			Behind bool
			Items  []struct {
				KPI, Key               string
				Numerator, Denominator int64
			}
		}
		c.do(t.Context(), "GET", "/v1/kpis?kpi="+ids, nil).into(t, 200, &page)
		if page.Behind || !page.At.After(since) {
			return "the KPIs are behind"
		}
		clear(out)
		for _, v := range page.Items {
			out[v.KPI+v.Key] = [2]int64{v.Numerator, v.Denominator}
		}
		return ""
	})
	return out
}

// stuck captures orders that no location can fulfil, so that a person is asked.
func (c *client) stuck(t testing.TB, orders int) {
	t.Helper()
	for i := range orders {
		c.do(t.Context(), "POST", "/v1/orders", document{
			"channel": "web", "external_id": fmt.Sprint("stuck-", i), "lines": []document{{"sku": "x", "quantity": i + 1, "unit_price": 1000}},
		}).into(t, 201, nil)
	}
}

// TestExceptions takes orders that are stuck out of the queue: simulated, applied, many at once; and
// compares what was counted before and after a restart.
func TestExceptions(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1", "dc2"}, []string{"x", "a"}, 0)
		c.policyText(t, byDistance+"  otherwise: {action: exception}\n")
		const orders = 5
		c.stuck(t, orders)
		page := c.exceptions(t, "type=no_location")
		if page.Count != orders {
			t.Fatalf("%d exceptions, want %d", page.Count, orders)
		}
		for i, x := range page.Items {
			// The most expensive first, each with its sentence and its team.
			if x.Money != int64(orders-i)*1000 || x.Message == "" || x.Owner != "operations" || len(x.Fixes) < 4 {
				t.Errorf("exception %d: %+v", i, x)
			}
		}
		c.do(t.Context(), "POST", "/v1/inventory/adjustments", document{"items": []document{{"sku": "x", "location": "dc2", "quantity": 7}}}).into(t, 200, nil)
		// New stock is given to who waits for it by the rules; who is asked a person about stays in the queue.
		page = c.exceptions(t, "type=no_location")
		t.Run("one", func(t *testing.T) { c.fixOne(t, page.Items[0]) })
		t.Run("many", c.fixMany)

		c.do(t.Context(), "POST", "/v1/orders/"+page.Items[1].OrderID+"/touches", document{"by": "ada", "action": "phone_call", "seconds": 300, "cause": "no_location"}).into(t, 200, nil)
		const asked = "orders_captured,exceptions_by_type,touch_causes,touch_actions,touchless_share,touches_per_order,cancel_rate,backlog,reject_rate,otif,perfect_order"
		before := c.kpis(t, asked)
		for kpi, want := range map[string][2]int64{
			"orders_captured": {orders, 0}, "backlog": {1, 0}, "cancel_rate": {orders - 1, orders - 1}, "touchless_share": {0, orders - 1},
			"exceptions_by_typeno_location": {orders, orders}, "touch_causesno_location": {orders + 1, orders + 1},
			"touch_actionsapplyFix": {1, orders + 1}, "touch_actionsbulkFix": {orders - 1, orders + 1}, "touch_actionsphone_call": {1, orders + 1},
			// The call came after its order was cancelled.
			"touches_per_order": {orders - 1, orders - 1},
		} {
			if before[kpi] != want {
				t.Errorf("%s is %v, want %v", kpi, before[kpi], want)
			}
		}
		n.kill()
		n = startNode(t, where)
		c = &client{url: n.url}
		if after := c.kpis(t, asked); !reflect.DeepEqual(after, before) {
			t.Errorf("after a crash the KPIs are\n%v\nand were\n%v", after, before)
		}
		verified(t, n, where)
	})
}

// fixOne takes the most urgent order out of the queue, after a look at what that means.
func (c *client) fixOne(t *testing.T, x exceptionDocument) {
	at := "/v1/exceptions/" + x.ID + "/fixes/retry_sourcing/"
	free := func() int64 { s := c.positions(t, []string{"x"})[spot{"x", "dc2"}]; return s.OnHand - s.Allocated }
	had := free()
	var simulated, applied struct {
		Version   int64
		Simulated bool
		Effect    effectDocument
	}
	c.do(t.Context(), "POST", at+"simulate", document{}).into(t, 200, &simulated)
	s := &simulated.Effect
	if !simulated.Simulated || !s.Closes || len(s.Plan) != 1 || s.Plan[0].Location != "dc2" || len(s.Stock) != 1 || s.Stock[0].Taken != 5 || free() != had {
		t.Errorf("simulated %+v; %d units are free, there were %d", simulated, free(), had)
	}
	stale := fmt.Sprintf(`"%d"`, simulated.Version+1)
	if a := c.do(t.Context(), "POST", at+"apply", document{}, "If-Match", stale); a.status != 412 {
		t.Errorf("applied on a version that was not simulated: %s", a)
	}
	match := fmt.Sprintf(`"%d"`, simulated.Version)
	c.do(t.Context(), "POST", at+"apply", document{"reason": "stock came"}, "If-Match", match, "Orderly-Operator", "ada").into(t, 200, &applied)
	simulated.Effect.Promise, applied.Effect.Promise = nil, nil // dates are from now, and that is later
	if applied.Simulated || !reflect.DeepEqual(applied.Effect, simulated.Effect) || free() != had-5 {
		t.Errorf("applied\n%+v, simulated\n%+v; %d units are free, there were %d", applied, simulated, free(), had)
	}
	if page := c.exceptions(t, "order="+x.OrderID); page.Count != 0 {
		t.Errorf("the order still has %+v", page)
	}
	if a := c.do(t.Context(), "POST", at+"apply", document{}); a.status != 409 {
		t.Errorf("applied once more: %s", a)
	}
}

// fixMany cancels what is left in the queue.
func (c *client) fixMany(t *testing.T) {
	ask := document{"filter": document{"type": "no_location"}, "fix": "cancel_units", "args": document{"reason": "no_stock"}, "dry_run": true}
	bulk := func(found, done int) {
		t.Helper()
		var out struct{ Found, Done, Failed int }
		c.do(t.Context(), "POST", "/v1/exceptions/bulk", ask, "Orderly-Operator", "ada").into(t, 200, &out)
		if out.Found != found || out.Done != done || out.Failed != 0 {
			t.Errorf("fixed %+v, want %d of %d", out, done, found)
		}
	}
	bulk(4, 4)
	if page := c.exceptions(t, "type=no_location"); page.Count != 4 {
		t.Errorf("after a dry run %d are left", page.Count)
	}
	ask["dry_run"] = false
	bulk(4, 4)
	bulk(0, 0)
	for _, o := range c.orders(t) {
		if len(o.Fulfillments) == 0 && o.Status != "cancelled" {
			t.Errorf("order %s is %s", o.ID, o.Status)
		}
	}
}
