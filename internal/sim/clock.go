package sim

import (
	"sync"
	"time"
)

// Clock is the time of the retailer's life, for everybody: shoppers, partners and the
// server. It begins as fast as a real clock.
//
// It promises that it never goes back, never runs faster than it was told, except when it
// is moved ahead over hours in which nobody has anything to do, and never passes a moment at which it
// is held. So a machine that is too slow for the speed makes the retailer's life slower,
// and not its partners late.
//
// It is safe for concurrent use, and does not make anything happen: who waits for a moment
// asks Wait and looks again.
type Clock struct {
	real func() time.Time

	mu    sync.Mutex
	at    time.Time // what it showed
	since time.Time // when, by the real clock
	speed float64
	limit time.Time // it stops there; zero: it does not
}

// NewClock shows a time now. real is the clock of the machine, as time.Now.
func NewClock(at time.Time, real func() time.Time) *Clock {
	return &Clock{real: real, at: at.UTC(), since: real(), speed: 1}
}

// Now is what the clock shows, in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

// read brings the clock up to date. The lock is held.
func (c *Clock) read() time.Time {
	now := c.real()
	if passed := now.Sub(c.since); passed > 0 {
		next := c.at.Add(time.Duration(float64(passed) * c.speed))
		if !c.limit.IsZero() && next.After(c.limit) {
			next = c.limit
		}
		if next.After(c.at) {
			c.at = next.UTC()
		}
		c.since = now
	}
	return c.at
}

// Run makes it so many times as fast as a real clock.
func (c *Clock) Run(speed float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	c.speed = speed
}

// hold keeps it from passing a moment, instead of the one before; zero lets it run.
func (c *Clock) hold(limit time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	c.limit = limit
}

// ahead moves it to a moment that has not come yet, as far as it is not held.
func (c *Clock) ahead(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.limit.IsZero() && to.After(c.limit) {
		to = c.limit
	}
	if to.After(c.read()) {
		c.at = to.UTC()
	}
}

// Wait is how long it takes until the clock shows a moment, if it is not held; never negative.
func (c *Clock) Wait(until time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, time.Duration(float64(until.Sub(c.read()))/c.speed))
}
