// Package auth is who may call the API: keys with scopes.
//
// A key is shown once, when it is made; what is stored is its SHA-256, which is
// enough for 256 random bits. A token names its key, so that looking it up needs no
// search: "ok_<id>_<secret>". Every route declares one scope; a key without it is refused.
//
// It does not know HTTP or the store; it has no users and no sessions.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Scope is one thing a key may do.
type Scope string

// The scopes. Admin implies all others.
const (
	OrdersRead     Scope = "orders:read"
	OrdersWrite    Scope = "orders:write"
	FulfillWrite   Scope = "fulfillments:write"
	InventoryRead  Scope = "inventory:read"
	InventoryWrite Scope = "inventory:write"
	ReferenceRead  Scope = "reference:read"
	ReferenceWrite Scope = "reference:write"
	EventsRead     Scope = "events:read"
	WebhooksWrite  Scope = "webhooks:write"
	PoliciesRead   Scope = "policies:read"
	PoliciesWrite  Scope = "policies:write"
	Admin          Scope = "admin"
	// Public marks routes that need no key.
	Public Scope = ""
)

// Scopes lists all scopes, except those of one type of hold (ReleaseOf).
var Scopes = append([]Scope{
	OrdersRead, OrdersWrite, FulfillWrite, InventoryRead, InventoryWrite,
	ReferenceRead, ReferenceWrite, EventsRead, WebhooksWrite, PoliciesRead, PoliciesWrite, Admin,
}, ServiceScopes...)

// Key is a stored API key.
type Key struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Scopes []Scope `json:"scopes"`
	// Hash is the hex SHA-256 of the secret.
	Hash      string    `json:"hash"`
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// RequestsPerSecond limits the key; 0: no limit.
	RequestsPerSecond int `json:"requests_per_second,omitempty"`
}

// New makes a key and the token that is shown once. Errors: problem.Invalid.
func New(name string, scopes []Scope, requestsPerSecond int, now time.Time) (Key, string, error) {
	var bad problem.Invalid
	if name == "" || len(name) > 200 {
		bad.Add("name", problem.Required, "give the key a name of at most 200 bytes")
	}
	if len(scopes) == 0 {
		bad.Add("scopes", problem.Required, "name at least one of %v", Scopes)
	}
	for i, s := range scopes {
		if !Known(s) {
			bad.Add(problem.At("scopes", i), problem.Unknown, "%q is none of %v", s, Scopes)
		}
	}
	bad.Range("requests_per_second", int64(requestsPerSecond), 0, 1_000_000)
	if err := bad.Err(); err != nil {
		return Key{}, "", err
	}
	id, secret := random(9), random(32)
	sum := sha256.Sum256([]byte(secret))
	k := Key{ID: id, Name: name, Scopes: scopes, Hash: hex.EncodeToString(sum[:]), CreatedAt: now, RequestsPerSecond: requestsPerSecond}
	return k, "ok_" + id + "_" + secret, nil
}

// random returns n random bytes as text without "_".
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return strings.NewReplacer("_", "a", "-", "b").Replace(base64.RawURLEncoding.EncodeToString(b))
}

// Split returns the key id and the secret of a token.
func Split(token string) (id, secret string, err error) {
	parts := strings.Split(token, "_")
	if len(parts) != 3 || parts[0] != "ok" || parts[1] == "" || parts[2] == "" {
		return "", "", fmt.Errorf("not an Orderly API key")
	}
	return parts[1], parts[2], nil
}

// Matches reports whether the secret is the key's and the key is not revoked.
func (k *Key) Matches(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	same := subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(k.Hash)) == 1
	return same && k.RevokedAt.IsZero()
}
