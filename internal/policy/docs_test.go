package policy

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDocumentation finds every setting and every fact in docs/policies.md, and
// compiles and runs what stands there as an example.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, f := range FactNames() {
		if !strings.Contains(page, "`"+f.Name+"`") {
			t.Errorf("the fact %s is not described", f.Name)
		}
	}
	for _, name := range append(append([]string{}, Terms...), SortKeys...) {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s is not described", name)
		}
	}
	seen := map[reflect.Type]bool{}
	var settings func(typ reflect.Type)
	settings = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() || seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			name, ok := typ.Field(i).Tag.Lookup("yaml")
			if !ok {
				continue
			}
			if !regexp.MustCompile("[`.{ \n]" + name + "[`:,]").MatchString(page) {
				t.Errorf("the setting %s of %s is not described", name, typ.Name())
			}
			settings(typ.Field(i).Type)
		}
	}
	settings(reflect.TypeFor[Document]())
	documents := regexp.MustCompile("(?s)```yaml\n(kind:.*?)```").FindAllStringSubmatch(page, -1)
	if len(documents) == 0 {
		t.Fatal("no document stands there")
	}
	for _, d := range documents {
		if c, err := CompileText([]byte(d[1])); err != nil || len(c.Warnings) > 0 {
			t.Errorf("%s\n%v", d[1], err)
		}
	}
	offer := (&CompiledBuffer{Safety: 5, Buffer: 2, Percent: 10}).Offer(20, 3)
	if offer != 11 {
		t.Errorf("the page's calculation gives %d", offer)
	}
}
