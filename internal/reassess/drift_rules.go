package reassess

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/replay"
)

// minAsked is the fewest times that a rule was asked before it is said that it never, or always, says the same.
const minAsked = 1000

// uses are how often the rules of a policy mattered, whatever version of it.
type uses struct {
	groups  map[string]int64 // decisions in which the group placed something
	filters map[[2]string]replay.RuleUse
	asked   int64 // most that any rule was asked
	any     bool
}

func (e *evidence) uses(name string) *uses {
	u := &uses{groups: map[string]int64{}, filters: map[[2]string]replay.RuleUse{}}
	for i := range e.base.Rules {
		x := &e.base.Rules[i]
		if n, _, _ := strings.Cut(x.Policy, "@"); n != name {
			continue
		}
		u.any = true
		u.asked = max(u.asked, x.Asked, x.Decisions)
		if x.Rule == "" {
			u.groups[x.Group] += x.Decisions
			continue
		}
		f := u.filters[[2]string{x.Group, x.Rule}]
		f.Decisions += x.Decisions
		f.Excluded += x.Excluded
		f.Asked += x.Asked
		u.filters[[2]string{x.Group, x.Rule}] = f
	}
	return u
}

// deciding is the sourcing policy that decided most; when that is not known, the general one.
func (e *evidence) deciding() *rule {
	best, most := e.rules.general(policy.KindSourcing), int64(0)
	for i := range e.rules.kinds[policy.KindSourcing] {
		r := &e.rules.kinds[policy.KindSourcing][i]
		if n := e.uses(r.compiled.Name).asked; n > most {
			best, most = r, n
		}
	}
	return best
}

// sourcing are the sourcing policies that were in force, as they are, for the whole period.
func (e *evidence) sourcing() []*rule {
	var out []*rule
	for i := range e.rules.kinds[policy.KindSourcing] {
		if x := &e.rules.kinds[policy.KindSourcing][i]; !x.since.After(e.report.From) {
			out = append(out, x)
		}
	}
	return out
}

// deadRules finds policies, groups and filters that never do anything, and filters that leave nothing over. A version that came
// into force within the period had too little time to be judged.
func (e *evidence) deadRules() (out []suspicion) {
	if len(e.base.Rules) == 0 {
		return nil
	}
	for _, r := range e.sourcing() {
		u := e.uses(r.compiled.Name)
		if !u.any {
			if e.base.Decisions >= minAsked && r.text != "" {
				out = append(out, suspicion{Finding: Finding{
					Kind: PolicyNeverDecides, Subject: "sourcing/" + r.compiled.Name,
					Evidence: fmt.Sprintf("none of %s in the period was made by it", several(e.base.Decisions, "decision")),
					Suggest:  "withdraw it, or correct its select: it stands for a case that does not occur, or another policy of higher priority takes its orders",
				}})
			}
			continue
		}
		for i := range r.compiled.Doc.Sourcing.Groups {
			out = append(out, e.deadGroup(r, u, &r.compiled.Doc.Sourcing.Groups[i])...)
		}
	}
	return out
}

func (e *evidence) deadGroup(r *rule, u *uses, g *policy.Group) (out []suspicion) {
	subject := fmt.Sprintf("sourcing/%s, group %s", r.compiled.Name, g.Name)
	at := "sourcing.groups[" + g.Name + "]"
	always := false
	for i := range g.Filters {
		f := &g.Filters[i]
		x := u.filters[[2]string{g.Name, f.Name}]
		s := suspicion{Finding: Finding{Subject: subject + ", filter " + f.Name}}
		switch {
		case x.Asked >= minAsked && x.Excluded == x.Asked:
			always = true
			s.Kind = RuleAlwaysExcludes
			s.Evidence = fmt.Sprintf("it left out every one of the %s locations it was asked about, so the group never places anything", count(x.Asked))
			s.Suggest = fmt.Sprintf("correct or remove the filter: keep is %q", f.Keep)
			s.worth = float64(e.base.Total.Cost)
		case x.Asked >= minAsked && x.Excluded == 0:
			s.Kind = RuleNeverFires
			s.Evidence = fmt.Sprintf("it was asked about %s locations and left out none", count(x.Asked))
			s.Suggest = "remove the filter, unless it is meant for a case that did not occur"
		default:
			continue
		}
		s.changed(e, policy.KindSourcing, r, policy.Edit{At: at + ".filters[" + f.Name + "]", Remove: true})
		out = append(out, s)
	}
	if u.groups[g.Name] > 0 || always || u.asked < minAsked {
		return out
	}
	s := suspicion{Finding: Finding{
		Kind: RuleNeverFires, Subject: subject,
		Evidence: fmt.Sprintf("it placed nothing, while the policy decided %s times or more", count(u.decided())),
		Suggest:  "remove the group, or correct its when, locations and filters",
	}}
	if len(r.compiled.Doc.Sourcing.Groups) > 1 {
		s.changed(e, policy.KindSourcing, r, policy.Edit{At: at, Remove: true})
	}
	return append(out, s)
}

// decided is how often the policy placed something at least.
func (u *uses) decided() (most int64) {
	for _, n := range u.groups {
		most = max(most, n)
	}
	return most
}

// exclusions are filters that leave something out now and then, and of which a replay without them may show that this
// changes nothing: what they leave out would not have been chosen.
func (e *evidence) exclusions() (out []suspicion) {
	for _, r := range e.sourcing() {
		u := e.uses(r.compiled.Name)
		for i := range r.compiled.Doc.Sourcing.Groups {
			g := &r.compiled.Doc.Sourcing.Groups[i]
			for j := range g.Filters {
				x := u.filters[[2]string{g.Name, g.Filters[j].Name}]
				if x.Asked < minAsked || x.Excluded == 0 || x.Excluded == x.Asked {
					continue
				}
				s := suspicion{needs: true, worth: float64(x.Excluded) / float64(x.Asked), holds: same, Finding: Finding{
					Kind: ExclusionNeverCounts, Subject: fmt.Sprintf("sourcing/%s, group %s, filter %s", r.compiled.Name, g.Name, g.Filters[j].Name),
					Evidence: fmt.Sprintf("it left out %s of %s locations it was asked about, and without it everything would have come out the same", count(x.Excluded), count(x.Asked)),
					Suggest:  "remove the filter: what it leaves out is never chosen anyway",
				}}
				s.changed(e, policy.KindSourcing, r, policy.Edit{At: "sourcing.groups[" + g.Name + "].filters[" + g.Filters[j].Name + "]", Remove: true})
				out = append(out, s)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b suspicion) int { return cmp.Compare(b.worth, a.worth) })
	return out
}

// same reports that two runs counted the same on every day.
func same(control, changed *replay.Result, _ []Measure) bool {
	return slices.Equal(control.Days, changed.Days)
}
