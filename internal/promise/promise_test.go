package promise_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func hours(t testing.TB, week, exceptions string) *network.Calendar {
	t.Helper()
	w, err := network.ParseWeek(week)
	if err != nil {
		t.Fatal(err)
	}
	e, err := network.ParseExceptions(exceptions)
	if err != nil {
		t.Fatal(err)
	}
	return &network.Calendar{Hours: w, Exceptions: e}
}

// warehouse works in Berlin on weekdays from 8 to 18, with a cut-off at 14:00.
func warehouse(t testing.TB, id string) *network.Location {
	t.Helper()
	return &network.Location{
		ID: id, Type: network.DC, TimeZone: "Europe/Berlin", Calendar: hours(t, "mon-fri 08:00-18:00", ""),
		Cutoffs: []network.Cutoff{{Time: 14 * 60}}, ProcessingMinutes: 60, Capabilities: []network.Capability{network.CanShip},
		Address: network.Address{Country: "DE"},
	}
}

// shop is open in Berlin from monday to saturday from 10 to 20 and needs an hour.
func shop(t testing.TB, id string) *network.Location {
	t.Helper()
	return &network.Location{
		ID: id, Type: network.Store, TimeZone: "Europe/Berlin", Calendar: hours(t, "mon-sat 10:00-20:00", ""),
		ProcessingMinutes: 60, Capabilities: []network.Capability{network.CanShip, network.CanPickup}, Address: network.Address{Country: "DE"},
	}
}

func settings(t testing.TB, s policy.PromiseSection) *promise.Settings {
	t.Helper()
	out, err := promise.NewSettings(&s, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestSettingsHaveDefaultsAndBounds(t *testing.T) {
	t.Parallel()
	s, err := promise.NewSettings(nil, "DE")
	if err != nil || s.Quantile != promise.DefaultQuantile || s.MinObservations != 30 || s.MaxOptions != 20 || s.AtRisk != 0.5 || s.PickupMaxKm != 100 {
		t.Fatalf("defaults are %+v, %v", s, err)
	}
	for _, bad := range []policy.PromiseSection{
		{Quantile: 0.4}, {Quantile: 1}, {MinObservations: -1}, {ExtraDays: promise.MaxExtraDays + 1}, {WindowDays: promise.MaxWindowDays + 1},
		{MaxOptions: promise.MaxOptions + 1}, {AtRisk: 1.1}, {SameDayMaxKm: -1}, {PickupMaxKm: -1}, {DeliveryDays: []string{"someday"}},
	} {
		if _, err := promise.NewSettings(&bad, "DE"); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	limit := policy.PromiseSection{Quantile: 0.999, ExtraDays: promise.MaxExtraDays, WindowDays: promise.MaxWindowDays, MaxOptions: promise.MaxOptions, AtRisk: 1}
	if _, err := promise.NewSettings(&limit, "DE"); err != nil {
		t.Errorf("the limits themselves are refused: %v", err)
	}
	for country, known := range map[string]bool{"DE": true, "MT": false} {
		s, err := promise.NewSettings(&policy.PromiseSection{Holidays: "destination"}, country)
		if err != nil || s.HolidaysKnown != known {
			t.Errorf("%s: holidays known %v, %v; want %v", country, s.HolidaysKnown, err, known)
		}
	}
}

func TestWorkdays(t *testing.T) {
	t.Parallel()
	date := func(s string) network.Date {
		d, err := network.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tests := []struct {
		name, country string
		days          []string
		from          string
		n             int64
		want          string
	}{
		{"default: monday to saturday", "", nil, "2026-11-27", 2, "2026-11-30"},
		{"no day away, but a sunday", "", nil, "2026-11-29", 0, "2026-11-30"},
		{"christmas and a weekend", "DE", []string{"mon", "tue", "wed", "thu", "fri"}, "2026-12-24", 1, "2026-12-28"},
		{"no holidays where none are known", "MT", []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}, "2026-12-24", 1, "2026-12-25"},
		{"thanksgiving", "US", nil, "2026-11-25", 1, "2026-11-27"},
		{"independence day on a saturday is observed on friday", "US", nil, "2026-07-02", 1, "2026-07-06"},
		{"new year on a saturday is observed in the year before", "US", nil, "2027-12-30", 1, "2028-01-03"},
		{"easter in Germany", "DE", nil, "2026-04-02", 1, "2026-04-04"},
		{"easter monday in Poland", "PL", nil, "2026-04-04", 1, "2026-04-07"},
	}
	for _, tt := range tests {
		w, err := promise.NewWorkdays(tt.days, tt.country)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Add(date(tt.from), tt.n); got != date(tt.want) {
			t.Errorf("%s: %d days after %s is %s, want %s", tt.name, tt.n, tt.from, got, tt.want)
		}
		if back := w.Back(date(tt.want), tt.n); tt.n > 0 && w.Add(back, tt.n) != date(tt.want) {
			t.Errorf("%s: %s is not %d days before %s", tt.name, back, tt.n, tt.want)
		}
	}
}

// Every country's list must give its year at least a handful of free days, and New Year.
func TestHolidaysOfEveryCountry(t *testing.T) {
	t.Parallel()
	countries := promise.HolidayCountries()
	if len(countries) < 30 {
		t.Fatalf("only %d countries", len(countries))
	}
	every := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	for _, country := range countries {
		if !network.ValidCountry(country) {
			t.Errorf("%q is no country", country)
		}
		w, err := promise.NewWorkdays(every, country)
		if err != nil {
			t.Fatal(err)
		}
		for _, year := range []int{2000, 2026, 2099} {
			free := 0
			for d := network.DateOf(year, time.January, 1); d <= network.DateOf(year, time.December, 31); d++ {
				if !w.Works(d) {
					free++
				}
			}
			if w.Works(network.DateOf(year, time.January, 1)) || free < 4 || free > 30 {
				t.Errorf("%s has %d holidays in %d", country, free, year)
			}
		}
		if !w.Works(network.DateOf(2100, time.January, 1)) || !w.Works(network.DateOf(1999, time.December, 25)) {
			t.Errorf("%s has holidays beyond the years that are known", country)
		}
	}
}
