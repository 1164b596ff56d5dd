package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// ExceptionIDFor is an id made of what an exception is about, so that the same one is raised once however often that is
// tried, like ("reconciliation", provider, day, operation).
func ExceptionIDFor(about ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(about, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// raise opens an exception that belongs to no order, in the same commit as everything else of the command. With an
// id (ExceptionIDFor) that exists already, open or closed, nothing happens. Time and state are filled in.
func (tx *Tx) raise(x exception.Standalone) (*Entry, error) {
	if x.ID == "" {
		x.ID = tx.e.idWithHash(hashByte(x.Type, tx.Command))
	}
	key := tx.e.ExceptionKey(x.ID)
	if err := tx.load(key); err != nil {
		return nil, err
	}
	if en := tx.Entry(key); en != nil {
		return en, nil
	}
	x.State, x.OpenedAt, x.By = exception.StateOpen, tx.Now, cmp.Or(x.By, tx.actor)
	if err := x.Validate(); err != nil {
		return nil, err
	}
	return tx.saveStandalone(nil, []exception.StandaloneEvent{{Type: order.EventExceptionOpened, Exception: &x}})
}

// saveStandalone writes an exception after events; s is nil for a new one.
func (tx *Tx) saveStandalone(s *exception.Standalone, events []exception.StandaloneEvent) (*Entry, error) {
	if m := tx.manual; m != nil && s != nil {
		tx.manual = nil
		events = append(events, exception.StandaloneEvent{Type: order.EventTouched, Touch: m.touch(tx)})
	}
	next := exception.FoldStandalone(s, events, tx.Now)
	key := tx.e.ExceptionKey(next.ID)
	en := tx.Put(store.Record{Key: key, State: next.State, Channel: next.Channel, CreatedAt: next.OpenedAt}, next)
	tx.After(func() { tx.e.exceptions.alone(next, en.Version) })
	return en, tx.Emit(key, en.Version, events, nil)
}

// RaiseException opens an exception that belongs to no order. The reply's value is the *exception.Standalone.
func (e *Engine) RaiseException(ctx context.Context, x exception.Standalone, m Meta) (*Reply, error) {
	if x.ID == "" {
		x.ID = e.idWithHash(hashByte(x.Type, e.opt.NewID()))
	}
	if err := x.Validate(); err != nil {
		return nil, err
	}
	key := e.ExceptionKey(x.ID)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		en, err := tx.raise(x)
		if err != nil {
			return nil, err
		}
		return &Reply{Status: http.StatusOK, Value: en.Value, Entry: en}, nil
	}})
}

// changeStandalone runs decide on an exception that belongs to no order.
func (e *Engine) changeStandalone(ctx context.Context, id string, m Meta, decide func(tx *Tx, s *exception.Standalone) ([]exception.StandaloneEvent, error), answer func(before int64, next *exception.Standalone) (any, error)) (*Reply, error) {
	key := e.ExceptionKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		en := tx.Entry(key)
		if en == nil {
			return nil, ErrNotFound
		}
		if m.IfVersion != 0 && m.IfVersion != en.Version {
			return nil, ErrVersion
		}
		s := en.Value.(*exception.Standalone)
		if tx.manual != nil && tx.manual.Cause == "" {
			by := *tx.manual
			by.Cause = s.Type
			tx.manual = &by
		}
		events, err := decide(tx, s)
		if err != nil {
			return nil, err
		}
		before := en.Version
		if len(events) > 0 {
			if en, err = tx.saveStandalone(s, events); err != nil {
				return nil, err
			}
		}
		next := en.Value.(*exception.Standalone)
		value, err := answer(before, next)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(value)
		return &Reply{Status: http.StatusOK, Value: value, Body: body, Entry: en}, err
	}})
}

func (e *Engine) fixStandalone(ctx context.Context, id, fix string, a exception.Args, simulate bool, m Meta) (*Reply, error) {
	reply, err := e.changeStandalone(ctx, id, m, func(tx *Tx, s *exception.Standalone) ([]exception.StandaloneEvent, error) {
		return exception.BeginStandalone(s, fix, a, m.who(), tx.Now)
	}, func(before int64, next *exception.Standalone) (any, error) {
		out := &FixResult{Exception: id, Fix: fix, Simulated: simulate, Version: before, Effect: FixEffect{Cancelled: []order.LineQuantity{}, Closes: next.State == exception.StateClosed}}
		out.Effect.Stock, out.Effect.Plan, out.Effect.Unplaced = []StockEffect{}, []PlanEffect{}, []order.LineQuantity{}
		out.Effect.Money.Currency = next.Currency
		if !out.Effect.Closes {
			out.Effect.Until = next.Until
		}
		if simulate {
			return nil, &simulatedFix{out}
		}
		return out, nil
	})
	return unwrapSimulated(reply, err)
}
