package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// operation is one of the OpenAPI document.
type operation struct {
	method, path string
	scope        string // empty: public
	// granted are further scopes that include it, as the document says.
	granted []string
}

// pathOf fills in the path's parameters.
func (o operation) pathOf(id string) string {
	parts := strings.Split(o.path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = id
		}
	}
	return strings.Join(parts, "/")
}

// operations reads every operation from the node's own description.
func operations(t *testing.T, c *client) []operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	c.do(t.Context(), "GET", "/openapi.json", nil).into(t, 200, &document)
	var out []operation
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, method := range []string{"get", "put", "post", "delete", "patch"} {
			raw, ok := document.Paths[path][method]
			if !ok {
				continue
			}
			var op struct {
				Description string                `json:"description"`
				Security    []map[string][]string `json:"security"`
			}
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			_, scope, _ := strings.Cut(op.Description, "Scope: ")
			open := len(op.Security) == 1 && len(op.Security[0]) == 0 // "nothing" is a way in
			if (scope == "") != open || len(op.Security) != 1 {
				t.Errorf("%s %s: security %v and scope %q", method, path, op.Security, scope)
			}
			scopes := strings.Split(scope, ", or ")
			out = append(out, operation{strings.ToUpper(method), path, scopes[0], scopes[1:]})
		}
	}
	if len(out) < 40 {
		t.Fatalf("only %d operations", len(out))
	}
	return out
}

// public are the only operations that need no key.
var public = []string{"GET /healthz", "GET /openapi.json", "GET /readyz"}

func TestScopes(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		admin := makeKey(t, where, "admin")
		n := startNode(t, where)
		operator := &client{url: n.url, key: admin}
		all := operations(t, operator)
		var open, scopes []string
		granted := map[string][]string{}
		for _, o := range all {
			if o.scope == "" {
				open = append(open, o.method+" "+o.path)
			} else if !slices.Contains(scopes, o.scope) {
				scopes = append(scopes, o.scope)
				granted[o.scope] = o.granted
			}
		}
		if !slices.Equal(open, public) {
			t.Errorf("public operations %v, want %v", open, public)
		}
		if want := []string{"orders:write"}; !slices.Equal(granted["orders:cancel"], want) {
			t.Errorf("orders:cancel comes with %v, want %v", granted["orders:cancel"], want)
		}
		// For every scope a key that has it alone, and one that has all others but those that include it.
		only, without := map[string]*client{}, map[string]*client{}
		for _, s := range scopes {
			others := slices.DeleteFunc(slices.Clone(scopes), func(o string) bool {
				return o == s || o == "admin" || slices.Contains(granted[s], o)
			})
			only[s] = &client{url: n.url, key: newKey(t, operator, s)}
			without[s] = &client{url: n.url, key: newKey(t, operator, others...)}
		}
		newly := func(s string) *client {
			if only[s] == nil {
				only[s] = &client{url: n.url, key: newKey(t, operator, s)}
			}
			return only[s]
		}
		strangers := map[string]*client{
			"nobody": {url: n.url}, "a stranger": {url: n.url, key: "ok_abcdefghijkl_" + strings.Repeat("x", 43)},
			"a forger": {url: n.url, key: admin[:len(admin)-1] + "!"}, "a babbler": {url: n.url, key: "_"},
		}
		for _, o := range all {
			if o.scope == "" {
				continue
			}
			path := o.pathOf("no-such-id")
			for who, c := range strangers {
				if a := c.do(t.Context(), o.method, path, nil); a.status != 401 || a.code() != "unauthorized" || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s by %s: %s, want 401", o.method, path, who, a)
				}
			}
			if a := without[o.scope].do(t.Context(), o.method, path, nil); a.status != 403 || a.code() != "forbidden" {
				t.Errorf("%s %s with every scope but %s: %s, want 403", o.method, path, o.scope, a)
			}
			for _, s := range o.granted {
				if a := newly(s).do(t.Context(), o.method, path, nil); a.err != nil || a.status == 401 || a.status == 403 || a.status >= 500 {
					t.Errorf("%s %s with %s, which includes %s: %s", o.method, path, s, o.scope, a)
				}
			}
			if a := only[o.scope].do(t.Context(), o.method, path, nil); a.err != nil || a.status == 401 || a.status == 403 || a.status >= 500 {
				t.Errorf("%s %s with %s alone: %s", o.method, path, o.scope, a)
			}
		}
	})
}

// TestBeyondLoopback: without a key nobody outside the machine may reach a node.
func TestBeyondLoopback(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
			_, text, code := command(t, append([]string{"serve", "--listen", listen}, where...)...)
			if code != 1 || !strings.Contains(text, "orderly key create") {
				t.Errorf("serve --listen %s without a key: code %d, %s", listen, code, text)
			}
		}
		key := makeKey(t, where, "admin")
		n := startNode(t, where, "--listen", "0.0.0.0:0")
		c := &client{url: strings.Replace(n.url, "[::]", "127.0.0.1", 1)}
		if a := c.do(t.Context(), "GET", "/v1/orders", nil); a.status != 401 {
			t.Errorf("without a key: %s", a)
		}
		c.key = key
		c.do(t.Context(), "GET", "/v1/orders", nil).into(t, 200, nil)
	})
}

// makeKey makes a key on the command line, while no node runs.
func makeKey(t *testing.T, where place, scope string) string {
	t.Helper()
	out, text, code := command(t, append([]string{"key", "create", "--name", "test", "--scopes", scope}, where...)...)
	if code != 0 {
		t.Fatalf("key create: code %d, %s", code, text)
	}
	return strings.TrimSpace(out)
}

// newKey has the node make a key.
func newKey(t *testing.T, c *client, scopes ...string) string {
	t.Helper()
	var made struct{ Token string }
	c.do(t.Context(), "POST", "/v1/keys", map[string]any{"name": "test", "scopes": scopes}).into(t, 201, &made)
	return made.Token
}
