package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

const (
	// MaxExceptionPage bounds a page of the queue. With simulated fixes it costs about as much as as many commands as there are fixes.
	MaxExceptionPage = 200
	// MaxBulkFixes bounds one bulk fix.
	MaxBulkFixes = 200
	// fixesAtOnce is how many fixes are simulated or applied at once, so that they share commits.
	fixesAtOnce = 16
)

// ExceptionView is an open exception as people see it.
type ExceptionView struct {
	ID            string    `json:"id"`
	Type          string    `json:"type"`
	Title         string    `json:"title"`
	Message       string    `json:"message"`
	State         string    `json:"state"` // unclaimed, claimed, waiting, closed
	OrderID       string    `json:"order_id,omitempty"`
	FulfillmentID string    `json:"fulfillment_id,omitempty"`
	ReturnID      string    `json:"return_id,omitempty"`
	Channel       string    `json:"channel,omitempty"`
	Location      string    `json:"location,omitempty"`
	Owner         string    `json:"owner"` // person, else team
	ClaimedAt     time.Time `json:"claimed_at,omitzero"`
	OpenedAt      time.Time `json:"opened_at"`
	AgeSeconds    int64     `json:"age_seconds"`
	Until         time.Time `json:"until,omitzero"` // set aside until then
	// RuleAt is when rules look at it next.
	RuleAt   time.Time         `json:"rule_at,omitzero"`
	By       string            `json:"by"`
	Data     map[string]string `json:"data,omitempty"`
	Currency string            `json:"currency,omitempty"`
	exception.Price
	// Version is the If-Match of fixes, of the order or of an exception that belongs to none.
	Version int64 `json:"version"`
	// Fixes are the suggested ones, best first, with what each would do now.
	Fixes []SuggestedFix `json:"fixes,omitempty"`
	// Resolution of one that is closed.
	Resolution string `json:"resolution,omitempty"`
}

// SuggestedFix is a fix with what it would do.
type SuggestedFix struct {
	Fix     string   `json:"fix"`
	Title   string   `json:"title"`
	Meaning string   `json:"meaning"`
	Needs   []string `json:"needs,omitempty"` // arguments; it is not simulated without them
	// Effect is what it would do now; absent when it needs arguments or would be refused.
	Effect *FixEffect `json:"effect,omitempty"`
	// Refused says why it would be refused now.
	Refused     string `json:"refused,omitempty"`
	RefusedCode string `json:"refused_code,omitempty"`
}

// ExceptionPage is a page of the queue, highest rank first.
type ExceptionPage struct {
	Items []ExceptionView `json:"items"`
	Next  string          `json:"next,omitempty"` // cursor of the next page; absent: this is the last
	// Count is of all that the filter admits.
	Count int `json:"count"`
	// Loaded says that all open exceptions of the store are in the queue; Full that there are more than it holds.
	Loaded bool `json:"loaded"`
	Full   bool `json:"full,omitempty"`
}

func (r *ranked) view(now time.Time) ExceptionView {
	i := r.queued
	v := ExceptionView{
		ID: i.id, Type: i.x.Type, Title: exception.Lookup(i.x.Type).Title, Message: i.x.Message, State: i.state(now), OrderID: i.order,
		FulfillmentID: i.x.FulfillmentID, ReturnID: i.x.ReturnID, Channel: i.channel(), Location: i.location, Owner: i.owner(), ClaimedAt: i.x.ClaimedAt,
		OpenedAt: i.x.OpenedAt, AgeSeconds: int64(now.Sub(i.x.OpenedAt) / time.Second), Until: i.x.Until, RuleAt: i.x.LookAt, By: i.x.By, Data: i.x.Data,
		Currency: i.currency, Price: r.price, Version: i.version,
	}
	if i.alone != nil {
		v.OrderID = i.about
		if i.alone.State == exception.StateClosed {
			v.State, v.Resolution = exception.StateClosed, i.alone.Resolution
		}
	}
	return v
}

