package policy

import (
	"fmt"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Codes of problems beside those of package problem. They are part of the public API.
const (
	CodeSyntax      = "syntax"         // not YAML
	CodeExpression  = "expression"     // not CEL, or of the wrong type
	CodeCost        = "too_costly"     // an expression may cost more than MaxCost
	CodeUnreachable = "unreachable"    // a rule that can never decide
	CodeOverlap     = "overlap"        // two rules that can both match and say different things
	CodeIdle        = "idle"           // something that changes nothing
	CodeExample     = "example_failed" // an example came out differently
)

// maxProblems bounds a list of problems.
const maxProblems = problem.MaxFields

// Problem is one thing wrong with a document.
type Problem struct {
	// Line and Column are where it is in the YAML, from 1, columns in characters; 0: unknown.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Pointer is the path of the setting, like "sourcing.groups[0].when".
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// String writes the problem as "line:column: pointer: message (code)".
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	}
	if p.Pointer != "" {
		b.WriteString(p.Pointer + ": ")
	}
	b.WriteString(p.Message + " (" + p.Code + ")")
	return b.String()
}

// Problems is everything wrong with a document, in its order. Return it through
// Err, never directly: an empty list is no error.
type Problems []Problem

// Error joins the problems, one per line.
func (p Problems) Error() string {
	parts := make([]string, len(p))
	for i := range p {
		parts[i] = p[i].String()
	}
	return strings.Join(parts, "\n")
}

// Err returns the list as an error, nil when it is empty.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Invalid is the list in the form that the API reports.
func (p Problems) Invalid() problem.Invalid {
	var v problem.Invalid
	for _, x := range p {
		if x.Line > 0 {
			v.Add(x.Pointer, x.Code, "line %d, column %d: %s", x.Line, x.Column, x.Message)
			continue
		}
		v.Add(x.Pointer, x.Code, "%s", x.Message)
	}
	return v
}

// add appends one problem; beyond maxProblems nothing.
func (p *Problems) add(at place, pointer, code, format string, args ...any) {
	if len(*p) < maxProblems {
		*p = append(*p, Problem{Line: at.line, Column: at.column, Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}
