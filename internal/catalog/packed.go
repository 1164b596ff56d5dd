package catalog

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/orderly-oms/orderly/internal/money"
)

// A SKU is kept in memory as one string: a byte of flags, the id, and then only
// the fields it has. One allocation without pointers costs a quarter of the
// struct, and reading it copies no text: the strings of an unpacked SKU are parts
// of the packed one.

// Flags: which fields follow.
const (
	hasName = 1 << iota
	hasCodes
	hasSize
	hasPrice
	hasComponents
	hasGroups // tags, category
	hasActive
	hasAttributes
)

// pack writes a valid SKU.
func pack(s *SKU) string {
	var flags byte
	set := func(flag byte, when bool) bool {
		if when {
			flags |= flag
		}
		return when
	}
	b := appendText([]byte{0}, s.SKU)
	if set(hasName, s.Name != "") {
		b = appendText(b, s.Name)
	}
	if set(hasCodes, s.GTIN != "" || len(s.Barcodes) > 0) {
		b = appendTexts(appendText(b, s.GTIN), s.Barcodes)
	}
	if set(hasSize, s.WeightG|s.LengthMM|s.WidthMM|s.HeightMM != 0) {
		for _, n := range [...]int64{s.WeightG, s.LengthMM, s.WidthMM, s.HeightMM} {
			b = binary.AppendVarint(b, n)
		}
	}
	if set(hasPrice, s.Price != nil) {
		b = appendText(binary.AppendVarint(b, s.Price.Amount), s.Price.Currency)
	}
	if set(hasComponents, len(s.Components) > 0) {
		b = binary.AppendVarint(b, int64(len(s.Components)))
		for _, c := range s.Components {
			b = binary.AppendVarint(appendText(b, c.SKU), c.Quantity)
		}
	}
	if set(hasGroups, len(s.Tags) > 0 || s.Category != "") {
		b = appendText(appendTexts(b, s.Tags), s.Category)
	}
	if set(hasActive, s.Active != nil) {
		active := int64(0)
		if *s.Active {
			active = 1
		}
		b = binary.AppendVarint(b, active)
	}
	if set(hasAttributes, len(s.Attributes) > 0) {
		b = binary.AppendVarint(b, int64(len(s.Attributes)))
		for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
			b = appendText(appendText(b, name), s.Attributes[name])
		}
	}
	b[0] = flags
	return string(b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendVarint(b, int64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// unpacker reads what pack wrote, from the front of rest.
type unpacker struct{ rest string }

// unpack is the reverse of pack.
func unpack(packed string) SKU {
	flags, u := packed[0], unpacker{packed[1:]}
	s := SKU{SKU: u.text()}
	if flags&hasName != 0 {
		s.Name = u.text()
	}
	if flags&hasCodes != 0 {
		s.GTIN, s.Barcodes = u.text(), u.texts()
	}
	if flags&hasSize != 0 {
		s.WeightG, s.LengthMM, s.WidthMM, s.HeightMM = u.number(), u.number(), u.number(), u.number()
	}
	if flags&hasPrice != 0 {
		s.Price = &money.Money{Amount: u.number(), Currency: u.text()}
	}
	if flags&hasComponents != 0 {
		s.Components = make([]Component, u.number())
		for i := range s.Components {
			s.Components[i] = Component{SKU: u.text(), Quantity: u.number()}
		}
	}
	if flags&hasGroups != 0 {
		s.Tags, s.Category = u.texts(), u.text()
	}
	if flags&hasActive != 0 {
		active := u.number() == 1
		s.Active = &active
	}
	if flags&hasAttributes != 0 {
		n := u.number()
		s.Attributes = make(map[string]string, n)
		for range n {
			name := u.text()
			s.Attributes[name] = u.text()
		}
	}
	return s
}

// key is the id of a packed SKU, as a part of it.
func key(packed string) string {
	u := unpacker{packed[1:]}
	return u.text()
}

// isKit reports whether a packed SKU has components.
func isKit(packed string) bool { return packed[0]&hasComponents != 0 }

// number reads a varint as encoding/binary writes it.
func (u *unpacker) number() int64 {
	var bits uint64
	for i := 0; ; i++ {
		b := u.rest[i]
		bits |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			u.rest = u.rest[i+1:]
			return int64(bits>>1) ^ -int64(bits&1)
		}
	}
}

func (u *unpacker) text() string {
	n := u.number()
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

func (u *unpacker) texts() []string {
	n := u.number()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = u.text()
	}
	return list
}
