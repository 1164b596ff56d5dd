package reassess

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/replay"
)

// Limits of findings about places.
const (
	// minRejected is the fewest fulfillments that a location rejected before its rate is judged.
	minRejected = 20
	// rejectFactor is how many times the rate of the others a location's rate must be at least, for sure.
	rejectFactor = 1.5
	// dearFactor is what a lane's shipments cost at least, times those of another location to the same zone.
	dearFactor = 1.25
	minDear    = 50 // shipments of the dear lane
	minCheap   = 30 // and of the cheaper
	// dearShare is the least share of all shipping cost that is at stake in a lane.
	dearShare = 0.002
	// highStockOuts and lowRejected tell that stock which is held back could have been sold: percent of orders, and units of 100.
	highStockOuts = 2.0
	lowRejected   = 0.5
)

// rejects finds locations that reject or do not find goods so much more often than the others that their rank is wrong, or their stock.
func (e *evidence) rejects() (out []suspicion) {
	var given, rejected int64
	for i := range e.base.Locations {
		l := &e.base.Locations[i]
		given += l.Shipments + l.Rejected
		rejected += l.Rejected
	}
	// With so many locations looked at, one of them is far off by chance; each gets its part of the doubt.
	level := 1 - (1-e.o.Level)/float64(max(len(e.base.Locations), 1))
	for i := range e.base.Locations {
		l := &e.base.Locations[i]
		mine, others := l.Shipments+l.Rejected, given-l.Shipments-l.Rejected
		if l.Rejected < minRejected || others == 0 {
			continue
		}
		rate, rest := float64(l.Rejected)/float64(mine), float64(rejected-l.Rejected)/float64(others)
		low, high := share(l.Rejected, mine, level)
		if low < rejectFactor*rest {
			continue
		}
		evidence := fmt.Sprintf("it rejected or did not find something of %s of %s fulfillments, %s (%s to %s); the other locations %s",
			count(l.Rejected), count(mine), percentText(100*rate), percentText(100*low), percentText(100*high), percentText(100*rest))
		s := suspicion{
			Finding: Finding{Kind: RejectRate, Subject: "location " + l.Location, Evidence: evidence},
			worth:   float64(l.Rejected) * e.perShipment(), also: []string{MeasureRejected, MeasureTouches},
		}
		e.demote(&s, rate, rest)
		out = append(out, s)
		if 2*l.NotFound > l.Rejected {
			out = append(out, e.raiseSafety(l))
		}
	}
	return out
}

// perShipment is what a shipment costs on average, minor units.
func (e *evidence) perShipment() float64 {
	return float64(e.base.Total.Cost) / float64(max(e.base.Total.Shipments, 1))
}

// demote suggests how the sourcing policy asks a location later that rejects much: by the price of the risk where it
// compares costs, by a key in front where it ranks.
func (e *evidence) demote(s *suspicion, rate, rest float64) {
	r := e.deciding()
	limit := strconv.FormatFloat(math.Round(500*(rate+rest))/1000, 'f', 3, 64) // half way between
	risk := strconv.FormatInt(max(int64(math.Round(e.perShipment())), 1), 10)
	var edits []policy.Edit
	for i := range r.compiled.Doc.Sourcing.Groups {
		g := &r.compiled.Doc.Sourcing.Groups[i]
		at := "sourcing.groups[" + g.Name + "]"
		t := slices.IndexFunc(g.Cost, func(t policy.Term) bool { return t.Term == policy.TermRisk })
		switch {
		case t >= 0:
			weight := 1.0
			if g.Cost[t].Weight != nil {
				weight = *g.Cost[t].Weight
			}
			edits = append(edits, policy.Edit{At: at + ".cost[risk].weight", Value: 2 * weight})
		case len(g.Cost) > 0:
			edits = append(edits, policy.Edit{At: at + ".cost[+]", Value: map[string]string{"term": policy.TermRisk, "value": risk}})
		default:
			edits = append(edits, policy.Edit{At: at + ".sort[^]", Value: map[string]string{"by": "value", "value": "candidate.failure_rate > " + limit + " ? 1 : 0"}})
		}
	}
	s.changed(e, policy.KindSourcing, r, edits...)
	s.Suggest = "have it asked later: "
	if e.scenario.Recorded {
		s.Suggest += "rank it behind locations that have the goods as well, or correct its stock figures"
		return
	}
	s.Suggest += fmt.Sprintf("in sourcing/%s, let candidate.failure_rate count (term risk, or a sort key in front)", r.compiled.Name)
}

// raiseSafety is for a location that mostly does not find what it is said to have.
func (e *evidence) raiseSafety(l *replay.LocationUse) suspicion {
	return suspicion{worth: float64(l.NotFound) * e.perShipment(), Finding: Finding{
		Kind: SafetyLow, Subject: "location " + l.Location,
		Evidence: fmt.Sprintf("of %s fulfillments that it could not serve %s failed because goods were not found: its stock figures say more than there is", count(l.Rejected), count(l.NotFound)),
		Suggest:  "have its stock counted; until then hold back one unit more of each article there (safety of the position, or a row of an availability policy with its tag). A replay cannot show the gain, because it does not know what was on the shelf",
	}}
}

