package promise

import (
	"fmt"
	"math"

	"github.com/orderly-oms/orderly/internal/policy"
)

// Defaults and limits of the settings.
const (
	DefaultQuantile        = 0.95
	DefaultMinObservations = 30
	DefaultPickupMaxKm     = 100
	DefaultMaxOptions      = 20
	DefaultAtRisk          = 0.5
	MaxOptions             = 200 // of one answer
	MaxExtraDays           = 60
	MaxWindowDays          = 30

	minQuantile, maxQuantile = 0.5, 0.999
)

// Settings are the promise section of a policy with its defaults filled in, for
// one country of destination.
type Settings struct {
	Quantile              float64
	MinObservations       int64
	ExtraDays, WindowDays int64 // carrier working days
	SameDayMaxKm          float64
	SameDayService        string
	PickupMaxKm           float64
	MaxOptions            int
	AtRisk                float64
	Carrier               *Workdays // days on which parcels are picked up and delivered
	HolidaysKnown         bool      // false: the country asked for is not supported, so none are counted
}

// NewSettings reads a section; nil has every default. Returns an error that names
// the field that is out of its range.
func NewSettings(s *policy.PromiseSection, destination string) (Settings, error) {
	if s == nil {
		s = new(policy.PromiseSection)
	}
	out := Settings{
		Quantile: or(s.Quantile, DefaultQuantile), MinObservations: or(s.MinObservations, DefaultMinObservations),
		ExtraDays: s.ExtraDays, WindowDays: s.WindowDays, SameDayMaxKm: s.SameDayMaxKm, SameDayService: s.SameDayService,
		PickupMaxKm: or(s.PickupMaxKm, DefaultPickupMaxKm), MaxOptions: int(or(s.MaxOptions, DefaultMaxOptions)), AtRisk: or(s.AtRisk, DefaultAtRisk),
	}
	for _, c := range []struct {
		field           string
		value, low, top float64
	}{
		{"quantile", out.Quantile, minQuantile, maxQuantile},
		{"min_observations", float64(out.MinObservations), 1, 1e9},
		{"extra_days", float64(s.ExtraDays), 0, MaxExtraDays},
		{"window_days", float64(s.WindowDays), 0, MaxWindowDays},
		{"same_day_max_km", s.SameDayMaxKm, 0, math.MaxInt32},
		{"pickup_max_km", out.PickupMaxKm, 0, math.MaxInt32},
		{"max_options", float64(out.MaxOptions), 1, MaxOptions},
		{"at_risk", out.AtRisk, 0, 1},
	} {
		if !(c.value >= c.low && c.value <= c.top) { // not a number is out of range as well
			return Settings{}, fmt.Errorf("%s must be from %g to %g", c.field, c.low, c.top)
		}
	}
	country := s.Holidays
	if country == "destination" {
		country = destination
	}
	_, supported := found[country]
	out.HolidaysKnown = country == "" || supported
	var err error
	if out.Carrier, err = NewWorkdays(s.DeliveryDays, country); err != nil {
		return Settings{}, fmt.Errorf("delivery_days: %w", err)
	}
	return out, nil
}

// or is the value, or its default when it is zero.
func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
