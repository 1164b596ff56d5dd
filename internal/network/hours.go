package network

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ParseWeek reads the compact form of weekly hours that spreadsheets use:
// "mon-fri 09:00-12:00,13:00-18:00; sat 10:00-16:00". Days not named are closed.
func ParseWeek(s string) (Week, error) {
	var week Week
	for part := range strings.SplitSeq(s, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		days, hours, _ := strings.Cut(part, " ")
		intervals, err := parseIntervals(hours)
		if err != nil {
			return Week{}, fmt.Errorf("%q: %w", part, err)
		}
		for name := range strings.SplitSeq(days, ",") {
			if err := setDays(&week, name, intervals); err != nil {
				return Week{}, fmt.Errorf("%q: %w", part, err)
			}
		}
	}
	return week, nil
}

// setDays sets the hours of one day ("mon") or a range of days ("fri-mon").
func setDays(week *Week, name string, intervals []Interval) error {
	first, last, isRange := strings.Cut(strings.ToLower(name), "-")
	if !isRange {
		last = first
	}
	from, to := weekdayIndex(first), weekdayIndex(last)
	if from < 0 || to < 0 {
		return fmt.Errorf("%q is not a day or a range of days like mon-fri", name)
	}
	for i := from; ; i = (i + 1) % 7 {
		day := week.On(weekdays[i])
		if *day != nil {
			return fmt.Errorf("%s has its hours twice", weekdayNames[weekdays[i]])
		}
		*day = slices.Clone(intervals)
		if i == to {
			return nil
		}
	}
}

// weekdayIndex is the place of "mon" in weekdays, -1 when it is no day.
func weekdayIndex(name string) int {
	return slices.IndexFunc(weekdays[:], func(d time.Weekday) bool { return weekdayNames[d][:3] == name })
}

// parseIntervals reads "09:00-12:00,13:00-18:00".
func parseIntervals(s string) ([]Interval, error) {
	var intervals []Interval
	for part := range strings.SplitSeq(s, ",") {
		opens, closes, _ := strings.Cut(strings.TrimSpace(part), "-")
		from, err1 := ParseClock(opens)
		to, err2 := ParseClock(closes)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%q are not hours like 09:00-18:00", part)
		}
		intervals = append(intervals, Interval{from, to})
	}
	return intervals, nil
}

// FormatWeek writes weekly hours so that ParseWeek reads them back; days in a
// row with the same hours are joined.
func FormatWeek(week Week) string {
	var parts []string
	for i := 0; i < 7; {
		hours := *week.On(weekdays[i])
		end := i + 1
		for end < 7 && slices.Equal(*week.On(weekdays[end]), hours) {
			end++
		}
		if len(hours) > 0 {
			name := weekdayNames[weekdays[i]][:3]
			if end-i > 1 {
				name += "-" + weekdayNames[weekdays[end-1]][:3]
			}
			parts = append(parts, name+" "+formatIntervals(hours))
		}
		i = end
	}
	return strings.Join(parts, "; ")
}

func formatIntervals(intervals []Interval) string {
	parts := make([]string, len(intervals))
	for i, in := range intervals {
		parts[i] = in.Opens.String() + "-" + in.Closes.String()
	}
	return strings.Join(parts, ",")
}

// ParseExceptions reads "2026-12-24 09:00-14:00; 2026-12-25 closed".
func ParseExceptions(s string) ([]Exception, error) {
	var exceptions []Exception
	for part := range strings.SplitSeq(s, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, hours, _ := strings.Cut(part, " ")
		date, err := ParseDate(name)
		if err != nil {
			return nil, err
		}
		e := Exception{Date: date, Closed: strings.TrimSpace(hours) == "closed"}
		if !e.Closed {
			if e.Hours, err = parseIntervals(hours); err != nil {
				return nil, fmt.Errorf("%q: %w", part, err)
			}
		}
		exceptions = append(exceptions, e)
	}
	return exceptions, nil
}

// FormatExceptions writes exceptions so that ParseExceptions reads them back.
func FormatExceptions(exceptions []Exception) string {
	parts := make([]string, len(exceptions))
	for i, e := range exceptions {
		hours := "closed"
		if !e.Closed {
			hours = formatIntervals(e.Hours)
		}
		parts[i] = e.Date.String() + " " + hours
	}
	return strings.Join(parts, "; ")
}
