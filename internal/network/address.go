package network

import (
	"math"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of an address, in bytes.
const (
	MaxAddressLineBytes = 500
	MaxPostalCodeBytes  = 20
	MaxPhoneBytes       = 100
)

// earthRadiusKM is the mean radius that Distance counts with.
const earthRadiusKM = 6371.0

// Address is where a location is or where an order goes.
type Address struct {
	Name       string `json:"name,omitempty"`
	Company    string `json:"company,omitempty"`
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	Region     string `json:"region,omitempty"` // state, province or county, as carriers want it
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country"` // ISO 3166-1 alpha-2
	Phone      string `json:"phone,omitempty"`
	Email      string `json:"email,omitempty"`
	// Latitude and Longitude are degrees (WGS 84); both or neither.
	Latitude  *float64 `json:"latitude,omitempty"`
	Longitude *float64 `json:"longitude,omitempty"`
	// Zone is a label of the retailer's own (a delivery area), for policies.
	Zone string `json:"zone,omitempty"`
}

// Validate reports every field that is wrong. Only the country is required.
func (a *Address) Validate() error {
	var v problem.Invalid
	a.ValidateInto(&v, "")
	return v.Err()
}

// ValidateInto adds every field that is wrong to v, with pointers under prefix.
func (a *Address) ValidateInto(v *problem.Invalid, prefix string) {
	at := func(field string) string { return problem.Join(prefix, field) }
	v.Text(at("name"), a.Name, MaxAddressLineBytes)
	v.Text(at("company"), a.Company, MaxAddressLineBytes)
	v.Text(at("line1"), a.Line1, MaxAddressLineBytes)
	v.Text(at("line2"), a.Line2, MaxAddressLineBytes)
	v.Text(at("city"), a.City, MaxAddressLineBytes)
	v.Text(at("region"), a.Region, MaxAddressLineBytes)
	v.Text(at("postal_code"), a.PostalCode, MaxPostalCodeBytes)
	v.Text(at("phone"), a.Phone, MaxPhoneBytes)
	v.Text(at("email"), a.Email, MaxAddressLineBytes)
	v.Text(at("zone"), a.Zone, MaxAddressLineBytes)
	checkCountry(v, at("country"), a.Country)
	if user, domain, _ := strings.Cut(a.Email, "@"); a.Email != "" && (user == "" || domain == "") {
		v.Add(at("email"), problem.Malformed, "is not an e-mail address")
	}
	switch {
	case (a.Latitude == nil) != (a.Longitude == nil):
		v.Add(at("latitude"), problem.Conflict, "latitude and longitude come together")
	case a.Latitude == nil:
	default:
		checkDegrees(v, at("latitude"), *a.Latitude, 90)
		checkDegrees(v, at("longitude"), *a.Longitude, 180)
	}
}

func checkDegrees(v *problem.Invalid, pointer string, degrees, limit float64) {
	if math.IsNaN(degrees) || math.Abs(degrees) > limit {
		v.Add(pointer, problem.OutOfRange, "must be between -%g and %g degrees", limit, limit)
	}
}

// Distance returns the length of the great circle between two addresses in km.
// It is not ok when the coordinates of either are unknown: an unknown distance
// ranks behind every known one.
func Distance(a, b *Address) (km float64, ok bool) {
	if a.Latitude == nil || a.Longitude == nil || b.Latitude == nil || b.Longitude == nil {
		return 0, false
	}
	const radians = math.Pi / 180
	lat1, lat2 := *a.Latitude*radians, *b.Latitude*radians
	sinLat := math.Sin((lat2 - lat1) / 2)
	sinLong := math.Sin((*b.Longitude - *a.Longitude) * radians / 2)
	h := sinLat*sinLat + math.Cos(lat1)*math.Cos(lat2)*sinLong*sinLong
	return 2 * earthRadiusKM * math.Asin(math.Sqrt(min(h, 1))), true // rounding may take h past 1 at antipodes
}
