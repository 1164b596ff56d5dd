package folder

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
)

// timeLayouts are what times may look like; those without an offset are in the folder's time zone.
var timeLayouts = []string{time.RFC3339, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly}

// row is a row of a file with what its cells mean.
type row struct {
	l     *loader
	file  *File
	line  int
	cells []string
	where map[string]int // column to cell
	bad   string         // the first thing that is wrong with it
}

func (r *row) text(column string) string {
	if i, ok := r.where[column]; ok && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

func (r *row) wrong(format string, a ...any) {
	if r.bad == "" {
		r.bad = fmt.Sprintf(format, a...)
	}
}

// number reads a whole number; missing when the cell is empty.
func (r *row) number(column string, missing int64) int64 {
	text := r.text(column)
	if text == "" {
		return missing
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(text, ".0"), 10, 64)
	if err != nil || n > maxNumber || n < -maxNumber {
		r.wrong("%s %.40q is not a whole number up to %d", column, text, int64(maxNumber))
	}
	return n
}

const maxNumber = 1_000_000_000

// degrees reads a coordinate; nil when the cell is empty.
func (r *row) degrees(column string, limit float64) *float64 {
	text := r.text(column)
	if text == "" {
		return nil
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", "."), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > limit {
		r.wrong("%s %.40q is not a number of degrees up to %g", column, text, limit)
		return nil
	}
	return &f
}

// money reads an amount, like 12.34 or 12,34; ok is false when the cell is empty.
func (r *row) money(column string) (minor int64, ok bool) {
	text := r.text(column)
	if text == "" {
		return 0, false
	}
	n, err := money.Parse(decimal(text), r.l.currency)
	if err != nil || n < 0 || n > maxAmount {
		r.wrong("%s %.40q is not an amount of %s like 12.34, at least 0", column, text, r.l.currency)
		return 0, false
	}
	return n, true
}

const maxAmount = 1_000_000_000_00

// decimal reads a comma as the decimal sign when nothing else can be meant.
func decimal(text string) string {
	if strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		return strings.Replace(text, ",", ".", 1)
	}
	return text
}

// time reads a moment; zero when the cell is empty.
func (r *row) time(column string) time.Time {
	text := r.text(column)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, r.l.zone); err == nil && t.Year() >= 1971 && t.Year() < 9999 {
			return t.UTC()
		}
	}
	r.wrong("%s %.40q is not a time like 2026-11-26 15:04 or 2026-11-26T15:04:00Z", column, text)
	return time.Time{}
}

// each calls f for every row of a file, and counts what columns lack and which rows are wrong. Absent files
// have no rows.
func (l *loader) each(ctx context.Context, name string, f func(r *row)) error {
	spec := file(name)
	in, err := os.Open(filepath.Join(l.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		if spec.Need {
			return fmt.Errorf("%s is not there: %s; every row is %s, with the columns %s", name, "it is necessary", spec.Row, strings.Join(needed(spec), ", "))
		}
		l.absent[name] = true
		if spec.Matters != "" {
			l.find(name, "the file is not there", spec.Default, 0, 0, spec.Matters, spec.Why)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	return l.rows(ctx, spec, in, f)
}

func needed(spec *File) []string {
	var names []string
	for _, c := range spec.Columns {
		if c.Need {
			names = append(names, c.Name)
		}
	}
	return names
}

func (l *loader) rows(ctx context.Context, spec *File, in io.Reader, f func(r *row)) error {
	c, header, first, err := openCSV(spec.Name, in)
	if err != nil {
		return err
	}
	r := row{l: l, file: spec, where: map[string]int{}}
	for i := range spec.Columns {
		column := &spec.Columns[i]
		at := slices.IndexFunc(header, func(h string) bool { return h == column.Name })
		if at < 0 {
			at = slices.IndexFunc(header, func(h string) bool { return slices.Contains(column.Aliases, h) })
		}
		if at >= 0 {
			r.where[column.Name] = at
		} else if column.Need {
			return fmt.Errorf("%s:%d: no column %s (or %s); the file has %s: rename the one that is meant", spec.Name, first,
				column.Name, strings.Join(column.Aliases, ", "), strings.Join(header, ", "))
		}
	}
	var count int64
	empty := make([]int64, len(spec.Columns))
	for {
		cells, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w; mend the file's quotes, or export it again", spec.Name, err)
		}
		if count%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		count++
		r.line, _ = c.FieldPos(0)
		r.cells, r.bad = cells, ""
		for i := range spec.Columns {
			if column := &spec.Columns[i]; r.text(column.Name) == "" {
				empty[i]++
				if column.Need {
					r.wrong("%s is empty", column.Name)
				}
			}
		}
		if r.bad == "" {
			f(&r)
		}
		if r.bad != "" {
			l.badRow(spec.Name, r.line, r.bad)
		}
	}
	l.counts[spec.Name] = count
	for i, n := range empty {
		if column := &spec.Columns[i]; n > 0 && column.Matters != "" {
			l.find(spec.Name+" "+column.Name, "it is empty or not there", column.Default, n, count, column.Matters, column.Why)
		}
	}
	return nil
}

// openCSV reads the header: names are lower case with underscores. Lines that begin with # are comments.
func openCSV(name string, in io.Reader) (c *csv.Reader, header []string, line int, err error) {
	b := bufio.NewReaderSize(in, 1<<16)
	if bom, _ := b.Peek(3); string(bom) == "\xef\xbb\xbf" {
		b.Discard(3)
	}
	c = csv.NewReader(b)
	c.Comma, c.Comment, c.FieldsPerRecord, c.ReuseRecord = separator(b), '#', -1, true
	cells, err := c.Read()
	if err == io.EOF {
		return nil, nil, 0, fmt.Errorf("%s: it is empty; its first line has to name the columns", name)
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s: %w; is it CSV, with the names of the columns in its first line?", name, err)
	}
	line, _ = c.FieldPos(0)
	for _, h := range cells {
		header = append(header, strings.ReplaceAll(strings.ToLower(strings.TrimSpace(h)), " ", "_"))
	}
	return c, header, line, nil
}

// separator is what stands between cells: that which the first line that is no comment has most of.
func separator(b *bufio.Reader) rune {
	head, _ := b.Peek(1 << 16)
	for line := range strings.Lines(string(head)) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		best := ','
		for _, s := range ";\t" {
			if strings.Count(line, string(s)) > strings.Count(line, string(best)) {
				best = s
			}
		}
		return best
	}
	return ','
}
