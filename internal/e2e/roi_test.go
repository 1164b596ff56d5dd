package e2e

import (
	"fmt"
	"net/url"
	"reflect"
	"testing"
	"time"
)

// roiAccount is what these tests look at of a statement.
type roiAccount struct {
	Currency     string
	Orders       int64
	Done         int64
	Compared     int64
	Cancelled    int64
	NotDone      int64 `json:"not_done"`
	TooFew       bool  `json:"too_few"`
	Saved        int64
	BaselineCost int64 `json:"baseline_cost"`
	RealCost     int64 `json:"real_cost"`
	Touches      int64
	Work         *int64
	Spent        *int64
}

// roi returns this month's statement once everything that has happened is in it.
func (c *client) roi(t testing.TB) (out []roiAccount) {
	t.Helper()
	since := time.Now()
	eventually(t, 60*time.Second, func() string {
		var answer struct {
			At        time.Time
			Behind    bool
			Statement struct{ Accounts []roiAccount }
		}
		c.do(t.Context(), "GET", "/v1/roi", nil).into(t, 200, &answer)
		if answer.Behind || !answer.At.After(since) {
			return "the ledger is behind"
		}
		out = answer.Statement.Accounts
		return ""
	})
	return out
}

// roiSums adds up the single orders behind the statement.
func (c *client) roiSums(t testing.TB) (sum roiAccount) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Currency     string
				NotCompared  string `json:"not_compared"`
				BaselineCost int64  `json:"baseline_cost"`
				RealCost     int64  `json:"real_cost"`
				Touches      int64
			}
			Next string
		}
		c.do(t.Context(), "GET", "/v1/roi/orders?limit=2&cursor="+url.QueryEscape(cursor), nil).into(t, 200, &page)
		for _, l := range page.Items {
			sum.Currency = l.Currency
			sum.Orders++
			switch l.NotCompared {
			case "not_done":
				sum.NotDone++
				continue
			case "cancelled":
				sum.Cancelled++
			case "":
				sum.Compared++
				sum.BaselineCost += l.BaselineCost
				sum.RealCost += l.RealCost
			default:
				t.Errorf("an order is not compared because of %q", l.NotCompared)
			}
			sum.Done++
			sum.Touches += l.Touches
		}
		if cursor = page.Next; cursor == "" {
			return sum
		}
	}
}

// TestROI pins a baseline, runs orders to their ends, and compares the statement with the single orders, also after a crash.
func TestROI(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1", "dc2"}, []string{"x", "a"}, 100)
		c.do(t.Context(), "GET", "/v1/roi/baseline", nil).into(t, 404, nil)
		if a := c.do(t.Context(), "PUT", "/v1/roi/baseline", document{"library": "nearest", "minute_cost": 70}); a.status != 400 && a.status != 422 {
			t.Errorf("a rate without a currency: %s", a)
		}
		capture := func(i int) (o struct {
			ID           string
			Fulfillments []struct{ ID string }
			Baseline     *struct {
				Would struct {
					Policy   string
					Unplaced int
				}
			}
		}) {
			c.do(t.Context(), "POST", "/v1/orders", document{
				"channel": "web", "external_id": fmt.Sprint("roi-", i), "lines": []document{{"sku": "x", "quantity": 1, "unit_price": 1000}},
			}).into(t, 201, &o)
			return o
		}
		if o := capture(0); o.Baseline != nil {
			t.Error("an order was compared before anything was pinned")
		}
		c.do(t.Context(), "PUT", "/v1/roi/baseline", document{"library": "nearest", "currency": "EUR", "minute_cost": 60, "monthly_cost": 500}).into(t, 200, nil)
		for i := 1; i < 6; i++ {
			o := capture(i)
			if o.Baseline == nil || o.Baseline.Would.Policy != "nearest@1" || o.Baseline.Would.Unplaced != 0 {
				t.Fatalf("the baseline's decision is not with the order: %+v", o.Baseline)
			}
			switch i {
			case 1: // goes on
			case 2:
				c.do(t.Context(), "POST", "/v1/orders/"+o.ID+"/cancel", document{"reason": "changed my mind"}, "Orderly-Operator", "ada").into(t, 200, nil)
			default:
				for _, step := range []string{"accept", "pick", "pack", "ship", "deliver"} {
					c.do(t.Context(), "POST", "/v1/fulfillments/"+o.Fulfillments[0].ID+"/"+step, document{}).into(t, 200, nil)
				}
			}
		}
		before := c.roi(t)
		if len(before) != 1 || before[0].Orders != 5 || before[0].Compared != 3 || before[0].Cancelled != 1 || before[0].NotDone != 1 ||
			before[0].Touches != 1 || !before[0].TooFew || before[0].Spent == nil || *before[0].Spent != 500 || before[0].Work == nil {
			t.Errorf("the statement says %+v", before)
		}
		sum := c.roiSums(t)
		sum.TooFew, sum.Saved, sum.Work, sum.Spent = true, sum.BaselineCost-sum.RealCost, before[0].Work, before[0].Spent
		if !reflect.DeepEqual(sum, before[0]) {
			t.Errorf("the orders add up to\n%+v\nand the statement says\n%+v", sum, before[0])
		}
		n.kill()
		n = startNode(t, where)
		c = &client{url: n.url}
		if after := c.roi(t); !reflect.DeepEqual(after, before) {
			t.Errorf("after a crash the statement says\n%+v\nand said\n%+v", after, before)
		}
		c.do(t.Context(), "DELETE", "/v1/roi/baseline", nil).into(t, 200, nil)
		if o := capture(9); o.Baseline != nil {
			t.Error("an order was compared after the baseline was unpinned")
		}
		verified(t, n, where)
	})
}
