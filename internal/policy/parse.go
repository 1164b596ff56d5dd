package policy

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of a document.
const (
	MaxDocumentBytes = 256 << 10
	// MaxListEntries bounds every list and map of a document.
	MaxListEntries = 500
	// maxDepth bounds how deep a document nests.
	maxDepth = 20
)

// Parse reads a document. Every key must be known, every value of its type;
// aliases are refused. What the values mean is for Compile to check. Errors: Problems.
func Parse(text []byte) (*Document, error) {
	d := &Document{}
	if err := parseInto(text, reflect.ValueOf(d).Elem(), d); err != nil {
		return nil, err
	}
	return d, nil
}

// parseInto reads a text into a struct, and the places of its settings into a document. Errors: Problems.
func parseInto(text []byte, into reflect.Value, d *Document) error {
	root, err := rootOf(text)
	if err != nil {
		return err
	}
	var bad Problems
	d.places = &places{at: map[string]place{}, style: map[string]yaml.Style{}}
	for _, line := range splitLines(string(text)) {
		d.places.lines = append(d.places.lines, []rune(line))
	}
	r := reader{bad: &bad, places: d.places}
	r.read(root, into, "", 0)
	return bad.Err()
}

// rootOf reads the one value of a YAML text. Errors: Problems.
func rootOf(text []byte) (*yaml.Node, error) {
	var bad Problems
	if len(text) > MaxDocumentBytes {
		bad.add(place{}, "", problem.TooLong, "the document has %d bytes; at most %d are allowed", len(text), MaxDocumentBytes)
		return nil, bad
	}
	in := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	if err := in.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			bad.add(place{1, 1}, "", problem.Required, "the document is empty")
			return nil, bad
		}
		bad.add(placeOf(err), "", CodeSyntax, "%s", reasonOf(err))
		return nil, bad
	}
	var next yaml.Node
	if err := in.Decode(&next); !errors.Is(err, io.EOF) {
		at := place{next.Line, next.Column}
		if err != nil {
			at = placeOf(err)
		}
		bad.add(at, "", CodeSyntax, "one file holds one document")
		return nil, bad
	}
	return root.Content[0], nil
}

// splitLines cuts a text where YAML sees the end of a line.
func splitLines(text string) []string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text)
	return strings.Split(text, "\n")
}

var lineOf = regexp.MustCompile(`^(?:yaml: )?line (\d+)(?:, column (\d+))?: `)

// placeOf reads the line from the YAML parser's message, which has no other form.
func placeOf(err error) place {
	m := lineOf.FindStringSubmatch(err.Error())
	if m == nil {
		return place{1, 1}
	}
	line, _ := strconv.Atoi(m[1]) // digits
	column := 1
	if m[2] != "" {
		column, _ = strconv.Atoi(m[2])
	}
	return place{line, column}
}

func reasonOf(err error) string {
	s := lineOf.ReplaceAllString(err.Error(), "")
	return "this is not YAML: " + strings.TrimPrefix(s, "yaml: ")
}

// reader puts YAML nodes into Go values.
type reader struct {
	bad    *Problems
	places *places
}

func (r *reader) add(n *yaml.Node, pointer, code, format string, args ...any) {
	r.bad.add(place{n.Line, n.Column}, pointer, code, format, args...)
}

// read puts a node into v. A null leaves v as it is.
func (r *reader) read(n *yaml.Node, v reflect.Value, pointer string, depth int) {
	r.places.at[pointer] = place{n.Line, n.Column}
	switch {
	case n.Kind == yaml.AliasNode:
		r.add(n, pointer, CodeSyntax, "aliases are not supported; write the value out")
		return
	case depth > maxDepth:
		r.add(n, pointer, problem.TooLong, "nests deeper than %d levels", maxDepth)
		return
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		r.time(n, v, pointer)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.object(n, v, pointer, depth)
	case reflect.Slice:
		if !r.kind(n, yaml.SequenceNode, pointer, "a list") || !r.count(n, len(n.Content), pointer) {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, c := range n.Content {
			r.read(c, v.Index(i), problem.At(pointer, i), depth+1)
		}
	case reflect.Map:
		r.mapping(n, v, pointer, depth)
	case reflect.Interface:
		r.anything(n, v, pointer, depth)
	default:
		r.scalar(n, v, pointer)
	}
}

func (r *reader) kind(n *yaml.Node, want yaml.Kind, pointer, name string) bool {
	if n.Kind != want {
		r.add(n, pointer, problem.Malformed, "must be %s", name)
	}
	return n.Kind == want
}

func (r *reader) count(n *yaml.Node, entries int, pointer string) bool {
	if entries > MaxListEntries {
		r.add(n, pointer, problem.TooLong, "has %d entries; at most %d are allowed", entries, MaxListEntries)
	}
	return entries <= MaxListEntries
}

// pairs calls f for each key of a mapping, once.
func (r *reader) pairs(n *yaml.Node, pointer string, f func(key, value *yaml.Node)) {
	if !r.count(n, len(n.Content)/2, pointer) {
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!merge":
			r.add(k, pointer, CodeSyntax, "a key must be a plain text")
		case seen[k.Value]:
			r.add(k, problem.Join(pointer, k.Value), problem.Duplicate, "%q is given twice", clip(k.Value))
		default:
			seen[k.Value] = true
			f(k, n.Content[i+1])
		}
	}
}

