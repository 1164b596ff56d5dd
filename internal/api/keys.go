package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

func keyRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/v1/keys", ID: "createKey", Tag: "keys", Scope: auth.Admin, Status: 201, Summary: "Make an API key; its token is shown this once", In: NewKey{}, Out: KeyCreated{}, Handle: (*Server).createKey},
		{Method: "GET", Path: "/v1/keys", ID: "listKeys", Tag: "keys", Scope: auth.Admin, Status: 200, Summary: "List API keys", Query: pageQuery, Out: Page[KeyView]{}, Handle: (*Server).listKeys},
		{Method: "DELETE", Path: "/v1/keys/{id}", ID: "revokeKey", Tag: "keys", Scope: auth.Admin, Status: 204, Summary: "Revoke an API key; other nodes follow within 5 seconds", Handle: (*Server).revokeKey},
	}
}

// NewKey asks for an API key.
type NewKey struct {
	Name              string       `json:"name"`
	Scopes            []auth.Scope `json:"scopes"`
	RequestsPerSecond int          `json:"requests_per_second,omitempty"` // default 0: no limit
}

// KeyCreated shows a new key.
type KeyCreated struct {
	KeyView
	Token string `json:"token"`
}

// KeyView is a key without its secret.
type KeyView struct {
	ID                string       `json:"id"`
	Name              string       `json:"name"`
	Scopes            []auth.Scope `json:"scopes"`
	CreatedAt         time.Time    `json:"created_at"`
	RevokedAt         time.Time    `json:"revoked_at,omitzero"`
	RequestsPerSecond int          `json:"requests_per_second,omitempty"`
}

func viewKey(k *auth.Key) KeyView {
	return KeyView{k.ID, k.Name, k.Scopes, k.CreatedAt, k.RevokedAt, k.RequestsPerSecond}
}

func (s *Server) createKey(c *Call) error {
	var n NewKey
	if err := c.Decode(&n); err != nil {
		return err
	}
	k, token, err := auth.New(n.Name, n.Scopes, n.RequestsPerSecond, s.engine.Now())
	if err != nil {
		return err
	}
	if err := s.saveKey(c, &k, 0); err != nil {
		return err
	}
	return c.json(http.StatusCreated, KeyCreated{viewKey(&k), token})
}

func (s *Server) saveKey(c *Call, k *auth.Key, version int64) error {
	ctx, cancel := c.Context()
	defer cancel()
	event, state := "api_key.created", "active"
	if !k.RevokedAt.IsZero() {
		event, state = "api_key.revoked", "revoked"
	}
	r := store.Record{Key: engine.ReferenceKey(engine.KindKey, k.ID), State: state}
	_, err := s.engine.PutRecord(ctx, r, k, map[string]any{"type": event, "id": k.ID, "name": k.Name, "scopes": k.Scopes},
		engine.Meta{Actor: c.Principal.Name, IfVersion: version})
	return err
}

func (s *Server) listKeys(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	records, err := s.engine.Store().Find(ctx, store.Query{Kind: engine.KindKey, Before: c.query("cursor"), Limit: limit + 1, Ascending: true})
	if err != nil {
		return err
	}
	page := Page[KeyView]{Items: []KeyView{}}
	for i := range records {
		if i == limit {
			page.Next = records[i-1].ID
			break
		}
		var k auth.Key
		if err := json.Unmarshal(records[i].Body, &k); err != nil {
			return err
		}
		page.Items = append(page.Items, viewKey(&k))
	}
	return c.json(http.StatusOK, page)
}

func (s *Server) revokeKey(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	k, version, err := s.loadKey(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	if k == nil {
		return engine.ErrNotFound
	}
	if k.RevokedAt.IsZero() {
		k.RevokedAt = s.engine.Now()
		if err := s.saveKey(c, k, version); err != nil {
			return err
		}
	}
	s.keys.clear()
	c.W.WriteHeader(http.StatusNoContent)
	return nil
}
