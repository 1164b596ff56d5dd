package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// returnsPolicy looks at what comes by mail and scraps what is broken; what is handed in goes back on the shelf.
const returnsPolicy = `kind: returns
name: main
returns:
  rules: [{name: brought, when: returned.method == "store", to: received}, {name: mailed, to: nearest}]
  window_days: 30
  reasons: [too_small, broken]
  refuse: [{name: final-sale, when: line.sku == "final", message: sold for good, final: true}]
  fees: [{name: postage, when: returned.method == "mail", amount: 300, per: return}]
  inspect: returned.method == "mail"
  dispositions: [{name: broken, when: returned.condition == "broken", to: scrap}, {name: rest, to: restock}]
`

type document = map[string]any

// backDocument is a return as these tests look at it.
type backDocument struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Blind   bool   `json:"blind"`
	Refunds []struct {
		Key                          string
		Amount, Value, Fee, Exchange int64
	} `json:"refunds"`
}

// backAnswer is what a command about a return answers.
type backAnswer struct {
	Version  int64         `json:"version"`
	Return   *backDocument `json:"return"`
	Decision *struct {
		Allowed bool
		Refund  struct{ Amount int64 }
	} `json:"decision"`
	Exchange *orderDocument `json:"exchange"`
}

// paidBack is what the refunds of a return come to.
func (b *backDocument) paidBack() (sum int64) {
	for _, f := range b.Refunds {
		sum += f.Amount
	}
	return sum
}

// policy publishes a policy and returns once the node that took it has it.
func (c *client) policy(t testing.TB, kind, text string) {
	t.Helper()
	a := c.do(t.Context(), "PUT", "/v1/policies/"+kind+"/main", document{"text": text})
	if a.err != nil || a.status >= 300 {
		t.Fatalf("saving the policy: %s\n%s", a, text)
	}
	c.do(t.Context(), "POST", "/v1/policies/"+kind+"/main/publish", document{}).into(t, 200, nil)
}

// takesReturns lets locations take returns.
func (c *client) takesReturns(t testing.TB, locations ...string) {
	t.Helper()
	for i, l := range locations {
		c.do(t.Context(), "PUT", "/v1/locations/"+l, document{
			"type": "dc", "time_zone": "Europe/Berlin", "capabilities": []string{"ship", "pickup", "returns"},
			"address": document{"country": "DE", "latitude": 48 + float64(i), "longitude": 11.0},
		}).into(t, 200, nil)
	}
}

// sell captures an order and brings it to its customer; prices are 10.00 a unit.
func (c *client) sell(t testing.TB, lines ...line) *orderDocument {
	t.Helper()
	var priced []document
	var total int64
	for _, l := range lines {
		priced = append(priced, document{"sku": l.SKU, "quantity": l.Quantity, "unit_price": 1000})
		total += 1000 * l.Quantity
	}
	var o orderDocument
	c.do(t.Context(), "POST", "/v1/orders", document{
		"channel": "web", "lines": priced, "ship_to": document{"country": "DE", "latitude": 48.1, "longitude": 11.0},
		"tenders": []document{{"type": "card", "amount": total}},
	}).into(t, 201, &o)
	c.walk(t, &o, "accept", "pick", "pack", "ship", "deliver")
	return &o
}

// walk takes all fulfillments of an order through steps.
func (c *client) walk(t testing.TB, o *orderDocument, steps ...string) {
	t.Helper()
	for _, f := range o.Fulfillments {
		for _, s := range steps {
			c.do(t.Context(), "POST", "/v1/fulfillments/"+f.ID+"/"+s, document{}).into(t, 200, nil)
		}
	}
}

// back runs a command about returns.
func (c *client) back(t testing.TB, path string, status int, body any) *backAnswer {
	t.Helper()
	var a backAnswer
	c.do(t.Context(), "POST", path, body).into(t, status, &a)
	return &a
}

// verified stops a node and has its store audited.
func verified(t testing.TB, n *node, where place) {
	t.Helper()
	n.stop(t)
	if out, errors, code := command(t, append([]string{"verify"}, where...)...); code != 0 {
		t.Errorf("verify ended with %d:\n%s%s", code, out, errors)
	}
}

