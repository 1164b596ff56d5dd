package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Kinds of a Change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
	Moved   = "moved" // Old and New are the names in their order
)

// Change is one setting in which two documents differ.
type Change struct {
	// Pointer names entries of lists by their name, like sourcing.groups[nearest].when.
	Pointer string `json:"pointer"`
	Kind    string `json:"kind"`
	Old     string `json:"old,omitempty"`
	New     string `json:"new,omitempty"`
}

// String writes the change in one line, with +, -, ~ or ↕ in front.
func (c Change) String() string {
	switch c.Kind {
	case Added:
		return fmt.Sprintf("+ %s: %s", c.Pointer, c.New)
	case Removed:
		return fmt.Sprintf("- %s: %s", c.Pointer, c.Old)
	case Moved:
		return fmt.Sprintf("↕ %s: %s → %s", c.Pointer, c.Old, c.New)
	}
	return fmt.Sprintf("~ %s: %s → %s", c.Pointer, c.Old, c.New)
}

// Diff tells in what b differs from a: settings by name, not by line, so that
// comments, layout and the order of keys do not count. The order of entries counts where it decides.
// Settings of a come in its order, those that only b has after their neighbours' in b.
func Diff(a, b *Document) []Change { return DiffOf(*a, *b) }

// DiffOf is Diff for the structs of other kinds of document (see Sheet).
func DiffOf(a, b any) []Change {
	x, y := flatten(a), flatten(b)
	out := []Change{}
	for _, p := range x.pointers {
		now, still := y.text[p]
		switch was := x.text[p]; {
		case !still:
			out = append(out, Change{Pointer: p, Kind: Removed, Old: was})
		case now != was:
			out = append(out, Change{Pointer: p, Kind: Changed, Old: was, New: now})
		}
	}
	for _, p := range y.pointers {
		if _, had := x.text[p]; !had {
			out = append(out, Change{Pointer: p, Kind: Added, New: y.text[p]})
		}
	}
	for _, list := range x.lists {
		if !ordered(list) {
			continue
		}
		was := slices.DeleteFunc(slices.Clone(x.names[list]), func(n string) bool { return !slices.Contains(y.names[list], n) })
		now := slices.DeleteFunc(slices.Clone(y.names[list]), func(n string) bool { return !slices.Contains(x.names[list], n) })
		if !slices.Equal(was, now) {
			out = append(out, Change{Pointer: list, Kind: Moved, Old: strings.Join(was, ", "), New: strings.Join(now, ", ")})
		}
	}
	return out
}

// ordered reports whether the order of a list's entries decides.
func ordered(list string) bool {
	return slices.ContainsFunc([]string{"groups", "sort", "rules", "on", "do", "enter"}, func(end string) bool { return strings.HasSuffix(list, "."+end) })
}

// flat is a document as a list of settings.
type flat struct {
	pointers []string
	text     map[string]string
	lists    []string
	names    map[string][]string
}

func flatten(d any) *flat {
	f := &flat{text: map[string]string{}, names: map[string][]string{}}
	f.value("", reflect.ValueOf(d))
	return f
}

func (f *flat) leaf(pointer, text string) {
	f.pointers = append(f.pointers, pointer)
	f.text[pointer] = text
}

func (f *flat) value(pointer string, v reflect.Value) {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		// A setting that is there is told from one that is absent, also when it is 0.
		if v = v.Elem(); v.Kind() != reflect.Struct && v.Kind() != reflect.Map && v.Kind() != reflect.Slice {
			f.leaf(pointer, leafText(v))
			return
		}
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		if !v.IsZero() {
			f.leaf(pointer, v.Interface().(time.Time).UTC().Format(time.RFC3339))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if name, ok := v.Type().Field(i).Tag.Lookup("yaml"); ok {
				f.value(problem.Join(pointer, name), v.Field(i))
			}
		}
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			f.value(problem.Join(pointer, k.String()), v.MapIndex(k))
		}
	case v.Kind() == reflect.Slice:
		f.list(pointer, v)
	case !v.IsZero():
		f.leaf(pointer, leafText(v))
	}
}

// list takes entries that have a name by it, texts as one value, and others by their place.
func (f *flat) list(pointer string, v reflect.Value) {
	if v.Len() == 0 {
		return
	}
	if k := v.Type().Elem().Kind(); k != reflect.Struct && k != reflect.Interface {
		texts := make([]string, v.Len())
		for i := range texts {
			texts[i] = leafText(v.Index(i))
		}
		f.leaf(pointer, "["+strings.Join(texts, ", ")+"]")
		return
	}
	seen := map[string]int{}
	f.lists = append(f.lists, pointer)
	for i := range v.Len() {
		name := entryName(v.Index(i))
		if name == "" {
			name = strconv.Itoa(i)
		}
		if seen[name]++; seen[name] > 1 {
			name += "#" + strconv.Itoa(seen[name])
		}
		f.names[pointer] = append(f.names[pointer], name)
		f.value(pointer+"["+name+"]", v.Index(i))
	}
}

// entryName is what the entries of a list are told apart by.
func entryName(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return ""
	}
	for _, key := range []string{"name", "term", "by", "id", "sku"} {
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("yaml") == key {
				return v.Field(i).String()
			}
		}
	}
	return ""
}

func leafText(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return strings.Join(strings.Fields(v.String()), " ")
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}
