package importer

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// scalar is a JSON string, number, boolean or null, kept as text: the digits of a
// number are exactly those of the document. Absent and null are empty.
type scalar string

// UnmarshalJSON accepts everything but objects and arrays.
func (s *scalar) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, (*string)(s))
	case 'n':
		*s = ""
	case '{':
		return &json.UnmarshalTypeError{Value: "object", Type: reflect.TypeFor[scalar]()}
	case '[':
		return &json.UnmarshalTypeError{Value: "array", Type: reflect.TypeFor[scalar]()}
	default:
		*s = scalar(raw)
	}
	return nil
}

func (s scalar) isTrue() bool { return s == "true" || s == "1" }

// clean is the text without spaces around it and without control characters, for names and addresses.
func (s scalar) clean() string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(s)))
}

// textOf is the text of a scalar, empty for anything else.
func textOf(raw json.RawMessage) string {
	var s scalar
	if len(raw) == 0 || s.UnmarshalJSON(raw) != nil {
		return ""
	}
	return string(s)
}

// clip cuts s to at most limit bytes, at a rune's boundary.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// maxIDDigits bounds an identifier; the platforms' have at most 20 (64 bits).
const maxIDDigits = 20

// isID reports a platform's identifier: digits, and not zero.
func isID(s string) bool {
	if s == "" || len(s) > maxIDDigits || strings.Trim(s, "0") == "" {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// maxExactID is the largest integer up to which every JSON reader is exact, 2^53 − 1.
const maxExactID = 1<<53 - 1

// isImprecise reports an identifier that a sender with floating point numbers may have rounded.
func isImprecise(id string) bool {
	n, err := strconv.ParseUint(id, 10, 64)
	return err != nil || n > maxExactID
}

// sameRounded reports whether two identifiers are the same number to a reader
// that keeps numbers as float64. It is the only use of floating point for
// identifiers: to recognise one that was rounded, never to produce one.
func sameRounded(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// gmtLayout is of times that do not write their zone, in fields that are GMT by name.
const gmtLayout = "2006-01-02T15:04:05"

// parseTime reads a time into UTC.
func parseTime(s scalar, layout string) (time.Time, bool) {
	t, err := time.Parse(layout, string(s))
	if err != nil || t.Year() < 1 || t.UTC().Year() > 9999 {
		return time.Time{}, false
	}
	return t.UTC(), true
}
