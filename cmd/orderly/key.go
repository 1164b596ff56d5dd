package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

type keyCommand struct {
	Create keyCreate `cmd:"" help:"Make a key; its token is printed once. A SQLite store must not be served meanwhile (use POST /v1/keys then)."`
	List   keyList   `cmd:"" help:"List keys."`
	Revoke keyRevoke `cmd:"" help:"Revoke a key; running nodes follow within 5 seconds."`
}

type keyCreate struct {
	where             `embed:""`
	Name              string       `help:"What the key is for." required:""`
	Scopes            []auth.Scope `help:"What it may do: ${scopes}." default:"admin"`
	RequestsPerSecond int          `help:"Limit of the key; 0: none." default:"0"`
	JSON              bool         `help:"Print JSON."`
}

// Run makes a key.
func (c *keyCreate) Run(ctx context.Context, m *Main) error {
	return withEngine(ctx, c.where, func(e *engine.Engine) error {
		k, token, err := makeKey(ctx, e, c.Name, c.Scopes, c.RequestsPerSecond)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(m.Stdout).Encode(map[string]any{"id": k.ID, "name": k.Name, "scopes": k.Scopes, "token": token})
		}
		_, err = fmt.Fprintln(m.Stdout, token)
		return err
	})
}

// makeKey makes and stores a key.
func makeKey(ctx context.Context, e *engine.Engine, name string, scopes []auth.Scope, rps int) (auth.Key, string, error) {
	k, token, err := auth.New(name, scopes, rps, e.Now())
	if err != nil {
		return k, "", err
	}
	return k, token, saveKey(ctx, e, &k, "api_key.created", "active")
}

func saveKey(ctx context.Context, e *engine.Engine, k *auth.Key, event, state string) error {
	r := store.Record{Key: engine.ReferenceKey(engine.KindKey, k.ID), State: state}
	_, err := e.PutRecord(ctx, r, k, map[string]any{"type": event, "id": k.ID, "name": k.Name, "scopes": k.Scopes}, engine.Meta{Actor: "operator"})
	return err
}

// withEngine opens a store, runs f on an engine over it, and closes both.
func withEngine(ctx context.Context, w where, f func(*engine.Engine) error) error {
	return withEngineOf(ctx, w, engine.Options{Log: slog.New(slog.DiscardHandler)}, f)
}

// withEngineOf is withEngine for an engine with options.
func withEngineOf(ctx context.Context, w where, o engine.Options, f func(*engine.Engine) error) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := engine.Open(ctx, s, o)
	if err != nil {
		return err
	}
	e.Run()
	defer e.Close()
	return f(e)
}

type keyList struct {
	where `embed:""`
	JSON  bool `help:"Print JSON Lines."`
}

// Run lists keys.
func (c *keyList) Run(ctx context.Context, m *Main) error {
	s, err := c.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	records, err := s.Find(ctx, store.Query{Kind: engine.KindKey, Limit: 1000, Ascending: true})
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(m.Stdout, 0, 4, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(out, "ID\tNAME\tSCOPES\tCREATED\tREVOKED")
	}
	for _, r := range records {
		var k auth.Key
		if err := json.Unmarshal(r.Body, &k); err != nil {
			return err
		}
		k.Hash = ""
		if c.JSON {
			if err := json.NewEncoder(m.Stdout).Encode(k); err != nil {
				return err
			}
			continue
		}
		revoked := "-"
		if !k.RevokedAt.IsZero() {
			revoked = k.RevokedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(out, "%s\t%s\t%v\t%s\t%s\n", k.ID, k.Name, k.Scopes, k.CreatedAt.Format(time.RFC3339), revoked)
	}
	return out.Flush()
}

type keyRevoke struct {
	where `embed:""`
	ID    string `arg:"" help:"Id of the key."`
}

// Run revokes a key.
func (c *keyRevoke) Run(ctx context.Context, m *Main) error {
	return withEngine(ctx, c.where, func(e *engine.Engine) error {
		records, err := e.Store().Load(ctx, []store.Key{engine.ReferenceKey(engine.KindKey, c.ID)})
		if err != nil {
			return err
		}
		if len(records) == 0 {
			return fmt.Errorf("there is no key %q; orderly key list shows them", c.ID)
		}
		var k auth.Key
		if err := json.Unmarshal(records[0].Body, &k); err != nil {
			return err
		}
		k.RevokedAt = e.Now()
		return saveKey(ctx, e, &k, "api_key.revoked", "revoked")
	})
}
