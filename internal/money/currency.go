package money

import "strings"

// The current list of ISO 4217 (funds codes included; precious metals, test
// codes and units of account without minor units left out), by number of decimal
// places. ANG and BGN were withdrawn in 2025 and 2026 and stay, because histories
// that carry them are replayed.
const (
	decimals0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
	decimals2 = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD " +
		"CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP " +
		"GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL " +
		"MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN " +
		"QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD " +
		"TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
	decimals3 = "BHD IQD JOD KWD LYD OMR TND"
	decimals4 = "CLF UYW"
)

// exponents maps each code to its number of decimal places.
var exponents = func() map[string]int {
	m := make(map[string]int, 200)
	for places, codes := range map[int]string{0: decimals0, 2: decimals2, 3: decimals3, 4: decimals4} {
		for code := range strings.FieldsSeq(codes) {
			m[code] = places
		}
	}
	return m
}()

// ValidCurrency reports whether code is a known ISO 4217 code in capitals.
func ValidCurrency(code string) bool {
	_, known := exponents[code]
	return known
}

// Exponent returns the number of decimal places of the currency, 0 to 4.
func Exponent(code string) (places int, known bool) {
	places, known = exponents[code]
	return places, known
}
