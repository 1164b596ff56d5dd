package promise

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// maxIdleDays bounds the search for a day on which a carrier works. No week and
// no country has so many free days in a row.
const maxIdleDays = 31

// Workdays are the days on which a carrier picks up or delivers. It is immutable.
type Workdays struct {
	days    [7]bool // by time.Weekday
	country string
	free    *holidays
}

// NewWorkdays returns the weekdays named in English ("monday" or "mon", any
// case), without the holidays of a country. No names mean monday to saturday. An empty country
// and one whose holidays are not known (see HolidayCountries) have no holidays.
// Returns an error that names a day that is none.
func NewWorkdays(names []string, country string) (*Workdays, error) {
	w := &Workdays{country: country}
	if len(names) == 0 {
		names = []string{"mon", "tue", "wed", "thu", "fri", "sat"}
	}
	for _, name := range names {
		day, ok := weekday(name)
		if !ok {
			return nil, fmt.Errorf("%.20q is not a day of the week like monday", name)
		}
		w.days[day] = true
	}
	if find := found[country]; find != nil {
		w.free = find()
	}
	return w, nil
}

func weekday(name string) (time.Weekday, bool) {
	name = strings.ToLower(name)
	for d := time.Sunday; d <= time.Saturday; d++ {
		full := strings.ToLower(d.String())
		if name == full || name == full[:3] {
			return d, true
		}
	}
	return 0, false
}

// Works reports whether the carrier works on a date.
func (w *Workdays) Works(d network.Date) bool { return w.days[d.Weekday()] && !w.free.has(d) }

// Next returns the date itself when the carrier works on it, else the next on which it does.
func (w *Workdays) Next(d network.Date) network.Date {
	for range maxIdleDays {
		if w.Works(d) {
			return d
		}
		d++
	}
	return d
}

// Add returns the n-th working day after a date; for 0 the date itself, or the next working day.
func (w *Workdays) Add(d network.Date, n int64) network.Date {
	if n <= 0 {
		return w.Next(d)
	}
	for ; n > 0; n-- {
		d = w.Next(d + 1)
	}
	return d
}

// Back returns the n-th working day before a date.
func (w *Workdays) Back(d network.Date, n int64) network.Date {
	for ; n > 0; n-- {
		d--
		for range maxIdleDays {
			if w.Works(d) {
				break
			}
			d--
		}
	}
	return d
}
