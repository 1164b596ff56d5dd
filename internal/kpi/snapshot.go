package kpi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/network"
)

// Format is the version of what is counted and how it is written. Counters of another format cannot
// be read: they are counted anew from the log, so that no KPI is made of two meanings.
const Format = 1

// document is how Counters are written. Counts, keys and stages are written as numbers into the
// lists of names.
type document struct {
	Format     int                 `json:"format"`
	Orders     int64               `json:"orders"`
	Commands   int64               `json:"commands"`
	Unreadable int64               `json:"unreadable,omitempty"`
	First      network.Date        `json:"first"`
	Newest     network.Date        `json:"newest"`
	Detail     network.Date        `json:"detail_from"`
	Counts     []string            `json:"counts"`
	Stages     []string            `json:"stages"`
	Keys       map[string][]string `json:"keys"` // by kind
	Days       []json.RawMessage   `json:"days"` // ascending
}

type dayDocument struct {
	Day   network.Date   `json:"day"`
	Cells []cellDocument `json:"cells"` // by channel, location and currency
}

type cellDocument struct {
	Channel  string `json:"channel"`
	Location string `json:"location"`
	Currency string `json:"currency"`
	// Counts are pairs of a count and its sum, Keyed triples of a kind, a key and its sum.
	Counts []int64 `json:"n,omitempty"`
	Keyed  []int64 `json:"k,omitempty"`
	// Spent are, for each stage that was measured, its number and then pairs of a bucket and how many are in it.
	Spent [][]int64 `json:"t,omitempty"`
}

// Encode writes everything. Days that did not change since they were last written are not written anew.
func (c *Counters) Encode() ([]byte, error) {
	d := document{
		Format: Format, Orders: c.Orders, Commands: c.Commands, Unreadable: c.Unreadable, First: c.first, Newest: c.newest, Detail: c.detail,
		Counts: countNames[:], Stages: stageNames[:], Keys: map[string][]string{}, Days: []json.RawMessage{},
	}
	for k, keys := range c.keys {
		d.Keys[kindNames[k]] = keys
	}
	for _, on := range slices.Sorted(maps.Keys(c.days)) {
		x := c.days[on]
		if x.body == nil {
			body, err := json.Marshal(x.document(on))
			if err != nil {
				return nil, err
			}
			x.body = body
		}
		d.Days = append(d.Days, x.body)
	}
	return json.Marshal(&d)
}

func (d *day) document(on network.Date) dayDocument {
	out := dayDocument{Day: on, Cells: make([]cellDocument, 0, len(d.cells))}
	for _, p := range slices.SortedFunc(maps.Keys(d.cells), comparePlaces) {
		out.Cells = append(out.Cells, d.cells[p].document(p))
	}
	return out
}

func comparePlaces(a, b place) int {
	if c := strings.Compare(a.channel, b.channel); c != 0 {
		return c
	}
	if c := strings.Compare(a.location, b.location); c != 0 {
		return c
	}
	return strings.Compare(a.currency, b.currency)
}

func (x *cell) document(p place) cellDocument {
	out := cellDocument{Channel: p.channel, Location: p.location, Currency: p.currency}
	for i, n := range x.counts {
		if n != 0 {
			out.Counts = append(out.Counts, int64(i), n)
		}
	}
	for _, k := range x.keyed {
		out.Keyed = append(out.Keyed, int64(k.kind), int64(k.key), k.n)
	}
	for i, s := range x.spent {
		if len(s) == 0 {
			continue
		}
		row := make([]int64, 0, 1+2*len(s))
		row = append(row, int64(i))
		for _, b := range s {
			row = append(row, int64(b.at), int64(b.n))
		}
		out.Spent = append(out.Spent, row)
	}
	return out
}

