package flow

import (
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// ParseDuration reads a duration of days, hours and minutes, like 30m, 4h, 7d or 1d12h; false when it is none.
func ParseDuration(text string) (d time.Duration, ok bool) {
	negative := false
	if len(text) > 0 && text[0] == '-' {
		negative, text = true, text[1:]
	}
	units := []struct {
		letter byte
		unit   time.Duration
	}{{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}}
	if text == "" {
		return 0, false
	}
	next := 0
	for text != "" {
		end := 0
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		if end == 0 || end == len(text) || end > 6 {
			return 0, false
		}
		for next < len(units) && units[next].letter != text[end] {
			next++
		}
		if next == len(units) {
			return 0, false
		}
		n, err := strconv.Atoi(text[:end])
		if err != nil {
			return 0, false
		}
		d += time.Duration(n) * units[next].unit
		next, text = next+1, text[end+1:]
	}
	if negative {
		d = -d
	}
	return d, true
}

// FormatDuration writes a duration as ParseDuration reads it.
func FormatDuration(d time.Duration) string {
	if d < 0 {
		return "-" + FormatDuration(-d)
	}
	out := ""
	for _, u := range []struct {
		letter string
		unit   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if n := d / u.unit; n > 0 {
			out += strconv.Itoa(int(n)) + u.letter
			d %= u.unit
		}
	}
	if out == "" {
		return "0m"
	}
	return out
}

// duration checks a duration between two limits, both included.
func (c *compiler) duration(pointer, text string, low, high time.Duration) time.Duration {
	d, ok := ParseDuration(text)
	switch {
	case !ok:
		c.s.Add(pointer, problem.Malformed, "%s: %.40q is no duration; write it like 30m, 4h, 7d or 1d12h", c.at, text)
	case d < low || d > high:
		c.s.Add(pointer, problem.OutOfRange, "%s: %s is not between %s and %s", c.at, text, FormatDuration(low), FormatDuration(high))
	}
	return d
}
