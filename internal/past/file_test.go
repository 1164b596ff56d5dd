package past

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"pgregory.net/rapid"
)

var day = time.Date(2026, 11, 2, 8, 0, 0, 123456000, time.UTC)

var (
	words  = rapid.SampledFrom([]string{"", "dc-1", "s4", "SKU-1", "dhl/std", "ü\x00", "history@12"})
	number = rapid.Int64()
	moment = rapid.Custom(func(t *rapid.T) time.Time {
		switch rapid.IntRange(0, 5).Draw(t, "moment") {
		case 0:
			return time.Time{}
		case 1:
			return time.Unix(rapid.Int64Range(-60_000_000_000, 200_000_000_000).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		}
		return day.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "d")))
	})
	quantities = rapid.OneOf(rapid.Just[[]order.LineQuantity](nil), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) order.LineQuantity {
		return order.LineQuantity{Line: words.Draw(t, "line"), Quantity: number.Draw(t, "q"), Short: number.Draw(t, "short"), Picked: number.Draw(t, "picked")}
	}), 0, 3))
	movements = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) inventory.Movement {
		return inventory.Movement{SKU: words.Draw(t, "sku"), Location: words.Draw(t, "at"), From: inventory.Free, To: inventory.Allocated, Quantity: number.Draw(t, "q"), Reason: words.Draw(t, "why")}
	}), 0, 3)
	promises = rapid.Custom(func(t *rapid.T) order.Promise {
		return order.Promise{ShipBy: moment.Draw(t, "ship"), DeliverBy: moment.Draw(t, "deliver"), Calendar: moment.Draw(t, "calendar"), Probability: rapid.Float64().Draw(t, "p"), Policy: words.Draw(t, "policy")}
	})
)

// orders are those that come often, and some with what is rare.
func orders(t *rapid.T) *order.Order {
	o := &order.Order{
		ID: words.Draw(t, "id"), Version: number.Draw(t, "version"), Channel: words.Draw(t, "channel"), ExternalID: words.Draw(t, "external"),
		Status: order.StatusOpen, PlacedAt: moment.Draw(t, "placed"), CreatedAt: moment.Draw(t, "created"), WantedBy: moment.Draw(t, "wanted"),
		Currency: "EUR", Method: order.Ship, Service: words.Draw(t, "service"), RequiredLocation: words.Draw(t, "required"),
		Customer: order.Customer{ID: words.Draw(t, "customer"), Name: words.Draw(t, "name")}, Discount: number.Draw(t, "discount"),
		Totals: order.Totals{Total: number.Draw(t, "total")}, Promise: promises.Draw(t, "promise"), Note: words.Draw(t, "note"), Attempts: 3,
		Fingerprint: words.Draw(t, "print"), Fulfillments: []order.Fulfillment{}, Lines: []order.Line{},
	}
	for range rapid.IntRange(0, 3).Draw(t, "lines") {
		l := order.Line{ID: words.Draw(t, "id"), SKU: words.Draw(t, "sku"), Quantity: number.Draw(t, "q"), UnitPrice: number.Draw(t, "price"), Backordered: number.Draw(t, "back")}
		if rapid.Bool().Draw(t, "parts") {
			l.Parts = []inventory.Part{{SKU: words.Draw(t, "part"), Quantity: 2}}
			l.Kit = &order.KitRef{Line: "1", SKU: "KIT", Quantity: 1, PerKit: 2}
		}
		o.Lines = append(o.Lines, l)
	}
	if rapid.Bool().Draw(t, "address") {
		at := rapid.Float64().Draw(t, "latitude")
		o.ShipTo = &network.Address{City: words.Draw(t, "city"), Country: "DE", Latitude: &at}
	}
	if rapid.Bool().Draw(t, "more") {
		o.Attributes = map[string]string{"a": words.Draw(t, "a"), words.Draw(t, "k"): "v"}
		o.Tenders = []order.Tender{{Type: "card", Amount: 5, Reference: "r"}}
		o.Flow = &order.FlowState{Flow: "f@1", State: "s", Since: moment.Draw(t, "since"), Timers: []order.FlowTimer{{Name: "t", At: day}}}
	}
	switch rapid.IntRange(0, 4).Draw(t, "unusual") {
	case 0:
		o.Holds, o.HoldCount = []order.Hold{{ID: "h1", Reason: "fraud"}}, 1
	case 1:
		o.Fulfillments = []order.Fulfillment{{ID: "f1", Location: "dc-1", Lines: []order.FulfillmentLine{{Line: "1", Quantity: 1}}, CreatedAt: day}}
	case 2:
		o.Lines = append(o.Lines, order.Line{ID: "g", SKU: "G", Gift: &order.Gift{Wrap: true}})
	}
	return o
}