// Exceptions returns a page of the queue. cursor "" is the first page; limit 1 to MaxExceptionPage. simulate
// adds what each suggested fix would do. Errors: problem.Invalid.
func (e *Engine) Exceptions(ctx context.Context, f ExceptionFilter, limit int, cursor string, simulate bool) (*ExceptionPage, error) {
	var bad problem.Invalid
	if f.State != "" && !slices.Contains(ExceptionStates, f.State) {
		bad.Add("state", problem.Unknown, "%.60q is none of %s", f.State, strings.Join(ExceptionStates, ", "))
	}
	at, err := parseExceptionCursor(cursor, e.Now())
	if err != nil {
		bad.Add("cursor", problem.Malformed, "is not one that this queue gave")
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	q := e.exceptions
	q.settle(ctx)
	all := q.selected(&f, at.now)
	page := &ExceptionPage{Items: []ExceptionView{}, Count: len(all)}
	page.Loaded, page.Full = q.status()
	from := 0
	if cursor != "" {
		from, _ = slices.BinarySearchFunc(all, at, func(r ranked, at exceptionCursor) int { return compareRanked(&r, at.rank, at.opened, at.id) })
		if from < len(all) && all[from].id == at.id {
			from++
		}
	}
	all = all[from:]
	for i := range all[:min(len(all), limit)] {
		page.Items = append(page.Items, all[i].view(at.now))
	}
	if len(all) > limit {
		last := &all[limit-1]
		page.Next = exceptionCursor{at.now, last.price.Rank, last.x.OpenedAt, last.id}.String()
	}
	if simulate {
		e.suggest(ctx, page.Items)
	}
	return page, nil
}

func (q *openExceptions) status() (loaded, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reads.part == exceptionParts, q.full
}

// exceptionCursor is a place in the queue as it was ranked at a time: ranks rise with age, those of all pages are of one moment.
type exceptionCursor struct {
	now    time.Time
	rank   int64
	opened time.Time
	id     string
}

func (c exceptionCursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %d %s", c.now.UnixMicro(), c.rank, c.opened.UnixMicro(), c.id))
}

func parseExceptionCursor(text string, now time.Time) (c exceptionCursor, err error) {
	if text == "" {
		return exceptionCursor{now: now}, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, err
	}
	var at, opened int64
	if _, err = fmt.Sscanf(string(plain), "%d %d %d %s", &at, &c.rank, &opened, &c.id); err != nil {
		return c, err
	}
	c.now, c.opened = time.UnixMicro(at).UTC(), time.UnixMicro(opened).UTC()
	return c, nil
}

// Exception returns an open exception with its fixes, and the version for its ETag. Standalone ones are found after they
// were closed, too. Errors: ErrNotFound.
func (e *Engine) Exception(ctx context.Context, id string, simulate bool) (*ExceptionView, error) {
	r, err := e.loadException(ctx, id)
	if err != nil {
		return nil, err
	}
	now := e.Now()
	r.price = r.stake.Price(e.exceptions.terms(now)(r.queued), now)
	v := []ExceptionView{r.view(now)}
	if simulate && v[0].State != exception.StateClosed {
		e.suggest(ctx, v)
	}
	return &v[0], nil
}

// loadException reads an exception from the store, so that an answer never shows what is not durable.
func (e *Engine) loadException(ctx context.Context, id string) (*ranked, error) {
	orderID, x, ok := splitException(id)
	if ok {
		o, err := e.loadOrder(ctx, orderID)
		if err != nil {
			return nil, err
		}
		if open := o.Exception(x); open != nil {
			return &ranked{queued: queuedOf(o, open)}, nil
		}
		return nil, ErrNotFound
	}
	en, err := e.stored(ctx, e.ExceptionKey(id))
	if err != nil {
		return nil, err
	}
	return &ranked{queued: queuedAlone(en.Value.(*exception.Standalone), en.Version)}, nil
}

// each calls f for 0 to n-1, some at once, and waits.
func (e *Engine) each(n int, f func(i int)) {
	if e.opt.Inline {
		for i := range n {
			f(i)
		}
		return
	}
	var wait sync.WaitGroup
	room := make(chan struct{}, fixesAtOnce)
	for i := range n {
		room <- struct{}{}
		wait.Go(func() {
			f(i)
			<-room
		})
	}
	wait.Wait()
}

// suggest fills in the fixes of exceptions, simulated where they need no arguments.
func (e *Engine) suggest(ctx context.Context, views []ExceptionView) {
	type job struct{ view, fix int }
	var jobs []job
	for i := range views {
		v := &views[i]
		_, _, ofOrder := splitException(v.ID)
		for _, id := range exception.Lookup(v.Type).Fixes {
			f, _ := exception.FixOf(id)
			if !ofOrder && !f.Alone() {
				continue
			}
			v.Fixes = append(v.Fixes, SuggestedFix{Fix: f.ID, Title: f.Title, Meaning: f.Meaning, Needs: f.Needs})
			if len(f.Needs) == 0 {
				jobs = append(jobs, job{i, len(v.Fixes) - 1})
			}
		}
	}
	e.each(len(jobs), func(n int) {
		v := &views[jobs[n].view]
		s := &v.Fixes[jobs[n].fix]
		reply, err := e.FixException(ctx, v.ID, s.Fix, exception.Args{}, true, nil, Meta{Actor: "simulation"})
		if err == nil {
			s.Effect = &reply.Value.(*FixResult).Effect
			return
		}
		s.RefusedCode, s.Refused = refusal(err)
	})
}

// refusal is an error in a word and a sentence.
func refusal(err error) (code, message string) {
	var no *order.Refusal
	switch {
	case errors.As(err, &no):
		return no.Code, no.Message
	case isInvalid(err):
		return "invalid", err.Error()
	}
	return "not_done", err.Error()
}

// aboutException runs a change of an open exception, of an order or standalone. The reply's value is an *ExceptionView.
func (e *Engine) aboutException(ctx context.Context, id string, m Meta,
	ofOrder func(*Tx, *order.Order, *order.Exception) ([]order.Event, error),
	alone func(*Tx, *exception.Standalone) ([]exception.StandaloneEvent, error),
) (*Reply, error) {
	orderID, n, ok := splitException(id)
	if !ok {
		return e.changeStandalone(ctx, id, m, alone, func(_ int64, next *exception.Standalone) (any, error) {
			now := e.Now()
			en := queuedAlone(next, 0)
			r := ranked{queued: en, price: en.stake.Price(e.exceptions.terms(now)(en), now)}
			v := r.view(now)
			return &v, nil
		})
	}
	key := e.OrderKey(orderID)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		x := o.Exception(n)
		if x == nil {
			return nil, errClosed(id)
		}
		if tx.manual != nil && tx.manual.Cause == "" {
			by := *tx.manual
			by.Cause = x.Type
			tx.manual = &by
		}
		was := *x
		events, err := ofOrder(tx, o, x)
		if err != nil {
			return nil, err
		}
		next, err := tx.saveOrder(o, events)
		if err != nil {
			return nil, err
		}
		if x = next.Exception(n); x == nil {
			x = &was
		}
		item := queuedOf(next, x)
		r := ranked{queued: item, price: item.stake.Price(e.exceptions.terms(tx.Now)(item), tx.Now)}
		v := r.view(tx.Now)
		if next.Exception(n) == nil {
			v.State = exception.StateClosed
		}
		reply := tx.okReply(next)
		reply.Value = &v
		reply.Body, err = json.Marshal(&v)
		return reply, err
	}})
}

// ClaimException makes somebody the owner ("": the caller), ReleaseException nobody. The reply's value is an *ExceptionView.
func (e *Engine) ClaimException(ctx context.Context, id, owner string, take bool, m Meta) (*Reply, error) {
	if owner == "" {
		owner = m.who()
	}
	return e.setOwner(ctx, id, owner, take, m)
}

// ReleaseException takes the owner away.
func (e *Engine) ReleaseException(ctx context.Context, id string, m Meta) (*Reply, error) {
	return e.setOwner(ctx, id, "", false, m)
}

func (e *Engine) setOwner(ctx context.Context, id, owner string, take bool, m Meta) (*Reply, error) {
	return e.aboutException(ctx, id, m, func(_ *Tx, o *order.Order, x *order.Exception) ([]order.Event, error) {
		return o.Claim(x.ID, owner, take)
	}, func(_ *Tx, s *exception.Standalone) ([]exception.StandaloneEvent, error) { return s.Claim(owner, take) })
}
