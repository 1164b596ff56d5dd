package promise

import (
	"math"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// Stage is how far a location is with a fulfillment.
type Stage uint8

// The stages, in order. Ready is a pickup that waits for the customer: the promise is kept then.
const (
	StageOpen Stage = iota
	StageAccepted
	StagePicked
	StagePacked
	StageShipped
	stages
)

var stageNames = [stages]string{"open", "accepted", "picked", "packed", "shipped"}

// String writes the stage as the order's fulfillment status.
func (s Stage) String() string { return stageNames[min(s, stages-1)] }

// ParseStage reads a fulfillment status; ok false: nothing remains to be done
// in it, or it is none.
func ParseStage(status string) (s Stage, ok bool) {
	for i, name := range stageNames {
		if name == status {
			return Stage(i), true
		}
	}
	return 0, false
}

// typicalHours is what is believed to remain in each stage until the parcel leaves or
// the pickup is ready, as the mean of an exponential distribution, before any was seen.
var typicalHours = [stages]float64{8, 6, 3, 2, 0.5}

// minStageObservations is how many durations a location must have had to be believed.
const minStageObservations = 30

// Stages is what was learned of the work at locations: how long it takes from the
// beginning of a stage until the parcel leaves or the pickup is ready. Nil has learned nothing.
type Stages struct{ table *Delays }

// NewStages returns a table in which an observation counts half after so many days; 0: DefaultHalfLifeDays.
func NewStages(halfLifeDays int64) *Stages { return &Stages{NewDelays(halfLifeDays)} }

func stageKey(location string, s Stage) Key { return Key{location, s.String(), AnyZone} }

// Done records how long it took from the beginning of a stage.
func (s *Stages) Done(location string, stage Stage, took time.Duration) {
	s.record(location, stage, bin{Bin: stageScale.bin(took), Events: 1})
}

// Open records that it has taken so long and is not done.
func (s *Stages) Open(location string, stage Stage, taken time.Duration) {
	s.record(location, stage, bin{Bin: stageScale.bin(taken), Open: 1})
}

func (s *Stages) record(location string, stage Stage, b bin) {
	for _, k := range []Key{stageKey(location, stage), stageKey("", stage)} {
		h := s.table.keys[k]
		if h == nil {
			h = new(histogram)
			s.table.keys[k] = h
		}
		h.add(b)
	}
	s.table.evict()
}

// Advance lets weights fade up to a date, like Delays.Advance.
func (s *Stages) Advance(today network.Date) { s.table.Advance(today) }

// MergeStages returns a table with the observations of both, like Merge.
func MergeStages(a, b *Stages) *Stages { return &Stages{Merge(a.table, b.table)} }

// Snapshot returns the table for storing, like Delays.Snapshot.
func (s *Stages) Snapshot(version int64) Snapshot { return s.table.Snapshot(version) }

// RestoreStages returns the table of a snapshot, like Restore.
func RestoreStages(snapshot Snapshot) (*Stages, error) {
	d, err := Restore(snapshot)
	if err != nil {
		return nil, err
	}
	return &Stages{d}, nil
}

// stagePriors are the hazards and curves of typicalHours.
var stagePriors = func() (out [stages]struct {
	hazards hazards
	curve   *Curve
}) {
	for i, hours := range typicalHours {
		out[i].hazards = hazardsOf(stageScale, func(d time.Duration) float64 { return 1 - math.Exp(-d.Hours()/hours) })
		out[i].curve = stageScale.curve(&out[i].hazards, "", 0)
		out[i].curve.Level = levelTypical
	}
	return out
}()

// The levels of history of a stage.
const (
	levelStageHere = "location, stage"
	levelStage     = "stage"
	levelTypical   = "typical"
)

// Curve returns the distribution of what a stage takes at a location, else at all, else the typical one.
func (s *Stages) Curve(location string, stage Stage) *Curve {
	prior := &stagePriors[min(stage, stages-1)]
	if s == nil {
		return prior.curve
	}
	levels := []Key{stageKey(location, stage), stageKey("", stage)}
	enough, found, n := believed(s.table.keys, levels, 0, minStageObservations)
	if found < 0 {
		return prior.curve
	}
	return stageScale.blend(enough, &prior.hazards, [2]string{levelStageHere, levelStage}[found], n)
}
