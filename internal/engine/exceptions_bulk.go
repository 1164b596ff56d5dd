package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// BulkFix asks for one fix of many exceptions.
type BulkFix struct {
	Filter ExceptionFilter `json:"filter"`
	Fix    string          `json:"fix"`
	Args   exception.Args  `json:"args,omitzero"`
	// Limit is to how many at most, the highest rank first; default and most MaxBulkFixes.
	Limit int `json:"limit,omitempty"`
	// DryRun simulates: each by itself, on what there is now.
	DryRun bool `json:"dry_run,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (b *BulkFix) Validate() error {
	var bad problem.Invalid
	if b.Filter == (ExceptionFilter{}) {
		bad.Add("filter", problem.Required, "say which exceptions; state all means every one")
	}
	if b.Filter.State != "" && !slices.Contains(ExceptionStates, b.Filter.State) {
		bad.Add("filter.state", problem.Unknown, "%.60q is none of %s", b.Filter.State, strings.Join(ExceptionStates, ", "))
	}
	if b.Limit != 0 {
		bad.Range("limit", int64(b.Limit), 1, MaxBulkFixes)
	}
	b.Limit = cmp.Or(b.Limit, MaxBulkFixes)
	if err := exception.Check(b.Fix, &b.Args); err != nil {
		var more problem.Invalid
		if errors.As(err, &more) {
			for _, f := range more {
				if f.Pointer != "fix" {
					f.Pointer = "args." + f.Pointer
				}
				bad = append(bad, f)
			}
		}
	}
	return bad.Err()
}

// BulkResult is what became of each exception.
type BulkResult struct {
	DryRun bool       `json:"dry_run,omitempty"`
	Found  int        `json:"found"` // that the filter admits
	Done   int        `json:"done"`
	Failed int        `json:"failed"`
	Items  []BulkItem `json:"items"`
}

// BulkItem is one of them.
type BulkItem struct {
	Exception string     `json:"exception"`
	Done      bool       `json:"done"`
	Effect    *FixEffect `json:"effect,omitempty"`
	Code      string     `json:"code,omitempty"` // why it was not done
	Message   string     `json:"message,omitempty"`
}

// FixExceptions applies one fix to many exceptions, each in a command of its own: some may be done and others
// refused. A person's work is booked on each, its time shared among them. Sent again it goes on with what is left. Errors: problem.Invalid.
func (e *Engine) FixExceptions(ctx context.Context, b *BulkFix, may func(*order.Order, *order.Exception) error, m Meta) (*BulkResult, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	e.exceptions.settle(ctx)
	all := e.exceptions.selected(&b.Filter, e.Now())
	out := &BulkResult{DryRun: b.DryRun, Found: len(all)}
	all = all[:min(len(all), b.Limit)]
	out.Items = make([]BulkItem, len(all))
	m.Key, m.IfVersion = nil, 0
	if m.Manual != nil {
		by := *m.Manual
		seconds := cmp.Or(by.Seconds, exception.SecondsFor("bulkFix", ""))
		by.Seconds = max(seconds/int64(max(len(all), 1)), 1)
		m.Manual = &by
	}
	e.each(len(all), func(i int) {
		item := &out.Items[i]
		item.Exception = all[i].id
		reply, err := e.FixException(ctx, all[i].id, b.Fix, b.Args, b.DryRun, may, m)
		if err != nil {
			item.Code, item.Message = refusal(err)
			return
		}
		item.Done, item.Effect = true, &reply.Value.(*FixResult).Effect
	})
	for i := range out.Items {
		if out.Items[i].Done {
			out.Done++
		} else {
			out.Failed++
		}
	}
	return out, nil
}

// ExceptionSummary counts open exceptions.
type ExceptionSummary struct {
	Open     int   `json:"open"` // to be worked on
	Waiting  int   `json:"waiting"`
	Claimed  int   `json:"claimed"`
	Promises int64 `json:"promises_at_risk"`
	// Money is what is at risk by currency, minor units.
	Money map[string]int64 `json:"money_at_risk"`
	// OldestSeconds is the age of the oldest.
	OldestSeconds int64 `json:"oldest_seconds"`

	ByType     map[string]int `json:"by_type"`
	ByTeam     map[string]int `json:"by_team"`
	ByOwner    map[string]int `json:"by_owner"` // people who work on them
	ByChannel  map[string]int `json:"by_channel"`
	ByLocation map[string]int `json:"by_location"`
	Loaded     bool           `json:"loaded"`
	Full       bool           `json:"full,omitempty"`
}

// SummarizeExceptions counts the queue.
func (e *Engine) SummarizeExceptions(ctx context.Context) *ExceptionSummary {
	e.exceptions.settle(ctx)
	now := e.Now()
	s := &ExceptionSummary{Money: map[string]int64{}, ByType: map[string]int{}, ByTeam: map[string]int{}, ByOwner: map[string]int{}, ByChannel: map[string]int{}, ByLocation: map[string]int{}}
	s.Loaded, s.Full = e.exceptions.status()
	for _, r := range e.exceptions.selected(&ExceptionFilter{State: "all"}, now) {
		switch r.state(now) {
		case "waiting":
			s.Waiting++
			continue
		case "claimed":
			s.Claimed++
			s.ByOwner[r.x.Owner]++
		}
		s.Open++
		s.Promises += r.price.Promises
		if r.price.Money > 0 {
			s.Money[r.currency] += r.price.Money
		}
		s.OldestSeconds = max(s.OldestSeconds, int64(now.Sub(r.x.OpenedAt).Seconds()))
		s.ByType[r.x.Type]++
		s.ByTeam[exception.Lookup(r.x.Type).Team]++
		if c := r.channel(); c != "" {
			s.ByChannel[c]++
		}
		if r.location != "" {
			s.ByLocation[r.location]++
		}
	}
	return s
}
