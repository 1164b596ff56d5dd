package e2e

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

// TestKill ends a node with SIGKILL again and again while clients order, reserve,
// cancel and fulfil. Everything acknowledged is there after each restart, and in
// the end nothing else is.
func TestKill(t *testing.T) {
	kills := repeats(t, "ORDERLY_E2E_KILLS", 5)
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		w := newWorkload(t, n.url)
		w.run()
		random := rand.New(rand.NewPCG(1, 2))
		var ready []time.Duration
		for range kills {
			w.after(50 + random.IntN(400))
			n.kill()
			n = startNode(t, where)
			ready = append(ready, n.ready)
			w.urls.Store(&[]string{n.url})
			w.kept(&client{url: n.url})
		}
		w.after(100)
		w.finish()
		w.check(&client{url: n.url})
		verify(t, n, where)
		slices.Sort(ready)
		t.Logf("%d kills; ready again after %s in the middle and %s at most; %d orders and %d reservations acknowledged, %d requests repeated",
			kills, ready[len(ready)/2].Round(time.Millisecond), ready[len(ready)-1].Round(time.Millisecond),
			len(w.orders), len(w.reservations), w.repeated.Load())
	})
}

// TestDatabaseCrash crashes PostgreSQL under a running node. The node goes on by
// itself once the database is back, and nothing acknowledged is lost.
func TestDatabaseCrash(t *testing.T) {
	crashes := repeats(t, "ORDERLY_E2E_KILLS", 3)
	server, err := pgtest.Start(t.Context(), pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	where := place{"--database", server.NewDatabase(t)}
	n := startNode(t, where)
	w := newWorkload(t, n.url)
	w.run()
	for range crashes {
		w.after(200)
		server.Kill()
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		drainCount(w.acknowledged)
		w.after(1)
		t.Logf("the first write was acknowledged %s after the database was back", time.Since(begin).Round(time.Millisecond))
		w.kept(&client{url: n.url})
	}
	w.after(200)
	w.finish()
	w.check(&client{url: n.url})
	verify(t, n, where)
	t.Logf("%d crashes, %d orders acknowledged, %d requests repeated", crashes, len(w.orders), w.repeated.Load())
}

// drainCount forgets what was acknowledged before.
func drainCount(c chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

// verify stops the node, has the program audit the store, and starts no other.
func verify(t *testing.T, n *node, where place) {
	t.Helper()
	n.stop(t)
	out, errors, code := command(t, append([]string{"verify"}, where...)...)
	if code != 0 {
		t.Errorf("orderly verify ended with code %d:\n%s%s", code, out, errors)
	}
}