// TestReturns takes goods back in every way, and looks at stock and money each time.
func TestReturns(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		skus := []string{"a", "b", "final"}
		c.seed(t, []string{"dc1", "store"}, skus, 100)
		c.takesReturns(t, "dc1", "store")
		c.policy(t, "returns", returnsPolicy)
		onHand := func(sku, location string) int64 { return c.positions(t, []string{sku})[spot{sku, location}].OnHand }

		t.Run("by mail", func(t *testing.T) { c.returnByMail(t, onHand) })
		t.Run("blind, in store", func(t *testing.T) { c.returnBlind(t, onHand) })
		t.Run("what the policy refuses", c.returnRefused)
		t.Run("more than there is, at once", c.returnTooMuch)
		t.Run("exchange", c.exchangeUneven)
		t.Run("exchange that is given up", c.exchangeVoid)
		t.Run("warranty", c.replaceBroken)
		t.Run("kit", func(t *testing.T) { c.returnKits(t, onHand) })
		verified(t, n, where)
	})
}

func (c *client) returnByMail(t *testing.T, onHand func(sku, location string) int64) {
	o := c.sell(t, line{"a", 3})
	before := onHand("a", "dc1")
	ask := document{"lines": []document{{"line": "1", "quantity": 2, "reason": "too_small"}}}
	preview := c.back(t, "/v1/orders/"+o.ID+"/returns", 200, document{"preview": true, "lines": ask["lines"]})
	if !preview.Decision.Allowed || preview.Decision.Refund.Amount != 1700 {
		t.Errorf("previewed %+v", preview.Decision)
	}
	r := c.back(t, "/v1/orders/"+o.ID+"/returns", 201, ask).Return
	if r.Status != "authorized" || len(r.Refunds) > 0 {
		t.Fatalf("authorised %+v", r)
	}
	at := "/v1/returns/" + r.ID
	if r = c.back(t, at+"/send", 200, document{"carrier": "post", "tracking": "T1"}).Return; r.Status != "in_transit" {
		t.Errorf("sent: %+v", r)
	}
	receipt := document{"location": "dc1", "message_id": "m1"}
	if r = c.back(t, at+"/receive", 200, receipt).Return; r.Status != "received" || r.paidBack() != 1700 {
		t.Errorf("received: %+v", r)
	}
	again := c.back(t, at+"/receive", 200, receipt)
	if again.Return.Status != "received" || len(again.Return.Refunds) != 1 {
		t.Errorf("received twice: %+v", again.Return)
	}
	if now := onHand("a", "dc1"); now != before {
		t.Errorf("%d units on hand before anybody looked at them, not %d", now, before)
	}
	r = c.back(t, at+"/inspect", 200, document{"lines": []document{{"line": "1", "accepted": 1, "condition": "new"}}}).Return
	if now := onHand("a", "dc1"); now != before+1 || r.Status != "received" {
		t.Errorf("inspected one: %d units on hand, not %d; %+v", now, before+1, r)
	}
	r = c.back(t, at+"/inspect", 200, document{"lines": []document{{"line": "1", "accepted": 1, "condition": "broken"}}}).Return
	if now := onHand("a", "dc1"); now != before+1 || r.Status != "closed" || r.paidBack() != 1700 {
		t.Errorf("inspected both: %d units on hand, not %d; %+v", now, before+1, r)
	}
}

func (c *client) returnBlind(t *testing.T, onHand func(sku, location string) int64) {
	o := c.sell(t, line{"a", 1}, line{"b", 1})
	before := onHand("b", "store")
	body := document{"order_id": o.ID, "location": "store", "message_id": "till-7", "lines": []document{{"line": "2", "quantity": 1, "reason": "too_small"}}}
	r := c.back(t, "/v1/returns", 201, body).Return
	if !r.Blind || r.Status != "closed" || r.paidBack() != 1000 || onHand("b", "store") != before+1 {
		t.Errorf("handed in: %+v, %d on hand, not %d", r, onHand("b", "store"), before+1)
	}
	if again := c.back(t, "/v1/returns", 200, body).Return; again.ID != r.ID || len(again.Refunds) != 1 {
		t.Errorf("handed in twice: %+v", again)
	}
	body["message_id"] = "till-8"
	if a := c.do(t.Context(), "POST", "/v1/returns", body); a.status != 422 || a.code() != "invalid" {
		t.Errorf("the same unit again: %s", a)
	}
	// A reason that does not count: somebody has to decide, and nothing is paid until then.
	body["message_id"], body["lines"] = "till-9", []document{{"line": "1", "quantity": 1, "reason": "ugly"}}
	if r = c.back(t, "/v1/returns", 201, body).Return; r.Status != "received" || r.paidBack() != 0 {
		t.Errorf("against the policy: %+v", r)
	}
	at := "/v1/returns/" + r.ID + "/inspect"
	if a := c.do(t.Context(), "POST", at, document{}); a.status != 409 || a.code() != "return_refused" {
		t.Errorf("accepted without a reason: %s", a)
	}
	if r = c.back(t, at, 200, document{"override": "a good customer"}).Return; r.Status != "closed" || r.paidBack() != 1000 {
		t.Errorf("accepted all the same: %+v", r)
	}
}

