// Package problem is the one error type for input that cannot be accepted: a
// list that names every bad field with a stable code and a reason, so that a
// caller can mend all of them at once. The API writes it as an RFC 9457 problem.
//
// It promises that Err is nil exactly when nothing was added and that the list
// is bounded (MaxFields). It does not know what it validates, does not translate
// messages and does not carry HTTP statuses.
package problem

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of a Field. They are part of the public API: add, never rename.
const (
	Required   = "required"     // missing, and there is no default
	Malformed  = "malformed"    // not of the form the message states
	TooLong    = "too_long"     // more bytes or entries than the limit
	OutOfRange = "out_of_range" // a number or date beyond its limits
	Duplicate  = "duplicate"    // named twice where once is allowed
	Unknown    = "unknown"      // not one of the known values, or names nothing that exists
	Conflict   = "conflict"     // contradicts another field or another record
	TooMany    = "too_many"     // more fields are bad than are listed
)

// Limits that Add and the checks keep.
const (
	// MaxFields bounds the list; when more are bad, the last entry says so.
	MaxFields = 1000
	// MaxIDBytes bounds an identifier.
	MaxIDBytes = 200
)

// Field is one thing wrong with the input.
type Field struct {
	// Pointer is the path of the field, like "lines[2].quantity"; empty: the whole document.
	Pointer string `json:"pointer"`
	// Code is stable and for programs, Message is for people and may change.
	Code    string `json:"code"`
	Message string `json:"message"`
}

// String writes the field as "pointer: message".
func (f Field) String() string {
	if f.Pointer == "" {
		return f.Message
	}
	return f.Pointer + ": " + f.Message
}

// Invalid is the list of everything wrong with an input, in the order it was
// found. Return it through Err, never directly: an empty list is no error.
type Invalid []Field

// Error joins the fields with "; ".
func (v Invalid) Error() string {
	parts := make([]string, len(v))
	for i, f := range v {
		parts[i] = f.String()
	}
	return strings.Join(parts, "; ")
}

// Err returns the list as an error, nil when it is empty.
func (v Invalid) Err() error {
	if len(v) == 0 {
		return nil
	}
	return v
}

// Add appends one bad field. Beyond MaxFields nothing is added but one last
// entry with the code TooMany.
func (v *Invalid) Add(pointer, code, format string, args ...any) {
	switch {
	case len(*v) >= MaxFields:
	case len(*v) == MaxFields-1:
		*v = append(*v, Field{Code: TooMany, Message: fmt.Sprintf("more than %d fields are invalid; the others are not listed", MaxFields-1)})
	default:
		*v = append(*v, Field{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

// Nest appends what err (the result of validating a part) names, with each
// pointer put under prefix: "address" makes "city" into "address.city". An error
// that is not an Invalid is appended as malformed; nil appends nothing.
func (v *Invalid) Nest(prefix string, err error) {
	if err == nil {
		return
	}
	var part Invalid
	if !errors.As(err, &part) {
		v.Add(prefix, Malformed, "%s", err.Error())
		return
	}
	for _, f := range part {
		v.Add(Join(prefix, f.Pointer), f.Code, "%s", f.Message)
	}
}

// Join puts pointer under prefix.
func Join(prefix, pointer string) string {
	switch {
	case prefix == "":
		return pointer
	case pointer == "" || pointer[0] == '[':
		return prefix + pointer
	}
	return prefix + "." + pointer
}

// At is the pointer of entry i of a list.
func At(pointer string, i int) string { return fmt.Sprintf("%s[%d]", pointer, i) }

// ID checks a required identifier: 1 to MaxIDBytes bytes of printable UTF-8
// without spaces at either end.
func (v *Invalid) ID(pointer, value string) {
	if value == "" {
		v.Add(pointer, Required, "is required")
		return
	}
	if strings.TrimSpace(value) != value {
		v.Add(pointer, Malformed, "must not begin or end with a space")
	}
	v.Text(pointer, value, MaxIDBytes)
}

// Text checks optional text: at most limit bytes of UTF-8 without control characters.
func (v *Invalid) Text(pointer, value string, limit int) {
	if len(value) > limit {
		v.Add(pointer, TooLong, "has %d bytes; at most %d are allowed", len(value), limit)
		return
	}
	if isPlainASCII(value) {
		return
	}
	if !utf8.ValidString(value) {
		v.Add(pointer, Malformed, "is not valid UTF-8")
		return
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		v.Add(pointer, Malformed, "must not contain control characters")
	}
}

// Range checks a number between low and high, both included.
func (v *Invalid) Range(pointer string, value, low, high int64) {
	if value < low || value > high {
		v.Add(pointer, OutOfRange, "is %d; must be between %d and %d", value, low, high)
	}
}

// Count checks how many entries a list has.
func (v *Invalid) Count(pointer string, n, limit int) {
	if n > limit {
		v.Add(pointer, TooLong, "has %d entries; at most %d are allowed", n, limit)
	}
}

// IDs checks a list of identifiers: each valid, none named twice, at most limit.
func (v *Invalid) IDs(pointer string, ids []string, limit int) {
	if len(ids) > limit {
		v.Count(pointer, len(ids), limit)
		return
	}
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		v.ID(At(pointer, i), id)
		if seen[id] {
			v.Add(At(pointer, i), Duplicate, "%q is listed twice", id)
		}
		seen[id] = true
	}
}

// OneOf checks that value is one of known.
func OneOf[T ~string](v *Invalid, pointer string, value T, known ...T) {
	for _, k := range known {
		if value == k {
			return
		}
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	if value == "" {
		v.Add(pointer, Required, "is required; one of %s", strings.Join(names, ", "))
		return
	}
	v.Add(pointer, Unknown, "%q is not known; must be one of %s", clip(string(value)), strings.Join(names, ", "))
}

// clip keeps a quoted value from making a message long.
func clip(s string) string {
	const limit = 60 // bytes
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// isPlainASCII reports text that needs no further look.
func isPlainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			return false
		}
	}
	return true
}
