package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// The shop of questions.
const (
	questionSKUs         = 5
	questionLocations    = 50
	questionTemplates    = 4096
	questionPositions    = 1_000_000 // default
	questionSamples      = 101       // of which the answer of middle length is the one to compare with
	comparisonRounds     = 7         // odd: their median is one of them
	availabilityUnits    = 40
	availabilityQuantity = 1
)

// availabilityRun asks for five SKUs anywhere in the catalog, each in stock at
// each of 50 locations, and compares with a server that writes the same bytes.
type availabilityRun struct {
	shop      shop
	questions [][]byte // whole requests
	size      int
	answer    []byte // of middle length
}

type question struct {
	Channel string         `json:"channel"`
	Items   []questionItem `json:"items"`
}

type questionItem struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

func (r *availabilityRun) prepare(ctx context.Context, s *setup) error {
	r.shop = s.shop(questionLocations, questionPositions)
	numbers := random(4)
	for range questionTemplates {
		q := question{Channel: channelID}
		first, step := numbers.IntN(r.shop.skus), 1+numbers.IntN(r.shop.skus/questionSKUs-1)
		for i := range questionSKUs {
			q.Items = append(q.Items, questionItem{SKU: r.shop.skuID((first + i*step) % r.shop.skus), Quantity: availabilityQuantity})
		}
		body := encode(&q)
		r.size = len(body)
		r.questions = append(r.questions, s.head.request(nil, "POST", "/v1/availability", body))
	}
	if err := r.shop.open(ctx, s); err != nil {
		return err
	}
	if err := r.shop.receive(ctx, s, availabilityUnits); err != nil {
		return err
	}
	return r.sample(s)
}

// sample keeps an answer of middle length.
func (r *availabilityRun) sample(s *setup) error {
	c := conn{host: s.host}
	defer c.close()
	var answers [][]byte
	for i := range questionSamples {
		status, body, err := c.do(r.questions[i])
		if err != nil {
			return err
		}
		if status != 200 {
			return fmt.Errorf("availability was answered with status %d: %.500s", status, body)
		}
		answers = append(answers, slices.Clone(body))
	}
	slices.SortFunc(answers, func(a, b []byte) int { return len(a) - len(b) })
	r.answer = answers[len(answers)/2]
	return nil
}

func (r *availabilityRun) operation(i int) func(*client) error {
	at := i * len(r.questions) / 7
	return func(c *client) error {
		at++
		_, _, err := c.call(r.questions[at%len(r.questions)])
		return err
	}
}

func (r *availabilityRun) figures(report *Report, _ *tally) {
	report.RequestBytes, report.ResponseBytes = r.size, len(r.answer)
	report.Availability = &AvailabilityFigures{
		Positions: r.shop.locations * r.shop.skus, SKUs: questionSKUs, Locations: r.shop.locations,
	}
}

// comparison is the outcome of asking two servers the same in turn.
type comparison struct {
	bare   *tally
	ratios []float64 // sorted
}

// compare measures the server and the bare one in turn, so that what else the
// machine does meets both, half of the duration each.
func (r *availabilityRun) compare(ctx context.Context, o *Options, host string) (total *tally, c *comparison, err error) {
	url, stop, err := o.Bare(ctx, r.answer)
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
			phase, at, into := "availability", host, total
			if (round+turn)%2 == 1 {
				phase, at, into = "bare", bare, c.bare
			}
			t, err := measure(ctx, o, at, phase, slice, r.operation)
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

// into adds the comparison to the report.
func (c *comparison) into(f *AvailabilityFigures) {
	f.Rounds = comparisonRounds
	f.BarePS = perSecond(c.bare.ok, c.bare.elapsed)
	f.BareP50MS, f.BareP99MS = ms(c.bare.latency.quantile(.5)), ms(c.bare.latency.quantile(.99))
	if n := len(c.ratios); n > 0 {
		f.Ratio, f.RatioSmallest, f.RatioLargest = c.ratios[n/2], c.ratios[0], c.ratios[n-1]
	}
}
