package sim

import (
	"sort"
	"sync"
	"time"
)

// How many come on a day of the week, from Monday, and in an hour of the day, against the
// average: evenings and Sundays on the sofa, few at night.
var (
	dayWeights  = [7]float64{1.15, 1.02, .95, .98, .92, .86, 1.12}
	hourWeights = [24]float64{
		.35, .18, .09, .06, .06, .1, .25, .5, .8, 1.1, 1.25, 1.3,
		1.25, 1.2, 1.15, 1.2, 1.25, 1.35, 1.5, 1.75, 1.9, 1.75, 1.25, .71,
	}
)

// weekHours are the running sums of the weights of the hours of a week, from Monday.
var weekHours = sync.OnceValue(func() []float64 {
	var weights []float64
	for _, day := range dayWeights {
		for _, hour := range hourWeights {
			weights = append(weights, day*hour)
		}
	}
	return runningSums(weights)
})

// rhythm is when shoppers come: so many on average a day, from a moment on, by the
// local clock of the country.
type rhythm struct {
	monday time.Time // midnight before the first
	before float64   // shoppers of that week who would have come earlier
	week   float64   // shoppers
}

func newRhythm(from time.Time, perDay float64) rhythm {
	local := from.In(berlin())
	day := int(local.Weekday()+6) % 7 // from Monday
	monday := time.Date(local.Year(), local.Month(), local.Day()-day, 0, 0, 0, 0, berlin())
	hour := day*24 + local.Hour()
	sums := weekHours()
	share := 0.0
	if hour > 0 {
		share = sums[hour-1]
	}
	share += (sums[hour] - share) * (float64(local.Minute()) + float64(local.Second())/60) / 60
	r := rhythm{monday: monday, week: 7 * perDay}
	r.before = share / sums[len(sums)-1] * r.week
	return r
}

// at is when the shopper of a number comes, which may be between two.
func (r rhythm) at(n float64) time.Time {
	n = max(0, n+r.before)
	week := int(n / r.week)
	sums := weekHours()
	share := (n/r.week - float64(week)) * sums[len(sums)-1]
	hour := min(sort.Search(len(sums), func(i int) bool { return sums[i] > share }), len(sums)-1)
	low := 0.0
	if hour > 0 {
		low = sums[hour-1]
	}
	within := time.Duration((share - low) / (sums[hour] - low) * float64(time.Hour))
	year, month, day := r.monday.Date()
	return time.Date(year, month, day+7*week+hour/24, hour%24, 0, 0, 0, berlin()).Add(within).UTC()
}
