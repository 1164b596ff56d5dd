package e2e

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
)

// kept checks that every order and reservation acknowledged so far exists with at
// least the acknowledged version, while the clients go on. Of many it looks at the
// newest and at some of the others.
func (w *workload) kept(c *client) {
	w.t.Helper()
	w.mu.Lock()
	orders := slices.Collect(maps.Values(w.orders))
	reservations := slices.Collect(maps.Values(w.reservations))
	w.mu.Unlock()
	slices.SortFunc(orders, func(a, b orderDocument) int { return -compareText(a.ID, b.ID) })
	slices.SortFunc(reservations, func(a, b reservationDocument) int { return -compareText(a.ID, b.ID) })
	for i := 0; i < len(orders); i += 1 + i/100 {
		var now orderDocument
		c.do(w.t.Context(), "GET", "/v1/orders/"+orders[i].ID, nil).into(w.t, 200, &now)
		if now.Version < orders[i].Version || now.ExternalID != orders[i].ExternalID {
			w.t.Errorf("order %s has version %d; %d was acknowledged", now.ID, now.Version, orders[i].Version)
		}
	}
	for i := 0; i < len(reservations); i += 1 + i/50 {
		var now reservationDocument
		c.do(w.t.Context(), "GET", "/v1/reservations/"+reservations[i].ID, nil).into(w.t, 200, &now)
		// A client that claims a reservation notes so without its version.
		if now.Version < reservations[i].Version {
			w.t.Errorf("reservation %s has version %d; %d was acknowledged", now.ID, now.Version, reservations[i].Version)
		}
	}
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// check compares everything with what was acknowledged, once the clients have ended.
func (w *workload) check(c *client) {
	w.t.Helper()
	found := map[string]bool{}
	for _, o := range c.orders(w.t) {
		if found[o.ExternalID] {
			w.t.Errorf("order %s exists twice", o.ExternalID)
		}
		found[o.ExternalID] = true
		if known, ok := w.orders[o.ExternalID]; !ok {
			w.t.Errorf("order %s exists and nobody was told", o.ExternalID)
		} else if !reflect.DeepEqual(o, known) {
			w.t.Errorf("order %s is\n%+v\nand was acknowledged as\n%+v", o.ExternalID, o, known)
		}
	}
	for id := range w.orders {
		if !found[id] {
			w.t.Errorf("order %s was acknowledged and does not exist", id)
		}
	}
	for id, known := range w.reservations {
		var r reservationDocument
		c.do(w.t.Context(), "GET", "/v1/reservations/"+id, nil).into(w.t, 200, &r)
		if r.Status != known.Status {
			w.t.Errorf("reservation %s is %s and was acknowledged as %s", id, r.Status, known.Status)
		}
	}
	w.compare(c.positions(w.t, w.skus), w.expected())
}

// expected derives the stock from what was acknowledged.
func (w *workload) expected() map[spot]stock {
	out := map[spot]stock{}
	add := func(at spot, f func(*stock)) {
		s := out[at]
		f(&s)
		out[at] = s
	}
	for _, sku := range w.skus {
		for _, l := range w.locations {
			at := spot{sku, l}
			add(at, func(s *stock) { s.OnHand = w.units + w.adjusted[at] })
		}
	}
	for _, r := range w.reservations {
		if r.Status != "held" {
			continue
		}
		for _, h := range r.Holds {
			add(spot{r.Lines[h.Line].SKU, h.Location}, func(s *stock) { s.Reserved += h.Quantity })
		}
	}
	for _, o := range w.orders {
		for _, f := range o.Fulfillments {
			for _, l := range f.Lines {
				add(spot{l.SKU, f.Location}, func(s *stock) {
					s.OnHand -= l.Shipped
					s.Allocated += l.Quantity - l.Shipped
					s.Picked += l.Picked - l.Shipped
				})
			}
		}
	}
	return out
}

func (w *workload) compare(got, want map[spot]stock) {
	w.t.Helper()
	if wrong := difference(got, want); wrong != "" {
		w.t.Errorf("stock does not add up: %s", wrong)
	}
}

// difference names the first position that is not as wanted.
func difference(got, want map[spot]stock) string {
	for at, s := range want {
		if got[at] != s {
			return fmt.Sprintf("%v has %+v, want %+v", at, got[at], s)
		}
	}
	for at, s := range got {
		if _, ok := want[at]; !ok {
			return fmt.Sprintf("%v has %+v and should not exist", at, s)
		}
	}
	return ""
}

// storedPositions reads the positions of a database, past every node.
func storedPositions(t testing.TB, url string) map[spot]stock {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := map[spot]stock{}
	_, err = s.Scan(context.Background(), nil, func(p inventory.Position) error {
		out[spot{p.SKU, p.Location}] = stock{p.OnHand, p.Reserved, p.Allocated, p.Picked}
		return nil
	}, func(store.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}
