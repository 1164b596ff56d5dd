package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/policy"
)

var updatePolicies = flag.Bool("update-policies", false, "write the golden file of the policy routes")

const returnsDocument = `kind: returns
name: main
returns:
  rules:
    - {name: all, to: %s}
examples:
  - {name: all, given: {returned: {}}, expect: {to: %s}}
`

func TestPolicyRoutes(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	_, handler := serve(t, func() time.Time { return at })
	s := &script{t: t, handler: handler}
	document := func(to, expected, reason string) string {
		body, err := json.Marshal(api.PolicyDocument{Text: fmt.Sprintf(returnsDocument, to, expected), Reason: reason})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	const path = "/v1/policies/returns/main"
	s.call("GET", "/v1/policies", "")
	s.call("POST", "/v1/policies/check", `{"text":"kind: sourcing\nname: x\nsourcing:\n  groups:\n    - name: a\n      when: order.chanel == \"web\"\n      sort: [{by: distance}]\n"}`)
	s.call("PUT", path, `{"text":"kind: returns\nname: main\nretuns: {}\n"}`)
	s.call("PUT", path, document("dc-1", "dc-1", "go live"))
	s.call("PUT", path, document("dc-1", "dc-1", "again"))
	s.call("POST", path+"/publish", `{"reason":"go live"}`)
	s.call("PUT", path, document("dc-2", "dc-3", "move"))
	s.call("POST", path+"/publish", `{"version":2}`)
	s.call("POST", "/v1/policies/test", document("dc-2", "dc-3", ""))
	s.call("PUT", path, document("dc-2", "dc-2", "move"))
	s.call("GET", path+"/diff", "")
	s.call("GET", path+"/diff?from=2&to=3", "")
	s.call("POST", path+"/publish", `{"at":"2026-11-24T00:00:00Z","reason":"tomorrow"}`)
	s.call("GET", path, "")
	s.call("GET", path+"/versions/latest", "")
	s.call("GET", path+"/versions/9", "")
	s.call("GET", path+"/versions/first", "")
	s.call("POST", path+"/rollback", `{"reason":"not yet"}`)
	s.call("POST", path+"/rollback", "")
	s.call("GET", "/v1/policies?kind=returns", "")
	s.call("GET", "/v1/policies/returns/none", "")
	if *updatePolicies {
		*updateWebhooks = true
		defer func() { *updateWebhooks = false }()
	}
	s.compare("testdata/policies.golden")
}

func TestPolicyAsYAML(t *testing.T) {
	e, handler := serve(t, nil)
	put := func(media, body string) int {
		r := httptest.NewRequest("PUT", "/v1/policies/returns/main?reason=why", strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	text := fmt.Sprintf(returnsDocument, "dc-1", "dc-1")
	if code := put("text/plain", text); code != 415 {
		t.Errorf("text/plain: %d", code)
	}
	if code := put("application/yaml; charset=utf-8", text+"#"+strings.Repeat("x", policy.MaxDocumentBytes)); code != 422 {
		t.Errorf("a document beyond the limit: %d", code)
	}
	if code := put("application/yaml; charset=utf-8", text); code != 201 {
		t.Errorf("YAML: %d", code)
	}
	v, err := e.PolicyVersion(t.Context(), policy.KindReturns, "main", 0)
	if err != nil || v.Text != text || v.Reason != "why" {
		t.Errorf("saved %+v %v", v, err)
	}
}
