package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

// Principal is who a request comes from.
type Principal struct {
	ID, Name string
	Scopes   []auth.Scope
	limit    int // requests per second; 0: none
	limiter  *rate.Limiter
}

// local is everybody, on a server that is open.
var local = &Principal{ID: "local", Name: "local", Scopes: []auth.Scope{auth.Admin}}

// keyLifetime is how long a key is believed without asking the store again, and
// so how long a revoked key may still work on another node.
const keyLifetime = 5 * time.Second

const maxCachedKeys = 10_000

// keyCache remembers tokens that were checked.
type keyCache struct {
	mu     sync.RWMutex
	tokens map[string]cachedKey
}

type cachedKey struct {
	principal *Principal
	until     time.Time
}

func (k *keyCache) get(token string, now time.Time) *Principal {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if c, ok := k.tokens[token]; ok && now.Before(c.until) {
		return c.principal
	}
	return nil
}

// put keeps the limiter of the principal it replaces, so that checking a key
// again does not refill its budget.
func (k *keyCache) put(token string, p *Principal, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.tokens) >= maxCachedKeys || k.tokens == nil {
		k.tokens = map[string]cachedKey{}
	}
	if was, ok := k.tokens[token]; ok && was.principal.limit == p.limit {
		p.limiter = was.principal.limiter
	}
	k.tokens[token] = cachedKey{p, until}
}

func (k *keyCache) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tokens = nil
}

// admit finds out who sends the request and whether the scope allows it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, scope auth.Scope) (*Principal, error) {
	if scope == auth.Public {
		return local, nil
	}
	header := r.Header.Get("Authorization")
	if header == "" && s.opt.Open {
		return local, nil
	}
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return nil, newProblem(http.StatusUnauthorized, "unauthorized", "send an API key as Authorization: Bearer …; orderly key create makes one")
	}
	p, err := s.principal(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if !auth.May(p.Scopes, scope) {
		return nil, newProblem(http.StatusForbidden, "forbidden", "the key lacks the scope "+string(scope))
	}
	if p.limiter != nil {
		return p, p.spend(w)
	}
	return p, nil
}

// spend takes one request from the key's budget and says how much is left
// (draft-ietf-httpapi-ratelimit-headers).
func (p *Principal) spend(w http.ResponseWriter) error {
	allowed := p.limiter.Allow()
	h := w.Header()
	h.Set("RateLimit-Policy", `"key";q=`+strconv.Itoa(p.limit)+`;w=1`)
	h.Set("RateLimit", `"key";r=`+strconv.Itoa(max(int(p.limiter.Tokens()), 0))+`;t=1`)
	if !allowed {
		return newProblem(http.StatusTooManyRequests, "rate_limited", "the key may send "+strconv.Itoa(p.limit)+" requests a second").later()
	}
	return nil
}

func (s *Server) principal(ctx context.Context, token string) (*Principal, error) {
	now := time.Now()
	if p := s.keys.get(token, now); p != nil {
		return p, nil
	}
	refused := newProblem(http.StatusUnauthorized, "unauthorized", "the API key is unknown or revoked")
	id, secret, err := auth.Split(token)
	if err != nil {
		return nil, refused
	}
	k, _, err := s.loadKey(ctx, id)
	if err != nil {
		return nil, err
	}
	if k == nil || !k.Matches(secret) {
		return nil, refused
	}
	p := &Principal{ID: k.ID, Name: "key:" + k.Name, Scopes: k.Scopes, limit: k.RequestsPerSecond}
	if p.limit > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(p.limit), p.limit)
	}
	s.keys.put(token, p, now.Add(keyLifetime))
	return p, nil
}

// loadKey returns a stored key and its version, nil when there is none.
func (s *Server) loadKey(ctx context.Context, id string) (*auth.Key, int64, error) {
	records, err := s.engine.Store().Load(ctx, []store.Key{engine.ReferenceKey(engine.KindKey, id)})
	if err != nil || len(records) == 0 {
		return nil, 0, err
	}
	k := new(auth.Key)
	return k, records[0].Version, json.Unmarshal(records[0].Body, k)
}