func entries(t *rapid.T) []Entry {
	at := day
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Entry {
		at = at.Add(time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "later")))
		e := Entry{At: at}
		switch rapid.IntRange(1, kindStep).Draw(t, "kind") {
		case kindDocument:
			e.Document = &Document{Kind: "location", ID: words.Draw(t, "id"), Removed: rapid.Bool().Draw(t, "removed"), JSON: rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOf(rapid.Byte())).Draw(t, "json")}
		case kindPolicy:
			e.Policy = &Policy{Kind: "sourcing", Name: words.Draw(t, "name"), Version: number.Draw(t, "version"), From: moment.Draw(t, "from"), Withdrawn: rapid.Bool().Draw(t, "withdrawn"), Text: words.Draw(t, "text")}
		case kindLearned:
			e.Learned = &Learned{ID: "history", Version: number.Draw(t, "version"), State: []byte(words.Draw(t, "state"))}
		case kindStock:
			safety := number.Draw(t, "safety")
			e.Stock = []Stock{{PositionKey: inventory.PositionKey{SKU: words.Draw(t, "sku"), Location: "s4"}, Delta: inventory.Delta{OnHand: number.Draw(t, "n"), Picked: -1}, Safety: &safety, Why: "count"}, {Why: "sale"}}
		case kindDecision:
			e.Decision = decisions(t)
		case kindStep:
			e.Step = &Step{Order: number.Draw(t, "order"), Kind: StepRejected, Fulfillment: rapid.Int().Draw(t, "f"), Lines: quantities.Draw(t, "lines"), Lost: rapid.Bool().Draw(t, "lost"),
				Exclude: rapid.Bool().Draw(t, "exclude"), Seconds: number.Draw(t, "s"), Reason: words.Draw(t, "why"), Moves: movements.Draw(t, "moves")}
		}
		return e
	}), 0, 20).Draw(t, "entries")
}

func decisions(t *rapid.T) *Decision {
	d := &Decision{Order: number.Draw(t, "order"), First: rapid.Bool().Draw(t, "first"), Asked: rapid.Bool().Draw(t, "asked"), Reject: rapid.Bool().Draw(t, "reject"), Joint: rapid.Bool().Draw(t, "joint"),
		Unplaced: quantities.Draw(t, "unplaced"), Waiting: words.Draw(t, "waiting"), Moves: movements.Draw(t, "moves"), Bucket: 3, Seq: number.Draw(t, "seq"),
		Facts: rapid.SliceOfN(words, 0, 2).Draw(t, "facts"), Hashes: rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(t, "hashes")}
	if rapid.IntRange(0, 9).Draw(t, "state") > 0 {
		d.State = orders(t)
	}
	if rapid.Bool().Draw(t, "held") {
		d.Held = []byte("{}")
	}
	if rapid.Bool().Draw(t, "placed") {
		d.Placed = []Placed{{Location: words.Draw(t, "at"), Service: words.Draw(t, "service"), Via: words.Draw(t, "via"), Lines: quantities.Draw(t, "lines"), Cost: number.Draw(t, "cost"), Promise: promises.Draw(t, "promise")}}
	}
	return d
}

