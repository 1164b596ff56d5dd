package engine

import (
	"context"
	"net/http"

	"github.com/orderly-oms/orderly/internal/store"
)

// PutRecord creates or replaces a record of a kind that the engine itself does
// not interpret (API keys, webhook subscriptions). event is what the log says about it.
func (e *Engine) PutRecord(ctx context.Context, r store.Record, value any, event any, m Meta) (*Reply, error) {
	return e.Submit(ctx, &Command{Stream: r.Key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		was := tx.Entry(r.Key)
		if m.IfVersion != 0 && (was == nil || was.Version != m.IfVersion) {
			return nil, ErrVersion
		}
		r.CreatedAt = tx.Now
		en := tx.Put(r, value)
		if err := tx.Emit(r.Key, en.Version, []any{event}, nil); err != nil {
			return nil, err
		}
		status := http.StatusOK
		if was == nil {
			status = http.StatusCreated
		}
		return &Reply{Status: status, Value: value, Entry: en}, nil
	}})
}
