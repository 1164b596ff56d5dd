package e2e

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

// flowing is where an order and its fulfillments are, as far as their flows are concerned.
type flowing struct {
	ID           string
	Flow         flowState
	Fulfillments []struct {
		ID     string
		Status string
		Flow   flowState
	}
}

// flowState is a state of a version of a flow.
type flowState struct{ Flow, State string }

// migrated is what a migration answers.
type migrated struct {
	To                    string
	DryRun                bool `json:"dry_run"`
	Looked, Moved, Failed int
	Next                  string
	States                []struct {
		From, State, To string
		Count           int64
	}
}

// counted waits until the node has counted that these many are in the states of a flow, by version and
// state; states without anybody are left out.
func (c *client) counted(t testing.TB, flow string, want map[string]int64) {
	t.Helper()
	eventually(t, 60*time.Second, func() string {
		var page struct {
			At       time.Time
			Behind   bool
			Versions []struct {
				Ref      string
				InFlight int64 `json:"in_flight"`
				States   []struct {
					State string
					Final bool
					Count int64
				}
			}
		}
		c.do(t.Context(), "GET", "/v1/flows/"+flow+"/counts", nil).into(t, 200, &page)
		got := map[string]int64{}
		for _, v := range page.Versions {
			var open int64
			for _, s := range v.States {
				if s.Count != 0 {
					got[v.Ref+" "+s.State] = s.Count
				}
				if !s.Final {
					open += s.Count
				}
			}
			if open != v.InFlight {
				t.Fatalf("%d of %s are in flight, and %d in states that are not final", v.InFlight, v.Ref, open)
			}
		}
		if page.Behind || !maps.Equal(got, want) {
			return fmt.Sprintf("%s counts %v, want %v", flow, got, want)
		}
		return ""
	})
}

// ready returns the text of a flow of the program's library.
func (c *client) ready(t testing.TB, name string) string {
	t.Helper()
	var page struct {
		Items []struct{ Name, Text string }
	}
	c.do(t.Context(), "GET", "/v1/flows/library", nil).into(t, 200, &page)
	for _, f := range page.Items {
		if f.Name == name {
			return f.Text
		}
	}
	t.Fatalf("there is no ready flow %s among %d", name, len(page.Items))
	return ""
}

// putFlow saves a version of a flow and puts it in force.
func (c *client) putFlow(t testing.TB, flow, text string, version int64) {
	t.Helper()
	a := c.do(t.Context(), "PUT", "/v1/flows/"+flow, document{"text": text})
	if a.err != nil || a.status >= 300 {
		t.Fatalf("saving %s: %s", flow, a)
	}
	var out struct {
		InForce int64 `json:"in_force"`
	}
	c.do(t.Context(), "POST", "/v1/flows/"+flow+"/publish", document{"reason": "test"}).into(t, 200, &out)
	if out.InForce != version {
		t.Fatalf("version %d of %s is in force, want %d", out.InForce, flow, version)
	}
}

// drawn returns the texts of a diagram.
func (c *client) drawn(t testing.TB, flow, query string) map[string]int {
	t.Helper()
	a := c.do(t.Context(), "GET", "/v1/flows/"+flow+"/diagram.svg"+query, nil)
	if a.err != nil || a.status != 200 || a.header.Get("Content-Type") != "image/svg+xml" {
		t.Fatalf("diagram: %s", a)
	}
	texts := map[string]int{}
	in := xml.NewDecoder(bytes.NewReader(a.body))
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatalf("diagram: %v", err)
		}
		if text, ok := token.(xml.CharData); ok {
			texts[strings.TrimSpace(string(text))]++
		}
	}
}

// flowing returns where orders are.
func (c *client) flowing(t testing.TB, ids []string) []flowing {
	t.Helper()
	out := make([]flowing, len(ids))
	for i, id := range ids {
		c.do(t.Context(), "GET", "/v1/orders/"+id, nil).into(t, 200, &out[i])
	}
	return out
}

