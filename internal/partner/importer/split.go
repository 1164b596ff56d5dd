package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// splitter cuts its input into JSON objects without holding more than one: it
// knows braces, brackets and strings, and leaves the rest of the grammar to the
// decoder, so that one malformed object does not end the reading.
type splitter struct {
	r       *bufio.Reader
	line    int // of the next byte, from 1
	inArray bool
	begun   bool // something was read before, in this array
	ended   bool // the array was closed
}

func newSplitter(r io.Reader) *splitter {
	s := &splitter{r: bufio.NewReaderSize(r, 64<<10), line: 1}
	if mark, err := s.r.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = s.r.Discard(len(mark)) // a byte order mark; Peek has buffered it, so this cannot fail
	}
	return s
}

// next returns the next object and the line where it begins, or io.EOF.
func (s *splitter) next() (raw []byte, line int, err error) {
	comma := false
	for {
		c, err := s.skipSpace()
		switch {
		case err == io.EOF && s.inArray:
			return nil, 0, fmt.Errorf("%w: line %d: the array is not closed", ErrSyntax, s.line)
		case err != nil:
			return nil, 0, err
		case c == '{' && !s.ended && (!s.inArray || comma == s.begun):
			s.begun = true
			line = s.line
			raw, err = s.object()
			return raw, line, err
		case c == '[' && !s.inArray && !s.begun:
			s.inArray = true
		case c == ',' && s.inArray && s.begun && !comma:
			comma = true
		case c == ']' && s.inArray && !comma:
			s.inArray, s.begun, s.ended = false, true, true
		default:
			return nil, 0, fmt.Errorf("%w: line %d: unexpected %q", ErrSyntax, s.line, c)
		}
	}
}

func (s *splitter) skipSpace() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		default:
			return c, nil
		}
	}
}

// object reads on to the brace that closes the one just read.
func (s *splitter) object() ([]byte, error) {
	raw := []byte{'{'}
	n := nesting{depth: 1}
	for n.depth > 0 {
		if _, err := s.r.Peek(1); err == io.EOF {
			return nil, fmt.Errorf("%w: line %d: the object is not closed", ErrSyntax, s.line)
		} else if err != nil {
			return nil, err
		}
		chunk, _ := s.r.Peek(s.r.Buffered()) // what is buffered can be had
		used := n.scan(chunk)
		if len(raw)+used > MaxContainerBytes {
			return nil, fmt.Errorf("line %d: %w", s.line, ErrTooLarge)
		}
		raw = append(raw, chunk[:used]...)
		s.line += bytes.Count(chunk[:used], []byte{'\n'})
		_, _ = s.r.Discard(used)
	}
	return raw, nil
}

// nesting is where in an object a byte is.
type nesting struct {
	depth           int
	quoted, escaped bool
}

// scan goes on to the end of the object or of the chunk and returns the bytes it went.
func (n *nesting) scan(chunk []byte) int {
	for i, c := range chunk {
		switch {
		case n.escaped:
			n.escaped = false
		case c == '\\':
			n.escaped = n.quoted
		case c == '"':
			n.quoted = !n.quoted
		case n.quoted:
		case c == '{' || c == '[':
			n.depth++
		case c == '}' || c == ']':
			if n.depth--; n.depth == 0 {
				return i + 1
			}
		}
	}
	return len(chunk)
}

// maxWrappers bounds how deep documents are wrapped: a list of orders, each in a
// recorded webhook, is two.
const maxWrappers = 2

// unwrap yields the documents in an object: itself, or those of the wrappers
// that platforms and their recorders put around documents.
func unwrap(format string, raw []byte) iter.Seq[*document] {
	return func(yield func(*document) bool) { unwrapInto(format, "", raw, maxWrappers, yield) }
}

func unwrapInto(format, topic string, raw json.RawMessage, wrappers int, yield func(*document) bool) bool {
	var fields map[string]json.RawMessage
	if wrappers == 0 || json.Unmarshal(raw, &fields) != nil {
		return yield(&document{topic: topic, raw: raw})
	}
	if format == "woocommerce" && isBatch(fields) {
		for _, part := range [...]struct{ key, topic string }{
			{"create", "batch.create"}, {"update", "batch.update"}, {"delete", "batch.delete"},
		} {
			if !unwrapList(format, part.topic, fields[part.key], wrappers-1, yield) {
				return false
			}
		}
		return true
	}
	if format == "shopify" {
		if inner, name := fields["response"], textOf(fields["name"]); isObject(inner) && name != "" && len(name) <= MaxTopicBytes {
			return unwrapInto(format, name, inner, wrappers-1, yield)
		}
		if len(fields) == 1 && isObject(fields["order"]) {
			return unwrapInto(format, topic, fields["order"], wrappers-1, yield)
		}
		if len(fields) == 1 && isList(fields["orders"]) {
			return unwrapList(format, topic, fields["orders"], wrappers-1, yield)
		}
	}
	return yield(&document{topic: topic, raw: raw, fields: fields})
}

func unwrapList(format, topic string, raw json.RawMessage, wrappers int, yield func(*document) bool) bool {
	var entries []json.RawMessage
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &entries) // a list that was read before as part of a whole: cannot fail
	}
	for _, entry := range entries {
		if !unwrapInto(format, topic, entry, wrappers, yield) {
			return false
		}
	}
	return true
}

// isBatch reports an answer to a batch update: lists named create, update, delete and nothing else.
func isBatch(fields map[string]json.RawMessage) bool {
	for key, value := range fields {
		if (key != "create" && key != "update" && key != "delete") || !isList(value) {
			return false
		}
	}
	return len(fields) > 0
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }
func isList(raw json.RawMessage) bool   { return len(raw) > 0 && raw[0] == '[' }
