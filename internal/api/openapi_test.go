package api

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// TestOpenAPIDocument reads the document as a client generator would.
func TestOpenAPIDocument(t *testing.T) {
	var doc struct {
		OpenAPI    string                               `json:"openapi"`
		Servers    []map[string]any                     `json:"servers"`
		Paths      map[string]map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	body := describe(routes(), "test")
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Servers) == 0 {
		t.Error("no server is named")
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) < 30 {
		t.Fatalf("version %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	for _, ref := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllSubmatch(body, -1) {
		if doc.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("schema %s is referred to and missing", ref[1])
		}
	}
	for name := range doc.Components.Schemas {
		if regexp.MustCompile(`\d$|[^A-Za-z0-9]`).MatchString(name) {
			t.Errorf("schema %q: two types want one name, or the name is not one", name)
		}
	}
	ids := map[string]bool{}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: operation id %q is missing or used twice", method, path, id)
			}
			ids[id] = true
			if op["summary"] == nil || op["responses"] == nil || op["security"] == nil {
				t.Errorf("%s %s has no summary, no responses, or does not say who may call it", method, path)
			}
		}
	}
}

// TestEveryRouteIsWhole reads the table that everything else follows from.
func TestEveryRouteIsWhole(t *testing.T) {
	for _, rt := range routes() {
		if rt.ID == "" || rt.Tag == "" || rt.Handle == nil || rt.Status == 0 {
			t.Errorf("%s %s is not whole: %+v", rt.Method, rt.Path, rt)
		}
		if rt.Scope == "" && strings.HasPrefix(rt.Path, "/v1/") {
			t.Errorf("%s %s needs no key", rt.Method, rt.Path)
		}
	}
}

func TestDotted(t *testing.T) {
	for pointer, want := range map[string]string{"": "", "/a": "a", "/lines/0/sku": "lines[0].sku", "/a~1b/c": "a/b.c"} {
		if got := dotted(pointer); got != want {
			t.Errorf("dotted(%q) = %q, want %q", pointer, got, want)
		}
	}
}
