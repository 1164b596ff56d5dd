package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// comparisonRounds is odd: the median of the rounds is one of them.
const comparisonRounds = 7

// compared is a scenario that is measured beside a server that only writes the same bytes.
type compared interface {
	scenario
	// example is an answer of middle length.
	example() []byte
	// compare adds the outcome to the report.
	compare(r *Report, f BareFigures)
}

// sample asks some of the questions and returns the answer of middle length.
func (s *setup) sample(questions [][]byte) ([]byte, error) {
	c := conn{host: s.host}
	defer c.close()
	var answers [][]byte
	for i := range questionSamples {
		status, body, err := c.do(questions[i])
		if err != nil {
			return nil, err
		}
		if status != 200 {
			return nil, fmt.Errorf("%s was answered with status %d: %.500s", requestLine(questions[i]), status, body)
		}
		answers = append(answers, slices.Clone(body))
	}
	slices.SortFunc(answers, func(a, b []byte) int { return len(a) - len(b) })
	return answers[len(answers)/2], nil
}

// comparison is the outcome of asking two servers the same in turn.
type comparison struct {
	bare   *tally
	ratios []float64 // sorted
}

// compare measures the server and the bare one in turn, so that what else the
// machine does meets both, half of the duration each.
func compare(ctx context.Context, o *Options, host string, sc compared) (total *tally, c *comparison, err error) {
	url, stop, err := o.Bare(ctx, sc.example())
	if err != nil {
		return nil, nil, fmt.Errorf("the server to compare with: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	bare, err := hostOf(url)
	if err != nil {
		return nil, nil, err
	}
	total, c = &tally{}, &comparison{bare: &tally{}}
	slice := o.Duration / (2 * comparisonRounds)
	for round := range comparisonRounds {
		var ratio [2]float64
		for turn := range 2 {
			phase, at, into := string(o.Kind), host, total
			if (round+turn)%2 == 1 {
				phase, at, into = "bare", bare, c.bare
			}
			t, err := measure(ctx, o, at, phase, slice, sc.operation)
			if err != nil {
				return nil, nil, err
			}
			ratio[(round+turn)%2] = perSecond(t.ok, t.elapsed)
			into.add(t)
			into.elapsed += t.elapsed
		}
		if ratio[1] > 0 {
			c.ratios = append(c.ratios, ratio[0]/ratio[1])
		}
	}
	slices.Sort(c.ratios)
	return total, c, nil
}

func (c *comparison) figures() BareFigures {
	f := BareFigures{
		Rounds: comparisonRounds, BarePS: perSecond(c.bare.ok, c.bare.elapsed),
		BareP50MS: ms(c.bare.latency.quantile(.5)), BareP99MS: ms(c.bare.latency.quantile(.99)),
	}
	if n := len(c.ratios); n > 0 {
		f.Ratio, f.RatioSmallest, f.RatioLargest = c.ratios[n/2], c.ratios[0], c.ratios[n-1]
	}
	return f
}
