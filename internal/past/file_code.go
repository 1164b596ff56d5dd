package past

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// coder writes or reads values in the same order, so that one function per type serves both directions
// and the two cannot differ. Numbers are varints. Strings are written out once in a block and
// by number after that.
//
// A read beyond the end or of something impossible sets bad, and gives zero values from then on.
type coder struct {
	reading bool
	buf     []byte
	at      int // where reading is
	bad     bool
	// odd is set by writing something that cannot be read back as it is.
	odd bool

	index   map[string]uint64 // when writing
	strings []string          // when reading; when writing, the first len(index) in their order
	shared  map[string]string // strings of earlier blocks, when reading: the same ones come again and again
}

// maxShared bounds how many strings are shared between blocks.
const maxShared = 1 << 16

// reset begins a block.
func (c *coder) reset(buf []byte) {
	c.buf, c.at, c.bad, c.odd = buf, 0, false, false
	clear(c.index)
	c.strings = c.strings[:0]
}

// mark and back undo what was written since.
func (c *coder) mark() (size, strings int) { return len(c.buf), len(c.strings) }

func (c *coder) back(size, strings int) {
	c.buf, c.odd = c.buf[:size], false
	for _, s := range c.strings[strings:] {
		delete(c.index, s)
	}
	c.strings = c.strings[:strings]
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	*v = c.readUint()
}

func (c *coder) readUint() uint64 {
	if c.at < len(c.buf) && c.buf[c.at] < 0x80 {
		c.at++
		return uint64(c.buf[c.at-1])
	}
	x, n := binary.Uvarint(c.buf[c.at:])
	if n <= 0 {
		c.fail()
		return 0
	}
	c.at += n
	return x
}

func (c *coder) fail() { c.bad, c.at = true, len(c.buf) }

func (c *coder) int(v *int64) {
	u := uint64(*v<<1) ^ uint64(*v>>63)
	c.uint(&u)
	*v = int64(u>>1) ^ -int64(u&1)
}

func (c *coder) small(v *int) {
	x := int64(*v)
	c.int(&x)
	*v = int(x)
}

// fixed is eight bytes, for what is spread evenly.
func (c *coder) fixed(v *uint64) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint64(c.buf, *v)
		return
	}
	if len(c.buf)-c.at < 8 {
		c.fail()
		*v = 0
		return
	}
	*v = binary.BigEndian.Uint64(c.buf[c.at:])
	c.at += 8
}

func (c *coder) float(v *float64) {
	u := math.Float64bits(*v)
	if *v == 0 && u != 0 { // −0
		c.odd = true
	}
	is := *v != 0
	if c.bool(&is); is {
		c.fixed(&u)
		*v = math.Float64frombits(u)
		return
	}
	*v = 0
}

func (c *coder) bool(v *bool) {
	if !c.reading {
		b := byte(0)
		if *v {
			b = 1
		}
		c.buf = append(c.buf, b)
		return
	}
	*v = c.readUint() == 1
}

// count is the length of a list; each item takes at least a byte, which bounds what a damaged length can make.
func (c *coder) count(n int) int {
	u := uint64(n)
	c.uint(&u)
	if c.reading && u > uint64(len(c.buf)-c.at) {
		c.fail()
		return 0
	}
	return int(u)
}

// raw is a string that is not likely to come again.
func (c *coder) raw(s *string) {
	n := c.count(len(*s))
	if !c.reading {
		c.buf = append(c.buf, *s...)
		return
	}
	*s = string(c.buf[c.at : c.at+n])
	c.at += n
}

// bytes keeps nil and empty apart.
func (c *coder) bytes(b *[]byte) {
	is := *b != nil
	if c.bool(&is); !is {
		*b = nil
		return
	}
	n := c.count(len(*b))
	if !c.reading {
		c.buf = append(c.buf, *b...)
		return
	}
	*b = append(make([]byte, 0, n), c.buf[c.at:c.at+n]...)
	c.at += n
}

// word is a string that comes again: 0 is "", 1 a new one that follows, n+2 the n-th of the block.
func (c *coder) word(s *string) {
	if !c.reading {
		c.writeWord(*s)
		return
	}
	switch u := c.readUint(); {
	case u == 0:
		*s = ""
	case u == 1:
		n := c.count(0)
		*s = c.share(c.buf[c.at : c.at+n])
		c.at += n
		c.strings = append(c.strings, *s)
	case u-2 < uint64(len(c.strings)):
		*s = c.strings[u-2]
	default:
		c.fail()
		*s = ""
	}
}

func (c *coder) writeWord(s string) {
	if s == "" {
		c.buf = append(c.buf, 0)
		return
	}
	if i, ok := c.index[s]; ok {
		c.buf = binary.AppendUvarint(c.buf, i+2)
		return
	}
	c.index[s] = uint64(len(c.strings))
	c.strings = append(c.strings, s)
	c.buf = append(c.buf, 1)
	c.raw(&s)
}

func (c *coder) share(b []byte) string {
	if s, ok := c.shared[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(c.shared) < maxShared {
		c.shared[s] = s
	}
	return s
}

// time keeps the moment, in UTC. 0 is the zero time.
func (c *coder) time(t *time.Time, since int64) {
	if !c.reading {
		if t.IsZero() {
			c.odd = c.odd || t.Location() != time.UTC
			c.buf = append(c.buf, 0)
			return
		}
		c.odd = c.odd || t.Location() != time.UTC
		d := t.Unix() - since
		c.buf = binary.AppendUvarint(c.buf, uint64(d<<1)^uint64(d>>63)+1)
		c.buf = binary.AppendUvarint(c.buf, uint64(t.Nanosecond()))
		return
	}
	u := c.readUint()
	if u == 0 {
		*t = time.Time{}
		return
	}
	u--
	d := int64(u>>1) ^ -int64(u&1)
	*t = time.Unix(since+d, int64(c.readUint())).UTC()
}

// list is a list whose items are coded by f; nil and empty are kept apart.
func list[T any](c *coder, s *[]T, f func(*T)) {
	n := len(*s) + 1
	if *s == nil {
		n = 0
	}
	u := uint64(n)
	if c.uint(&u); c.reading && u > uint64(len(c.buf)-c.at)+1 { // as in count
		c.fail()
		u = 0
	}
	if n = int(u); n == 0 {
		*s = nil
		return
	}
	if c.reading {
		*s = make([]T, n-1)
	}
	for i := range *s {
		f(&(*s)[i])
		if c.bad {
			return
		}
	}
}

// some is a value that may be missing.
func some[T any](c *coder, v **T, f func(*T)) {
	is := *v != nil
	if c.bool(&is); !is {
		*v = nil
		return
	}
	if c.reading {
		*v = new(T)
	}
	f(*v)
}

// table is a map of words, in the order of its keys; nil and empty are kept apart.
func table[T any](c *coder, m *map[string]T, f func(*T)) {
	is := *m != nil
	if c.bool(&is); !is {
		*m = nil
		return
	}
	n := c.count(len(*m))
	if !c.reading {
		keys := make([]string, 0, n)
		for k := range *m {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			v := (*m)[k]
			c.word(&k)
			f(&v)
		}
		return
	}
	*m = make(map[string]T, n)
	for range n {
		var k string
		var v T
		c.word(&k)
		f(&v)
		if c.bad {
			return
		}
		(*m)[k] = v
	}
}
