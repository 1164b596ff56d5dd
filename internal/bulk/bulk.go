// Package bulk reads and writes files of many rows: locations, SKUs, channels,
// networks, carriers, stock and supply, as CSV (RFC 4180) or JSON Lines.
//
// It promises that a file of any size is read in bounded memory, row by row; that
// every rejected row is named in the Report with its line, id, field and reason,
// while good rows go through; that what Write wrote Read reads back equal; and
// that no cell it writes is a formula to a spreadsheet. It does not store rows,
// look up what they name, or undo accepted rows when later ones fail.
//
// In CSV a list is one cell with "|" between its entries ("a|b"), a list of pairs
// has "=" within each ("blue=2|red=1"); a backslash before one of these characters
// makes it part of the text. An empty cell is a field left out.
package bulk

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Format is how a file is written.
type Format string

// The formats.
const (
	CSV       Format = "csv"   // with a header row that names the columns, in any order
	JSONLines Format = "jsonl" // one JSON object a line
)

// Limits of a file.
const (
	MaxRowBytes     = 1 << 20
	MaxRows         = 10_000_000
	MaxErrors       = 10_000 // listed in a report; further ones are counted
	MaxErrorsPerRow = 20
)

// limits are the bounds of one reading; tests lower them.
type limits struct{ rowBytes, rows, errors int }

// RowError is one reason why a row was rejected.
type RowError struct {
	Line int    `json:"line"`         // of the file, from 1; where the row begins
	ID   string `json:"id,omitempty"` // of the row, as far as it could be read
	// Pointer is the column (CSV) or the path of the field (JSON Lines); empty: the whole row.
	Pointer string `json:"pointer,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Report says what became of a file's rows.
type Report struct {
	Accepted int        `json:"accepted"` // rows
	Rejected int        `json:"rejected"` // rows
	Errors   []RowError `json:"errors"`
	// ErrorsOmitted counts the errors beyond the MaxErrors that are listed.
	ErrorsOmitted int `json:"errors_omitted"`
}

// Table is how rows of one type are read, checked and written.
type Table[T any] struct {
	name    string
	id      func(*T) string
	check   func(*T) error
	columns []column[T]
	// prepare marks, before a row is read, what must not default to zero. May be nil.
	prepare func(*T)
	// finish runs after all cells of a row are set, where cells depend on each other. May be nil.
	finish func(*T)
}

// column is one column of the CSV form.
type column[T any] struct {
	name string
	path string // of the field it stands for, as validation points at it
	get  func(*T) string
	set  func(*T, string) error // not called for an empty cell
}

// Name is the plural the files are called by: "locations", "stock".
func (t *Table[T]) Name() string { return t.name }

// Columns returns the names of the CSV columns in the order of export.
func (t *Table[T]) Columns() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// Read calls accept for every row that is valid, in order. The row belongs to the
// callee. A problem.Invalid from accept rejects the row like a bad field; any
// other error ends the reading and is returned.
//
// The report is right for what was read also when there is an error: a
// problem.Invalid when the file as a whole is refused (unknown columns, a CSV row
// beyond MaxRowBytes, more than MaxRows), else what accept or r returned.
func (t *Table[T]) Read(r io.Reader, f Format, accept func(line int, row *T) error) (Report, error) {
	return t.read(r, f, limits{MaxRowBytes, MaxRows, MaxErrors}, accept)
}

func (t *Table[T]) read(r io.Reader, f Format, l limits, accept func(line int, row *T) error) (Report, error) {
	rd := &reading[T]{table: t, limits: l, accept: accept, report: Report{Errors: []RowError{}}}
	input, err := skipMark(r)
	switch {
	case err != nil:
	case f == CSV:
		err = rd.csv(input)
	case f == JSONLines:
		err = rd.jsonLines(input)
	default:
		err = refuse(problem.Unknown, "the format %q is not known; use csv or jsonl", f)
	}
	return rd.report, err
}

// refuse is the error of a file that is refused as a whole.
func refuse(code, format string, args ...any) error {
	var v problem.Invalid
	v.Add("", code, format, args...)
	return v.Err()
}

// reading is one file being read.
type reading[T any] struct {
	table  *Table[T]
	limits limits
	accept func(line int, row *T) error
	report Report
}

// row checks and hands over a row that was decoded with the given faults.
func (rd *reading[T]) row(line int, row *T, faults problem.Invalid, rename func(pointer string) string) error {
	if rd.report.Accepted+rd.report.Rejected >= rd.limits.rows {
		return refuse(problem.TooLong, "the file has more than %d rows; the rows from line %d on were not read", rd.limits.rows, line)
	}
	var invalid problem.Invalid
	switch err := rd.table.check(row); {
	case len(faults) > 0 || err != nil:
		errors.As(err, &invalid)
	default:
		if err = rd.accept(line, row); err == nil {
			rd.report.Accepted++
			return nil
		}
		if !errors.As(err, &invalid) {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	unreadable := make(map[string]bool, len(faults))
	for _, f := range faults {
		unreadable[f.Pointer] = true
	}
	for _, f := range invalid {
		f.Pointer = rename(f.Pointer)
		if !unreadable[""] && !unreadable[f.Pointer] { // what could not be read needs no second reason
			faults = append(faults, f)
		}
	}
	rd.reject(line, rd.table.id(row), faults)
	return nil
}

// reject lists the reasons why a row is rejected.
func (rd *reading[T]) reject(line int, id string, faults problem.Invalid) {
	rd.report.Rejected++
	if n := len(faults) - MaxErrorsPerRow; n > 0 {
		faults = append(faults[:MaxErrorsPerRow-1:MaxErrorsPerRow-1],
			problem.Field{Code: problem.TooMany, Message: fmt.Sprintf("%d more fields of the row are invalid", n+1)})
	}
	if len(id) > problem.MaxIDBytes {
		id = strings.ToValidUTF8(id[:problem.MaxIDBytes], "")
	}
	for _, f := range faults {
		if len(rd.report.Errors) >= rd.limits.errors {
			rd.report.ErrorsOmitted++
			continue
		}
		rd.report.Errors = append(rd.report.Errors, RowError{line, id, f.Pointer, f.Code, f.Message})
	}
}

// fresh returns a row to read into.
func (t *Table[T]) fresh() *T {
	row := new(T)
	if t.prepare != nil {
		t.prepare(row)
	}
	return row
}

// Write writes the rows in the format, which must be CSV or JSONLines. Rows must
// be valid to come back equal.
func (t *Table[T]) Write(w io.Writer, f Format, rows iter.Seq[T]) error {
	if f == CSV {
		return t.writeCSV(w, rows)
	}
	if f != JSONLines {
		return refuse(problem.Unknown, "the format %q is not known; use csv or jsonl", f)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for row := range rows {
		if err := encoder.Encode(&row); err != nil {
			return fmt.Errorf("write %s: %w", t.name, err)
		}
	}
	return nil
}

func (t *Table[T]) writeCSV(w io.Writer, rows iter.Seq[T]) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180
	cells := t.Columns()
	err := out.Write(cells)
	for row := range rows {
		if err != nil {
			break
		}
		for i, c := range t.columns {
			cells[i] = Neutralise(c.get(&row))
		}
		err = out.Write(cells)
	}
	out.Flush()
	if err = errors.Join(err, out.Error()); err != nil {
		return fmt.Errorf("write %s: %w", t.name, err)
	}
	return nil
}