func (r *reader) object(n *yaml.Node, v reflect.Value, pointer string, depth int) {
	if !r.kind(n, yaml.MappingNode, pointer, "a mapping of keys to values") {
		return
	}
	fields := map[string]int{}
	names := []string{}
	for i := range v.NumField() {
		if name, ok := v.Type().Field(i).Tag.Lookup("yaml"); ok {
			fields[name] = i
			names = append(names, name)
		}
	}
	r.pairs(n, pointer, func(k, value *yaml.Node) {
		i, ok := fields[k.Value]
		if !ok {
			r.add(k, problem.Join(pointer, clip(k.Value)), problem.Unknown, "there is no such setting%s", nearest(k.Value, names))
			return
		}
		r.read(value, v.Field(i), problem.Join(pointer, k.Value), depth+1)
	})
}

func (r *reader) mapping(n *yaml.Node, v reflect.Value, pointer string, depth int) {
	if !r.kind(n, yaml.MappingNode, pointer, "a mapping of keys to values") {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	r.pairs(n, pointer, func(k, value *yaml.Node) {
		entry := reflect.New(v.Type().Elem()).Elem()
		r.read(value, entry, problem.Join(pointer, k.Value), depth+1)
		v.SetMapIndex(reflect.ValueOf(k.Value), entry)
	})
}

// anything reads a value whose form the document decides: map[string]any, []any, text, int64, float64 or bool.
func (r *reader) anything(n *yaml.Node, v reflect.Value, pointer string, depth int) {
	var into reflect.Value
	switch {
	case n.Kind == yaml.MappingNode:
		into = reflect.New(reflect.TypeFor[map[string]any]()).Elem()
	case n.Kind == yaml.SequenceNode:
		into = reflect.New(reflect.TypeFor[[]any]()).Elem()
	case n.Tag == "!!int":
		into = reflect.New(reflect.TypeFor[int64]()).Elem()
	case n.Tag == "!!float":
		into = reflect.New(reflect.TypeFor[float64]()).Elem()
	case n.Tag == "!!bool":
		into = reflect.New(reflect.TypeFor[bool]()).Elem()
	default:
		into = reflect.New(reflect.TypeFor[string]()).Elem()
	}
	r.read(n, into, pointer, depth)
	v.Set(into)
}

func (r *reader) scalar(n *yaml.Node, v reflect.Value, pointer string) {
	if n.Kind != yaml.ScalarNode {
		r.add(n, pointer, problem.Malformed, "must be one value, not a list or a mapping")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
		r.places.style[pointer] = n.Style
	case reflect.Int, reflect.Int64:
		var i int64
		if n.Tag != "!!int" || n.Decode(&i) != nil {
			r.add(n, pointer, problem.Malformed, "must be a whole number, not %q", clip(n.Value))
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		var f float64
		if (n.Tag != "!!int" && n.Tag != "!!float") || n.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.add(n, pointer, problem.Malformed, "must be a number, not %q", clip(n.Value))
			return
		}
		v.SetFloat(f)
	case reflect.Bool:
		var b bool
		if n.Tag != "!!bool" || n.Decode(&b) != nil {
			r.add(n, pointer, problem.Malformed, "must be true or false, not %q", clip(n.Value))
			return
		}
		v.SetBool(b)
	}
}

func (r *reader) time(n *yaml.Node, v reflect.Value, pointer string) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
			v.Set(reflect.ValueOf(t.UTC()))
			return
		}
	}
	r.add(n, pointer, problem.Malformed, "must be a time as in RFC 3339, like 2026-11-23T09:00:00Z, or a date")
}

// clip keeps a quoted value from making a message long.
func clip(s string) string {
	const limit = 60 // bytes
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// nearest suggests the known name that is fewest changes away from a wrong one; "" when none is close.
func nearest(wrong string, known []string) string {
	best, least := "", 1+len(wrong)/3
	for _, k := range known {
		if d := changes(wrong, k); d < least || d == least && best == "" {
			best, least = k, d
		}
	}
	if best == "" || len(wrong) > 60 {
		return ""
	}
	return "; did you mean " + best + "?"
}

// changes counts the single-byte insertions, deletions and replacements between two names.
func changes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