func readAll(r Reader) ([]Entry, error) {
	var out []Entry
	for {
		var e Entry
		if err := r.Next(&e); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return out, errors.Join(err, r.Close())
		}
		out = append(out, e)
	}
}

// What is read is what was written before the last commit, over any number of commits and openings.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		list := entries(t)
		w, err := Create(path, Header{Source: "log", Origin: "x"})
		if err != nil {
			t.Fatal(err)
		}
		committed, pending := []Entry{}, []Entry{}
		for i := range list {
			if err := w.Write(&list[i]); err != nil {
				t.Fatal(err)
			}
			pending = append(pending, list[i])
			switch rapid.IntRange(0, 6).Draw(t, "then") {
			case 0:
				if err := w.Commit(&Header{Source: "log", Origin: "x", Orders: int64(i)}); err != nil {
					t.Fatal(err)
				}
				committed, pending = append(committed, pending...), nil
			case 1: // a crash
				_ = w.Close()
				if w, err = Append(path); err != nil {
					t.Fatal(err)
				}
				pending = nil
			}
		}
		_ = w.Close()
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(committed) {
			t.Fatalf("%d entries of %d", len(got), len(committed))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], committed[i]) {
				t.Fatalf("entry %d\n got %#v %s\nwant %#v %s", i, got[i], show(&got[i]), committed[i], show(&committed[i]))
			}
		}
	})
}

func show(e *Entry) string {
	if e.Decision == nil {
		return ""
	}
	return fmt.Sprintf("%+v %+v", e.Decision, e.Decision.State)
}