func (c *client) returnRefused(t *testing.T) {
	o := c.sell(t, line{"a", 1}, line{"final", 1})
	path := "/v1/orders/" + o.ID + "/returns"
	ask := document{"lines": []document{{"line": "1", "quantity": 1, "reason": "ugly"}}}
	if a := c.do(t.Context(), "POST", path, ask); a.status != 409 || a.code() != "return_refused" {
		t.Errorf("for a reason that does not count: %s", a)
	}
	ask["override"] = "promised on the phone"
	if r := c.back(t, path, 201, ask).Return; r.Status != "authorized" {
		t.Errorf("overridden: %+v", r)
	}
	final := document{"override": "please", "lines": []document{{"line": "2", "quantity": 1, "reason": "broken"}}}
	if a := c.do(t.Context(), "POST", path, final); a.status != 409 || a.code() != "return_refused" {
		t.Errorf("a final sale, whatever is said: %s", a)
	}
}

// returnTooMuch has many clients return the same three units at once.
func (c *client) returnTooMuch(t *testing.T) {
	o := c.sell(t, line{"a", 3})
	const clients = 12
	statuses := make([]int, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			path, body := "/v1/orders/"+o.ID+"/returns", document{"lines": []document{{"line": "1", "quantity": 1, "reason": "broken"}}}
			if i%2 == 0 {
				path, body = "/v1/returns", document{"order_id": o.ID, "location": "store", "message_id": fmt.Sprint("m", i), "lines": body["lines"]}
			}
			statuses[i] = c.do(t.Context(), "POST", path, body).status
		})
	}
	all.Wait()
	var page struct {
		Items []struct {
			Lines []struct{ Quantity int64 }
		}
	}
	c.do(t.Context(), "GET", "/v1/orders/"+o.ID+"/returns", nil).into(t, 200, &page)
	var units int64
	for _, r := range page.Items {
		for _, l := range r.Lines {
			units += l.Quantity
		}
	}
	slices.Sort(statuses)
	// A unit that is handed in counts first for a return that waits for it (200).
	if units != 3 || statuses[0] >= 300 || statuses[clients-1] != 422 {
		t.Errorf("%d units of 3 are returned; answers %v", units, statuses)
	}
}

func (c *client) exchangeUneven(t *testing.T) {
	o := c.sell(t, line{"a", 2})
	path := "/v1/orders/" + o.ID + "/exchanges"
	ask := document{
		"return": document{"method": "store", "location": "store", "lines": []document{{"line": "1", "quantity": 1, "reason": "too_small"}}},
		"lines":  []document{{"sku": "b", "quantity": 1, "unit_price": 1500}},
	}
	if a := c.do(t.Context(), "POST", path, ask); a.status != 409 || a.code() != "exchange_unpaid" {
		t.Errorf("an exchange of which 5.00 are not paid: %s", a)
	}
	ask["tenders"] = []document{{"type": "card", "amount": 500}}
	x := c.back(t, path, 201, ask)
	if x.Exchange.Fulfillments[0].Status != "held" {
		t.Fatalf("the replacement does not wait: %+v", x.Exchange)
	}
	r := c.back(t, "/v1/returns/"+x.Return.ID+"/receive", 200, document{"location": "store"}).Return
	if r.Status != "closed" || r.paidBack() != 1000 || r.Refunds[0].Exchange != 1000 {
		t.Errorf("what came pays the replacement: %+v", r)
	}
	var next orderDocument
	c.do(t.Context(), "GET", "/v1/orders/"+x.Exchange.ID, nil).into(t, 200, &next)
	if next.Fulfillments[0].Status != "open" {
		t.Errorf("the replacement still waits: %+v", next)
	}
	c.walk(t, &next, "accept", "pick", "pack", "ship", "deliver")

	// For something cheaper, at once: the rest is refunded when the goods come.
	ask["lines"], ask["tenders"], ask["when"] = []document{{"sku": "b", "quantity": 1, "unit_price": 400}}, nil, "now"
	x = c.back(t, path, 201, ask)
	if x.Exchange.Fulfillments[0].Status != "open" {
		t.Errorf("the replacement waits: %+v", x.Exchange)
	}
	r = c.back(t, "/v1/returns/"+x.Return.ID+"/receive", 200, document{"location": "store"}).Return
	if r.Status != "closed" || r.paidBack() != 1000 || r.Refunds[0].Exchange != 400 {
		t.Errorf("what came pays the replacement, and more: %+v", r)
	}
}