// safety finds stock that is held back although orders go without and hardly anything is rejected.
func (e *evidence) safety() (out []suspicion) {
	t := &e.base.Total
	outs, known := definition(MeasureStockOuts).value(t, 0)
	rejected, counted := definition(MeasureRejected).value(t, 0)
	if !known || !counted || t.Orders < minAsked || outs < highStockOuts || rejected > lowRejected {
		return nil
	}
	s := suspicion{
		worth: float64(t.Lost) + float64(t.Backordered)*e.perShipment(), also: []string{MeasureStockOuts, MeasureCancelled, MeasureRejected},
		holds: func(_, _ *replay.Result, ms []Measure) bool { return find(ms, MeasureStockOuts).better() > 0 },
	}
	held := func(by string) string {
		return fmt.Sprintf("%s of the orders met a stock-out while %s and only %s of 100 units were rejected",
			percentText(outs), by, strconv.FormatFloat(rejected, 'f', 2, 64))
	}
	if n := len(e.rules.keeping); n > 0 {
		change := e.scenario
		change.Changes.Safety = map[string]int64{"*": 0}
		s.change = &change
		s.Finding = Finding{
			Kind: SafetyHigh, Subject: "safety stock", Evidence: held(several(int64(n), "location") + " held back safety stock"),
			Suggest: "lower the safety stock of the positions; the effect is that of none at all, which is the most there is to gain",
		}
		out = append(out, s)
	}
	if r := e.rules.general(policy.KindAvailability); !e.scenario.Recorded {
		if edits := holdingBack(r); len(edits) > 0 {
			s.Finding = Finding{
				Kind: SafetyHigh, Subject: "availability/" + r.compiled.Name, Evidence: held("the policy held stock back"),
				Suggest: "lower what its rows hold back; the effect is that of nothing at all, which is the most there is to gain",
			}
			s.changed(e, policy.KindAvailability, r, edits...)
			out = append(out, s)
		}
	}
	return out
}

// holdingBack are the edits after which an availability policy holds nothing back, but for what it hides.
func holdingBack(r *rule) (edits []policy.Edit) {
	for i := range r.compiled.Doc.Availability.Rules {
		row := &r.compiled.Doc.Availability.Rules[i]
		for setting, value := range map[string]int64{"safety": row.Safety, "buffer": row.Buffer, "percent": row.Percent} {
			if value > 0 {
				edits = append(edits, policy.Edit{At: fmt.Sprintf("availability.rules[%d].%s", i, setting), Remove: true})
			}
		}
	}
	slices.SortFunc(edits, func(a, b policy.Edit) int { return cmp.Compare(a.At, b.At) })
	return edits
}

// lanes finds zones that a location serves dearly although another serves them for less.
func (e *evidence) lanes() (out []suspicion) {
	zones := map[string][]*replay.Lane{}
	for i := range e.base.Lanes {
		l := &e.base.Lanes[i]
		if l.Shipments > 0 {
			zones[l.Zone] = append(zones[l.Zone], l)
		}
	}
	each := func(l *replay.Lane) float64 { return float64(l.Cost) / float64(l.Shipments) }
	for i := range e.base.Lanes {
		l := &e.base.Lanes[i]
		if l.Shipments < minDear {
			continue
		}
		var best *replay.Lane
		for _, other := range zones[l.Zone] {
			if other.Shipments < minCheap || each(l) < dearFactor*each(other) {
				continue
			}
			if best == nil || cmp.Or(cmp.Compare(each(other), each(best)), cmp.Compare(other.Location, best.Location)) < 0 {
				best = other
			}
		}
		if best == nil {
			continue
		}
		worth := float64(l.Shipments) * (each(l) - each(best))
		if worth < dearShare*float64(e.base.Total.Cost) {
			continue
		}
		s := suspicion{worth: worth, Finding: Finding{
			Kind: DearLane, Subject: fmt.Sprintf("%s to %s", l.Location, l.Zone),
			Evidence: fmt.Sprintf("%s went there for %s each; those from %s cost %s each, %s less in all",
				several(l.Shipments, "shipment"), amount(each(l), e.report.Currency), best.Location, amount(each(best), e.report.Currency), amount(worth, e.report.Currency)),
		}}
		e.byCost(&s, best.Location)
		out = append(out, s)
	}
	return out
}

// byCost suggests to choose by what carriers charge, where the policy ranks; where it does so already, stock is missing at the cheaper location.
func (e *evidence) byCost(s *suspicion, cheaper string) {
	r := e.deciding()
	var edits []policy.Edit
	for i := range r.compiled.Doc.Sourcing.Groups {
		g := &r.compiled.Doc.Sourcing.Groups[i]
		at := "sourcing.groups[" + g.Name + "]"
		switch {
		case len(g.Sort) > 0:
			edits = append(edits, policy.Edit{At: at + ".sort", Remove: true}, policy.Edit{At: at + ".cost", Value: []map[string]string{{"term": policy.TermCarrier}}})
		case !slices.ContainsFunc(g.Cost, func(t policy.Term) bool { return t.Term == policy.TermCarrier }):
			edits = append(edits, policy.Edit{At: at + ".cost[+]", Value: map[string]string{"term": policy.TermCarrier}})
		}
	}
	switch {
	case e.scenario.Recorded:
		s.Suggest = fmt.Sprintf("look why %s did not send them: replay a policy that chooses by carrier charges, like cheapest of the library", cheaper)
	case len(edits) == 0:
		s.Suggest = fmt.Sprintf("keep more of what these orders want at %s: the policy chooses by carrier charges already, so it had not the goods or not the capacity", cheaper)
	default:
		s.Suggest = fmt.Sprintf("let sourcing/%s choose by carrier charges (term carrier) instead of rank", r.compiled.Name)
		s.changed(e, policy.KindSourcing, r, edits...)
	}
}
