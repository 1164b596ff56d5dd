package price

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// demand is what a learner believes about the orders of a horizon.
type demand struct {
	classes []Class // Expected is the mean of the belief
	basket  []int   // per class
	zone    []int
	// sure is per basket how many orders of it were seen, aged; zones the same.
	sureBasket, sureZone []float64
	own                  []float64 // per class: orders seen, aged
	trust                float64   // orders for which baskets and zones speak instead of the class
}

// believe turns what was seen into expected counts over the horizon.
//
// A class that is rare says little about itself, so its share is drawn towards the product
// of its basket's and its zone's shares, as strongly as the classes seen agree with it.
func (l *Learner) believe(horizon time.Duration, at time.Time) *demand {
	keys := make([]string, 0, len(l.classes))
	for k := range l.classes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	d := &demand{}
	baskets, zones := map[string]int{}, map[string]int{}
	var basketLines [][]Line
	var zoneNames []string
	scale := 1 / l.growth(at)
	n := 0.0
	for _, k := range keys {
		c := l.classes[k]
		w := c.weight * scale
		n += w
		b, ok := baskets[c.basket]
		if !ok {
			b = len(basketLines)
			baskets[c.basket], basketLines, d.sureBasket = b, append(basketLines, c.lines), append(d.sureBasket, 0)
		}
		z, ok := zones[c.zone]
		if !ok {
			z = len(zoneNames)
			zones[c.zone], zoneNames, d.sureZone = z, append(zoneNames, c.zone), append(d.sureZone, 0)
		}
		d.sureBasket[b] += w
		d.sureZone[z] += w
		d.classes = append(d.classes, Class{Zone: c.zone, Lines: c.lines})
		d.basket, d.zone, d.own = append(d.basket, b), append(d.zone, z), append(d.own, w)
	}
	if n == 0 {
		return d
	}
	d.trust = d.agreement(n)
	if len(basketLines)*len(zoneNames) <= l.options.MaxClasses {
		d.complete(basketLines, zoneNames)
	}
	orders := n * float64(horizon) / l.watched(at)
	sum := 0.0
	for i := range d.classes {
		d.classes[i].Expected = d.share(i, n, d.sureBasket[d.basket[i]]/n, d.sureZone[d.zone[i]]/n)
		sum += d.classes[i].Expected
	}
	for i := range d.classes {
		d.classes[i].Expected *= orders / sum
	}
	return d
}

// watched is how much time the aged orders stand for, in nanoseconds.
func (l *Learner) watched(at time.Time) float64 {
	age := max(1, float64(at.Sub(l.began)))
	if l.options.HalfLife == 0 {
		return age
	}
	life := float64(l.options.HalfLife) / math.Ln2
	return life * (1 - math.Exp(-age/life))
}

// share of class i when its basket and its zone have these shares.
func (d *demand) share(i int, n, basket, zone float64) float64 {
	if math.IsInf(d.trust, 1) {
		return basket * zone
	}
	return (d.own[i] + d.trust*basket*zone) / (n + d.trust)
}

// agreement is how many orders the product of basket and zone is worth as evidence about a class:
// infinite when the classes differ from it no more than by chance. It compares
// the chi-square statistic with its degrees of freedom.
func (d *demand) agreement(n float64) float64 {
	free := float64((len(d.sureBasket) - 1) * (len(d.sureZone) - 1))
	if free < 1 {
		return math.Inf(1)
	}
	spread := -n
	for i, own := range d.own {
		spread += own * own / (d.sureBasket[d.basket[i]] * d.sureZone[d.zone[i]] / n)
	}
	over := spread/free - 1
	if over <= math.Sqrt(2/free) { // one standard deviation of chance
		return math.Inf(1)
	}
	return max(1, n/over)
}

// complete adds the classes that were not seen although their basket and zone were.
func (d *demand) complete(baskets [][]Line, zones []string) {
	have := make([]bool, len(baskets)*len(zones))
	for i := range d.classes {
		have[d.basket[i]*len(zones)+d.zone[i]] = true
	}
	for b := range baskets {
		for z := range zones {
			if !have[b*len(zones)+z] {
				d.classes = append(d.classes, Class{Zone: zones[z], Lines: baskets[b]})
				d.basket, d.zone, d.own = append(d.basket, b), append(d.zone, z), append(d.own, 0)
			}
		}
	}
}

// draw makes up one future: shares as likely as what was seen makes them, then
// counts by chance. Both uncertainties shrink as orders come in.
func (d *demand) draw(r *random, count []float64) {
	basket := factors(r, d.sureBasket)
	zone := factors(r, d.sureZone)
	for i := range d.classes {
		count[i] = r.poisson(d.classes[i].Expected * basket[d.basket[i]] * zone[d.zone[i]])
	}
}

// factors are random factors around 1, each as wide as its count is uncertain.
func factors(r *random, counts []float64) []float64 {
	out := make([]float64, len(counts))
	for i, n := range counts {
		n = max(n, 0.5)
		out[i] = r.gamma(n) / n
	}
	return out
}

// byNeed orders indices by a measure, the largest first, equals by index.
func byNeed(measure []float64) []int {
	order := make([]int, len(measure))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(measure[b], measure[a]), cmp.Compare(a, b)) })
	return order
}
