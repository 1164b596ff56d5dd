package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

// TestNodeDies runs three nodes on one database, all of them busy with the same few
// SKUs, and kills one. Nothing acknowledged is lost, nothing is done twice, and
// once it is quiet every node sees the stock that the database has.
func TestNodeDies(t *testing.T) {
	url := pgtest.NewDatabase(t)
	where := place{"--database", url}
	nodes := []*node{startNode(t, where), startNode(t, where), startNode(t, where)}
	w := newWorkload(t, nodes[0].url)
	w.follow(nodes)
	w.run()
	for range repeats(t, "ORDERLY_E2E_KILLS", 2) {
		w.after(300)
		nodes[2].kill()
		w.after(200) // the others go on
		nodes[2] = startNode(t, where)
		w.follow(nodes)
	}
	w.after(200)
	w.finish()
	for _, n := range nodes {
		c := &client{url: n.url}
		eventually(t, 30*time.Second, func() string { return difference(c.positions(t, w.skus), w.expected()) })
		w.check(c)
	}
	w.compare(storedPositions(t, url), w.expected())
	for _, n := range nodes[1:] {
		n.stop(t)
	}
	verify(t, nodes[0], where)
	t.Logf("%d orders and %d reservations acknowledged, %d requests repeated", len(w.orders), len(w.reservations), w.repeated.Load())
}

// follow lets the clients ask all of these nodes, once each knows the SKUs.
func (w *workload) follow(nodes []*node) {
	w.t.Helper()
	var urls []string
	for _, n := range nodes {
		c := &client{url: n.url}
		eventually(w.t, 30*time.Second, func() string {
			if got := len(c.positions(w.t, w.skus)); got != len(w.skus)*len(w.locations) {
				return fmt.Sprintf("%s sees %d positions", n.url, got)
			}
			return ""
		})
		urls = append(urls, n.url)
	}
	w.urls.Store(&urls)
}

// TestNodesSellTheSameUnits has buyers ask three nodes for the same units, each
// twice at once on different nodes under one external id, and one node dies meanwhile.
func TestNodesSellTheSameUnits(t *testing.T) {
	const units, buyers = 300, 600
	url := pgtest.NewDatabase(t)
	where := place{"--database", url}
	nodes := []*node{startNode(t, where), startNode(t, where), startNode(t, where)}
	locations, skus := []string{"dc1", "dc2"}, []string{"hot"}
	(&client{url: nodes[0].url}).seed(t, locations, skus, units/2)
	for _, n := range nodes {
		c := &client{url: n.url}
		eventually(t, 30*time.Second, func() string {
			if len(c.positions(t, skus)) < len(locations) {
				return n.url + " does not see the stock"
			}
			return ""
		})
	}
	var mu sync.Mutex
	told := map[string]string{} // order id by external id
	next := make(chan int)
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for i := range next {
				external := fmt.Sprint("twice-", i)
				body := map[string]any{"channel": "web", "external_id": external, "shortage": "reject", "lines": []line{{"hot", 1}}}
				var both sync.WaitGroup
				for k := range 2 {
					both.Go(func() {
						var a answer
						for attempt := i; ; attempt++ { // a dead node is left for the others
							a = (&client{url: nodes[(attempt+k)%len(nodes)].url}).do(t.Context(), "POST", "/v1/orders", body)
							if a.settled() || !pause(t.Context()) {
								break
							}
						}
						if a.status == http.StatusConflict && a.code() == "out_of_stock" {
							return
						}
						var o orderDocument
						if a.status != http.StatusCreated || json.Unmarshal(a.body, &o) != nil {
							t.Errorf("%s: %s", external, a)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						if was := told[external]; was != "" && was != o.ID {
							t.Errorf("%s is order %s for one and %s for the other", external, was, o.ID)
						}
						told[external] = o.ID
					})
				}
				both.Wait()
			}
		})
	}
	for i := range buyers {
		if i == buyers/4 {
			nodes[2].kill()
		}
		next <- i
	}
	close(next)
	wait.Wait()
	orders := (&client{url: nodes[0].url}).orders(t)
	if len(orders) != units || len(told) != units {
		t.Errorf("%d orders exist and %d buyers were told of one, want %d", len(orders), len(told), units)
	}
	for _, o := range orders {
		if told[o.ExternalID] != o.ID {
			t.Errorf("order %s of %s exists, its buyer was told %q", o.ID, o.ExternalID, told[o.ExternalID])
		}
	}
	want := storedPositions(t, url)
	for _, n := range nodes[:2] {
		c := &client{url: n.url}
		eventually(t, 30*time.Second, func() string { return difference(c.positions(t, skus), want) })
		soldOut(t, c, "hot", stock{OnHand: units, Allocated: units})
	}
	nodes[1].stop(t)
	verify(t, nodes[0], where)
}
