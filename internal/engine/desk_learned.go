package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxDeskVersions is how many versions of each learner a desk keeps ready: decisions that were made at nearly the same time name
// neighbouring ones.
const maxDeskVersions = 16

// deskLearners are what decisions read.
var deskLearners = []string{LearnedHistory, LearnedDelays, LearnedPrices, LearnedQueues}

// deskLore are the snapshots that a desk was given.
type deskLore struct {
	versions map[string][]deskVersion // by learner, oldest first
	picked   map[string]deskPick      // since the last was added, by the names joined
}

type deskVersion struct {
	version int64
	publish func(into *deskPick)
}

// deskPick is what some decisions read. It never changes.
type deskPick struct {
	lore     *lore
	queues   *queues
	complete bool
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
	case LearnedQueues:
		q, err := readQueues(version, state)
		if err != nil {
			return err
		}
		l.keep(id, version, func(into *deskPick) { into.queues = q })
		return nil
	default:
		return nil // decisions do not read it
	}
	if err := x.restore(state); err != nil {
		return fmt.Errorf("reading what was learned (%s@%d): %w", id, version, err)
	}
	l.keep(id, version, func(into *deskPick) {
		x.publish(into.lore)
		into.lore.known[id] = Learned{ID: id, Version: version}
	})
	return nil
}

func (l *deskLore) keep(id string, version int64, publish func(into *deskPick)) {
	if l.versions == nil {
		l.versions = map[string][]deskVersion{}
	}
	kept := append(l.versions[id], deskVersion{version, publish})
	if len(kept) > maxDeskVersions {
		kept = slices.Delete(kept, 0, 1)
	}
	l.versions[id], l.picked = kept, map[string]deskPick{}
}

// pick finds the versions named, like "history@12", or the newest of all.
func (l *deskLore) pick(names []string, newest bool) deskPick {
	joined := strings.Join(names, " ")
	if newest {
		joined = "*"
	}
	if p, ok := l.picked[joined]; ok {
		return p
	}
	p := deskPick{lore: &lore{known: map[string]Learned{}}, complete: true}
	for _, id := range deskLearners {
		wanted := named(names, id)
		if wanted < 0 && !newest {
			continue
		}
		kept := l.versions[id]
		at := len(kept) - 1
		if !newest {
			at = slices.IndexFunc(kept, func(v deskVersion) bool { return v.version == wanted })
		}
		if at >= 0 {
			kept[at].publish(&p)
		} else {
			p.complete = p.complete && newest
		}
	}
	p.lore.named = p.lore.names()
	if len(p.lore.known) == 0 {
		p.lore = nil
	}
	if l.picked != nil {
		l.picked[joined] = p
	}
	return p
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
