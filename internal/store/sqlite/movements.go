package sqlite

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/orderly-oms/orderly/internal/inventory"
)

// appendMovements writes movements as JSON: an array of
// [sku, location, from, to, quantity, reason].
func appendMovements(b []byte, movements []inventory.Movement) []byte {
	b = append(b, '[')
	for i := range movements {
		m := &movements[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = append(appendString(b, m.SKU), ',')
		b = append(appendString(b, m.Location), ',')
		b = append(appendString(b, string(m.From)), ',')
		b = append(appendString(b, string(m.To)), ',')
		b = append(strconv.AppendInt(b, m.Quantity, 10), ',')
		b = append(appendString(b, m.Reason), ']')
	}
	return append(b, ']')
}

// appendString writes a JSON string. It escapes only what JSON demands, so that
// every byte sequence, valid UTF-8 or not, is read back as it was.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// parseMovements reads what appendMovements wrote; nil for none.
func parseMovements(b []byte) ([]inventory.Movement, error) {
	p := movementParser{rest: b}
	p.expect('[')
	var movements []inventory.Movement
	for p.more(len(movements)) {
		var m inventory.Movement
		p.expect('[')
		m.SKU = p.text()
		p.expect(',')
		m.Location = p.text()
		p.expect(',')
		m.From = account(p.text())
		p.expect(',')
		m.To = account(p.text())
		p.expect(',')
		m.Quantity = p.number()
		p.expect(',')
		m.Reason = p.text()
		p.expect(']')
		movements = append(movements, m)
	}
	if p.bad || len(p.rest) > 0 {
		return nil, fmt.Errorf("sqlite: movements of a log row are not readable: %.80q", b)
	}
	return movements, nil
}

type movementParser struct {
	rest []byte
	bad  bool
}

func (p *movementParser) expect(c byte) {
	if len(p.rest) == 0 || p.rest[0] != c {
		p.bad = true
		return
	}
	p.rest = p.rest[1:]
}

// more reports whether another movement follows the n read so far, and takes
// the comma before it or the bracket that ends the list.
func (p *movementParser) more(n int) bool {
	switch {
	case p.bad || len(p.rest) == 0:
		p.bad = true
		return false
	case p.rest[0] == ']':
		p.rest = p.rest[1:]
		return false
	case n > 0:
		p.expect(',')
	}
	return !p.bad
}

func (p *movementParser) text() string {
	p.expect('"')
	escaped := false
	for i := 0; i < len(p.rest) && !p.bad; i++ {
		switch p.rest[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			raw := p.rest[:i]
			p.rest = p.rest[i+1:]
			if !escaped {
				return string(raw)
			}
			return p.unescape(raw)
		}
	}
	p.bad = true
	return ""
}

func (p *movementParser) unescape(raw []byte) string {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] != '\\':
			out = append(out, raw[i])
		case i+5 < len(raw) && raw[i+1] == 'u':
			c, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 8)
			p.bad = p.bad || err != nil
			out = append(out, byte(c))
			i += 5
		case i+1 < len(raw):
			out = append(out, raw[i+1])
			i++
		}
	}
	return string(out)
}

func (p *movementParser) number() int64 {
	i := 0
	for i < len(p.rest) && (p.rest[i] == '-' || p.rest[i] >= '0' && p.rest[i] <= '9') {
		i++
	}
	n, err := strconv.ParseInt(string(p.rest[:i]), 10, 64)
	p.bad = p.bad || err != nil
	p.rest = p.rest[i:]
	return n
}

// account returns the name of an account, without a copy of its own for those that are known.
func account(name string) inventory.Account {
	switch inventory.Account(name) {
	case inventory.Free:
		return inventory.Free
	case inventory.Reserved:
		return inventory.Reserved
	case inventory.Allocated:
		return inventory.Allocated
	case inventory.Picked:
		return inventory.Picked
	}
	return inventory.Account(name)
}

func parseHeader(text string) (header map[string]string, err error) {
	err = json.Unmarshal([]byte(text), &header)
	return header, err
}
