package inventory

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/problem"
)

func TestNewReservationValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(n *NewReservation)
		want   []string
	}{
		"valid":          {func(n *NewReservation) {}, nil},
		"channel":        {func(n *NewReservation) { n.Channel = "" }, []string{"channel required"}},
		"no lines":       {func(n *NewReservation) { n.Lines = nil }, []string{"lines out_of_range"}},
		"too many lines": {func(n *NewReservation) { n.Lines = make([]NewReservationLine, MaxReservationLines+1) }, []string{"lines out_of_range"}},
		"most lines": {func(n *NewReservation) {
			n.Lines = slices.Repeat(n.Lines, MaxReservationLines/2)
		}, nil},
		"line":             {func(n *NewReservation) { n.Lines[1] = NewReservationLine{} }, []string{"lines[1].sku required", "lines[1].quantity out_of_range"}},
		"most units":       {func(n *NewReservation) { n.Lines[0].Quantity = 1_000_000 }, nil},
		"too many units":   {func(n *NewReservation) { n.Lines[0].Quantity = 1_000_001 }, []string{"lines[0].quantity out_of_range"}},
		"shortest":         {func(n *NewReservation) { n.TTLSeconds = 1 }, nil},
		"longest":          {func(n *NewReservation) { n.TTLSeconds = 604800 }, nil},
		"too long":         {func(n *NewReservation) { n.TTLSeconds = 604801 }, []string{"ttl_seconds out_of_range"}},
		"into the past":    {func(n *NewReservation) { n.TTLSeconds = -1 }, []string{"ttl_seconds out_of_range"}},
		"reference":        {func(n *NewReservation) { n.Reference = strings.Repeat("x", 201) }, []string{"reference too_long"}},
		"everything wrong": {func(n *NewReservation) { n.Channel, n.Lines[0].Quantity, n.TTLSeconds = "", 0, -1 }, []string{"channel required", "lines[0].quantity out_of_range", "ttl_seconds out_of_range"}},
	} {
		n := NewReservation{Channel: "web", Lines: []NewReservationLine{{"tent", 1}, {"peg", 2}}}
		c.change(&n)
		var bad problem.Invalid
		errors.As(n.Validate(), &bad)
		var got []string
		for _, f := range bad {
			got = append(got, f.Pointer+" "+f.Code)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestReservationTTL(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]time.Duration{0: 15 * time.Minute, 1: time.Second, 604800: 7 * 24 * time.Hour} {
		if got := TTL(seconds); got != want || ValidateTTL(seconds) != nil {
			t.Errorf("%d seconds: %v, %v", seconds, got, ValidateTTL(seconds))
		}
	}
	for _, seconds := range []int64{-1, 604801, 1 << 62} {
		if ValidateTTL(seconds) == nil {
			t.Errorf("%d seconds are accepted", seconds)
		}
	}
}

// TestReservationLife folds each way a reservation can end, directly and through
// JSON, and sees that no event changes what was before it.
func TestReservationLife(t *testing.T) {
	t.Parallel()
	held := ReservationEvent{Type: EventReservationHeld, Reservation: &Reservation{
		ID: "r1", Channel: "web", Status: ReservationHeld, CreatedAt: noon, ExpiresAt: noon.Add(time.Minute), Reference: "basket 7",
		Lines: []ReservationLine{{SKU: "tent", Requested: 2, Held: 2}}, Holds: []Hold{{Line: 0, Location: "dc", Quantity: 2}},
	}}
	extended := ReservationEvent{Type: EventReservationExtended, ExpiresAt: noon.Add(time.Hour)}
	for _, c := range []struct {
		end   ReservationEvent
		want  ReservationStatus
		order string
	}{
		{ReservationEvent{Type: EventReservationClaimed, OrderID: "o1"}, ReservationClaimed, "o1"},
		{ReservationEvent{Type: EventReservationReleased}, ReservationReleased, ""},
		{ReservationEvent{Type: EventReservationExpired}, ReservationExpired, ""},
	} {
		var r, replayed *Reservation
		for i, e := range []ReservationEvent{held, extended, c.end} {
			was := encode(t, r)
			next, err := r.Apply(e, int64(i+1))
			if err != nil {
				t.Fatal(err)
			}
			if encode(t, r) != was {
				t.Fatalf("%s changed the reservation before it", e.Type)
			}
			var decoded ReservationEvent
			if err := json.Unmarshal([]byte(encode(t, e)), &decoded); err != nil {
				t.Fatal(err)
			}
			r = next
			if replayed, err = replayed.Apply(decoded, int64(i+1)); err != nil {
				t.Fatal(err)
			}
			if got, want := encode(t, replayed), encode(t, r); got != want {
				t.Fatalf("from JSON %s, want %s", got, want)
			}
		}
		if r.Status != c.want || r.OrderID != c.order || r.Version != 3 || !r.ExpiresAt.Equal(noon.Add(time.Hour)) || len(r.Holds) != 1 {
			t.Errorf("after %s: %+v", c.end.Type, r)
		}
		for _, e := range []ReservationEvent{held, extended, c.end} {
			if _, err := r.Apply(e, 4); err == nil {
				t.Errorf("%s was accepted after %s", e.Type, c.end.Type)
			}
		}
	}
	if held.Reservation.Version != 0 {
		t.Error("the event was changed")
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReservationMovements: what is held is given back unit for unit, kits as
// their components.
func TestReservationMovements(t *testing.T) {
	t.Parallel()
	r := Reservation{
		Lines: []ReservationLine{{SKU: "set", Parts: []Part{{"peg", 2}, {"tent", 1}}}, {SKU: "tent"}},
		Holds: []Hold{{Line: 0, Location: "dc", Quantity: 3}, {Line: 1, Location: "north", Quantity: 4}},
	}
	want := []Movement{
		{"peg", "dc", Free, Reserved, 6, "basket"}, {"tent", "dc", Free, Reserved, 3, "basket"}, {"tent", "north", Free, Reserved, 4, "basket"},
	}
	if got := r.Movements(true, "basket"); !slices.Equal(got, want) {
		t.Errorf("taken: %+v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := Reservation{Lines: r.Lines}
		for range rapid.IntRange(0, 5).Draw(t, "holds") {
			r.Holds = append(r.Holds, Hold{
				Line: rapid.IntRange(0, 1).Draw(t, "line"), Location: rapid.SampledFrom([]string{"dc", "north"}).Draw(t, "location"),
				Quantity: rapid.Int64Range(1, 9).Draw(t, "quantity"),
			})
		}
		sums := map[PositionKey]Delta{}
		var reserved int64
		for _, m := range append(r.Movements(true, ""), r.Movements(false, "")...) {
			if err := m.Validate(); err != nil {
				t.Fatal(err)
			}
			k := PositionKey{m.SKU, m.Location}
			sums[k] = sums[k].Plus(m.Delta())
			if m.To == Reserved {
				reserved += m.Quantity
			}
		}
		var want int64
		for _, h := range r.Holds {
			want += h.Quantity * []int64{3, 1}[h.Line]
		}
		if reserved != want {
			t.Fatalf("%d units reserved, want %d", reserved, want)
		}
		for k, d := range sums {
			if d != (Delta{}) {
				t.Fatalf("%v is left with %+v", k, d)
			}
		}
	})
}
