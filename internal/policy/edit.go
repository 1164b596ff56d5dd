package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Edit gives one setting of a document another value, or takes it out.
type Edit struct {
	// At names the setting as Diff does: sourcing.groups[nearest].cost[carrier].weight. An entry of a list is named by its
	// name, term or by, or by its place from 0; [+] is one more entry at the end, [^] one before the first.
	At string
	// Value is what the setting gets: a text, number, bool, or lists and maps of them. What is missing on the way to
	// a key is made.
	Value any
	// Remove takes the setting or entry out instead; there must be one.
	Remove bool
}

// Apply makes edits, one after the other, in the text of a document. Comments, the order of keys and whatever is not edited
// stay. Errors: an edit that does not fit the text; Problems, when what comes out is not a policy.
func Apply(text []byte, edits ...Edit) ([]byte, error) {
	root, err := rootOf(text)
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		steps, err := stepsOf(e.At)
		if err != nil {
			return nil, err
		}
		if err := e.apply(root, steps); err != nil {
			return nil, fmt.Errorf("policy: edit %s: %w", e.At, err)
		}
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("policy: write the edited document: %w", err)
	}
	if _, err := CompileText(out.Bytes()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// step is a key of a mapping, or an entry of a list.
type step struct {
	name  string
	entry bool
}

// stepsOf cuts a pointer; names in brackets may hold dots.
func stepsOf(at string) (out []step, err error) {
	for rest := at; rest != ""; {
		if inside, found := strings.CutPrefix(rest, "["); found {
			name, after, closed := strings.Cut(inside, "]")
			if !closed || name == "" {
				return nil, fmt.Errorf("policy: %q is no place in a document", at)
			}
			out, rest = append(out, step{name, true}), after
			continue
		}
		rest = strings.TrimPrefix(rest, ".")
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, fmt.Errorf("policy: %q is no place in a document", at)
		}
		out, rest = append(out, step{rest[:end], false}), rest[end:]
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("policy: an edit must name a setting")
	}
	return out, nil
}

// apply walks to the setting's holder and changes it there.
func (e *Edit) apply(n *yaml.Node, steps []step) error {
	for _, s := range steps[:len(steps)-1] {
		next, err := s.child(n)
		if err != nil {
			return err
		}
		n = next
	}
	last := steps[len(steps)-1]
	at, place, err := last.find(n)
	if err != nil {
		return err
	}
	if e.Remove {
		if at < 0 {
			return fmt.Errorf("there is no %s to take out", last.name)
		}
		n.Content = slices.Delete(n.Content, place, at+1)
		return nil
	}
	var value yaml.Node
	if err := value.Encode(e.Value); err != nil {
		return err
	}
	switch {
	case at >= 0:
		value.LineComment, value.HeadComment, value.FootComment = n.Content[at].LineComment, n.Content[at].HeadComment, n.Content[at].FootComment
		n.Content[at] = &value
	case !last.entry:
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: last.name}, &value)
	case last.name == "+":
		n.Content = append(n.Content, &value)
	case last.name == "^":
		n.Content = slices.Insert(n.Content, 0, &value)
	default:
		return fmt.Errorf("there is no entry %q", last.name)
	}
	return nil
}

// find looks the step up in a mapping or list: at is where its value is, −1 when there is none, place where what has to go with
// it begins. A null takes the form that the step asks for.
func (s step) find(n *yaml.Node) (at, place int, err error) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if s.entry {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
	}
	switch {
	case !s.entry && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == s.name {
				return i + 1, i, nil
			}
		}
		return -1, 0, nil
	case s.entry && n.Kind == yaml.SequenceNode:
		i := slices.IndexFunc(n.Content, s.names)
		if number, err := strconv.Atoi(s.name); i < 0 && err == nil && number >= 0 && number < len(n.Content) {
			i = number
		}
		return i, i, nil
	}
	return 0, 0, fmt.Errorf("%s is looked for in something else", s.name)
}

// names reports whether an entry of a list goes by the step's name.
func (s step) names(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return n.Kind == yaml.ScalarNode && n.Value == s.name
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if slices.Contains([]string{"name", "term", "by"}, n.Content[i].Value) && n.Content[i+1].Value == s.name {
			return true
		}
	}
	return false
}

// child is the step's value; a key that is missing is made.
func (s step) child(n *yaml.Node) (*yaml.Node, error) {
	at, _, err := s.find(n)
	switch {
	case err != nil:
		return nil, err
	case at >= 0:
		return n.Content[at], nil
	case s.entry:
		return nil, fmt.Errorf("there is no entry %q", s.name)
	}
	value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: s.name}, value)
	return value, nil
}