// TestFlows puts a ready flow in force, takes orders through it, renames one of its states, takes what is in
// flight along, and looks at counts and states after a crash.
func TestFlows(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1"}, []string{"a"}, 100)
		const flow = "fulfillment/ship-from-dc"
		text := c.ready(t, "ship-from-dc")
		c.putFlow(t, flow, text, 1)

		// One each: untouched, accepted, packed, shipped, delivered.
		steps := []string{"accept", "pick", "pack", "ship", "deliver"}
		var ids []string
		for _, upTo := range []int{0, 1, 3, 4, 5} {
			var o orderDocument
			c.do(t.Context(), "POST", "/v1/orders", document{
				"channel": "web", "lines": []line{{"a", 1}}, "ship_to": document{"country": "DE", "latitude": 48.1, "longitude": 11.0},
			}).into(t, 201, &o)
			c.walk(t, &o, steps[:upTo]...)
			ids = append(ids, o.ID)
		}
		first := map[string]int64{"ship-from-dc@1 open": 1, "ship-from-dc@1 working": 1, "ship-from-dc@1 packed": 1, "ship-from-dc@1 shipped": 1, "ship-from-dc@1 delivered": 1}
		c.counted(t, flow, first)
		orders := map[string]int64{"default@0 working": 4, "default@0 done": 1}
		c.counted(t, "order/default", orders)
		if texts := c.drawn(t, flow, ""); texts["1"] != 5 || texts["working"] == 0 {
			t.Errorf("the diagram says %v", texts)
		}
		if texts := c.drawn(t, flow, "?counts=false"); texts["1"] != 0 || texts["working"] == 0 {
			t.Errorf("the diagram without counts says %v", texts)
		}

		c.putFlow(t, flow, strings.ReplaceAll(text, "working", "in_work"), 2)
		c.migrateRenamed(t, flow, ids)
		second := map[string]int64{"ship-from-dc@2 open": 1, "ship-from-dc@2 in_work": 1, "ship-from-dc@2 packed": 1, "ship-from-dc@2 shipped": 1, "ship-from-dc@1 delivered": 1}
		c.counted(t, flow, second)
		states := c.flowing(t, ids)

		n.kill()
		n = startNode(t, where)
		c = &client{url: n.url}
		if after := c.flowing(t, ids); !reflect.DeepEqual(after, states) {
			t.Errorf("after a crash the orders are in\n%+v\nand were in\n%+v", after, states)
		}
		c.counted(t, flow, second)
		c.counted(t, "order/default", orders)

		// What migrated goes on in the new version.
		c.do(t.Context(), "POST", "/v1/fulfillments/"+states[1].Fulfillments[0].ID+"/pack", document{}).into(t, 409, nil)
		for _, s := range steps[1:] {
			c.do(t.Context(), "POST", "/v1/fulfillments/"+states[1].Fulfillments[0].ID+"/"+s, document{}).into(t, 200, nil)
		}
		delete(second, "ship-from-dc@2 in_work")
		second["ship-from-dc@2 delivered"] = 1
		c.counted(t, flow, second)
		if where[0] == "--database" {
			// Another node counts the same, also what happens through it.
			other := startNode(t, where)
			o := &client{url: other.url}
			o.counted(t, flow, second)
			o.do(t.Context(), "POST", "/v1/fulfillments/"+states[0].Fulfillments[0].ID+"/accept", document{}).into(t, 200, nil)
			delete(second, "ship-from-dc@2 open")
			second["ship-from-dc@2 in_work"] = 1
			o.counted(t, flow, second)
			c.counted(t, flow, second)
			other.stop(t)
		}
		verified(t, n, where)
	})
}

// migrateRenamed takes all that is in flight to the version whose state working is called in_work, once it has
// been said that it is the same.
func (c *client) migrateRenamed(t *testing.T, flow string, ids []string) {
	t.Helper()
	at, was := "/v1/flows/"+flow+"/migrations", c.flowing(t, ids)
	a := c.do(t.Context(), "POST", at, document{})
	if a.status != 422 || a.code() != "invalid" || !strings.Contains(string(a.body), "mapping.working") {
		t.Errorf("a state without a place: %s", a)
	}
	mapping := document{"working": "in_work"}
	var dry, first, rest migrated
	c.do(t.Context(), "POST", at, document{"mapping": mapping, "dry_run": true}).into(t, 200, &dry)
	if !dry.DryRun || dry.Moved != 0 || dry.To != "ship-from-dc@2" {
		t.Errorf("a dry run: %+v", dry)
	}
	if now := c.flowing(t, ids); !reflect.DeepEqual(now, was) {
		t.Errorf("after a refusal and a dry run the orders are in\n%+v\nand were in\n%+v", now, was)
	}
	c.do(t.Context(), "POST", at, document{"mapping": mapping, "limit": 2}).into(t, 200, &first)
	if first.Next == "" {
		t.Fatalf("all of %d orders on a page of 2: %+v", len(ids), first)
	}
	c.do(t.Context(), "POST", at, document{"mapping": mapping, "cursor": first.Next}).into(t, 200, &rest)
	if first.Looked != 2 || first.Moved+rest.Moved != 4 || first.Failed+rest.Failed != 0 || rest.Next != "" {
		t.Errorf("moved %+v, then %+v", first, rest)
	}
	var again migrated
	c.do(t.Context(), "POST", at, document{"mapping": mapping}).into(t, 200, &again)
	if again.Moved != 0 || again.Failed != 0 {
		t.Errorf("migrated once more: %+v", again)
	}
	for i, state := range []string{"open", "in_work", "packed", "shipped"} {
		o := c.flowing(t, ids[i:i+1])[0]
		if got := o.Fulfillments[0]; got.Flow != (flowState{"ship-from-dc@2", state}) || got.Status != was[i].Fulfillments[0].Status || o.Flow != was[i].Flow {
			t.Errorf("order %d is in %+v, was in %+v; want state %s", i, o, was[i], state)
		}
	}
}
