package flow

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentation finds every setting, action, date and ready flow in docs/flows.md, and compiles and runs its examples.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	named := func(what string, names ...string) {
		for _, name := range names {
			if !regexp.MustCompile("[`.{ ]" + regexp.QuoteMeta(name) + "[`:, ]").MatchString(page) {
				t.Errorf("%s %s is not described", what, name)
			}
		}
	}
	named("the action", ActionNames()...)
	named("the recipient", Recipients...)
	named("what is awaited", Awaited...)
	named("the outcome", outcomeNames[:]...)
	for _, s := range Subjects {
		named("the date", Dates[s]...)
	}
	for _, e := range Library() {
		named("the ready flow", e.File)
	}
	seen := map[reflect.Type]bool{}
	var settings func(typ reflect.Type)
	settings = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || !strings.HasSuffix(typ.PkgPath(), "internal/flow") || typ == reflect.TypeFor[GivenSubject]() {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			if name, ok := typ.Field(i).Tag.Lookup("yaml"); ok {
				named("the setting", name)
				settings(typ.Field(i).Type)
			}
		}
	}
	settings(reflect.TypeFor[Document]())
	documents := regexp.MustCompile("(?s)```yaml\n(kind:.*?)```").FindAllStringSubmatch(page, -1)
	if len(documents) == 0 {
		t.Fatal("no document stands there")
	}
	for _, d := range documents {
		p, err := CompileText([]byte(d[1]))
		if err != nil || len(p.Warnings) > 0 {
			t.Errorf("%s\n%v", d[1], err)
			continue
		}
		for _, r := range RunExamples(Of(p)) {
			if !r.OK {
				t.Error(r)
			}
		}
	}
}
