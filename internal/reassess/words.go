package reassess

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/stats"
)

// count writes a number with commas between thousands.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	var parts []string
	for len(s) > 3 {
		parts = append([]string{s[len(s)-3:]}, parts...)
		s = s[:len(s)-3]
	}
	return sign + strings.Join(append([]string{s}, parts...), ",")
}

// several writes a number with its noun: 1 order, 2 orders.
func several(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// amount writes minor units, with commas and the currency.
func amount(minor float64, currency string) string {
	text := money.Format(int64(math.Round(math.Abs(minor))), currency)
	whole, cents, has := strings.Cut(text, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
		whole = count(n)
	}
	if has {
		whole += "." + cents
	}
	if math.Round(minor) < 0 {
		whole = "-" + whole
	}
	if currency != "" {
		whole += " " + currency
	}
	return whole
}

// percentText writes 0 to 100 with one digit.
func percentText(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " %" }

// say writes a measure's value.
func (d *Definition) say(v float64, currency string) string {
	switch d.Unit {
	case unitMoney:
		return amount(v, currency)
	case unitPercent:
		return percentText(v)
	case unitDays, unitMinutes:
		return strconv.FormatFloat(v, 'f', 2, 64) + " " + d.Unit
	case unitSeconds:
		return strconv.FormatFloat(v*1e6, 'f', 0, 64) + " µs"
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// by writes how much less or more something is, with its interval: "0.12 EUR less (0.10 to 0.14 less, 95 % sure)".
func (d *Definition) by(v *stats.Difference, level float64, currency string) string {
	// A difference of shares is in points.
	text := func(x float64) string {
		if d.Unit == unitPercent {
			return strconv.FormatFloat(math.Abs(x), 'f', 1, 64) + " points"
		}
		return d.say(math.Abs(x), currency)
	}
	switch {
	case v.TooLittle != "":
		return fmt.Sprintf("%s %s, which may be chance: %s", text(v.Change), less(v.Change), v.TooLittle)
	case v.Change == 0 && v.Low == 0 && v.High == 0:
		return "exactly the same"
	case !v.Sure():
		return fmt.Sprintf("%s %s, which may be chance (between %s less and %s more)", text(v.Change), less(v.Change), text(min(v.Low, 0)), text(max(v.High, 0)))
	}
	near, far := v.Low, v.High
	if math.Abs(near) > math.Abs(far) {
		near, far = far, near
	}
	bare, _, _ := strings.Cut(text(near), " ") // the unit comes once, behind the other
	return fmt.Sprintf("%s %s (%s to %s, %s sure)", text(v.Change), less(v.Change), bare, text(far), sure(level))
}

func less(change float64) string {
	if change < 0 {
		return "less"
	}
	return "more"
}

// sure writes a level of confidence.
func sure(level float64) string { return strconv.FormatFloat(100*level, 'f', -1, 64) + " %" }

// joined is a sentence of what there is to say.
func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "; ") + "."
}

// identityText says how far recorded decisions were repeated.
func identityText(id *replay.Identity) string {
	var out string
	switch {
	case id.Decisions == 0:
		out = "no recorded decision could be repeated"
	case id.Same == id.Decisions && id.SameCost == id.Decisions:
		out = fmt.Sprintf("every one of %s was repeated byte for byte and to the cent", several(id.Decisions, "recorded decision"))
	default:
		out = fmt.Sprintf("of %s %s were repeated byte for byte and %s to the cent; the differences are listed",
			several(id.Decisions, "recorded decision"), count(id.Same), count(id.SameCost))
	}
	if id.Joint > 0 {
		out += fmt.Sprintf("; %s for many orders together were taken as recorded", several(id.Joint, "decision"))
	}
	if id.Unrecorded > 0 {
		out += fmt.Sprintf("; of %s rules or facts are not recorded", several(id.Unrecorded, "decision"))
	}
	return out
}

// minorUnits is how many minor units a unit of the currency has.
func minorUnits(currency string) float64 {
	places, known := money.Exponent(currency)
	if !known {
		places = 2
	}
	return math.Pow10(places)
}

// share is the interval of a share of which n of all were seen (Wilson), 0 to 1.
func share(n, all int64, level float64) (low, high float64) {
	if all == 0 {
		return 0, 1
	}
	z := math.Sqrt2 * math.Erfinv(level)
	f, p := float64(all), float64(n)/float64(all)
	middle := (p + z*z/(2*f)) / (1 + z*z/f)
	half := z / (1 + z*z/f) * math.Sqrt(p*(1-p)/f+z*z/(4*f*f))
	return max(0, middle-half), min(1, middle+half)
}
