package network

import (
	"fmt"
	"time"
)

// Date is a day of the civil calendar, as days since 1970-01-01, so that dates
// compare and add like integers. Zero is no date. JSON: "2026-12-24".
type Date int32

// badDate is what text that is no date reads as, for Validate to report.
const badDate Date = -1

const (
	secondsPerDay = 24 * 60 * 60
	minutesPerDay = 24 * 60
)

// DateOf returns the day of a year, month and day as in time.Date.
func DateOf(year int, month time.Month, day int) Date {
	return Date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

// ParseDate reads "2026-12-24". Dates from 1970-01-02 to 9999-12-31 are accepted.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Unix() < secondsPerDay {
		return 0, fmt.Errorf("%.20q is not a date like 2026-12-24", s)
	}
	return Date(t.Unix() / secondsPerDay), nil
}

// AddDays returns the date n days later.
func (d Date) AddDays(n int) Date { return d + Date(n) }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday {
	return time.Weekday((int(d)%7 + 7 + int(time.Thursday)) % 7)
}

// Start returns the first instant of the day in a zone.
func (d Date) Start(zone *time.Location) time.Time {
	return time.Unix(newDay(d, zone).instant(0, earliest), 0).In(zone)
}

// String writes the date as 2026-12-24; the zero date as nothing.
func (d Date) String() string {
	if d <= 0 {
		return ""
	}
	return time.Unix(int64(d)*secondsPerDay, 0).UTC().Format(time.DateOnly)
}

// MarshalText writes the date for JSON.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the date from JSON. Text that is no date becomes one that
// Validate reports, so that it is named together with other bad fields.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	parsed, err := ParseDate(string(text))
	if err != nil {
		parsed = badDate
	}
	*d = parsed
	return nil
}

// Clock is a time of day on the wall, in minutes since midnight: 0 to 1440, where
// 1440 ("24:00") is the end of the day. JSON: "09:00".
type Clock int16

// badClock is what text that is no time of day reads as, for Validate to report.
const badClock Clock = -1

// EndOfDay is "24:00".
const EndOfDay Clock = minutesPerDay

// ParseClock reads "09:00", from "00:00" to "24:00".
func ParseClock(s string) (Clock, error) {
	digit := func(i int) int { return int(s[i] - '0') }
	if len(s) == 5 && s[2] == ':' {
		for _, i := range [...]int{0, 1, 3, 4} {
			if s[i] < '0' || s[i] > '9' {
				return badClock, fmt.Errorf("%q is not a time of day like 09:00", s)
			}
		}
		hour, minute := digit(0)*10+digit(1), digit(3)*10+digit(4)
		if minute < 60 && hour*60+minute <= minutesPerDay {
			return Clock(hour*60 + minute), nil
		}
	}
	return badClock, fmt.Errorf("%.20q is not a time of day like 09:00", s)
}

// Valid reports a time from 00:00 to 24:00.
func (c Clock) Valid() bool { return c >= 0 && c <= EndOfDay }

// String writes the time as 09:00.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// MarshalText writes the time for JSON.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the time from JSON. Text that is no time of day becomes one
// that Validate reports, so that it is named together with other bad fields.
func (c *Clock) UnmarshalText(text []byte) error {
	*c, _ = ParseClock(string(text))
	return nil
}
