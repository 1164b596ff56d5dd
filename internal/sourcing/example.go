package sourcing

import (
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// RunExample decides an example of a sourcing policy. It is the policy.Decider of
// policy.RunExamples; its answer has the keys shipments (units by location and SKU),
// unplaced (units by SKU), groups (those that placed something, in order), excluded (the
// first rule that left a location out), cost and otherwise.
func RunExample(c *policy.Compiled, g policy.Given) (map[string]any, error) {
	f := exampleFacts(&g)
	d := Decide(f, c, c.Name)
	sku := func(line string) string {
		for i := range f.Lines {
			if f.Lines[i].ID == line {
				return f.Lines[i].SKU.ID
			}
		}
		return line
	}
	shipments, unplaced, excluded := map[string]map[string]int64{}, map[string]int64{}, map[string]string{}
	groups := []string{}
	for i := range d.Shipments {
		s := &d.Shipments[i]
		if shipments[s.Location] == nil {
			shipments[s.Location] = map[string]int64{}
		}
		for _, u := range s.Lines {
			shipments[s.Location][sku(u.Line)] += u.Quantity
		}
		if len(groups) == 0 || groups[len(groups)-1] != s.Group {
			groups = append(groups, s.Group)
		}
	}
	for _, u := range d.Unplaced {
		unplaced[sku(u.Line)] = u.Quantity
	}
	for i := range d.Excluded {
		for _, location := range d.Excluded[i].Locations {
			if excluded[location] == "" {
				excluded[location] = d.Excluded[i].Rule
			}
		}
	}
	return map[string]any{
		"shipments": shipments, "unplaced": unplaced, "groups": groups, "excluded": excluded, "cost": d.Cost, "otherwise": d.Otherwise,
	}, nil
}

// exampleFacts are the facts that an example gives.
func exampleFacts(g *policy.Given) *Facts {
	f := &Facts{Now: g.Time(), Order: *g.OrderFacts(), Forced: g.Forced, Preferred: g.Preferred, Wanted: g.Wanted}
	for _, location := range g.Refused {
		f.Refused = append(f.Refused, Refusal{Location: location, Reason: "it refused before"})
	}
	for i := range g.Lines {
		line, sku := g.LineFacts(i)
		f.Lines = append(f.Lines, Line{
			ID: sku.ID, Quantity: line.Quantity, Facts: *line, SKU: sku, Grams: sku.WeightG, Value: line.UnitPrice,
		})
	}
	for i := range g.Locations {
		l := &g.Locations[i]
		s := Site{Location: g.LocationFacts(i), Candidate: g.CandidateFacts(i), Via: l.Via}
		for line := range g.Lines {
			stock := g.StockFacts(i, line)
			s.Available = append(s.Available, stock.Available)
			s.Stock = append(s.Stock, stock)
			s.Prices = append(s.Prices, stock.Price)
		}
		s.OrdersLeft, s.UnitsLeft, s.ValueLeft = orNoLimit(l.OrdersLeft), orNoLimit(l.UnitsLeft), orNoLimit(l.ValueLeft)
		if l.Carrier != nil {
			service := Service{ID: "carrier", Tariff: &exampleTariff{l}}
			if l.Days != nil {
				service.Deliver = g.Time().AddDate(0, 0, int(*l.Days))
			}
			s.Services = []Service{service}
		}
		f.Sites = append(f.Sites, s)
	}
	return f
}

// exampleTariff is the carrier of an example's location.
type exampleTariff struct{ l *policy.GivenLocation }

func (t *exampleTariff) Price(grams int64) (int64, bool) { return t.l.Charge(grams), true }

func orNoLimit(limit *int64) int64 {
	if limit == nil {
		return exact.NoLimit
	}
	return *limit
}
