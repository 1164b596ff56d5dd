package sourcing

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// sequence places lines at places in their order: the first that has everything
// takes it; when there is none, each in turn takes what it can.
type sequence struct {
	quantity []int64 // units per line
	group    []int   // per line; lines of one group above 0 ship from one place
	value    []int64 // of one unit, per line
	places   []place
	limits   policy.Limits
	split    exact.Split

	whole []bool  // per line: it is not split
	left  []int64 // per line
}

type place struct {
	available    []int64
	units, value int64 // room of one shipment, exact.NoLimit: any
}

// plan has no cost: the shares are in the order of the places.
func (q *sequence) plan() exact.Result {
	r := exact.Result{Method: "sequence"}
	most := len(q.places)
	if m := q.limits.MaxShipments; m != nil {
		most = int(min(*m, int64(most)))
	}
	q.left = slices.Clone(q.quantity)
	q.findWhole()
	for i := range q.places {
		if most > 0 && covers(q.places[i].available, q.quantity) && q.fits(&q.places[i], q.quantity) {
			r.Shares = []exact.Share{{Location: i, Quantity: slices.Clone(q.quantity)}}
			r.Unfilled = make([]int64, len(q.left))
			return r
		}
	}
	for i := range q.places {
		if len(r.Shares) == most {
			break
		}
		share := q.give(&q.places[i])
		if !anyPositive(share) || !q.fits(&q.places[i], share) {
			continue
		}
		for line, n := range share {
			q.left[line] -= n
		}
		r.Shares = append(r.Shares, exact.Share{Location: i, Quantity: share})
	}
	if rest := q.worth(q.left); anyPositive(q.left) && rest < q.limits.MinRemainderValue {
		r.Shares, q.left = nil, slices.Clone(q.quantity)
	}
	r.Unfilled = q.left
	return r
}

// findWhole says which lines are not split: none may be, or some place has the whole line.
func (q *sequence) findWhole() {
	q.whole = make([]bool, len(q.quantity))
	for i, n := range q.quantity {
		switch {
		case q.split == exact.SplitNever || q.group[i] > 0:
			q.whole[i] = true
		case q.split == exact.SplitWhenNeeded:
			q.whole[i] = slices.ContainsFunc(q.places, func(p place) bool { return p.available[i] >= n })
		}
	}
}

// give is what a place takes of what is left.
func (q *sequence) give(p *place) []int64 {
	share := make([]int64, len(q.left))
	units, value := p.units, p.value
	for i, need := range q.left {
		n := min(need, p.available[i])
		if units != exact.NoLimit {
			n = min(n, units)
		}
		if value != exact.NoLimit && q.value[i] > 0 {
			n = min(n, value/q.value[i])
		}
		if n <= 0 || (q.whole[i] && n < need) || (q.group[i] > 0 && !q.hasGroup(p, q.group[i])) {
			continue
		}
		share[i] = n
		if units != exact.NoLimit {
			units -= n
		}
		if value != exact.NoLimit {
			value -= n * q.value[i]
		}
	}
	return q.dropParted(share)
}

// hasGroup reports whether the place has every line of a group whole.
func (q *sequence) hasGroup(p *place, group int) bool {
	for i, need := range q.left {
		if q.group[i] == group && p.available[i] < need {
			return false
		}
	}
	return true
}

// dropParted takes out groups that a limit let in only in part.
func (q *sequence) dropParted(share []int64) []int64 {
	for i := range share {
		if g := q.group[i]; g > 0 && share[i] < q.left[i] {
			for k := range share {
				if q.group[k] == g {
					share[k] = 0
				}
			}
		}
	}
	return share
}

func (q *sequence) worth(units []int64) (sum int64) {
	for i, n := range units {
		sum += n * q.value[i]
	}
	return sum
}

// fits checks a shipment against the place's room and the least value.
func (q *sequence) fits(p *place, share []int64) bool {
	var units int64
	for _, n := range share {
		units += n
	}
	value := q.worth(share)
	return (p.units == exact.NoLimit || units <= p.units) && (p.value == exact.NoLimit || value <= p.value) &&
		value >= q.limits.MinShipmentValue
}

func anyPositive(numbers []int64) bool {
	for _, n := range numbers {
		if n > 0 {
			return true
		}
	}
	return false
}

func covers(available, quantity []int64) bool {
	for i, q := range quantity {
		if available[i] < q {
			return false
		}
	}
	return true
}
