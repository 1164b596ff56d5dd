package postgres

import (
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
)

// Types of the columns that a table can have.
const (
	typeInt4  = pgtype.Int4OID
	typeInt8  = pgtype.Int8OID
	typeText  = pgtype.TextOID
	typeBytes = pgtype.ByteaOID
)

// spareParameters is the most parameters that a statement takes after the columns of its first table.
const spareParameters = 12

// arrayHeaderBytes is the length of the header of a one-dimensional array in
// PostgreSQL's binary format: dimensions, nulls, element type, length, lower bound.
const arrayHeaderBytes = 20

// table holds rows as one array per column, in PostgreSQL's binary format, ready to
// be sent as parameters of a statement that unnests them. Values are added from
// left to right, row after row. Written by hand because a batch has tens of
// thousands of values and the driver's general encoder takes several times as long.
type table struct {
	columns [][]byte
	at      int // column of the next value
	rows    int // complete rows
}

// Bytes of a value that a new table makes room for, its length included. A longer one only costs time.
const (
	usualTextBytes = 4 + 28
	usualByteBytes = 4 + 1400
)

// newTable returns an empty table with columns of the element types and room for some rows.
func newTable(rows int, types ...uint32) *table {
	t := &table{columns: make([][]byte, len(types), len(types)+spareParameters)}
	for i, oid := range types {
		value := usualTextBytes
		switch oid {
		case typeInt4:
			value = 4 + 4
		case typeInt8:
			value = 4 + 8
		case typeBytes:
			value = usualByteBytes
		}
		head := make([]byte, arrayHeaderBytes, arrayHeaderBytes+rows*value)
		binary.BigEndian.PutUint32(head[0:], 1) // dimensions
		binary.BigEndian.PutUint32(head[8:], oid)
		binary.BigEndian.PutUint32(head[16:], 1) // lower bound
		t.columns[i] = head
	}
	return t
}

// next returns the column of the next value.
func (t *table) next() *[]byte {
	c := &t.columns[t.at]
	if t.at++; t.at == len(t.columns) {
		t.at = 0
		t.rows++
	}
	return c
}

func (t *table) int4(v int32) {
	c := t.next()
	*c = binary.BigEndian.AppendUint32(append(*c, 0, 0, 0, 4), uint32(v))
}

func (t *table) int8(v int64) {
	c := t.next()
	*c = binary.BigEndian.AppendUint64(append(*c, 0, 0, 0, 8), uint64(v))
}

func (t *table) text(v string) {
	c := t.next()
	*c = append(binary.BigEndian.AppendUint32(*c, uint32(len(v))), v...)
}

func (t *table) bytes(v []byte) {
	c := t.next()
	*c = append(binary.BigEndian.AppendUint32(*c, uint32(len(v))), v...)
}

func (t *table) null() {
	c := t.next()
	*c = append(*c, 0xff, 0xff, 0xff, 0xff)
	(*c)[7] = 1 // the array has nulls
}

// parameters returns the arrays. The table must hold at least one row, and no more may be added.
func (t *table) parameters() [][]byte {
	for _, c := range t.columns {
		binary.BigEndian.PutUint32(c[12:], uint32(t.rows))
	}
	return t.columns
}

// int8Parameter is one bigint in binary format.
func int8Parameter(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

// decodeInt8 reads a bigint in binary format.
func decodeInt8(v []byte) (int64, error) {
	if len(v) != 8 {
		return 0, fmt.Errorf("postgres: bigint of %d bytes", len(v))
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}

// decodeInt8Array reads an array of bigints without nulls in binary format.
func decodeInt8Array(v []byte) ([]int64, error) {
	const value = 4 + 8
	if len(v) < arrayHeaderBytes || (len(v)-arrayHeaderBytes)%value != 0 {
		return nil, fmt.Errorf("postgres: array of bigints of %d bytes", len(v))
	}
	list := make([]int64, 0, len(v)/value)
	for v = v[arrayHeaderBytes:]; len(v) > 0; v = v[value:] {
		list = append(list, int64(binary.BigEndian.Uint64(v[4:])))
	}
	return list, nil
}
