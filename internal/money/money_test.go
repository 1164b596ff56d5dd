package money_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/money"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		decimal, currency string
		want              int64
		err               error
	}{
		{"12.34", "EUR", 1234, nil},
		{"12", "EUR", 1200, nil},
		{"12.3", "EUR", 1230, nil},
		{"-0.01", "EUR", -1, nil},
		{"-0", "EUR", 0, nil},
		{"007.50", "EUR", 750, nil},
		{"12.3400000", "EUR", 1234, nil},
		{"12.345", "EUR", 0, money.ErrPrecise},
		{"1200", "JPY", 1200, nil},
		{"1200.0", "JPY", 1200, nil},
		{"1200.5", "JPY", 0, money.ErrPrecise},
		{"1.234", "KWD", 1234, nil},
		{"1.2345", "CLF", 12345, nil},
		{"92233720368547758.07", "EUR", math.MaxInt64, nil},
		{"-92233720368547758.08", "EUR", math.MinInt64, nil},
		{"92233720368547758.08", "EUR", 0, money.ErrOverflow},
		{"99999999999999999999", "JPY", 0, money.ErrOverflow},
		{strings.Repeat("0", 60) + "1.00", "EUR", 100, nil},
		{strings.Repeat("0", 61) + "1.00", "EUR", 0, money.ErrSyntax},
		{"1", "XXX", 0, money.ErrCurrency},
		{"1", "eur", 0, money.ErrCurrency},
		{"1", "", 0, money.ErrCurrency},
	}
	for _, garbage := range []string{"", "-", ".", "1.", ".5", "+1", "--1", "1e3", " 1", "1 ", "1,5", "1_0", "1.2.3", "1.-2", "0x1", "NaN", "１", "1.0 "} {
		tests = append(tests, struct {
			decimal, currency string
			want              int64
			err               error
		}{garbage, "EUR", 0, money.ErrSyntax})
	}
	for _, tt := range tests {
		got, err := money.Parse(tt.decimal, tt.currency)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Parse(%q, %q) = %d, %v; want %d, %v", tt.decimal, tt.currency, got, err, tt.want, tt.err)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{0, "EUR", "0.00"}, {5, "EUR", "0.05"}, {-5, "EUR", "-0.05"}, {123456, "EUR", "1234.56"},
		{-7, "JPY", "-7"}, {7, "KWD", "0.007"}, {math.MinInt64, "EUR", "-92233720368547758.08"},
	} {
		if got := money.Format(tt.minor, tt.currency); got != tt.want {
			t.Errorf("Format(%d, %s) = %q, want %q", tt.minor, tt.currency, got, tt.want)
		}
	}
	if got := (money.Money{Amount: 1234, Currency: "EUR"}).String(); got != "12.34 EUR" {
		t.Errorf("String() = %q", got)
	}
}

func TestFormatThenParseIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64().Draw(t, "minor")
		currency := rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "CLF"}).Draw(t, "currency")
		got, err := money.Parse(money.Format(minor, currency), currency)
		if err != nil || got != minor {
			t.Fatalf("%d %s came back as %d, %v", minor, currency, got, err)
		}
	})
}

// FuzzParse compares Parse with exact rational arithmetic.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"12.34", "-0.01", "1e3", "92233720368547758.07", "-92233720368547758.08", "1.000", " 1", "+1", "1/2"} {
		f.Add(seed, uint8(0))
	}
	currencies := []string{"EUR", "JPY", "KWD", "CLF"}
	f.Fuzz(func(t *testing.T, decimal string, pick uint8) {
		currency := currencies[int(pick)%len(currencies)]
		got, err := money.Parse(decimal, currency)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(decimal)
		if !ok || strings.ContainsAny(decimal, "eEpPxX/_+ ") {
			t.Fatalf("%q was accepted as %d", decimal, got)
		}
		exponent, _ := money.Exponent(currency)
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
		if exact.Mul(exact, new(big.Rat).SetInt(unit)); exact.Cmp(new(big.Rat).SetInt64(got)) != 0 {
			t.Fatalf("%q %s is %s minor units, not %d", decimal, currency, exact, got)
		}
	})
}

func TestArithmeticReportsOverflow(t *testing.T) {
	t.Parallel()
	edges := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64, 1 << 32, -1 << 31}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := edges.Draw(t, "a"), edges.Draw(t, "b")
		check := func(name string, exact *big.Int, got int64, err error) {
			if exact.IsInt64() != (err == nil) || (err == nil && exact.Int64() != got) {
				t.Fatalf("%s of %d and %d = %d, %v; exactly %s", name, a, b, got, err, exact)
			}
		}
		sum, err := money.Add(a, b)
		check("Add", new(big.Int).Add(big.NewInt(a), big.NewInt(b)), sum, err)
		sum, err = money.Sum(a, b)
		check("Sum", new(big.Int).Add(big.NewInt(a), big.NewInt(b)), sum, err)
		product, err := money.Mul(a, b)
		check("Mul", new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), product, err)
	})
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"EUR": 2, "USD": 2, "JPY": 0, "KRW": 0, "BHD": 3, "TND": 3, "CLF": 4, "UYW": 4, "XOF": 0, "CHF": 2, "XCG": 2} {
		if got, known := money.Exponent(code); !known || got != want || !money.ValidCurrency(code) {
			t.Errorf("Exponent(%s) = %d, %v", code, got, known)
		}
	}
	for _, code := range []string{"", "XXX", "XAU", "DEM", "HRK", "eur", "EURO", "EU"} {
		if money.ValidCurrency(code) {
			t.Errorf("%q is valid", code)
		}
	}
}

func TestValidateNamesBothFields(t *testing.T) {
	t.Parallel()
	err := money.Money{Amount: money.MaxAmount + 1, Currency: "XXX"}.Validate()
	if err == nil || !strings.Contains(err.Error(), "amount: ") || !strings.Contains(err.Error(), "currency: ") {
		t.Errorf("Validate() = %v", err)
	}
	if err := (money.Money{Amount: -money.MaxAmount, Currency: "SEK"}).Validate(); err != nil {
		t.Errorf("Validate() = %v", err)
	}
}