// Decode reads what Encode wrote. Errors: another Format, or numbers that cannot be.
func Decode(body []byte) (*Counters, error) {
	var d document
	if err := jsonenc.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("kpi: %w", err)
	}
	if d.Format != Format {
		return nil, fmt.Errorf("kpi: the counters have format %d, not %d", d.Format, Format)
	}
	if !slices.Equal(d.Counts, countNames[:]) || !slices.Equal(d.Stages, stageNames[:]) {
		return nil, fmt.Errorf("kpi: the counters are of another version of the program")
	}
	c := New()
	c.Orders, c.Commands, c.Unreadable = d.Orders, d.Commands, d.Unreadable
	c.first, c.newest, c.detail = d.First, d.Newest, d.Detail
	for k, name := range kindNames {
		if len(d.Keys[name]) > MaxKeys {
			return nil, fmt.Errorf("kpi: %d keys of %s", len(d.Keys[name]), name)
		}
		for _, key := range d.Keys[name] {
			c.keyIDs[k][key] = uint16(len(c.keys[k]))
			c.keys[k] = append(c.keys[k], key)
		}
	}
	for _, text := range d.Days {
		var x dayDocument
		if err := jsonenc.Unmarshal(text, &x); err != nil {
			return nil, fmt.Errorf("kpi: %w", err)
		}
		cells := make(map[place]*cell, len(x.Cells))
		for i := range x.Cells {
			from := &x.Cells[i]
			into, err := c.cellOf(from)
			if err != nil {
				return nil, fmt.Errorf("kpi: %s, %s at %q: %w", x.Day, from.Channel, from.Location, err)
			}
			cells[place{from.Channel, from.Location, from.Currency}] = into
			c.entries += into.entries()
		}
		c.days[x.Day] = &day{cells: cells, body: slices.Clone(text)}
	}
	return c, nil
}

func (c *Counters) cellOf(d *cellDocument) (*cell, error) {
	x := new(cell)
	if len(d.Counts)%2 != 0 || len(d.Keyed)%3 != 0 {
		return nil, fmt.Errorf("counts and keys are not whole")
	}
	for pair := range slices.Chunk(d.Counts, 2) {
		if pair[0] < 0 || pair[0] >= int64(counts) {
			return nil, fmt.Errorf("no count %d", pair[0])
		}
		x.counts[pair[0]] = pair[1]
	}
	for t := range slices.Chunk(d.Keyed, 3) {
		if t[0] < 0 || t[0] >= int64(kinds) || t[1] < 0 || t[1] >= int64(len(c.keys[t[0]])) {
			return nil, fmt.Errorf("no key %d of kind %d", t[1], t[0])
		}
		x.addKey(kind(t[0]), uint16(t[1]), t[2])
	}
	for _, row := range d.Spent {
		if len(row)%2 != 1 || row[0] < 0 || row[0] >= int64(stages) {
			return nil, fmt.Errorf("a stage is not whole, or is none")
		}
		for b := range slices.Chunk(row[1:], 2) {
			if b[0] < 0 || b[0] > maxBucket || b[1] < 0 || b[1] > math.MaxUint32 {
				return nil, fmt.Errorf("no bucket %d of %d", b[0], b[1])
			}
			x.spent[row[0]].add(uint8(b[0]), uint32(b[1]))
		}
	}
	return x, nil
}

// MaxDifferences is how many Differences are named.
const MaxDifferences = 20

// Differences names what counters have counted otherwise than others, of the days both keep.
func (c *Counters) Differences(o *Counters) (out []string) {
	note := func(format string, args ...any) {
		if len(out) < MaxDifferences {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	if c.Orders != o.Orders || c.Commands != o.Commands || c.Unreadable != o.Unreadable {
		note("%d orders, %d commands and %d unreadable ones against %d, %d and %d", c.Orders, c.Commands, c.Unreadable, o.Orders, o.Commands, o.Unreadable)
	}
	a, b := New(), New()
	detail, newest := max(c.detail, o.detail), max(c.newest, o.newest)
	for _, x := range []struct{ into, from *Counters }{{a, c}, {b, o}} {
		x.into.advance(newest)
		x.into.detailFrom(detail)
		x.into.Add(x.from)
	}
	first := max(c.first, o.first)
	mine, theirs := a.flat(first), b.flat(first)
	names := maps.Clone(mine)
	maps.Copy(names, theirs)
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if mine[k] != theirs[k] {
			note("%s: %d against %d", k, mine[k], theirs[k])
		}
	}
	return out
}

// flat names every number from a day on.
func (c *Counters) flat(first network.Date) map[string]int64 {
	out := map[string]int64{}
	for on, d := range c.days {
		if on < first {
			continue
		}
		for p, x := range d.cells {
			at := fmt.Sprintf("%s %q %q %s ", on, p.channel, p.location, p.currency)
			for i, n := range x.counts {
				if n != 0 {
					out[at+countNames[i]] = n
				}
			}
			for _, k := range x.keyed {
				out[at+kindNames[k.kind]+" "+c.keys[k.kind][k.key]] = k.n
			}
			for i, s := range x.spent {
				for _, b := range s {
					out[fmt.Sprintf("%s%s %d", at, stageNames[i], b.at)] = int64(b.n)
				}
			}
		}
	}
	return out
}
