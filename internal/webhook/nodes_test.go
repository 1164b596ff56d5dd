package webhook_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
	"github.com/orderly-oms/orderly/internal/webhook"
)

func openPostgres(t testing.TB, url string) store.Store {
	s, err := postgres.Open(context.Background(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// missing lists events that the receiver never accepted.
func missing(n *node, r *receiver) (out []string) {
	accepted := r.accepted()
	for _, id := range n.events() {
		if accepted[id] == 0 {
			out = append(out, id)
		}
	}
	return out
}

func TestAnotherNodeGoesOnWhereOneDied(t *testing.T) {
	url := pgtest.NewDatabase(t)
	r := &receiver{answer: func(m *message, attempt int) (int, http.Header) {
		if len(m.id)%2 == 0 && attempt == 1 {
			return 500, nil
		}
		return 200, nil
	}}
	opt := webhook.Options{Lease: 300 * time.Millisecond, Waits: []time.Duration{50 * time.Millisecond}}
	a := start(t, openPostgres(t, url), r, opt)
	a.subscribe(webhook.Settings{})
	b := start(t, openPostgres(t, url), r, opt)
	defer b.close()
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 100 {
				if err := b.tryEmit(name(w*10+i%10), "order.captured"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	until(t, "some deliveries", func() bool { return len(r.accepted()) > 50 })
	a.crash()
	wait.Wait()
	until(t, "every event to be accepted", func() bool { return len(missing(b, r)) == 0 })
	checkOrder(t, r.got())
}

// A worker that renews nothing for longer than its lease, as if it had been
// stopped, is replaced; what it decides afterwards is refused, and nothing is lost.
func TestReplacedWorkerCannotWrite(t *testing.T) {
	url := pgtest.NewDatabase(t)
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := &receiver{hold: func(ctx context.Context, _ *message) error {
		once.Do(func() { close(held) })
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	a := start(t, openPostgres(t, url), slow, webhook.Options{Lease: time.Hour}) // renews every 20 minutes: never here
	defer a.close()
	sub := a.subscribe(webhook.Settings{})
	a.emit("x", "order.captured")
	<-held // a has begun an attempt

	r := &receiver{answer: func(*message, int) (int, http.Header) { return 500, nil }}
	b := start(t, openPostgres(t, url), r, webhook.Options{Lease: 200 * time.Millisecond, Waits: []time.Duration{time.Hour}})
	defer b.close()
	until(t, "the other node to write the event down", func() bool { return len(b.deliveries(sub.ID, webhook.Pending)) == 1 })
	close(release) // a's attempt succeeds now; its cursor and its counters must not be stored
	until(t, "the old owner to hear that it is replaced", func() bool { return len(slow.got()) == 1 && a.worker.Stats.Delivered.Load() == 1 && a.worker.Idle() })
	v, _, err := b.hooks.Get(t.Context(), sub.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := b.deliveries(sub.ID, webhook.Pending); len(d) != 1 || v.Progress.Delivered != 0 {
		t.Errorf("the old owner wrote: pending %+v, progress %+v", d, v.Progress)
	}
}
