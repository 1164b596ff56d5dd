package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// Published is an event as consumers outside see it.
type Published struct {
	ID       string          `json:"id"` // "bucket-sequence-index": unique, and the same on every delivery
	Type     string          `json:"type"`
	Time     time.Time       `json:"time"`
	Stream   PublishedStream `json:"stream"`
	Version  int64           `json:"version"` // of the stream, after the command
	Sequence int64           `json:"sequence"`
	Actor    string          `json:"actor"`
	Command  string          `json:"command"`
	Data     json.RawMessage `json:"data"`
	// Movements are the journal lines of the command; they stand with its first event.
	Movements []inventory.Movement `json:"movements,omitempty"`
}

// PublishedStream names what an event is about.
type PublishedStream struct {
	Kind store.Kind `json:"kind"`
	ID   string     `json:"id"`
}

// EventTypes lists the types that Events can return, "*.created" and
// "*.updated" of reference data apart.
func EventTypes() []string {
	return slices.Concat(order.EventTypes, []string{
		inventory.EventReservationHeld, inventory.EventReservationExtended, inventory.EventReservationClaimed,
		inventory.EventReservationReleased, inventory.EventReservationExpired,
	}, InventoryEventTypes, CapacityEventTypes, RelocationEventTypes, PolicyEventTypes, BaselineEventTypes, ExperimentEventTypes, LearnedEventTypes, PaymentEventTypes)
}

// privateKinds have log rows that are nobody's business outside.
var privateKinds = []store.Kind{KindKey, KindWebhook, KindDelivery, KindWebhookProgress, KindPaymentProvider, KindPaymentLease, KindReassessment, KindReassessmentReport, KindReassessmentLease, KindLearnedVersion}

// Cursor is a place in the log, one sequence per bucket: everything at or below it has been read.
type Cursor []int64

// String writes the cursor as an opaque token.
func (c Cursor) String() string {
	parts := make([]string, len(c))
	for i, s := range c {
		parts[i] = strconv.FormatInt(s, 10)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, ".")))
}

// ParseCursor reads a token for a log of n buckets; "" is the beginning.
func ParseCursor(s string, n int) (Cursor, error) {
	c := make(Cursor, n)
	if s == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("not a cursor of this log")
	}
	parts := strings.Split(string(raw), ".")
	if len(parts) != n {
		return nil, fmt.Errorf("not a cursor of this log: it has %d places, the log %d buckets", len(parts), n)
	}
	for i, p := range parts {
		v, err := strconv.ParseInt(p, 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("not a cursor of this log")
		}
		c[i] = v
	}
	return c, nil
}

// Events reads about limit events after the cursor, whole commands at a time,
// and the cursor behind them. Events of one stream come in order; wanted
// filters by type (nil: all).
func (e *Engine) Events(ctx context.Context, after Cursor, limit int, wanted func(eventType string) bool) ([]Published, Cursor, error) {
	next := slices.Clone(after)
	var out []Published
	for bucket := range next {
		for len(out) < limit {
			page := min(max(limit-len(out), 1), 500)
			rows, err := e.store.Log(ctx, bucket, next[bucket], page)
			if err != nil {
				return nil, nil, err
			}
			for i := range rows {
				if out, err = appendEvents(out, bucket, &rows[i], wanted); err != nil {
					return nil, nil, err
				}
				next[bucket] = rows[i].Seq
				if len(out) >= limit {
					break
				}
			}
			if len(rows) < page {
				break
			}
		}
	}
	return out, next, nil
}

// BucketEvents reads at most rows log rows of one bucket after a sequence, and
// returns their wanted events (nil: all) and the sequence of the last row read.
func (e *Engine) BucketEvents(ctx context.Context, bucket int, after int64, rows int, wanted func(eventType string) bool) ([]Published, int64, error) {
	page, err := e.store.Log(ctx, bucket, after, rows)
	if err != nil {
		return nil, after, err
	}
	var out []Published
	for i := range page {
		if out, err = appendEvents(out, bucket, &page[i], wanted); err != nil {
			return nil, after, err
		}
		after = page[i].Seq
	}
	return out, after, nil
}

// Timeline returns the events of one stream after a version, at most limit commands.
func (e *Engine) Timeline(ctx context.Context, key store.Key, after int64, limit int) ([]Published, error) {
	rows, err := e.store.Stream(ctx, key, after, limit)
	if err != nil {
		return nil, err
	}
	out := []Published{}
	for i := range rows {
		if out, err = appendEvents(out, key.Bucket, &rows[i], nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendEvents(out []Published, bucket int, row *store.Commit, wanted func(string) bool) ([]Published, error) {
	if slices.Contains(privateKinds, row.Stream.Kind) {
		return out, nil
	}
	var raw []json.RawMessage
	if err := jsonenc.Unmarshal(row.Events, &raw); err != nil {
		return nil, fmt.Errorf("reading events of log row %d/%d: %w", bucket, row.Seq, err)
	}
	for i, data := range raw {
		var head struct {
			Type string `json:"type"`
		}
		if err := jsonenc.Unmarshal(data, &head); err != nil {
			return nil, fmt.Errorf("reading events of log row %d/%d: %w", bucket, row.Seq, err)
		}
		if wanted != nil && !wanted(head.Type) {
			continue
		}
		p := Published{
			ID: fmt.Sprintf("%d-%d-%d", bucket, row.Seq, i), Type: head.Type, Time: row.Time,
			Stream: PublishedStream{row.Stream.Kind, row.Stream.ID}, Version: row.Version, Sequence: row.Seq,
			Actor: row.Actor, Command: row.Command, Data: data,
		}
		if i == 0 {
			p.Movements = row.Movements
		}
		out = append(out, p)
	}
	return out, nil
}
