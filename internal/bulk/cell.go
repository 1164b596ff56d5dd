package bulk

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// formulaStarts are the characters at which a spreadsheet takes a cell for a
// formula or loses its beginning (OWASP, CSV injection), full-width forms included.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// Neutralise returns the cell so that no spreadsheet takes it for a formula: one
// that begins like a formula gets a leading apostrophe. Plain numbers stay as they
// are. Cells that begin with apostrophes before such a character get one more,
// so that reading takes away exactly what writing added.
func Neutralise(cell string) string {
	if beginsFormula(strings.TrimLeft(cell, "'")) && !isNumber(cell) {
		return "'" + cell
	}
	return cell
}

// restore takes away the apostrophe that Neutralise added.
func restore(cell string) string {
	if strings.HasPrefix(cell, "'") && beginsFormula(strings.TrimLeft(cell, "'")) {
		return cell[1:]
	}
	return cell
}

func beginsFormula(cell string) bool {
	for _, first := range cell {
		return strings.ContainsRune(formulaStarts, first)
	}
	return false
}

// isNumber reports a decimal number, with or without sign, point and exponent.
func isNumber(cell string) bool {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(cell), "e")
	whole, fraction, hasPoint := strings.Cut(withoutSign(mantissa), ".")
	return isDigits(whole) && (!hasPoint || isDigits(fraction)) && (!hasExponent || isDigits(withoutSign(exponent)))
}

func withoutSign(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// text is a column of text or of one word of a list.
func text[T any, S ~string](name, path string, field func(*T) *S) column[T] {
	return column[T]{
		name: name, path: path,
		get: func(row *T) string { return string(*field(row)) },
		set: func(row *T, cell string) error { *field(row) = S(cell); return nil },
	}
}

// number is a column of integers whose default is 0.
func number[T any](name, path string, field func(*T) *int64) column[T] {
	return column[T]{
		name: name, path: path,
		get: func(row *T) string { return strconv.FormatInt(*field(row), 10) },
		set: func(row *T, cell string) (err error) { *field(row), err = parseInteger(cell); return err },
	}
}

// optionalNumber is a column of integers that may be absent.
func optionalNumber[T any](name, path string, field func(*T) **int64) column[T] {
	return optional(name, path, field, parseInteger, func(n int64) string { return strconv.FormatInt(n, 10) })
}

// degrees is a column of decimal numbers that may be absent.
func degrees[T any](name, path string, field func(*T) **float64) column[T] {
	parse := func(cell string) (float64, error) {
		if !isNumber(strings.TrimSpace(cell)) {
			return 0, fmt.Errorf("%.40q is not a decimal number", cell)
		}
		return strconv.ParseFloat(strings.TrimSpace(cell), 64)
	}
	return optional(name, path, field, parse, func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) })
}

// flag is a column of true and false that may be absent.
func flag[T any](name, path string, field func(*T) **bool) column[T] {
	parse := func(cell string) (bool, error) {
		switch strings.ToLower(strings.TrimSpace(cell)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, fmt.Errorf("%.40q is neither true nor false", cell)
	}
	return optional(name, path, field, parse, strconv.FormatBool)
}

func optional[T, V any](name, path string, field func(*T) **V, parse func(string) (V, error), format func(V) string) column[T] {
	return column[T]{
		name: name, path: path,
		get: func(row *T) string {
			if value := *field(row); value != nil {
				return format(*value)
			}
			return ""
		},
		set: func(row *T, cell string) error {
			value, err := parse(cell)
			if err == nil {
				*field(row) = &value
			}
			return err
		},
	}
}

func parseInteger(cell string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(cell), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not an integer", cell)
	}
	return n, nil
}

// instant is a column of RFC 3339 times.
func instant[T any](name, path string, field func(*T) *time.Time) column[T] {
	return column[T]{
		name: name, path: path,
		get: func(row *T) string {
			if field(row).IsZero() {
				return ""
			}
			return field(row).Format(time.RFC3339Nano)
		},
		set: func(row *T, cell string) error {
			t, err := time.Parse(time.RFC3339, strings.TrimSpace(cell))
			if err != nil {
				return fmt.Errorf("%.40q is not a time like 2026-12-24T18:00:00Z", cell)
			}
			*field(row) = t.UTC()
			return nil
		},
	}
}

// list is a column of several texts with "|" between them.
func list[T any, S ~string](name, path string, field func(*T) *[]S) column[T] {
	return column[T]{
		name: name, path: path,
		get: func(row *T) string {
			parts := make([]string, len(*field(row)))
			for i, s := range *field(row) {
				parts[i] = escape(string(s), `\|`)
			}
			return strings.Join(parts, "|")
		},
		set: func(row *T, cell string) error {
			for _, part := range splitEscaped(cell, '|') {
				*field(row) = append(*field(row), S(unescape(strings.TrimSpace(part))))
			}
			return nil
		},
	}
}

// document is a column that holds JSON, for what no cell can lay out flat.
func document[T, V any](name, path string, field func(*T) *V, empty func(V) bool) column[T] {
	return column[T]{
		name: name, path: path,
		get: func(row *T) string {
			if empty(*field(row)) {
				return ""
			}
			encoded, _ := json.Marshal(field(row)) // plain data always has a JSON form
			return string(encoded)
		},
		set: func(row *T, cell string) error {
			faults := decode([]byte(cell), field(row))
			return faults.Err()
		},
	}
}

// pair is one entry of a cell like "blue=2|red=1".
type pair struct{ key, value string }

func joinPairs(pairs []pair) string {
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		parts[i] = escape(p.key, `\|=`) + "=" + escape(p.value, `\|=`)
	}
	return strings.Join(parts, "|")
}

func splitPairs(cell, example string) ([]pair, error) {
	var pairs []pair
	for _, part := range splitEscaped(cell, '|') {
		sides := splitEscaped(part, '=')
		if len(sides) != 2 {
			return nil, fmt.Errorf("%.60q is not of the form %s", part, example)
		}
		pairs = append(pairs, pair{unescape(sides[0]), unescape(sides[1])})
	}
	return pairs, nil
}

// escape puts a backslash before each of the special characters.
func escape(s, special string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unescape takes the backslashes away; one at the very end stands for itself.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// splitEscaped splits at each separator that has no backslash before it.
func splitEscaped(s string, separator byte) []string {
	var parts []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}
