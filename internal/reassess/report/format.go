package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/reassess"
)

const (
	minus = "−" // U+2212, as wide as a digit
	dash  = "–" // what is not known
)

// whole writes an integer with groups of thousands.
func whole(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = minus, s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// amount writes minor units with the currency.
func amount(minor float64, currency string) string {
	return amountBare(minor, currency) + " " + currency
}

// amountBare writes minor units, without the currency.
func amountBare(minor float64, currency string) string {
	if math.IsNaN(minor) || math.IsInf(minor, 0) || math.Abs(minor) > 1e17 {
		return dash
	}
	n := int64(math.Round(minor))
	text := money.Format(max(n, -n), currency)
	head, tail, ok := strings.Cut(text, ".")
	if v, err := strconv.ParseInt(head, 10, 64); err == nil {
		head = whole(v)
	}
	if ok {
		head += "." + tail
	}
	if n < 0 {
		return minus + head
	}
	return head
}

// quantity writes a value of a unit with it.
func quantity(v float64, unit, currency string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dash
	}
	switch unit {
	case "money":
		return amount(v, currency)
	case "percent":
		return number(v, 1) + " %"
	case "days":
		return number(v, 2) + " days"
	case "minutes":
		return number(v, 2) + " min"
	case "per order":
		return number(v, 3)
	case "per 100 units":
		return number(v, 2)
	case "seconds":
		return seconds(v)
	}
	return strings.TrimSpace(number(v, 2) + " " + unit)
}

// unitNote says in a table what a bare number counts, where the measure's name does not.
func unitNote(m *reassess.Measure) string {
	if (m.Unit == "per order" || m.Unit == "per 100 units") && !strings.HasSuffix(m.Name, m.Unit) {
		return m.Unit
	}
	return ""
}

func number(v float64, places int) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', places, 64)
	head, tail, ok := strings.Cut(text, ".")
	if n, err := strconv.ParseInt(head, 10, 64); err == nil {
		head = whole(n)
	}
	if ok {
		head += "." + tail
	}
	if v < 0 && strings.Trim(text, "0.") != "" {
		return minus + head
	}
	return head
}

// seconds writes short times in the unit that reads best.
func seconds(v float64) string {
	sign := ""
	if v < 0 {
		sign, v = minus, -v
	}
	switch {
	case v == 0:
		return "0 s"
	case v < 1e-3:
		return sign + number(v*1e6, 0) + " µs"
	case v < 1:
		return sign + number(v*1e3, 1) + " ms"
	}
	return sign + number(v, 1) + " s"
}

// signed writes a change with its sign.
func signed(v float64, unit, currency string) string {
	if unit == "percent" { // percentage points
		if s := number(v, 2); v <= 0 {
			return s + " pp"
		}
		return "+" + number(v, 2) + " pp"
	}
	s := quantity(v, unit, currency)
	if v > 0 && s != dash {
		return "+" + s
	}
	return s
}

// changeText is a difference with its interval: "−0.31 EUR (−0.45 to −0.17)".
func changeText(m *reassess.Measure, currency string) string {
	if m == nil || m.Versus == nil || !m.Known {
		return ""
	}
	d := m.Versus
	s := signed(d.Change, m.Unit, currency)
	switch {
	case d.TooLittle != "":
		return s
	case d.Change == 0 && d.Low == 0 && d.High == 0:
		return "±0"
	}
	return s + " (" + bare(signed(d.Low, m.Unit, currency)) + " to " + bare(signed(d.High, m.Unit, currency)) + ")"
}

// bare cuts the unit off, which stands before the interval already.
func bare(s string) string {
	s, _, _ = strings.Cut(s, " ")
	return s
}

// relative is the change in percent of the base; "" where that says nothing.
func relative(m *reassess.Measure) string {
	if m == nil || m.Versus == nil || m.Versus.Base == 0 || m.Unit == "percent" || m.Versus.Change == 0 {
		return ""
	}
	p := 100 * m.Versus.Change / math.Abs(m.Versus.Base)
	if p > 0 {
		return "+" + number(p, 1) + " %"
	}
	return number(p, 1) + " %"
}

// fraction writes 0 to 1 as percent.
func fraction(v float64) string { return quantity(100*v, "percent", "") }

// took writes how long something took.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return number(float64(d)/1e3, 0) + " µs"
	case d < time.Second:
		return number(float64(d)/1e6, 0) + " ms"
	case d < time.Minute:
		return number(d.Seconds(), 1) + " s"
	}
	return d.Round(time.Second).String()
}

// span names the days of a report; Until is exclusive when it is a midnight.
func span(r *reassess.Report) string {
	last := r.Until
	if last.After(r.From) && last.Equal(last.Truncate(24*time.Hour)) {
		last = last.Add(-time.Nanosecond)
	}
	const long = "2 January 2006"
	return r.From.UTC().Format(long) + " to " + last.UTC().Format(long)
}

// drawnNote says how much of a number was drawn and not recorded.
func drawnNote(share float64) string {
	switch {
	case share <= 0:
		return ""
	case share < .001:
		return "under 0.1 % drawn"
	}
	return fmt.Sprintf("%s drawn", fraction(share))
}
