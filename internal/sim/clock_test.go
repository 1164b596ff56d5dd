package sim

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// moved is a real clock that goes on when it is told to.
type moved struct{ at time.Time }

func (m *moved) now() time.Time { return m.at }

var monday = time.Date(2026, 3, 2, 5, 0, 0, 0, time.UTC)

// The clock never goes back, never passes a hold, and otherwise runs at its speed.
func TestClockKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &moved{monday}
		c := NewClock(monday, m.now)
		speed, limit, last := 1.0, time.Time{}, c.Now()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			most := last
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				passed := time.Duration(rapid.Int64Range(-int64(time.Second), int64(time.Minute)).Draw(t, "passed"))
				before := m.at
				if m.at = m.at.Add(passed); passed < 0 {
					c.Now() // a real clock that was set back changes nothing
					m.at = before
					break
				}
				most = last.Add(time.Duration(float64(passed) * speed))
				if !limit.IsZero() && most.After(limit) {
					most = latestOf(limit, last)
				}
				if got := c.Now(); !got.Equal(most) {
					t.Fatalf("%s after %s at %g times: %s, want %s", passed, last, speed, got, most)
				}
			case 1:
				speed = rapid.Float64Range(1, MaxSpeed).Draw(t, "speed")
				c.Run(speed)
			case 2:
				limit = time.Time{}
				if rapid.Bool().Draw(t, "held") {
					limit = last.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "limit")))
				}
				c.hold(limit)
			case 3:
				to := last.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "ahead")))
				c.ahead(to)
				if !limit.IsZero() && to.After(limit) {
					to = limit
				}
				most = latestOf(to, last)
			}
			got := c.Now()
			if got.Before(last) || got.After(most) {
				t.Fatalf("the clock went from %s to %s, at most %s", last, got, most)
			}
			last = got
		}
	})
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestClockSaysHowLongToWait(t *testing.T) {
	t.Parallel()
	m := &moved{monday}
	c := NewClock(monday, m.now)
	c.Run(3600)
	if got := c.Wait(monday.Add(2 * time.Hour)); got != 2*time.Second {
		t.Errorf("two hours take %s", got)
	}
	if got := c.Wait(monday.Add(-time.Hour)); got != 0 {
		t.Errorf("what is past takes %s", got)
	}
}

// The clock stands while something due is not done, or somebody has not heard what happened, and goes on then.
func TestAgendaHoldsTheClock(t *testing.T) {
	t.Parallel()
	m := &moved{monday}
	c := NewClock(monday, m.now)
	c.Run(3600)
	a := newAgenda(c)
	a.in(1, func(context.Context) {})
	pass := func(want time.Time) {
		t.Helper()
		m.at = m.at.Add(10 * time.Second)
		if got := c.Now(); !got.Equal(want) {
			t.Fatalf("the clock shows %s, want %s", got, want)
		}
	}
	stand := monday.Add(time.Hour + maxLate)
	pass(stand) // nobody took it up
	x, ok, _ := a.next()
	if !ok || a.open() != 1 {
		t.Fatalf("%v, %d open", ok, a.open())
	}
	pass(stand) // it is being done
	a.done(x)
	pass(stand.Add(10 * time.Hour))
	r := newReader(nil, "", nil)
	a.heard(r, c.Now().Add(-2*maxLate))
	pass(stand.Add(10 * time.Hour))
	if !a.waitsFor(r) {
		t.Error("the clock waits for nobody")
	}
	a.caughtUp(r)
	pass(stand.Add(20 * time.Hour))
}

// Shoppers come in their sequence, so many in a week wherever it begins, and most of them when people are awake.
func TestRhythm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := monday.Add(time.Duration(rapid.Int64Range(0, int64(52*7*24*time.Hour)).Draw(t, "from")))
		perDay := rapid.Float64Range(1, 1000).Draw(t, "per day")
		r := newRhythm(from, perDay)
		if first := r.at(0); first.Sub(from).Abs() > 61*time.Minute { // one that falls into the hour of a changed clock
			t.Fatalf("from %s the first comes at %s", from, first)
		}
		n := rapid.Float64Range(0, 20_000).Draw(t, "number")
		if a, b := r.at(n), r.at(n+7*perDay); b.In(berlin()).Sub(a.In(berlin())) < 7*24*time.Hour-2*time.Hour || b.Sub(a) > 7*24*time.Hour+2*time.Hour {
			t.Fatalf("a week's shoppers come between %s and %s", a, b)
		}
		if more := rapid.Float64Range(0, 50).Draw(t, "more"); r.at(n + more).Before(r.at(n).Add(-2 * time.Hour)) {
			t.Fatalf("number %g comes at %s, %g later at %s", n, r.at(n), more, r.at(n+more))
		}
	})
	r, night := newRhythm(monday, 400), 0
	for n := range 2800 {
		if at := r.at(float64(n)).In(berlin()); at.Hour() < 6 {
			night++
		}
	}
	if night < 20 || night > 200 {
		t.Errorf("%d of 2800 come at night", night)
	}
}
