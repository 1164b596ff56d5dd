package e2e

import (
	"strings"
	"testing"
	"time"
)

// reassessmentLimit is how long a reassessment of a small store may take on a busy machine.
const reassessmentLimit = 90 * time.Second

// TestReassessments: a node takes a request in and makes it in a process of its own, which leaves the store as it is; what is asked
// wrongly is kept by no node.
func TestReassessments(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		t.Setenv("ORDERLY_REASSESS_WORK", t.TempDir())
		n := startNode(t, where)
		c := &client{url: n.url}
		const base = "/v1/reassessments"
		bad := c.do(t.Context(), "POST", base, document{"candidates": []document{{"name": "a", "changes": document{"rates": document{"*": -1}}}}})
		if bad.status != 422 || !strings.Contains(string(bad.body), "candidates[0].changes.rates.*") {
			t.Errorf("a negative rate: %d %s", bad.status, bad.body)
		}
		var list struct{ Items []document }
		c.do(t.Context(), "GET", base, nil).into(t, 200, &list)
		if len(list.Items) > 0 {
			t.Errorf("what was refused was kept: %v", list.Items)
		}
		// The store has no orders: the process says so, and the job tells it on.
		var x struct{ ID, State, Error string }
		c.do(t.Context(), "POST", base, document{"name": "nothing yet"}, "Idempotency-Key", "once").into(t, 202, &x)
		first := x.ID
		c.do(t.Context(), "POST", base, document{"name": "nothing yet"}, "Idempotency-Key", "once").into(t, 202, &x)
		if x.ID != first {
			t.Errorf("one request with one key became two: %s and %s", first, x.ID)
		}
		eventually(t, reassessmentLimit, func() string {
			c.do(t.Context(), "GET", base+"/"+first, nil).into(t, 200, &x)
			if x.State == "failed" && x.Error != "" {
				return ""
			}
			return x.State + " " + x.Error
		})
		if page := c.do(t.Context(), "GET", base+"/"+first+"/report.html", nil); page.code() != "no_report" {
			t.Errorf("a report of nothing: %d %s", page.status, page.body)
		}
		c.do(t.Context(), "POST", base+"/"+first+"/resume", nil).into(t, 200, &x)
		n.stop(t)
		n = startNode(t, where)
		c = &client{url: n.url}
		eventually(t, reassessmentLimit, func() string {
			c.do(t.Context(), "GET", base+"/"+first, nil).into(t, 200, &x)
			if x.State == "failed" || x.State == "interrupted" {
				return ""
			}
			return x.State + " " + x.Error
		})
		n.stop(t)
		if out, _, code := command(t, append([]string{"verify"}, where...)...); code != 0 {
			t.Errorf("the store is not as it should be: %s", out)
		}
	})
}
