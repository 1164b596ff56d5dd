package bench

import "context"

// The shop of questions.
const (
	questionSKUs         = 5
	questionLocations    = 50
	questionTemplates    = 4096
	questionPositions    = 1_000_000 // default
	questionSamples      = 101       // of which the answer of middle length is the one to compare with
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
	var err error
	r.answer, err = s.sample(r.questions)
	return err
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

func (r *availabilityRun) example() []byte { return r.answer }

func (r *availabilityRun) compare(report *Report, f BareFigures) { report.Availability.BareFigures = f }
