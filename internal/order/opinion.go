package order

import "time"

// Opinion is what a sourcing policy makes, or would make, of the units of an order that no location has: what it
// is expected to cost and to promise. It is small, so that it can be kept beside what was really decided.
type Opinion struct {
	Policy string `json:"policy"` // name@version
	// Cost is the expected cost of its shipments in minor units of the order's currency.
	Cost      int64 `json:"cost"`
	Shipments int64 `json:"shipments"`
	// Unplaced are units that it gives to nobody; costs of opinions with another number of them do not compare.
	Unplaced int64 `json:"unplaced,omitempty"`
	// DeliverBy is the latest promise of its shipments; zero: it promises none.
	DeliverBy time.Time `json:"deliver_by,omitzero"`
	// Locations are those of its shipments, ascending.
	Locations []string `json:"locations,omitempty"`
}

// Opinion sums up a plan of a policy.
func (p *Plan) Opinion(policy string) *Opinion {
	o := &Opinion{Policy: policy, Shipments: int64(len(p.Placements))}
	for i := range p.Placements {
		pl := &p.Placements[i]
		o.Cost += pl.Cost
		o.Locations = append(o.Locations, pl.Location)
		if pl.Promise.DeliverBy.After(o.DeliverBy) {
			o.DeliverBy = pl.Promise.DeliverBy
		}
	}
	for _, q := range p.Unplaced {
		o.Unplaced += q.Quantity
	}
	return o
}
