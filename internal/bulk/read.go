package bulk

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/orderly-oms/orderly/internal/problem"
)

// skipMark leaves out a UTF-8 byte order mark and refuses UTF-16.
func skipMark(r io.Reader) (*bufio.Reader, error) {
	input := bufio.NewReaderSize(r, 64<<10)
	mark, err := input.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(mark, []byte("\xff\xfe")) || bytes.HasPrefix(mark, []byte("\xfe\xff")) {
		return nil, refuse(problem.Malformed, "the file is UTF-16; save it as UTF-8")
	}
	if bytes.Equal(mark, []byte("\ufeff")) {
		_, err = input.Discard(len(mark))
		return input, err
	}
	return input, nil
}

// errRowTooLong ends the reading of a CSV file: where the row would end is unknown.
var errRowTooLong = errors.New("row too long")

// rowLimiter lets at most left bytes through before it is reset at the next row, so
// that an opening quote that never closes cannot pull the whole file into memory.
type rowLimiter struct {
	r    io.Reader
	left int
}

func (l *rowLimiter) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errRowTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// csvAhead is how far encoding/csv reads ahead of the row, in bytes.
const csvAhead = 4096

func (rd *reading[T]) csv(r io.Reader) error {
	limiter := &rowLimiter{r: r}
	in := csv.NewReader(limiter)
	in.FieldsPerRecord = -1 // counted here, to say how many there should be
	in.ReuseRecord = true
	line := 1
	next := func() ([]string, error) {
		limiter.left = rd.limits.rowBytes + csvAhead
		before := in.InputOffset()
		record, err := in.Read()
		if errors.Is(err, errRowTooLong) || in.InputOffset()-before > int64(rd.limits.rowBytes) {
			return nil, refuse(problem.TooLong, "the row that begins after line %d has more than %d bytes (is a quote not closed?); the rows from there on were not read",
				line, rd.limits.rowBytes)
		}
		return record, err
	}
	header, err := next()
	if errors.Is(err, io.EOF) {
		return refuse(problem.Required, "the file is empty; the first row must name the columns: %s", strings.Join(rd.table.Columns(), ", "))
	}
	if err != nil {
		return refuseSyntax(err)
	}
	places, err := rd.places(header)
	if err != nil {
		return err
	}
	width := len(header)
	for {
		record, err := next()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &syntax):
			line = syntax.StartLine
			faults := problem.Invalid{{Code: problem.Malformed, Message: fmt.Sprintf("is not CSV: %s in line %d, byte %d", syntax.Err, syntax.Line, syntax.Column)}}
			if err := rd.row(line, rd.table.fresh(), faults, rd.table.columnOf); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		line, _ = in.FieldPos(0)
		row, faults := rd.cells(record, places, width)
		if err := rd.row(line, row, faults, rd.table.columnOf); err != nil {
			return err
		}
	}
}

func refuseSyntax(err error) error {
	if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
		return refuse(problem.Malformed, "the header is not CSV: %s", syntax)
	}
	return err
}

// places finds for each column of the table where it is in the file, -1 when it
// is not there.
func (rd *reading[T]) places(header []string) ([]int, error) {
	known := rd.table.Columns()
	places := make([]int, len(known))
	for i := range places {
		places[i] = -1
	}
	var v problem.Invalid
	for at, cell := range header {
		name := strings.ToLower(strings.TrimSpace(cell))
		i := 0
		for i < len(known) && known[i] != name {
			i++
		}
		switch {
		case i == len(known):
			v.Add("", problem.Unknown, "column %d, %.60q, is not known; the columns of %s are %s", at+1, cell, rd.table.name, strings.Join(known, ", "))
		case places[i] >= 0:
			v.Add("", problem.Duplicate, "the column %q is there twice", name)
		default:
			places[i] = at
		}
	}
	return places, v.Err()
}

// cells turns a record into a row.
func (rd *reading[T]) cells(record []string, places []int, width int) (*T, problem.Invalid) {
	row := rd.table.fresh()
	var v problem.Invalid
	if len(record) != width {
		v.Add("", problem.Malformed, "has %d cells; the header has %d", len(record), width)
	}
	for i, c := range rd.table.columns {
		if places[i] < 0 || places[i] >= len(record) || record[places[i]] == "" {
			continue
		}
		cell := restore(record[places[i]])
		if !utf8.ValidString(cell) {
			v.Add(c.name, problem.Malformed, "is not valid UTF-8")
		} else if err := c.set(row, cell); err != nil {
			v.Add(c.name, problem.Malformed, "%s", err.Error())
		}
	}
	if rd.table.finish != nil {
		rd.table.finish(row)
	}
	return row, v
}

// columnOf names the column of the field that a pointer points at or into; a
// field without a column keeps its pointer.
func (t *Table[T]) columnOf(pointer string) string {
	name, longest := pointer, -1
	for _, c := range t.columns {
		rest, within := strings.CutPrefix(pointer, c.path)
		if within && (rest == "" || rest[0] == '.' || rest[0] == '[') && len(c.path) > longest {
			name, longest = c.name, len(c.path)
		}
	}
	return name
}

func (rd *reading[T]) jsonLines(r *bufio.Reader) error {
	same := func(pointer string) string { return pointer }
	var line []byte
	for number := 1; ; number++ {
		var tooLong bool
		var err error
		line, tooLong, err = readLine(r, line[:0], rd.limits.rowBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		last := err != nil
		if text := bytes.TrimSpace(line); tooLong || len(text) > 0 {
			row := rd.table.fresh()
			var faults problem.Invalid
			if tooLong {
				faults.Add("", problem.TooLong, "has more than %d bytes", rd.limits.rowBytes)
			} else {
				faults = decode(text, row)
			}
			if err := rd.row(number, row, faults, same); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// readLine appends a line to buffer. Of a line beyond limit bytes the rest is left out.
func readLine(r *bufio.Reader, buffer []byte, limit int) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(buffer)+len(bytes.TrimRight(part, "\r\n")) > limit {
			tooLong = true
		}
		if !tooLong {
			buffer = append(buffer, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return buffer, tooLong, err
		}
	}
}

// decode reads one JSON object into row.
func decode(text []byte, row any) (v problem.Invalid) {
	if !utf8.Valid(text) {
		v.Add("", problem.Malformed, "is not valid UTF-8")
		return v
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(row)
	if err == nil {
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			v.Add("", problem.Malformed, "has something after the JSON object")
		}
		return v
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		v.Add(wrong.Field, problem.Malformed, "a JSON %s cannot be read here; must be of type %s", wrong.Value, jsonType(wrong))
		return v
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		v.Add(strings.Trim(name, `"`), problem.Unknown, "is not a known field")
		return v
	}
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		v.Add("", problem.Malformed, "is not JSON: %s", err.Error())
		return v
	}
	v.Add("", problem.Malformed, "cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
	return v
}

// jsonType names in JSON's words what a field takes.
func jsonType(wrong *json.UnmarshalTypeError) string {
	switch kind := wrong.Type.Kind().String(); {
	case strings.HasPrefix(kind, "int"):
		return "integer"
	case strings.HasPrefix(kind, "float"):
		return "number"
	case kind == "bool":
		return "boolean"
	case kind == "slice":
		return "array"
	case kind == "struct" || kind == "map":
		return "object"
	}
	return "string"
}
