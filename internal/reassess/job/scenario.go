package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/replay"
)

// MaxScenarioBytes bounds a scenario's file.
const MaxScenarioBytes = 4 << 20

// ParseScenario reads a scenario from YAML or JSON. A policy of one line is the name of a file that read gives
// the text of. name is what it is called when it has no name of its own. Errors name the field.
func ParseScenario(text []byte, name string, read func(file string) (string, error)) (*replay.Scenario, error) {
	if len(text) > MaxScenarioBytes {
		return nil, fmt.Errorf("a scenario has at most %d bytes", MaxScenarioBytes)
	}
	in := yaml.NewDecoder(bytes.NewReader(text))
	var tree any
	if err := in.Decode(&tree); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty; write what is to be different, like changes: {close: [store-4]}")
		}
		return nil, err
	}
	if err := in.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("a file holds one scenario")
	}
	body, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("not what JSON could say as well: %w", err)
	}
	s := new(replay.Scenario)
	if err := jsonv2.Unmarshal(body, s, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, fieldError(err)
	}
	if s.Name == "" {
		s.Name = name
	}
	for i, p := range s.Policies {
		if strings.Contains(strings.TrimSpace(p), "\n") {
			continue
		}
		if s.Policies[i], err = read(strings.TrimSpace(p)); err != nil {
			return nil, fmt.Errorf("policies[%d]: %w", i, err)
		}
	}
	var bad problem.Invalid
	CheckScenario(&bad, "", s)
	for i := range bad {
		bad[i].Pointer = strings.TrimPrefix(bad[i].Pointer, ".")
	}
	return s, bad.Err()
}

// fieldError says which field is wrong.
func fieldError(err error) error {
	var semantic *jsonv2.SemanticError
	if !errors.As(err, &semantic) {
		return err
	}
	at := strings.ReplaceAll(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "/", ".")
	if errors.Is(err, jsonv2.ErrUnknownName) {
		return fmt.Errorf("%s: there is no such field", at)
	}
	return fmt.Errorf("%s: cannot be %s", at, semantic.JSONKind)
}
