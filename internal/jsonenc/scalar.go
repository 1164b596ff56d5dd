package jsonenc

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

type stamp = time.Time

var (
	timeType    = reflect.TypeFor[time.Time]()
	stringsType = reflect.TypeFor[map[string]string]()
)

// plain are the bytes that a string may have without anything being escaped.
var plain = func() (t [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return t
}()

func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if !plain[s[i]] {
			return appendOther(b, s, i)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendOther appends a string whose first byte that is not plain is at i.
func appendOther(b []byte, s string, i int) []byte {
	// Letters beyond ASCII are common and stay as they are, but for what encoding/json escapes.
	for i < len(s) {
		if s[i] < utf8.RuneSelf {
			if !plain[s[i]] {
				break
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			break
		}
		i += size
	}
	if i == len(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	raw, _ := json.Marshal(s) // of strings it cannot fail
	return append(b, raw...)
}

func appendStringAt(b []byte, p unsafe.Pointer) ([]byte, error) {
	return appendString(b, *(*string)(p)), nil
}

func appendBool(b []byte, p unsafe.Pointer) ([]byte, error) {
	return strconv.AppendBool(b, *(*bool)(p)), nil
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// appendFloat writes the shortest number that reads back as the same. What encoding/json writes with an exponent, or refuses, is left to it.
func appendFloat(b []byte, p unsafe.Pointer) ([]byte, error) {
	f := *(*float64)(p)
	if abs := math.Abs(f); abs != 0 && !(abs >= 1e-6 && abs < 1e21) {
		raw, err := json.Marshal(f)
		return append(b, raw...), err
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64), nil
}

// appendTime writes RFC 3339. What that cannot say is left to encoding/json, which refuses it.
func appendTime(b []byte, p unsafe.Pointer) ([]byte, error) {
	t := (*time.Time)(p)
	if y := t.Year(); t.Location() != time.UTC || y < 0 || y > 9999 {
		raw, err := json.Marshal(t)
		return append(b, raw...), err
	}
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"'), nil
}

func appendStrings(b []byte, p unsafe.Pointer) ([]byte, error) {
	m := *(*map[string]string)(p)
	if m == nil {
		return append(b, "null"...), nil
	}
	var few [16]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = appendString(b, m[k])
	}
	return append(b, '}'), nil
}
