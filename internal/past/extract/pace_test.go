package extract

import (
	"context"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
)

// A gentle extraction takes as long as its rate says, however fast the store is, and ends with its context.
func TestGentle(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	p := newPacer(1000)
	p.now = func() time.Time { return now }
	p.sleep = func(ctx context.Context, d time.Duration) error {
		now = now.Add(d)
		return ctx.Err()
	}
	began := now
	for range 20 {
		now = now.Add(time.Millisecond) // reading them
		if err := p.wait(t.Context(), page); err != nil {
			t.Fatal(err)
		}
	}
	if d := now.Sub(began); d < 10*time.Second || d > 10*time.Second+20*time.Millisecond {
		t.Errorf("10000 rows at 1000 a second took %s", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p.wait(ctx, page) == nil || newPacer(0).wait(ctx, page) == nil {
		t.Error("it goes on when its context has ended")
	}
}

// What a decision read and the history does not have is told.
func TestQuality(t *testing.T) {
	w, _ := past.NewMemory()
	x := newExtractor(t.Context(), nil, Options{})
	x.w = w
	at := time.Unix(1_000_000, 0).UTC()
	for _, e := range []past.Entry{
		{Learned: &past.Learned{ID: "history", Version: 1}},
		{Decision: &past.Decision{Facts: []string{"history@1"}}},
		{Decision: &past.Decision{Facts: []string{"history@1", "delays@1"}}},
		{Decision: &past.Decision{}},
	} {
		if err := x.write(at, e); err != nil {
			t.Fatal(err)
		}
	}
	if q := x.quality(); len(q) != 1 || q[0].Count != 1 || q[0].Of != 3 {
		t.Errorf("%+v", q)
	}
}
