package webhook

import (
	"context"
	"encoding/json"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

// State of a delivery record.
type State string

// The states. Delivered ones are removed.
const (
	Pending State = "pending"
	Dead    State = "dead"
)

// Delivery is an event that a subscriber has not accepted yet. The event itself
// stays in the log.
type Delivery struct {
	ID           string                 `json:"id"`
	Subscription string                 `json:"subscription"`
	Event        string                 `json:"event"` // its id, sent as webhook-id
	Type         string                 `json:"type"`
	Stream       engine.PublishedStream `json:"stream"`
	Version      int64                  `json:"version"` // of the stream
	State        State                  `json:"state"`
	// Attempts that failed since it became pending, or was last told to try again.
	Attempts int `json:"attempts"`
	// Next is when it is due; zero while it waits behind an earlier event of its stream, and when dead.
	Next       time.Time `json:"next_attempt,omitzero"`
	LastAt     time.Time `json:"last_attempt,omitzero"`
	LastStatus int       `json:"last_status,omitempty"` // of the answer; 0: none came
	LastError  string    `json:"last_error,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
}

// DefaultWaits is how long to wait after the n-th failed attempt, from the
// first. The last wait repeats.
var DefaultWaits = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour,
	3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// backoff is the wait after the n-th failed attempt: that of the list, up to a fifth
// longer by jitter (0 ≤ jitter < 1) so that receivers are not hit in step, and not before the
// receiver asked for.
func backoff(waits []time.Duration, n int, jitter float64, retryAfter time.Duration) time.Duration {
	d := waits[min(n, len(waits))-1]
	return max(d+time.Duration(jitter*float64(d)/5), retryAfter)
}

// deliveryEvent is what the log says about a delivery.
type deliveryEvent struct {
	Type     string `json:"type"`
	ID       string `json:"id"`
	Event    string `json:"event"`
	Attempts int    `json:"attempts"`
	Error    string `json:"error,omitempty"`
}

func putDelivery(tx *engine.Tx, d *Delivery, event string) error {
	en := tx.Put(store.Record{Key: deliveryKey(d.ID), State: string(d.State), Channel: d.Subscription, CreatedAt: d.CreatedAt}, d)
	return tx.Emit(en.Key, en.Version, []deliveryEvent{{event, d.ID, d.Event, d.Attempts, d.LastError}}, nil)
}

func removeDelivery(tx *engine.Tx, id, event string) error {
	key := deliveryKey(id)
	en := tx.Entry(key)
	if en == nil {
		return nil
	}
	tx.Delete(key)
	return tx.Emit(key, en.Version+1, []subscriptionEvent{{event, id}}, nil)
}

func findDeliveries(ctx context.Context, from store.Reader, id string, state State, after string, limit int) ([]Delivery, bool, error) {
	records, err := from.Find(ctx, store.Query{
		Kind: engine.KindDelivery, Channel: id, State: string(state), Before: after, Limit: min(limit+1, 1000), Ascending: true,
	})
	if err != nil {
		return nil, false, err
	}
	more := len(records) > limit
	out := []Delivery{}
	for _, r := range records[:min(limit, len(records))] {
		var d Delivery
		if err := json.Unmarshal(r.Body, &d); err != nil {
			return nil, false, err
		}
		out = append(out, d)
	}
	return out, more, nil
}
