package webhook

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

// reconcile brings the runners in line with the subscriptions as stored. Errors
// of the store leave them as they are until the next time.
func (w *Worker) reconcile(ctx context.Context, epoch int64) {
	subs, err := loadSubscriptions(ctx, w.engine.Store(), Active)
	if err != nil {
		w.warn(ctx, "could not read the subscriptions", err)
		return
	}
	generations, err := w.generations(ctx, subs)
	if err != nil {
		w.warn(ctx, "could not read the progress of the subscriptions", err)
		return
	}
	active := make(map[string]*Subscription, len(subs))
	for _, s := range subs {
		active[s.ID] = s
	}
	w.mu.Lock()
	for id, r := range w.runners {
		if s := active[id]; s != nil && !r.stopping {
			r.follow(s, generations[id])
		} else {
			r.stop() // a subscription that is active again is started when this has ended
			if r.ended() {
				delete(w.runners, id)
			}
		}
	}
	for id, s := range active {
		if w.runners[id] == nil {
			w.runners[id] = startRunner(ctx, w, s, epoch)
		}
	}
	w.mu.Unlock()
	w.clear(ctx)
}

func (w *Worker) warn(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.log.Warn("webhooks: "+what+"; trying again", "error", err)
	}
}

// generations reads how often requests changed the progress of each subscription.
func (w *Worker) generations(ctx context.Context, subs []*Subscription) (map[string]int64, error) {
	keys := make([]store.Key, len(subs))
	for i, s := range subs {
		keys[i] = progressKey(s.ID)
	}
	records, err := w.engine.Store().Load(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(records))
	for i := range records {
		p, err := valueOf[progress](&engine.Entry{Record: records[i]})
		if err != nil {
			return nil, err
		}
		out[p.Subscription] = p.Generation
	}
	return out, nil
}

// stopAll stops every runner and waits.
func (w *Worker) stopAll() {
	w.mu.Lock()
	runners := w.runners
	w.runners = map[string]*runner{}
	w.mu.Unlock()
	for _, r := range runners {
		r.stop()
	}
	for _, r := range runners {
		<-r.done
	}
}

// clear takes away what removed subscriptions left behind.
func (w *Worker) clear(ctx context.Context) {
	records, err := w.engine.Store().Find(ctx, store.Query{Kind: engine.KindWebhookProgress, State: progressClosing, Limit: 10})
	if err != nil {
		w.warn(ctx, "could not look for removed subscriptions", err)
		return
	}
	for _, r := range records {
		if err := w.clearOne(ctx, r.ID); err != nil {
			w.warn(ctx, "could not clear a removed subscription", err)
		}
	}
}

// clearOne takes away a page of deliveries of a removed subscription, or closes it when there are none left.
func (w *Worker) clearOne(ctx context.Context, id string) error {
	var ids []string
	for _, state := range []State{Pending, Dead} {
		found, _, err := findDeliveries(ctx, w.engine.Store(), id, state, "", maxChanges/2)
		if err != nil {
			return err
		}
		for i := range found {
			ids = append(ids, found[i].ID)
		}
	}
	key := progressKey(id)
	needs := make([]store.Key, len(ids))
	for i := range ids {
		needs[i] = deliveryKey(ids[i])
	}
	_, err := w.engine.Submit(ctx, &engine.Command{Stream: key, Needs: needs, Actor: actor, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		for _, d := range ids {
			if err := removeDelivery(tx, d, "delivery.removed"); err != nil {
				return nil, err
			}
		}
		if en := tx.Entry(key); len(ids) == 0 && en != nil {
			p, err := valueOf[progress](en)
			if err != nil {
				return nil, err
			}
			p.Pending, p.Dead = 0, 0
			if _, err := putProgress(tx, &p, progressClosed, "webhook_progress.closed"); err != nil {
				return nil, err
			}
		}
		return &engine.Reply{Status: http.StatusOK}, nil
	}})
	return err
}

// Register adds the worker's metrics. On a node that does not deliver the gauges are 0.
func (w *Worker) Register(reg prometheus.Registerer) {
	counter := func(name, help string, f func() int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(f()) }))
	}
	counter("orderly_webhook_delivered_total", "Messages that a subscriber accepted (2xx).", w.Stats.Delivered.Load)
	counter("orderly_webhook_failed_attempts_total", "Attempts that failed.", w.Stats.Failed.Load)
	counter("orderly_webhook_dead_total", "Deliveries that were given up after their last attempt.", w.Stats.Died.Load)
	gauge := func(name, help string, of func(*runner) float64, join func(a, b float64) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			w.mu.Lock()
			defer w.mu.Unlock()
			v := 0.0
			for _, r := range w.runners {
				v = join(v, of(r))
			}
			return v
		}))
	}
	sum := func(a, b float64) float64 { return a + b }
	most := func(a, b float64) float64 { return max(a, b) }
	gauge("orderly_webhook_pending_deliveries", "Deliveries that failed and are tried again, or wait behind one.",
		func(r *runner) float64 { return float64(r.pending.Load()) }, sum)
	gauge("orderly_webhook_dead_deliveries", "Deliveries that were given up and can be tried again by hand.",
		func(r *runner) float64 { return float64(r.dead.Load()) }, sum)
	gauge("orderly_webhook_lag_rows", "Log rows not yet passed by the subscription that is furthest behind.",
		func(r *runner) float64 { return float64(r.lag.Load()) }, most)
	gauge("orderly_webhook_lag_seconds", "Time since the subscription that is furthest behind had nothing left to try for the first time.",
		func(r *runner) float64 {
			if r.lag.Load() == 0 {
				return 0
			}
			return max(w.engine.Now().Sub(time.Unix(0, r.caughtUp.Load())).Seconds(), 0)
		}, most)
}
