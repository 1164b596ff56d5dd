package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// replayMargin is how far before the time asked for a replay begins: the clocks of
// nodes that wrote the log may differ by as much.
const replayMargin = 10 * time.Second

// Subscriptions reads and changes subscriptions and their deliveries.
type Subscriptions struct {
	engine *engine.Engine
	sender *Sender
}

// NewSubscriptions makes the subscriptions of an engine. sender sends test messages and
// says which addresses are allowed.
func NewSubscriptions(e *engine.Engine, sender *Sender) *Subscriptions {
	return &Subscriptions{engine: e, sender: sender}
}

// View is a subscription as callers see it.
type View struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Types     []string  `json:"types" doc:"empty: all"`
	Status    Status    `json:"status"`
	Reason    string    `json:"reason,omitempty" doc:"why the server paused the subscription"`
	Ordered   bool      `json:"ordered"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Secret is shown when it is made: by creation and rotation.
	Secret Secret `json:"secret,omitempty" doc:"shown once, by creation and rotation"`
	// PreviousUntil is when the secret before the current one stops signing.
	PreviousUntil time.Time `json:"previous_secret_until,omitzero"`
	Progress      *Progress `json:"progress,omitempty"`
}

// Progress is how far the deliveries have come.
type Progress struct {
	Cursor        string    `json:"cursor" doc:"a cursor as in /v1/events: what is behind it was delivered or is pending or dead"`
	Delivered     int64     `json:"delivered" doc:"messages accepted so far, repeats included"`
	Pending       int       `json:"pending"`
	Dead          int       `json:"dead"`
	LastDelivered time.Time `json:"last_delivered_at,omitzero"`
	LastFailed    time.Time `json:"last_failed_at,omitzero"`
	LastError     string    `json:"last_error,omitempty"`
}

func (s *Subscription) view(p *progress) View {
	v := View{
		ID: s.ID, URL: s.URL, Types: append([]string{}, s.Types...), Status: s.Status, Reason: s.Reason, Ordered: s.Ordered,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	if len(s.Secrets) > 1 {
		v.PreviousUntil = s.Secrets[1].Until
	}
	if p != nil {
		v.Progress = &Progress{p.Cursor.String(), p.Delivered, p.Pending, p.Dead, p.LastDelivered, p.LastFailed, p.LastError}
	}
	return v
}

type subscriptionEvent struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// put writes a subscription and its log row. The entry must have been named.
func put(tx *engine.Tx, s *Subscription, event string) (*engine.Entry, error) {
	en := tx.Put(store.Record{Key: subscriptionKey(s.ID), State: string(s.Status), CreatedAt: s.CreatedAt}, s)
	return en, tx.Emit(en.Key, en.Version, []subscriptionEvent{{event, s.ID}}, nil)
}

func putProgress(tx *engine.Tx, p *progress, state, event string) (*engine.Entry, error) {
	en := tx.Put(store.Record{Key: progressKey(p.Subscription), State: state, CreatedAt: tx.Now}, p)
	return en, tx.Emit(en.Key, en.Version, []subscriptionEvent{{event, p.Subscription}}, nil)
}

func etag(en *engine.Entry) map[string]string {
	return map[string]string{"ETag": fmt.Sprintf("%q", fmt.Sprint(en.Version))}
}

// Create makes a subscription for events from now on. The reply's value is a
// View with the secret. Errors: problem.Invalid.
func (s *Subscriptions) Create(ctx context.Context, n Settings, m engine.Meta) (*engine.Reply, error) {
	if err := n.check(ctx, &s.sender.opt, true); err != nil {
		return nil, err
	}
	existing, err := s.load(ctx, Active, Paused)
	if err != nil {
		return nil, err
	}
	if len(existing) >= MaxSubscriptions {
		var bad problem.Invalid
		bad.Add("", problem.TooLong, "there are %d subscriptions already; remove one first", len(existing))
		return nil, bad
	}
	heads, err := s.engine.Store().Heads(ctx)
	if err != nil {
		return nil, err
	}
	now := s.engine.Now()
	sub := Subscription{ID: s.engine.NewID(), Status: Active, Ordered: true, CreatedAt: now, UpdatedAt: now}
	n.apply(&sub)
	sub.rotate(NewSecret(), now, 0)
	p := progress{Subscription: sub.ID, Cursor: heads}
	return s.engine.Submit(ctx, &engine.Command{
		Stream: subscriptionKey(sub.ID), Needs: []store.Key{progressKey(sub.ID)}, Actor: m.Actor, Key: m.Key,
		Decide: func(tx *engine.Tx) (*engine.Reply, error) {
			en, err := put(tx, &sub, "webhook.created")
			if err != nil {
				return nil, err
			}
			if _, err := putProgress(tx, &p, progressOpen, "webhook_progress.opened"); err != nil {
				return nil, err
			}
			v := sub.view(&p)
			v.Secret = sub.Secrets[0].Secret
			return &engine.Reply{Status: http.StatusCreated, Value: v, Header: etag(en)}, nil
		},
	})
}

// edit is what a change of a subscription sees and says.
type edit struct {
	tx  *engine.Tx
	sub *Subscription // to be written when settings is set
	p   *progress     // to be written when moved is set
	// settings: the subscription changed. moved: its progress or deliveries did, so
	// that the worker must read them anew (it notices by the generation).
	settings, moved bool
}

// change decides on a subscription that is not removed. decide may run more than once and
// returns the reply's value. Errors: engine.ErrNotFound, engine.ErrVersion.
func (s *Subscriptions) change(ctx context.Context, id, event string, m engine.Meta, needs []store.Key, decide func(*edit) (any, error)) (*engine.Reply, error) {
	key := subscriptionKey(id)
	return s.engine.Submit(ctx, &engine.Command{
		Stream: key, Needs: append([]store.Key{progressKey(id)}, needs...), Actor: m.Actor, Key: m.Key,
		Decide: func(tx *engine.Tx) (*engine.Reply, error) {
			en, pen := tx.Entry(key), tx.Entry(progressKey(id))
			if en == nil || pen == nil || en.State == string(Removed) {
				return nil, engine.ErrNotFound
			}
			if m.IfVersion != 0 && en.Version != m.IfVersion {
				return nil, engine.ErrVersion
			}
			sub, err := valueOf[Subscription](en)
			if err != nil {
				return nil, err
			}
			p, err := valueOf[progress](pen)
			if err != nil {
				return nil, err
			}
			p.Cursor = slices.Clone(p.Cursor)
			ed := edit{tx: tx, sub: &sub, p: &p}
			value, err := decide(&ed)
			if err != nil {
				return nil, err
			}
			if ed.settings {
				if en, err = put(tx, &sub, event); err != nil {
					return nil, err
				}
			}
			if ed.moved {
				state := progressOpen
				if sub.Status == Removed {
					state = progressClosing
				}
				p.Generation++
				if _, err := putProgress(tx, &p, state, event); err != nil {
					return nil, err
				}
			}
			r := &engine.Reply{Status: http.StatusOK, Value: value}
			if ed.settings {
				r.Header = etag(en)
			}
			return r, nil
		},
	})
}

// Update changes settings. Making a paused subscription active makes all its
// pending deliveries due. Errors: problem.Invalid, engine.ErrNotFound, engine.ErrVersion.
func (s *Subscriptions) Update(ctx context.Context, id string, n Settings, m engine.Meta) (*engine.Reply, error) {
	if err := n.check(ctx, &s.sender.opt, false); err != nil {
		return nil, err
	}
	return s.change(ctx, id, "webhook.updated", m, nil, func(ed *edit) (any, error) {
		if ed.sub.Status == Paused && n.Status != nil && *n.Status == Active {
			ed.p.Resumed, ed.moved = ed.tx.Now, true
		}
		n.apply(ed.sub)
		ed.settings, ed.sub.UpdatedAt = true, ed.tx.Now
		return ed.sub.view(ed.p), nil
	})
}

// Remove ends a subscription. Its pending and dead deliveries go with it. Errors: engine.ErrNotFound, engine.ErrVersion.
func (s *Subscriptions) Remove(ctx context.Context, id string, m engine.Meta) (*engine.Reply, error) {
	r, err := s.change(ctx, id, "webhook.removed", m, nil, func(ed *edit) (any, error) {
		ed.sub.Status, ed.sub.Secrets, ed.sub.UpdatedAt = Removed, nil, ed.tx.Now
		ed.settings, ed.moved = true, true
		return ed.sub.view(nil), nil
	})
	if err == nil {
		r.Status = http.StatusNoContent
	}
	return r, err
}

// Rotate makes a new secret; the one before goes on signing beside it for the overlap
// (nil: a day). The reply's value is a View with the new secret. Errors: problem.Invalid,
// engine.ErrNotFound, engine.ErrVersion.
func (s *Subscriptions) Rotate(ctx context.Context, id string, overlapSeconds *int64, m engine.Meta) (*engine.Reply, error) {
	seconds := int64(defaultOverlap / time.Second)
	if overlapSeconds != nil {
		seconds = *overlapSeconds
	}
	var bad problem.Invalid
	bad.Range("overlap_seconds", seconds, 0, int64(MaxOverlap/time.Second))
	if err := bad.Err(); err != nil {
		return nil, err
	}
	secret := NewSecret()
	return s.change(ctx, id, "webhook.rotated", m, nil, func(ed *edit) (any, error) {
		ed.sub.rotate(secret, ed.tx.Now, time.Duration(seconds)*time.Second)
		ed.settings, ed.sub.UpdatedAt = true, ed.tx.Now
		v := ed.sub.view(ed.p)
		v.Secret = secret
		return v, nil
	})
}

// Retry makes a pending or dead delivery due now, with all its attempts ahead.
// The reply's value is the Delivery. Errors: engine.ErrNotFound.
func (s *Subscriptions) Retry(ctx context.Context, id, delivery string, m engine.Meta) (*engine.Reply, error) {
	key := deliveryKey(delivery)
	return s.change(ctx, id, "webhook.delivery_retried", m, []store.Key{key}, func(ed *edit) (any, error) {
		en := ed.tx.Entry(key)
		if en == nil || en.Channel != id {
			return nil, engine.ErrNotFound
		}
		d, err := valueOf[Delivery](en)
		if err != nil {
			return nil, err
		}
		if d.State == Dead {
			ed.p.Dead--
			ed.p.Pending++
		}
		d.State, d.Attempts, d.Next = Pending, 0, ed.tx.Now
		ed.moved = true
		return &d, putDelivery(ed.tx, &d, "delivery.retried")
	})
}

// Replay takes the subscription back in the log: everything it wants from there
// is sent again. It never skips forward. The reply's value is a View. Errors: engine.ErrNotFound.
func (s *Subscriptions) Replay(ctx context.Context, id string, from engine.Cursor, m engine.Meta) (*engine.Reply, error) {
	return s.change(ctx, id, "webhook.replayed", m, nil, func(ed *edit) (any, error) {
		for b := range ed.p.Cursor {
			ed.p.Cursor[b] = min(ed.p.Cursor[b], from[b])
		}
		ed.moved = true
		return ed.sub.view(ed.p), nil
	})
}

// Since returns a place in the log at or a little before a time.
func (s *Subscriptions) Since(ctx context.Context, t time.Time) (engine.Cursor, error) {
	t = t.Add(-replayMargin)
	heads, err := s.engine.Store().Heads(ctx)
	if err != nil {
		return nil, err
	}
	at := make(engine.Cursor, len(heads))
	for b, head := range heads {
		n := sort.Search(int(head), func(i int) bool {
			rows, e := s.engine.Store().Log(ctx, b, int64(i), 1)
			if e != nil {
				err = e
			}
			return e != nil || len(rows) == 0 || !rows[0].Time.Before(t)
		})
		at[b] = int64(n)
	}
	return at, err
}

// Get returns a subscription that is not removed, with its version. Errors: engine.ErrNotFound.
func (s *Subscriptions) Get(ctx context.Context, id string) (*View, int64, error) {
	records, err := s.engine.Store().Load(ctx, []store.Key{subscriptionKey(id), progressKey(id)})
	if err != nil {
		return nil, 0, err
	}
	var sub *Subscription
	var p *progress
	for i := range records {
		switch r := &records[i]; r.Kind {
		case engine.KindWebhook:
			sub = &Subscription{Version: r.Version}
			err = json.Unmarshal(r.Body, sub)
		case engine.KindWebhookProgress:
			p = new(progress)
			err = json.Unmarshal(r.Body, p)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	if sub == nil || sub.Status == Removed {
		return nil, 0, engine.ErrNotFound
	}
	v := sub.view(p)
	return &v, sub.Version, nil
}

// List returns all subscriptions that are not removed, oldest first: at most MaxSubscriptions.
func (s *Subscriptions) List(ctx context.Context) ([]View, error) {
	subs, err := s.load(ctx, Active, Paused)
	if err != nil {
		return nil, err
	}
	views := []View{}
	for _, sub := range subs {
		views = append(views, sub.view(nil))
	}
	return views, nil
}

// load reads the subscriptions of some statuses, oldest first.
func (s *Subscriptions) load(ctx context.Context, statuses ...Status) ([]*Subscription, error) {
	return loadSubscriptions(ctx, s.engine.Store(), statuses...)
}

func loadSubscriptions(ctx context.Context, from store.Reader, statuses ...Status) ([]*Subscription, error) {
	var out []*Subscription
	for _, status := range statuses {
		// A few more than the limit, for those that were made at the same moment.
		records, err := from.Find(ctx, store.Query{Kind: engine.KindWebhook, State: string(status), Limit: 2 * MaxSubscriptions, Ascending: true})
		if err != nil {
			return nil, err
		}
		for i := range records {
			sub := &Subscription{Version: records[i].Version}
			if err := json.Unmarshal(records[i].Body, sub); err != nil {
				return nil, err
			}
			out = append(out, sub)
		}
	}
	slices.SortFunc(out, func(a, b *Subscription) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out, nil
}

// Deliveries returns pending or dead deliveries, oldest first, behind the one
// named, and whether there are more.
func (s *Subscriptions) Deliveries(ctx context.Context, id string, state State, after string, limit int) ([]Delivery, bool, error) {
	if _, _, err := s.Get(ctx, id); err != nil {
		return nil, false, err
	}
	return findDeliveries(ctx, s.engine.Store(), id, state, after, limit)
}

// Test sends a signed message of type "webhook.test" now and returns what came of it.
func (s *Subscriptions) Test(ctx context.Context, id string) (*Outcome, error) {
	records, err := s.engine.Store().Load(ctx, []store.Key{subscriptionKey(id)})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || records[0].State == string(Removed) {
		return nil, engine.ErrNotFound
	}
	var sub Subscription
	if err := json.Unmarshal(records[0].Body, &sub); err != nil {
		return nil, err
	}
	now := s.engine.Now()
	message, err := json.Marshal(envelope{"webhook.test", now, map[string]string{"subscription": id}})
	if err != nil {
		return nil, err
	}
	out := s.sender.Send(ctx, &sub, "test-"+s.engine.NewID(), now, message)
	return &out, nil
}