func (c *client) exchangeVoid(t *testing.T) {
	o := c.sell(t, line{"a", 1})
	x := c.back(t, "/v1/orders/"+o.ID+"/exchanges", 201, document{
		"return": document{"lines": []document{{"line": "1", "quantity": 1, "reason": "broken"}}},
		"lines":  []document{{"sku": "a", "quantity": 1, "unit_price": 700}},
	})
	if r := c.back(t, "/v1/returns/"+x.Return.ID+"/cancel", 200, document{"reason": "kept it"}).Return; r.Status != "cancelled" {
		t.Errorf("cancelled: %+v", r)
	}
	var next orderDocument
	c.do(t.Context(), "GET", "/v1/orders/"+x.Exchange.ID, nil).into(t, 200, &next)
	if next.Status != "cancelled" {
		t.Errorf("the goods stay and their replacement is %s", next.Status)
	}
}

func (c *client) replaceBroken(t *testing.T) {
	o := c.sell(t, line{"a", 1})
	path := "/v1/orders/" + o.ID + "/exchanges"
	ask := document{"reason": "warranty", "return": document{}, "lines": []document{{"sku": "a", "quantity": 1, "unit_price": 1}}}
	if a := c.do(t.Context(), "POST", path, ask); a.status != 422 {
		t.Errorf("a replacement that costs something: %s", a)
	}
	ask["lines"] = []document{{"sku": "a", "quantity": 1, "unit_price": 0}}
	x := c.back(t, path, 201, ask)
	if x.Return != nil || x.Exchange.Fulfillments[0].Status != "open" {
		t.Errorf("replaced: %+v", x)
	}
	ask["return"] = document{"lines": []document{{"line": "1", "quantity": 1, "reason": "broken"}}}
	ask["when"] = "now"
	x = c.back(t, path, 201, ask)
	r := c.back(t, "/v1/returns/"+x.Return.ID+"/receive", 200, document{"location": "dc1"}).Return
	if r.paidBack() != 0 {
		t.Errorf("what was replaced is paid back as well: %+v", r)
	}
}

// returnKits returns a kit as a whole, one that was shipped whole and one that was taken apart, and a component.
func (c *client) returnKits(t *testing.T, onHand func(sku, location string) int64) {
	c.do(t.Context(), "PUT", "/v1/catalog/kit", document{"components": []line{{"a", 1}, {"b", 2}}}).into(t, 201, nil)
	hand := func(o *orderDocument, name string, units int64) answer {
		return c.do(t.Context(), "POST", "/v1/returns", document{"order_id": o.ID, "location": "store", "lines": []document{{"line": name, "quantity": units, "reason": "broken"}}})
	}
	o := c.sell(t, line{"kit", 2})
	a, b := onHand("a", "store"), onHand("b", "store")
	hand(o, "1", 1).into(t, 201, nil)
	if onHand("a", "store") != a+1 || onHand("b", "store") != b+2 {
		t.Errorf("a kit came back: %d a and %d b on hand, there were %d and %d", onHand("a", "store"), onHand("b", "store"), a, b)
	}
	if got := hand(o, "1", 2); got.status != 422 {
		t.Errorf("more kits than there are: %s", got)
	}

	c.policyText(t, "  groups: [{name: all, limits: {kits: component}, cost: [{term: distance, value: '1'}]}]\n")
	defer c.policyText(t, byDistance)
	o = c.sell(t, line{"kit", 2})
	hand(o, "1", 1).into(t, 201, nil)
	hand(o, "1.2", 1).into(t, 201, nil)
	if onHand("a", "store") != a+2 || onHand("b", "store") != b+5 {
		t.Errorf("a kit and a component came back: %d a and %d b on hand, there were %d and %d", onHand("a", "store"), onHand("b", "store"), a, b)
	}
	if got := hand(o, "1", 1); got.status != 422 {
		t.Errorf("a kit of which a component came back before: %s", got)
	}
}
