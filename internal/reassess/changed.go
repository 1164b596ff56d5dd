package reassess

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/orderly-oms/orderly/internal/replay"
)

// change is an order in the base and in another run.
type change struct{ base, other *replay.OrderResult }

func (c change) size() int64 { return max(c.other.Cost-c.base.Cost, c.base.Cost-c.other.Cost) }

// most are the orders that changed most in cost between two runs, those first, at most limit of them. Orders are paired by
// their number; a scenario with another demand has some that the base has not.
func most(base, other []replay.OrderResult, limit int) (out []change) {
	byCost := func(a, b change) int {
		return cmp.Or(cmp.Compare(b.size(), a.size()), cmp.Compare(a.base.Number, b.base.Number))
	}
	for i, j := 0, 0; i < len(base) && j < len(other); {
		b, t := &base[i], &other[j]
		switch c := cmp.Compare(b.Number, t.Number); {
		case c < 0:
			i++
			continue
		case c > 0:
			j++
			continue
		}
		i, j = i+1, j+1
		if b.Cost == t.Cost && b.Locations == t.Locations || b.ID != t.ID {
			continue
		}
		c := change{b, t}
		at, _ := slices.BinarySearchFunc(out, c, byCost)
		if at == limit {
			continue
		}
		if len(out) == limit {
			out = out[:limit-1]
		}
		out = slices.Insert(out, at, c)
	}
	return out
}

// changed finds the orders that changed most for each candidate. A run keeps no reasons for orders that are on
// course, so those of the base are asked for in one more run.
func (a *assessment) changed(ctx context.Context) error {
	var all []Changed
	var numbers []int64
	of := map[int64][]int{} // places in all
	for i := 1; i < len(a.runs); i++ {
		if i == a.baseline && len(a.runs) > 2 {
			continue // it is nobody's candidate
		}
		for _, c := range most(a.runs[0].Orders, a.runs[i].Orders, a.o.Changed) {
			if c.base.Why == nil {
				of[c.base.Number] = append(of[c.base.Number], len(all))
				numbers = append(numbers, c.base.Number)
			}
			all = append(all, Changed{
				Order: c.base.ID, At: c.base.At, Candidate: a.list[i].Name, BaseCost: c.base.Cost, CandidateCost: c.other.Cost,
				Base: c.base.Why, Other: c.other.Why, BaseFrom: c.base.Locations, OtherFrom: c.other.Locations,
			})
		}
	}
	if len(numbers) > 0 && !a.list[0].Recorded {
		o := a.o.Replay
		slices.Sort(numbers)
		o.Explain = slices.Compact(numbers)
		again, err := a.o.Run(ctx, a.open, a.list[:1], o)
		if err != nil {
			return err
		}
		for i := range again[0].Orders {
			for _, at := range of[again[0].Orders[i].Number] {
				all[at].Base = again[0].Orders[i].Why
			}
		}
	}
	for i := range all {
		c := &all[i]
		c.Base = orRecorded(c.Base, c.BaseFrom, c.BaseCost, a.header.Currency)
		c.Other = orRecorded(c.Other, c.OtherFrom, c.CandidateCost, a.header.Currency)
	}
	a.out.Changed = all
	return nil
}

// orRecorded is what can be said of an order whose decision gave no reasons: because it was not made here.
func orRecorded(why []string, from string, cost int64, currency string) []string {
	switch {
	case len(why) > 0:
		return why
	case from == "":
		return []string{"nothing was sent; no reasons are recorded"}
	}
	return []string{fmt.Sprintf("%s sent it for %s; no reasons are recorded", from, amount(float64(cost), currency))}
}
