package policy

import (
	"reflect"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/orderly-oms/orderly/internal/problem"
)

// The kinds of flow: documents that package flow reads with a Sheet.
const (
	KindOrderFlow       Kind = "order_flow"
	KindFulfillmentFlow Kind = "fulfillment_flow"
	KindReturnFlow      Kind = "return_flow"
)

// FlowKinds lists them.
var FlowKinds = []Kind{KindOrderFlow, KindFulfillmentFlow, KindReturnFlow}

// Sheet is a document of a kind that another package defines: read and reported on as
// policies are, with places, suggestions and the same expressions.
//
// Its life: ReadSheet fills the package's own struct, whose yaml tags are the settings; the
// package then checks what it means and compiles its expressions through the sheet; Compiled
// ends it with everything that is wrong, in the order of the document.
type Sheet struct {
	c compiler
	d *Document
}

// ReadSheet reads a text into a pointer to a struct. Errors: Problems, when the form is wrong.
func ReadSheet(text []byte, into any) (*Sheet, error) {
	d := &Document{}
	if err := parseInto(text, reflect.ValueOf(into).Elem(), d); err != nil {
		return nil, err
	}
	return &Sheet{c: compiler{doc: d, places: d.places}, d: d}, nil
}

// Head checks what every document begins with. when is what the condition of its selection may read.
func (s *Sheet) Head(kind Kind, name, description string, selects Select, when Uses) *Compiled {
	s.d.Kind, s.d.Name, s.d.Description, s.d.Select = kind, name, description, selects
	out := &Compiled{Doc: s.d, Kind: kind, Name: name}
	s.c.identifier("name", name)
	if len(description) > maxDescriptionBytes {
		s.c.add("description", problem.TooLong, "has %d bytes; at most %d are allowed", len(description), maxDescriptionBytes)
	}
	s.c.selection(&s.d.Select, out, when)
	return out
}

// Compiled ends the sheet. Errors: Problems.
func (s *Sheet) Compiled(out *Compiled, body any) (*Compiled, error) {
	inOrder(s.c.bad)
	inOrder(s.c.warn)
	if err := s.c.bad.Err(); err != nil {
		return nil, err
	}
	out.Warnings, out.Body = s.c.warn, body
	return out, nil
}

// Add reports a problem of a setting.
func (s *Sheet) Add(pointer, code, format string, args ...any) {
	s.c.add(pointer, code, format, args...)
}

// Warn reports what is allowed but seldom meant.
func (s *Sheet) Warn(pointer, code, format string, args ...any) {
	s.c.warning(pointer, code, format, args...)
}

// Condition compiles a condition that may read the sections allowed; nil: always true, or a problem was reported.
func (s *Sheet) Condition(pointer, text string, allowed Uses) *Expr {
	return s.c.condition(pointer, text, scope{allowed: allowed})
}

// Number compiles an amount; nil: there is none, or a problem was reported.
func (s *Sheet) Number(pointer, text string, allowed Uses) *Expr {
	return s.c.number(pointer, text, allowed)
}

// Identifier checks a name that programs use.
func (s *Sheet) Identifier(pointer, value string) { s.c.identifier(pointer, value) }

// OneOf checks a word of a list.
func (s *Sheet) OneOf(pointer, value string, known ...string) { s.c.oneOf(pointer, value, known...) }

// Within checks a number between low and high, both included.
func (s *Sheet) Within(pointer string, value, low, high int64) { s.c.within(pointer, value, low, high) }

// Count checks the length of a list.
func (s *Sheet) Count(pointer string, n, limit int) { s.c.count(pointer, n, limit) }

// Unique checks that the entries of a list have names, each its own.
func (s *Sheet) Unique(list string, names []string) { s.c.unique(list, names) }

// Given checks the facts of an example.
func (s *Sheet) Given(pointer string, g *Given) { s.c.givenFacts(pointer, g) }

// Line is where a setting is in the document, from 1.
func (s *Sheet) Line(pointer string) (line, column int) {
	at := s.c.places.of(pointer)
	return at.line, at.column
}

// placeholder is a fact's name in a text for people.
var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// Text checks a text for people, in which {fact} stands for the value of a fact of the sections allowed.
func (s *Sheet) Text(pointer, text string, limit int, allowed Uses) {
	if len(text) > limit {
		s.c.add(pointer, problem.TooLong, "has %d bytes; at most %d are allowed", len(text), limit)
	}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		x, known := factByName[m[1]]
		switch {
		case !known:
			s.c.add(pointer, problem.Unknown, "there is no fact %s%s", clip(m[1]), nearest(m[1], factNames()))
		case x.use&allowed == 0:
			s.c.add(pointer, problem.Unknown, "%s is not known here; this may read %s", m[1], allowed)
		}
	}
}

// FillIn puts the values of facts in the places of their names. A fact that is not there is written as unknown.
func FillIn(text string, f *Facts) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		x, known := factByName[m[1:len(m)-1]]
		if !known || f == nil || f.sections()&x.use == 0 {
			return "unknown"
		}
		return x.print(f)
	})
}

// HasPlaceholder reports whether FillIn has anything to do.
func HasPlaceholder(text string) bool { return placeholder.MatchString(text) }

func factNames() []string {
	names := make([]string, len(facts))
	for i := range facts {
		names[i] = facts[i].name
	}
	return names
}

// Nearest suggests the known name that is fewest changes away from a wrong one, as "; did you
// mean …?"; "" when none is close.
func Nearest(wrong string, known []string) string { return nearest(wrong, known) }

// KindOf reads the kind of a document, so that its reader can be found; "" when it says none.
func KindOf(text []byte) Kind {
	root, err := rootOf(text)
	if err != nil || root.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "kind" {
			return Kind(root.Content[i+1].Value)
		}
	}
	return ""
}

// ExampleAt begins the result of an example at its place.
func (s *Sheet) ExampleAt(pointer, name string) ExampleResult {
	line, column := s.Line(pointer)
	return ExampleResult{Name: name, Line: line, Column: column}
}

// Note says where a setting is, for messages about two of them.
func (s *Sheet) Note(pointer string) string { return s.c.lineNote(pointer) }
