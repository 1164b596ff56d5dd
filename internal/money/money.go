// Package money is exact arithmetic on amounts of money: int64 minor units (cents
// for EUR, yen for JPY, fils for KWD) and an ISO 4217 code.
//
// It promises that no result is rounded silently and no overflow wraps: what
// cannot be exact is an error. Prorate loses no minor unit. It does not convert
// between currencies, know rates, or format for a language.
package money

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// MaxAmount bounds the amounts that documents may carry, in minor units: the
// largest integer that every JSON reader represents exactly.
const MaxAmount = int64(1)<<53 - 1

// maxDecimalBytes bounds the text that Parse reads.
const maxDecimalBytes = 64

// Errors of this package, to be tested with errors.Is.
var (
	ErrOverflow = errors.New("amount does not fit into 64 bits of minor units")
	ErrCurrency = errors.New("not a current ISO 4217 currency code")
	ErrSyntax   = errors.New(`not a decimal amount like "12.34"`)
	ErrPrecise  = errors.New("more decimal places than the currency has")
)

// Money is an amount in minor units of a currency.
type Money struct {
	Amount   int64  `json:"amount"`   // minor units
	Currency string `json:"currency"` // ISO 4217
}

// Validate reports an unknown currency or an amount beyond ±MaxAmount.
func (m Money) Validate() error {
	var v problem.Invalid
	v.Range("amount", m.Amount, -MaxAmount, MaxAmount)
	CheckCurrency(&v, "currency", m.Currency)
	return v.Err()
}

// String writes the amount as "12.34 EUR".
func (m Money) String() string { return Format(m.Amount, m.Currency) + " " + m.Currency }

// CheckCurrency adds a field to v unless code is a current ISO 4217 code.
func CheckCurrency(v *problem.Invalid, pointer, code string) {
	switch {
	case code == "":
		v.Add(pointer, problem.Required, "is required; an ISO 4217 code")
	case !ValidCurrency(code):
		v.Add(pointer, problem.Unknown, "is not a current ISO 4217 currency code like EUR")
	}
}

// Parse reads a decimal like "-12.34" exactly into minor units of the currency.
// Digits are required before and after a decimal point; further decimal places
// than the currency has must be zeros. Signs other than a leading minus, spaces,
// exponents and group separators are refused.
// Returns ErrCurrency, ErrSyntax, ErrPrecise or ErrOverflow.
func Parse(decimal, currency string) (int64, error) {
	exponent, known := Exponent(currency)
	if !known {
		return 0, fmt.Errorf("%w: %.10q", ErrCurrency, currency)
	}
	digits, negative := strings.CutPrefix(decimal, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if len(decimal) > maxDecimalBytes || !isDigits(whole) || (hasPoint && !isDigits(fraction)) {
		return 0, fmt.Errorf("%w: %.70q", ErrSyntax, decimal)
	}
	if len(fraction) > exponent {
		if strings.Trim(fraction[exponent:], "0") != "" {
			return 0, fmt.Errorf("%w: %q in %s, which has %d", ErrPrecise, decimal, currency, exponent)
		}
		fraction = fraction[:exponent]
	}
	minor := whole + fraction + strings.Repeat("0", exponent-len(fraction))
	if negative {
		minor = "-" + minor
	}
	n, err := strconv.ParseInt(minor, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q", ErrOverflow, decimal)
	}
	return n, nil
}

// isDigits reports one or more ASCII digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Format writes minor units as a decimal with all places of the currency, so
// that Parse reads it back. An unknown currency counts as one without places.
func Format(minor int64, currency string) string {
	exponent, _ := Exponent(currency)
	digits := strconv.FormatUint(magnitude(minor), 10)
	if exponent > 0 {
		if missing := exponent + 1 - len(digits); missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
		point := len(digits) - exponent
		digits = digits[:point] + "." + digits[point:]
	}
	if minor < 0 {
		return "-" + digits
	}
	return digits
}

// Add returns a + b, or ErrOverflow.
func Add(a, b int64) (int64, error) {
	sum := a + b
	if b != 0 && (sum > a) != (b > 0) {
		return 0, ErrOverflow
	}
	return sum, nil
}

// Sum returns the sum of all amounts, or ErrOverflow when a partial sum does not fit.
func Sum(amounts ...int64) (int64, error) {
	var sum int64
	var err error
	for _, a := range amounts {
		if sum, err = Add(sum, a); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// Mul returns a × b, or ErrOverflow.
func Mul(a, b int64) (int64, error) {
	if a == 0 || b == 0 {
		return 0, nil
	}
	product := a * b
	if product/b != a || (a == -1 && b == math.MinInt64) || (b == -1 && a == math.MinInt64) {
		return 0, ErrOverflow
	}
	return product, nil
}

// magnitude is |n|, also for the least int64.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
