package engine

import (
	"fmt"
	"strconv"
	"strings"
)

// maxDeskVersions is how many versions of each learner a desk keeps ready: decisions of several nodes name
// neighbouring ones.
const maxDeskVersions = 8

// deskLore are the snapshots that a desk was given.
type deskLore struct {
	versions map[string][]deskVersion // by learner, oldest first
	names    string                   // of the last pick, joined
	picked   *lore
	complete bool
}

type deskVersion struct {
	version int64
	publish func(into *lore)
}

// add makes a version of a learner ready.
func (l *deskLore) add(e *Engine, id string, version int64, state []byte) error {
	var x learner
	switch id {
	case LearnedHistory:
		x = newHistoryLearner()
	case LearnedDelays:
		x = newDelayLearner()
	case LearnedPrices:
		x = newPriceLearner(e)
	default:
		return nil // decisions do not read it
	}
	if err := x.restore(state); err != nil {
		return fmt.Errorf("reading what was learned (%s@%d): %w", id, version, err)
	}
	if l.versions == nil {
		l.versions = map[string][]deskVersion{}
	}
	kept := append(l.versions[id], deskVersion{version, func(into *lore) {
		x.publish(into)
		into.known[id] = Learned{ID: id, Version: version}
	}})
	if len(kept) > maxDeskVersions {
		kept = kept[1:]
	}
	l.versions[id], l.picked, l.names = kept, nil, ""
	return nil
}

// pick makes the lore of the versions named, like "history@12", and of the newest of other learners.
func (l *deskLore) pick(names []string) (*lore, bool) {
	if len(l.versions) == 0 {
		return nil, !namesAny(names)
	}
	joined := strings.Join(names, " ")
	if l.picked != nil && joined == l.names {
		return l.picked, l.complete
	}
	next := &lore{known: map[string]Learned{}}
	complete := true
	for _, id := range []string{LearnedHistory, LearnedDelays, LearnedPrices} {
		wanted := named(names, id)
		kept := l.versions[id]
		found := wanted < 0
		for i := len(kept) - 1; i >= 0; i-- {
			if wanted < 0 || kept[i].version == wanted {
				kept[i].publish(next)
				found = true
				break
			}
		}
		complete = complete && found
	}
	l.names, l.picked, l.complete = joined, next, complete
	return next, complete
}

// named is the version of a learner among names; −1: it is not there.
func named(names []string, id string) int64 {
	for _, n := range names {
		if v, ok := strings.CutPrefix(n, id+"@"); ok {
			if version, err := strconv.ParseInt(v, 10, 64); err == nil {
				return version
			}
		}
	}
	return -1
}

func namesAny(names []string) bool {
	for _, id := range []string{LearnedHistory, LearnedDelays, LearnedPrices} {
		if named(names, id) >= 0 {
			return true
		}
	}
	return false
}
