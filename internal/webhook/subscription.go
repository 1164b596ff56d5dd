package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// Limits of subscriptions.
const (
	MaxSubscriptions = 100 // per store, removed ones apart
	maxTypes         = 50
	maxActiveSecrets = 2
	// MaxOverlap is how long a rotated secret may still sign.
	MaxOverlap     = 7 * 24 * time.Hour
	defaultOverlap = 24 * time.Hour
)

// Status of a subscription. It is also the record's state.
type Status string

// The statuses. Removed ones are kept, so that their ids stay taken.
const (
	Active  Status = "active"
	Paused  Status = "paused" // nothing is sent; everything is sent once it is active again
	Removed Status = "removed"
)

// Subscription is who gets which events where. It is stored with its secrets,
// because signing needs them; they are shown only when they are made.
type Subscription struct {
	ID  string `json:"id"`
	URL string `json:"url"`
	// Types are event types, exact or with a wildcard suffix ("order.*"); empty: all.
	Types  []string `json:"types,omitempty"`
	Status Status   `json:"status"`
	// Reason says why the worker paused the subscription; empty: it did not.
	Reason string `json:"reason,omitempty"`
	// Ordered keeps the events of one stream in their order.
	Ordered   bool       `json:"ordered"`
	Secrets   []signedBy `json:"secrets"` // newest first, at most maxActiveSecrets
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	Version   int64      `json:"-"` // of the record
}

type signedBy struct {
	Secret Secret `json:"secret"`
	// Until is when the secret stops signing; zero: it is the current one.
	Until time.Time `json:"until,omitzero"`
}

// Wants reports whether the subscription is for events of a type.
func (s *Subscription) Wants(eventType string) bool {
	if slices.Contains(engine.LearnedEventTypes, eventType) {
		return false // several a minute that say nothing about orders or stock; the event feed has them
	}
	if len(s.Types) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Types, func(pattern string) bool { return matches(pattern, eventType) })
}

func matches(pattern, eventType string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(eventType, prefix)
	}
	return pattern == eventType
}

// sign returns the signatures of all secrets that are valid now, separated by spaces.
func (s *Subscription) sign(id string, now time.Time, body []byte) (string, error) {
	var all []string
	for _, k := range s.Secrets {
		if !k.Until.IsZero() && !now.Before(k.Until) {
			continue
		}
		v, err := k.Secret.Sign(id, now, body)
		if err != nil {
			return "", err
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return "", fmt.Errorf("the subscription has no secret that is valid now")
	}
	return strings.Join(all, " "), nil
}

// rotate makes secret the current one and lets the one before sign until the overlap ends.
func (s *Subscription) rotate(secret Secret, now time.Time, overlap time.Duration) {
	next := []signedBy{{Secret: secret}}
	if len(s.Secrets) > 0 && overlap > 0 {
		next = append(next, signedBy{s.Secrets[0].Secret, now.Add(overlap)})
	}
	s.Secrets = next[:min(len(next), maxActiveSecrets)]
}

// Settings are what a caller may set. Nil leaves the value as it is, or at its default.
type Settings struct {
	URL     *string   `json:"url,omitempty" doc:"where events are posted; https unless the server allows private addresses"`
	Types   *[]string `json:"types,omitempty" doc:"event types, exact or with a wildcard suffix like order.*; empty: all"`
	Status  *Status   `json:"status,omitempty" enum:"active,paused" doc:"active or paused"`
	Ordered *bool     `json:"ordered,omitempty" doc:"keep the events of one stream in order; default true"`
}

// check adds what is wrong with the settings. Errors: problem.Invalid.
func (n *Settings) check(ctx context.Context, o *SenderOptions, create bool) error {
	var bad problem.Invalid
	if n.URL != nil || create {
		raw := ""
		if n.URL != nil {
			raw = *n.URL
		}
		checkURL(ctx, &bad, raw, o.AllowPrivate, o.Names)
	}
	if n.Types != nil {
		if len(*n.Types) > maxTypes {
			bad.Add("types", problem.TooLong, "at most %d types", maxTypes)
		}
		for i, t := range *n.Types {
			if !slices.ContainsFunc(eventTypes, func(known string) bool { return matches(t, known) }) {
				bad.Add(problem.At("types", i), problem.Unknown, "%q matches no event type", t)
			}
		}
	}
	if n.Status != nil && *n.Status != Active && *n.Status != Paused {
		bad.Add("status", problem.Unknown, "must be %s or %s", Active, Paused)
	}
	return bad.Err()
}

// apply writes the settings into a subscription.
func (n *Settings) apply(s *Subscription) {
	if n.URL != nil {
		s.URL = *n.URL
	}
	if n.Types != nil {
		s.Types = *n.Types
	}
	if n.Ordered != nil {
		s.Ordered = *n.Ordered
	}
	if n.Status != nil {
		s.Status, s.Reason = *n.Status, ""
	}
}

// eventTypes is every type that can be subscribed.
var eventTypes = func() []string {
	all := slices.DeleteFunc(engine.EventTypes(), func(t string) bool { return slices.Contains(engine.LearnedEventTypes, t) })
	for _, k := range []store.Kind{engine.KindChannel, engine.KindLocation, engine.KindNetwork, engine.KindCarrier, engine.KindSKU, engine.KindSupply} {
		all = append(all, string(k)+".created", string(k)+".updated")
	}
	return append(all, "supply.removed")
}()

// progress is how far the deliveries of a subscription have come. It is written
// by the worker that owns the epoch, and by requests to replay or try again, which the
// worker notices by the generation.
type progress struct {
	Subscription string `json:"subscription"`
	// Cursor: every wanted event at or below it was delivered, or is a delivery record.
	Cursor engine.Cursor `json:"cursor"`
	// Generation counts the requests that changed the progress or a delivery beside the worker.
	Generation int64 `json:"generation"`
	// Epoch is that of the lease under which the worker writes; 0: no worker yet.
	Epoch int64 `json:"epoch"`
	// Resumed: pending deliveries whose last attempt was before it are due at once.
	Resumed       time.Time `json:"resumed,omitzero"`
	Delivered     int64     `json:"delivered"`
	LastDelivered time.Time `json:"last_delivered,omitzero"`
	LastFailed    time.Time `json:"last_failed,omitzero"`
	LastError     string    `json:"last_error,omitempty"`
	// Pending and Dead count the delivery records.
	Pending int `json:"pending"`
	Dead    int `json:"dead"`
}

// States of a progress record.
const (
	progressOpen    = "open"
	progressClosing = "closing" // the subscription is removed; its deliveries are to go
	progressClosed  = "closed"
)

func subscriptionKey(id string) store.Key { return engine.ReferenceKey(engine.KindWebhook, id) }
func progressKey(id string) store.Key     { return engine.ReferenceKey(engine.KindWebhookProgress, id) }
func deliveryKey(id string) store.Key     { return engine.ReferenceKey(engine.KindDelivery, id) }

// valueOf returns a copy of an entry's value: entries are shared and never changed.
func valueOf[T any](en *engine.Entry) (T, error) {
	if v, ok := en.Value.(*T); ok {
		return *v, nil
	}
	var v T
	if err := json.Unmarshal(en.Body, &v); err != nil {
		return v, fmt.Errorf("reading %s %s: %w", en.Kind, en.ID, err)
	}
	return v, nil
}