// history writes entries of a few days to memory and returns the file.
func history(tb testing.TB, orders int) (*memoryFile, []Entry) {
	f := &memoryFile{}
	w, err := begin(f, &Header{Source: "log"})
	if err != nil {
		tb.Fatal(err)
	}
	var all []Entry
	for i := range orders {
		at := day.Add(time.Duration(i) * time.Second)
		sku, id := fmt.Sprint("SKU-", i%5000), fmt.Sprintf("01K9Z3ABCDEFGHJKMNPQRST%05d", i)
		o := &order.Order{
			ID: id, Version: 1, Channel: "web", ExternalID: "W-" + id, Status: order.StatusOpen, PlacedAt: at, CreatedAt: at, UpdatedAt: at, Currency: "EUR", Method: order.Ship, Service: "dhl/std",
			Customer: order.Customer{ID: "c" + id, Name: "Ada Lovelace"}, ShipTo: &network.Address{Name: "Ada Lovelace", Line1: "Street 1", City: "Berlin", PostalCode: fmt.Sprint(10000 + i%3000), Country: "DE"},
			Lines:  []order.Line{{ID: "1", SKU: sku, Quantity: 1, UnitPrice: 1999, Total: 1999}, {ID: "2", SKU: sku + "b", Quantity: 2, UnitPrice: 999, Total: 1998}},
			Totals: order.Totals{Subtotal: 3997, Total: 3997}, Fulfillments: []order.Fulfillment{}, Fingerprint: id,
		}
		lines := []order.LineQuantity{{Line: "1", Quantity: 1}, {Line: "2", Quantity: 2}}
		moves := []inventory.Movement{{SKU: sku, Location: "dc-1", From: inventory.Free, To: inventory.Allocated, Quantity: 1}, {SKU: sku + "b", Location: "dc-1", From: inventory.Free, To: inventory.Allocated, Quantity: 2}}
		all = append(all, Entry{At: at, Decision: &Decision{Order: int64(i), First: true, State: o, Facts: []string{"history@12", "delays@3"}, Hashes: []uint64{1 << 60, 1 << 61}, Moves: moves, Seq: int64(i),
			Placed: []Placed{{Location: "dc-1", Service: "dhl/std", Lines: lines, Cost: 420, Promise: order.Promise{ShipBy: at.Add(time.Hour), DeliverBy: at.Add(50 * time.Hour), Calendar: at.Add(49 * time.Hour), Probability: 0.95, Policy: "promise@1"}}}}})
		for k := range 5 {
			all = append(all, Entry{At: at, Step: &Step{Order: int64(i), Kind: StepKind(k + 1), Fulfillment: 1, Moves: moves}})
		}
	}
	for i := range all {
		if err := w.Write(&all[i]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Commit(&Header{Source: "log", Orders: int64(orders)}); err != nil {
		tb.Fatal(err)
	}
	return f, all
}

// However a file is damaged or cut off, what is read is what was written, up to an error that names the place.
func TestDamage(t *testing.T) {
	whole, want := history(t, 300)
	rapid.Check(t, func(t *rapid.T) {
		f := &memoryFile{data: append([]byte(nil), whole.data...)}
		at := rapid.IntRange(0, len(f.data)-1).Draw(t, "at")
		unused := at >= len(magic) && at < int(dataBegin) // there are two places, and one is enough
		if rapid.Bool().Draw(t, "cut") {
			f.data, unused = f.data[:at], false
		} else {
			f.data[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
		r, err := newReader(f)
		var got []Entry
		if err == nil {
			got, err = readAll(r)
			if len(got) > len(want) || !reflect.DeepEqual(got, want[:len(got)]) && len(got) > 0 {
				t.Fatal("it reads what was not written")
			}
		}
		if unused {
			if err != nil || len(got) != len(want) {
				t.Fatalf("damage at %d: %d entries, %v", at, len(got), err)
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Fatalf("damage at %d was not noticed: %v", at, err)
		}
	})
}

func TestWriterRefuses(t *testing.T) {
	w, open := NewMemory()
	if err := w.Write(&Entry{At: day}); err == nil {
		t.Error("an entry that is nothing was written")
	}
	if err := w.Write(&Entry{At: day, Step: &Step{}, Decision: &Decision{}}); err == nil {
		t.Error("an entry that is two things was written")
	}
	if err := w.Write(&Entry{At: day, Step: &Step{Order: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&Entry{At: day.Add(-1), Step: &Step{Order: 2}}); err == nil {
		t.Error("time went backwards")
	}
	if err := w.Commit(&Header{Orders: 1}); err != nil {
		t.Fatal(err)
	}
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(r); err != nil || len(got) != 1 || r.Header().Orders != 1 {
		t.Errorf("read %v, %v, %+v", got, err, r.Header())
	}
	path := filepath.Join(t.TempDir(), "mine.txt")
	if err := os.WriteFile(path, []byte("my letters, and not a history"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, Header{}); err == nil {
		t.Error("a file that is no history was replaced")
	}
	if _, err := Open(path); !errors.Is(err, ErrDamaged) {
		t.Errorf("opening it: %v", err)
	}
}

// A damaged block that has its checksum right must not do harm either.
func FuzzBlock(f *testing.F) {
	m, _ := history(f, 2)
	for at := dataBegin; at < int64(len(m.data)); {
		_, body, next, err := frame(m, at, int64(len(m.data)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
		at = next
	}
	f.Add([]byte{3, 6, 0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := coder{reading: true, shared: map[string]string{}}
		if got, err := c.block(b, 0); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d entries, %v", len(got), err)
		}
	})
}

// BenchmarkRead reads histories of an order with five steps per operation.
func BenchmarkRead(b *testing.B) {
	const orders = 20_000
	f, _ := history(b, orders)
	b.ResetTimer()
	b.SetBytes(int64(len(f.data)) / orders)
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r, err := newReader(f)
		if err != nil {
			b.Fatal(err)
		}
		for ; n < b.N; n++ {
			var e Entry
			for range 6 {
				if err = r.Next(&e); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
